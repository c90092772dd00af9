package dash

import (
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// token is a piece of a line in one style.
type token struct {
	style *theme.Style
	text  string
}

// tokens returns piece n ready to be drawn: printable, keys apart from values. One that is shut has its last bracket on the same line.
func (d *document) tokens(t *theme.Theme, n int, shut bool) []token {
	p := d.lines[n]
	raw := d.text[p.from:p.to]
	switch {
	case p.kind == restPiece && d.json:
		return closing(t, &t.Strong, raw)
	case !d.json:
		return []token{{d.style(t, p.kind), console.Printable(raw)}}
	}
	out := jsonTokens(t, raw)
	if shut {
		last := d.lines[p.end]
		out = append(out, token{&t.Muted, t.Mark.Cut + d.text[last.from:last.to] + "  " + count(d.within(n), "value")})
	}
	return out
}

// style is that of a line of text.
func (d *document) style(t *theme.Theme, k pieceKind) *theme.Style {
	switch k {
	case removedPiece:
		return &t.Fail
	case addedPiece:
		return &t.OK
	case headPiece, skippedPiece:
		return &t.Muted
	}
	return &t.Text
}

func jsonTokens(t *theme.Theme, raw string) (out []token) {
	if raw[0] == '"' {
		if i := endOfString(raw, 0); i < len(raw) {
			if j := skipSpace(raw, i+1); j < len(raw) && raw[j] == ':' {
				out = append(out, token{&t.Muted, console.Printable(raw[:i+1]) + ": "})
				raw = raw[skipSpace(raw, j+1):]
			}
		}
	}
	value := strings.TrimSuffix(raw, ",")
	value = value[:lastByte(value, len(value))]
	style := &t.Strong
	if len(value) > 0 && strings.IndexByte("{[]}", value[0]) >= 0 {
		style = &t.Muted
		if len(value) > 1 {
			raw = value[:1] + value[len(value)-1:] + raw[len(strings.TrimSuffix(raw, ",")):] // an empty one, whatever space stood between its brackets
		}
	}
	return append(out, closing(t, style, raw)...)
}

// closing is the end of a line in a style, its comma in another.
func closing(t *theme.Theme, style *theme.Style, raw string) []token {
	value, comma := strings.CutSuffix(raw, ",")
	if !comma {
		return []token{{style, console.Printable(value[:lastByte(value, len(value))])}}
	}
	return []token{{style, console.Printable(value[:lastByte(value, len(value))])}, {&t.Muted, ","}}
}

// drawing says how a line is drawn.
type drawing struct {
	width   int // cells that a row may take
	outdent int // levels that are left out
	shut    bool
	row     theme.Row
	find    *regexp.Regexp // what is found is lit; nil: nothing
}

// rows draws piece n over as many rows as it needs; those that go on stand two cells deeper.
func (d *document) rows(t *theme.Theme, n int, o drawing) []*line {
	tokens := lit(t, d.tokens(t, n, o.shut), o.find)
	if !d.json {
		return d.textRows(t, n, o)
	}
	in := min(indent*max(int(d.lines[n].depth)-o.outdent, 0), max(o.width-8, 0))
	deeper := min(in+indent, max(o.width-1, 0))
	start := in
	if d.lines[n].kind == restPiece {
		start = deeper
	}
	var out []*line
	l := (&line{row: o.row}).until(&t.Text, start)
	for _, tok := range tokens {
		parts := broken(tok.text, o.width-l.w, o.width-deeper, l.w == start)
		l.put(tok.style, parts[0])
		for _, part := range parts[1:] {
			out = append(out, l)
			start = deeper
			l = (&line{row: o.row}).until(&t.Text, deeper).put(tok.style, part)
		}
	}
	return append(out, l)
}

// broken breaks a text into a part of at most first cells and others of at most w. The first part may be empty, unless it begins a row: what does not fit
// there is too wide for any.
func broken(text string, first, w int, begins bool) []string {
	if width(text) <= first {
		return []string{text}
	}
	head := cut(text, first, "")
	text = text[len(head):]
	switch {
	case head == "" && begins, w < 1:
		return []string{text}
	case plainASCII(text):
		parts := []string{head}
		for ; len(text) > w; text = text[w:] {
			parts = append(parts, text[:w])
		}
		return append(parts, text)
	case w == 1:
		return []string{head, text} // no wide character fits
	}
	return append([]string{head}, strings.Split(ansi.Hardwrap(text, w, true), "\n")...)
}

// textRows draws a line of a text. One that is too long is broken between words; in a row of a table only the last column is, below its own start,
// and one whose last column starts too far right is cut: what is left of a table must keep its columns.
func (d *document) textRows(t *theme.Theme, n int, o drawing) (out []*line) {
	p := d.lines[n]
	style := d.style(t, p.kind)
	for _, row := range rowsOf(console.Printable(d.text[p.from:p.to]), max(o.width, 1), t.Mark.Cut) {
		l := &line{row: o.row}
		for _, tok := range lit(t, []token{{style, row}}, o.find) {
			l.put(tok.style, tok.text)
		}
		out = append(out, l)
	}
	return out
}

// lit gives what is found a style of its own.
func lit(t *theme.Theme, tokens []token, find *regexp.Regexp) []token {
	if find == nil {
		return tokens
	}
	var out []token
	for _, tok := range tokens {
		at := 0
		for _, m := range find.FindAllStringIndex(tok.text, -1) {
			if m[0] == m[1] {
				continue
			}
			out = append(out, token{tok.style, tok.text[at:m[0]]}, token{&t.Title, tok.text[m[0]:m[1]]})
			at = m[1]
		}
		out = append(out, token{tok.style, tok.text[at:]})
	}
	return out
}

// columnGap is the space between the columns of a table.
var columnGap = regexp.MustCompile(`\S {2,}`)

func rowsOf(text string, w int, mark string) []string {
	if width(text) <= w {
		return []string{text}
	}
	gaps := columnGap.FindAllStringIndex(text, -1)
	if len(gaps) == 0 {
		return wrap(text, w)
	}
	at := gaps[len(gaps)-1][1]
	column := width(text[:at])
	if column > w*3/5 {
		return []string{cut(text, w, mark)}
	}
	rows := wrap(text[at:], w-column)
	rows[0] = text[:at] + rows[0]
	for i := range rows[1:] {
		rows[i+1] = strings.Repeat(" ", column) + rows[i+1]
	}
	return rows
}
