package rpcclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/wire"
)

// call is one call or cast from its first byte to its last. It is taken from the
// client's pool, so that its buffers and its channel serve many calls.
type call struct {
	typ        string
	payload    []byte // encoded
	oneWay     bool
	idempotent bool
	trace      *Trace // where the caller wants to see it, or nil
	start      time.Time
	attempts   int
	server     string // of the last attempt

	// done gets one value when the conn that took the call lets go of it.
	done chan struct{}

	// The fields below are the conn's until then, and protected by its mutex
	// unless said otherwise.
	place       place
	mark        wire.Mark
	counter     uint32
	id          []byte
	first, last uint64 // where in the connection's stream of bytes its frame lies
	queued      time.Time
	written     time.Time
	sent        time.Time
	received    time.Time
	frame       []byte // traced: what went out
	mayHaveLeft bool
	err         error

	// The reader alone fills these, between taking the call and done.
	answer    answer
	replyType []byte
	reply     []byte // the payload
	raw       []byte // traced: what came in
}

// place says who holds a call.
type place uint8

const (
	withCaller place = iota
	inLine           // waits for room on the connection
	inFlight         // its frame is in the outbox or on the way, its reply is awaited
)

// keepBuffer is the largest buffer that a call or a connection keeps for the next one.
const keepBuffer = 64 << 10

// CallOption changes one call.
type CallOption func(*call)

// Idempotent says that running the call twice does no harm: it is sent again
// when the connection is lost before its reply. The server is told, too.
func Idempotent() CallOption { return func(k *call) { k.idempotent = true } }

// Call calls typ and returns the reply as a T. The payload may be anything that
// encoding/json can write; nil is null. Numbers are exact. A null reply is an
// error unless T has a null (pointer, slice, map, interface) or is struct{}.
func Call[T any](ctx context.Context, c *Client, typ string, payload any, opts ...CallOption) (T, error) {
	k := c.begin(ctx, typ, opts)
	var reply T
	err := c.exchange(ctx, k, payload)
	if err == nil {
		if reply, err = decode[T](k.reply); err != nil {
			err = k.misfit(err)
		}
	}
	return reply, c.end(k, err)
}

// Invoke calls typ with a payload that is JSON already (nil: null) and returns
// the reply's payload as it came, checked to be JSON. The result is the caller's.
func (c *Client) Invoke(ctx context.Context, typ string, payload json.RawMessage, opts ...CallOption) (json.RawMessage, error) {
	k := c.begin(ctx, typ, opts)
	reply, err := c.invoke(ctx, k, payload)
	return reply, c.end(k, err)
}

func (c *Client) invoke(ctx context.Context, k *call, payload json.RawMessage) (json.RawMessage, error) {
	if err := c.exchange(ctx, k, payload); err != nil {
		return nil, err
	}
	if err := checkJSON(k.reply); err != nil {
		return nil, k.misfit(err)
	}
	return append(json.RawMessage(nil), k.reply...), nil
}

// Cast sends typ one way. It returns nil once the operating system has the
// bytes; what the server makes of them nobody learns. It is never sent twice.
func Cast(ctx context.Context, c *Client, typ string, payload any) error {
	k := c.begin(ctx, typ, nil)
	k.oneWay = true
	return c.end(k, c.exchange(ctx, k, payload))
}

// begin takes a call from the pool. end must follow.
func (c *Client) begin(ctx context.Context, typ string, opts []CallOption) *call {
	k := c.calls.Get().(*call)
	k.typ = typ
	if k.trace = traceOf(ctx); k.trace != nil {
		k.start = time.Now()
	}
	for _, opt := range opts {
		opt(k)
	}
	return k
}

// end turns what went wrong into an Error, fills the trace and gives the call back.
func (c *Client) end(k *call, err error) error {
	if err != nil {
		err = c.publish(k, err)
	}
	if k.trace != nil {
		k.trace.fill(k)
	}
	c.calls.Put(k.reset())
	return err
}

func (c *Client) publish(k *call, err error) error {
	f, ok := err.(*failure)
	if !ok { // cannot be: everything below end returns failures
		f = fail(ErrProtocol, Internal, err, "%v", err)
	}
	server := k.server
	if server == "" {
		server = c.target.text
	}
	e := &Error{Status: f.status, Kind: f.kind, Server: server, Attempts: k.attempts, cause: f.cause}
	c.stats.failed(e)
	return e
}

// reset makes the call as new, except for its buffers.
func (k *call) reset() *call {
	*k = call{
		done:      k.done,
		payload:   reuse(k.payload),
		id:        k.id[:0],
		replyType: reuse(k.replyType),
		reply:     reuse(k.reply),
	}
	return k
}

// reuse empties a buffer, or drops it if it is too large to keep.
func reuse(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

// encode writes the payload and checks the limits.
func (k *call) encode(payload any, limit int) error {
	var err error
	if k.payload, err = appendJSON(k.payload[:0], payload); err != nil {
		return fail(ErrPayload, InvalidArgument, err, "payload of %s: %v", printable(k.typ, 64), err)
	}
	if n := len(k.payload); n > limit {
		return fail(ErrTooLarge, ResourceExhausted, nil, "payload of %s has %d bytes, the limit is %d", printable(k.typ, 64), n, limit)
	}
	if n := len(k.typ); n > limit {
		return fail(ErrTooLarge, ResourceExhausted, nil, "type name has %d bytes, the limit is %d", n, limit)
	}
	if !utf8.ValidString(k.typ) {
		return fail(ErrPayload, InvalidArgument, nil, "type name %s is not UTF-8", printable(k.typ, 64))
	}
	return nil
}

// misfit is the failure of a reply that came but is of no use.
func (k *call) misfit(err error) error {
	return fail(ErrReply, Internal, err, "reply %s: %v", printable(string(k.replyType), 64), err)
}

// verdict returns the error that the server answered, or nil. Where the server
// was quicker to notice the caller's own deadline, the error is both: the
// server's, and the context's.
func (k *call) verdict(ctx context.Context) error {
	if !k.answer.failed && string(k.replyType) != wire.ErrorType {
		return nil
	}
	status, ok := wire.ParseError(k.reply)
	if !ok {
		return k.misfit(errors.New("says that the call failed, and its reason cannot be read"))
	}
	f := &failure{kind: ErrServer, status: *status}
	if status.Code == DeadlineExceeded {
		f.cause = ctx.Err()
	}
	return f
}

// ended is the failure of a call whose context is over.
func ended(ctx context.Context, doing string) error {
	err := ctx.Err()
	cause := err
	if c := context.Cause(ctx); c != nil && c != err {
		cause = fmt.Errorf("%w: %w", err, c)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(ErrContext, DeadlineExceeded, cause, "the deadline passed %s", doing)
	}
	return fail(ErrContext, Canceled, cause, "canceled %s", doing)
}
