package dash

import (
	"strconv"
	"strings"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// result shows the reply of an entry, why it failed, or what a command that calls nothing had to say.
type result struct {
	*scene
	output *output
	of     int // the entry that doc lays out; 0: the output or nothing
	doc    document
	top    int // first line shown
	w      int // cells that its lines may take
	rows   int // lines that there is room for; 0 while it is not shown
	facts  bool
}

// output is the text of a command.
type output struct {
	command string
	text    string
	err     *console.Error // when it failed without a call
}

// load lays out what is to be shown in that part of the screen when it changed.
func (r *result) load(in rect) {
	r.w, r.rows = in.w, in.h
	switch {
	case r.output != nil:
		if r.of != 0 {
			r.of, r.top = 0, 0
		}
	case r.of != r.done.Number:
		r.of, r.top = r.done.Number, 0
		r.doc = newDocument(r.done.Result)
		if r.done.Dropped {
			r.doc = newText(notKept)
		}
	}
	if r.rows > 0 && r.top > 0 {
		r.top = min(r.top, r.furthest())
	}
}

// furthest is how far the document scrolls: from there on its last line is in sight, counting lines that take several rows.
func (r *result) furthest() int {
	n := len(r.doc.lines)
	for left := max(r.rows, 1); n > 0; n-- {
		p := newPage(r.w, left+1)
		r.doc.draw(p, r.theme, n-1, 1, r.to(), 0)
		if len(p.lines) > left {
			break
		}
		left -= len(p.lines)
	}
	return max(min(n, len(r.doc.lines)-1), 0)
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
	return r.facts && r.output == nil && r.done.Number > 0 && r.done.State != console.Failed && r.w >= 70
}

// say shows the text of a command instead of a reply, until the next call.
func (r *result) say(o *output) {
	r.output, r.of, r.top = o, 0, 0
	if o != nil {
		r.doc = newText(o.text)
	} else {
		r.doc = document{}
	}
}

func (r *result) Update(key string) wish {
	page := max(r.rows-1, 1)
	switch key {
	case "down", "j":
		r.top++
	case "up", "k":
		r.top--
	case "pgdown", " ":
		r.top += page
	case "pgup":
		r.top -= page
	case "home", "g":
		r.top = 0
	case "end", "G":
		r.top = len(r.doc.lines)
	case "r":
		if r.output == nil && r.done.Number > 0 {
			return wishRun("rerun " + strconv.Itoa(r.done.Number))
		}
	case "e":
		if r.output == nil && r.done.Number > 0 && !r.done.Dropped {
			return wishEdit(commandLine(r.done))
		}
		if r.output != nil {
			return wishEdit(r.output.command)
		}
	}
	r.top = min(max(r.top, 0), r.furthest())
	return nil
}

func (r *result) Keys() []key {
	m := r.theme.Mark
	return []key{
		{"j k", "scroll", ""},
		{"j k " + m.Up + " " + m.Down, "", "scroll"},
		{"pgup pgdn", "page", "a page up, down"},
		{"home end", "", "first, last line"},
		{"r", "rerun", "run again"},
		{"e", "edit", "edit, then run"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

// more says whether there are lines out of sight.
func (r *result) more() bool { return r.rows > 0 && r.furthest() > 0 }

func (r *result) Heading(w, h int) heading {
	hd := heading{number: 3, name: "Result"}
	switch {
	case r.output != nil:
		hd.right = cut(r.output.command, max(w/2, 8), r.theme.Mark.Cut)
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
	if r.more() && (r.output != nil || r.done.State == console.OK) {
		hd.right += "  " + console.Count(r.top+1) + " of " + console.Count(len(r.doc.lines))
	}
	return hd
}

func (r *result) View(w, h int) []string {
	p := newPage(w, h)
	switch {
	case r.output != nil:
		r.said(p)
	case r.done.Number == 0:
		p.text(&r.theme.Muted, " the reply stands here")
	case r.done.State == console.Failed:
		r.failed(p)
	case r.done.Kind == console.KindCast:
		r.cast(p)
	default:
		r.reply(p)
	}
	if at := factsAt(w); r.beside() {
		return beside(p.done(), r.factLines(w-at, h), at)
	}
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

func (r *result) reply(p *page) {
	top, outdent := r.top, 0
	if n := len(r.doc.lines); p.h <= 3 && n > p.h && r.doc.json && strings.HasPrefix(r.doc.text, "{") {
		top, outdent = min(top+1, n-2), 1 // no room for the brackets around the fields
	}
	for n := top; n < len(r.doc.lines) && !p.full(); n++ {
		r.doc.draw(p, r.theme, n, 1, r.to(), outdent)
	}
}

func (r *result) said(p *page) {
	t := r.theme
	if err := r.output.err; err != nil {
		r.reason(p, err, false)
		return
	}
	for n := r.top; n < len(r.doc.lines) && !p.full(); n++ {
		r.doc.draw(p, t, n, 1, r.to(), 0)
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

// failed tells what happened, what it means and what to do.
func (r *result) failed(p *page) {
	e := r.done
	if e.Err == nil {
		r.reason(p, &console.Error{Message: "failed"}, true)
		return
	}
	r.reason(p, e.Err, true)
	t := r.theme
	if p.left() > 2 {
		p.gap()
	}
	r.pair(p, "request", oneLineCommand(e), &t.Text)
	r.pair(p, "sent", sentText(t, e), &t.Text)
}

func oneLineCommand(e console.Entry) string {
	s := console.Printable(e.Type)
	if e.Payload != nil {
		s += " " + oneLine(e.Payload)
	}
	return s
}

func sentText(t *theme.Theme, e console.Entry) string {
	switch {
	case e.Dropped:
		return clock(e.Started) + "; " + notKept
	case e.Trace.Out == nil:
		return "nothing"
	}
	s := console.Bytes(len(e.Trace.Out)) + " at " + clock(e.Started)
	if e.Trace.In == nil {
		s += ", nothing came back"
	}
	return s
}

func (r *result) reason(p *page, err *console.Error, status bool) {
	t := r.theme
	if status {
		p.text(&t.Alarm, " "+strings.ReplaceAll(console.Printable(err.Status()), "_", " "))
	}
	style := &t.Text
	if !status {
		style = &t.Fail
	}
	for _, s := range wrap(console.Printable(err.Message), p.w-2) {
		p.text(style, " "+s)
	}
	if err.RetryAfter > 0 {
		r.pair(p, "retry", "after "+short(err.RetryAfter, t.ASCII), &t.Text)
	}
	if err.Likely != "" {
		r.pair(p, "likely", console.Printable(err.Likely), &t.Text)
	}
	if err.Hint != "" {
		if p.left() > 2 {
			p.gap()
		}
		r.pair(p, "try", console.Printable(err.Hint), &t.Accent)
	}
	if err.Details != nil {
		r.pair(p, "details", oneLine(err.Details), &t.Text)
	}
}

// pair puts a label and its text, over several lines when it is long.
func (r *result) pair(p *page, name, text string, style *theme.Style) {
	t := r.theme
	for i, s := range wrap(text, max(p.w-1-10, 10)) {
		l := (&line{}).put(&t.Text, " ")
		if i == 0 {
			l.put(&t.Muted, name)
		}
		p.add(l.until(&t.Text, 10).put(style, s))
	}
}

// factLines tells what is known of the shown call besides its reply.
func (r *result) factLines(w, h int) []string {
	p, t := newPage(w, h), r.theme
	e := r.done
	if e.Number == 0 || r.output != nil {
		return p.done()
	}
	fact := func(name, text string, style *theme.Style) {
		l := (&line{}).put(&t.Text, " ").put(&t.Muted, name).until(&t.Text, 12)
		p.add(l.put(style, cut(text, w-13, t.Mark.Cut)))
	}
	fact("request", oneLineCommand(e), &t.Text)
	if e.Trace.RequestID != "" {
		fact("requestId", console.Printable(e.Trace.RequestID), &t.Text)
	}
	fact("sent", r.sentFact(e), &t.Text)
	if r.before.Number > 0 && e.State == console.OK {
		fact("before", r.beforeFact(e), &t.Text)
	}
	if e.Kind == console.KindCall && e.State == console.OK {
		fact("saved as", r.savedFact(e), &t.Text)
	}
	if e.Hint != "" {
		fact("hint", console.Printable(e.Hint), &t.Accent)
	}
	r.exact(p, e, h)
	return p.done()
}

func (r *result) sentFact(e console.Entry) string {
	s := clock(e.Started)
	if e.Trace.Server != "" {
		s += " to " + console.Printable(e.Trace.Server)
	}
	if e.Trace.Attempts > 1 {
		s += ", " + strconv.Itoa(e.Trace.Attempts) + " attempts"
	}
	return s
}

func (r *result) beforeFact(e console.Entry) string {
	diff := e.Trace.RTT - r.before.Trace.RTT
	sign := "+"
	if diff < 0 {
		sign = ""
	}
	ascii := r.theme.ASCII
	return short(r.before.Trace.RTT, ascii) + " in #" + strconv.Itoa(r.before.Number) + ", now " + sign + short(diff, ascii)
}

func (r *result) savedFact(e console.Entry) string {
	s := "$" + strconv.Itoa(e.Number)
	if e.Number == r.last {
		s = "$last, " + s
	}
	return s
}

// exact adds, where there is room, where the time went to the nanosecond.
func (r *result) exact(p *page, e console.Entry, h int) {
	t := r.theme
	ps := parts(e)
	if p.left() < len(ps)+2 {
		return
	}
	p.gap()
	at := 0
	row := func(name string, d time.Duration, sign string, style *theme.Style) {
		l := (&line{}).put(&t.Text, " ").put(style, sign).put(&t.Muted, name).until(&t.Text, 12)
		p.add(l.right(&t.Text, nanos(d), 12+at))
	}
	for _, q := range append(ps, part{time: e.Trace.RTT}) {
		at = max(at, len(nanos(q.time)))
	}
	for _, q := range ps {
		row(q.name, q.time, r.partSign(q.kind)+" ", r.partStyle(q.kind))
	}
	row("round trip", e.Trace.RTT, "", &t.Text)
}
