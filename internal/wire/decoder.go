package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// A LengthError says that a peer declared a length that no message may have.
type LengthError struct {
	Field    string // "id", "type" or "payload"
	Declared int64  // as the signed int32 that stood on the wire
	Max      int
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("%s length %d is outside 0 to %d", e.Field, e.Declared, e.Max)
}

// Decoder cuts the bytes of one direction of a version 1 connection into messages. The loop of a reader is
//
//	n, err := conn.Read(d.Space())
//	d.Fed(n)
//	for { m, ok, err := d.Next(); ... }
//
// The zero value is ready and holds no memory; memory for a declared length is taken as its bytes arrive, never ahead of them.
// A Decoder is for one goroutine.
type Decoder struct {
	Max int // bytes of a type or a payload; 0 means MaxString

	readBuffer
	gaveUp bool // see GiveUp
	repair repair
}

// Space returns where the next read puts its bytes; it is never empty. It ends the life of all messages returned so far.
func (d *Decoder) Space() []byte { return d.space(math.MaxInt) } // a message's length is judged before its bytes are waited for

// GiveUp ends the wait for the rest of a payload whose length may count UTF-16 units: call it at the end of the stream
// or when the message's time is over, then call Next again. It does nothing for a message that is simply not complete.
func (d *Decoder) GiveUp() { d.gaveUp = true }

// Repairing reports whether a message is complete as declared and waits only because its length may count UTF-16 units.
func (d *Decoder) Repairing() bool { return d.repair.active }

// Next returns the next message; ok is false when more bytes are needed. After an error the stream is out of step
// and the connection has to be closed.
func (d *Decoder) Next() (m Message, ok bool, err error) {
	limit := d.Max
	if limit <= 0 {
		limit = MaxString
	}
	b := d.buf[d.r:d.w]
	id, at, ok, err := cut(b, 0, "id", MaxID)
	if !ok {
		return m, false, err
	}
	typ, at, ok, err := cut(b, at, "type", limit)
	if !ok {
		return m, false, err
	}
	payload, end, ok, err := cut(b, at, "payload", limit)
	if !ok {
		return m, false, err
	}
	m = Message{ID: id, Type: typ, Payload: payload}
	if d.repair.active || !(isASCII(payload) || json.Valid(payload)) {
		n := len(payload)
		rest, verdict := d.repair.scan(b[at+4:], n)
		if verdict == undecided && !d.gaveUp {
			return Message{}, false, nil
		}
		if verdict == repaired {
			m.Payload, m.Repaired = rest, true
			end += len(rest) - n
		}
		d.repair = repair{}
	}
	d.gaveUp = false
	m.Size = end
	d.r += end
	return m, true, nil
}

// cut reads one string that starts at b[at]. The length is judged as soon as its four bytes are there.
func cut(b []byte, at int, field string, limit int) (s []byte, end int, ok bool, err error) {
	if len(b)-at < 4 {
		return nil, 0, false, nil
	}
	n := int32(binary.BigEndian.Uint32(b[at:]))
	if n < 0 || int(n) > limit {
		return nil, 0, false, &LengthError{Field: field, Declared: int64(n), Max: limit}
	}
	at += 4
	if len(b)-at < int(n) {
		return nil, 0, false, nil
	}
	end = at + int(n)
	return b[at:end:end], end, true, nil
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Raw returns the bytes of m as they stood on the wire. It is for the message that Next returned last.
func (d *Decoder) Raw(m Message) []byte { return d.buf[d.r-m.Size : d.r : d.r] }
