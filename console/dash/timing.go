package dash

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// timing shows how long the calls of one type took: percentiles of the whole session and charts of the latest calls.
type timing struct {
	*scene
	scale   scale
	figures console.Timing // the percentiles as shown, which rest a little while calls arrive
	since   time.Time      // since when they are shown; zero when they may change at once
}

// figureRest is how long percentiles stay as they are, so that they can be read.
const figureRest = time.Second / 2

// load settles the percentiles and the scale of the chart. It is called when the journal changed.
func (v *timing) load() {
	switch {
	case v.timing.Type != v.figures.Type:
		v.figures, v.since = v.timing, time.Time{}
	case v.timing.Calls != v.figures.Calls && v.now.Sub(v.since) >= figureRest:
		v.figures, v.since = v.timing, v.now
	}
	v.scale.fit(v.timing.Type, v.timing.Points, v.now)
}

func (v *timing) Update(string) wish { return nil }

func (v *timing) Keys() []key {
	return []key{{"f", "zoom", "zoom this pane"}, {"tab", "next pane", ""}, {"esc", "prompt", ""}}
}

func (v *timing) Heading(int, int) heading {
	h := heading{number: 2, name: "Timing"}
	if v.timing.Calls > 0 {
		h.subject = console.Printable(v.timing.Type)
		h.right = count(v.timing.Calls, "call")
	}
	return h
}

func (v *timing) View(w, h int) []string {
	p := newPage(w, h)
	tm := v.timing
	if tm.Calls == 0 {
		v.empty(p)
		return p.done()
	}
	in := w - 2
	switch {
	case in >= 60:
		v.wideFigures(p, h)
	case h <= 2:
		v.oneLine(p)
	default:
		v.pairs(p, h)
	}
	last := v.lastLine(in)
	rows := v.sparkRows(p.left())
	if rows > 0 {
		if p.left() >= rows+3 { // the chart, its label and the last line
			p.gap()
		}
		v.spark(p, in, rows)
	}
	if p.left() > 5 {
		v.buckets(p, in)
	}
	for p.left() > 1 && h > 14 {
		p.gap()
	}
	p.add(last)
	return p.done()
}

func (v *timing) empty(p *page) {
	p.text(&v.theme.Muted, " p50, p95, p99 and max of")
	p.text(&v.theme.Muted, " each type, call by call")
}

// oneLine is for a pane of two lines.
func (v *timing) oneLine(p *page) {
	t, tm := v.theme, v.figures
	l := (&line{}).put(&t.Text, " ")
	v.figure(l, "p50", tm.P50, &t.Strong).put(&t.Text, "  ")
	v.figure(l, "p99", tm.P99, &t.Text).put(&t.Text, "  ")
	p.add(v.figure(l, "max", tm.Max, &t.Text))
}

// figure puts a label and its duration. Without a good call there is nothing to tell.
func (v *timing) figure(l *line, name string, d time.Duration, style *theme.Style) *line {
	cell := durationCell(d, v.theme.ASCII)
	if v.good() == 0 {
		cell, style = unknownCell, &v.theme.Muted
	}
	return l.put(&v.theme.Muted, name+" ").put(style, cell)
}

func (v *timing) good() int { return v.figures.Calls - v.figures.Failed }

func (v *timing) pairs(p *page, h int) {
	t, tm := v.theme, v.figures
	row := func(a string, da time.Duration, style *theme.Style, b string, db time.Duration) {
		l := (&line{}).put(&t.Text, " ")
		v.figure(l, a, da, style).put(&t.Text, "   ")
		p.add(v.figure(l, b, db, &t.Text))
	}
	row("p50", tm.P50, &t.Strong, "p95", tm.P95)
	row("p99", tm.P99, &t.Text, "max", tm.Max)
	if h >= 18 {
		row("p90", tm.P90, &t.Text, "min", tm.Min)
	}
	if tm.HasServer {
		v.serverLine(p)
		if h >= 12 {
			v.serverRange(p)
		}
	}
}

// serverLine tells the server's own time to the nanosecond: that of the shown call, or of the last one that has it.
func (v *timing) serverLine(p *page) {
	t := v.theme
	value, word := short(v.figures.ServerP50, t.ASCII), "p50"
	if v.cost.Number > 0 {
		value, word = nanos(v.cost.Server), "#"+strconv.Itoa(v.cost.Number)
	}
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, v.field).put(&t.Text, "  ").put(&t.Second, value)
	if l.w+2+len(word) < p.w {
		l.put(&t.Muted, "  "+word)
	}
	p.add(l)
}

// serverRange tells the spread of the server's own time in the session.
func (v *timing) serverRange(p *page) {
	t := v.theme
	l := (&line{}).put(&t.Text, " ")
	for _, f := range v.spread() {
		if l.w+len(f.name)+1+width(f.value)+1 > p.w {
			break
		}
		l.put(&t.Muted, f.name+" ").put(&t.Text, f.value+"  ")
	}
	p.add(l)
}

// named is a figure of the server's own time.
type named struct{ name, value string }

// spread is the range of the server's own time in whole nanoseconds; the median comes from a histogram and is shown as exact as that.
func (v *timing) spread() []named {
	tm := v.figures
	return []named{
		{"min", nanos(tm.ServerMin)},
		{"max", nanos(tm.ServerMax)},
		{"p50", short(tm.ServerP50, v.theme.ASCII)},
	}
}

// wideFigures sets the percentiles side by side, and the server's time below in the same columns.
func (v *timing) wideFigures(p *page, h int) {
	t, tm := v.theme, v.figures
	names := []string{"min", "p50", "p90", "p95", "p99", "max"}
	values := []time.Duration{tm.Min, tm.P50, tm.P90, tm.P95, tm.P99, tm.Max}
	step := (p.w - 2) / len(names)
	head, row := (&line{}).put(&t.Text, " "), (&line{}).put(&t.Text, " ")
	for i, name := range names {
		style := &t.Text
		if name == "p50" {
			style = &t.Strong
		}
		at := 1 + i*step
		head.until(&t.Text, at).right(&t.Muted, name, at+4)
		cell := durationCell(values[i], t.ASCII)
		if v.good() == 0 {
			cell = unknownCell
		}
		row.until(&t.Text, at).put(style, cell)
	}
	p.add(head)
	p.add(row)
	if tm.HasServer {
		if h >= 16 {
			p.gap()
		}
		v.wideServer(p, step)
	}
}

func (v *timing) wideServer(p *page, step int) {
	t := v.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, v.field)
	if v.cost.Number > 0 {
		l.put(&t.Muted, " #"+strconv.Itoa(v.cost.Number)+" ").put(&t.Second, nanos(v.cost.Server))
	}
	for i, f := range v.spread() {
		if l.w+3+len(f.name)+1+width(f.value) >= p.w {
			break
		}
		l.until(&t.Text, max(l.w+3, 1+(3+i)*step)).put(&t.Muted, f.name+" ").put(&t.Text, f.value)
	}
	p.add(l)
}

// sparkRows is how high the chart is when so many lines are left for it, its label and the last line.
func (v *timing) sparkRows(left int) int {
	limit := 2
	if left > 12 {
		limit = 3
	}
	return min(max(left-2, 0), limit)
}

func (v *timing) spark(p *page, in, rows int) {
	t, tm := v.theme, v.timing
	points := tm.Points[max(len(tm.Points)-in, 0):]
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "rtt")
	top := "0 " + t.Mark.Range + " " + short(v.scale.top, t.ASCII)
	span := "  last " + strconv.Itoa(len(points))
	if len(points) == 1 {
		span = "  one call"
	}
	if v.scale.top == 0 {
		top = ""
	}
	if l.w+width(span)+width(top)+2 <= p.w-1 {
		l.put(&t.Muted, span)
	}
	p.add(l.right(&t.Muted, top, p.w-1))
	for _, row := range sparkline(t, points, v.scale.top, in, rows) {
		b := append([]byte{' '}, row...)
		p.add(&line{b: b, w: in + 1})
	}
}

func (v *timing) buckets(p *page, in int) {
	t := v.theme
	rows := buckets(v.timing.Points, min(p.left()-3, 8))
	if len(rows) < 2 {
		return
	}
	p.gap()
	n := 0
	for _, b := range rows {
		n += b.count
	}
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "histogram")
	p.add(l.right(&t.Muted, "last "+count(n, "good call"), p.w-1))
	for _, row := range histogram(t, rows, in) {
		p.add(&line{b: append([]byte{' '}, row.b...), w: row.w + 1})
	}
}

// lastLine says how many calls failed and how fast those in the chart ended.
func (v *timing) lastLine(in int) *line {
	t, tm := v.theme, v.timing
	calls, rate, failed := count(tm.Calls, "call"), "", ""
	if r := rateOf(tm.Points[max(len(tm.Points)-in, 0):]); r > 0 {
		rate = rateText(r)
	}
	if tm.Failed > 0 {
		failed = t.Mark.Fail + " " + console.Count(tm.Failed) + " failed"
	}
	l := (&line{}).put(&t.Text, " ")
	if len(calls)+4+len(rate)+2+width(failed) <= in {
		l.put(&t.Text, console.Count(tm.Calls)).put(&t.Muted, unit(tm.Calls, " call")).put(&t.Text, "  ")
	}
	if rate != "" {
		l.put(&t.Text, rate).put(&t.Muted, "/s").put(&t.Text, "  ")
	}
	return l.put(&t.Fail, failed)
}

// rateOf is how many of the points ended in a second. Few points say nothing.
func rateOf(points []console.Point) float64 {
	if len(points) < fewCalls {
		return 0
	}
	span := points[len(points)-1].At.Sub(points[0].At)
	if span <= 0 {
		return 0
	}
	return float64(len(points)-1) / span.Seconds()
}

func rateText(r float64) string {
	switch {
	case r >= 1000:
		return console.Count(int(r + 0.5))
	case r >= 100:
		return fmt.Sprintf("%.0f", r)
	case r >= 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

func unit(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func count(n int, word string) string { return console.Count(n) + " " + unit(n, word) }
