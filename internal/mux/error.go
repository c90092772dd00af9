package mux

import "github.com/rpckids/rpckids/internal/wire"

// Failure is the end of one stream by an ERROR. The connection lives.
type Failure struct {
	Status  *wire.Error
	Refused bool // the stream never ran, says the peer, or this end of itself: it may be sent again, here or elsewhere
	Local   bool // this end has failed the stream: cancelled, no memory, not to be inflated, or larger than the peer takes
}

func (f *Failure) Error() string { return f.Status.Error() }

func failLocal(code wire.Code, text string) *Failure {
	return &Failure{Status: &wire.Error{Code: code, Message: text}, Local: true}
}

// Lost is the end of a stream with its connection.
type Lost struct {
	Cause        error // a *wire.Breach, an *End, or what Close was given
	NotProcessed bool  // it never ran there, so it may be sent elsewhere: nothing of it left, or a GOAWAY excludes it
}

func (l *Lost) Error() string { return "connection lost: " + l.Cause.Error() }
func (l *Lost) Unwrap() error { return l.Cause }

// End says why a connection has ended that nobody closed and nobody broke the rules of.
type End struct {
	Reason string // one of the constants: fit for a counter's name
	Err    error  // what the socket said, or nil
}

func (e *End) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *End) Unwrap() error { return e.Err }

// The reasons of an End.
const (
	PeerClosed  = "peer closed"
	Broken      = "connection lost"
	Stalled     = "peer does not read"
	IdleTooLong = "idle"
	Retired     = "retired" // CloseWhenIdle, GOAWAY or the last stream id, and then the last stream had ended
	TooMuch     = "peer leaves too much unread"
)
