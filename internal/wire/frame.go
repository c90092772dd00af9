package wire

// Limits of version 2 that no setting changes.
const (
	MaxFrame     = 64 << 10  // bytes of a frame's payload
	FragmentSize = 16 << 10  // payload of a fragment, as we cut longer messages
	MaxStreamID  = 1<<31 - 1 // when a client has used it, the connection takes no new streams
	MaxPing      = 8         // bytes of a PING
	MessageCost  = 64        // bytes of credit that a message costs beyond its own: small ones are not free to hold
)

// maxHeader is the longest header: kind and flags, five bytes of a stream id, three of a length.
const maxHeader = 1 + 5 + 3

// Kind says what a frame is.
type Kind uint8

// The kinds of version 2. SETTINGS, PING and GOAWAY belong to the connection, stream 0; the others to a stream. A receiver ignores
// the kinds from 8 on stream 0: they are room for later.
const (
	KindSettings Kind = iota
	KindOpen
	KindData
	KindError
	KindCredit
	KindPing
	KindGoAway

	kindIgnored Kind = 8 // the first of them
)

var kindNames = [...]string{"SETTINGS", "OPEN", "DATA", "ERROR", "CREDIT", "PING", "GOAWAY"}

// String returns the kind's name in docs/PROTOCOL.md; a kind without a name is "UNKNOWN".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "UNKNOWN"
}

// Flags are the low four bits of a frame's first byte. What one means depends on the kind.
type Flags uint8

const (
	FlagEnd        Flags = 1 // OPEN, DATA: the last from this side. PING: the answer
	FlagMeta       Flags = 2 // OPEN, DATA: a metadata block stands before the message
	FlagCompressed Flags = 4 // OPEN, DATA: the message begins with an [AlgorithmID] and is compressed
	FlagMore       Flags = 8 // OPEN, DATA: a fragment; the message goes on in the stream's next DATA
	FlagRefused    Flags = 8 // ERROR: the stream never ran
)

// flagsOf holds, for each kind, the flags it may carry.
var flagsOf = [...]Flags{
	KindSettings: 0,
	KindOpen:     FlagEnd | FlagMeta | FlagCompressed | FlagMore,
	KindData:     FlagEnd | FlagMeta | FlagCompressed | FlagMore,
	KindError:    FlagRefused,
	KindCredit:   0,
	KindPing:     FlagEnd,
	KindGoAway:   0,
}

// Frame is one frame of version 2, in either direction.
type Frame struct {
	Kind    Kind
	Flags   Flags
	Stream  uint32
	Payload []byte // points into the decoder's buffer
	Size    int    // bytes on the wire, header included
}

// AppendHeader appends the header of a frame whose payload, of n bytes, the caller appends next.
func AppendHeader(dst []byte, k Kind, f Flags, stream uint32, n int) []byte {
	dst = append(dst, byte(k)<<4|byte(f))
	dst = AppendVarint(dst, uint64(stream))
	return AppendVarint(dst, uint64(n))
}

// AppendFrame appends one whole frame. The payload is at most MaxFrame bytes.
func AppendFrame(dst []byte, k Kind, f Flags, stream uint32, payload []byte) []byte {
	return append(AppendHeader(dst, k, f, stream, len(payload)), payload...)
}

// checkFirst judges the first byte of a frame.
func checkFirst(k Kind, f Flags) error {
	switch {
	case k >= kindIgnored:
		return nil
	case int(k) >= len(flagsOf):
		return breachf(UnknownKind, "%d", k)
	case f&^flagsOf[k] != 0:
		return breachf(BadFlags, "%#x on %v", uint8(f), k)
	case (k == KindOpen || k == KindData) && f&FlagEnd != 0 && f&FlagMore != 0:
		return breachf(BadFlags, "END and MORE on one %v", k)
	}
	return nil
}

// checkStream judges the stream that a frame is for.
func checkStream(k Kind, stream uint64) error {
	switch {
	case stream > MaxStreamID:
		return breachf(WrongStream, "id %d is above %d", stream, MaxStreamID)
	case k >= kindIgnored && stream > 0:
		return breachf(UnknownKind, "%d on a stream", k)
	case k >= kindIgnored:
		return nil
	case k == KindSettings || k == KindPing || k == KindGoAway:
		if stream > 0 {
			return breachf(WrongStream, "%v on stream %d", k, stream)
		}
	case stream == 0:
		return breachf(WrongStream, "%v on stream 0", k)
	}
	return nil
}

// checkLength judges a payload's declared length: before any of it is waited for.
func checkLength(k Kind, f Flags, n uint64) error {
	switch {
	case n > MaxFrame:
		return breachf(FrameTooLarge, "%v of %d bytes, at most %d", k, n, MaxFrame)
	case k == KindPing && n > MaxPing:
		return breachf(BadControl, "PING of %d bytes, at most %d", n, MaxPing)
	case k == KindData && n == 0 && f&(FlagMeta|FlagCompressed|FlagMore) != 0:
		return breachf(BadFlags, "%#x on an empty DATA", uint8(f))
	}
	return nil
}
