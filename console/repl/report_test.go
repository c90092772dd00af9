package repl

import (
	"strconv"
	"testing"
)

func TestReport(t *testing.T) {
	tag := Style(func(role Role, text string) string { return "<" + strconv.Itoa(int(role)) + text + ">" })
	for _, c := range []struct{ line, want string }{
		{"fib {\"n\":20}", "fib {\"n\":20}"},
		{"calls              2 000  4 000/s for 500 ms", "<1calls >             2 000  4 000/s for 500 ms"},
		{"              min      p50      p90", "<1              min      p50      p90>"},
		{"latency     1.00 ms", "<1latency >    1.00 ms"},
		{"corrected", "<1corrected>"},
		{" 500 µs   ▆▆▆▆▆▆  253 010  p50 p95", " 500 µs   <0▆▆▆▆▆▆>  253 010  p50 p95"},
		{"1.00 ms+  ▏               1  p99", "1.00 ms+  <1▏>               1  p99"},
		{"   0 ns   ###             1", "   0 ns   <1###>             1"},
		{"", ""},
	} {
		if got := tag.report(c.line); got != c.want {
			t.Errorf("%q: got %q, want %q", c.line, got, c.want)
		}
		if got := Style(nil).report(c.line); got != c.line {
			t.Errorf("%q without a style: got %q", c.line, got)
		}
	}
}
