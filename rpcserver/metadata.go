package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/rpckids/rpckids/internal/wire"
)

// Metadata is what travels beside the payloads of a call: names of lower-case letters, digits and "-", "_", ".", and values of any bytes. It
// is written by the peer, so it proves nothing.
type Metadata map[string]string

// MetadataOf returns what the caller sent with the call whose handler got ctx, without the authorization that the Authenticator has seen; the map is the caller's own. Over version 1 that is a
// "traceparent" at most. It is empty when the handler has returned, and for a context that is no handler's.
func MetadataOf(ctx context.Context) Metadata {
	m := Metadata{}
	d, _ := ctx.Value(callKey{}).(*callContext)
	if d == nil {
		return m
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trace != "" && !d.over {
		m[wire.FieldTraceparent] = d.trace
	}
	maps.Insert(m, wire.Fields(d.came))
	if d.guarded {
		delete(m, wire.FieldAuthorization)
	}
	return m
}

// SetReplyMetadata sends a pair with the reply, or with a stream's first item; a second value under a name replaces the first. Nothing is sent with an
// error, and nothing over version 1. The error says that the name or the value cannot be sent, that the caller takes no more, or that the first item
// has left. ctx is a handler's; it is for one goroutine at a time.
func SetReplyMetadata(ctx context.Context, key, value string) error {
	return setMetadata(ctx, func(d *callContext) (*[]field, error) {
		if d.begun {
			return nil, errors.New("the first item has left: use SetTrailer")
		}
		return &d.head, nil
	}, key, value)
}

// SetTrailer is SetReplyMetadata for what is known only at the end: it goes with the end of a stream, or with the reply.
func SetTrailer(ctx context.Context, key, value string) error {
	return setMetadata(ctx, func(d *callContext) (*[]field, error) { return &d.tail, nil }, key, value)
}

func setMetadata(ctx context.Context, where func(*callContext) (*[]field, error), key, value string) error {
	if _, err := wire.AppendField(nil, key, value); err != nil {
		return err
	}
	if key == wire.FieldTiming || key == wire.FieldReplyType {
		return fmt.Errorf("metadata name %q is the server's own", key)
	}
	d, _ := ctx.Value(callKey{}).(*callContext)
	if d == nil || d.room == 0 {
		if Draining(ctx) == nil {
			return errors.New("not the context of a handler")
		}
		return nil // version 1 has no metadata
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return errors.New("the handler has returned")
	}
	to, err := where(d)
	if err != nil {
		return err
	}
	return d.set(to, field{key, value})
}

// metadata is the part of a callContext that travels. It is protected by the context's lock.
type metadata struct {
	trace      string  // version 1 has this alone
	came       []byte  // the caller's block
	head, tail []field // ours
	room       int     // how many bytes of it the caller takes; 0 on version 1
	begun      bool    // head has left
	guarded    bool    // the caller's token is the Authenticator's alone
	over       bool    // the handler has returned
}

type field struct{ name, value string }

// ownMetadata is what we keep room for: a reply type and the server's own times.
const ownMetadata = 256

func (m *metadata) set(to *[]field, f field) error {
	size := ownMetadata
	same := -1
	for i, other := range *to {
		if other.name == f.name {
			same = i
		}
	}
	for _, fields := range [][]field{m.head, m.tail, {f}} {
		for _, other := range fields {
			size += len(other.name) + len(other.value) + 8
		}
	}
	switch {
	case size > m.room:
		return fmt.Errorf("metadata %s: the caller takes %d bytes in all", f.name, m.room)
	case same >= 0:
		(*to)[same] = f
	default:
		*to = append(*to, f)
	}
	return nil
}

// firstMetadata returns what goes with the first item of a stream, and nil afterwards.
func (c *Call) firstMetadata() []byte {
	if c.out > 0 {
		return nil
	}
	d := c.ctx
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
	c.meta = append(c.meta[:0], c.service.replyType...)
	c.appendFields(d.head, nil)
	return c.meta
}

// lastMetadata returns what goes with the reply, or with the end of a stream; of what was to go before it all that has not.
func (c *Call) lastMetadata(timing bool) []byte {
	c.meta = c.meta[:0]
	if d := c.ctx; d != nil {
		d.mu.Lock()
		if c.out == 0 {
			c.meta = append(c.meta, c.service.replyType...)
			c.appendFields(d.head, d.tail)
		}
		c.appendFields(d.tail, nil)
		d.mu.Unlock()
	}
	if timing && !c.started.IsZero() {
		c.meta = wire.AppendTiming(c.meta, c.started.Sub(c.arrived), c.ended.Sub(c.started))
	}
	return c.meta
}

// appendFields appends pairs to c.meta, except those that come under their name in later.
func (c *Call) appendFields(fields, later []field) {
next:
	for _, f := range fields {
		for _, other := range later {
			if other.name == f.name {
				continue next
			}
		}
		c.meta, _ = wire.AppendField(c.meta, f.name, f.value) // was tried when it was set
	}
}
