package dash

import (
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
)

// timing shows how long the calls of one type took: percentiles and a histogram of the whole session, charts of a stretch of time up to now,
// and the numbers of replies that are watched.
type timing struct {
	*scene
	subject
	histogram bool // the histogram goes before the charts
	alone     bool // it has the screen for itself, without the hero

	window    []console.Bucket
	rtt, rate scale
	seen      snapshot // what it was loaded from
}

// snapshot tells whether there is anything new to load.
type snapshot struct {
	version uint64
	now     time.Time
	chosen  int
	shown   int
	typ     string
	span    int
	columns int
}

// load reads what the pane shows in so much room. It is called when something may have changed.
func (v *timing) load(in rect, chosen int, alone bool) {
	v.alone = alone
	if !v.changed(in.w-2, chosen) {
		return
	}
	v.read(v.scene, chosen)
	v.window = v.columns(v.scene, in.w-2)
	v.drift(v.scene, v.window)
	of := v.typ + " " + v.spanText()
	p50, paces := make([]int64, len(v.window)), int64(0)
	for i, b := range v.window {
		p50[i], paces = int64(b.P50), max(paces, pace(b))
	}
	v.rtt.fit(of, typical(p50), v.now)
	v.rate.fit(of, paces, v.now)
	v.seen.typ = v.typ
}

func (v *timing) changed(columns, chosen int) bool {
	s := snapshot{v.session.Journal().Version(), v.now, chosen, v.shown.Number, v.typ, v.span, columns}
	if s == v.seen {
		return false
	}
	v.seen = s
	return true
}

// follow lets the pane be about what a command from here did; e is nil if it was not one call.
func (v *timing) follow(e *console.Entry) {
	v.subject.follow(e)
	v.seen = snapshot{} // it may have changed what is watched, too
}

func (v *timing) Update(key string) wish {
	switch key {
	case "left", "right":
		by := 1
		if key == "left" {
			by = -1
		}
		v.step(v.scene, by)
	case "+", "=":
		v.stretch(1)
	case "-":
		v.stretch(-1)
	case "h":
		v.histogram = !v.histogram
	case "g":
		return wishGo(atCharts)
	}
	return nil
}

func (v *timing) Keys() []key {
	return []key{{"+ -", "span", "longer, shorter time"}, {"left right", "type", "timing of another type"}, {"h", "histogram", "histogram first, or charts"},
		{"g", "charts", "charts of the whole page"}, {"f", "zoom", "zoom this pane"}, {"tab", "next pane", ""}, {"esc", "prompt", ""}}
}

func (v *timing) Heading(w, _ int) heading {
	h := heading{number: 2, name: "Timing"}
	if v.live.Calls > 0 {
		h.subject, h.right = console.Printable(v.typ), v.spanText()
		if w >= 60 {
			h.right = "last " + h.right
		}
	}
	return h
}

// View puts the figures at the top, the counts at the bottom and between them as many sections as there is room for.
func (v *timing) View(w, h int) []string {
	p := newPage(w, h)
	sections := v.sections(w, h, 0)
	last := v.lastLine(w - 2)
	if rest := h - lineCount(sections) - len(sections); v.alone && rest > 2 { // the chart takes what would stay empty
		sections = v.sections(w, h, rest)
	}
	lines := 1 + lineCount(sections)
	for i, s := range sections {
		if i > 0 && lines < h && len(s) > 1 {
			p.gap()
			lines++
		}
		p.lines = append(p.lines, s[:min(len(s), max(p.left(), 0))]...)
	}
	for p.left() > 1 {
		p.gap()
	}
	p.add(last)
	return p.done()
}

func lineCount(sections [][]string) (n int) {
	for _, s := range sections {
		n += len(s)
	}
	return n
}

// sections are the parts of the pane from the top down; the chart of how long calls took gets so many extra rows.
func (v *timing) sections(w, h, extra int) [][]string {
	all := [][]string{v.top(w, h)}
	left := h - len(all[0]) - 1
	add := func(s []string) {
		if len(s) > 0 && len(s) <= left {
			all, left = append(all, s), left-len(s)
		}
	}
	if v.live.Calls == 0 {
		add(v.watched(w, left))
		return all
	}
	if v.alone && left > 6 {
		add(v.split(w))
	}
	if v.histogram {
		add(v.spread(w, min(left, 10)))
	}
	most := 2
	if h >= 18 {
		most = 3
	}
	pins := min(len(v.watches), max(left-2, 0)) // each at least a line, beside a chart of one row
	if left == 1 {
		pins = min(len(v.watches), 1)
	}
	if tall := 3 * len(v.watches); left-tall >= 3 {
		pins = tall
	}
	add(v.latency(w, min(most+1+extra, left-pins)))
	add(v.watched(w, pins))
	if left > 2 && h >= 12 {
		add(v.paces(w))
	}
	if !v.histogram && left > 4 {
		add(v.spread(w, min(left-1, 9)))
	}
	return all
}

// split shows where the time of the shown call went, when the hero does not.
func (v *timing) split(w int) []string {
	e := v.shown
	if e.Number == 0 || e.State == console.Running {
		return nil
	}
	t, p := v.theme, newPage(w, 3)
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "#"+strconv.Itoa(e.Number)+"  ")
	total := console.Duration(e.Trace.RTT, t.ASCII)
	l.put(&t.Text, cut(commandLine(e), w-l.w-width(total)-3, t.Mark.Cut))
	p.add(l.right(&t.Strong, total, w-1))
	ps := parts(e)
	label(ps, e.Trace.RTT, t.ASCII)
	v.bar(p, ps)
	v.legend(p, ps, e.Trace.RTT, "")
	return p.lines
}

// latency is the chart of how long calls took, in so many lines.
func (v *timing) latency(w, lines int) []string {
	if lines < 1 || w < 8 {
		return nil
	}
	t, p := v.theme, newPage(w, lines)
	cols := latencies(v.window, v.rtt.top)
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "rtt")
	if lines == 1 {
		l.put(&t.Text, "  ")
		l.b, l.w = append(l.b, sparkline(t, cols, w-1-l.w, 1)[0]...), w-1
		p.add(l)
		return p.lines
	}
	top := "0 " + t.Mark.Range + " " + short(time.Duration(v.rtt.top), t.ASCII)
	switch {
	case len(v.window) == 0:
		top = "no call in this time"
	case v.rtt.top == 0:
		top = "no good call in this time"
	}
	if l.w+2+width(top) <= w-1 {
		l.right(&t.Muted, top, w-1)
	}
	p.add(l)
	p.chart(sparkline(t, cols, w-2, lines-1))
	return p.lines
}

// paces is the chart of how many calls ended in a second.
func (v *timing) paces(w int) []string {
	if len(v.window) == 0 || w < 4 {
		return nil
	}
	t, p := v.theme, newPage(w, 2)
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "rate")
	p.add(l.right(&t.Muted, v.paceScale(), w-1))
	p.chart(sparkline(t, paces(v.window, v.rate.top), w-2, 1))
	return p.lines
}

func (v *timing) paceScale() string {
	return "0 " + v.theme.Mark.Range + " " + rateText(float64(v.rate.top)/1000) + "/s"
}

// rateText formats a rate of a scale, without decimals that say nothing.
func rateText(r float64) string {
	if r >= 1 {
		return console.Count(int(r + 0.5))
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// spread is the histogram of all good calls, in so many lines.
func (v *timing) spread(w, lines int) []string {
	rows := console.Bars(v.bands, min(lines-1, 9))
	if len(rows) < 2 || w < 24 {
		return nil
	}
	t, p := v.theme, newPage(w, len(rows)+1)
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "histogram")
	p.add(l.right(&t.Muted, count(v.good(), "good call"), w-1))
	for _, row := range histogram(t, rows, w-2) {
		p.add(&line{b: append([]byte{' '}, row.b...), w: row.w + 1})
	}
	return p.lines
}

// lastLine says how many calls there were, how many failed, and how fast those in the chart ended.
func (v *timing) lastLine(in int) *line {
	t, tm := v.theme, v.live
	if tm.Calls == 0 {
		return &line{}
	}
	calls, rate, failed := count(tm.Calls, "call"), "", ""
	if _, _, r := tally(v.window, v.now); r > 0 {
		rate = console.Rate(r)
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

// chart adds rows of cells with a column free at both sides.
func (p *page) chart(rows []string) {
	for _, row := range rows {
		p.add(&line{b: append([]byte{' '}, row...), w: p.w - 1})
	}
}
