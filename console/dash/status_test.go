package dash

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// TestStatusLine says the state of the connection in words, whatever the width, and never runs over it.
func TestStatusLine(t *testing.T) {
	stats := console.Stats{Target: "localhost:8888", Protocol: "v1", Sent: 1234, Received: 1233, Reconnects: 2, Attempt: 3}
	for _, tc := range []struct {
		state console.LinkState
		w     int
		want  string
	}{
		{console.Connected, 80, "● connected localhost:8888  v1"},
		{console.Connected, 160, "● connected localhost:8888  protocol v1  1 234 sent  1 233 received  2 reconnects"},
		{console.Idle, 100, "◐ idle localhost:8888  the next call reconnects"},
		{console.Reconnecting, 80, "◐ reconnecting localhost:8888  attempt 3"},
		{console.Reconnecting, 40, "◐ localhost:8888"},
		{console.Disconnected, 80, "○ not connected"},
	} {
		s := scene{theme: mono(), stats: stats, totals: console.Totals{OK: 127, Failed: 1}}
		s.stats.State = tc.state
		if tc.state == console.Disconnected {
			s.stats = console.Stats{}
		}
		got := ansi.Strip(s.statusLine(tc.w))
		if !strings.HasPrefix(got, " rpckids  "+tc.want) || width(got) != tc.w || !strings.Contains(got, "1 ") {
			t.Errorf("%v at %d: got %q, want %q", tc.state, tc.w, got, tc.want)
		}
	}
}

// TestNotices sees that what was done is told under the prompt and leaves the result where it is.
func TestNotices(t *testing.T) {
	m := filled(t)
	enter(t, m, "set timeout 2s")
	lines := strings.Split(text(m), "\n")
	if hint := lines[m.layout.hint]; !strings.Contains(hint, "timeout") {
		t.Errorf("hint %q", hint)
	}
	if got := text(m); !strings.Contains(got, "#35 exp_res") {
		t.Errorf("the result went away:\n%s", got)
	}
}

// TestKeysText sees every key of the help in the text of `help keys`, and no character that an ASCII terminal lacks.
func TestKeysText(t *testing.T) {
	got := Keys(true)
	for _, k := range append(append([]key{}, promptKeys...), everywhereKeys...) {
		if k.long != "" && !strings.Contains(got, k.long) {
			t.Errorf("%q is missing", k.long)
		}
	}
	if strings.ContainsFunc(got, func(r rune) bool { return r > 0x7e }) {
		t.Errorf("not ASCII:\n%s", got)
	}
	if !strings.Contains(Keys(false), "↑") {
		t.Errorf("no arrows:\n%s", Keys(false))
	}
}
