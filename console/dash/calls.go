package dash

import (
	"strconv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// calls is the list of what was called, the newest at the bottom. It follows the newest entry while that one is chosen; otherwise it stands. A filter leaves only
// some of them.
type calls struct {
	*scene
	chosen int // number of the chosen entry; 0: the newest, whichever it is
	bottom int // number of the lowest entry shown while it stands
	rows   int // how many entries are shown
	types  int // the widest type seen: columns grow and never shrink
	window []console.Entry

	box    box   // the filter while it is typed
	sieve  sieve // what it leaves
	wrong  error // why what is typed is no filter
	beside int   // the entry that another one is being chosen for, to compare them; 0: none
}

const (
	firstColumns = 4  // the narrowest type column
	mostColumns  = 16 // the widest
	stateColumns = 10
	kindColumn   = 8 // "upload" and the space behind it
)

// load reads the entries that are visible in a pane of h lines. It is called when the journal, the choice or the size changed.
func (c *calls) load(h int) {
	if h <= 0 {
		return // it is not shown, and stands where it stood when it is again
	}
	c.rows = max(h-1, 0)
	if c.box.open {
		c.rows = max(h-c.headed(h)-1, 0)
	}
	j := c.session.Journal()
	if _, kept := j.Entry(c.chosen); !kept || c.chosen >= c.newest() {
		c.chosen = 0
	}
	if _, kept := j.Entry(c.beside); !kept {
		c.beside = 0
	}
	if c.filtered() {
		c.loadSome(j)
	} else {
		c.loadAll(j)
	}
	for _, e := range c.window {
		c.types = min(max(c.types, width(console.Printable(e.Type)), firstColumns), mostColumns)
	}
}

func (c *calls) loadAll(j *console.Journal) {
	switch {
	case c.chosen == 0:
		c.bottom = c.last
	case c.chosen > c.bottom:
		c.bottom = c.chosen
	case c.chosen <= c.bottom-c.rows:
		c.bottom = c.chosen + c.rows - 1
	}
	c.bottom = min(max(c.bottom, c.rows), c.last) // what there is room for is shown
	c.window = j.Tail(c.rows, c.bottom)
}

func (c *calls) loadSome(j *console.Journal) {
	c.sieve.sift(c.scene)
	c.bottom = min(c.bottom, c.sieve.newest())
	if c.chosen == 0 || c.chosen > c.bottom {
		c.bottom = c.number()
	}
	c.window = c.sieve.tail(j, c.rows, c.bottom)
	if len(c.window) > 0 && c.chosen > 0 && c.chosen < c.window[0].Number {
		c.bottom = c.sieve.step(c.chosen, c.rows-1)
		c.window = c.sieve.tail(j, c.rows, c.bottom)
	}
}

// filtered says whether only some calls are listed.
func (c *calls) filtered() bool { return !c.sieve.filter.All() }

// newest is the number of the last entry in the list.
func (c *calls) newest() int {
	if c.filtered() {
		return c.sieve.newest()
	}
	return c.last
}

// number is the chosen entry; 0 when there is none.
func (c *calls) number() int {
	if c.chosen > 0 {
		return c.chosen
	}
	return c.newest()
}

// picked is the entry that was chosen by hand or by a filter; 0 for the newest of all.
func (c *calls) picked() int {
	if !c.filtered() {
		return c.chosen
	}
	c.sieve.sift(c.scene)
	return c.number()
}

func (c *calls) Heading(w, h int) heading {
	hd := heading{number: 1, name: "Calls"}
	if c.filtered() {
		hd.subject = "/" + cut(console.Printable(c.sieve.filter.String()), max(w/2, 8), c.theme.Mark.Cut)
	}
	switch {
	case c.last == 0:
	case c.beside > 0:
		hd.right = "#" + strconv.Itoa(c.beside) + " beside which?"
	case c.filtered() && c.sieve.behind:
		hd.right = "looking"
	case c.filtered():
		hd.right = console.Count(len(c.sieve.found)) + " of " + console.Count(min(c.last, journalHeld))
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
		left += kindColumn
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
	if c.headed(h) > 0 {
		c.header(p, k)
	}
	room := p.left()
	if c.box.open {
		room = max(room-1, 0)
	}
	for _, e := range c.window[max(len(c.window)-room, 0):] {
		p.add(c.entry(e, k))
	}
	switch {
	case c.last == 0:
		p.text(&c.theme.Muted, "  calls and casts stand here, the newest last")
	case len(c.window) == 0 && c.filtered() && !c.sieve.behind:
		p.text(&c.theme.Muted, "  no such call")
	}
	lines := p.done()
	if c.box.open && h > 0 {
		lines[h-1] = c.typed(w)
	}
	return lines
}

// headed is how many rows the names of the columns take: none where there is hardly room for the filter that is being typed.
func (c *calls) headed(h int) int {
	if c.box.open && h <= 3 {
		return 0
	}
	return 1
}

// typed is the row of the filter while it is typed, with what is wrong with it at its end.
func (c *calls) typed(w int) string {
	p, t := newPage(w, 1), c.theme
	l := c.box.draw(t, "/", w)
	if e, ok := c.wrong.(*console.Error); ok {
		text := console.Printable(e.Message)
		if e.Hint != "" {
			text += ", " + console.Printable(e.Hint)
		}
		if room := w - l.w - 4; room > 8 {
			l.right(&t.Fail, cut(text, room, t.Mark.Cut), w-1)
		}
	}
	p.add(l)
	return p.done()[0]
}

func (c *calls) header(p *page, k columns) {
	t, l := c.theme, &line{}
	l.right(&t.Muted, "#", 1+k.number).put(&t.Text, " ")
	if k.time {
		l.put(&t.Muted, "time          ")
	}
	if k.kind {
		l.put(&t.Muted, "kind    ")
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
	failed := e.State == console.Failed && !e.Stopped()
	if failed {
		number = &t.Fail
	}
	if e.Number == c.beside {
		number = &t.Focus
	}
	l.put(barStyle, bar).until(&t.Text, 1).right(number, strconv.Itoa(e.Number), 1+k.number).put(&t.Text, " ")
	if k.time {
		l.put(&t.Muted, clock(e.Started)).put(&t.Text, "  ")
	}
	if k.kind {
		at := l.w
		l.put(&t.Muted, e.Kind.String()).until(&t.Text, at+kindColumn)
	}
	at := l.w
	l.put(&t.Text, cut(console.Printable(e.Type), k.types, t.Mark.Cut)).until(&t.Text, at+k.types+1)
	at = l.w
	payload := ""
	if e.Payload != nil {
		payload = cut(oneLine(e.Payload), k.payload, t.Mark.Cut)
	}
	if some := e.ItemsText(); some != "" { // which is what tells one stream from another
		l.put(&t.Text, cut(some, k.payload, t.Mark.Cut)).put(&t.Text, "  ")
		payload = cut(payload, at+k.payload-l.w, t.Mark.Cut)
	}
	l.put(&t.Muted, payload).until(&t.Text, at+k.payload+1)
	took := &t.Text
	if failed {
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
	d, known := e.ServerTime()
	if !known {
		return unknownCell
	}
	return durationCell(d, c.theme.ASCII)
}
