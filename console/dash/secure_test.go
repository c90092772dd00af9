package dash

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// The status line says how the connection is protected; a token that was typed is neither in the history nor above the answer.
func TestStatusOfTLS(t *testing.T) {
	for _, tc := range []struct {
		w    int
		want string
	}{
		{120, "  v2  TLS 1.3, as ann\\x1b, with a token  "},
		{80, "● connected localhost:8888  v2 "}, // no room for it
	} {
		s := scene{theme: mono(), stats: console.Stats{Target: "localhost:8888", State: console.Connected, Protocol: "v2", TLS: "TLS 1.3", As: "ann\x1b", Token: true}}
		if got := ansi.Strip(s.statusLine(tc.w)); !strings.Contains(got, tc.want) || width(got) != tc.w {
			t.Errorf("at %d: got %q, want %q", tc.w, got, tc.want)
		}
	}
	m := filled(t)
	line := "connect a:1 --tls --token s3cret-MTIz"
	enter(t, m, line)
	m.finish(doneMsg{line: line, err: &console.Error{Exit: console.ExitConnect, Message: "refused"}})
	if got := text(m); strings.Contains(got, "s3cret") || !strings.Contains(got, "--token *****") {
		t.Errorf("the screen is\n%s", got)
	}
	if got := strings.Join(m.session.History().Lines(), "\n"); strings.Contains(got, "s3cret") {
		t.Error(got)
	}
}
