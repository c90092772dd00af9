package dash

import (
	"slices"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// sparkline draws the latest points as columns of h rows, the newest at the right. A column as high as the scale or higher fills all rows,
// and so does a failed one.
func sparkline(t *theme.Theme, points []console.Point, scale time.Duration, w, h int) []string {
	points = points[max(len(points)-w, 0):]
	levels := t.Mark.Levels
	if h > 1 {
		levels = t.Mark.Tops
	}
	steps := len(levels) - 1
	rows := make([]string, h)
	for r := range rows {
		l := line{}
		l.until(&t.Text, w-len(points))
		floor := (h - 1 - r) * steps
		for i, p := range points {
			style, high := column(t, p, scale, h*steps, i == len(points)-1)
			char := levels[min(max(high-floor, 0), steps)]
			if p.Failed && t.Letters && r == 0 {
				char = t.Mark.Fail
			}
			l.put(style, char)
		}
		rows[r] = string(l.b)
	}
	return rows
}

// column returns the style and the height of a point in steps.
func column(t *theme.Theme, p console.Point, scale time.Duration, full int, newest bool) (*theme.Style, int) {
	if p.Failed {
		return &t.Fail, full
	}
	high := full
	if scale > 0 && p.RTT < scale {
		high = max(int(int64(full)*int64(p.RTT)/int64(scale)), 1)
	}
	if newest {
		return &t.Accent, high
	}
	return &t.Fill, high
}

// scale is the upper end of a chart. It moves in steps of 1, 2 and 5, up at once and down only when it was too large for a while, so that
// columns do not jump.
type scale struct {
	of    string // what it measures; a scale for something else starts anew
	top   time.Duration
	large time.Time // since when a smaller one would do; zero while it would not
}

const scaleRest = 10 * time.Second

func (s *scale) fit(of string, points []console.Point, now time.Time) {
	need := step125(typical(points))
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

// typical is what the scale must hold: the largest of few good points, the 95th percentile of many, so that one slow call flattens nothing.
func typical(points []console.Point) time.Duration {
	good := make([]time.Duration, 0, len(points))
	for _, p := range points {
		if !p.Failed {
			good = append(good, p.RTT)
		}
	}
	if len(good) == 0 {
		return 0
	}
	slices.Sort(good)
	return good[(len(good)-1)*95/100]
}

// step125 returns the smallest of 1, 2, 5, 10, 20, 50 ... that is at least d; 0 for nothing.
func step125(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	for p := time.Duration(1); p > 0; p *= 10 {
		for _, m := range []time.Duration{1, 2, 5} {
			if p*m >= d {
				return p * m
			}
		}
	}
	return d
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

// buckets sorts good points into at most n rows of equal steps of 1, 2 or 5; what is far out goes into the last.
func buckets(points []console.Point, n int) []bucket {
	var good []time.Duration
	for _, p := range points {
		if !p.Failed {
			good = append(good, p.RTT)
		}
	}
	if len(good) < fewCalls || n < 2 {
		return nil
	}
	slices.Sort(good)
	low, high := good[0], good[(len(good)-1)*95/100]
	step := step125(max((high-low)/time.Duration(n), high/200, 1)) // finer steps would tell calls apart that are alike
	for high >= low/step*step+time.Duration(n)*step {
		step = step125(step + 1)
	}
	start := low / step * step
	rows := make([]bucket, min(int((high-start)/step)+2, n))
	index := func(d time.Duration) int { return min(int((d-start)/step), len(rows)-1) }
	for i := range rows {
		rows[i].from = start + time.Duration(i)*step
	}
	for _, d := range good {
		rows[index(d)].count++
	}
	last := len(rows) - 1
	rows[last].open = index(good[len(good)-1]) == last && good[len(good)-1] >= rows[last].from+step
	if rows[last].count == 0 {
		rows = rows[:last]
	}
	for _, q := range []int{50, 95, 99} {
		rank := max((len(good)*q+50)/100, 1) // as in the percentiles beside it
		b := &rows[min(index(good[rank-1]), len(rows)-1)]
		if b.note != "" {
			b.note += " "
		}
		b.note += "p" + strconv.Itoa(q)
		b.mid = b.mid || q == 50
	}
	return rows
}

// histogram draws buckets in rows of w cells.
func histogram(t *theme.Theme, rows []bucket, w int) []*line {
	most := 1
	notes := 0
	for _, b := range rows {
		most, notes = max(most, b.count), max(notes, width(b.note))
	}
	count := len(strconv.Itoa(most))
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
		l.right(&t.Text, strconv.Itoa(b.count), 9+bar+1+count).until(&t.Text, 9+bar+1+count+2).put(&t.Muted, b.note)
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
