package wire

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// Code says what kind of failure an [Error] is. Names and numbers are gRPC's, so users already know them.
type Code uint8

const (
	OK                 Code = 0
	Canceled           Code = 1
	UnknownError       Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

var codeNames = [...]string{"ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
	"permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented", "internal",
	"unavailable", "data_loss", "unauthenticated"}

// String returns the code's name on the wire, as in "invalid_argument"; a number without a name is "unknown".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return codeNames[UnknownError]
}

// ParseCode returns the code of that name; ok is false for a name that is not on the list.
func ParseCode(name string) (c Code, ok bool) {
	for i, n := range codeNames {
		if n == name {
			return Code(i), true
		}
	}
	return UnknownError, false
}

// Error is the one error that crosses the wire.
type Error struct {
	Code       Code
	Message    string          // one line for a person
	RetryAfter time.Duration   // how long the server asks the caller to wait; 0 means it did not say
	Details    json.RawMessage // more for a program, or nil
}

func (e *Error) Error() string { return e.Code.String() + ": " + e.Message }

// NeedsTLS are the details of an error, over version 1, that says that the port takes TLS alone.
const NeedsTLS = `{"needs":"tls"}`

// ErrorType is the reply type of an error sent to a peer whose request id carried a mark.
const ErrorType = "!error"

// errorJSON is an Error as it stands in a payload.
type errorJSON struct {
	Code         string          `json:"code"`
	Message      string          `json:"message"`
	RetryAfterMS int64           `json:"retry_after_ms,omitempty"`
	Details      json.RawMessage `json:"details,omitempty"`
}

// AppendError appends the error's JSON, the payload of an error reply.
func AppendError(dst []byte, e *Error) []byte {
	details := e.Details
	if !json.Valid(details) {
		details = nil
	}
	b, _ := json.Marshal(errorJSON{e.Code.String(), e.Message, max(e.RetryAfter, 0).Milliseconds(), details}) // of strings, an int and valid JSON: cannot fail
	return append(dst, b...)
}

// ParseError reads an error's payload. An unknown code becomes UnknownError; so does "ok", which is
// no error's. A payload that is no error at all gives ok false.
func ParseError(payload []byte) (e *Error, ok bool) {
	var j errorJSON
	if err := json.Unmarshal(payload, &j); err != nil || j.Code == "" {
		return nil, false
	}
	code, _ := ParseCode(j.Code)
	if code == OK { // says that nothing failed, in the place of a failure
		code = UnknownError
	}
	retry := min(max(j.RetryAfterMS, 0), maxTimeout.Milliseconds())
	return &Error{code, j.Message, time.Duration(retry) * time.Millisecond, j.Details}, true
}

// ErrorSuffix follows the caller's id in the last answer that a plain version 1 peer gets on a connection. The answer stands under an id and
// a type, ErrorTypeV1, that no caller of its has registered, so that its call fails with the reason in sight (docs/PROTOCOL.md 2.2).
const ErrorSuffix = ";e"

// maxTypeText keeps the reason in a type name short: the whole message is in the payload.
const maxTypeText = 200

// ErrorTypeV1 is the type of that answer: the code's name and the message on one line, as in "error.not_found: no service fob".
func ErrorTypeV1(e *Error) string {
	text := strings.Join(strings.Fields(e.Message), " ")
	text = strings.ToValidUTF8(text[:min(len(text), maxTypeText)], "")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?' // old clients log the type as it is
		}
		return r
	}, text)
	return "error." + e.Code.String() + ": " + text
}

// FieldProblem says what is wrong with one field of a payload.
type FieldProblem struct {
	Field   string `json:"field"`   // a path, as in "items[3].name"; empty for the value as a whole
	At      int    `json:"at"`      // the byte of the payload where it stands, from 0
	Problem string `json:"problem"` // what is wrong, for a person
}

// violations are the details of an invalid_argument error.
type violations struct {
	Violations []FieldProblem `json:"violations"`
}

// ViolationDetails returns the details that say what is wrong with which fields; nil for no problems.
func ViolationDetails(problems []FieldProblem) json.RawMessage {
	if len(problems) == 0 {
		return nil
	}
	b, _ := json.Marshal(violations{problems}) // of strings and ints: cannot fail
	return b
}

// Violations reads what ViolationDetails wrote; nil if the details say something else.
func Violations(details json.RawMessage) []FieldProblem {
	var v violations
	if json.Unmarshal(details, &v) != nil {
		return nil
	}
	return v.Violations
}
