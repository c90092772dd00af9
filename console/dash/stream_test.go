package dash

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// talking returns a session with a server of version 2 whose catalogue is there.
func talking(t testing.TB) *console.Session {
	t.Helper()
	f := &fake{stats: console.Stats{Target: "localhost:8888", Server: "127.0.0.1:8888", State: console.Connected, Protocol: "v2", Sent: 128, Received: 127}}
	s := console.NewSession(console.Config{Dial: func(_ context.Context, _ string, _ console.DialOptions) (console.Backend, error) { return f, nil }})
	t.Cleanup(func() { s.Close() })
	for _, line := range []string{"connect localhost:8888", "services"} {
		if _, err := s.Exec(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// sample is a trace with what a server of version 2 tells.
func sample(e console.Entry, rtt time.Duration) console.Entry {
	e.State, e.ReplyType = console.OK, e.Type+"_res"
	e.Trace = console.Trace{RequestID: "7", Server: "127.0.0.1:8888", Attempts: 1, RTT: rtt, Client: 21 * micro, Wait: rtt - 21*micro, Protocol: "v2",
		Timed: true, Queue: 3 * micro, Handler: 25 * micro, Out: make([]byte, 14), In: make([]byte, 49)}
	return e
}

func timed(j *console.Journal) {
	e := j.Start(console.Entry{Kind: console.KindCall, Type: "exp", Payload: json.RawMessage(`{"base":2,"exp":10}`), Timeout: 5 * time.Second, Started: started(34)})
	e = sample(e, 398*micro)
	e.Result = json.RawMessage(`{"value":1024,"costInNanos":28113}`)
	j.Finish(e)
}

// The screens of a call of a server that tells its times, of a stream that runs, one that has ended, one that failed, and of an upload's prompt.
func TestGoldenStreams(t *testing.T) {
	sizes := [][2]int{{40, 10}, {80, 24}, {160, 48}}
	each := func(name string, prepare func(t *testing.T, s *console.Session, m *model)) {
		for _, size := range sizes {
			full := fmt.Sprintf("%s-%dx%d", name, size[0], size[1])
			t.Run(full, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // time stands still: what a stream took is told by the clock
					time.Sleep(time.Until(noon))
					s := talking(t)
					m := open(t, s, size[0], size[1], Config{})
					m.clock = time.Now
					prepare(t, s, m)
					m.refresh()
					m.dirty = true
					golden(t, full, text(m))
					m.end()
				})
			})
		}
	}
	each("timed", func(t *testing.T, s *console.Session, _ *model) {
		fill(s.Journal(), false)
		timed(s.Journal())
	})
	each("stream", func(t *testing.T, _ *console.Session, m *model) { enter(t, m, "stream fibs 10") })
	each("streaming", func(t *testing.T, _ *console.Session, m *model) {
		m.start(press(m, "stream ticks 100", "enter"))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
	})
	each("stopped", func(t *testing.T, _ *console.Session, m *model) {
		done := m.start(press(m, "stream ticks 100", "enter"))
		synctest.Wait()
		time.Sleep(1500 * time.Millisecond)
		press(m, "ctrl+c")
		m.Update(<-done)
	})
	each("asked", func(t *testing.T, _ *console.Session, m *model) {
		m.start(press(m, "upload sum", "enter"))
		synctest.Wait()
		m.refresh()
		press(m, "1", "enter")
		synctest.Wait()
		m.refresh()
		press(m, `"x"`, "enter")
		synctest.Wait()
	})
	each("chat", func(t *testing.T, _ *console.Session, m *model) {
		m.start(press(m, "chat chat", "enter"))
		for _, line := range []string{`"hello"`, `"how are you?"`} {
			synctest.Wait()
			m.refresh()
			press(m, line, "enter")
		}
		synctest.Wait()
		m.refresh()
		press(m, `"and`)
	})
}

// start runs a command beside the model, as the program does; what comes of it comes through the channel.
func (m *model) start(cmd tea.Cmd) <-chan tea.Msg {
	done := make(chan tea.Msg, 1)
	go func() { done <- cmd() }()
	return done
}

// end cancels what still runs.
func (m *model) end() {
	for _, r := range m.runs {
		r.cancel()
	}
}

// While a command asks, the prompt is its own: lines go to it, the command line that was being typed comes back afterwards.
func TestPromptOfAnUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := talking(t)
		m := open(t, s, 80, 24, Config{})
		m.clock = time.Now
		done := m.start(press(m, "upload sum", "enter"))
		press(m, "call fi") // typed before the question came
		synctest.Wait()
		m.refresh()
		see(t, m, "sum 1>", "one item a line", "ctrl+d end")
		press(m, "4", "enter", "5", "enter") // ahead of the next question
		synctest.Wait()
		m.refresh()
		see(t, m, "sum 3>", "2 sent")
		press(m, "up")
		see(t, m, "sum 3> 5")
		press(m, "ctrl+u", "tru")
		see(t, m, "sum takes int64")
		press(m, "e")
		see(t, m, "sum wants int64, got true")
		press(m, "enter")
		synctest.Wait()
		m.refresh()
		see(t, m, "sum 3> true", "sum wants int64, got true")
		press(m, "ctrl+u", "tab")
		see(t, m, "sum 3> 0")
		press(m, "enter", "ctrl+d")
		m.Update(<-done)
		see(t, m, "localhost:8888> call fi", "[4 5 0 ]")
		if got := s.History().Lines(); len(got) != 1 {
			t.Errorf("items are no commands: %q", got)
		}
		press(m, "ctrl+u")
		done = m.start(press(m, "sum", "enter"))
		synctest.Wait()
		m.refresh()
		press(m, "7", "enter", ".", "enter")
		m.Update(<-done)
		see(t, m, "[7 ]")
		done = m.start(press(m, "sum", "enter"))
		synctest.Wait()
		m.refresh()
		press(m, "ctrl+c")
		see(t, m, "localhost:8888>")
		m.Update(<-done)
		see(t, m, "stopped after 0 items")
	})
}

func see(t *testing.T, m *model, texts ...string) {
	t.Helper()
	m.dirty = true
	screen := text(m)
	for _, want := range texts {
		if !strings.Contains(screen, want) {
			t.Errorf("want %q on\n%s", want, screen)
		}
	}
}

// The newest items are followed until somebody scrolls up, and followed again from the end on.
func TestItemsAreFollowed(t *testing.T) {
	s := talking(t)
	m := open(t, s, 80, 24, Config{})
	enter(t, m, "stream flood")
	see(t, m, `{"n":49999}`, "50 000 items", "newest 1 000 kept")
	press(m, "alt+3", "k")
	see(t, m, "49 999 of 50 000 items")
	if m.result.items.chosen == 0 {
		t.Error("it follows although somebody went up")
	}
	press(m, "g")
	see(t, m, `{"n":49000}`, "49 001 of 50 000 items")
	press(m, "G")
	see(t, m, `{"n":49999}`)
	if m.result.items.chosen != 0 {
		t.Error("at the end it does not follow")
	}
	press(m, "k", "enter")
	see(t, m, `"n": 49998`)
	press(m, "esc")
	see(t, m, "49 999 of 50 000 items")
}

// Items that come between two looks are all there, however many looks there are; a stream takes the place of a command's text.
func TestItemsAreComplete(t *testing.T) {
	j := console.NewJournal()
	var all items
	s := talking(t)
	m := open(t, s, 80, 24, Config{})
	enter(t, m, "services")
	see(t, m, "tells all of one")
	done := m.start(press(m, "chat chat", "enter"))
	for n := 1; n <= 40; n++ {
		for {
			if d := m.asking(); d != nil {
				if _, asked, _ := d.now(); asked >= n {
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
		stale, _ := s.Journal().Entry(1) // what a frame holds may be older than what it reads
		m.refresh()
		press(m, fmt.Sprint(n), "enter")
		all.load(s.Journal(), stale)
	}
	see(t, m, "lines")
	press(m, "ctrl+d")
	m.Update(<-done)
	m.refresh()
	e, _ := s.Journal().Entry(1)
	all.load(s.Journal(), e)
	for _, got := range []*items{&all, &m.result.items} {
		if len(got.lines) != 80 || got.lines[0].text != "1" || got.end != 80 {
			t.Errorf("%d lines of %d", len(got.lines), got.end)
		}
	}
	all.load(j, console.Entry{Number: 7})
	if len(all.lines) != 0 {
		t.Error("another entry has other items")
	}
}

// A frame of a stream costs what it shows, at any rate.
func BenchmarkStreamFrame(b *testing.B) {
	s := talking(b)
	m := open(b, s, 160, 48, Config{})
	m.start(m.exec("stream ticks"))
	for s.Journal().Last() == 0 || func() int { e, _ := s.Journal().Entry(1); return e.Items }() < 10 {
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.refresh()
		m.dirty = true
		_ = m.View()
	}
	m.end()
}

// At any size a stream fills the screen exactly.
func TestStreamScreensFit(t *testing.T) {
	s := talking(t)
	for name, prepare := range map[string]func(*model){
		"streaming": func(m *model) { m.start(press(m, "stream ticks 1", "enter")) },
		"asked":     func(m *model) { m.start(press(m, "chat chat", "enter")) },
		"flood":     func(m *model) { enter(t, m, "stream flood"); press(m, "alt+3", "k") },
	} {
		m := open(t, s, 80, 24, Config{Theme: looks("dark", false)})
		prepare(m)
		for w := 1; w < 170; w += 13 {
			for h := 1; h < 50; h += 7 {
				m.Update(tea.WindowSizeMsg{Width: w, Height: h})
				m.refresh()
				m.dirty = true
				lines := strings.Split(text(m), "\n")
				if len(lines) != h {
					t.Fatalf("%s in %dx%d has %d lines", name, w, h, len(lines))
				}
				for _, l := range lines {
					if width(l) != w {
						t.Fatalf("%s in %dx%d: a line of %d cells: %q", name, w, h, width(l), l)
					}
				}
			}
		}
		m.end()
	}
}
