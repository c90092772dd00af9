//go:build unix

package repl_test

import (
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// The table of `top` is written over itself; ctrl+c leaves the last one, once, and the prompt. A terminal that is too low for all of it is not scrolled.
func TestTop(t *testing.T) {
	for _, size := range []screen.Size{{}, {Cols: 60, Rows: 10}} {
		s := start(t, size)
		s.Type("top --every 100ms<enter>")
		s.Wait("answer 3")
		s.Wait("asked every 100ms, ctrl+c ends")
		if got := s.Text(); strings.Count(got, "● serving") != 1 {
			t.Errorf("want one table on the screen:\n%s", s.Picture())
		}
		s.Type("<ctrl+c>")
		s.Gone("ctrl+c ends")
		ready(s, "")
		if got := s.Text(); strings.Count(got, "panics") != 1 || strings.Contains(got, "error:") {
			t.Errorf("want the last table, once:\n%s", s.Picture())
		}
		quit(t, s)
	}
}
