package wire

import (
	"encoding/json"
	"strings"
	"time"
)

// Limits of the texts in ERROR and GOAWAY as we write them. A longer text is cut, details that do not fit a frame are left out.
const (
	maxFailureText  = 8 << 10
	maxFarewellText = 1 << 10
)

// AppendFailure appends the payload of ERROR: code, retry-after, message, details; the empty ones at the end are left out. OK is
// no error's code and becomes UnknownError.
func AppendFailure(dst []byte, e *Error) []byte {
	start := len(dst)
	code := e.Code
	if code == OK {
		code = UnknownError
	}
	dst = append(dst, byte(code))
	retry, text, details := millis(e.RetryAfter), cutText(e.Message, maxFailureText), e.Details
	if len(details) > 0 && !json.Valid(details) {
		details = nil
	}
	if retry == 0 && text == "" && len(details) == 0 {
		return dst
	}
	dst = AppendVarint(dst, retry)
	if text == "" && len(details) == 0 {
		return dst
	}
	dst = append(AppendVarint(dst, uint64(len(text))), text...)
	if len(dst)-start+len(details) > MaxFrame {
		return dst
	}
	return append(dst, details...)
}

// ParseFailure reads the payload of ERROR. Codes without a name, and OK, become UnknownError; details that are no JSON are dropped.
// The error is a [*Breach].
func ParseFailure(b []byte) (*Error, error) {
	if len(b) == 0 {
		return nil, breachf(BadControl, "ERROR without a code")
	}
	e := &Error{Code: Code(b[0])}
	if e.Code == OK || e.Code > Unauthenticated {
		e.Code = UnknownError
	}
	if b = b[1:]; len(b) == 0 {
		return e, nil
	}
	ms, b, ok := number(b)
	if !ok {
		return nil, breachf(BadControl, "retry-after in ERROR is not a varint up to %d", maxNumber)
	}
	e.RetryAfter = time.Duration(ms) * time.Millisecond
	if len(b) == 0 {
		return e, nil
	}
	text, details, ok := prefixed(b)
	if !ok {
		return nil, breachf(BadControl, "the text in ERROR is not as long as declared")
	}
	e.Message = strings.ToValidUTF8(string(text), "\uFFFD")
	if len(details) > 0 && json.Valid(details) {
		e.Details = json.RawMessage(append([]byte(nil), details...))
	}
	return e, nil
}

// AppendCredit appends the payload of CREDIT: n bytes, at least 1, that the sender may use again.
func AppendCredit(dst []byte, n int) []byte { return AppendVarint(dst, uint64(n)) }

// ParseCredit reads the payload of CREDIT: 1 to MaxStreamID, which is the largest window too. The error is a [*Breach].
func ParseCredit(b []byte) (n int, err error) {
	v, size := Varint(b)
	switch {
	case size <= 0 || size != len(b) || v == 0:
		return 0, breachf(BadControl, "CREDIT is not one varint above 0")
	case v > maxNumber:
		return 0, breachf(CreditOverflow, "%d bytes at once", v)
	}
	return int(v), nil
}

// Farewell is what GOAWAY says: the sender takes no new streams.
type Farewell struct {
	Last uint32        // the last stream it has taken: later ones never run and may be sent elsewhere
	Code Code          // why; OK for an ordinary shutdown
	Left time.Duration // how long until it closes, in whole milliseconds; 0 means it did not say
	Text string        // one line for a person
}

// AppendGoAway appends the payload of GOAWAY.
func AppendGoAway(dst []byte, f *Farewell) []byte {
	dst = AppendVarint(dst, uint64(f.Last))
	dst = append(dst, byte(f.Code))
	dst = AppendVarint(dst, millis(f.Left))
	return append(dst, cutText(f.Text, maxFarewellText)...)
}

// ParseGoAway reads the payload of GOAWAY. The error is a [*Breach].
func ParseGoAway(b []byte) (Farewell, error) {
	last, b, ok := number(b)
	if !ok || len(b) == 0 {
		return Farewell{}, breachf(BadControl, "GOAWAY has no last stream and code")
	}
	f := Farewell{Last: uint32(last), Code: Code(b[0])}
	if f.Code > Unauthenticated {
		f.Code = UnknownError
	}
	ms, text, ok := number(b[1:])
	if !ok {
		return Farewell{}, breachf(BadControl, "the time in GOAWAY is not a varint up to %d", maxNumber)
	}
	f.Left, f.Text = time.Duration(ms)*time.Millisecond, strings.ToValidUTF8(string(text), "\uFFFD")
	return f, nil
}

// cutText shortens a text to at most n bytes of whole characters.
func cutText(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
