package dash

import (
	"encoding/json"
	"strconv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// items are the items of a stream as lines, the newest last. They are read anew only as far as they are new: at any rate a frame costs what a frame can show.
// The newest one is chosen, whichever it is, until somebody moves.
type items struct {
	of     int // the entry; 0: none
	lines  []itemLine
	end    int // items so far, counting those that are not kept
	chosen int // the chosen one, counted from 1 with those that are not kept; 0: the newest
	top    int // the line that stands first
}

type itemLine struct {
	index   int
	given   bool
	payload json.RawMessage
	text    string
}

const itemsHeld = 1000 // as many as the journal keeps

// load takes in what is new of an entry.
func (s *items) load(j *console.Journal, e console.Entry) {
	if s.of != e.Number {
		*s = items{of: e.Number}
	}
	fresh, older := j.Items(e.Number, min(max(e.Items+e.Given-s.end, 0)+1, itemsHeld))
	if older > s.end { // more came since e was read
		fresh, older = j.Items(e.Number, itemsHeld)
	}
	if e.Dropped {
		s.lines = nil
	}
	for i, it := range fresh {
		if older+i < s.end { // known
			continue
		}
		s.lines = append(s.lines, itemLine{it.Index, it.Given, it.Payload, oneLine(it.Payload)})
	}
	s.end = max(s.end, older+len(fresh))
	if over := len(s.lines) - itemsHeld; over > 0 {
		s.lines = append(s.lines[:0:0], s.lines[over:]...)
	}
}

// at is the line of the chosen item; -1 without one.
func (s *items) at() int {
	if s.chosen == 0 {
		return len(s.lines) - 1
	}
	return max(s.chosen-1-(s.end-len(s.lines)), min(0, len(s.lines)-1))
}

// choose chooses a line, as far as there are any.
func (s *items) choose(line int) {
	line = min(max(line, 0), len(s.lines)-1)
	s.chosen = line + 1 + s.end - len(s.lines)
	if line == len(s.lines)-1 {
		s.chosen = 0
	}
}

// fit keeps the chosen item in sight of that many rows.
func (s *items) fit(rows int) {
	rows = max(rows, 1)
	at := max(s.at(), 0)
	s.top = min(max(s.top, at-rows+1), at)
	s.top = max(min(s.top, len(s.lines)-rows), 0)
}

// draw adds the lines in sight: the index, which way it went, and the item; the newest one is strong.
func (s *items) draw(p *page, t *theme.Theme, chat, focus bool, to int) {
	digits := 0
	if n := len(s.lines); n > 0 {
		digits = len(strconv.Itoa(s.lines[n-1].index))
	}
	for i := s.top; i < len(s.lines) && !p.full(); i++ {
		it := s.lines[i]
		style := &t.Text
		if i == len(s.lines)-1 {
			style = &t.Strong
		}
		l, mark := &line{}, " "
		if focus && i == s.at() {
			l.row, mark = theme.Chosen, t.Mark.Row
		}
		l.put(&t.Accent, mark).until(&t.Text, 1).right(&t.Muted, strconv.Itoa(it.index), 1+max(digits, 2)).put(&t.Text, "  ")
		if it.given {
			style = &t.Muted
		}
		if chat || it.given {
			way := t.Mark.From
			if it.given {
				way = t.Mark.To
			}
			l.put(&t.Muted, way+" ")
		}
		l.put(style, cut(it.text, to-l.w, t.Mark.Cut))
		if l.row == theme.Chosen {
			l.until(&t.Text, p.w)
		}
		p.add(l)
	}
}
