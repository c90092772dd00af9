package console

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// said is what a log has, a line each: its kind, when that was after start, and the text.
func said(l *Log, start time.Time) string {
	var b strings.Builder
	for _, e := range l.Tail(logKeep, 0) {
		fmt.Fprintf(&b, "%s %d %s\n", e.At.Sub(start).Round(time.Millisecond), e.Kind, e.Text)
	}
	return b.String()
}

// Of several servers the log tells which one is lost, why and when, and when it is back, each once.
func TestLogOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, b := &Log{ring: func() {}}, &fake{}
		list := []Peer{{Number: 1, Address: "a:1", State: PeerUp}, {Number: 2, Address: "b:2", State: PeerUp}, {Number: 3, Address: "c:3", State: PeerDown, LastError: "refused"}}
		st := Stats{Target: "a:1,b:2,c:3", Server: "a:1", State: Connected, Protocol: "v2", Servers: 3}
		look := func(change func()) {
			t.Helper()
			change()
			for range 3 { // more looks tell nothing more
				l.saw(b, st, append([]Peer(nil), list...))
			}
			time.Sleep(2 * time.Second)
		}
		down := func(n int, why string) {
			list[n].State, list[n].LastError, list[n].LostAt = PeerDown, why, time.Now().Add(-300*time.Millisecond)
		}
		look(func() {})
		look(func() { down(1, "reset\x1b[31m") })
		look(func() { list[1].State = PeerConnecting }) // it is not back yet
		look(func() { list[1].State, st.Reconnects = PeerUp, 1 })
		look(func() { list[2].State = PeerUp })
		look(func() { list[0].State = PeerEjected })
		look(func() { list[0].State = PeerProbing })
		look(func() { list[0].State, list[2].State = PeerUp, PeerDraining })
		look(func() { list = list[:2]; st.Servers = 2 })
		look(func() { list[1].State = PeerIdle })
		look(func() { down(0, "EOF"); down(1, "EOF"); st.State, st.LastError = Reconnecting, "all away" })
		look(func() { list[0].State, st.State, st.Reconnects = PeerUp, Connected, 2 })
		look(func() { list[1].State = PeerUp })
		const want = `0s 2 server 3 (c:3) cannot be reached: refused
1.7s 2 server 2 (b:2) is lost: reset\x1b[31m
6s 1 server 2 (b:2) is connected again
8s 1 server 3 (c:3) is connected
10s 2 server 1 (a:1) is left alone for a while, because calls failed
14s 1 server 1 (a:1) gets calls again
14s 2 server 3 (c:3) takes no new calls and finishes those that it has
16s 0 server 3 (c:3) is in the list no more
19.7s 2 server 1 (a:1) is lost: EOF
19.7s 2 server 2 (b:2) is lost: EOF
20s 2 no connection to any of 2 servers: all away
22s 1 server 1 (a:1) is connected again
24s 1 server 2 (b:2) is connected again
`
		if got := said(l, start); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// A server that comes and goes fills no log: a line a second at most, and none of the last state is missing. Each loss is told, also of a server that is
// back before anybody looked.
func TestLogOfServerThatFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b := &Log{ring: func() {}}, &fake{}
		st := Stats{Target: "a:1,b:2", State: Connected, Servers: 2}
		look := func(p Peer) {
			p.Number, p.Address = 2, "b:2"
			l.saw(b, st, []Peer{{Number: 1, Address: "a:1", State: PeerUp}, p})
		}
		look(Peer{State: PeerUp})
		for i := range 1000 { // 15 looks a second, as the dashboard takes them
			look(Peer{State: []string{PeerDown, PeerUp}[i%2], LastError: "EOF"})
			time.Sleep(time.Second / 15)
		}
		time.Sleep(time.Second)
		look(Peer{State: PeerUp})
		n := l.Last()
		if last := l.Tail(1, 0)[0]; n < 10 || n > 68 || last.Kind != EventUp || last.Text != "server 2 (b:2) is connected again" {
			t.Errorf("%d lines of 67 seconds, the last is %q", n, last.Text)
		}
		before := time.Time{}
		for _, e := range l.Tail(logKeep, 0) {
			if e.At.Sub(before) < time.Second {
				t.Fatalf("%v after the line before it: %q", e.At.Sub(before), e.Text)
			}
			before = e.At
		}
		time.Sleep(time.Minute)
		lost := time.Now().Add(-500 * time.Millisecond)
		for range 3 {
			look(Peer{State: PeerUp, LostAt: lost, LastError: "EOF"})
			time.Sleep(time.Second)
		}
		tail := l.Tail(2, 0)
		if l.Last() != n+2 || tail[0].Text != "server 2 (b:2) is lost: EOF" || !tail[0].At.Equal(lost) || tail[1].Text != "server 2 (b:2) is connected again" {
			t.Errorf("a loss that nobody saw is told as %+v", tail)
		}
		look(Peer{State: PeerUp, LostAt: lost, LastError: "EOF"})
		l.saw(&fake{}, st, []Peer{{Number: 1, Address: "a:1", State: PeerUp}, {Number: 2, Address: "b:2", State: PeerUp, LostAt: lost}})
		if l.Last() != n+2 {
			t.Errorf("another connection tells %q", l.Tail(1, 0)[0].Text)
		}
	})
}

// The session looks at the servers itself; status names those that are not up, and since when.
func TestStatusNamesLostServers(t *testing.T) {
	s, f := crowded(t, nil)
	f.peers[1].LostAt = time.Date(2026, 3, 1, 14, 2, 44, 0, time.Local)
	r, err := s.Exec(t.Context(), "status")
	const want = `servers     1 of 3 up, peers tells more
not up      server 1 (10.0.0.9:8888) is left alone for a while, because calls failed
not up      14:02:44 server 2 (127.0.0.1:24002) is lost: connection refused
messages`
	if err != nil || !strings.Contains(r.Text, want) {
		t.Errorf("error %v, got\n%s", err, r.Text)
	}
	if got := s.Log().Tail(1, 0)[0].Text; got != "server 2 (127.0.0.1:24002) is lost: connection refused" {
		t.Errorf("the log ends with %q", got)
	}
	for i := range 9 {
		f.peers = append(f.peers, Peer{Address: fmt.Sprintf("x:%d", i+1), State: PeerDown, LastError: "evil\x1b[2J"})
	}
	r, _ = s.Exec(t.Context(), "status")
	if n := strings.Count(r.Text, "not up  "); n != mostAbsent+1 || !strings.Contains(r.Text, "not up      and 6 more\n") || strings.Contains(r.Text, "\x1b") {
		t.Errorf("got\n%s", r.Text)
	}
	one := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) {
		return &fake{target: "a:1", state: Connected, peers: []Peer{{Address: "a:1", State: PeerDown}}}, nil
	}})
	defer one.Close()
	mustExec(t, one, "connect a:1")
	if r, _ := one.Exec(t.Context(), "status"); strings.Contains(r.Text, "not up") || strings.Contains(one.Log().Tail(1, 0)[0].Text, "server 1") {
		t.Errorf("of one server:\n%s", r.Text)
	}
}
