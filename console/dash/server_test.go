package dash

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// strained is a server under more load than it takes, n seconds after its start.
func strained(n int) console.Health {
	k, pace := uint64(n), uint64(2400*n+n*n*7%300)
	return console.Health{Server: "127.0.0.1:8888", Status: "serving", Name: "rpckids", Go: "go1.26.0", Protocols: []string{"v1", "v2"}, Uptime: time.Duration(n) * time.Second,
		Connections: 12, V1: 4, V2: 7, Running: 16, Workers: 16, Queued: 20, Streams: 2, InFlight: 38, Limit: 1024, Calls: pace, Failed: 345 * k, Refused: 340 * k,
		Refusals: map[string]uint64{"queue full": 300 * k, "rate": 40 * k, "not TLS": 3}, Accepted: 40, BytesIn: 31_000 * k, BytesOut: 57_000 * k, Heap: 12 << 20, Goroutines: 48}
}

// ailing returns a session with a server that tells how it is.
func ailing(t testing.TB, h console.Health) (*console.Session, *fake) {
	t.Helper()
	f := &fake{health: h, stats: console.Stats{Target: "localhost:8888", Server: "127.0.0.1:8888", State: console.Connected, Protocol: "v2", Ours: true, Servers: 1, Up: 1}}
	s := console.NewSession(console.Config{Dial: dialer(f)})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := s.Exec(t.Context(), "connect localhost:8888"); err != nil {
		t.Fatal(err)
	}
	return s, f
}

// aged has a second pass, and a tick come after it.
func aged(m *model) {
	time.Sleep(time.Second)
	_, cmd := m.Update(tickMsg{})
	settle(m, cmd)
}

// strike presses keys and has what each of them begins done before the next one.
func strike(m *model, keys ...string) {
	for _, k := range keys {
		settle(m, press(m, k))
	}
}

// inBubble runs a test in time of its own, with a model that goes by it.
func inBubble(t *testing.T, s func(*testing.T) (*console.Session, *fake), w, h int, cfg Config, f func(t *testing.T, m *model, b *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		session, b := s(t)
		m := open(t, session, w, h, cfg)
		m.clock = time.Now
		_, cmd := m.Update(tickMsg{})
		settle(m, cmd)
		f(t, m, b)
		m.server.close()
	})
}

func sound(h console.Health) func(*testing.T) (*console.Session, *fake) {
	return func(t *testing.T) (*console.Session, *fake) { return ailing(t, h) }
}

func TestGoldenServer(t *testing.T) {
	for name, now := range map[string]console.Health{"busy": strained(31), "draining": {Server: "127.0.0.1:8888", Status: "draining", Uptime: time.Hour, Connections: 1, V2: 1, Limit: 1024, Workers: 16,
		Calls: 90_000, Protocols: []string{"v2"}}} {
		for _, size := range goldenSizes {
			for _, look := range []string{"mono", "ascii", "dark"} {
				if look != "mono" && (size[0] == 120 || size[0] == 200) {
					continue
				}
				file := fmt.Sprintf("server-%s-%dx%d-%s", name, size[0], size[1], look)
				t.Run(file, func(t *testing.T) {
					cfg := Config{Theme: looks("mono", look == "ascii")}
					if look == "dark" {
						cfg.Theme = looks("dark", false)
					}
					inBubble(t, sound(strained(1)), size[0], size[1], cfg, func(t *testing.T, m *model, b *fake) {
						settle(m, press(m, "alt+7"))
						for n := range 29 {
							b.feel(strained(2+n), nil)
							aged(m)
						}
						b.feel(now, nil)
						aged(m)
						settle(m, press(m, "esc"))
						if look == "dark" {
							golden(t, file, strings.ReplaceAll(m.View(), "\x1b", "␛"))
							return
						}
						golden(t, file, text(m))
					})
				})
			}
		}
	}
}

func TestGoldenServerZoomed(t *testing.T) {
	inBubble(t, sound(strained(1)), 160, 48, Config{}, func(t *testing.T, m *model, b *fake) {
		strike(m, "alt+7", "f")
		for n := range 90 {
			b.feel(strained(2+n), nil)
			aged(m)
		}
		golden(t, "server-zoom-160x48", text(m))
		m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
		golden(t, "server-zoom-80x24", text(m))
	})
}

// It is asked once a second while somebody can see it, and not at all otherwise.
func TestServerIsAskedWhileItIsSeen(t *testing.T) {
	inBubble(t, sound(strained(1)), 80, 24, Config{}, func(t *testing.T, m *model, b *fake) {
		want := func(when string, n int) {
			t.Helper()
			if b.asked != n {
				t.Errorf("%s: asked %d times, want %d", when, b.asked, n)
			}
		}
		for range 5 {
			aged(m)
		}
		want("not shown", 0)
		settle(m, press(m, "alt+7"))
		want("shown", 1)
		for range 10 { // ticks come for other reasons, too
			_, cmd := m.Update(tickMsg{})
			settle(m, cmd)
		}
		want("within a second", 1)
		for range 5 {
			aged(m)
		}
		want("5 s later", 6)
		if m.server.due.Load() == 0 {
			t.Error("nobody wakes the program for the next question")
		}
		settle(m, press(m, "alt+5"))
		for range 5 {
			aged(m)
		}
		want("another pane is shown", 6)
		if m.server.due.Load() != 0 {
			t.Error("the program is woken for nothing")
		}
		settle(m, press(m, "alt+7"))
		b.become(func(st *console.Stats) { st.State = console.Reconnecting })
		for range 5 {
			aged(m)
		}
		want("while the server is looked for", 7)
		b.become(func(st *console.Stats) { st.State, st.Ours = console.Connected, false })
		for range 5 {
			aged(m)
		}
		want("another kind of server", 7)
	})
}

// A server that does not answer is told, with how old the figures are; another kind of server is told what to do.
func TestServerWithoutAnswer(t *testing.T) {
	inBubble(t, sound(strained(1)), 80, 24, Config{}, func(t *testing.T, m *model, b *fake) {
		settle(m, press(m, "alt+7"))
		b.feel(console.Health{}, &console.Error{Exit: console.ExitConnection, Message: "connection lost\x1b[2J"})
		for range 4 {
			aged(m)
		}
		if got := text(m); !strings.Contains(got, "○ no answer for 4 s: connection lost\\x1b[2J") || !strings.Contains(got, "in flight 38 of 1 024") {
			t.Errorf("got\n%s", got)
		}
		b.feel(strained(7), nil)
		aged(m)
		if got := text(m); strings.Contains(got, "no answer") || !strings.Contains(got, "up 7 s") {
			t.Errorf("got\n%s", got)
		}
		b.become(func(st *console.Stats) { st.State = console.Reconnecting })
		for range 4 {
			aged(m)
		}
		if got := text(m); !strings.Contains(got, "○ no answer for 4 s") {
			t.Errorf("got\n%s", got)
		}
	})
	for want, edit := range map[string]func(*fake){
		"only an rpckids server tells how it is": func(b *fake) { b.become(func(st *console.Stats) { st.Ours = false }) },
		"✗ who called":                           func(b *fake) { b.feel(console.Health{}, &console.Error{Message: "who called", Hint: "say it"}) },
	} {
		inBubble(t, func(t *testing.T) (*console.Session, *fake) {
			s, b := ailing(t, console.Health{})
			edit(b)
			return s, b
		}, 80, 24, Config{}, func(t *testing.T, m *model, _ *fake) {
			settle(m, press(m, "alt+7"))
			if got := text(m); !strings.Contains(got, want) {
				t.Errorf("want %q in\n%s", want, got)
			}
		})
	}
}

// Figures of a server that does not answer are marked as old, and nothing of them stands out; why it does not answer goes on in a second line.
func TestServerFadesWhenItIsAway(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {160, 48}} {
		inBubble(t, sound(strained(1)), size[0], size[1], Config{Theme: looks("dark", false)}, func(t *testing.T, m *model, b *fake) {
			strike(m, "alt+7", "esc")
			b.feel(strained(2), nil)
			aged(m)
			pane := func() string {
				in := m.layout.frames[atServer].inside()
				return strings.Join(m.server.View(in.w, in.h), "\n")
			}
			if got := pane(); !strings.Contains(got, "\x1b[1m") || strings.Contains(got, "what it said last") {
				t.Errorf("%v: well:\n%s", size, got)
			}
			b.feel(console.Health{}, &console.Error{Message: strings.Repeat("connection lost, ", 5) + "the server was killed"})
			for range 4 {
				aged(m)
			}
			got := pane()
			for _, loud := range []string{"\x1b[1m", strings.Split(m.theme.Warn.Render("x"), "x")[0], strings.Split(m.theme.Accent.Render("x"), "x")[0], strings.Split(m.theme.Fill.Render("x"), "x")[0]} {
				if strings.Contains(got, loud) {
					t.Errorf("%v: %q stands out of\n%s", size, loud, got)
				}
			}
			if got = text(m); !strings.Contains(got, "what it said last, at ") || !strings.Contains(got, "server was killed") {
				t.Errorf("%v: got\n%s", size, got)
			}
		})
	}
}

// The chart holds the sample that stands beside it, also when there were only small ones before.
func TestServerScaleHoldsTheSample(t *testing.T) {
	inBubble(t, sound(strained(1)), 80, 24, Config{}, func(t *testing.T, m *model, b *fake) {
		strike(m, "alt+7", "esc")
		h := strained(1)
		for _, calls := range []uint64{1, 1, 258_517} {
			h.Calls += calls
			b.feel(h, nil)
			aged(m)
		}
		if got := text(m); !strings.Contains(got, "258 517 calls/s") || !strings.Contains(got, "0 – 500 000/s") {
			t.Errorf("got\n%s", got)
		}
	})
}

// `top` shows the pane, and the prompt keeps the keyboard; text of a command takes its place, and gives it back.
func TestTopShowsServer(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
		inBubble(t, sound(strained(9)), size[0], size[1], Config{}, func(t *testing.T, m *model, _ *fake) {
			shown := func() bool { return strings.Contains(text(m), "● serving  up 9 s") }
			if shown() {
				t.Fatalf("%v: it is there already:\n%s", size, text(m))
			}
			enter(t, m, "top")
			if !shown() || m.focus != atPrompt {
				t.Fatalf("%v: it is not there:\n%s", size, text(m))
			}
			enter(t, m, "help call")
			if shown() {
				t.Errorf("%v: the text is not there:\n%s", size, text(m))
			}
			press(m, "esc")
			if size[0] > 40 && !shown() {
				t.Errorf("%v: it does not come back:\n%s", size, text(m))
			}
		})
	}
}

// Of several servers one is asked, by its number; j and k choose another.
func TestServerOfSeveral(t *testing.T) {
	inBubble(t, func(t *testing.T) (*console.Session, *fake) {
		list := three()
		f := &fake{peers: list, stats: statsOf(list), health: strained(3)}
		f.stats.Ours = true
		s := console.NewSession(console.Config{Dial: dialer(f)})
		t.Cleanup(func() { s.Close() })
		if _, err := s.Exec(t.Context(), "connect "+f.stats.Target); err != nil {
			t.Fatal(err)
		}
		return s, f
	}, 80, 24, Config{}, func(t *testing.T, m *model, _ *fake) {
		want := func(text string, n int) {
			t.Helper()
			if got := m.server.seen; got.Number != n || !strings.Contains(text, fmt.Sprintf("%d of 3", n)) {
				t.Errorf("got server %d, want %d:\n%s", got.Number, n, text)
			}
		}
		settle(m, press(m, "alt+7"))
		want(text(m), 1)
		for _, tc := range []struct {
			key string
			n   int
		}{{"j", 2}, {"j", 3}, {"j", 3}, {"k", 2}, {"up", 1}, {"up", 1}} {
			settle(m, press(m, tc.key))
			aged(m)
			want(text(m), tc.n)
		}
		settle(m, press(m, "esc"))
		enter(t, m, "top 3")
		aged(m)
		want(text(m), 3)
		settle(m, press(m, "ctrl+o", "ctrl+o", "ctrl+o", "ctrl+o", "ctrl+o", "ctrl+o", "ctrl+o"))
		if m.focus != atServer {
			t.Errorf("ctrl+o leads to %d", m.focus)
		}
	})
}

// The program is woken when the server is to be asked, and only then.
func TestFeedOfServer(t *testing.T) {
	for _, looking := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := ailing(t, strained(1))
			ctx, cancel := context.WithCancel(context.Background())
			var due atomic.Int64
			var ticks atomic.Int64
			done := make(chan struct{})
			go func() { // ends with ctx
				defer close(done)
				feed(ctx, s, watching{nil, new(atomic.Int64), new(atomic.Bool), &due}, func(tea.Msg) {
					ticks.Add(1)
					if looking {
						due.Store(time.Now().Add(time.Second).UnixNano())
					}
				})
			}()
			time.Sleep(time.Minute)
			synctest.Wait()
			ticks.Store(0)
			if looking {
				due.Store(time.Now().UnixNano())
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			cancel()
			<-done
			if n := ticks.Load(); looking && (n < 50 || n > 130) || !looking && n > 0 {
				t.Errorf("looking %v: %d messages in a minute", looking, n)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every size is filled, whatever the server says.
func TestServerFits(t *testing.T) {
	h := strained(5)
	for i := range 40 {
		h.Refusals[fmt.Sprintf("二的十六次方 %d\x1b[2J", i)] = 1 << 60
	}
	h.Name, h.Connections, h.Calls = strings.Repeat("x", 300), 1<<62, 1<<63
	inBubble(t, sound(h), 80, 24, Config{Theme: looks("dark", false)}, func(t *testing.T, m *model, _ *fake) {
		for _, keys := range [][]string{{"alt+7", "esc"}, {"alt+7", "f"}} {
			strike(m, keys...)
			aged(m)
			for _, w := range []int{1, 20, 39, 40, 41, 59, 60, 79, 80, 81, 120, 139, 140, 163, 210} {
				for _, hh := range []int{1, 3, 9, 10, 12, 23, 24, 30, 40, 60} {
					_, cmd := m.Update(tea.WindowSizeMsg{Width: w, Height: hh})
					settle(m, cmd)
					if checkScreen(t, m.View(), w, hh); m.err != nil {
						t.Fatalf("%dx%d: %v", w, hh, m.err)
					}
				}
			}
		}
	})
}
