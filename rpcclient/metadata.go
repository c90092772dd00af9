package rpcclient

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

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
	in    *inbox
}

// inbox is where a caller wants what comes with the reply. Who gives several calls
// the same one gets what the last of them put there.
type inbox struct {
	mu sync.Mutex // protects what to points at
	to *Metadata
}

func (b *inbox) put(m Metadata) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.to = m
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
// carries already. Only version 2 has metadata, so a call with any but
// "traceparent" finds out first, as a stream does, whether its server speaks that.
// To one of version 1 it goes without; but a call with "authorization" fails there,
// with [ErrNoStreams]. That one needs TLS as [Config.Token] does, or TokenPlain.
// Names and values that cannot be sent fail the call with [ErrPayload], more than
// the server takes (8 KiB) with [ErrTooLarge].
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
// the stream. It is nil if nothing came. It is meant for one call at a time, of
// several the last one wins, and it must not be touched while one runs, except
// between the items of a stream.
func WithReplyMetadata(ctx context.Context, m *Metadata) context.Context {
	return withCargo(ctx, func(c *cargo) { c.in = &inbox{to: m} })
}

// forget empties what an earlier call has filled.
func (c *cargo) forget() {
	if c.in != nil {
		c.in.put(nil)
	}
}

// ownIn returns a cargo with its own place for what comes.
func (c *cargo) ownIn() *cargo {
	if c == nil || c.in == nil {
		return c
	}
	own := *c
	own.in = &inbox{to: new(Metadata)}
	return &own
}

// laden reports whether the call has metadata that version 1 has no room for, and
// which has not been given up.
func (k *call) laden() bool {
	if k.cargo == nil {
		return false
	}
	n := len(k.cargo.out)
	if _, ok := k.cargo.out[wire.FieldTraceparent]; ok {
		n--
	}
	return n > 0
}

// guarded reports whether the call carries a token of its own.
func (k *call) guarded() bool {
	return k.cargo != nil && k.cargo.out[wire.FieldAuthorization] != ""
}

// incoming gives the caller the metadata of a message, if it is wanted. What was
// given before stays as it is: another call may hold it.
func (k *call) incoming(meta []byte) {
	if k.cargo == nil || k.cargo.in == nil {
		return
	}
	came := Metadata{}
	for name, value := range wire.Fields(meta) {
		if name != wire.FieldReplyType && name != wire.FieldTiming {
			came[name] = value
		}
	}
	if len(came) == 0 {
		return
	}
	if before := k.came; before != nil {
		fresh := came
		came = maps.Clone(before)
		maps.Copy(came, fresh)
	}
	k.came = came
	k.cargo.in.put(came)
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
