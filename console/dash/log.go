package dash

import (
	"strconv"

	"github.com/rpckids/rpckids/console"
)

// logbook shows the log of the session, the newest event at the bottom: connections made and lost, what commands said and why they failed. It follows the newest
// until somebody scrolls up.
type logbook struct {
	*scene
	last   int // number of the newest event
	bottom int // number of the lowest event shown while it stands; 0: the newest
	events []console.Event
	w      int
	rows   int
}

// load reads the events that there is room for.
func (g *logbook) load(in rect) {
	g.w, g.rows = in.w, in.h
	if in.empty() {
		return
	}
	log := g.session.Log()
	g.last = log.Last()
	if g.bottom >= g.last {
		g.bottom = 0
	}
	g.events = log.Tail(in.h, g.bottom)
}

func (g *logbook) Update(key string) wish {
	n := g.bottom
	if n == 0 {
		n = g.last
	}
	page := max(g.rows-1, 1)
	switch key {
	case "down", "j":
		n++
	case "up", "k":
		n--
	case "pgdown", " ":
		n += page
	case "pgup":
		n -= page
	case "home", "g":
		n = 1
	case "end", "G":
		n = g.last
	default:
		return nil
	}
	n = min(max(n, g.oldest()), g.last)
	if g.bottom = n; n == g.last {
		g.bottom = 0
	}
	return nil
}

// oldest is the lowest number at which the pane can stand: the events from the first one kept up to it fill the pane.
func (g *logbook) oldest() int {
	used, at := 0, 0
	for _, e := range g.session.Log().Tail(g.last, 0) {
		if used += len(g.event(&e, g.w, g.rows)); at > 0 && used > g.rows {
			break
		}
		at = e.Number
	}
	return at
}

func (g *logbook) Keys() []key {
	m := g.theme.Mark
	return []key{
		{"j k", "scroll", ""},
		{"j k " + m.Up + " " + m.Down, "", "scroll"},
		{"pgup pgdn", "page", "a page up, down"},
		{"home end", "", "oldest, newest"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

func (g *logbook) Heading(w, h int) heading {
	hd := heading{number: int(atLog), name: "Log"}
	switch {
	case g.last == 0:
	case g.bottom > 0:
		hd.right = console.Count(g.last-g.bottom) + " newer"
	case w >= 30:
		hd.right = count(g.last, "event")
	default:
		hd.right = strconv.Itoa(g.last)
	}
	return hd
}

// View draws the newest events from the bottom up, each in as many rows as its text takes, and then turns them round.
func (g *logbook) View(w, h int) []string {
	p, t := newPage(w, h), g.theme
	if g.last == 0 {
		p.text(&t.Muted, " connections, notices and errors stand here")
		return p.done()
	}
	var rows []*line
	for i := len(g.events) - 1; i >= 0 && len(rows) < h; i-- {
		rows = append(g.event(&g.events[i], w, h), rows...)
	}
	for _, l := range rows[max(len(rows)-h, 0):] {
		p.add(l)
	}
	return p.done()
}

// event is one of them in at most h rows: when, what kind, and the text.
func (g *logbook) event(e *console.Event, w, h int) (rows []*line) {
	t := g.theme
	sign, mark, word := t.Mark.To, &t.Muted, &t.Muted
	switch e.Kind {
	case console.EventUp:
		sign, mark, word = t.Mark.Connected, &t.OK, &t.Text
	case console.EventLost:
		sign, mark, word = t.Mark.Closed, &t.Warn, &t.Text
	case console.EventFailed:
		sign, mark, word = t.Mark.Fail, &t.Fail, &t.Text
	}
	at := 12
	if w < 30 {
		at = 3 // no room for the time
	}
	texts := wrap(e.Text, max(w-at-1, 1))
	for i, text := range texts[:min(len(texts), max(h, 0))] {
		l := (&line{}).put(&t.Text, " ")
		if i == 0 && w >= 30 {
			l.put(&t.Muted, e.At.Format("15:04:05")).put(&t.Text, " ")
		}
		if i == 0 {
			l.put(mark, sign)
		}
		if i == h-1 && len(texts) > h {
			text = cut(text, w-at-1-width(t.Mark.Cut), "") + t.Mark.Cut
		}
		rows = append(rows, l.until(&t.Text, at).put(word, cut(text, w-at-1, t.Mark.Cut)))
	}
	return rows
}
