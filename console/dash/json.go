package dash

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// document is a text whose lines are found once and drawn one by one, so that a reply of a megabyte costs no more to draw than what is
// seen of it. JSON is laid out without being copied: a line is a piece of the payload and how deep it stands.
type document struct {
	text  string
	json  bool
	lines []piece
}

type piece struct {
	from, to int32
	depth    uint16
}

const (
	indent    = 2
	mostDepth = 24 // deeper lines are not indented further
)

// newDocument lays out a payload: JSON over as many lines as it has values, other text as it is.
func newDocument(payload json.RawMessage) document {
	d := document{text: string(payload), json: json.Valid(payload)}
	if !d.json {
		return newText(d.text)
	}
	d.split()
	return d
}

// newText lays out text by its newlines.
func newText(text string) document {
	d := document{text: strings.TrimRight(text, "\n")}
	from := 0
	for i := 0; i <= len(d.text); i++ {
		if i == len(d.text) || d.text[i] == '\n' {
			d.lines = append(d.lines, piece{from: int32(from), to: int32(i)})
			from = i + 1
		}
	}
	return d
}

// split finds the lines of valid JSON: one for each bracket, value or field.
func (d *document) split() {
	s, from, depth := d.text, -1, 0
	end := func(to int) {
		if from >= 0 {
			d.lines = append(d.lines, piece{int32(from), int32(to), uint16(min(depth, mostDepth))})
		}
		from = -1
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{', '[':
			if from < 0 {
				from = i
			}
			if j := skipSpace(s, i+1); s[j] == c+2 {
				i = j // an empty one stays on its line
				if j = skipSpace(s, i+1); j >= len(s) || s[j] != ',' {
					end(i + 1)
				}
				continue
			}
			end(i + 1)
			depth++
		case '}', ']':
			end(len(strings.TrimRight(s[:i], " \t\r\n")))
			depth--
			from = i
			if j := skipSpace(s, i+1); j >= len(s) || s[j] != ',' {
				end(i + 1)
			}
		case ',':
			end(i + 1)
		case '"':
			if from < 0 {
				from = i
			}
			i = endOfString(s, i)
		default:
			if from < 0 {
				from = i
			}
		}
	}
	end(len(s))
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n') {
		i++
	}
	return i
}

// endOfString returns where the string that begins at i has its closing quote.
func endOfString(s string, i int) int {
	for i++; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i
}

// token is a piece of a line in one style.
type token struct {
	style *theme.Style
	text  string
}

// tokens returns line n ready to be drawn: printable, cut to lineCap, keys apart from values.
func (d *document) tokens(t *theme.Theme, n int) (depth int, out []token) {
	p := d.lines[n]
	raw := d.text[p.from:p.to]
	more := ""
	if len(raw) > lineCap {
		more = " " + t.Mark.Cut + " " + console.Bytes(len(raw))
		raw = strings.ToValidUTF8(raw[:lineCap], "")
	}
	if !d.json {
		out = append(out, token{&t.Text, console.Printable(raw)})
	} else {
		out = jsonTokens(t, raw)
	}
	if more != "" {
		out = append(out, token{&t.Muted, more})
	}
	return int(p.depth), out
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
	value, comma := strings.CutSuffix(raw, ",")
	value = strings.TrimRight(value, " \t\r\n")
	if len(value) > 1 && (value[0] == '{' || value[0] == '[') {
		value = value[:1] + value[len(value)-1:] // an empty one, whatever stood between its brackets
	}
	style := &t.Strong
	switch value {
	case "{", "[", "}", "]", "{}", "[]":
		style = &t.Muted
	}
	out = append(out, token{style, console.Printable(value)})
	if comma {
		out = append(out, token{&t.Muted, ","})
	}
	return out
}

// draw adds line n to a page within columns from and to, over as many lines as it needs; continued lines stand two cells deeper.
func (d *document) draw(p *page, t *theme.Theme, n, from, to, outdent int) {
	if !d.json {
		d.drawText(p, t, n, from, to)
		return
	}
	depth, tokens := d.tokens(t, n)
	in := min(from+indent*max(depth-outdent, 0), max(to-8, from))
	start, l := in, (&line{}).until(&t.Text, in)
	for _, tok := range tokens {
		text := tok.text
		for l.w+width(text) > to {
			head := cut(text, to-l.w, "")
			if head == "" && l.w == start {
				break // not one character fits
			}
			l.put(tok.style, head)
			text = text[len(head):]
			p.add(l)
			if p.full() {
				return
			}
			start = min(in+indent, to-1)
			l = (&line{}).until(&t.Text, start)
		}
		l.put(tok.style, text)
	}
	p.add(l)
}

// drawText adds line n of a text. One that is too long is broken between words; in a row of a table only the last column is, below its own start,
// and one whose last column starts too far right is cut: what is left of a table must keep its columns.
func (d *document) drawText(p *page, t *theme.Theme, n, from, to int) {
	_, tokens := d.tokens(t, n)
	for _, tok := range tokens {
		for _, row := range rowsOf(tok.text, max(to-from, 1), t.Mark.Cut) {
			l := (&line{}).until(&t.Text, from)
			p.add(l.put(tok.style, row))
		}
	}
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
