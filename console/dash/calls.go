package dash

import (
	"sort"
	"strconv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// calls is the list of what was called, the newest at the bottom. It follows the newest entry while that one is chosen; otherwise it stands.
type calls struct {
	*scene
	chosen int // number of the chosen entry; 0: the newest, whichever it is
	bottom int // number of the lowest entry shown while it stands
	rows   int // how many entries are shown
	types  int // the widest type seen: columns grow and never shrink
	window []console.Entry
}

const (
	firstColumns = 4  // the narrowest type column
	mostColumns  = 16 // the widest
	stateColumns = 10
)

// load reads the entries that are visible in a pane of h lines. It is called when the journal, the choice or the size changed.
func (c *calls) load(h int) {
	c.rows = max(h-1, 0)
	j := c.session.Journal()
	if _, kept := j.Entry(c.chosen); !kept || c.chosen >= c.last {
		c.chosen = 0
	}
	switch {
	case c.chosen == 0:
		c.bottom = c.last
	case c.chosen > c.bottom:
		c.bottom = c.chosen
	case c.chosen <= c.bottom-c.rows:
		c.bottom = c.chosen + c.rows - 1
	}
	c.bottom = min(c.bottom, c.last)
	c.window = j.Tail(c.rows, c.bottom)
	for _, e := range c.window {
		c.types = min(max(c.types, width(console.Printable(e.Type)), firstColumns), mostColumns)
	}
}

// number is the chosen entry; 0 when there is none.
func (c *calls) number() int {
	if c.chosen > 0 {
		return c.chosen
	}
	return c.last
}

func (c *calls) Update(key string) wish {
	n := c.number()
	switch key {
	case "down", "j":
		n++
	case "up", "k":
		n--
	case "pgdown":
		n += max(c.rows, 1)
	case "pgup":
		n -= max(c.rows, 1)
	case "home", "g":
		n = 1
	case "end", "G":
		n = c.last
	default:
		return c.act(key, n)
	}
	if c.last > 0 {
		c.choose(n)
	}
	return wishShow{}
}

// choose picks an entry as near to n as the journal still has.
func (c *calls) choose(n int) {
	j := c.session.Journal()
	oldest := 1 + sort.Search(c.last-1, func(i int) bool { _, kept := j.Entry(i + 1); return kept })
	c.chosen = min(max(n, oldest), c.last)
	if c.chosen == c.last {
		c.chosen = 0
	}
}

func (c *calls) act(key string, n int) wish {
	e, ok := c.session.Journal().Entry(n)
	if !ok {
		return nil
	}
	switch key {
	case "enter":
		return wishOpen{}
	case "r":
		return wishRun("rerun " + strconv.Itoa(n))
	case "e":
		if e.Dropped {
			return nil // half a line would do something else
		}
		return wishEdit(commandLine(e))
	}
	return nil
}

func (c *calls) Keys() []key {
	m := c.theme.Mark
	return []key{
		{"j k", "move", ""},
		{"j k " + m.Up + " " + m.Down, "", "move"},
		{"pgup pgdn", "", "a page up, down"},
		{"home end", "", "oldest, newest"},
		{"enter", "open", "open in Result"},
		{"r", "rerun", "run again"},
		{"e", "edit", "edit, then run"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

func (c *calls) Heading(w, h int) heading {
	hd := heading{number: 1, name: "Calls"}
	switch {
	case c.last == 0:
	case c.chosen > 0:
		hd.right = "#" + strconv.Itoa(c.chosen) + ", " + console.Count(c.last-c.chosen) + " newer"
	case w >= 84:
		hd.right = strconv.Itoa(len(c.window)) + " of " + console.Count(c.last) + ", newest last"
	default:
		hd.right = strconv.Itoa(len(c.window)) + " of " + console.Count(c.last)
	}
	return hd
}

// columns says which columns a pane of that width has.
type columns struct {
	number, types, payload int
	time, kind, server     bool
}

func (c *calls) columns(w int) columns {
	k := columns{number: max(len(strconv.Itoa(c.last))+1, 4), types: max(c.types, firstColumns)}
	k.kind, k.server, k.time = w >= 70, w >= 70, w >= 84
	right := durationWidth + 1 + stateColumns
	if k.server {
		right += durationWidth + 2
	}
	left := 1 + k.number + 1 + k.types + 1
	if k.kind {
		left += 6
	}
	if k.time {
		left += 14
	}
	if w < 46 {
		k.types = min(k.types, 6)
		left = 1 + k.number + 1 + k.types + 1
	}
	k.payload = max(w-left-right-1, 0)
	return k
}

func (c *calls) View(w, h int) []string {
	p := newPage(w, h)
	k := c.columns(w)
	c.header(p, k)
	for _, e := range c.window[max(len(c.window)-p.left(), 0):] {
		p.add(c.entry(e, k))
	}
	if c.last == 0 {
		p.text(&c.theme.Muted, "  calls and casts stand here, the newest last")
	}
	return p.done()
}

func (c *calls) header(p *page, k columns) {
	t, l := c.theme, &line{}
	l.right(&t.Muted, "#", 1+k.number).put(&t.Text, " ")
	if k.time {
		l.put(&t.Muted, "time          ")
	}
	if k.kind {
		l.put(&t.Muted, "kind  ")
	}
	at := l.w + k.types + 1
	l.put(&t.Muted, "type").until(&t.Text, at)
	at = l.w + k.payload + 1
	l.put(&t.Muted, cut("payload", k.payload, "")).until(&t.Text, at)
	l.put(&t.Muted, " rtt   ")
	if k.server {
		l.put(&t.Muted, "server   ")
	}
	l.put(&t.Muted, " state")
	p.add(l)
}

func (c *calls) entry(e console.Entry, k columns) *line {
	t, l := c.theme, &line{}
	number := &t.Muted
	bar := " "
	barStyle := &t.Muted
	if e.Number == c.number() {
		l.row, number, bar = theme.Quiet, &t.Strong, t.Mark.Row
		if c.focus == atCalls {
			l.row, barStyle = theme.Chosen, &t.Accent
		}
	}
	sign, mark, word := c.markOf(e)
	if e.State == console.Failed {
		number = &t.Fail
	}
	l.put(barStyle, bar).until(&t.Text, 1).right(number, strconv.Itoa(e.Number), 1+k.number).put(&t.Text, " ")
	if k.time {
		l.put(&t.Muted, clock(e.Started)).put(&t.Text, "  ")
	}
	if k.kind {
		l.put(&t.Muted, e.Kind.String()).put(&t.Text, "  ")
	}
	at := l.w
	l.put(&t.Text, cut(console.Printable(e.Type), k.types, t.Mark.Cut)).until(&t.Text, at+k.types+1)
	at = l.w
	payload := ""
	if e.Payload != nil {
		payload = cut(oneLine(e.Payload), k.payload, t.Mark.Cut)
	}
	l.put(&t.Muted, payload).until(&t.Text, at+k.payload+1)
	took := &t.Text
	if e.State == console.Failed {
		took = &t.Fail
	}
	l.put(took, durationCell(c.elapsed(e), t.ASCII))
	if k.server {
		l.put(&t.Text, "  ").put(&t.Muted, c.serverCell(e))
	}
	at = l.w
	l.put(&t.Text, " ").put(mark, sign).put(&t.Text, " ").put(word, cut(e.Word(), stateColumns-2, ""))
	return l.until(&t.Text, at+1+stateColumns)
}

func (c *calls) serverCell(e console.Entry) string {
	if !e.HasServer {
		return unknownCell
	}
	return durationCell(e.Server, c.theme.ASCII)
}
