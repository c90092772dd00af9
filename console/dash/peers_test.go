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

// three are servers in good order.
func three() []console.Peer {
	return []console.Peer{
		{Address: "127.0.0.1:24001", State: console.PeerUp, Protocol: "v2", Conns: 1, Pending: 2, Calls: 1204, Latency: 212 * micro, Share: 0.34},
		{Address: "127.0.0.1:24002", State: console.PeerUp, Protocol: "v2", Conns: 1, Calls: 1187, Latency: 198 * micro, Share: 0.33},
		{Address: "127.0.0.1:24003", State: console.PeerUp, Protocol: "v2", Conns: 2, Pending: 1, Calls: 1190, Latency: 1020 * micro, Share: 0.33},
	}
}

// secondDown are they when the second was killed.
func secondDown() []console.Peer {
	list := three()
	list[0].Share, list[2].Share = 0.52, 0.48
	list[1] = console.Peer{Address: "127.0.0.1:24002", State: console.PeerDown, Calls: 1187, Failures: 4, Back: 1230 * time.Millisecond,
		LastError: "dial tcp 127.0.0.1:24002: connect: connection refused"}
	return list
}

// thirdOut are they when the third fails its calls and the first drains.
func thirdOut() []console.Peer {
	list := three()
	list[0].State, list[0].Share, list[1].Share = console.PeerDraining, 0.02, 0.98
	list[2].State, list[2].Ejections, list[2].Failures, list[2].Back, list[2].Share = console.PeerEjected, 3, 217, 3900*time.Millisecond, 0
	list[2].LastError = "unavailable: this server was told to fail"
	return list
}

// statsOf are the figures of a connection to such servers.
func statsOf(list []console.Peer) console.Stats {
	st := console.Stats{Server: list[0].Address, State: console.Connected, Protocol: "v2", Sent: 128, Received: 127, Servers: len(list), Up: console.CountUp(list)}
	for _, p := range list {
		st.Target += "," + p.Address
	}
	st.Target = st.Target[1:]
	return st
}

// crowd returns a session that is connected to several servers, and a way to change how they are.
func crowd(t testing.TB, lab console.Lab, list []console.Peer) (*console.Session, func([]console.Peer)) {
	t.Helper()
	f := &fake{peers: list, stats: statsOf(list)}
	s := console.NewSession(console.Config{Dial: dialer(f), Lab: lab})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := s.Exec(t.Context(), "connect "+f.stats.Target); err != nil {
		t.Fatal(err)
	}
	return s, func(list []console.Peer) { f.set(list) }
}

func TestGoldenPeers(t *testing.T) {
	states := map[string][]console.Peer{"up": three(), "down": secondDown(), "out": thirdOut()}
	for name, list := range states {
		for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
			for _, look := range []string{"mono", "ascii", "dark"} {
				if look == "dark" && name != "down" {
					continue
				}
				file := fmt.Sprintf("peers-%s-%dx%d-%s", name, size[0], size[1], look)
				t.Run(file, func(t *testing.T) {
					s, _ := crowd(t, nil, list)
					fill(s.Journal(), true)
					cfg := Config{Theme: looks("mono", look == "ascii")}
					if look == "dark" {
						cfg.Theme = looks("dark", false)
					}
					m := open(t, s, size[0], size[1], cfg)
					press(m, "alt+6", "esc")
					m.Update(tickMsg{})
					if look == "dark" {
						golden(t, file, strings.ReplaceAll(m.View(), "\x1b", "␛"))
						return
					}
					golden(t, file, text(m))
				})
			}
		}
	}
}

// With the keyboard in the pane one server is chosen and told in full; with a tour the table stands beside it.
func TestGoldenPeersChosen(t *testing.T) {
	s, _ := crowd(t, nil, secondDown())
	m := open(t, s, 80, 24, Config{})
	press(m, "alt+6", "j")
	golden(t, "peers-chosen-80x24", text(m))
	s, _ = crowd(t, nil, secondDown())
	tour := demoTour()
	tour.Beside = console.BesidePeers
	m = open(t, s, 80, 24, Config{Tour: tour})
	golden(t, "peers-tour-80x24", text(m))
	m = open(t, s, 160, 48, Config{Tour: tour})
	golden(t, "peers-tour-160x48", text(m))
}

// The row turns and the shares move as soon as a tick comes; figures alone rest so that they can be read.
func TestPeersMove(t *testing.T) {
	s, set := crowd(t, nil, three())
	now := noon
	m := open(t, s, 80, 24, Config{})
	m.clock = func() time.Time { return now }
	press(m, "alt+6")
	row := func() string {
		m.Update(tickMsg{})
		for line := range strings.Lines(text(m)) {
			if strings.Contains(line, ":24002") {
				return line
			}
		}
		return ""
	}
	if got := row(); !strings.Contains(got, "● up") || !strings.Contains(got, "33 %") || !strings.Contains(got, "198 µs") {
		t.Fatalf("got %q", got)
	}
	set(secondDown())
	if got := row(); !strings.Contains(got, "○ down") || !strings.Contains(got, " 0 %") || strings.Contains(got, "▆") {
		t.Errorf("killed: got %q", got)
	}
	if got := text(m); !strings.Contains(got, "◐ connected 2 of 3 up") || !strings.Contains(got, "52 %") || !strings.Contains(got, "2 of 3 up> ") {
		t.Errorf("killed: got\n%s", got)
	}
	set(three())
	if got := row(); !strings.Contains(got, "● up") {
		t.Errorf("started: got %q", got)
	}
	list := three()
	list[1].Share = 0.5
	set(list)
	if got := row(); !strings.Contains(got, "33 %") {
		t.Errorf("a figure did not rest: %q", got)
	}
	now = now.Add(peersRest)
	if got := row(); !strings.Contains(got, "50 %") {
		t.Errorf("a figure rests for ever: %q", got)
	}
}

func TestPeersKeys(t *testing.T) {
	l := &lab{states: []string{console.LabRunning, console.LabKilled, console.LabPaused}}
	s, _ := crowd(t, l, secondDown())
	m := open(t, s, 80, 24, Config{})
	press(m, "alt+6")
	chosen := func() int { return m.peers.at() + 1 }
	for _, tc := range []struct {
		key  string
		want int
	}{{"j", 2}, {"j", 3}, {"j", 3}, {"k", 2}, {"home", 1}, {"end", 3}, {"g", 1}, {"G", 3}, {"pgup", 1}, {"pgdown", 3}} {
		if press(m, tc.key); chosen() != tc.want {
			t.Errorf("after %s: server %d is chosen, want %d", tc.key, chosen(), tc.want)
		}
	}
	for _, k := range []string{"g", "x", "p", "j", "x", "p", "j", "p", "x"} {
		settle(m, press(m, k))
		m.Update(tickMsg{})
	}
	if got, want := strings.Join(l.orders, ", "), "kill 1, start 1, start 2, pause 2, resume 3, kill 3"; got != want {
		t.Errorf("got orders %s, want %s", got, want)
	}
	if got := text(m); !strings.Contains(got, "x kill, start") || !strings.Contains(got, "server 3") {
		t.Errorf("got\n%s", got)
	}
	settle(m, press(m, "enter"))
	if m.focus != atServer || m.server.seen.Number != 3 {
		t.Errorf("enter shows server %d in pane %d:\n%s", m.server.seen.Number, m.focus, text(m))
	}
	m.server.close()
	s, _ = crowd(t, nil, three())
	m = open(t, s, 80, 24, Config{})
	settle(m, press(m, "alt+6", "x"))
	if got := text(m); !strings.Contains(got, "demo --servers 3") {
		t.Errorf("without a lab:\n%s", got)
	}
	m.Update(tea.MouseMsg{})
}

// Text of a command takes the place of Peers, and gives it back.
func TestPeersComeBack(t *testing.T) {
	s, _ := crowd(t, nil, three())
	m := open(t, s, 80, 24, Config{})
	press(m, "alt+6", "esc")
	shown := func() bool { return strings.Contains(text(m), ":24003  ● up") }
	if !shown() {
		t.Fatalf("it is not there:\n%s", text(m))
	}
	enter(t, m, "rpc fib int")
	enter(t, m, "rpc")
	if shown() {
		t.Errorf("the text is not there:\n%s", text(m))
	}
	press(m, "esc")
	if !shown() {
		t.Errorf("it does not come back:\n%s", text(m))
	}
	enter(t, m, "help")
	enter(t, m, "call fib 10")
	if !shown() {
		t.Errorf("it does not come back after a call:\n%s", text(m))
	}
	enter(t, m, "help")
	press(m, "alt+5", "esc")
	enter(t, m, "call fib 10")
	if shown() {
		t.Errorf("another pane was asked for:\n%s", text(m))
	}
}

// A tour can wait for what becomes of servers: in order, and only while it is its turn.
func TestTourOfPeers(t *testing.T) {
	s, set := crowd(t, nil, three())
	down := func(p []console.Peer) bool { return console.CountUp(p) < len(p) }
	up := func(p []console.Peer) bool { return console.CountUp(p) == len(p) }
	m := open(t, s, 80, 24, Config{Tour: &console.Tour{Title: "Servers", Beside: console.BesidePeers, Steps: []console.Step{
		{Title: "kill", Do: "peer kill 2", Before: "Kill it.", After: "Gone.", Peers: down}, {Title: "start", Do: "peer start 2", Before: "Start it.", After: "Back.", Peers: up}}}})
	now := func(want string) {
		t.Helper()
		m.Update(tickMsg{})
		if got := text(m); !strings.Contains(got, want) || !strings.Contains(got, ":24001") {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
	now("step 1 of 2")
	now("step 1 of 2")
	set(secondDown())
	now("step 2 of 2")
	now("step 2 of 2")
	set(three())
	now("That was the tour")
}

// Whoever looks at servers sees them change though no call is made; nobody is woken while nothing changes.
func TestFeedOfPeers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		looking bool
		change  bool
		want    bool
	}{{"looking", true, true, true}, {"not looking", false, true, false}, {"nothing changes", true, false, false}} {
		t.Run(tc.name, func(t *testing.T) { feedOfPeers(t, tc.looking, tc.change, tc.want) })
	}
}

// Hostile texts of peers reach no terminal, and every size is filled.
func TestPeersFit(t *testing.T) {
	evil := "10.0.0.1:1\x1b[2J\u202e二的十六次方"
	list := []console.Peer{{Address: evil, State: "odd\x1b]0;x\x07", LastError: evil, Protocol: evil, Share: 2, Pending: -1, Calls: 1 << 62, Latency: time.Hour, Back: -time.Second},
		{Address: "[::1]:1", State: console.PeerProbing, Share: -1}, {Address: "unix:///a/very/long/path/that/goes/on/and/on/and/never/ends", State: console.PeerConnecting}}
	for i := range 30 {
		list = append(list, console.Peer{Address: fmt.Sprintf("host-%d.example:8888", i), State: console.PeerUp, Share: 1.0 / 30})
	}
	s, set := crowd(t, nil, three())
	set(list)
	for _, keys := range [][]string{{"alt+6", "esc"}, {"alt+6", "end"}, {"alt+6", "f", "j"}} {
		m := open(t, s, 80, 24, Config{Theme: looks("dark", false)})
		press(m, keys...)
		for _, w := range []int{1, 20, 39, 40, 41, 59, 60, 79, 80, 81, 120, 139, 140, 163, 210} {
			for _, h := range []int{1, 3, 9, 10, 12, 23, 24, 30, 40, 60} {
				m.Update(tea.WindowSizeMsg{Width: w, Height: h})
				v := m.View()
				if m.err != nil {
					t.Fatalf("%dx%d: %v", w, h, m.err)
				}
				checkScreen(t, v, w, h)
				if strings.ContainsAny(v, "\x07\u202e") || strings.Contains(v, "\x1b[2J") {
					t.Fatalf("%dx%d: a text of a peer reached the screen", w, h)
				}
			}
		}
	}
}

// lab is a console.Lab that only notes what it is told.
type lab struct {
	console.Lab
	states []string
	orders []string
}

func (l *lab) Peers() []console.LabPeer {
	list := make([]console.LabPeer, len(l.states))
	for i, s := range l.states {
		list[i] = console.LabPeer{Address: three()[i].Address, State: s}
	}
	return list
}

func (l *lab) do(what string, n int, state string) error {
	l.orders = append(l.orders, fmt.Sprintf("%s %d", what, n))
	l.states[n-1] = state
	return nil
}

func (l *lab) Kill(_ context.Context, n int) error   { return l.do("kill", n, console.LabKilled) }
func (l *lab) Start(_ context.Context, n int) error  { return l.do("start", n, console.LabRunning) }
func (l *lab) Pause(_ context.Context, n int) error  { return l.do("pause", n, console.LabPaused) }
func (l *lab) Resume(_ context.Context, n int) error { return l.do("resume", n, console.LabRunning) }

func feedOfPeers(t *testing.T, looking, change, want bool) {
	synctest.Test(t, func(t *testing.T) {
		s, set := crowd(t, nil, three())
		ctx, cancel := context.WithCancel(context.Background())
		var looked atomic.Bool
		looked.Store(looking)
		ticks, done := 0, make(chan struct{})
		var last time.Time
		go func() { // ends with ctx
			defer close(done)
			feed(ctx, s, watching{nil, new(atomic.Int64), &looked, new(atomic.Int64)}, func(tea.Msg) { ticks, last = ticks+1, time.Now() })
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		ticks = 0
		began := time.Now()
		if change {
			list := three()
			list[0].Share = 0.5 // so that the state of the connection is the same
			set(list)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := ticks > 0; got != want {
			t.Errorf("got %d messages", ticks)
		}
		if want && (last.Sub(began) > time.Second || ticks > 2) {
			t.Errorf("the last of %d messages came after %v", ticks, last.Sub(began))
		}
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Calls come into the second in which they were made, at whatever pace one looks.
func TestTrail(t *testing.T) {
	var r trail
	list := three()[:2]
	look := func(after time.Duration, a, b uint64) {
		list[0].Calls, list[1].Calls = a, b
		r.add(list, noon.Truncate(time.Second).Add(after))
	}
	want := func(a, b string) {
		t.Helper()
		if ga, gb := fmt.Sprint(r.of[list[0].Address].past), fmt.Sprint(r.of[list[1].Address].past); ga != a || gb != b {
			t.Errorf("got %s and %s, want %s and %s", ga, gb, a, b)
		}
	}
	look(0, 1000, 5) // what was before is not known
	look(300*time.Millisecond, 1010, 5)
	look(900*time.Millisecond, 1030, 6)
	want("[]", "[]")
	look(1100*time.Millisecond, 1040, 6)
	want("[30]", "[1]")
	look(4*time.Second, 1041, 6) // nobody looked: nothing happened
	want("[30 10 0 0]", "[1 0 0 0]")
	look(5*time.Second, 0, 9) // another client, which counts anew
	want("[0]", "[1 0 0 0 0]")
	look(time.Hour, 0, 9)
	if n := len(r.of[list[1].Address].past); n != trailKeep {
		t.Errorf("%d seconds are kept", n)
	}
	look(0, 7, 9) // the clock was set back
	want("[]", "[]")
}

func TestGoldenPeersTrail(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {160, 48}} {
		synctest.Test(t, func(t *testing.T) { // the log goes by the real clock
			list := three()
			s, set := crowd(t, nil, list)
			now := noon
			m := open(t, s, size[0], size[1], Config{})
			m.clock = func() time.Time { return now }
			press(m, "alt+6", "f")
			if size[0] == 160 {
				press(m, "f", "esc")
			}
			for i := range 60 {
				time.Sleep(time.Second)
				now = now.Add(time.Second)
				next := three()
				if i >= 25 && i < 45 {
					next = secondDown()
				}
				for n := range next {
					next[n].Calls = list[n].Calls + uint64(next[n].Share*100) + uint64((i*7+n*3)%5)
					if !next[n].Usable() {
						next[n].Calls = list[n].Calls
					}
				}
				list = next
				set(list)
				m.Update(tickMsg{})
			}
			golden(t, fmt.Sprintf("peers-trail-%dx%d", size[0], size[1]), text(m))
		})
	}
}

// `peers` shows the pane, which lives, and the prompt keeps the keyboard; with a filter it is text.
func TestPeersShowsThePane(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
		s, set := crowd(t, nil, three())
		m := open(t, s, size[0], size[1], Config{})
		enter(t, m, "call fib 10")
		press(m, "alt+7", "esc")
		enter(t, m, "help")
		enter(t, m, "peers")
		if m.result.output != nil || m.focus != atPrompt || m.layout.frames[atPeers].empty() {
			t.Fatalf("%v: it is not shown:\n%s", size, text(m))
		}
		set(secondDown())
		m.Update(tickMsg{})
		if got := text(m); !strings.Contains(got, "○ down") {
			t.Errorf("%v: it stands still:\n%s", size, got)
		}
		enter(t, m, "peers | length")
		if got := text(m); m.result.output == nil || m.result.output.text != "3" {
			t.Errorf("%v: with a filter:\n%s", size, got)
		}
	}
}
