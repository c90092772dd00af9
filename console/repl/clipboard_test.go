//go:build unix

package repl_test

import (
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// A copy goes to the terminal as one sequence; where the terminal takes none, the text is printed.
func TestClipboard(t *testing.T) {
	const sequence = "\x1b]52;c;ODk=\x07" // 89
	s := start(t, screen.Size{}, "TMUX=")
	s.Type("call fib 10<enter>")
	s.Wait("#1 fib_res ok")
	ready(s, "")
	s.Type("copy<enter>")
	s.Wait("copied the reply of #1, 2 B")
	if n := strings.Count(string(s.Raw()), sequence); n != 1 {
		t.Errorf("%d sequences in %q", n, s.Raw())
	}
	ready(s, "")
	s.Type("call fib 10 | . * 2<enter>")
	s.Wait("178\n#2 fib_res ok")
	ready(s, "")
	quit(t, s)

	plain := start(t, screen.Size{}, "TERM=dumb")
	plain.Type("call fib 10<enter>")
	plain.Wait("#1 fib_res ok")
	ready(plain, "")
	plain.Type("copy --as shell<enter>")
	plain.Wait("call fib 10\n")
	if strings.Contains(string(plain.Raw()), "\x1b") {
		t.Errorf("an escape went to a plain terminal: %q", plain.Raw())
	}
	ready(plain, "")
	quit(t, plain)
}
