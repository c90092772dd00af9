package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

// Error is the error that crosses the wire. A handler that returns one, wrapped or not, decides what its caller sees.
type Error = wire.Error

// Code says what kind of failure an Error is. Names and numbers are gRPC's.
type Code = wire.Code

// The codes, by gRPC's names and numbers.
const (
	OK                 = wire.OK
	Canceled           = wire.Canceled
	Unknown            = wire.UnknownError
	InvalidArgument    = wire.InvalidArgument
	DeadlineExceeded   = wire.DeadlineExceeded
	NotFound           = wire.NotFound
	AlreadyExists      = wire.AlreadyExists
	PermissionDenied   = wire.PermissionDenied
	ResourceExhausted  = wire.ResourceExhausted
	FailedPrecondition = wire.FailedPrecondition
	Aborted            = wire.Aborted
	OutOfRange         = wire.OutOfRange
	Unimplemented      = wire.Unimplemented
	Internal           = wire.Internal
	Unavailable        = wire.Unavailable
	DataLoss           = wire.DataLoss
	Unauthenticated    = wire.Unauthenticated
)

// ParseCode returns the code of that name, as in "invalid_argument"; ok is false for a name that is not on the list.
func ParseCode(name string) (c Code, ok bool) { return wire.ParseCode(name) }

// Errorf makes an Error of that code. The message goes to the peer: one line, for a person.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Violation says what is wrong with one field of a request: its path, as in "items[3].name", the byte of the payload where it stands, counted from
// 0, and the problem, which follows the field's name in a sentence, as in "is 7, want at most 5".
type Violation = wire.FieldProblem

// Invalid makes the error invalid_argument, with details that name the fields, so that a client can point at them. A request type's Validate
// returns it; places that are left 0 are then looked up in the payload.
func Invalid(violations ...Violation) *Error {
	words := make([]string, len(violations))
	for i, v := range violations {
		words[i] = strings.TrimSpace(v.Field + " " + v.Problem)
	}
	return &Error{Code: InvalidArgument, Message: strings.Join(words, "; "), Details: wire.ViolationDetails(violations)}
}

// What keeps an error reply small, whatever a handler puts into its error: a longer text is cut, longer details are left out.
const (
	maxErrorText    = 4 << 10
	maxErrorDetails = 64 << 10
)

// asError turns what a handler returned into what crosses the wire; nil stays nil.
func asError(err error) *Error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	why, isCause := errors.AsType[*cause](err)
	switch {
	case ok && e == nil: // a nil *Error in a non-nil error: the handler's slip, not a success
		e = Errorf(Unknown, "the handler returned a nil error of type *Error")
	case ok:
	case isCause:
		e = &Error{Code: why.code, Message: err.Error()}
	case err == context.DeadlineExceeded: // in words for a person, not for a Go programmer
		e = &Error{Code: DeadlineExceeded, Message: "the deadline passed while the handler ran"}
	case errors.Is(err, context.DeadlineExceeded):
		e = &Error{Code: DeadlineExceeded, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		e = &Error{Code: Canceled, Message: err.Error()}
	default:
		e = &Error{Code: Unknown, Message: err.Error()}
	}
	return bounded(e)
}

func bounded(e *Error) *Error {
	if e.Code == OK || len(e.Message) > maxErrorText || len(e.Details) > maxErrorDetails {
		c := *e // it may be a variable that all calls return
		if c.Code == OK {
			c.Code = Unknown
		}
		if len(c.Message) > maxErrorText {
			c.Message = strings.ToValidUTF8(c.Message[:maxErrorText], "") + "..."
		}
		if len(c.Details) > maxErrorDetails {
			c.Details = nil
		}
		e = &c
	}
	return e
}
