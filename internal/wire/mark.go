package wire

import (
	"strconv"
	"time"
)

// PrefixLen is the length of the unique part of our request ids: 16 lower-case hex digits, 8 random per connection and 8 of a counter.
const PrefixLen = 16

// Mark is what rides in our own request ids behind their unique part:
//
//	<16 hex>;rk2[;d=MS][;t=TRACEPARENT][;i][;1]
//
// Any server echoes an id verbatim, so a mark costs an old server nothing and no round trip. It is untrusted input and never proves
// who a peer is: ids get logged.
type Mark struct {
	Timeout    time.Duration // time left when the call was sent, in whole milliseconds; 0 means no deadline
	Trace      string        // W3C traceparent; "" means none
	Idempotent bool          // the call may be run twice
	OneWay     bool          // a cast: do not answer, not even with an error
}

// maxTimeout is the largest time a mark carries: what fits nine decimal digits of milliseconds, eleven days.
const maxTimeout = 999_999_999 * time.Millisecond

// AppendMark appends prefix, which has PrefixLen bytes, and the mark. A timeout is rounded up to a whole millisecond.
func AppendMark(dst []byte, prefix []byte, m Mark) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, ";rk2"...)
	if m.Timeout > 0 {
		ms := (min(m.Timeout, maxTimeout) + time.Millisecond - 1) / time.Millisecond
		dst = append(dst, ";d="...)
		dst = strconv.AppendInt(dst, int64(ms), 10)
	}
	if m.Trace != "" {
		dst = append(dst, ";t="...)
		dst = append(dst, m.Trace...)
	}
	if m.Idempotent {
		dst = append(dst, ";i"...)
	}
	if m.OneWay {
		dst = append(dst, ";1"...)
	}
	return dst
}

// ParseMark reads a request id of ours. It is strict: fields in their order, each at most once, lower-case hex, decimals without
// a leading zero. Anything else makes the whole id opaque (ok is false) and its sender a plain version 1 peer.
func ParseMark(id []byte) (prefix []byte, m Mark, ok bool) {
	if len(id) < PrefixLen || !isHex(id[:PrefixLen]) {
		return nil, Mark{}, false
	}
	prefix, rest := id[:PrefixLen:PrefixLen], id[PrefixLen:]
	if rest, ok = after(rest, ";rk2"); !ok {
		return nil, Mark{}, false
	}
	if digits, found := after(rest, ";d="); found {
		n := 0
		for n < len(digits) && '0' <= digits[n] && digits[n] <= '9' {
			n++
		}
		if n == 0 || n > 9 || digits[0] == '0' {
			return nil, Mark{}, false
		}
		ms := 0
		for _, c := range digits[:n] {
			ms = ms*10 + int(c-'0')
		}
		m.Timeout, rest = time.Duration(ms)*time.Millisecond, digits[n:]
	}
	if trace, found := after(rest, ";t="); found {
		if len(trace) < traceLen || !isTrace(trace[:traceLen]) {
			return nil, Mark{}, false
		}
		m.Trace, rest = string(trace[:traceLen]), trace[traceLen:]
	}
	rest, m.Idempotent = after(rest, ";i")
	rest, m.OneWay = after(rest, ";1")
	if len(rest) > 0 {
		return nil, Mark{}, false
	}
	return prefix, m, true
}

// AppendReplyID appends the id with which a server of ours answers a marked call: the prefix and the wire version it speaks.
func AppendReplyID(dst, prefix []byte, version byte) []byte {
	dst = append(dst, prefix...)
	return append(dst, '!', '0'+version)
}

// ParseReplyID reads what AppendReplyID wrote: the version is 1 or 2.
func ParseReplyID(id []byte) (prefix []byte, version byte, ok bool) {
	if len(id) != PrefixLen+2 || id[PrefixLen] != '!' || !isHex(id[:PrefixLen]) {
		return nil, 0, false
	}
	v := id[PrefixLen+1]
	return id[:PrefixLen:PrefixLen], v - '0', v == '1' || v == '2'
}

// traceLen is the length of a traceparent: version, trace id, span id and flags, as in "00-4bf9...-00f0...-01".
const traceLen = 2 + 1 + 32 + 1 + 16 + 1 + 2

func isTrace(b []byte) bool {
	return isHex(b[:2]) && b[2] == '-' && isHex(b[3:35]) && b[35] == '-' && isHex(b[36:52]) && b[52] == '-' && isHex(b[53:])
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

func after(b []byte, lead string) (rest []byte, ok bool) {
	if len(b) >= len(lead) && string(b[:len(lead)]) == lead {
		return b[len(lead):], true
	}
	return b, false
}
