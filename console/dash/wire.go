package dash

import (
	"fmt"
	"strconv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// wire shows the bytes of a call, both directions, each byte under the name of its field.
type wire struct {
	*scene
	entry console.Entry // whose bytes are shown; Number 0 when there is none
	lines []wireLine
	key   wireKey
	fit   wireFit
	at    int // the chosen field, counting through both directions; -1: none yet
	total int // fields
	turn  int // the first field of the reply
	top   int
	rows  int
}

// wireLine is a line of the pane: a row of bytes, or what stands above a direction.
type wireLine struct {
	field int // counts through both directions; -1: no row
	row   console.WireRow
	sign  string // of the direction
	name  string // "request"
	facts string
}

// wireKey says which rows were laid out.
type wireKey struct {
	number  int
	state   console.State
	out, in int
	bytes   int // in a row
	ascii   bool
	dropped bool
}

// wireFit says what there is room for in a row.
type wireFit struct {
	bytes int
	text  bool // what the bytes are as text
}

// Cells of the longest common names with what they say: "requestId same", "kind DATA END META". The fields of version 2 are short and say more.
const (
	wireLabelV1 = 15
	wireLabelV2 = 22
)

// fitWire chooses as many bytes for a row as leave the names their place.
func fitWire(w int, protocol string) wireFit {
	label := wireLabelV1
	if protocol == "v2" {
		label = wireLabelV2
	}
	for _, n := range []int{16, 12, 8, 4} {
		if w >= 1+4+2+3*n+2+n+3+label {
			return wireFit{n, true}
		}
	}
	return wireFit{4, w >= 1+4+2+3*4+2+4+3+wireLabelV1}
}

// load lays out the bytes of the chosen call when it is another one, or the room is.
func (b *wire) load(in rect) {
	if in.empty() {
		return
	}
	b.entry = b.shown
	if b.entry.State == console.Running && len(b.entry.Trace.Out) == 0 {
		b.entry = b.done // its bytes are there when it has ended
	}
	e := &b.entry
	b.rows, b.fit = in.h, fitWire(in.w, e.Trace.Protocol)
	key := wireKey{e.Number, e.State, len(e.Trace.Out), len(e.Trace.In), b.fit.bytes, b.theme.ASCII, e.Dropped}
	if key != b.key || b.lines == nil {
		b.key = key
		b.lay()
	}
	if b.focus == atWire && b.at < 0 && b.total > 0 {
		b.at = 0
	}
	b.at = min(b.at, b.total-1)
	b.follow()
}

// lay makes the lines anew; the chosen field stays the same in number, so that calls can be compared.
func (b *wire) lay() {
	e := &b.entry
	b.lines, b.total, b.turn = []wireLine{}, 0, 0
	if e.Number == 0 || e.Dropped {
		return
	}
	out, in := e.Trace.Sizes()
	b.direction(b.theme.Mark.To, "request", out, e.Trace.Out)
	b.turn = b.total
	b.lines = append(b.lines, wireLine{field: -1})
	b.direction(b.theme.Mark.From, "reply", in, e.Trace.In)
}

func (b *wire) direction(sign, name string, size int, kept []byte) {
	e := &b.entry
	head := wireLine{field: -1, sign: sign, name: name, facts: console.Bytes(size)}
	switch {
	case size == 0 && name == "reply" && e.Kind == console.KindCast:
		head.facts = "a cast has none"
	case size == 0:
		head.facts = "nothing"
	case size > len(kept):
		head.facts += ", the first " + console.Bytes(len(kept)) + " are kept"
	case name == "reply":
		head.facts += ", " + short(e.Trace.RTT, b.theme.ASCII) + " later"
	}
	if name == "request" && e.Trace.Protocol != "" {
		head.facts += "  " + console.Printable(e.Trace.Protocol)
	}
	b.lines = append(b.lines, head)
	from := b.total
	for _, r := range console.WireRows(e.Trace.Protocol, kept, b.fit.bytes) {
		b.lines = append(b.lines, wireLine{field: from + r.Field, row: r})
		b.total = from + r.Field + 1
	}
}

// follow scrolls as little as brings the chosen field into sight, or what stands above it at the beginning of a direction.
func (b *wire) follow() {
	if b.at >= 0 {
		first, last := -1, -1
		for i, l := range b.lines {
			if l.field == b.at {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		if first > 0 && b.lines[first-1].field < 0 {
			first--
		}
		b.top = min(max(b.top, last-b.rows+1), first)
	}
	b.top = min(max(b.top, 0), max(len(b.lines)-b.rows, 0))
}

func (b *wire) Update(key string) wish {
	switch key {
	case "down", "j", "right", "l":
		b.at++
	case "up", "k", "left", "h":
		b.at--
	case "n", "p":
		if b.at < b.turn {
			b.at = b.turn
		} else {
			b.at = 0
		}
	case "home", "g":
		b.at = 0
	case "end", "G":
		b.at = b.total - 1
	case "pgdown", " ":
		b.at = b.fieldNear(b.top + 2*b.rows - 1)
	case "pgup":
		b.at = b.fieldNear(b.top - b.rows)
	case "r":
		if b.entry.Number > 0 {
			return wishRun("rerun " + strconv.Itoa(b.entry.Number))
		}
	case "y":
		if b.entry.Number > 0 {
			return wishAsk("wire " + strconv.Itoa(b.entry.Number))
		}
	}
	b.at = min(max(b.at, 0), b.total-1)
	return nil
}

// fieldNear is the field of a line, or of the nearest one above that has a field.
func (b *wire) fieldNear(n int) int {
	for n = min(n, len(b.lines)-1); n >= 0; n-- {
		if b.lines[n].field >= 0 {
			return b.lines[n].field
		}
	}
	return 0
}

// Click chooses the field of a row.
func (b *wire) Click(y int) wish {
	if n := b.top + y; n < len(b.lines) && b.lines[n].field >= 0 {
		b.at = b.lines[n].field
	}
	return nil
}

func (b *wire) Keys() []key {
	m := b.theme.Mark
	return []key{
		{"j k", "field", ""},
		{"j k " + m.Up + " " + m.Down, "", "next, previous field"},
		{"n", "direction", "request, reply"},
		{"pgup pgdn", "", "a page up, down"},
		{"home end", "", "first, last field"},
		{"r", "rerun", "run again"},
		{"y", "text", "as the text of `wire`"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

func (b *wire) Heading(w, h int) heading {
	hd := heading{number: int(atWire), name: "Wire"}
	if b.entry.Number == 0 {
		return hd
	}
	hd.right = "#" + strconv.Itoa(b.entry.Number)
	if w >= 50 {
		hd.right += " " + console.Printable(b.entry.Type)
	}
	if b.focus == atWire && b.total > 0 {
		hd.right += fmt.Sprintf("  field %d of %d", b.at+1, b.total)
	}
	return hd
}

func (b *wire) View(w, h int) []string {
	p, t := newPage(w, h), b.theme
	switch {
	case b.entry.Number == 0:
		p.text(&t.Muted, " the bytes of a call stand here")
	case b.entry.Dropped:
		p.text(&t.Muted, " "+notKept)
	case b.entry.State == console.Running && len(b.entry.Trace.Out) == 0:
		p.text(&t.Muted, " the bytes are told when it has ended")
	default:
		for n := b.top; n < len(b.lines) && !p.full(); n++ {
			p.add(b.line(&b.lines[n], w))
		}
	}
	return p.done()
}

func (b *wire) line(n *wireLine, w int) *line {
	t, l := b.theme, &line{}
	switch {
	case n.field >= 0:
		return b.row(n, w)
	case n.name != "":
		l.put(&t.Text, " ").put(&t.Accent, n.sign).put(&t.Text, " ").put(&t.Strong, n.name).put(&t.Muted, "  "+n.facts)
	}
	return l
}

// row draws offset, bytes, text and, after the bracket that ties a length to what it measures, the name of the field.
func (b *wire) row(n *wireLine, w int) *line {
	t, l, r := b.theme, &line{}, &n.row
	bar, name := " ", b.style(r.Role)
	style := name
	if n.field == b.at {
		l.row, name, bar = theme.Quiet, &t.Strong, t.Mark.Row
		if b.focus == atWire {
			l.row = theme.Chosen
		}
	}
	l.put(&t.Accent, bar).put(&t.Muted, fmt.Sprintf("%04x", r.At)).put(&t.Text, "  ")
	at := l.w
	l.put(style, r.Hex(t.ASCII)).until(&t.Text, at+3*b.fit.bytes+2)
	if b.fit.text {
		at = l.w
		l.put(style, r.Text()).until(&t.Text, at+b.fit.bytes)
	}
	l.put(&t.Text, " ").put(&t.Muted, r.Tie.Sign(t.ASCII)).put(&t.Text, " ")
	switch {
	case len(r.Bytes) == 0 && r.More > 0:
		l.put(&t.Muted, cut(console.Bytes(r.More)+" more", w-l.w-1, t.Mark.Cut))
	case r.Note != "":
		l.put(name, cut(r.Name, w-l.w-1, t.Mark.Cut)).put(&t.Muted, cut(" "+r.Note, w-l.w-1, t.Mark.Cut))
	default:
		l.put(name, cut(r.Name, w-l.w-1, t.Mark.Cut))
	}
	return l.until(&t.Text, w)
}

func (b *wire) style(r console.WireRole) *theme.Style {
	t := b.theme
	switch r {
	case console.WireHead, console.WireLength:
		return &t.Second
	case console.WireID, console.WireMeta:
		return &t.Muted
	case console.WireType:
		return &t.Accent
	case console.WireBad:
		return &t.Fail
	}
	return &t.Text
}
