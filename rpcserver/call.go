package rpcserver

import (
	"net"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Call is one call on its way through a Handler. It belongs to the server, which uses it again: neither it nor what its
// methods return may be kept after ServeCall returned. It is for one goroutine.
type Call struct {
	conn    *conn
	service *service
	id      []byte // of the reply
	marked  bool   // the peer is ours: errors are typed and leave the connection open
	silent  bool   // nobody wants an answer
	mark    wire.Mark
	payload []byte
	reply   []byte // the reply's payload
	size    int    // bytes on the wire
	arrived time.Time
	started time.Time // zero without an observer

	own   []byte // memory behind id and payload, unless they still stand in the read buffer
	queue bool   // counted in its connection's inFlight and held
	next  *Call  // in the calls it waits in
}

// Service returns the name under which the call came.
func (c *Call) Service() string { return c.service.name }

// Peer returns the caller's address.
func (c *Call) Peer() net.Addr { return c.conn.nc.RemoteAddr() }

// Payload returns the request as it came: untrusted bytes, perhaps not JSON.
func (c *Call) Payload() []byte { return c.payload }

// OneWay reports whether nobody waits for an answer.
func (c *Call) OneWay() bool { return c.silent }

// Trace returns the W3C traceparent that the caller sent, or "".
func (c *Call) Trace() string { return c.mark.Trace }

// Decode reads the payload into v, a pointer, by the rules of Handle: strict, and with an Error that says what does not fit.
func (c *Call) Decode(v any) error { return decodeAny(c.payload, v) }

// Reply sets the answer to v as JSON; a json.RawMessage goes out as it is. The last Reply counts; without one it is null.
func (c *Call) Reply(v any) (err error) {
	c.reply, err = appendJSON(c.reply[:0], v)
	return err
}

var spareCalls = sync.Pool{New: func() any { return new(Call) }}

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
	*c = Call{own: own[:0], reply: reply[:0]}
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
