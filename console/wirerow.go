package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

// WireRow is a line of annotated hex: bytes of one field, and on the first line of the field its name.
type WireRow struct {
	At    int    // offset of the first byte
	Bytes []byte // at most as many as the width; none where More stands for all
	More  int    // how many bytes of the field follow that are not shown, here or further down
	Field int    // counts the fields from 0: rows of one field share it
	First bool   // the first row of its field
	Name  string // of the field, as "length" or "requestId"; safe for a terminal
	Note  string // what its bytes say, as "36"; only in the first row; safe for a terminal
	Role  WireRole
	Tie   Tie
}

// WireRole says how a field is drawn.
type WireRole = wire.PartRole

// The roles: what tells a frame from others, how long something is, which call it belongs to, the name of a service or a reply, deadline and metadata,
// what was sent, and what cannot be read.
const (
	WireHead    = wire.RoleHead
	WireLength  = wire.RoleLength
	WireID      = wire.RoleID
	WireType    = wire.RoleType
	WireMeta    = wire.RoleMeta
	WirePayload = wire.RolePayload
	WireBad     = wire.RoleBad
)

// Tie is a piece of the bracket between a length and the field that it measures.
type Tie int

const (
	TieNone  Tie = iota
	TieBegin     // at the length
	TieGoes      // at a row of the field that has more below
	TieEnd       // at its last row
)

// Sign is the piece as it is drawn: ╭, │, ╰, in ASCII /, |, \; a space for none.
func (t Tie) Sign(ascii bool) string {
	if ascii {
		return [...]string{" ", "/", "|", `\`}[t]
	}
	return [...]string{" ", "╭", "│", "╰"}[t]
}

const (
	wireFieldRows = 16   // of one field; what is longer shows its beginning and its last row
	wireFields    = 2000 // of one direction
)

// WireRows lays out what went one way, as the protocol, "v1" or "v2", has it: whole messages or frames, as a Trace holds them. width is how many bytes stand in a row;
// 16 if it is none. An id has one row. However long the fields are, the rows are few.
func WireRows(protocol string, b []byte, width int) []WireRow {
	if width < 1 {
		width = 16
	}
	parts, version := wireParts(protocol, b)
	var rows []WireRow
	tied := false // the field before measures this one
	for i, p := range parts {
		field := fieldWireRows(b, p, i, width)
		if tied {
			for n := range field {
				field[n].Tie = TieGoes
			}
			field[len(field)-1].Tie = TieEnd
		}
		if tied = i+1 < len(parts) && measures(version, p, parts[i+1]); tied && field[0].Tie == TieNone {
			field[0].Tie = TieBegin
		}
		rows = append(rows, field...)
	}
	if n := len(parts); n > 0 && parts[n-1].At+parts[n-1].Len < len(b) {
		at := parts[n-1].At + parts[n-1].Len
		rows = append(rows, WireRow{At: at, More: len(b) - at, Field: n, First: true, Name: "more", Role: WireMeta})
	}
	return rows
}

// wireParts are the first fields of what went one way. Of a long stream no more is looked at than is needed for them.
func wireParts(protocol string, b []byte) ([]wire.Part, wire.Protocol) {
	if protocol != "v2" {
		parts := wire.Dissect(wire.V1, b)
		return parts[:min(len(parts), wireFields)], wire.V1
	}
	const whole = wire.MaxFrame + 16 // a frame that begins before the limit ends before that
	for limit := 32 << 10; ; limit *= 2 {
		if len(b) <= limit+whole {
			parts := wire.Dissect(wire.V2, b)
			return parts[:min(len(parts), wireFields)], wire.V2
		}
		parts := wire.Dissect(wire.V2, b[:limit+whole])
		if n := slices.IndexFunc(parts, func(p wire.Part) bool { return p.At >= limit }); n >= wireFields {
			return parts[:wireFields], wire.V2
		}
	}
}

// measures says whether a part is the length of the next one alone.
func measures(version wire.Protocol, p, next wire.Part) bool {
	if p.Role != WireLength || next.Role == WireLength || next.Role == WireBad {
		return false
	}
	n, err := strconv.Atoi(p.Note)
	return version == wire.V1 || err == nil && n == next.Len
}

func fieldWireRows(b []byte, p wire.Part, field, width int) []WireRow {
	var rows []WireRow
	end := p.At + p.Len
	for at := p.At; at < end || at == p.At; at += width {
		row := WireRow{At: at, Bytes: b[at:min(at+width, end)], Field: field, Role: p.Role, First: at == p.At}
		left := end - at - len(row.Bytes)
		switch {
		case row.First:
			row.Name, row.Note = shorten(Printable(p.Name), 40), shorten(Printable(p.Note), 60)
		case len(rows) == wireFieldRows-2 && left > width:
			last := p.At + (p.Len-1)/width*width
			row.Bytes, row.More = nil, last-at
			rows = append(rows, row)
			return append(rows, WireRow{At: last, Bytes: b[last:end], Field: field, Role: p.Role})
		}
		rows = append(rows, row)
		if p.Role == WireID && left > 0 {
			rows[0].More = left
			return rows
		}
	}
	return rows
}

// Hex are the bytes of the row, as "00 00 00 24"; what is not shown is an ellipsis.
func (r WireRow) Hex(ascii bool) string {
	hex, _ := hexText(r.Bytes)
	if r.More > 0 {
		return strings.TrimSpace(hex + " " + ellipsis(ascii))
	}
	return hex
}

// Text are the bytes of the row as ASCII, a dot for each that is no printable character.
func (r WireRow) Text() string {
	_, text := hexText(r.Bytes)
	return text
}

// Label is what stands beside the bytes: the name of the field and what it says, or how much is not shown.
func (r WireRow) Label() string {
	switch {
	case len(r.Bytes) == 0 && r.More > 0:
		return strings.TrimSpace(r.Name + " " + Bytes(r.More))
	case r.Note != "":
		return r.Name + " " + r.Note
	}
	return r.Name
}

func ellipsis(ascii bool) string {
	if ascii {
		return "~"
	}
	return "…"
}

// wireText are rows as lines in columns.
func wireText(rows []WireRow, width int, ascii bool) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		hex := r.Hex(ascii)
		pad := strings.Repeat(" ", max(3*width+1-len([]rune(hex)), 0))
		lines[i] = strings.TrimRight(fmt.Sprintf("%04x  %s%s  %-*s  %s %s", r.At, hex, pad, width, r.Text(), r.Tie.Sign(ascii), r.Label()), " ")
	}
	return strings.Join(lines, "\n")
}
