package wire

import "encoding/binary"

// Limits of version 1. A peer that declares more is cut before a byte is taken for it.
const (
	MaxString = 1 << 20 // bytes of a type or a payload, as in the original
	MaxID     = 1 << 10 // bytes of a request id; the original has no cap of its own
)

// Message is one message of version 1, in either direction. What the decoder returns points into its buffer.
type Message struct {
	ID, Type, Payload []byte
	Size              int  // bytes on the wire, lengths included
	Repaired          bool // the payload's length counted UTF-16 units, as the Java original writes it
}

// Begin appends the id, the type and the place of the payload's length to dst, and returns the place.
// The caller then appends the payload itself and calls [End]: no copy in between.
func Begin[I, T ~string | ~[]byte](dst []byte, id I, typ T) (frame []byte, at int) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(id)))
	dst = append(dst, id...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(typ)))
	dst = append(dst, typ...)
	return append(dst, 0, 0, 0, 0), len(dst)
}

// End writes the length of the payload that was appended since [Begin] returned at.
func End(frame []byte, at int) []byte {
	binary.BigEndian.PutUint32(frame[at:], uint32(len(frame)-at-4))
	return frame
}

// AppendMessage appends one whole message to dst.
func AppendMessage[I, T, P ~string | ~[]byte](dst []byte, id I, typ T, payload P) []byte {
	dst, at := Begin(dst, id, typ)
	return End(append(dst, payload...), at)
}
