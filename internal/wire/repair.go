package wire

import (
	"encoding/json"
	"unicode/utf8"
)

// A Java sender of the original writes String.length(), which counts UTF-16 units, and then UTF-8 bytes: any text beyond ASCII
// breaks its own frame. repair finds out whether a payload was meant so. It stands only if exactly n units are valid UTF-8 and
// complete JSON; a proper prefix of a JSON string, object or array is never complete JSON, so a right length is never mistaken.
// It keeps its place between calls: a peer that sends byte by byte does not make it read from the start each time.
type repair struct {
	active bool
	at     int // bytes of the payload looked at
	units  int // UTF-16 units in them
}

type verdict int

const (
	undecided verdict = iota // more bytes are needed
	repaired
	refused
)

// scan looks at b, which starts with a payload declared as n bytes and holds all that has arrived since.
func (p *repair) scan(b []byte, n int) (payload []byte, v verdict) {
	p.active = true
	most := 3 * n // no UTF-16 unit takes more than three bytes of UTF-8
	for p.units < n {
		if p.at >= most {
			return nil, refused
		}
		if !utf8.FullRune(b[p.at:]) {
			return nil, undecided
		}
		r, size := utf8.DecodeRune(b[p.at:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return nil, refused
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r': // JSON cannot hold it; the next message begins with 00
			return nil, refused
		case r > 0xFFFF:
			p.units++
		}
		p.units++
		p.at += size
	}
	payload = b[:p.at:p.at]
	if p.units != n || !json.Valid(payload) {
		return nil, refused
	}
	return payload, repaired
}
