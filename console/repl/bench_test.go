//go:build unix

package repl_test

import (
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// While a bench runs one line tells how far it is; ctrl+c takes it away and gives the report.
func TestBench(t *testing.T) {
	s := start(t, screen.Size{})
	s.Type("bench fib 1 -d 1h -c 2 --no-check<enter>")
	s.Wait(" min left")
	s.Wait("  p99 ")
	if got := s.Text(); strings.Count(got, "┄  ") != 1 || !strings.Contains(got, "  0 %  ") {
		t.Errorf("want one line with a bar on the screen:\n%s", s.Picture())
	}
	s.Type("<ctrl+c>")
	s.Wait("for 1h, 2 at a time; interrupted")
	ready(s, "")
	if got := s.Text(); strings.Contains(got, "error") {
		t.Errorf("what was asked for is no error:\n%s", s.Picture())
	}
	s.Gone(" left")
	s.Type("bench fib 1 -n 3 --no-check<enter>")
	s.Wait("with 3 calls, 50 at a time")
	ready(s, "")
	quit(t, s)
}
