package rpcclient

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/rpckids/rpckids/internal/wire"
)

// Metadata is what travels beside a payload: names of a-z, 0-9, "-", "_" and ".",
// and text. Some names have a meaning and a form of their own, as "traceparent".
type Metadata map[string]string

// cargo is what a context holds for the next call: one value, so that a call
// looks once.
type cargo struct {
	trace *Trace
	out   Metadata
	in    *Metadata
}

type cargoKey struct{}

func cargoOf(ctx context.Context) *cargo {
	c, _ := ctx.Value(cargoKey{}).(*cargo)
	return c
}

func withCargo(ctx context.Context, change func(*cargo)) context.Context {
	var c cargo
	if before := cargoOf(ctx); before != nil {
		c = *before
	}
	change(&c)
	return context.WithValue(ctx, cargoKey{}, &c)
}

// WithMetadata returns a context whose calls carry m, together with what ctx
// carries already. Only version 2 has metadata: over version 1 everything stays
// behind except "traceparent". Names and values that cannot be sent fail the call
// with [ErrPayload], more than the server takes (8 KiB) with [ErrTooLarge].
func WithMetadata(ctx context.Context, m Metadata) context.Context {
	return withCargo(ctx, func(c *cargo) {
		merged := make(Metadata, len(c.out)+len(m))
		maps.Copy(merged, c.out)
		maps.Copy(merged, m)
		c.out = merged
	})
}

// WithReplyMetadata returns a context whose next call or stream puts into m what
// the server sends along: with the reply or the first item, later with the end of
// the stream. It is nil if nothing came. It serves one call at a time and must
// not be touched while that runs, except between the items of a stream.
func WithReplyMetadata(ctx context.Context, m *Metadata) context.Context {
	return withCargo(ctx, func(c *cargo) { c.in = m })
}

// forget empties what an earlier call has filled.
func (c *cargo) forget() {
	if c.in != nil {
		*c.in = nil
	}
}

// ownIn returns a cargo with its own place for what comes.
func (c *cargo) ownIn() *cargo {
	if c == nil || c.in == nil {
		return c
	}
	own := *c
	own.in = new(Metadata)
	return &own
}

// incoming keeps one pair that came with a reply, if the caller wants it.
func (k *call) incoming(name, value string) {
	if k.cargo == nil || k.cargo.in == nil {
		return
	}
	if *k.cargo.in == nil {
		*k.cargo.in = Metadata{}
	}
	(*k.cargo.in)[name] = value
}

// pack writes the outgoing metadata, in the order of the names.
func (k *call) pack() error {
	k.meta, k.metaLen = k.meta[:0], 0
	if k.cargo == nil || len(k.cargo.out) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(k.cargo.out)) {
		value := k.cargo.out[name]
		var err error
		if k.meta, err = wire.AppendField(k.meta, name, value); err != nil {
			return fail(ErrPayload, InvalidArgument, err, "%v", err)
		}
		if name == wire.FieldTraceparent {
			k.mark.Trace = value
		}
	}
	k.metaLen = len(k.meta)
	return nil
}

// tellAttempt says in the metadata how often the call has been sent, this time
// included, unless the caller says so.
func (k *call) tellAttempt() {
	k.meta = k.meta[:k.metaLen]
	if k.cargo != nil && k.cargo.out[wire.FieldAttempt] != "" {
		return
	}
	k.meta, _ = wire.AppendField(k.meta, wire.FieldAttempt, strconv.Itoa(k.attempts)) // a number of ours: cannot fail
}
