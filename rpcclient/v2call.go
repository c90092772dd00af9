package rpcclient

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
)

// exchange opens a stream for k and has it run its course.
func (c *v2Conn) exchange(ctx context.Context, k *call) error {
	if k.talk != nil {
		c.streams.Add(1)
		defer c.streams.Add(-1)
	}
	k.mayHaveLeft = false
	if err := c.fits(ctx, k); err != nil {
		return err
	}
	k.line = line{Context: ctx, conn: c, moves: k.moves}
	s, err := c.mux.Open(&k.line, k.opening())
	relieved := k.line.over(ctx)
	switch {
	case err != nil && relieved:
		return errMoved
	case err != nil:
		k.inLine = ctx.Err() != nil
		return c.failure(ctx, k, nil, err)
	}
	c.stats.sent.Add(1)
	k.stream = s.ID()
	defer k.release(s)
	switch {
	case k.oneWay:
		err = c.cast(ctx, k, s)
	case k.talk != nil:
		err = k.talk(ctx, c, k, s)
	default:
		err = c.reply(ctx, k, s)
	}
	if err == nil || isFailure(err) {
		return err
	}
	return c.failure(ctx, k, s, err)
}

// opening is what the mux needs to know of a call.
func (k *call) opening() *mux.Request {
	if k.attempts > 1 {
		k.tellAttempt()
	}
	k.request = mux.Request{
		Method:     k.typ,
		Codec:      k.codec,
		OneWay:     k.oneWay,
		Idempotent: k.mark.Idempotent,
		NoMessage:  k.pattern.uploads(),
		End:        !k.pattern.uploads(),
		Timeout:    k.mark.Timeout,
		Meta:       k.meta,
		Payload:    k.payload,
	}
	if k.trace != nil {
		k.request.Trace = new(mux.Trace) // the conn's until the stream is released
	}
	return &k.request
}

// release gives the stream back; one that has not ended is cancelled on the server.
func (k *call) release(s *mux.Stream) {
	if k.trace != nil {
		k.frames = s.TakeTrace()
	}
	s.Release()
}

// fits holds a call against what the server has said about itself. Before that,
// the defaults hold.
func (c *v2Conn) fits(ctx context.Context, k *call) error {
	if k.codec == wire.CodecRaw {
		if err := c.takesRaw(ctx); err != nil {
			return err
		}
	}
	if c.load.running() > c.peer.Load().MaxStreams && !c.answered() { // by what it said on another connection, it would send this back
		if err := c.confirm(ctx); err != nil {
			return err
		}
	}
	limit, err := c.limit(ctx, len(k.meta), func(s *wire.Settings) int { return min(s.MaxMetadata, wire.FragmentSize) }) // it has to fit the first frame
	if err != nil {
		return err
	}
	if n := len(k.meta); n > limit {
		return fail(ErrTooLarge, ResourceExhausted, nil, "metadata of %s has %d bytes, the server takes %d", printable(k.typ, 64), n, limit)
	}
	if k.typ == "" {
		return fail(ErrPayload, InvalidArgument, nil, "the type name is empty, which version 2 has no room for")
	}
	if n := len(k.typ); n > wire.MaxName {
		return fail(ErrTooLarge, ResourceExhausted, nil, "type name has %d bytes, the limit of version 2 is %d", n, wire.MaxName)
	}
	return c.takes(ctx, k, k.payload, "payload")
}

// takes holds a payload or an item against the server's limit.
func (c *v2Conn) takes(ctx context.Context, k *call, message []byte, what string) error {
	limit, err := c.limit(ctx, len(message), func(s *wire.Settings) int { return s.MaxMessage })
	if n := len(message); err == nil && n > limit {
		err = fail(ErrTooLarge, ResourceExhausted, nil, "%s of %s has %d bytes, the server takes %d", what, printable(k.typ, 64), n, limit)
	}
	return err
}

// limit returns a limit of the server's. It waits for the server's first words
// only if n is above the default.
func (c *v2Conn) limit(ctx context.Context, n int, of func(*wire.Settings) int) (int, error) {
	if limit := of(c.peer.Load()); n <= limit {
		return limit, nil
	}
	if err := c.confirm(ctx); err != nil {
		return 0, err
	}
	c.meet()
	return of(c.peer.Load()), nil
}

func (c *v2Conn) takesRaw(ctx context.Context) error {
	if err := c.confirm(ctx); err != nil {
		return err
	}
	for _, codec := range c.mux.Peer().Codecs {
		if codec == wire.CodecRaw {
			return nil
		}
	}
	return fail(ErrServer, Unimplemented, nil, "the server takes JSON only, no raw bytes")
}

func (c *v2Conn) cast(ctx context.Context, k *call, s *mux.Stream) error {
	if err := s.Written(ctx); err != nil {
		return err
	}
	c.noteCast(k)
	return nil
}

// noteCast remembers a cast for goodbye. The replies to later calls say nothing
// about one that went out in fragments: its last may stand behind them.
func (c *v2Conn) noteCast(k *call) {
	id := k.stream
	if len(k.payload)+len(k.meta) > wire.FragmentSize/2 {
		id = math.MaxUint32
	}
	for {
		newest := c.casts.Load()
		if newest >= id || c.casts.CompareAndSwap(newest, id) {
			return
		}
	}
}

// reply waits for the one message that answers a call.
func (c *v2Conn) reply(ctx context.Context, k *call, s *mux.Stream) error {
	m, err := s.Recv(ctx)
	if err != nil {
		if err == io.EOF {
			return errIsStream
		}
		return err
	}
	c.received()
	if cast := c.casts.Load(); cast != 0 && cast < k.stream { // the server read what stood before this call
		c.casts.CompareAndSwap(cast, 0)
	}
	k.note(&m)
	k.nameReply()
	if m.None {
		return errIsStream
	}
	k.reply = append(k.reply[:0], m.Payload...)
	if !m.Last && !(len(k.reply) == 0 && last(ctx, s)) {
		return errIsStream
	}
	return nil
}

// received counts a message, and that the connection is of use.
func (c *v2Conn) received() {
	c.stats.received.Add(1)
	if !c.useful.Load() {
		c.useful.Store(true)
	}
}

// last reports whether the end of the stream follows: an empty message cannot
// carry it.
func last(ctx context.Context, s *mux.Stream) bool {
	_, err := s.Recv(ctx)
	return err == io.EOF
}

// errIsStream fails a call that a stream of items answers.
var errIsStream = &failure{kind: ErrServer, status: Status{
	Code:    Unimplemented,
	Message: "the service answers with a stream of items: use Stream, or Bidi",
	Details: []byte(`{"pattern":"stream"}`),
}}

// failure says in the words of a call why its stream ended. It finds out
// whether the call may be sent again.
func (c *v2Conn) failure(ctx context.Context, k *call, s *mux.Stream, err error) error {
	if s != nil && ctx.Err() != nil {
		s.Cancel(wire.Canceled) // takes back what has not left
	}
	k.mayHaveLeft = s != nil && s.MayHaveLeft()
	if e, ok := errors.AsType[*mux.Failure](err); ok {
		return c.answer(ctx, e)
	}
	if e, ok := errors.AsType[*mux.Lost](err); ok {
		c.takeLeave() // before the reader says so: the next attempt must not come here again
		if e.NotProcessed && !k.oneWay {
			k.mayHaveLeft = false
		}
		if !k.mayHaveLeft && c.leaving.Load() {
			return errMoved
		}
		return c.why(e.Cause)
	}
	if ctx.Err() != nil {
		return ended(ctx, k.doing())
	}
	return c.why(err)
}

// answer is the failure of a stream that was ended with an error.
func (c *v2Conn) answer(ctx context.Context, e *mux.Failure) error {
	if e.Local {
		kind := ErrReply
		if e.Status.Code == ResourceExhausted {
			kind = ErrTooLarge
		}
		return &failure{kind: kind, status: *e.Status}
	}
	c.received()
	f := &failure{kind: ErrServer, status: *e.Status, refused: e.Refused}
	if e.Status.Code == DeadlineExceeded {
		f.cause = overdue(ctx)
	}
	return f
}

// note takes over what a message's metadata says.
func (k *call) note(m *mux.Message) {
	if len(m.Meta) == 0 {
		return
	}
	if queue, handler, ok := wire.Timing(m.Meta); ok {
		k.queue, k.handler, k.timed = queue, handler, true
	}
	for name, value := range wire.Fields(m.Meta) {
		if name == wire.FieldReplyType {
			k.replyType = append(k.replyType[:0], value...)
		}
	}
	k.incoming(m.Meta)
}

// nameReply gives the reply the type name that version 2 leaves out where it is
// the usual one.
func (k *call) nameReply() {
	if len(k.replyType) > 0 {
		return
	}
	k.replyType = append(k.replyType[:0], k.typ...)
	if k.typ != "" && k.typ[0] != '!' {
		k.replyType = append(k.replyType, "_res"...)
	}
}

// streamID is the request id of a call over version 2, as a trace shows it.
func (k *call) streamID() string { return strconv.FormatUint(uint64(k.stream), 10) }

func isFailure(err error) bool {
	_, ok := err.(*failure)
	return ok
}
