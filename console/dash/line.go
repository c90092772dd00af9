package dash

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console/theme"
)

// line is one row of cells being written from left to right. Text must be printable; widths are cells, never bytes.
type line struct {
	b   []byte
	w   int       // cells written
	row theme.Row // what it stands on
}

func (l *line) put(s *theme.Style, text string) *line {
	l.b = s.Append(l.b, settled(text), l.row)
	l.w += width(text)
	return l
}

// until puts spaces up to column col; it does nothing when the line is there already.
func (l *line) until(s *theme.Style, col int) *line {
	if n := col - l.w; n > 0 {
		l.b = s.Append(l.b, blanks(n), l.row)
		l.w = col
	}
	return l
}

// right puts text so that it ends before column col.
func (l *line) right(s *theme.Style, text string, col int) *line {
	return l.until(s, col-width(text)).put(s, text)
}

// page collects the lines of a pane and sees to it that they fill its cells exactly.
type page struct {
	w, h  int
	lines []string
}

func newPage(w, h int) *page { return &page{w: w, h: h, lines: make([]string, 0, max(h, 0))} }

func (p *page) full() bool { return len(p.lines) >= p.h }
func (p *page) left() int  { return p.h - len(p.lines) }

// add appends a line, filled with spaces to the width; lines below the page are dropped and too long ones are cut.
func (p *page) add(l *line) {
	if p.full() {
		return
	}
	if l.w > p.w {
		s := ansi.Truncate(string(l.b), p.w, "")
		p.lines = append(p.lines, s+blanks(p.w-ansi.StringWidth(s)))
		return
	}
	p.lines = append(p.lines, string(l.b)+blanks(p.w-l.w))
}

func (p *page) text(s *theme.Style, text string) {
	l := line{}
	p.add(l.put(s, text))
}

func (p *page) gap() { p.add(&line{}) }

// done fills the rest of the page with empty lines.
func (p *page) done() []string {
	for !p.full() {
		p.gap()
	}
	return p.lines
}

const manyBlanks = "                                                                                                                                "

func blanks(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(manyBlanks) {
		return manyBlanks[:n]
	}
	return strings.Repeat(" ", n)
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// width returns how many cells a printable text takes.
func width(s string) int {
	if plainASCII(s) {
		return len(s)
	}
	if w, _, simple := measure(s, -1); simple {
		return w
	}
	return ansi.StringWidth(s)
}

// measure tells the width of a text of ASCII and whole Chinese, Japanese and Korean characters, most of what is not ASCII, far faster than that of a text whose characters may
// join. n is how many bytes of it fit into limit cells; a negative limit is none. simple is false where something else stands in it.
func measure(s string, limit int) (w, n int, simple bool) {
	full := false
	for i, r := range s {
		one := 1
		switch {
		case r >= ' ' && r < 0x7f:
		case r >= 0x4e00 && r <= 0x9fff, r >= 0xac00 && r <= 0xd7a3, r >= 0x3041 && r <= 0x3096, r >= 0x30a1 && r <= 0x30fa, r >= 0xff01 && r <= 0xff5e, r == 0x3001, r == 0x3002:
			one = 2
		default:
			return 0, 0, false
		}
		if w += one; !full && limit >= 0 && w > limit {
			full, n = true, i
		}
	}
	if !full {
		n = len(s)
	}
	return w, n, true
}

// cut shortens a printable text to w cells and ends it with the mark when something is missing.
func cut(s string, w int, mark string) string {
	if w <= 0 {
		return ""
	}
	if plainASCII(s) {
		if len(s) <= w {
			return s
		}
		return s[:max(w-width(mark), 0)] + mark
	}
	all, n, simple := measure(s, w)
	switch {
	case !simple:
		return ansi.Truncate(s, w, mark)
	case all <= w:
		return s
	case mark != "":
		_, n, _ = measure(s, max(w-width(mark), 0))
	}
	return s[:n] + mark
}

// wrap breaks a text into lines of at most w cells, between words where it can. A flag is one word: --timeout is not broken at its hyphens.
func wrap(s string, w int) []string {
	if s == "" || w <= 0 {
		return nil
	}
	const hyphen = "\uE000" // ansi.Wrap breaks at hyphens whatever it is told; this rune of the private area is as wide as one
	s = ansi.Wrap(strings.ReplaceAll(s, "-", hyphen), w, "")
	return strings.Split(strings.ReplaceAll(s, hyphen, "-"), "\n")
}

// fold breaks a text behind what fits into so many cells, between words where it can; more is what is left, "" for nothing.
func fold(s string, w int) (first, more string) {
	if width(s) <= w {
		return s, ""
	}
	if rows := wrap(s, w); len(rows) > 0 {
		first = rows[0]
	}
	return first, strings.TrimSpace(strings.TrimPrefix(s, first))
}
