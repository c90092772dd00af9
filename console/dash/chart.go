package dash

import (
	"slices"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// pillar is one column of a chart.
type pillar struct {
	high   float64 // of the chart's height, 1 is all of it; more is no more
	failed bool    // something in it failed: its top tells
	bad    bool    // nothing in it was good
	lit    bool    // it stands out
}

// sparkline draws the last w pillars in h rows, the newest at the right and lit.
func sparkline(t *theme.Theme, all []pillar, w, h int) []string {
	w = max(w, 0)
	all = all[max(len(all)-w, 0):]
	levels := t.Mark.Levels
	if h > 1 {
		levels = t.Mark.Tops
	}
	steps := len(levels) - 1
	rows := make([]string, h)
	for r := range rows {
		s := strip{}
		s.blanks(w - len(all))
		floor := (h - 1 - r) * steps
		for i := range all {
			p := &all[i]
			style, char := &t.Fill, levels[min(max(p.steps(h*steps)-floor, 0), steps)]
			switch {
			case p.bad, p.failed && r == 0:
				style, char = &t.Fail, levels[steps]
				if t.Letters && r == 0 {
					char = t.Mark.Fail
				}
			case p.lit, i == len(all)-1:
				style = &t.Accent
			}
			s.cell(style, char)
		}
		rows[r] = s.done()
	}
	return rows
}

// steps is the height of a pillar where full is the whole chart: never nothing where there is something.
func (p *pillar) steps(full int) int {
	if p.high <= 0 {
		return 0
	}
	return min(max(int(p.high*float64(full)), 1), full)
}

// strip writes cells from left to right, those of one style together: a chart has thousands, and the escape sequences are what costs.
type strip struct {
	b     []byte
	run   []byte
	style *theme.Style
}

func (s *strip) cell(style *theme.Style, char string) {
	if style != s.style && char != " " { // a space looks alike in all styles of charts
		s.flush()
		s.style = style
	}
	s.run = append(s.run, char...)
}

func (s *strip) blanks(n int) {
	for range n {
		s.run = append(s.run, ' ')
	}
}

func (s *strip) flush() {
	if len(s.run) > 0 && s.style != nil {
		s.b = s.style.Append(s.b, string(s.run), theme.Ground)
	} else {
		s.b = append(s.b, s.run...)
	}
	s.run = s.run[:0]
}

func (s *strip) done() string {
	s.flush()
	return string(s.b)
}

// latencies are the pillars of how long calls took: the median of each stretch of time.
func latencies(all []console.Bucket, top int64) []pillar {
	out := make([]pillar, len(all))
	for i, b := range all {
		out[i] = pillar{high: share(int64(b.P50), top), failed: b.Failed > 0, bad: b.Failed > 0 && b.Failed == b.Count}
	}
	return out
}

// paces are the pillars of how many calls ended in a second.
func paces(all []console.Bucket, top int64) []pillar {
	out := make([]pillar, len(all))
	for i, b := range all {
		out[i] = pillar{high: share(pace(b), top)}
	}
	return out
}

func share(n, of int64) float64 {
	if of <= 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// pace is how many calls ended in a thousand seconds, at the rate of this stretch of time.
func pace(b console.Bucket) int64 {
	return int64(1000 * float64(b.Count) / b.Span.Seconds())
}

// scale is the upper end of a chart. It moves in steps of 1, 2 and 5, up at once and down only when it was too large for a while, so that
// columns do not jump.
type scale struct {
	of    string // what it measures; a scale for something else starts anew
	top   int64
	large time.Time // since when a smaller one would do; zero while it would not
}

const scaleRest = 10 * time.Second

func (s *scale) fit(of string, need int64, now time.Time) {
	need = step125(need)
	switch {
	case of != s.of || need > s.top:
		*s = scale{of: of, top: need}
	case need == s.top:
		s.large = time.Time{}
	case s.large.IsZero():
		s.large = now
	case now.Sub(s.large) >= scaleRest:
		s.top, s.large = need, time.Time{}
	}
}

// typical is what the scale must hold: the largest of few values, the 95th percentile of many, so that one slow call flattens nothing.
func typical(values []int64) int64 {
	values = slices.DeleteFunc(values, func(v int64) bool { return v <= 0 })
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)-1)*95/100]
}

// step125 returns the smallest of 1, 2, 5, 10, 20, 50 ... that is at least n; 0 for nothing.
func step125(n int64) int64 {
	if n <= 0 {
		return 0
	}
	for p := int64(1); p > 0 && p <= 1<<62/10; p *= 10 {
		for _, m := range []int64{1, 2, 5} {
			if p*m >= n {
				return p * m
			}
		}
	}
	return n
}

// bucket is a row of a histogram: how many calls took at least From, and less than the next row's.
type bucket struct {
	from  time.Duration
	count int
	note  string // the percentiles that fall into it
	open  bool   // the last one: everything from here up
	mid   bool   // it holds the median
}

// fewCalls are too few for a rate or a histogram.
const fewCalls = 5

// buckets sorts good calls into at most n rows of equal steps of 1, 2 or 5; what is far out goes into the last.
func buckets(bands []console.Band, n int) []bucket {
	total := 0
	for _, b := range bands {
		total += b.Count
	}
	if total < fewCalls || n < 2 {
		return nil
	}
	low, high := bands[0].Upto, bandAt(bands, total, 0.95)
	step := time.Duration(step125(int64(max((high-low)/time.Duration(n), high/200, 1)))) // finer steps would tell calls apart that are alike
	for high >= low/step*step+time.Duration(n)*step {
		step = time.Duration(step125(int64(step) + 1))
	}
	start := low / step * step
	rows := make([]bucket, min(int((high-start)/step)+2, n))
	index := func(d time.Duration) int { return min(int((d-start)/step), len(rows)-1) }
	for i := range rows {
		rows[i].from = start + time.Duration(i)*step
	}
	for _, b := range bands {
		rows[index(b.Upto)].count += b.Count
	}
	last, most := len(rows)-1, bands[len(bands)-1].Upto
	rows[last].open = index(most) == last && most >= rows[last].from+step
	if rows[last].count == 0 {
		rows = rows[:last]
	}
	for _, q := range []int{50, 95, 99} {
		b := &rows[min(index(bandAt(bands, total, float64(q)/100)), len(rows)-1)]
		if b.note != "" {
			b.note += " "
		}
		b.note += "p" + strconv.Itoa(q)
		b.mid = b.mid || q == 50
	}
	return rows
}

// bandAt is the duration that a share of all calls does not exceed, as the percentiles have it.
func bandAt(bands []console.Band, total int, q float64) time.Duration {
	rank, seen := max(int(float64(total)*q+0.5), 1), 0
	for _, b := range bands {
		if seen += b.Count; seen >= rank {
			return b.Upto
		}
	}
	if len(bands) == 0 {
		return 0
	}
	return bands[len(bands)-1].Upto
}

// histogram draws buckets in rows of w cells.
func histogram(t *theme.Theme, rows []bucket, w int) []*line {
	most := 1
	notes := 0
	for _, b := range rows {
		most, notes = max(most, b.count), max(notes, width(b.note))
	}
	count := len(console.Count(most))
	bar := max(w-9-2-count-2-notes, 1)
	lines := make([]*line, len(rows))
	for i, b := range rows {
		l := &line{}
		style := &t.Fill
		if b.mid {
			style = &t.Accent
		}
		l.put(&t.Muted, durationCell(b.from, t.ASCII))
		if b.open {
			l.put(&t.Muted, "+")
		}
		l.until(&t.Text, 9).put(style, barOf(t, b.count, most, bar)).until(&t.Text, 9+bar+1)
		l.right(&t.Text, console.Count(b.count), 9+bar+1+count).until(&t.Text, 9+bar+1+count+2).put(&t.Muted, b.note)
		lines[i] = l
	}
	return lines
}

func barOf(t *theme.Theme, n, most, w int) string {
	cells := (2*n*w + most) / (2 * most)
	if n > 0 && cells == 0 {
		return t.Mark.Sliver
	}
	b := make([]byte, 0, cells*3)
	for range cells {
		b = append(b, t.Mark.Bar...)
	}
	return string(b)
}
