package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/rpckids/rpckids/internal/wire"
)

// The kinds of failure, one for every [Error]. Test for them with errors.Is or
// compare [Error.Kind].
var (
	// ErrTarget says that the target cannot be understood.
	ErrTarget = errors.New("bad target")

	// ErrConfig says that a [Config] makes no sense: what is wrong with it, and what
	// would be right.
	ErrConfig = errors.New("bad config")

	// ErrConnect says that no connection came about: refused, unknown host, no
	// answer in time. Of several servers none could be reached, and the message
	// names them. Nothing was sent.
	ErrConnect = errors.New("cannot connect")

	// ErrConnectionLost says that the connection ended before the reply came.
	// The server may have run the call.
	ErrConnectionLost = errors.New("connection lost")

	// ErrProtocol says that what came back is not this protocol: another kind of
	// server, an impossible length, half a message. The connection is closed.
	ErrProtocol = errors.New("protocol violated")

	// ErrServer says that the server answered this call with an error.
	ErrServer = errors.New("error from the server")

	// ErrNoStreams says that the server speaks version 1 alone, and that the call
	// needs version 2: a stream, raw bytes, a listing. Nothing was sent.
	ErrNoStreams = errors.New("server speaks v1")

	// ErrMiddleware says that a [Middleware] failed the call; its error is wrapped.
	ErrMiddleware = errors.New("failed by a middleware")

	// ErrReply says that a reply came but cannot be used: not JSON, not of the
	// wanted type, of a type nobody registered. The connection stays.
	ErrReply = errors.New("unusable reply")

	// ErrPayload says that the payload is not JSON or cannot be made into it, or
	// that the type name, the request id or the metadata cannot be used, and that
	// nothing was sent; for an Upload or a Bidi, that an item cannot be used or
	// that the items failed, and their error is wrapped.
	ErrPayload = errors.New("unusable payload")

	// ErrTooLarge says that payload, type name or request id is over its limit, and
	// that nothing was sent; or that the reply is, see [Config.MaxMessage].
	ErrTooLarge = errors.New("too large")

	// ErrContext says that the caller's context ended first. The cause is
	// wrapped: errors.Is(err, context.DeadlineExceeded) tells which end it was.
	ErrContext = errors.New("context ended")

	// ErrClosed says that the client was closed, before or during the call.
	ErrClosed = errors.New("client closed")
)

// Status is the part of an [Error] that crosses the wire when a server fails a
// call: code, message, details and how long to wait before trying again.
type Status = wire.Error

// Code says what kind of failure a [Status] is, by the names and numbers of
// gRPC.
type Code = wire.Code

// The codes a Status may carry.
const (
	OK                 = wire.OK
	Canceled           = wire.Canceled
	UnknownError       = wire.UnknownError
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

// Violation says what is wrong with one field of a payload: its path, the byte
// of the payload where it stands, and the problem in words.
type Violation = wire.FieldProblem

// Error is what every failing function of this package returns. Status says
// what happened; for a failure of our own side its code is the closest one. Kind
// says who did: when the caller's deadline passes, client and server both notice,
// and it is [ErrContext] or [ErrServer], whoever's clock was first. The code is
// deadline_exceeded both times, and errors.Is(err, context.DeadlineExceeded) is true
// for both; false, and [ErrServer], is a deadline of the server's own.
//
// A handler that calls another server and wants to hand on what that one answered
// returns &e.Status. An Error as it is, which tells of addresses, becomes one of the
// code unknown.
type Error struct {
	Status

	Kind     error  // one of the Err values of this package
	Server   string // the address of the connection; without one the target; "" if New failed
	Attempts int    // how often the call was handed to a connection

	cause error
}

// CodeOf returns the code of a call's error: OK for nil, that of the [*Error] or the
// [*Status] in its chain, Canceled or DeadlineExceeded for a context's error without
// one, and UnknownError for all others.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if e, _ := errors.AsType[*Error](err); e != nil {
		return e.Code
	}
	if s, _ := errors.AsType[*Status](err); s != nil {
		return s.Code
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return UnknownError
}

// Violations returns what the server found wrong with the fields of the payload,
// or nil if Details say something else.
func (e *Error) Violations() []Violation { return wire.Violations(e.Details) }

// Error returns one line. Whatever in it came from a server is escaped and cut
// to a bearable length, so it may go to a terminal; Message holds the original.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Server != "" {
		b.WriteString(e.Server + ": ")
	}
	if e.Kind == ErrServer || e.Kind == ErrNoStreams {
		b.WriteString(e.Code.String() + ": ")
	}
	b.WriteString(printable(e.Message, 1000))
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrConnect) and its like work.
func (e *Error) Is(target error) bool { return e != nil && target == e.Kind }

// Unwrap returns the cause, for example a context's error or a *net.OpError, or
// nil.
func (e *Error) Unwrap() error {
	if e == nil { // as a middleware may return it by mistake
		return nil
	}
	return e.cause
}

// failure is what went wrong before it is known whose call it concerns; an
// Error is made of it for each call.
type failure struct {
	kind   error
	status Status
	cause  error

	refused bool // the server has not run it, and says so
}

func (f *failure) Error() string { return f.status.Message }

// fail makes a failure whose message is one line in plain words.
func fail(kind error, code Code, cause error, format string, args ...any) *failure {
	return &failure{kind: kind, status: Status{Code: code, Message: fmt.Sprintf(format, args...)}, cause: cause}
}

// printable makes text from a peer safe for a terminal and a log: control
// characters and other invisible ones become escapes, and it ends after limit bytes.
func printable(text string, limit int) string {
	cut := false
	if len(text) > limit {
		text, cut = strings.ToValidUTF8(text[:limit], ""), true
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	if cut {
		b.WriteString("...")
	}
	return b.String()
}
