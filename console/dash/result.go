package dash

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// result shows the reply of an entry, why it failed, or what a command that calls nothing had to say.
type result struct {
	*scene
	output *output
	laid   content // what the sheet shows, or will show when its work is back
	sheet  sheet
	laying errand
	items  items     // of the entry, when it is a stream
	opened *itemLine // the item that is shown in full; nil: the list
	filter jq
	find   finder
	bars   bars // of a bench
	w      int  // cells that its lines may take
	rows   int  // lines that there is room for; 0 while it is not shown
	facts  bool
}

// output is the text of a command.
type output struct {
	command string
	text    string
	diff    []console.DiffLine // what text says, where calls were compared
	err     *console.Error     // when it failed without a call
	bench   bool               // it is the newest bench, which may still run
}

// content is what a sheet was made of: it is made anew when another one is to be shown.
type content struct {
	output  *output
	number  int           // of the entry; 0: the output or nothing
	state   console.State // a running one gets its reply later
	items   int           // of a stream that is filtered
	dropped bool
	opened  *itemLine
	filter  string
	on      bool // it is filtered
}

func (r *result) content() content {
	if r.output != nil {
		return content{output: r.output}
	}
	e := r.done
	s := content{number: e.Number, state: e.State, dropped: e.Dropped, opened: r.opened}
	if r.filtered() {
		s.filter, s.on = r.filter.text, true
		if r.streams() && r.opened == nil {
			s.items = e.Items
		}
	}
	return s
}

// filtered says whether the filter has something to work on.
func (r *result) filtered() bool {
	return r.filter.on && r.output == nil && r.done.Number > 0 && !r.done.Dropped && (r.done.Result != nil || r.streams())
}

// load lays out what is to be shown in that part of the screen when it changed.
func (r *result) load(in rect) {
	r.w, r.rows = in.w, in.h
	if r.items.of != r.done.Number {
		r.opened = nil
	}
	if r.streams() || r.done.Number != r.items.of {
		r.items.load(r.session.Journal(), r.done)
		r.items.fit(r.room())
	}
	if want := r.content(); want != r.laid {
		r.laid = want
		r.layOut()
	}
	r.sheet.fit(r.theme, r.to(), r.body())
}

// laidAtOnce is how large a payload may be that is laid out at once; a larger one is beside the program.
const laidAtOnce = 32 << 10

// layOut makes the sheet for what is to be shown.
func (r *result) layOut() {
	want := r.laid
	switch {
	case want.output != nil && want.output.diff != nil:
		r.put(newComparison(want.output.diff))
	case want.output != nil:
		r.put(newText(want.output.text))
	case want.dropped:
		r.put(newText(notKept))
	case want.on && want.filter != "":
		r.filter.run(r.scene, r.inputs(), func(d document) {
			if r.laid.on {
				r.put(d)
			}
		})
	case len(r.payload()) > laidAtOnce:
		payload := r.payload()
		r.put(newText("laying out " + console.Bytes(len(payload))))
		r.laying.send(r.scene, func() func() {
			d := newDocument(payload)
			return func() {
				if r.laid == want {
					r.put(d)
				}
			}
		})
	default:
		r.put(newDocument(r.payload()))
	}
}

// put shows a document, and goes on looking for what was looked for.
func (r *result) put(d document) {
	r.sheet.set(d)
	r.sheet.fit(r.theme, r.to(), r.body())
	if r.find.of != nil {
		r.find.search(r.scene, d, r.find.text, 0, func(int) {})
	}
}

// payload is the reply, or the item that is shown in full.
func (r *result) payload() json.RawMessage {
	if r.opened != nil {
		return r.opened.payload
	}
	return r.done.Result
}

// inputs are what the filter works on: the reply, or the items of a stream.
func (r *result) inputs() []json.RawMessage {
	if !r.streams() || r.opened != nil {
		return []json.RawMessage{r.payload()}
	}
	var list []json.RawMessage
	for _, it := range r.items.lines {
		if !it.given {
			list = append(list, it.payload)
		}
	}
	return list
}

// streams says whether what is shown is a stream.
func (r *result) streams() bool {
	return r.output == nil && r.done.Number > 0 && r.done.ItemsText() != "" && !r.done.Dropped && (r.done.Kind.Streams() || r.done.State == console.Running)
}

// lists says whether the items of a stream are shown as a list.
func (r *result) lists() bool { return r.streams() && r.opened == nil && !r.filtered() }

// reads says whether a document is shown that can be scrolled, folded and searched.
func (r *result) reads() bool {
	switch {
	case r.output != nil:
		return r.output.err == nil && !r.output.bench
	case r.lists(), r.done.Number == 0:
		return false
	}
	return r.opened != nil || r.filtered() || r.done.State == console.OK && r.done.Kind != console.KindCast
}

// reasonRows is the room for the reason of a stream that failed.
const reasonRows = 4

// room is how many items can be seen: below them stands why the stream failed.
func (r *result) room() int {
	if r.done.State == console.Failed {
		return r.rows - min(reasonRows, r.rows/2)
	}
	return r.rows
}

// body is how many rows a document can take: the filter has its own, and so has a text while it is looked for.
func (r *result) body() int {
	n := r.rows
	if r.filtered() {
		n -= len(r.filterRows())
	}
	if r.find.box.open {
		n--
	}
	return max(n, 0)
}

// to is the column before which the lines of the document end.
func (r *result) to() int {
	if r.beside() {
		return factsAt(r.w) - 2
	}
	return r.w - 1
}

// beside says whether the facts of the call stand in the pane itself, at the right of the reply.
func (r *result) beside() bool {
	return r.facts && r.output == nil && r.done.Number > 0 && !r.filtered() && r.done.State != console.Failed && r.w >= 70
}

// say shows the text of a command instead of a reply, until the next call.
func (r *result) say(o *output) { r.output = o }

// more says whether there are lines out of sight.
func (r *result) more() bool { return r.reads() && r.sheet.more() }

func (r *result) Heading(w, h int) heading {
	hd := heading{number: 3, name: "Result"}
	switch {
	case r.output != nil:
		hd.lead = console.Printable(r.output.command)
	case r.done.Number > 0:
		typ := r.done.ReplyType
		if typ == "" || r.done.State == console.Failed { // an error's own type says nothing
			typ = r.done.Type
		}
		hd.right = "#" + strconv.Itoa(r.done.Number)
		if w >= 50 {
			hd.right += " " + console.Printable(typ)
		}
	}
	switch {
	case r.lists():
		hd.right += r.position()
	case r.find.of != nil && r.reads():
		hd.right += "  " + cut(r.find.label(), max(w/2, 8), r.theme.Mark.Cut)
	case r.more():
		n := r.sheet.top
		if r.sheet.doc.json && r.focus == atResult {
			n = r.sheet.at
		}
		hd.right += "  " + console.Count(r.line(n)) + " of " + console.Count(r.sheet.doc.count())
	}
	return hd
}

// line is the number of a line that is shown.
func (r *result) line(i int) int {
	if r.sheet.len() == 0 {
		return 0
	}
	for n := r.sheet.line(i); n >= 0; n-- {
		if at := r.sheet.doc.number(n); at > 0 {
			return at
		}
	}
	return 1
}

// position says how many items there are and which of them is chosen.
func (r *result) position() string {
	n := r.items.end
	text := "  " + count(n, "item")
	if r.done.Kind == console.KindChat {
		text = "  " + count(n, "line")
	}
	older := n - len(r.items.lines)
	switch {
	case r.items.chosen > 0:
		text = "  " + console.Count(older+r.items.at()+1) + " of " + strings.TrimSpace(text)
	case older > 0:
		text += ", newest " + console.Count(len(r.items.lines)) + " kept"
	}
	return text
}

func (r *result) View(w, h int) []string {
	p := newPage(w, h)
	switch {
	case r.measured():
		r.measurement(p)
	case r.output != nil && r.output.err != nil:
		r.reason(p, r.output.err, false)
	case r.output == nil && r.done.Number == 0:
		p.text(&r.theme.Muted, " the reply stands here")
	case r.lists():
		r.stream(p)
	case r.reads():
		r.read(p)
	case r.done.State == console.Failed:
		r.failed(p)
	case r.done.Kind == console.KindCast:
		r.cast(p)
	}
	if at := factsAt(w); r.beside() {
		return beside(p.done(), r.factLines(w-at, h), at)
	}
	r.under(p)
	return p.done()
}

func factsAt(w int) int { return 1 + (w-2)*45/100 }

// beside puts the lines of right over those of left from column at on.
func beside(left, right []string, at int) []string {
	out := make([]string, len(left))
	for i := range left {
		l := newPage(at, 1)
		l.add(&line{b: []byte(left[i]), w: at + 1}) // one cell too long on purpose: the page cuts it
		out[i] = l.lines[0] + right[i]
	}
	return out
}

// read draws the document, above it the filter and below it what is looked for.
func (r *result) read(p *page) {
	if r.filtered() {
		for _, l := range r.filterRows() {
			p.add(l)
		}
	}
	body := newPage(p.w, min(r.body(), p.left()))
	focus := r.focus == atResult && !r.filter.box.open && !r.find.box.open
	s := r.sheet
	if n := s.len(); !focus && s.top == 0 && s.skip == 0 && p.h <= 3 && n > p.h && s.doc.json && strings.HasPrefix(s.doc.text, "{") {
		s.top, s.outdent = min(1, n-2), 1 // no room for the brackets around the fields
	}
	s.draw(body, focus)
	if r.find.box.open {
		body.done() // its line stands at the bottom
	}
	p.lines = append(p.lines, body.lines...)
	if r.find.box.open {
		p.add(r.find.box.draw(r.theme, "/", p.w))
	}
}

// filterRows are the filter and, where it has no result, why.
func (r *result) filterRows() []*line {
	t := r.theme
	rows := []*line{r.filter.box.draw(t, "|", r.to()+1)}
	if reason := r.filter.reason(); reason != "" && r.rows > 2 {
		l := (&line{}).put(&t.Text, " ")
		rows = append(rows, l.put(&t.Fail, cut(reason, r.to()-1, t.Mark.Cut)))
	}
	return rows
}

// stream shows the items, the newest last, and below them why there are no more.
func (r *result) stream(p *page) {
	e := r.done
	if len(r.items.lines) == 0 && e.State == console.Running {
		p.text(&r.theme.Muted, " items stand here as they come")
	}
	if len(r.items.lines) == 0 && e.State == console.OK {
		p.text(&r.theme.Muted, " it ended without an item")
	}
	list := newPage(p.w, min(r.room(), len(r.items.lines)))
	r.items.draw(list, r.theme, e.Kind == console.KindChat, r.focus == atResult, r.to())
	p.lines = append(p.lines, list.done()...)
	if e.State == console.Failed && e.Err != nil {
		r.reason(p, e.Err, true)
	}
}

func (r *result) cast(p *page) {
	t, e := r.theme, r.done
	sent := console.Bytes(len(e.Trace.Out)) + " sent"
	if e.Dropped {
		sent = "sent; " + notKept
	}
	p.text(&t.Strong, " "+sent)
	p.text(&t.Muted, " a cast has no reply")
}
