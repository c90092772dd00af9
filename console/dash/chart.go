package dash

import (
	"slices"
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
	need = console.Step125(need)
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

// histogram draws buckets in rows of w cells.
func histogram(t *theme.Theme, rows []console.Bar, w int) []*line {
	most := 1
	notes := 0
	for _, b := range rows {
		most, notes = max(most, b.Count), max(notes, width(b.Note))
	}
	count := len(console.Count(most))
	bar := max(w-9-2-count-2-notes, 1)
	lines := make([]*line, len(rows))
	for i, b := range rows {
		l := &line{}
		style := &t.Fill
		if b.Mid {
			style = &t.Accent
		}
		l.put(&t.Muted, durationCell(b.From, t.ASCII))
		if b.Open {
			l.put(&t.Muted, "+")
		}
		l.until(&t.Text, 9).put(style, barOf(t, b.Count, most, bar)).until(&t.Text, 9+bar+1)
		l.right(&t.Text, console.Count(b.Count), 9+bar+1+count).until(&t.Text, 9+bar+1+count+2).put(&t.Muted, b.Note)
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
