package dash

import (
	"strconv"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

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
	if some := e.ItemsText(); some != "" {
		if rate := rateOfItems(e); rate != "" {
			some += ", " + rate
		}
		fact("items", some, &t.Text)
	}
	if first := e.FirstAfter(); first > 0 {
		fact("first item", "after "+short(first, t.ASCII), &t.Text)
	}
	if e.Trace.Protocol != "" {
		fact("protocol", console.Printable(e.Trace.Protocol), &t.Text)
	}
	if r.before.Number > 0 && e.State == console.OK {
		fact("before", r.beforeFact(e), &t.Text)
	}
	if e.Kind != console.KindCast && e.State == console.OK && e.Result != nil {
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
	if e.State == console.Running || p.left() < len(ps)+2 {
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

// under puts the facts below a reply in a pane that is too narrow to have them at its right, as far as there is room.
func (r *result) under(p *page) {
	if !r.facts || r.output != nil || r.filtered() || r.done.Number == 0 || r.done.State == console.Failed || p.left() < 4 {
		return
	}
	p.gap()
	p.lines = append(p.lines, r.factLines(p.w, p.left())...)
}
