package dash

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

func mono() *theme.Theme { return theme.New(looks("mono", false)) }

func points(micros ...int) []console.Point {
	var out []console.Point
	for i, n := range micros {
		p := console.Point{At: noon.Add(time.Duration(i) * time.Second), RTT: time.Duration(n) * micro}
		if n < 0 {
			p = console.Point{At: p.At, RTT: time.Second, Failed: true}
		}
		out = append(out, p)
	}
	return out
}

func TestSparkline(t *testing.T) {
	for _, tc := range []struct {
		name  string
		theme *theme.Theme
		p     []console.Point
		w     int
		want  string // rows, the highest first
	}{
		{"one row", mono(), points(100, 400, 800), 4, " ▁▄█"},
		{"newest at the right", mono(), points(800, 100, 100), 2, "▁▁"},
		{"over the scale", mono(), points(9000), 1, "█"},
		{"never nothing", mono(), points(1), 1, "▁"},
		{"failed", mono(), points(100, -1), 2, "▁✗"},
		{"two rows", mono(), points(400, 600, -1), 3, " ▄✗/███"},
		{"ascii", theme.New(looks("mono", true)), points(100, 800, -1), 3, ".#x"},
		{"colour", theme.New(looks("dark", false)), points(100, -1), 2, "▁█"},
		{"empty", mono(), nil, 3, "   "},
	} {
		rows := sparkline(tc.theme, tc.p, 800*micro, tc.w, strings.Count(tc.want, "/")+1)
		if got := ansi.Strip(strings.Join(rows, "/")); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestStep125(t *testing.T) {
	for _, tc := range [][2]time.Duration{{0, 0}, {1, 1}, {3, 5}, {6, 10}, {398 * micro, 500 * micro}, {500 * micro, 500 * micro}, {501 * micro, time.Millisecond}, {3 * time.Second, 5 * time.Second}} {
		if got := step125(tc[0]); got != tc[1] {
			t.Errorf("%v: got %v, want %v", tc[0], got, tc[1])
		}
	}
}

// TestScaleRests sees the scale rise at once, and fall only when the smaller one was enough for ten seconds.
func TestScaleRests(t *testing.T) {
	var s scale
	for _, step := range []struct {
		after  time.Duration
		micros int
		want   time.Duration
	}{
		{0, 300, 500 * micro}, {time.Second, 900, time.Millisecond}, {2 * time.Second, 300, time.Millisecond},
		{11 * time.Second, 300, time.Millisecond}, {12 * time.Second, 300, 500 * micro}, {13 * time.Second, 700, time.Millisecond},
	} {
		if s.fit("exp", points(step.micros), noon.Add(step.after)); s.top != step.want {
			t.Errorf("after %v with %d µs: got %v, want %v", step.after, step.micros, s.top, step.want)
		}
	}
	if s.fit("fib", points(30), noon.Add(14*time.Second)); s.top != 50*micro {
		t.Errorf("another type kept the scale: %v", s.top)
	}
}

func TestOneSlowCallDoesNotFlatten(t *testing.T) {
	p := points(slices25()...)
	p = append(p, console.Point{RTT: 10 * time.Second})
	if got := typical(p); got > time.Millisecond {
		t.Errorf("one slow call of 26 sets the scale: %v", got)
	}
}

func slices25() []int {
	out := make([]int, 25)
	for i := range out {
		out[i] = 300 + i
	}
	return out
}

func TestBuckets(t *testing.T) {
	p := points(slices25()...)
	p = append(p, points(310, -1, 90_000)...)
	rows := buckets(p, 6)
	total, mids := 0, 0
	for i, b := range rows {
		total += b.count
		if b.mid {
			mids++
		}
		if i > 0 && b.from <= rows[i-1].from {
			t.Errorf("row %d begins at %v after %v", i, b.from, rows[i-1].from)
		}
	}
	if total != 27 || mids != 1 || len(rows) > 6 {
		t.Errorf("got %d good calls in %d rows, %d of them with the median: %+v", total, len(rows), mids, rows)
	}
	if last := rows[len(rows)-1]; !last.open || last.count == 0 {
		t.Errorf("what is far out is not in the last row: %+v", last)
	}
	for _, n := range []int{0, 1} {
		if rows := buckets(p, n); rows != nil {
			t.Errorf("%d rows: %+v", n, rows)
		}
	}
	if rows := buckets(points(-1, -1, -1, -1, -1, 100), 5); rows != nil {
		t.Errorf("one good call: %+v", rows)
	}
}

func TestRate(t *testing.T) {
	if got := rateOf(points(1, 1, 1, 1, 1, 1)); got != 1 {
		t.Errorf("one a second: got %v", got)
	}
	if got := rateOf(points(1, 1)); got != 0 {
		t.Errorf("two calls have a rate: %v", got)
	}
	for r, want := range map[float64]string{0.421: "0.42", 41.23: "41.2", 318.4: "318", 12345: "12 345"} {
		if got := rateText(r); got != want {
			t.Errorf("%v: got %q, want %q", r, got, want)
		}
	}
}
