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
// Instants that were not reached are zero; of a stream Received is that of its
// last frame. The bytes are whole frames, lengths included, and belong to the
// caller.
type Trace struct {
	RequestID string // over version 2 the stream's number
	ReplyType string // as the server named it
	Server    string // address of the connection
	Protocol  string // "v1" or "v2"
	Attempts  int

	Start    time.Time // the call began
	Queued   time.Time // its frame went into the connection's outbox
	Written  time.Time // its first byte was handed to the operating system
	Sent     time.Time // its last byte was
	Received time.Time // the last byte of its reply had been read
	Done     time.Time // the call returned

	Out, In           []byte
	BytesOut, BytesIn int  // all bytes of these frames, also those that were cut
	Cut               bool // Out or In holds only the first 256 KiB of a stream

	// The server's own times, if it told them: see [Config.ServerTiming].
	Timed   bool
	Queue   time.Duration // the call waited for a worker
	Handler time.Duration // its handler ran
}

// Client returns the time spent in this process: encoding, queueing, decoding.
// Client, Network, Queue and Handler add up to Done minus Start exactly.
func (t *Trace) Client() time.Duration { return t.Done.Sub(t.Start) - t.away() }

// Network returns the time from the first byte written to the last byte read,
// without Queue and Handler. If the server did not tell its times, its work is in
// here, too. Without a reply it runs to the end of the call; if nothing was
// written it is zero.
func (t *Trace) Network() time.Duration { return t.away() - t.Queue - t.Handler }

// away is the time that the call spent outside of this process.
func (t *Trace) away() time.Duration {
	switch {
	case t.Written.IsZero():
		return 0
	case t.Received.IsZero():
		return t.Done.Sub(t.Written)
	}
	return t.Received.Sub(t.Written)
}

// WithTrace returns a context whose next call fills t. A nil t traces nothing.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return withCargo(ctx, func(c *cargo) { c.trace = t })
}

// fill copies what the call knows. Nobody else holds the call any more.
func (t *Trace) fill(k *call) {
	*t = Trace{
		RequestID: string(k.id),
		ReplyType: string(k.replyType),
		Server:    k.server,
		Protocol:  k.protocol,
		Attempts:  k.attempts,
		Start:     k.start,
		Queued:    k.queued,
		Written:   k.written,
		Sent:      k.sent,
		Received:  k.received,
		Out:       k.frame,
		In:        k.raw,
		BytesOut:  len(k.frame),
		BytesIn:   len(k.raw),
	}
	if k.protocol == protocolV2 {
		t.fillV2(k)
	}
	if !t.Received.IsZero() && (t.Sent.IsZero() || t.Sent.After(t.Received)) {
		t.Sent = t.Received // the reply was read before the writer looked at the clock
	}
	t.Done = time.Now()
	if k.timed { // two clocks: the server's cannot have run longer than we have waited
		t.Timed = true
		t.Queue = min(k.queue, t.away())
		t.Handler = min(k.handler, t.away()-t.Queue)
	}
}

func (t *Trace) fillV2(k *call) {
	f := &k.frames
	t.RequestID = ""
	if k.stream > 0 {
		t.RequestID = k.streamID()
	}
	t.Queued, t.Written, t.Sent, t.Received = f.Queued, f.Written, f.Sent, f.Received
	t.Out, t.In, t.BytesOut, t.BytesIn, t.Cut = f.Out, f.In, f.BytesOut, f.BytesIn, f.Cut
	t.hide(k)
}
