package wire

import "fmt"

// What a peer can do wrong on a version 2 connection. Each is the Reason of a [Breach], closes the connection and names a counter.
const (
	BadMagic         = "bad magic"             // not the four bytes that open version 2
	BadVarint        = "bad varint"            // longer than it needs to be, or beyond 64 bits
	BadFlags         = "bad flags"             // a flag that the kind does not have, or flags that exclude each other
	UnknownKind      = "unknown kind"          // kind 7, or a kind from 8 on a stream of its own
	WrongStream      = "wrong stream"          // stream 0 where a stream is needed, a stream where 0 is, or an id beyond MaxStreamID
	FrameTooLarge    = "frame too large"       // a declared length above MaxFrame
	NoSettings       = "no SETTINGS first"     // another frame before SETTINGS
	SecondSettings   = "second SETTINGS"       // SETTINGS come exactly once per side
	BadSettings      = "bad SETTINGS"          // their payload breaks a rule
	BadOpen          = "bad OPEN"              // its payload breaks a rule
	BadMetadata      = "bad metadata"          // a block breaks a rule
	MetadataTooLarge = "metadata too large"    // a block above the announced maximum
	BadFragment      = "bad fragment"          // META or COMPRESSED in the middle of a message
	MessageTooLarge  = "message too large"     // fragments beyond the announced maximum
	SlowMessage      = "slow message"          // half a frame or half a message, and its time is over
	StreamReused     = "stream reused"         // an OPEN whose id is not above all before it
	StreamUnknown    = "stream never opened"   // DATA, ERROR or CREDIT for an id that no OPEN had
	AfterEnd         = "DATA after END"        // of the same side, on a stream that is not finished
	WrongRole        = "not this side's frame" // OPEN from a server, REFUSED from a client
	CreditOverflow   = "credit overflow"       // a window beyond 2^31-1
	WindowExceeded   = "window exceeded"       // more bytes than window and one message
	BadControl       = "bad control frame"     // the payload of ERROR, CREDIT, PING or GOAWAY breaks a rule
	PingFlood        = "ping flood"            // more PINGs than the announced interval allows
	RapidReset       = "rapid reset"           // streams opened and cancelled faster than any caller has reason to
)

// A Breach says that a peer broke the rules of version 2; no frame after it can be trusted, so the connection has to be closed.
type Breach struct {
	Reason string // one of the constants: fit for a counter's name
	Detail string // numbers and names of ours, never a peer's bytes: safe to print
}

func (b *Breach) Error() string {
	if b.Detail == "" {
		return b.Reason
	}
	return b.Reason + ": " + b.Detail
}

func breachf(reason, format string, args ...any) *Breach {
	return &Breach{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
