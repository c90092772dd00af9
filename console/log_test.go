package console

import (
	"strings"
	"testing"
	"time"
)

func TestLogOfCommands(t *testing.T) {
	s := connected(t)
	for _, line := range []string{"set timeout 2s", "nope", "# nothing", "status", "call echo {oops"} {
		_, _ = s.Exec(t.Context(), line) // what failed is in the log
	}
	var got []string
	for _, e := range s.Log().Tail(3, 0) {
		if e.At.IsZero() || !clean(e.Text) {
			t.Errorf("%+v", e)
		}
		got = append(got, e.Text)
	}
	if len(got) != 3 || got[0] != "timeout is 2s" || !strings.HasPrefix(got[1], `nope: no command "nope"`) || !strings.HasPrefix(got[2], "call echo {oops: ") {
		t.Errorf("got %q", got)
	}
	if last := s.Log().Tail(1, 0)[0]; last.Kind != EventFailed || last.Number != s.Log().Last() {
		t.Errorf("got %+v", last)
	}
}

func TestLogOfTheConnection(t *testing.T) {
	when := time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)
	up := Stats{Target: "a", Server: "127.0.0.1:1", State: Connected, Protocol: "v1"}
	with := func(change func(*Stats)) Stats {
		st := up
		st.Since = when
		change(&st)
		return st
	}
	for name, tc := range map[string]struct {
		now  Stats
		kind EventKind
		want string
	}{
		"the same":       {up, 0, ""},
		"more calls":     {with(func(s *Stats) { s.Sent = 9 }), 0, ""},
		"lost":           {with(func(s *Stats) { s.State, s.LastError = Reconnecting, "reset\x1b[31m" }), EventLost, `the connection to 127.0.0.1:1 is lost: reset\x1b[31m`},
		"idle":           {with(func(s *Stats) { s.State = Idle }), EventLost, "the connection was idle and is closed; the next call opens it again"},
		"came back":      {with(func(s *Stats) { s.Reconnects = 1 }), EventUp, "connected again to 127.0.0.1:1"},
		"one of several": {with(func(s *Stats) { s.Servers, s.Reconnects = 3, 1 }), 0, ""}, // which one, its servers tell
		"speaks more":    {with(func(s *Stats) { s.Protocol = "v2" }), EventUp, "speaks protocol v2 now"},
	} {
		t.Run(name, func(t *testing.T) {
			rang := 0
			l, b := &Log{ring: func() { rang++ }}, &fake{}
			l.saw(b, up, nil)
			if l.Last() != 0 {
				t.Errorf("the first look tells %q", l.Tail(1, 0)[0].Text)
			}
			l.saw(b, tc.now, nil)
			l.saw(b, tc.now, nil)
			switch {
			case tc.want == "" && (l.Last() != 0 || rang != 0):
				t.Errorf("got %+v, rang %d times", l.Tail(9, 0), rang)
			case tc.want != "":
				if l.Last() != 1 || rang != 1 {
					t.Fatalf("got %+v, rang %d times", l.Tail(9, 0), rang)
				}
				if e := l.Tail(9, 0)[0]; e.Text != tc.want || e.Kind != tc.kind || name != "speaks more" && !e.At.Equal(when) {
					t.Errorf("got %+v, want %q", e, tc.want)
				}
			}
			l.saw(&fake{}, Stats{}, nil)
			if l.Last() > 1 {
				t.Errorf("another connection tells %q", l.Tail(1, 0)[0].Text)
			}
		})
	}
}

func TestLogKeepsTheNewest(t *testing.T) {
	l := &Log{ring: func() {}}
	for range 3 * logKeep {
		l.add(EventNotice, time.Now(), strings.Repeat("x", 2*logText))
	}
	tail := l.Tail(2*logKeep, 0)
	if len(tail) != logKeep || tail[0].Number != 2*logKeep+1 || tail[logKeep-1].Number != 3*logKeep || len(tail[0].Text) > logText {
		t.Errorf("%d events from %d of %d cells", len(tail), tail[0].Number, len(tail[0].Text))
	}
	if older := l.Tail(5, 3*logKeep-10); len(older) != 5 || older[4].Number != 3*logKeep-10 {
		t.Errorf("got %+v", older)
	}
}

func TestCommandsTellEnough(t *testing.T) {
	s := connected(t)
	list := s.Commands()
	if len(list) < 20 {
		t.Fatalf("%d commands", len(list))
	}
	for _, c := range list {
		if c.Name == "" || c.Help == "" || c.Group == "" || c.Args != "" && c.Example == "" || c.Args == "" && !c.Alone || c.Alone && c.Args != "" && c.Args[0] != '[' {
			t.Errorf("%+v", c)
		}
	}
}
