package rpcclient

import (
	"context"
	"errors"
	"iter"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
)

// Upload sends items to typ and returns its one reply, which may come before the
// items are all sent: then the rest is not. An error that items yields cancels the
// call on the server and comes back wrapped.
//
// Upload returns when items has: the end of ctx cannot interrupt an iterator that
// blocks. One that waits for something else, a channel or a person say, has to heed
// ctx.Done() as well, and [OnEnd] if the server may answer early: the example of
// OnEnd does both.
//
// The items run in a goroutine of their own; if they panic, Upload does. What was
// sent cannot be sent again, so nothing is.
func Upload[Reply, Item any](ctx context.Context, c *Client, typ string, items iter.Seq2[Item, error], opts ...CallOption) (Reply, error) {
	do := func(ctx context.Context, r *Request) (reply Reply, err error) {
		k := c.begin(ctx, r.Type, opts)
		k.asked = r.journey
		k.pattern = PatternUpload
		k.talk = func(ctx context.Context, c *v2Conn, k *call, s *mux.Stream) error {
			return converse(ctx, c, k, s, items, func(ctx context.Context) error { return c.reply(ctx, k, s) })
		}
		if err = wantsRaw[Reply](k); err == nil {
			err = c.exchange(ctx, k, nil)
		}
		if err == nil {
			if reply, err = read[Reply](k, k.reply); err != nil {
				err = k.misfit(err)
			}
		}
		return reply, c.end(k, err)
	}
	return through(ctx, c, &Request{Type: typ, Pattern: PatternUpload}, do)
}

// Bidi sends items to typ and ranges over what it answers, both at once. It is as
// [Stream] for what comes and as [Upload] for what goes: the end of ctx, or leaving
// the loop, cannot interrupt an iterator that blocks, and the range ends only when it
// has returned; [OnEnd] is the place to wake it. The items run in a goroutine of
// their own, from the beginning of the range. If the server ends the stream first, the items that are left are
// not sent.
func Bidi[Reply, Item any](ctx context.Context, c *Client, typ string, items iter.Seq2[Item, error], opts ...CallOption) iter.Seq2[Reply, error] {
	return ranged[Reply](ctx, c, Request{Type: typ, Pattern: PatternBidi}, opts, func(take taker) talk {
		return func(ctx context.Context, c *v2Conn, k *call, s *mux.Stream) error {
			return converse(ctx, c, k, s, items, func(ctx context.Context) error { return c.receive(ctx, k, s, take) })
		}
	})
}

// Values makes items for [Upload] and [Bidi] of a sequence that cannot fail.
func Values[T any](seq iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range seq {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// OnEnd has f called once for an [Upload] or a [Bidi], as soon as its outcome is
// known and before the items are waited for: the place to wake them. It runs on
// the caller's goroutine.
func OnEnd(f func()) CallOption { return func(k *call) { k.onEnd = f } }

// converse sends the items while receive takes what comes, and ends when both
// have. From here on the call cannot be sent again.
func converse[Item any](ctx context.Context, c *v2Conn, k *call, s *mux.Stream, items iter.Seq2[Item, error], receive func(context.Context) error) (err error) {
	k.begun = true
	ctx, cancel := context.WithCancel(ctx)
	var sending error
	var thrown any
	sent := make(chan struct{})
	go func() { // ends with the items, or at the first one after the stream's end; waited for below
		defer close(sent)
		returned := false
		defer func() {
			if returned {
				return
			}
			thrown = recover()
			sending = fail(ErrPayload, Canceled, nil, "items of %s ended their goroutine", printable(k.typ, 64))
			cancel()
		}()
		if sending = send(ctx, c, k, s, items); sending != nil {
			cancel()
		}
		returned = true
	}()
	defer func() {
		cancel()
		s.Cancel(wire.Canceled) // if the consumer has left; else it has finished already
		k.tellEnd()
		<-sent
		if thrown != nil { // where it can be recovered, as if the items had run here
			panic(thrown)
		}
		if sending != nil {
			err = sending
		}
	}()
	return receive(ctx)
}

// send gives the items to the stream. Its error is one of ours, never one that
// receive learns anyway.
func send[Item any](ctx context.Context, c *v2Conn, k *call, s *mux.Stream, items iter.Seq2[Item, error]) error {
	var buf []byte
	for item, err := range items {
		if ctx.Err() != nil { // it is over, and the items were woken to hear that
			return nil
		}
		if err != nil {
			return fail(ErrPayload, Canceled, err, "items of %s: %s", printable(k.typ, 64), printable(err.Error(), 500))
		}
		if buf, err = k.appendValue(buf[:0], item, c.cfg.MaxMessage, "item"); err != nil {
			return err
		}
		if err := c.takes(ctx, k, buf, "item"); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := s.Send(ctx, buf, nil, false); err != nil {
			return own(ctx, err)
		}
		c.stats.sent.Add(1)
	}
	return own(ctx, s.CloseSend())
}

// own keeps a failure of the stream that this end has decided on while nobody
// had left.
func own(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*mux.Failure](err); ok && e.Local && ctx.Err() == nil {
		return &failure{kind: ErrTooLarge, status: *e.Status}
	}
	return nil
}
