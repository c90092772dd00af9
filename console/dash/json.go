package dash

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/rpckids/rpckids/console"
)

// document is a text whose lines are found once and drawn one by one, so that a reply of a megabyte costs no more to draw than what is
// seen of it. JSON is laid out without being copied: a line is a piece of the payload and how deep it stands. It never changes once made.
type document struct {
	text  string
	json  bool
	lines []piece
	rest  []int32 // the pieces that go on with a line, in order
}

// piece is a line, or a part of one that is long.
type piece struct {
	from, to int32
	end      int32 // of a line that opens brackets over several lines: the line that closes them; otherwise 0
	depth    uint16
	kind     pieceKind
}

type pieceKind uint8

const (
	plainPiece pieceKind = iota
	restPiece            // goes on with the piece before
	headPiece            // in a comparison: what follows
	removedPiece
	addedPiece
	skippedPiece
)

const (
	indent    = 2
	mostDepth = 24   // deeper lines are not indented further
	pieceCap  = 2048 // bytes of a piece: what is drawn at once is never more
)

// newDocument lays out payloads one below the other: JSON over as many lines as it has values, other text as it is.
func newDocument(payloads ...json.RawMessage) document {
	d := document{json: true}
	for _, p := range payloads {
		if !json.Valid(p) {
			d.json = false
		}
	}
	if len(payloads) == 1 {
		d.text = string(payloads[0])
	} else {
		var b strings.Builder
		for _, p := range payloads {
			b.Write(p)
			b.WriteByte('\n')
		}
		d.text = b.String()
	}
	if !d.json {
		return newText(d.text)
	}
	at := 0
	for _, p := range payloads {
		d.split(at, at+len(p))
		at += len(p) + 1
	}
	return d
}

// newText lays out text by its newlines.
func newText(text string) document {
	d := document{text: strings.TrimRight(text, "\n")}
	from := 0
	for i := 0; i <= len(d.text); i++ {
		if i == len(d.text) || d.text[i] == '\n' {
			d.add(from, i, 0)
			from = i + 1
		}
	}
	return d
}

// newComparison lays out what differs.
func newComparison(diff []console.DiffLine) document {
	var b strings.Builder
	d := document{}
	kinds := map[console.DiffKind]pieceKind{console.DiffHead: headPiece, console.DiffRemoved: removedPiece, console.DiffAdded: addedPiece, console.DiffSkipped: skippedPiece}
	for _, l := range diff {
		first := len(d.lines)
		from := b.Len()
		b.WriteString(l.String())
		d.text = b.String()
		d.add(from, b.Len(), 0)
		for n := range d.lines[first:] {
			if kind, ok := kinds[l.Kind]; ok && d.lines[first+n].kind != restPiece {
				d.lines[first+n].kind = kind
			}
		}
		b.WriteByte('\n')
	}
	d.text = b.String()
	return d
}

// add appends a line, in several pieces when it is long.
func (d *document) add(from, to, depth int) {
	p := piece{from: int32(from), to: int32(to), depth: uint16(min(depth, mostDepth))}
	for to-int(p.from) > pieceCap {
		cut := int(p.from) + pieceCap
		for i := 0; i < utf8.UTFMax && !utf8.RuneStart(d.text[cut]); i++ {
			cut--
		}
		p.to = int32(cut)
		d.lines = append(d.lines, p)
		d.rest = append(d.rest, int32(len(d.lines)))
		p = piece{from: int32(cut), to: int32(to), depth: p.depth, kind: restPiece}
	}
	d.lines = append(d.lines, p)
}

// split finds the lines of valid JSON between two bytes: one for each bracket, value or field.
func (d *document) split(begin, stop int) {
	s, from, depth := d.text[:stop], -1, 0
	var open []int32 // the lines whose brackets are open
	end := func(to int) {
		if from >= 0 {
			d.add(from, to, depth)
		}
		from = -1
	}
	for i := begin; i < len(s); i++ {
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
			open = append(open, int32(len(d.lines)-1))
			depth++
		case '}', ']':
			end(lastByte(s, i))
			depth--
			from = i
			d.lines[open[len(open)-1]].end = int32(len(d.lines))
			open = open[:len(open)-1]
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
	end(lastByte(s, len(s)))
}

// lastByte is where the last byte before i that is no space ends.
func lastByte(s string, i int) int {
	for i > 0 && (s[i-1] == ' ' || s[i-1] == '\t' || s[i-1] == '\r' || s[i-1] == '\n') {
		i--
	}
	return i
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

// number is what stands before a line when lines are numbered; 0 for a piece that goes on with one.
func (d *document) number(n int) int {
	if d.lines[n].kind == restPiece {
		return 0
	}
	before := sort.Search(len(d.rest), func(i int) bool { return int(d.rest[i]) > n })
	return n + 1 - before
}

// count is how many lines there are.
func (d *document) count() int { return len(d.lines) - len(d.rest) }

// within counts the values between the brackets that line n opens.
func (d *document) within(n int) (values int) {
	end := int(d.lines[n].end)
	for i := n + 1; i < end; i++ {
		if d.lines[i].kind == restPiece {
			continue
		}
		values++
		if to := int(d.lines[i].end); to > 0 {
			i = to
		}
	}
	return values
}

// around returns the line that opens the brackets around line n, or -1.
func (d *document) around(n int) int {
	for i := n - 1; i >= 0; i-- {
		if int(d.lines[i].end) >= n && d.lines[i].end > 0 {
			return i
		}
	}
	return -1
}

// lineAt returns the piece in which a byte stands.
func (d *document) lineAt(at int) int {
	return max(sort.Search(len(d.lines), func(i int) bool { return int(d.lines[i].from) > at })-1, 0)
}
