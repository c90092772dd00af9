package rpcclient

import (
	"context"
	"time"
)

// Trace is one call seen from the inside. Put a pointer to a zero Trace into the
// call's context with [WithTrace]; it is filled when the call returns, also when
// it fails, as far as it got, and never touched afterwards. One Trace serves one
// call at a time. After several attempts everything but Start is of the last.
//
// Instants that were not reached are zero. The bytes are whole frames, lengths
// included, and belong to the caller.
type Trace struct {
	RequestID string
	ReplyType string // as the server named it
	Server    string // address of the connection
	Protocol  string // "v1"
	Attempts  int

	Start    time.Time // the call began
	Queued   time.Time // its frame went into the connection's outbox
	Written  time.Time // its first byte was handed to the operating system
	Sent     time.Time // its last byte was
	Received time.Time // the last byte of its reply had been read
	Done     time.Time // the call returned

	Out, In []byte
}

// Client returns the time spent in this process: encoding, queueing, decoding.
// Client and Network add up to Done minus Start exactly.
func (t *Trace) Client() time.Duration { return t.Done.Sub(t.Start) - t.Network() }

// Network returns the time from the first byte written to the last byte read,
// which holds the server's work, too. Without a reply it runs to the end of the
// call; if nothing was written it is zero.
func (t *Trace) Network() time.Duration {
	switch {
	case t.Written.IsZero():
		return 0
	case t.Received.IsZero():
		return t.Done.Sub(t.Written)
	}
	return t.Received.Sub(t.Written)
}

type traceKey struct{}

// WithTrace returns a context whose next call fills t. A nil t traces nothing.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// fill copies what the call knows. Nobody else holds the call any more.
func (t *Trace) fill(k *call) {
	*t = Trace{
		RequestID: string(k.id),
		ReplyType: string(k.replyType),
		Server:    k.server,
		Attempts:  k.attempts,
		Start:     k.start,
		Queued:    k.queued,
		Written:   k.written,
		Sent:      k.sent,
		Received:  k.received,
		Out:       k.frame,
		In:        k.raw,
	}
	if k.attempts > 0 {
		t.Protocol = protocolV1
	}
	if !t.Received.IsZero() && (t.Sent.IsZero() || t.Sent.After(t.Received)) {
		t.Sent = t.Received // the reply was read before the writer looked at the clock
	}
	t.Done = time.Now()
}
