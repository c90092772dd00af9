package dash

import (
	"slices"
	"strings"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// From so many rows and cells on the figures of a server are a table, below that a line each.
const (
	serverRows  = 16
	serverCells = 46
)

func (g *server) View(w, h int) []string {
	p, t := newPage(w, h), g.theme
	g.paint = t
	if !g.seen.At.IsZero() && g.away() != "" {
		g.paint = faded(t)
	}
	switch {
	case g.stats.Target == "":
		p.text(&t.Muted, " a server tells here how it is")
		p.text(&t.Muted, " connect localhost:8888 connects to one")
	case g.seen.At.IsZero() && g.seen.Err != nil:
		g.trouble(p, t.Mark.Fail, console.Printable(g.seen.Err.Message), &t.Text)
		for _, s := range wrap(console.Printable(g.seen.Err.Hint), w-4) {
			p.text(&t.Muted, "   "+s)
		}
	case g.seen.At.IsZero() && !g.stats.Ours:
		p.text(&t.Muted, " only an rpckids server tells how it is, and this one has not shown to be one")
		p.text(&t.Muted, " status and peers tell what is seen from here")
	case g.seen.At.IsZero():
		p.text(&t.Muted, " the server is being asked")
	case h >= serverRows && w >= serverCells:
		g.table(p)
	default:
		g.brief(p)
	}
	return p.done()
}

// faded is a theme in which nothing stands out: it draws what is no longer so.
func faded(t *theme.Theme) *theme.Theme {
	f := *t
	f.Text, f.Strong, f.OK, f.Fail, f.Warn = t.Muted, t.Muted, t.Muted, t.Muted, t.Muted
	f.Fill, f.Accent = t.Border, t.Border
	return &f
}

// leastTrouble is how many lines a pane needs so that trouble may take more than one.
const leastTrouble = 5

// trouble says what is wrong, in two lines where there is room.
func (g *server) trouble(p *page, sign, text string, style *theme.Style) {
	t := g.theme
	more := ""
	if p.h >= leastTrouble {
		text, more = fold(text, p.w-4)
	}
	p.add((&line{}).put(&t.Text, " ").put(&t.Fail, sign+" ").put(style, cut(text, p.w-4, t.Mark.Cut)))
	if more != "" {
		p.text(style, "   "+cut(more, p.w-4, t.Mark.Cut))
	}
}

// head says how it is and since when, or that the figures below are old; more stands behind how long it runs.
func (g *server) head(p *page, more ...named) {
	s, t := &g.seen, g.paint
	if why := g.away(); why != "" {
		g.trouble(p, t.Mark.Closed, why, &g.theme.Fail)
		if p.h >= leastTrouble {
			p.text(&t.Muted, " what it said last, at "+s.At.Format(time.TimeOnly)+":")
		}
		return
	}
	sign, mark, word := t.Mark.Connected, &t.OK, &t.Text
	if s.Draining() {
		sign, mark, word = t.Mark.Between, &t.Warn, &t.Warn
	}
	l := (&line{}).put(&t.Text, " ").put(mark, sign).put(&t.Text, " ").put(word, s.Status)
	items := []named{{"up", short(s.Uptime.Truncate(time.Second), t.ASCII)}}
	if s.Uptime < time.Second {
		items[0].value = short(s.Uptime, t.ASCII)
	}
	items = append(items, more...)
	if s.Heap > 0 {
		items = append(items, named{"memory", console.Bytes(int(s.Heap))}, named{"goroutines", console.Count(int(s.Goroutines))})
	}
	if len(more) == 0 { // else what it is can be seen where there is room
		items = append(items, named{"", strings.TrimSpace(s.Name + " " + s.Go)}, named{"", strings.Join(s.Protocols, " ")})
	}
	p.add(g.put(l, p.w, items...))
}

// away says that the figures are old, and why; "" while they are fresh. The address is in sight already.
func (g *server) away() string {
	s := &g.seen
	old := g.now.Sub(s.At)
	if s.Err == nil && old < stale {
		return ""
	}
	why := "no answer"
	if old >= serverEvery {
		why += " for " + short(old.Truncate(time.Second), g.theme.ASCII)
	}
	if s.Err != nil {
		why += ": " + strings.TrimPrefix(console.Printable(s.Err.Message), s.Server+": ")
	}
	return why
}

// put adds pairs of a label and a figure, those that fit.
func (g *server) put(l *line, w int, items ...named) *line {
	t := g.paint
	for _, it := range items {
		label := it.name
		if label != "" {
			label += " "
		}
		if it.value == "" || l.w+2+width(label)+width(it.value) >= w {
			continue
		}
		style := &t.Text
		if label == "" {
			style = &t.Muted
		}
		l.put(&t.Text, "  ").put(&t.Muted, label).put(style, it.value)
	}
	return l
}

// brief has a line for each kind of figure, the most important first, and a chart where there is room.
func (g *server) brief(p *page) {
	s, t := &g.seen, g.paint
	g.head(p, append([]named{{"connections", console.Count(s.Connections)}}, g.kinds()...)...)
	l := (&line{}).put(&t.Text, " ").put(&t.Strong, s.RateText(s.Rates.Calls)).put(&t.Muted, " calls/s")
	for _, f := range []struct {
		word  string
		rate  float64
		style *theme.Style
	}{{" failed/s", s.Rates.Failed, g.failing()}, {" of them refused", s.Rates.Refused, &t.Warn}} {
		if text := s.RateText(f.rate); l.w+2+len(text)+len(f.word) < p.w {
			l.put(&t.Text, "  ").put(loud(t, f.rate > 0, f.style), text).put(&t.Muted, f.word)
		}
	}
	g.put(l, p.w, named{"in", s.BytesText(s.Rates.BytesIn) + "/s"}, named{"out", s.BytesText(s.Rates.BytesOut) + "/s"})
	p.add(l)
	l = (&line{}).put(&t.Text, " ")
	g.share(l, "in flight", s.InFlight, s.Limit, (p.w-54)/2)
	if l.w+30 < p.w {
		l.put(&t.Text, "  ")
		g.share(l, "workers", s.Running, s.Workers, (p.w-54)/2)
	}
	if queued := console.Count(s.Queued); l.w+9+len(queued) < p.w {
		l.put(&t.Text, "  ").put(&t.Muted, "queued ").put(loud(t, s.Queued > 0, &t.Warn), queued)
	}
	p.add(l)
	p.add(g.reasonLine(p.w))
	g.chart(p, 8)
}

// failing is the style of calls that fail: refusals alone are no fault of the server.
func (g *server) failing() *theme.Style {
	if g.seen.Rates.Failed > g.seen.Rates.Refused {
		return &g.paint.Fail
	}
	return &g.paint.Warn
}

// loud is the style of a figure that means something, unless there is nothing of it.
func loud(t *theme.Theme, on bool, style *theme.Style) *theme.Style {
	if on {
		return style
	}
	return &t.Muted
}

// share writes how many there are of how many, with a bar of so many cells where there is room.
func (g *server) share(l *line, label string, n, of, bar int) {
	t := g.paint
	l.put(&t.Muted, label+" ").put(&t.Text, console.Count(n))
	if of > 0 {
		l.put(&t.Muted, " of "+console.Count(of))
		g.bar(l, n, of, min(bar, 20))
	}
}

// bar draws a share; a full one warns.
func (g *server) bar(l *line, n, of, cells int) {
	if cells < 4 || of < 1 {
		return
	}
	t := g.paint
	part := min(float64(n)/float64(of), 1)
	style := &t.Fill
	if part >= 0.95 {
		style = &t.Warn
	}
	if n > 0 {
		part = max(part, 1/float64(cells)) // something is never nothing
	}
	done, rest := console.BenchBar(part, cells, t.ASCII)
	if !t.Letters {
		rest = strings.ReplaceAll(rest, "┄", "━")
	}
	l.put(&t.Text, " ").put(style, done).put(&t.Border, rest)
}

// reasonLine is why it refused, in one line.
func (g *server) reasonLine(w int) *line {
	s, t := &g.seen, g.paint
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "refused ").put(loud(t, s.Rates.Refused > 0, &t.Warn), console.Count(int(s.Refused)))
	for i := range s.Reasons {
		r := &s.Reasons[i]
		n := console.Count(int(r.Count))
		if l.w+3+width(r.Name)+len(n) >= w {
			break
		}
		l.put(&t.Text, "  ").put(&t.Muted, r.Name+" ").put(loud(t, r.Rate > 0, &t.Warn), n)
	}
	return l
}

// kinds are what the connections speak.
func (g *server) kinds() []named {
	s := &g.seen
	kinds := []named{{"v1", console.Count(s.V1)}, {"v2", console.Count(s.V2)}}
	if s.Silent() > 0 {
		kinds = append(kinds, named{"silent", console.Count(s.Silent())})
	}
	return kinds
}

// The columns of the table: where a label's figure ends, and that of all since the start.
const (
	serverFirst  = 24
	serverSecond = 38
)

// table has a row for each figure.
func (g *server) table(p *page) {
	s, t := &g.seen, g.paint
	airy := p.h >= 20
	gap := func() {
		if airy {
			p.gap()
		}
	}
	g.head(p)
	gap()
	row := func(label, value string, style *theme.Style) *line {
		return (&line{}).put(&t.Text, " ").put(&t.Muted, label).right(style, value, serverFirst)
	}
	share := func(label string, n, of int) {
		l := row(label, console.Count(n), &t.Text)
		if of > 0 {
			l.put(&t.Muted, "  of "+console.Count(of)).until(&t.Text, serverSecond)
			g.bar(l, n, of, min(p.w-l.w-2, 30))
		}
		p.add(l)
	}
	p.add(g.put(row("connections", console.Count(s.Connections), &t.Text), p.w, g.kinds()...))
	share("in flight", s.InFlight, s.Limit)
	share("workers", s.Running, s.Workers)
	l := row("queued", console.Count(s.Queued), loud(t, s.Queued > 0, &t.Warn))
	p.add(g.put(l, p.w, named{"streams", console.Count(s.Streams)}))
	gap()
	g.counts(p)
	if room := p.left() - 5; room > 0 || !airy {
		g.reasons(p, max(room, min(p.left(), 3)))
	}
	gap()
	g.chart(p, max(8, p.h/3))
}

// counts are what it did in a second, and in all.
func (g *server) counts(p *page) {
	s, t := &g.seen, g.paint
	p.add((&line{}).right(&t.Muted, "per second", serverFirst).right(&t.Muted, "in all", serverSecond))
	row := func(label, rate string, rateStyle *theme.Style, all string) {
		p.add((&line{}).put(&t.Text, " ").put(&t.Muted, label).right(rateStyle, rate, serverFirst).right(&t.Text, all, serverSecond))
	}
	row("calls", s.RateText(s.Rates.Calls), &t.Strong, console.Count(int(s.Calls)))
	if s.Canceled > 0 || p.h >= 24 {
		row("canceled", s.RateText(s.Rates.Canceled), loud(t, s.Rates.Canceled > 0, &t.Text), console.Count(int(s.Canceled)))
	}
	if s.Panics > 0 || p.h >= 24 {
		row("panics", s.RateText(s.Rates.Panics), loud(t, s.Rates.Panics > 0, &t.Fail), console.Count(int(s.Panics)))
	}
	row("bytes in", s.BytesText(s.Rates.BytesIn), &t.Text, console.Bytes(int(s.BytesIn)))
	row("bytes out", s.BytesText(s.Rates.BytesOut), &t.Text, console.Bytes(int(s.BytesOut)))
	row("failed", s.RateText(s.Rates.Failed), loud(t, s.Rates.Failed > 0, g.failing()), console.Count(int(s.Failed)))
	row("of them refused", s.RateText(s.Rates.Refused), loud(t, s.Rates.Refused > 0, &t.Warn), console.Count(int(s.Refused)))
}

// reasons are why it refused, one a row in at most so many.
func (g *server) reasons(p *page, rows int) {
	s, t := &g.seen, g.paint
	for i := range s.Reasons[:min(len(s.Reasons), max(rows, 0))] {
		r := &s.Reasons[i]
		l := (&line{}).right(loud(t, r.Rate > 0, &t.Warn), s.RateText(r.Rate), serverFirst).right(&t.Text, console.Count(int(r.Count)), serverSecond).put(&t.Text, "  ")
		if text := console.RefusalText(r.Name); l.w+width(text) < p.w {
			l.put(&t.Muted, text)
		} else {
			l.put(&t.Muted, cut(r.Name, p.w-l.w-1, t.Mark.Cut))
		}
		p.add(l)
	}
}

// chart draws the calls in a second in what is left of the page, in at most so many rows besides its title.
func (g *server) chart(p *page, most int) {
	s, t := &g.seen, g.paint
	rows := min(p.left()-1, most)
	if rows < 1 || p.w < 24 || len(s.Paces) == 0 {
		return
	}
	var all []int64
	for _, v := range s.Paces {
		all = append(all, int64(v+0.5))
	}
	g.scale.fit("calls of "+s.Server, max(slices.Max(all[max(len(all)-(p.w-2), 0):]), 1), g.now)
	for p.left() > rows+1 {
		p.gap() // it stands at the bottom, wherever the rest ends
	}
	l := (&line{}).put(&t.Muted, " calls, second by second")
	p.add(l.right(&t.Muted, "0 "+t.Mark.Range+" "+console.Count(int(g.scale.top))+"/s", p.w-1))
	pillars := make([]pillar, len(s.Paces))
	for i, v := range s.Paces {
		pillars[i] = pillar{high: v / float64(g.scale.top)}
	}
	for _, r := range sparkline(t, pillars, p.w-2, rows) {
		p.add(&line{b: append([]byte{' '}, r...), w: p.w - 1})
	}
}
