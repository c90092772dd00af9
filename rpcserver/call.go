package rpcserver

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
)

// Call is one call on its way through a Handler, or one stream. It belongs to the server, which uses it again: neither it nor what its
// methods return may be kept after ServeCall returned. It is for one goroutine.
type Call struct {
	conn    *conn
	stream  *mux.Stream // nil on version 1
	service *service
	id      []byte // of the reply, on version 1
	marked  bool   // the peer is ours: errors are typed and leave the connection open
	silent  bool   // nobody wants an answer
	refused bool   // it did not run and may be sent again at once
	codec   Codec
	who     string // whom a token of the call's own has shown
	mark    wire.Mark
	payload []byte
	reply   []byte          // the reply's payload, or the item that is being written
	ctx     *callContext    // nil where the connection's serves as well
	within  context.Context // what receiving and sending heed
	meta    []byte          // of the reply
	size    int             // bytes on the wire
	arrived time.Time
	entered time.Time   // what the workers have to do; zero without Config.Adaptive
	started time.Time   // zero without an observer, and without a peer that wants to know
	ended   time.Time   // of the handler
	in, out int         // items that came and went
	sent    int         // bytes of items
	onEnd   func(error) // gone as a value, made once

	own   []byte // memory behind id and payload, unless they still stand in the read buffer
	place place  // what it takes of the pool
	queue bool   // counted in its connection's inFlight and held
	next  *Call  // in the calls it waits in
}

// Service returns the name under which the call came.
func (c *Call) Service() string { return c.service.name }

// Pattern returns how requests and replies follow each other.
func (c *Call) Pattern() Pattern { return c.service.pattern }

// Codec returns how the payloads of this call are written.
func (c *Call) Codec() Codec { return c.codec }

// Protocol returns the version of the wire on which the call came: "v1" or "v2".
func (c *Call) Protocol() string {
	if c.stream != nil {
		return wire.V2.String()
	}
	return wire.V1.String()
}

// Peer returns the caller's address.
func (c *Call) Peer() net.Addr { return c.conn.nc.RemoteAddr() }

// Payload returns the request as it came: untrusted bytes, perhaps not JSON. An upload and a bidi have none; see RecvRaw.
func (c *Call) Payload() []byte { return c.payload }

// OneWay reports whether nobody waits for an answer.
func (c *Call) OneWay() bool { return c.silent }

// Trace returns the W3C traceparent that the caller sent, or "".
func (c *Call) Trace() string {
	if c.stream != nil && c.mark.Trace == "" {
		for name, value := range wire.Fields(c.stream.Meta()) {
			if name == wire.FieldTraceparent {
				c.mark.Trace = value
			}
		}
	}
	return c.mark.Trace
}

// Decode reads the payload into v, a pointer, by the rules of Handle: strict, and with an Error that says what does not fit.
// Of a raw call it takes a *[]byte.
func (c *Call) Decode(v any) error { return c.decode(c.payload, v) }

func (c *Call) decode(payload []byte, v any) error {
	if c.codec == Raw {
		return decodeRaw(payload, v)
	}
	return decodeAny(payload, v)
}

// Reply sets the answer to v as JSON; a json.RawMessage goes out as it is. The last Reply counts; without one it is null.
// A raw call is answered with a []byte or a json.RawMessage.
func (c *Call) Reply(v any) error { return c.encode(v) }

// encode writes v, a pointer or any value, where replies and items are written.
func (c *Call) encode(v any) (err error) {
	if c.codec == Raw {
		c.reply, err = appendBytes(c.reply[:0], v)
		return err
	}
	c.reply, err = appendJSON(c.reply[:0], v)
	return err
}

var spareCalls = sync.Pool{New: func() any {
	c := new(Call)
	c.onEnd = c.gone
	return c
}}

// gone is called when the caller gave up, or its connection ended, before the call was answered. It is over before the call is used again.
func (c *Call) gone(err error) { c.ctx.stop(endOf(err)) }

// keepBytes is the largest buffer that a call keeps for the next one.
const keepBytes = 16 << 10

// keep copies what stands in the read buffer into the call's own memory.
func (c *Call) keep() {
	n := len(c.id)
	c.own = append(append(c.own[:0], c.id...), c.payload...)
	c.id, c.payload = c.own[:n:n], c.own[n:]
}

func (c *Call) release() {
	own, reply := c.own, c.reply
	if cap(own) > keepBytes {
		own = nil
	}
	if cap(reply) > keepBytes {
		reply = nil
	}
	*c = Call{own: own[:0], reply: reply[:0], meta: c.meta[:0], onEnd: c.onEnd}
	spareCalls.Put(c)
}

// calls is a first-in first-out list, linked through the calls themselves.
type calls struct {
	first, last *Call
	n           int
}

func (q *calls) push(c *Call) {
	if q.n++; q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
}

func (q *calls) pop() *Call {
	c := q.first
	if q.n--; q.n == 0 {
		q.last = nil
	}
	q.first, c.next = c.next, nil
	return c
}
