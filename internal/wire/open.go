package wire

import "time"

// MaxName is the length of the longest method name that OPEN can carry: the receiver closes on a longer one, so whoever opens
// a stream must refuse the name first.
const MaxName = 1 << 10

// OpenHead is what stands in OPEN before the metadata and the message.
type OpenHead struct {
	Codec      CodecID
	OneWay     bool          // a cast: the server answers nothing, not even an error
	Idempotent bool          // the call may be run twice
	NoMessage  bool          // no first message stands in this OPEN: the client's messages, if any, come as DATA
	Timeout    time.Duration // time left when the call was enqueued; 0 means no deadline. Rounded up to a whole millisecond on the wire
	Number     uint8         // the client's number for the method: given to it if Name stands here too, else given before; 0 for none
	Name       []byte        // the method; nil when the number says it
}

// The bits of the call byte above the codec.
const (
	callCodec      = 0x0F
	callOneWay     = 0x10
	callIdempotent = 0x20
	callNoMessage  = 0x40
	callReserved   = 0x80
)

// AppendOpen appends h. The metadata, if the frame has META, and the message follow.
func AppendOpen(dst []byte, h *OpenHead) []byte {
	call := byte(h.Codec) & callCodec
	if h.OneWay {
		call |= callOneWay
	}
	if h.Idempotent {
		call |= callIdempotent
	}
	if h.NoMessage {
		call |= callNoMessage
	}
	dst = append(dst, call)
	dst = AppendVarint(dst, millis(h.Timeout))
	if h.Name == nil && h.Number > 0 {
		return append(dst, h.Number)
	}
	dst = append(dst, 0, h.Number)
	dst = AppendVarint(dst, uint64(len(h.Name)))
	return append(dst, h.Name...)
}

// ParseOpen reads the head of an OPEN; rest is the metadata, if the frame has META, and the message. A codec or a number without
// a meaning is no breach: it fails that stream alone. Name points into payload; the error is a [*Breach].
func ParseOpen(payload []byte) (h OpenHead, rest []byte, err error) {
	if len(payload) == 0 {
		return h, nil, breachf(BadOpen, "empty")
	}
	call := payload[0]
	if call&callReserved != 0 {
		return h, nil, breachf(BadOpen, "call byte %#x", call)
	}
	h.Codec = CodecID(call & callCodec)
	h.OneWay, h.Idempotent, h.NoMessage = call&callOneWay != 0, call&callIdempotent != 0, call&callNoMessage != 0
	ms, rest, ok := number(payload[1:])
	if !ok {
		return h, nil, breachf(BadOpen, "timeout is not a varint up to %d", maxNumber)
	}
	h.Timeout = time.Duration(ms) * time.Millisecond
	if len(rest) == 0 {
		return h, nil, breachf(BadOpen, "no method")
	}
	if h.Number, rest = rest[0], rest[1:]; h.Number > 0 {
		return h, rest, nil
	}
	if len(rest) == 0 {
		return h, nil, breachf(BadOpen, "no method")
	}
	h.Number = rest[0]
	if h.Name, rest, ok = prefixed(rest[1:]); !ok {
		return h, nil, breachf(BadOpen, "the method's name is not as long as declared")
	}
	if len(h.Name) > MaxName {
		return h, nil, breachf(BadOpen, "the method's name has %d bytes, at most %d", len(h.Name), MaxName)
	}
	return h, rest, nil
}
