package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Part is a run of the bytes of a connection and what it means, for people who look at a wire.
type Part struct {
	At, Len int
	Name    string // as in "length", "requestId", "stream"
	Note    string // what the bytes say, as in "36" or "speaks version 2, 5s left"; may hold text of a peer, raw
	Role    PartRole
}

// PartRole says how a part is drawn.
type PartRole uint8

// The roles.
const (
	RoleHead    PartRole = iota // what tells a frame from others: magic, kind, stream
	RoleLength                  // how long what follows is
	RoleID                      // which call it belongs to
	RoleType                    // the name of a service or a reply
	RoleMeta                    // deadline, metadata, settings
	RolePayload                 // what the caller or the handler wrote
	RoleBad                     // what cannot be read
)

// Dissect names every byte of b: whole messages or frames of one direction, as a trace holds them. The parts follow each other without a gap,
// and together they are all of b, whatever b is.
func Dissect(p Protocol, b []byte) []Part {
	d := dissector{b: b}
	d.messages.buf, d.messages.w, d.messages.Max = b, len(b), len(b)
	for d.at < len(b) && !d.bad {
		switch {
		case p == V2:
			d.frame()
		default:
			d.message()
		}
	}
	d.rest("")
	return d.parts
}

type dissector struct {
	b        []byte
	at       int
	parts    []Part
	bad      bool
	messages Decoder // of version 1: over all of b, never fed
}

// take makes a part of the next n bytes and returns them; what is not there makes a bad part of the rest.
func (d *dissector) take(n int, role PartRole, name, format string, args ...any) []byte {
	if d.bad || n > len(d.b)-d.at || n < 0 {
		d.rest("cut short in " + name)
		return nil
	}
	b := d.b[d.at : d.at+n]
	if n > 0 {
		d.parts = append(d.parts, Part{d.at, n, name, fmt.Sprintf(format, args...), role})
		d.at += n
	}
	return b
}

// rest gives up on what is left.
func (d *dissector) rest(why string) {
	d.bad = true
	if n := len(d.b) - d.at; n > 0 {
		d.parts = append(d.parts, Part{d.at, n, "unreadable", why, RoleBad})
		d.at = len(d.b)
	}
}

// note changes what the newest part says.
func (d *dissector) note(format string, args ...any) {
	if len(d.parts) > 0 && !d.bad {
		d.parts[len(d.parts)-1].Note = fmt.Sprintf(format, args...)
	}
}

// message dissects one message of version 1. Where its payload ends the decoder knows: a length may count UTF-16 units.
func (d *dissector) message() {
	m, ok, err := d.messages.Next()
	if !ok && d.messages.Repairing() {
		d.messages.GiveUp()
		m, ok, err = d.messages.Next()
	}
	if err != nil || !ok {
		why := "half a message"
		if err != nil {
			why = err.Error()
		}
		d.rest(why)
		return
	}
	d.take(4, RoleLength, "length", "%d", len(m.ID))
	d.take(len(m.ID), RoleID, "requestId", "%s", idNote(m.ID))
	d.take(4, RoleLength, "length", "%d", len(m.Type))
	d.take(len(m.Type), RoleType, "type", "%s", m.Type)
	if n := d.take(4, RoleLength, "length", "%d", len(m.Payload)); m.Repaired {
		d.note("%d, counted in UTF-16 units", binary.BigEndian.Uint32(n))
	}
	d.take(len(m.Payload), RolePayload, "payload", "json")
}

// idNote says in words what a request id of ours carries.
func idNote(id []byte) string {
	if _, mark, ok := ParseMark(id); ok {
		says := []string{"speaks version 2"}
		if mark.Timeout > 0 {
			says = append(says, mark.Timeout.String()+" left")
		}
		if mark.Trace != "" {
			says = append(says, "traced")
		}
		if mark.Idempotent {
			says = append(says, "idempotent")
		}
		if mark.OneWay {
			says = append(says, "one way")
		}
		return strings.Join(says, ", ")
	}
	if _, version, ok := ParseReplyID(id); ok {
		return fmt.Sprintf("the server speaks version %d", version)
	}
	if strings.HasSuffix(string(id), ErrorSuffix) {
		return "the call failed"
	}
	return ""
}

// frame dissects one frame of version 2, or the magic before the first.
func (d *dissector) frame() {
	if string(d.b[d.at:min(d.at+len(Magic), len(d.b))]) == Magic {
		d.take(len(Magic), RoleHead, "magic", "version 2")
		return
	}
	first := d.b[d.at]
	kind, flags := Kind(first>>4), Flags(first&15)
	d.take(1, RoleHead, "kind", "%s%s", kind, flagNote(kind, flags))
	stream := d.varint(RoleID, "stream")
	if stream == 0 && !d.bad {
		d.note("the connection")
	}
	n := d.varint(RoleLength, "length")
	if d.bad {
		return
	}
	if n > uint64(len(d.b)-d.at) {
		d.rest(fmt.Sprintf("%d of %d bytes", len(d.b)-d.at, n))
		return
	}
	for _, err := range []error{checkFirst(kind, flags), checkStream(kind, stream), checkLength(kind, flags, n)} {
		if err != nil {
			d.rest(err.Error())
			return
		}
	}
	inside := dissector{b: d.b[:d.at+int(n)], at: d.at, parts: d.parts}
	inside.payload(kind, flags)
	inside.rest("")
	d.at, d.parts = inside.at, inside.parts
}

func flagNote(k Kind, f Flags) string {
	var b strings.Builder
	names := []string{"END", "META", "COMPRESSED", "MORE"}
	if k == KindError {
		names[3] = "REFUSED"
	}
	for i, name := range names {
		if f&(1<<i) != 0 {
			b.WriteString(" " + name)
		}
	}
	return b.String()
}

// varint makes a part of a number.
func (d *dissector) varint(role PartRole, name string) uint64 {
	if d.bad {
		return 0
	}
	v, n := Varint(d.b[d.at:])
	if n <= 0 {
		d.rest("cut short in " + name)
		return 0
	}
	d.take(n, role, name, "%d", v)
	return v
}

// left returns how many bytes of the frame are not named yet.
func (d *dissector) left() int { return len(d.b) - d.at }

func (d *dissector) payload(k Kind, f Flags) {
	switch k {
	case KindSettings:
		for d.left() > 0 && !d.bad {
			d.setting()
		}
	case KindOpen:
		d.body(f, d.open())
	case KindData:
		d.body(f, "")
	case KindError:
		d.failure()
	case KindCredit:
		d.varint(RoleMeta, "credit")
	case KindPing:
		d.take(d.left(), RolePayload, "opaque", "")
	case KindGoAway:
		d.varint(RoleID, "last stream")
		d.code()
		d.varint(RoleMeta, "ms until close")
		d.take(d.left(), RolePayload, "text", "")
	default:
		d.take(d.left(), RolePayload, "unknown", "passed over")
	}
}

var settingNames = [...]string{setMaxMessage: "max message", setWindow: "window", setMaxStreams: "max streams", setCodecs: "codecs", setAlgorithms: "compressions",
	setMinPing: "min ping ms", setAuthorization: "authorization", setName: "name", setMaxMetadata: "max metadata", setWantTiming: "wants server timing"}

func (d *dissector) setting() {
	id := d.varint(RoleMeta, "setting")
	if id < uint64(len(settingNames)) && id > 0 {
		d.note("%s", settingNames[id])
	}
	n := d.varint(RoleLength, "length")
	value := d.take(int(min(n, MaxFrame+1)), RoleMeta, "value", "")
	switch id {
	case setMaxMessage, setWindow, setMaxStreams, setMinPing, setMaxMetadata:
		if v, m := Varint(value); m == len(value) && m > 0 {
			d.note("%d", v)
		}
	}
}

// open dissects what stands before OPEN's metadata and message, and returns how the message is written.
func (d *dissector) open() (codec string) {
	call := d.peek()
	codec = "json"
	if CodecID(call&callCodec) != CodecJSON {
		codec = "raw"
	}
	note := []string{codec}
	if call&callOneWay != 0 {
		note = append(note, "one way")
	}
	if call&callIdempotent != 0 {
		note = append(note, "idempotent")
	}
	if call&callNoMessage != 0 {
		note = append(note, "no first message")
	}
	d.take(1, RoleHead, "call", "%s", strings.Join(note, ", "))
	if ms := d.varint(RoleMeta, "timeout"); ms > 0 {
		d.note("%s", time.Duration(min(ms, uint64(maxTimeout.Milliseconds())))*time.Millisecond)
	} else {
		d.note("none")
	}
	if d.bad || d.left() == 0 || d.b[d.at] != 0 {
		d.take(1, RoleType, "method", "%d", d.peek())
		return codec
	}
	d.take(1, RoleType, "method", "named")
	number := d.peek()
	if d.take(1, RoleType, "number", "%d from now on", number); number == 0 {
		d.note("none")
	}
	n := d.varint(RoleLength, "length")
	d.note("%d", n)
	name := d.take(int(min(n, MaxFrame+1)), RoleType, "type", "")
	d.note("%s", name)
	return codec
}

func (d *dissector) peek() byte {
	if d.bad || d.left() == 0 {
		return 0
	}
	return d.b[d.at]
}

// body dissects metadata and message.
func (d *dissector) body(f Flags, codec string) {
	if f&FlagMeta != 0 {
		n := d.varint(RoleLength, "metadata")
		if d.bad || n > uint64(d.left()) {
			d.rest("cut short in metadata")
			return
		}
		inside := dissector{b: d.b[:d.at+int(n)], at: d.at, parts: d.parts}
		inside.metadata()
		d.at, d.parts = inside.at, inside.parts
	}
	if f&FlagCompressed != 0 {
		d.take(1, RoleHead, "algorithm", "deflate")
		d.take(d.left(), RolePayload, "payload", "compressed")
		return
	}
	d.take(d.left(), RolePayload, "payload", "%s", codec)
}

func (d *dissector) metadata() {
	for d.left() > 0 && !d.bad {
		key := d.peek()
		d.take(1, RoleMeta, "key", "%s", keyText(key))
		if key == keyLiteral {
			n := d.varint(RoleLength, "length")
			d.take(int(min(n, MaxFrame+1)), RoleMeta, "name", "")
		}
		n := d.varint(RoleLength, "length")
		if timing := d.at; key == keyTiming && !d.bad {
			d.varint(RoleMeta, "queue ns")
			d.varint(RoleMeta, "handler ns")
			n -= min(n, uint64(d.at-timing))
		}
		d.take(int(min(n, MaxFrame+1)), RoleMeta, "value", "")
	}
}

func keyText(key byte) string {
	if int(key) < len(fieldNames) && key != keyLiteral {
		return fieldNames[key]
	}
	if key == keyLiteral {
		return "a name follows"
	}
	return "unknown"
}

func (d *dissector) failure() {
	d.code()
	if d.left() == 0 {
		return
	}
	d.varint(RoleMeta, "retry after ms")
	if d.left() == 0 {
		return
	}
	n := d.varint(RoleLength, "length")
	d.take(int(min(n, MaxFrame+1)), RolePayload, "message", "")
	d.take(d.left(), RolePayload, "details", "json")
}

func (d *dissector) code() { d.take(1, RoleHead, "code", "%s", Code(d.peek())) }
