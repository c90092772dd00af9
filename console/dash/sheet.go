package dash

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/rpckids/rpckids/console/theme"
)

// sheet is a document as somebody reads it: folded, scrolled by rows, so that a line taller than the pane can be read to its end, and, where it is JSON, with
// a line chosen.
type sheet struct {
	doc     document
	shut    []bool  // lines whose brackets are folded; nil: none
	shown   []int32 // the lines that are not folded away; nil: all
	at      int     // the chosen line, an index of shown, as is top
	top     int     // the first line in sight
	skip    int     // rows of it that are out of sight
	theme   *theme.Theme
	w, h    int // cells for the rows, mark and numbers included
	numbers bool
	outdent int // levels that are not indented
	find    *regexp.Regexp
	heights map[int]int // of the lines that were looked at, by piece; nil when the width has changed
}

const heightsKept = 4096

// set shows another document from its start.
func (s *sheet) set(d document) {
	s.doc, s.shut, s.shown, s.at, s.top, s.skip, s.heights = d, nil, nil, 0, 0, 0, nil
}

// fit takes the size of the pane and keeps the place within it.
func (s *sheet) fit(t *theme.Theme, w, h int) {
	if s.theme != t || s.w != w {
		s.heights = nil
	}
	s.theme, s.w, s.h = t, w, max(h, 0)
	s.at = min(max(s.at, 0), max(s.len()-1, 0))
	s.settle()
}

// len is how many lines there are, folded ones left out.
func (s *sheet) len() int {
	if s.shown == nil {
		return len(s.doc.lines)
	}
	return len(s.shown)
}

// line is the piece of the document that stands at a place of shown.
func (s *sheet) line(i int) int {
	if s.shown == nil {
		return i
	}
	return int(s.shown[i])
}

// place is where a piece of the document stands in shown, or what it is folded into.
func (s *sheet) place(n int) int {
	if s.shown == nil {
		return n
	}
	i, found := slices.BinarySearch(s.shown, int32(n))
	if !found {
		i--
	}
	return max(i, 0)
}

// gutter is the width of the line numbers.
func (s *sheet) gutter() int {
	if !s.numbers {
		return 0
	}
	return len(strconv.Itoa(s.doc.count())) + 2
}

// rows draws a line; the chosen one is lit where the pane has the keyboard.
func (s *sheet) rows(i int, focus bool) []*line {
	t, n := s.theme, s.line(i)
	o := drawing{width: max(s.w-1-s.gutter(), 1), outdent: s.outdent, shut: s.folded(n), find: s.find}
	chosen := focus && s.doc.json && i == s.at
	if chosen {
		o.row = theme.Chosen
	}
	rows := s.doc.rows(t, n, o)
	for k, content := range rows {
		l, mark := &line{row: o.row}, " "
		if chosen {
			mark = t.Mark.Row
		}
		l.put(&t.Accent, mark).until(&t.Text, 1)
		if g := s.gutter(); g > 0 {
			number := ""
			if at := s.doc.number(n); at > 0 && k == 0 {
				number = strconv.Itoa(at)
			}
			l.right(&t.Muted, number, g-1).until(&t.Text, 1+g)
		}
		l.b, l.w = append(l.b, content.b...), l.w+content.w
		if chosen {
			l.until(&t.Text, s.w)
		}
		rows[k] = l
	}
	return rows
}

func (s *sheet) folded(n int) bool { return s.shut != nil && s.shut[n] }

// height is how many rows a line takes.
func (s *sheet) height(i int) int {
	n := s.line(i)
	if p := s.doc.lines[n]; int(p.to-p.from)+indent*(int(p.depth)+1) < s.w-1-s.gutter() && !s.folded(n) && plainPrintable(s.doc.text[p.from:p.to]) {
		return 1
	}
	if h, known := s.heights[n]; known {
		return h
	}
	if s.heights == nil || len(s.heights) >= heightsKept {
		s.heights = map[int]int{}
	}
	s.heights[n] = len(s.rows(i, false))
	return s.heights[n]
}

func plainPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// draw adds what is in sight.
func (s *sheet) draw(p *page, focus bool) {
	skip := s.skip
	for i := s.top; i < s.len() && !p.full(); i++ {
		for _, l := range s.rows(i, focus) {
			if skip--; skip >= 0 {
				continue
			}
			p.add(l)
		}
		skip = 0
	}
}

// end is the furthest place to scroll to: from there on the last row is in sight.
func (s *sheet) end() (top, skip int) {
	left := max(s.h, 1)
	for i := s.len() - 1; i >= 0; i-- {
		rows := s.height(i)
		if rows >= left {
			return i, rows - left
		}
		left -= rows
	}
	return 0, 0
}

// more says whether there is anything out of sight.
func (s *sheet) more() bool {
	top, skip := s.end()
	return s.h > 0 && (top > 0 || skip > 0)
}

// settle keeps the place within the document.
func (s *sheet) settle() {
	if s.top == 0 && s.skip == 0 {
		return
	}
	top, skip := s.end()
	switch {
	case s.top > top || s.top == top && s.skip > skip:
		s.top, s.skip = top, skip
	case s.skip > 0:
		s.skip = min(s.skip, s.height(s.top)-1)
	}
}

// number has lines numbered, or no longer.
func (s *sheet) number() { s.numbers, s.heights = !s.numbers, nil }

// scroll moves what is in sight by n rows.
func (s *sheet) scroll(n int) {
	for ; n > 0; n-- {
		if s.skip++; s.skip >= s.height(s.top) && s.top < s.len()-1 {
			s.top, s.skip = s.top+1, 0
		}
	}
	for ; n < 0 && (s.top > 0 || s.skip > 0); n++ {
		if s.skip--; s.skip < 0 {
			s.top--
			s.skip = s.height(s.top) - 1
		}
	}
	s.settle()
}

// last is the last line in sight, and whether its end is.
func (s *sheet) last() (i int, whole bool) {
	left := s.h + s.skip
	for i = s.top; i < s.len(); i++ {
		if left -= s.height(i); left <= 0 {
			return i, left == 0
		}
	}
	return max(s.len()-1, 0), true
}

// move chooses the next line or the one before; inside of a line taller than the pane it scrolls.
func (s *sheet) move(n int) {
	if !s.doc.json {
		s.scroll(n)
		return
	}
	last, whole := s.last()
	switch {
	case n > 0 && s.at == last && !whole && s.at == s.top:
		s.scroll(1)
	case n < 0 && s.at == s.top && s.skip > 0:
		s.scroll(-1)
	default:
		s.choose(s.at + n)
	}
}

// choose chooses a line and brings it into sight.
func (s *sheet) choose(i int) {
	up := i < s.at
	s.at = min(max(i, 0), max(s.len()-1, 0))
	last, whole := s.last()
	switch {
	case s.len() == 0:
	case s.at < s.top || s.at == s.top && s.skip > 0:
		s.top, s.skip = s.at, 0
		if up {
			s.skip = max(s.height(s.at)-max(s.h, 1), 0) // its end comes first
		}
	case s.at > last || s.at == last && !whole:
		s.bring()
	}
	s.settle()
}

// bring scrolls down until the chosen line is in sight, or its start where it is taller than the pane.
func (s *sheet) bring() {
	left := max(s.h, 1) - s.height(s.at)
	s.top, s.skip = s.at, 0
	for left > 0 && s.top > 0 {
		rows := s.height(s.top - 1)
		if s.top--; rows > left {
			s.skip = rows - left
		}
		left -= rows
	}
}

// page moves by a pane.
func (s *sheet) page(n int) {
	step := max(s.h-1, 1)
	top, skip := s.top, s.skip
	s.scroll(n * step)
	last, _ := s.last()
	switch {
	case top == s.top && skip == s.skip && n > 0:
		s.at = max(s.len()-1, 0)
	case top == s.top && skip == s.skip:
		s.at = 0
	default:
		s.at = min(max(s.at, s.top), last)
	}
}

// fold closes the brackets of the chosen line, or goes to the line that opens those around it.
func (s *sheet) fold() {
	if s.len() == 0 {
		return
	}
	n := s.line(s.at)
	if s.doc.lines[n].end > 0 && !s.folded(n) {
		s.close(n)
		s.arrange(n)
		return
	}
	if i := s.doc.around(n); i >= 0 {
		s.choose(s.place(i))
	}
}

// unfold opens the brackets of the chosen line, or goes to the next one.
func (s *sheet) unfold() {
	if s.len() == 0 {
		return
	}
	if n := s.line(s.at); s.folded(n) {
		s.shut[n] = false
		s.arrange(n)
		return
	}
	s.move(1)
}

// foldAll closes all brackets but the outermost, or opens all when some are closed.
func (s *sheet) foldAll() {
	if s.len() == 0 {
		return
	}
	n := s.line(s.at)
	if slices.Contains(s.shut, true) {
		s.shut = nil
		s.arrange(n)
		return
	}
	for i, p := range s.doc.lines {
		if p.end > 0 && p.depth > 0 {
			s.close(i)
		}
	}
	s.arrange(n)
}

func (s *sheet) close(n int) {
	if s.shut == nil {
		s.shut = make([]bool, len(s.doc.lines))
	}
	s.shut[n] = true
}

// arrange finds the lines that are shown, and chooses line n of the document again.
func (s *sheet) arrange(n int) {
	s.shown, s.heights = nil, nil
	if slices.Contains(s.shut, true) {
		s.shown = []int32{}
		for i := 0; i < len(s.doc.lines); i++ {
			s.shown = append(s.shown, int32(i))
			if s.shut[i] {
				i = int(s.doc.lines[i].end)
			}
		}
	}
	above := s.at - s.top // the line stays where it is on the screen
	s.at = s.place(n)
	s.top, s.skip = max(s.at-max(above, 0), 0), 0
	s.settle()
	s.choose(s.at)
}

// open unfolds whatever hides line n of the document, and chooses it.
func (s *sheet) open(n int) {
	if s.shut != nil && s.line(s.place(n)) != n {
		for i := s.doc.around(n); i >= 0; i = s.doc.around(i) {
			s.shut[i] = false
		}
		s.arrange(n)
	}
	if s.doc.json {
		s.choose(s.place(n))
		return
	}
	s.at = s.place(n)
	if last, _ := s.last(); s.at < s.top || s.at > last {
		s.top, s.skip = max(s.at-s.h/3, 0), 0
	}
	s.settle()
}
