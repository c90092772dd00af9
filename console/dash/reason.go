package dash

import (
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

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
	sent, came := e.Trace.Sizes()
	switch {
	case e.Dropped:
		return clock(e.Started) + "; " + notKept
	case sent == 0:
		return "nothing"
	}
	s := console.Bytes(sent) + " at " + clock(e.Started)
	if came == 0 {
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
	for i, s := range strings.Split(err.Caret(), "\n") { // the line that was typed, and the place below it
		if s != "" && p.h > 3 { // else the cure needs the room
			p.text([]*theme.Style{&t.Muted, &t.Fail}[min(i, 1)], cut(s[1:], p.w-1, t.Mark.Cut))
		}
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
