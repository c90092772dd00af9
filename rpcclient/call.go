package rpcclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/balance"
	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
)

// call is one call or cast from its first byte to its last. It is taken from the
// client's pool, so that its buffers and its channel serve many calls.
type call struct {
	typ        string
	pattern    Pattern
	codec      wire.CodecID
	payload    []byte // encoded
	oneWay     bool
	idempotent bool
	cargo      *cargo   // what the caller's context holds for us, or nil
	asked      *journey // through the middleware, or nil
	trace      *Trace   // where the caller wants to see it, or nil
	start      time.Time
	attempts   int
	server     string            // of the last attempt
	protocol   string            // the same
	begun      bool              // items have been taken or given: it cannot be sent again
	hedges     int               // of them
	moves      int               // connections that were on their way out when it came to them
	tried      []*balance.Member // servers that it does not go back to if there are others
	began      int64             // of this attempt, by Client.now
	member     *balance.Member   // that hears how the attempt goes, or nil
	settled    bool              // and has heard that how long it takes is not its affair
	patience   time.Duration     // of a race
	bare       *server           // that one has no version 2: the metadata stays behind
	inLine     bool              // given up while it waited for room on the connection
	onEnd      func()            // the caller's, to be called once
	talk       talk              // what happens on its stream, if it is one

	// done gets one value when the conn that took the call lets go of it.
	done chan struct{}

	// The fields below are the conn's until then, and protected by its mutex
	// unless said otherwise.
	place       place
	mark        wire.Mark
	deadline    time.Time // of this attempt; zero: none
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

	// The fields below are for version 2 alone, and the caller's goroutine's.
	meta           []byte // outgoing
	metaLen        int    // of it, without what belongs to one attempt
	request        mux.Request
	frames         mux.Trace
	stream         uint32
	came           Metadata // with the reply so far, if the caller wants it
	line           line
	queue, handler time.Duration // the server's own times, if timed
	timed          bool

	// The reader of a v1Conn alone fills these, between taking the call and done.
	answer    answer
	replyType []byte
	reply     []byte // the payload
	raw       []byte // traced: what came in
}

// talk is what happens on a call's stream instead of waiting for one reply.
type talk func(ctx context.Context, c *v2Conn, k *call, s *mux.Stream) error

// place says who holds a call.
type place uint8

const (
	withCaller  place = iota
	waitsInLine       // waits for room on the connection
	inFlight          // its frame is in the outbox or on the way, its reply is awaited
)

// keepBuffer is the largest buffer that a call or a connection keeps for the next one.
const keepBuffer = 64 << 10

// CallOption changes one call; nil changes nothing.
type CallOption func(*call)

// Idempotent says that running the call twice does no harm: it is sent again
// when the connection is lost before its reply or the server cannot take it, as
// [Retry] says, and may be sent to two servers at once: [Hedge]. The server is
// told, too.
func Idempotent() CallOption { return func(k *call) { k.idempotent = true } }

// Call calls typ and returns the reply as a T. The payload may be anything that
// encoding/json can write; nil is null. Numbers are exact. A null reply is an
// error unless T has a null (pointer, slice, map, interface) or is struct{}.
func Call[T any](ctx context.Context, c *Client, typ string, payload any, opts ...CallOption) (T, error) {
	if c.chain == nil {
		return call1[T](ctx, c, typ, payload, opts)
	}
	return through(ctx, c, &Request{Type: typ, Pattern: PatternCall, Payload: payload}, func(ctx context.Context, r *Request) (T, error) {
		return call1[T](ctx, c, r.Type, r.Payload, r.told(opts))
	})
}

func call1[T any](ctx context.Context, c *Client, typ string, payload any, opts []CallOption) (reply T, err error) {
	k := c.begin(ctx, typ, opts)
	if err = wantsRaw[T](k); err == nil {
		err = c.exchange(ctx, k, payload)
	}
	if err == nil {
		if reply, err = read[T](k, k.reply); err != nil {
			err = k.misfit(err)
		}
	}
	return reply, c.end(k, err)
}

// Invoke calls typ with a payload that is JSON already (nil: null) and returns
// the reply's payload as it came, checked to be JSON. The result is the caller's.
func (c *Client) Invoke(ctx context.Context, typ string, payload json.RawMessage, opts ...CallOption) (json.RawMessage, error) {
	if c.chain == nil {
		return c.invoke(ctx, typ, payload, opts)
	}
	return through(ctx, c, &Request{Type: typ, Pattern: PatternCall, Payload: payload}, func(ctx context.Context, r *Request) (json.RawMessage, error) {
		return c.invoke(ctx, r.Type, r.Payload, r.told(opts))
	})
}

func (c *Client) invoke(ctx context.Context, typ string, payload any, opts []CallOption) (reply json.RawMessage, err error) {
	k := c.begin(ctx, typ, opts)
	if err = c.exchange(ctx, k, payload); err == nil {
		if k.codec == wire.CodecJSON {
			err = checkJSON(k.reply)
		}
		if err != nil {
			err = k.misfit(err)
		} else {
			reply = append(json.RawMessage{}, k.reply...)
		}
	}
	return reply, c.end(k, err)
}

// Cast sends typ one way. It returns nil once the operating system has the
// bytes; what the server makes of them nobody learns. It is never sent twice.
//
// Casts that are made one after the other arrive in that order while they take the
// same connection: to one server they do until that is replaced, or has
// [Pool.PerConn] calls to carry. Where order matters beyond that, use calls.
func Cast(ctx context.Context, c *Client, typ string, payload any) error {
	if c.chain == nil {
		return c.cast(ctx, typ, payload, nil)
	}
	_, err := through(ctx, c, &Request{Type: typ, Pattern: PatternCast, Payload: payload}, func(ctx context.Context, r *Request) (struct{}, error) {
		return struct{}{}, c.cast(ctx, r.Type, r.Payload, r.told(nil))
	})
	return err
}

func (c *Client) cast(ctx context.Context, typ string, payload any, opts []CallOption) error {
	k := c.begin(ctx, typ, opts)
	k.oneWay = true
	return c.end(k, c.exchange(ctx, k, payload))
}

// begin takes a call from the pool. end must follow.
func (c *Client) begin(ctx context.Context, typ string, opts []CallOption) *call {
	k := c.calls.Get().(*call)
	k.typ = typ
	if k.cargo = cargoOf(ctx); k.cargo != nil {
		if k.trace = k.cargo.trace; k.trace != nil {
			k.start = time.Now()
		}
		k.cargo.forget()
	}
	for _, opt := range opts {
		if opt != nil {
			opt(k)
		}
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
	if j := k.asked; j != nil {
		j.server, j.protocol, j.attempts, j.hedges = k.server, k.protocol, k.attempts, k.hedges
	}
	k.tellEnd()
	c.calls.Put(k.reset())
	return err
}

func (c *Client) publish(k *call, err error) error {
	f, ok := err.(*failure)
	if !ok { // cannot be: everything below end returns failures
		f = fail(ErrProtocol, Internal, err, "%v", err)
	}
	if f == errMoved {
		f = restless(k.moves)
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
		tried:     k.tried[:0],
		payload:   reuse(k.payload),
		id:        k.id[:0],
		meta:      reuse(k.meta),
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
func (k *call) encode(payload any, cfg *Config) (err error) {
	limit := cfg.MaxMessage
	if k.guarded() && cfg.TLS == nil && !cfg.TokenPlain {
		return fail(ErrPayload, InvalidArgument, nil, "metadata with a token can be read by everybody on the way: set Config.TLS, or TokenPlain if the way is safe")
	}
	if !k.pattern.uploads() {
		if k.payload, err = k.appendValue(k.payload[:0], payload, limit, "payload"); err != nil {
			return err
		}
	}
	if n := len(k.typ); n > limit {
		return fail(ErrTooLarge, ResourceExhausted, nil, "type name has %d bytes, the limit is %d", n, limit)
	}
	if !utf8.ValidString(k.typ) {
		return fail(ErrPayload, InvalidArgument, nil, "type name %s is not UTF-8", printable(k.typ, 64))
	}
	return k.pack()
}

// appendValue appends a payload or an item in the call's codec.
func (k *call) appendValue(dst []byte, v any, limit int, what string) ([]byte, error) {
	before := len(dst)
	var err error
	if k.codec == wire.CodecRaw {
		dst, err = appendBytes(dst, v)
	} else {
		dst, err = appendJSON(dst, v)
	}
	if err != nil {
		return dst, fail(ErrPayload, InvalidArgument, err, "%s of %s: %v", what, printable(k.typ, 64), err)
	}
	if n := len(dst) - before; n > limit {
		return dst, fail(ErrTooLarge, ResourceExhausted, nil, "%s of %s has %d bytes, the limit is %d", what, printable(k.typ, 64), n, limit)
	}
	return dst, nil
}

// tellEnd calls what OnEnd has set.
func (k *call) tellEnd() {
	if f := k.onEnd; f != nil {
		k.onEnd = nil
		f()
	}
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
	if string(status.Details) == wire.NeedsTLS {
		return needsTLS()
	}
	f := &failure{kind: ErrServer, status: *status}
	if status.Code == DeadlineExceeded {
		f.cause = overdue(ctx)
	}
	return f
}

// overdue returns the context's error, also where its timer is about to fire.
func overdue(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
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
