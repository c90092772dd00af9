package dash

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

const (
	stateCells  = 12 // a sign, a space and "connecting"
	shareCells  = 5  // "100 %"
	leastBar    = 6
	mostBar     = 40
	mostAddress = 32
)

// peerColumns are the columns of the table in a pane of some width; 0 is one that has no room.
type peerColumns struct {
	number, address, bar                     int
	latency, pending, ejected, calls, failed bool
	host                                     string // stands above the addresses, which leave it out
}

// columns shares w cells: the state and the share always have theirs, a figure has it whole or not at all, and what is left is the bar's.
func (g *peers) columns(w int) peerColumns {
	c := peerColumns{number: 1, address: len("address")}
	for i := range g.list {
		c.number = max(c.number, len(strconv.Itoa(g.list[i].Number)))
		c.address = max(c.address, width(console.Printable(g.list[i].Address)))
	}
	c.address = min(c.address, mostAddress)
	fixed := func() int { return 1 + c.number + 1 + c.address + 2 + stateCells + 1 + shareCells + 1 }
	if fixed()+leastBar+1+durationWidth+2 > w {
		if c.host = g.sameHost(); c.host != "" {
			c.address = len(":65535")
		}
	}
	room := w - fixed()
	if c.bar = leastBar + 1; room < c.bar {
		c.bar = 0
		c.address = max(c.address+min(room, 0), 4)
		return c
	}
	room -= c.bar
	for _, figure := range []*bool{&c.latency, &c.pending, &c.ejected, &c.calls, &c.failed} {
		if room < 2+durationWidth {
			break
		}
		*figure, room = true, room-2-durationWidth
	}
	c.bar += min(max(room, 0), mostBar-leastBar)
	return c
}

// sameHost is the host that all the servers are on, "" where they differ.
func (g *peers) sameHost() string {
	same := ""
	for i := range g.list {
		host, _, err := net.SplitHostPort(g.list[i].Address)
		if err != nil || same != "" && host != same {
			return ""
		}
		same = host
	}
	return same
}

// View draws the table, and below it what else is to be said of servers that are not well, or of the chosen one.
func (g *peers) View(w, h int) []string {
	p, t := newPage(w, h), g.theme
	if len(g.list) == 0 {
		p.text(&t.Muted, " the servers behind the connection stand here")
		p.text(&t.Muted, " connect a:8888,b:8888,c:8888 goes to three")
		return p.done()
	}
	c := g.columns(w)
	if g.headed(h) {
		p.add(g.heads(c))
	}
	for i := g.top; i < len(g.list) && !p.full(); i++ {
		p.add(g.row(&g.list[i], c, w))
	}
	chart := g.trail.chart(t, g.list, w, p.left()-max(noteLines, min(2*len(g.list)+1, h/3)))
	room := p.left() - len(chart)
	notes := g.notes(w, room)
	if room > len(notes) && len(notes) > 0 {
		p.gap()
	}
	for _, l := range notes[:min(len(notes), room)] {
		p.add(l)
	}
	for p.left() > len(chart) {
		p.gap() // so that the chart stays where it is whatever there is to say
	}
	for _, l := range chart {
		p.add(l)
	}
	return p.done()
}

// noteLines are those that a chart leaves at least for what is to be said of servers, and for air around it.
const noteLines = 3

func (g *peers) heads(c peerColumns) *line {
	t := g.theme
	l := (&line{}).until(&t.Text, 1+c.number+1)
	name := "address"
	if c.address < len(name) {
		name = "port"
	}
	l.put(&t.Muted, name).until(&t.Text, 1+c.number+1+c.address+2).put(&t.Muted, "state")
	at := 1 + c.number + 1 + c.address + 2 + stateCells + 1
	l.until(&t.Text, at).put(&t.Muted, "share")
	at += c.bar + shareCells
	for _, f := range []struct {
		shown bool
		name  string
	}{{c.latency, "latency"}, {c.pending, "pending"}, {c.ejected, "ejected"}, {c.calls, "calls"}, {c.failed, "failed"}} {
		if f.shown {
			at += 2 + durationWidth
			l.right(&t.Muted, f.name, at)
		}
	}
	return l
}

func (g *peers) row(p *console.Peer, c peerColumns, w int) *line {
	t, l, mark := g.theme, &line{}, " "
	if p.Address == g.list[g.at()].Address && g.focus == atPeers {
		l.row, mark = theme.Chosen, t.Mark.Row
	}
	sign, signStyle, wordStyle := g.peerMark(p)
	text := console.Printable(p.Address)
	if c.host != "" {
		if _, port, err := net.SplitHostPort(p.Address); err == nil {
			text = ":" + console.Printable(port)
		}
	}
	l.put(&t.Accent, mark).right(&t.Muted, strconv.Itoa(p.Number), 1+c.number).put(&t.Text, " ")
	l.put(&t.Text, cut(text, c.address, t.Mark.Cut)).until(&t.Text, 1+c.number+1+c.address+2)
	at := l.w
	l.put(signStyle, sign).put(&t.Text, " ").put(wordStyle, cut(console.Printable(p.State), stateCells-2, t.Mark.Cut)).until(&t.Text, at+stateCells+1)
	at += stateCells + 1
	if c.bar > 0 {
		l.put(&t.Fill, barOf(t, int(min(max(p.Share, 0), 1)*1000+0.5), 1000, c.bar-1)).until(&t.Text, at+c.bar)
		at += c.bar
	}
	l.right(shareStyle(t, p), console.Percent(p.Share), at+shareCells)
	g.figures(l, p, c, at+shareCells)
	if l.row != theme.Ground {
		l.until(&t.Text, w)
	}
	return l
}

// shareStyle has a server that gets nothing recede.
func shareStyle(t *theme.Theme, p *console.Peer) *theme.Style {
	if p.Share == 0 {
		return &t.Muted
	}
	return &t.Text
}

// figures draws the columns that there is room for; at is where the one before them ends.
func (g *peers) figures(l *line, p *console.Peer, c peerColumns, at int) {
	t := g.theme
	put := func(shown bool, s *theme.Style, text string) {
		if shown {
			at += 2 + durationWidth
			l.right(s, text, at)
		}
	}
	latency := unknownCell
	if p.Latency > 0 {
		latency = durationCell(p.Latency, t.ASCII)
	}
	put(c.latency, &t.Text, latency)
	put(c.pending, quietZero(t, p.Pending), console.Count(p.Pending))
	ejected := &t.Muted
	if p.Ejections > 0 {
		ejected = &t.Warn
	}
	put(c.ejected, ejected, console.Count(int(p.Ejections)))
	put(c.calls, &t.Muted, console.Count(int(p.Calls)))
	failed := &t.Muted
	if p.Failures > 0 {
		failed = &t.Fail
	}
	put(c.failed, failed, console.Count(int(p.Failures)))
}

// quietZero has a count of nothing recede.
func quietZero(t *theme.Theme, n int) *theme.Style {
	if n == 0 {
		return &t.Muted
	}
	return &t.Text
}

// peerMark is the sign of a server's state with the styles of the sign and of its word.
func (s *scene) peerMark(p *console.Peer) (sign string, mark, word *theme.Style) {
	t := s.theme
	switch p.State {
	case console.PeerUp:
		return t.Mark.Connected, &t.OK, &t.Muted
	case console.PeerIdle:
		return t.Mark.Between, &t.Muted, &t.Muted
	case console.PeerDown:
		return t.Mark.Closed, &t.Fail, &t.Fail
	case console.PeerEjected:
		return t.Mark.Late, &t.Warn, &t.Warn
	}
	return t.Mark.Between, &t.Warn, &t.Warn
}

// notes says more of the chosen server while the pane has the keyboard, else of those that are not well, and why the look-up of the target failed.
func (g *peers) notes(w, h int) []*line {
	var out []*line
	for i := range g.list {
		p := &g.list[i]
		chosen := g.focus == atPeers && i == g.at()
		if chosen || g.focus != atPeers && (!p.Usable() || p.Lab != "") {
			out = append(out, g.note(p, w, max(h-1-len(out), 1), chosen)...)
		}
	}
	if why := g.stats.Discovery; why != "" {
		out = append(out, (&line{}).put(&g.theme.Text, " ").put(&g.theme.Warn, g.theme.Mark.Late+" ").put(&g.theme.Text, cut(console.Printable(why), w-4, g.theme.Mark.Cut)))
	}
	return out
}

// note is what is known of a server besides its row, in at most h lines; a chosen one has all of it. The error is last, and goes on below where there is room.
func (g *peers) note(p *console.Peer, w, h int, whole bool) []*line {
	t := g.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Strong, strconv.Itoa(p.Number))
	put := func(s *theme.Style, text string) {
		if text != "" && l.w+2+width(text) < w {
			l.put(&t.Text, "  ").put(s, text)
		}
	}
	put(&t.Warn, console.Printable(p.Lab))
	if p.Back > 0 {
		put(&t.Text, "tried again in "+tenths(p.Back, t.ASCII))
	}
	if whole {
		put(&t.Muted, console.Printable(p.Protocol))
		put(&t.Muted, count(p.Conns, "connection"))
		put(&t.Muted, count(int(p.Calls), "call"))
		put(&t.Muted, fmt.Sprintf("%s failed", console.Count(int(p.Failures))))
	}
	if p.Usable() && !whole {
		return []*line{l} // the error is an old one
	}
	return append([]*line{l}, g.why(l, console.Printable(p.LastError), w, min(h-1, 2))...)
}

// why ends a note with an error: on the same line where it fits, else on up to so many lines below, else cut.
func (g *peers) why(l *line, text string, w, below int) (out []*line) {
	t := g.theme
	room := w - l.w - 3
	switch {
	case text == "":
	case width(text) <= room, below < 1 && room >= 12:
		l.put(&t.Text, "  ").put(&t.Muted, cut(text, room, t.Mark.Cut))
	case below >= 1:
		rows := wrap(text, max(w-5, 1))
		for i, row := range rows[:min(len(rows), below)] {
			if i == below-1 && len(rows) > below {
				row = cut(row, w-5-width(t.Mark.Cut), "") + t.Mark.Cut
			}
			out = append(out, (&line{}).until(&t.Text, 4).put(&t.Muted, cut(row, w-5, t.Mark.Cut)))
		}
	}
	return out
}

// tenths writes a time that runs down without figures that only flicker.
func tenths(d time.Duration, ascii bool) string {
	if d < 10*time.Second && d >= 100*time.Millisecond {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	}
	return short(d, ascii)
}
