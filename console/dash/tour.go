package dash

import (
	"strconv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// tour walks a newcomer through a few steps. A step is done when a finished entry of the journal satisfies it, in whatever order.
type tour struct {
	*console.Tour
	done []bool
	last int // the step that was done last; -1 before the first
	try  []string
}

func newTour(t *console.Tour, try []string) *tour {
	if t == nil || len(t.Steps) == 0 {
		return nil
	}
	return &tour{Tour: t, done: make([]bool, len(t.Steps)), last: -1, try: try}
}

// watch ticks the steps that these entries satisfy.
func (o *tour) watch(entries []console.Entry) {
	for _, e := range entries {
		if e.State == console.Running {
			continue
		}
		for i, step := range o.Steps {
			if !o.done[i] && step.Done != nil && step.Done(e) {
				o.done[i], o.last = true, i
			}
		}
	}
}

// waits says whether the current step is done by what becomes of the servers.
func (o *tour) waits() bool {
	return !o.finished() && o.Steps[o.now()].Peers != nil
}

// look ticks the current step when the servers are as it wants them.
func (o *tour) look(peers []console.Peer) {
	if n := o.now(); o.waits() && o.Steps[n].Peers(peers) {
		o.done[n], o.last = true, n
	}
}

// now is the first step that is not done; the number of steps when all are.
func (o *tour) now() int {
	for i, done := range o.done {
		if !done {
			return i
		}
	}
	return len(o.Steps)
}

func (o *tour) finished() bool { return o == nil || o.now() == len(o.Steps) }

// line is what space types on an empty prompt; "" when there is nothing to do.
func (o *tour) line() string {
	if o.finished() {
		return ""
	}
	return o.Steps[o.now()].Do
}

func (o *tour) heading() heading {
	h := heading{name: o.Title, right: "step " + strconv.Itoa(o.now()+1) + " of " + strconv.Itoa(len(o.Steps))}
	if h.name == "" {
		h.name = "Tour"
	}
	if o.finished() {
		h.right = "done"
	}
	return h
}

// view draws the steps with the text of the current one and of the one before it. When there is little room, later steps go first, then
// earlier ones, then the text of the step that is done.
func (o *tour) view(t *theme.Theme, w, h int) []string {
	p := newPage(w, h)
	if o.finished() {
		o.end(p, t)
		return p.done()
	}
	now := o.now()
	before := wrap(o.Steps[now].Before, w-4)
	var after []string
	if o.last >= 0 {
		after = wrap(o.Steps[o.last].After, w-4)
	}
	room := h - 1 - len(before)
	first, end := 0, len(o.Steps)
	for end > now+1 && end-first-1+len(after) > room {
		end--
	}
	for first < now && first != o.last && end-first-1+len(after) > room {
		first++
	}
	after = after[:min(len(after), max(room-(end-first-1), 0))]
	for i := first; i < end; i++ {
		o.step(p, t, i, now)
		switch i {
		case now:
			lines(p, &t.Text, before)
		case o.last:
			lines(p, &t.Muted, after)
		}
	}
	return p.done()
}

func (o *tour) step(p *page, t *theme.Theme, i, now int) {
	sign, mark, words := t.Mark.Todo, &t.Muted, &t.Muted
	switch {
	case o.done[i]:
		sign, mark = t.Mark.OK, &t.OK
	case i == now:
		sign, mark, words = t.Mark.Now, &t.Accent, &t.Strong
	}
	l := (&line{}).put(&t.Text, " ").put(mark, sign).put(&t.Text, " ")
	p.add(l.put(words, cut(o.Steps[i].Title, p.w-4, t.Mark.Cut)))
}

func lines(p *page, s *theme.Style, text []string) {
	for _, one := range text {
		p.text(s, "   "+one)
	}
}

// end says that it is over and what is worth a try now.
func (o *tour) end(p *page, t *theme.Theme) {
	if o.last >= 0 {
		for _, s := range wrap(o.Steps[o.last].After, p.w-2) {
			p.text(&t.Text, " "+s)
		}
	}
	if p.left() > len(o.try)+1 {
		p.gap()
	}
	l := (&line{}).put(&t.Text, " ").put(&t.OK, t.Mark.OK).put(&t.Text, " ")
	p.add(l.put(&t.Strong, "That was the tour.").put(&t.Text, " Now try"))
	for _, s := range o.try {
		p.text(&t.Accent, "   "+cut(s, p.w-4, t.Mark.Cut))
	}
}
