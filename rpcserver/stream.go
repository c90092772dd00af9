package rpcserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/mux"
)

// Items in and out of a call. How many may be under way is credit, and package mux's business: taking an item gives credit back, and
// sending waits for it.

// Recv reads the caller's next item into v, a pointer, as Decode does; io.EOF says that there are no more, context errors that nobody
// sends any. It is for uploads and bidis. One goroutine may receive while another sends.
func (c *Call) Recv(v any) error {
	payload, err := c.RecvRaw()
	if err != nil {
		return err
	}
	return c.itemError(c.decode(payload, v))
}

// RecvRaw is Recv for the item as it came: untrusted bytes, perhaps not JSON, valid until the next one is received.
func (c *Call) RecvRaw() ([]byte, error) { return c.take(c.within) }

// Send gives the caller an item, as JSON or, in a raw call, as bytes. It waits until the caller has room. It is for streams and bidis.
func (c *Call) Send(v any) error {
	if err := c.encode(v); err != nil {
		return err
	}
	return c.give(c.reply)
}

// SendRaw is Send for an item that is JSON already, or bytes of a raw call. The item is the caller's again when it returns.
func (c *Call) SendRaw(item []byte) error {
	if c.codec == JSON && (!json.Valid(item) || !utf8.Valid(item)) {
		return Errorf(Internal, "item %d is not JSON", c.out)
	}
	return c.give(item)
}

func (c *Call) take(ctx context.Context) ([]byte, error) {
	if !c.service.pattern.takes() {
		return nil, Errorf(Internal, "service %s is a %s, which takes no items", c.service.name, c.service.pattern)
	}
	m, err := c.stream.Recv(ctx)
	if err == nil && m.None { // trailers alone
		err = io.EOF
	}
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, why(ctx, err)
	}
	c.in++
	c.size += len(m.Payload)
	return m.Payload, nil
}

func (c *Call) give(item []byte) error {
	if !c.service.pattern.gives() {
		return Errorf(Internal, "service %s is a %s, which gives no items", c.service.name, c.service.pattern)
	}
	if most := c.conn.s.config.MaxMessage; len(item) > most {
		return Errorf(ResourceExhausted, "item %d has %d bytes, the limit is %d", c.out, len(item), most)
	}
	if err := c.stream.Send(c.within, item, c.firstMetadata(), false); err != nil {
		return why(c.within, err)
	}
	c.out++
	c.sent += len(item)
	return nil
}

// why says in a handler's words why there is no next item, or nobody to take one.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return endOf(err)
}

// endOf translates why a stream ended.
func endOf(err error) error {
	if f, ok := errors.AsType[*mux.Failure](err); ok && f.Local {
		return f.Status
	} else if ok || err == io.EOF {
		return ErrCanceledByPeer
	}
	if lost, ok := errors.AsType[*mux.Lost](err); ok && lost.Cause != nil {
		if end, ok := errors.AsType[*mux.End](lost.Cause); ok {
			return errEnded(Reason(end.Reason))
		}
		return lost.Cause
	}
	return err
}

func isEnd(err error) bool { return err == io.EOF }

// itemError says which item an error is about; items are counted from 0.
func (c *Call) itemError(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e == nil {
		return err
	}
	numbered := *e
	numbered.Message = fmt.Sprintf("item %d: %s", c.in-1, e.Message)
	return &numbered
}
