package rpcserver

import (
	"context"
	"iter"
	"sync"
)

// Pattern says how requests and replies of a service follow each other.
type Pattern string

// The patterns. The last three need version 2 of the wire.
const (
	PatternCall   Pattern = "call"   // one request, one reply
	PatternCast   Pattern = "cast"   // one request, no reply
	PatternStream Pattern = "stream" // one request, any number of items
	PatternUpload Pattern = "upload" // any number of items, one reply
	PatternBidi   Pattern = "bidi"   // items both ways, each side at its own pace
)

// streams reports whether a service of this pattern takes or gives items.
func (p Pattern) streams() bool { return p.takes() || p.gives() }
func (p Pattern) takes() bool   { return p == PatternUpload || p == PatternBidi }
func (p Pattern) gives() bool   { return p == PatternStream || p == PatternBidi }

// StreamFunc makes a Handler of a typed function, for [Server.Service]; [HandleStream] says by what rules.
func StreamFunc[Req, Res any](fn func(ctx context.Context, req Req) iter.Seq2[Res, error]) Handler {
	return &stream[Req, Res]{newTyped[Req, Res](PatternStream, fn == nil), fn}
}

// UploadFunc makes a Handler of a typed function, for [Server.Service]; [HandleUpload] says by what rules.
func UploadFunc[Req, Res any](fn func(ctx context.Context, items iter.Seq2[Req, error]) (Res, error)) Handler {
	return &upload[Req, Res]{newTyped[Req, Res](PatternUpload, fn == nil), fn}
}

// BidiFunc makes a Handler of a typed function, for [Server.Service]; [HandleBidi] says by what rules.
func BidiFunc[Req, Res any](fn func(ctx context.Context, items iter.Seq2[Req, error]) iter.Seq2[Res, error]) Handler {
	return &bidi[Req, Res]{newTyped[Req, Res](PatternBidi, fn == nil), fn}
}

type stream[Req, Res any] struct {
	typed[Req, Res]
	fn func(context.Context, Req) iter.Seq2[Res, error]
}

func (s *stream[Req, Res]) ServeCall(ctx context.Context, c *Call) error {
	c.within = ctx
	var req Req
	if err := s.read(c, c.payload, &req); err != nil {
		return err
	}
	return give(c, s.fn(ctx, req))
}

type upload[Req, Res any] struct {
	typed[Req, Res]
	fn func(context.Context, iter.Seq2[Req, error]) (Res, error)
}

func (u *upload[Req, Res]) ServeCall(ctx context.Context, c *Call) error {
	if c.codec == Raw && !u.raw {
		return errNotRaw
	}
	in := newItems(ctx, c)
	defer in.end()
	res, err := u.fn(ctx, taken(in, &u.typed))
	if err != nil {
		return err
	}
	return c.encode(&res)
}

type bidi[Req, Res any] struct {
	typed[Req, Res]
	fn func(context.Context, iter.Seq2[Req, error]) iter.Seq2[Res, error]
}

func (b *bidi[Req, Res]) ServeCall(ctx context.Context, c *Call) error {
	if c.codec == Raw && !b.raw {
		return errNotRaw
	}
	in := newItems(ctx, c)
	defer in.end()
	return give(c, b.fn(ctx, taken(in, &b.typed)))
}

// give sends what a handler yields. Leaving the loop makes its yield return false.
func give[Res any](c *Call, seq iter.Seq2[Res, error]) error {
	item := new(Res) // one for the whole stream: the encoder wants its address
	for v, err := range seq {
		if err != nil {
			return err
		}
		*item = v
		if err := c.Send(item); err != nil {
			return err
		}
	}
	return nil
}

// items is what the caller sends to one handler, which may take them in another goroutine that outlives it.
type items struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex // held while an item is taken; protects the field below
	call *Call      // nil when the handler has returned
}

func newItems(ctx context.Context, c *Call) *items {
	in := &items{call: c}
	in.ctx, in.cancel = context.WithCancel(ctx)
	c.within = ctx
	return in
}

// end lets nobody take an item any more: the call is about to be used again.
func (i *items) end() {
	i.cancel()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.call = nil
}

// taken is the items as a handler ranges over them, each decoded when it is asked for. A second range goes on where the first one left; an
// error is the last.
func taken[Req, Res any](in *items, t *typed[Req, Res]) iter.Seq2[Req, error] {
	next := func() (item Req, err error) {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.call == nil {
			return item, context.Canceled
		}
		payload, err := in.call.take(in.ctx)
		if err == nil {
			err = in.call.itemError(t.read(in.call, payload, &item))
		}
		return item, err
	}
	return func(yield func(Req, error) bool) {
		for {
			item, err := next()
			if isEnd(err) || !yield(item, err) || err != nil {
				return
			}
		}
	}
}
