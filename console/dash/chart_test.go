package dash

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

func mono() *theme.Theme { return theme.New(looks("mono", false)) }

// pillars are columns of a chart up to 800 µs; -1 stands for one that failed.
func pillars(micros ...int) []pillar {
	var out []pillar
	for _, n := range micros {
		out = append(out, pillar{high: float64(n) / 800, failed: n < 0, bad: n < 0})
	}
	return out
}

// times are good calls that took so many microseconds.
func times(micros ...int) []console.Band {
	slices.Sort(micros)
	var out []console.Band
	for _, n := range micros {
		out = append(out, console.Band{Upto: time.Duration(n) * micro, Count: 1})
	}
	return out
}

func TestSparkline(t *testing.T) {
	for _, tc := range []struct {
		name  string
		theme *theme.Theme
		p     []pillar
		w     int
		want  string // rows, the highest first
	}{
		{"one row", mono(), pillars(100, 400, 800), 4, " ▁▄█"},
		{"newest at the right", mono(), pillars(800, 100, 100), 2, "▁▁"},
		{"over the scale", mono(), pillars(9000), 1, "█"},
		{"never nothing", mono(), pillars(1), 1, "▁"},
		{"failed", mono(), pillars(100, -1), 2, "▁✗"},
		{"two rows", mono(), pillars(400, 600, -1), 3, " ▄✗/███"},
		{"ascii", theme.New(looks("mono", true)), pillars(100, 800, -1), 3, ".#x"},
		{"colour", theme.New(looks("dark", false)), pillars(100, -1), 2, "▁█"},
		{"some failed", mono(), []pillar{{high: 0.5, failed: true}}, 1, "✗/█"},
		{"some failed, colour", theme.New(looks("dark", false)), []pillar{{high: 0.25, failed: true}}, 1, "█/▄"},
		{"nothing between", mono(), pillars(400, 0, 400), 3, "▄ ▄"},
		{"empty", mono(), nil, 3, "   "},
	} {
		rows := sparkline(tc.theme, tc.p, tc.w, strings.Count(tc.want, "/")+1)
		if got := ansi.Strip(strings.Join(rows, "/")); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestStep125(t *testing.T) {
	for _, tc := range [][2]int64{{0, 0}, {1, 1}, {3, 5}, {6, 10}, {398, 500}, {500, 500}, {501, 1000}, {3e9, 5e9}, {math.MaxInt64, math.MaxInt64}} {
		if got := console.Step125(tc[0]); got != tc[1] {
			t.Errorf("%d: got %d, want %d", tc[0], got, tc[1])
		}
	}
}

// TestScaleRests sees the scale rise at once, and fall only when the smaller one was enough for ten seconds.
func TestScaleRests(t *testing.T) {
	var s scale
	for _, step := range []struct {
		after      time.Duration
		need, want int64
	}{
		{0, 300, 500}, {time.Second, 900, 1000}, {2 * time.Second, 300, 1000},
		{11 * time.Second, 300, 1000}, {12 * time.Second, 300, 500}, {13 * time.Second, 700, 1000},
	} {
		if s.fit("exp", step.need, noon.Add(step.after)); s.top != step.want {
			t.Errorf("after %v with %d: got %d, want %d", step.after, step.need, s.top, step.want)
		}
	}
	if s.fit("fib", 30, noon.Add(14*time.Second)); s.top != 50 {
		t.Errorf("another type kept the scale: %d", s.top)
	}
}

func TestOneSlowCallDoesNotFlatten(t *testing.T) {
	var all []int64
	for i := range 25 {
		all = append(all, int64(300+i))
	}
	if got := typical(append(all, 10_000_000)); got > 1000 {
		t.Errorf("one slow call of 26 sets the scale: %d", got)
	}
}

func TestBuckets(t *testing.T) {
	var all []int
	for i := range 25 {
		all = append(all, 300+i)
	}
	bands := times(append(all, 310, 90_000)...)
	rows := console.Bars(bands, 6)
	total, mids := 0, 0
	for i, b := range rows {
		total += b.Count
		if b.Mid {
			mids++
		}
		if i > 0 && b.From <= rows[i-1].From {
			t.Errorf("row %d begins at %v after %v", i, b.From, rows[i-1].From)
		}
	}
	if total != 27 || mids != 1 || len(rows) > 6 {
		t.Errorf("got %d good calls in %d rows, %d of them with the median: %+v", total, len(rows), mids, rows)
	}
	if last := rows[len(rows)-1]; !last.Open || last.Count == 0 {
		t.Errorf("what is far out is not in the last row: %+v", last)
	}
	for _, n := range []int{0, 1} {
		if rows := console.Bars(bands, n); rows != nil {
			t.Errorf("%d rows: %+v", n, rows)
		}
	}
	if rows := console.Bars(times(100, 200), 5); rows != nil {
		t.Errorf("two good calls: %+v", rows)
	}
}

// The histogram has every call of the journal, whatever their number.
func TestBucketsMissNothing(t *testing.T) {
	j := console.NewJournal()
	r := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 3000; n++ {
		call(j, n, "fib", "1", "1", time.Duration(1+r.ExpFloat64()*float64(time.Millisecond)), 0)
		if n%97 > 0 {
			continue
		}
		sum := 0
		for _, b := range console.Bars(j.Spectrum("fib"), 2+n%9) {
			sum += b.Count
		}
		if sum != n {
			t.Fatalf("%d of %d calls", sum, n)
		}
	}
}

// A rate counts from the first call in the window on, and few calls have none.
func TestTally(t *testing.T) {
	at := func(counts ...int) []console.Bucket {
		var all []console.Bucket
		for i, n := range counts {
			all = append(all, console.Bucket{Start: noon.Add(time.Duration(i) * time.Second), Span: time.Second, Count: n, Failed: n / 5})
		}
		return all
	}
	for _, tc := range []struct {
		all           []console.Bucket
		calls, failed int
		rate          float64
	}{
		{nil, 0, 0, 0}, {at(4), 4, 0, 0}, {at(0, 0, 5, 5), 10, 2, 5}, {at(2, 0, 0, 6), 8, 1, 2},
	} {
		if calls, failed, rate := tally(tc.all, noon.Add(4*time.Second)); calls != tc.calls || failed != tc.failed || rate != tc.rate {
			t.Errorf("%v: got %d, %d, %v", tc, calls, failed, rate)
		}
	}
	for r, want := range map[float64]string{0.2: "0.2", 5: "5", 50_000: "50 000"} {
		if got := rateText(r); got != want {
			t.Errorf("%v: got %q, want %q", r, got, want)
		}
	}
}
