package dash

import (
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console/theme"
)

// The figures at the top of Timing, in one of three forms: side by side, in pairs, or in one line.

// top are the percentiles and the server's own time.
func (v *timing) top(w, h int) []string {
	p := newPage(w, 12)
	switch {
	case v.live.Calls == 0:
		p.text(&v.theme.Muted, " p50, p95, p99 and max of")
		p.text(&v.theme.Muted, " each type, call by call")
	case w >= 62:
		v.wideFigures(p, h)
	case h <= 2:
		v.oneLine(p)
	default:
		v.pairs(p, h)
	}
	return p.lines
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

func (v *timing) pairs(p *page, h int) {
	t, tm := v.theme, v.figures
	full := h >= 10 && p.w >= 28 // the labels at the right have room for p99.9
	row := func(a string, da time.Duration, style *theme.Style, b string, db time.Duration) {
		l := (&line{}).put(&t.Text, " ")
		v.figure(l, a, da, style).put(&t.Text, "   ")
		if full {
			b += blanks(5 - len(b))
		}
		p.add(v.figure(l, b, db, &t.Text))
	}
	if full {
		row("p50", tm.P50, &t.Strong, "p99", tm.P99)
		row("p90", tm.P90, &t.Text, "p99.9", tm.P999)
		row("p95", tm.P95, &t.Text, "max", tm.Max)
	} else {
		row("p50", tm.P50, &t.Strong, "p95", tm.P95)
		row("p99", tm.P99, &t.Text, "max", tm.Max)
	}
	if h >= 18 {
		p.add(v.figure((&line{}).put(&t.Text, " "), "min", tm.Min, &t.Text))
	}
	if tm.HasServer {
		v.serverLine(p)
		if h >= 12 {
			v.serverRange(p)
		}
	}
}

// serverLine tells the server's own time, that of the shown call or of the last one that has it, and how much of the call that was.
func (v *timing) serverLine(p *page) {
	t := v.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, v.field)
	if v.cost.Number == 0 {
		p.add(l.put(&t.Text, "  ").put(&t.Second, short(v.figures.ServerP50, t.ASCII)).put(&t.Muted, "  p50"))
		return
	}
	l.put(&t.Text, "  ").put(&t.Second, cost(v.costTime(), t.ASCII))
	number := "#" + strconv.Itoa(v.cost.Number)
	for _, words := range []string{v.costShare() + " of " + number, v.costShare(), number} {
		if words[0] != ' ' && l.w+2+width(words) < p.w {
			l.put(&t.Muted, "  "+words)
			break
		}
	}
	p.add(l)
}

// costShare is how much of its call the server's own time was: "7 %"; " " when that says nothing.
func (v *timing) costShare() string {
	all := v.cost.Trace.RTT
	if all <= 0 || v.costTime() > all {
		return " "
	}
	if v.costTime() > 0 && 100*v.costTime() < all {
		return "<1 %"
	}
	return strconv.Itoa(int((200*v.costTime()+all)/(2*all))) + " %"
}

// serverRange tells the spread of the server's own time in the session.
func (v *timing) serverRange(p *page) {
	t := v.theme
	l := (&line{}).put(&t.Text, " ")
	for _, f := range v.serverFigures() {
		if l.w+len(f.name)+1+width(f.value)+1 > p.w {
			break
		}
		l.put(&t.Muted, f.name+" ").put(&t.Text, f.value+"  ")
	}
	p.add(l)
}

// costTime is the server's time of the call whose cost is shown.
func (v *timing) costTime() time.Duration {
	d, _ := v.cost.ServerTime()
	return d
}

// named is a figure with its name.
type named struct{ name, value string }

// serverFigures are the range of the server's own time; the median comes from a histogram and is shown as exact as that.
func (v *timing) serverFigures() []named {
	tm := v.figures
	return []named{
		{"min", cost(tm.ServerMin, v.theme.ASCII)},
		{"max", cost(tm.ServerMax, v.theme.ASCII)},
		{"p50", short(tm.ServerP50, v.theme.ASCII)},
	}
}

// wideFigures sets the percentiles side by side, and the server's time below in the same columns.
func (v *timing) wideFigures(p *page, h int) {
	t, tm := v.theme, v.figures
	names := []string{"min", "p50", "p90", "p95", "p99", "p99.9", "max"}
	values := []time.Duration{tm.Min, tm.P50, tm.P90, tm.P95, tm.P99, tm.P999, tm.Max}
	step := min((p.w-2)/len(names), 14)
	head, row := (&line{}).put(&t.Text, " "), (&line{}).put(&t.Text, " ")
	for i, name := range names {
		style := &t.Text
		if name == "p50" {
			style = &t.Strong
		}
		at := 1 + i*step
		head.right(&t.Muted, name, at+4)
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
		v.wideServer(p)
	}
}

func (v *timing) wideServer(p *page) {
	t := v.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, v.field)
	if v.cost.Number > 0 {
		l.put(&t.Muted, " #"+strconv.Itoa(v.cost.Number)+"  ").put(&t.Second, cost(v.costTime(), t.ASCII))
		if part := v.costShare(); part != " " {
			l.put(&t.Muted, "  "+part)
		}
	}
	for _, f := range v.serverFigures() {
		if l.w+3+len(f.name)+1+width(f.value) >= p.w {
			break
		}
		l.put(&t.Text, "   ").put(&t.Muted, f.name+" ").put(&t.Text, f.value)
	}
	p.add(l)
}
