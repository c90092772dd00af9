package dash

import (
	"math"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
)

// charts is the page of charts about the subject of Timing: how long calls took over time, how many ended in a second, and the percentiles up to the
// last call. It has no subject of its own, so what is chosen there is shown here. All charts are ours and of characters: what a colour says, a shade says, too.
type charts struct {
	*timing
	first  int // of the charts, where not all of them have room
	most   int // how many have room
	upper  []console.Bucket
	lower  []console.Bucket
	loaded snapshot
}

const (
	axis        = 9  // cells for the scale at the left of a chart, with the column that is free
	sideBySide  = 72 // from so many cells on two charts stand below the first one
	chartHeight = 5  // lines of a chart at least: title, three rows, axis
	chartCount  = 3
)

// load reads what the page shows in so much room. Timing has to be loaded before.
func (c *charts) load(in rect) {
	if in.empty() {
		c.loaded = snapshot{}
		return
	}
	s := c.seen
	s.columns = in.w
	if s == c.loaded {
		return
	}
	c.loaded = s
	c.upper = c.columns(c.scene, in.w-axis-1)
	c.lower = c.upper
	if left := c.left(in.w); left < in.w {
		c.lower = c.columns(c.scene, left-axis-1)
	}
	c.drift(c.scene, c.upper)
}

// left is how wide the second chart is.
func (c *charts) left(w int) int {
	if w < sideBySide {
		return w
	}
	return w * 6 / 10
}

func (c *charts) Update(key string) wish {
	switch key {
	case "g":
		return wishGo(atTiming)
	case "up", "k":
		c.first = max(c.first-1, 0)
	case "down", "j":
		c.first = min(c.first+1, chartCount-c.most)
	case "h":
	default:
		return c.timing.Update(key)
	}
	return nil
}

func (c *charts) Keys() []key {
	return []key{{"g", "back", "back to Timing"}, {"+ -", "span", "longer, shorter time"}, {"left right", "type", "charts of another type"},
		{"up down", "", "where there is no room for all"}, {"esc", "prompt", ""}}
}

func (c *charts) Heading(w, _ int) heading {
	h := heading{name: "Charts"}
	if c.live.Calls > 0 {
		h.subject, h.right = console.Printable(c.typ), "last "+c.spanText()
		if c.most < chartCount {
			h.right = strconv.Itoa(c.first+1) + " of " + strconv.Itoa(chartCount) + "  " + c.spanText()
		}
	}
	return h
}

// View draws the heatmap over the other two, side by side where the page is wide. Where it is low it shows as many as there is room for.
func (c *charts) View(w, h int) []string {
	p := newPage(w, h)
	if c.live.Calls == 0 {
		c.most = chartCount
		p.gap()
		p.text(&c.theme.Muted, cut(" no call yet: charts come with the first one", w, c.theme.Mark.Cut))
		return p.done()
	}
	if w >= sideBySide && h >= 2*chartHeight {
		c.most, c.first = chartCount, 0
		upper := (h + 1) / 2
		p.lines = append(p.lines, c.heatmap(w, upper)...)
		left := c.left(w)
		a, b := c.throughput(left, h-upper), c.percentiles(w-left, h-upper)
		for i := range a {
			p.lines = append(p.lines, a[i]+b[i])
		}
		return p.done()
	}
	c.most = min(max(h/chartHeight, 1), chartCount)
	c.first = min(c.first, chartCount-c.most)
	all := []func(w, h int) []string{c.heatmap, c.throughput, c.percentiles}
	for i := range c.most {
		p.lines = append(p.lines, all[c.first+i](w, p.left()/(c.most-i))...)
	}
	return p.done()
}

// title is the first line of a chart: what it shows, and its scale in words.
func (c *charts) title(p *page, name, right string) {
	t := c.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, cut(name, p.w-2, t.Mark.Cut))
	if l.w+2+width(right) < p.w {
		l.right(&t.Muted, right, p.w-1)
	}
	p.add(l)
}

// timeAxis names the two ends of the time.
func (c *charts) timeAxis(p *page) {
	t := c.theme
	l := (&line{}).until(&t.Text, axis).put(&t.Muted, c.spanText()+" ago")
	if end := "now"; l.w+2+len(end) <= p.w-1 {
		l.right(&t.Muted, end, p.w-1)
	}
	p.add(l)
}

// throughput shows how many calls ended in a second.
func (c *charts) throughput(w, h int) []string {
	p := newPage(w, h)
	right := ""
	if _, _, r := tally(c.lower, c.now); r > 0 {
		right = console.Rate(r) + "/s on average"
	}
	c.title(p, "calls a second", right)
	var most int64
	for _, b := range c.lower {
		most = max(most, pace(b))
	}
	top := max(c.rate.top, console.Step125(most)) // columns of another width have other peaks
	cols := paces(c.lower, top)
	for i, b := range c.lower {
		cols[i].failed, cols[i].bad = b.Failed > 0, b.Failed > 0 && b.Failed == b.Count
	}
	c.framed(p, cols, rateText(float64(top)/1000), "0")
	c.timeAxis(p)
	return p.done()
}

// framed draws pillars beside their scale in all lines but the last, where the axis stands if the chart is not too low for it.
func (c *charts) framed(p *page, cols []pillar, top, bottom string) {
	rows := p.left()
	if p.h > 3 {
		rows--
	}
	if rows < 1 {
		return
	}
	t := c.theme
	for i, row := range sparkline(t, cols, p.w-axis-1, rows) {
		l := &line{}
		switch i {
		case 0:
			l.right(&t.Muted, top, axis-2)
		case rows - 1:
			l.right(&t.Muted, bottom, axis-2)
		}
		l.until(&t.Text, axis)
		l.b, l.w = append(l.b, row...), l.w+max(p.w-axis-1, 0)
		p.add(l)
	}
}

// percentiles shows what share of all good calls took no longer than how long. Each further nine of the share has the same room, as far as there are
// calls enough to tell, so that the slow few are as wide as the rest.
func (c *charts) percentiles(w, h int) []string {
	t, p := c.theme, newPage(w, h)
	good := 0
	for _, b := range c.bands {
		good += b.Count
	}
	c.title(p, "percentiles", count(good, "good call"))
	n := w - axis - 1
	if good == 0 || n < 2 {
		return p.done()
	}
	nines := min(max(math.Log10(float64(good)), 1), 5)
	top := console.Step125(int64(c.bands[len(c.bands)-1].Upto))
	cols := make([]pillar, n)
	for i := range cols {
		q := 1 - math.Pow(10, -nines*float64(i+1)/float64(n))
		if i == n-1 {
			q = 1
		}
		cols[i].high = share(int64(console.BandAt(c.bands, good, q)), top)
	}
	axisLine := (&line{}).until(&t.Text, axis)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999} {
		at := int(-math.Log10(1-q)/nines*float64(n)+0.5) - 1
		name := "p" + strconv.FormatFloat(100*q, 'f', -1, 64)
		if at < 0 || at >= n {
			continue
		}
		cols[at].lit = true
		if x := min(axis+at-len(name)/2, w-1-len(name)); x > axisLine.w || x == axis {
			axisLine.until(&t.Text, x).put(&t.Muted, name)
		}
	}
	if end := "max"; axisLine.w+2+len(end) < w {
		axisLine.right(&t.Muted, end, w-1)
	}
	c.framed(p, cols, short(time.Duration(top), t.ASCII), "0")
	p.add(axisLine)
	return p.done()
}
