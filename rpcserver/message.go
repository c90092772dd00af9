package rpcserver

import (
	"log/slog"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// take handles every whole message that has been read; "" means read on.
func (c *conn) take() (why Reason) {
	now := time.Now()
	n := 0
	for !c.refused.Load() {
		m, ok, err := c.dec.Next()
		if err != nil {
			c.detail = err.Error()
			why = BadLength
			break
		}
		if !ok {
			break
		}
		n++
		c.accept(m, now)
	}
	if n > 0 {
		c.s.count.calls.Add(uint64(n))
		c.submit()
	}
	if c.refused.Load() {
		return Answered
	}
	switch {
	case c.dec.Buffered() == 0:
		c.half = time.Time{}
	case n > 0 || c.half.IsZero():
		c.half = time.Now() // not the time of the read: handlers may have run since
	}
	return why
}

// accept looks at one message: refuses it, runs it, or puts it into the batch.
func (c *conn) accept(m wire.Message, now time.Time) {
	if c.s.logs(slog.LevelInfo) {
		c.log(slog.LevelInfo, "read a message", slog.String("id", shown(m.ID, mostShown)), slog.String("type", shown(m.Type, mostShown)), slog.Int("bytes", m.Size))
	}
	if m.Repaired {
		c.repair()
	}
	call := spareCalls.Get().(*Call)
	call.conn, call.payload, call.size, call.arrived = c, m.Payload, m.Size, now
	if prefix, mark, ok := wire.ParseMark(m.ID); ok {
		call.marked, call.mark, call.silent = true, mark, mark.OneWay
		call.own = wire.AppendReplyID(call.own[:0], prefix, c.s.version)
		call.id = call.own
	} else {
		call.id = m.ID
	}
	var known bool
	if call.service, known = c.s.lookup(string(m.Type)); !known {
		c.refuse(call, c.s.unknown(m.Type))
		return
	}
	v := call.service
	switch {
	case v.pattern.streams():
		c.refuse(call, v.misused("%s is a %s, which version 1 of the wire does not carry"))
		return
	case v.pattern == PatternCast && call.marked && !call.silent:
		c.refuse(call, v.misused("%s is one way and has no answer: cast it"))
		return
	case v.pattern == PatternCast:
		call.silent = true
	}
	if v.quick && !c.crowded() {
		c.run(call)
		return
	}
	call.keep()
	call.queue = true
	c.batch.push(call)
}

// crowded reports whether the peer leaves so many replies unread that no more should be made for it.
func (c *conn) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsentLocked() > maxOutbox
}

func (c *conn) repair() {
	c.s.count.repaired.Add(1)
	if !c.repaired {
		c.repaired = true
		c.log(slog.LevelInfo, "repaired a length that counts UTF-16 units; logged once per connection")
	}
	if o := c.s.config.Observer; o != nil && o.Repaired != nil {
		o.Repaired(c.nc.RemoteAddr())
	}
}

// submit hands the batch to the workers. What the queue does not take is refused if the peer understands that; a peer of the
// original protocol pays with its reader, as there.
func (c *conn) submit() {
	if c.batch.n > 0 {
		c.mu.Lock()
		for call := c.batch.first; call != nil; call = call.next {
			c.inFlight++
			c.held += len(call.own)
		}
		c.mu.Unlock()
		c.s.pool.put(&c.batch)
	}
	for c.batch.n > 0 {
		call := c.batch.pop()
		if !call.marked {
			c.mu.Lock()
			c.flushLocked(false) // or what quick calls answered would wait here too, for ever if it is what leaves no room
			c.awaitLocked(0, c.roomLocked)
			c.mu.Unlock()
			c.run(call)
			continue
		}
		c.overload(call)
	}
	c.mu.Lock()
	c.idle = time.Now()
	c.flushLocked(false)
	c.mu.Unlock()
}

// answer sends what a call came to and takes it off the books.
func (c *conn) answer(call *Call, e *Error, flush bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead && !call.silent {
		c.answerLocked(call, e)
	}
	if call.queue {
		c.doneLocked(call)
	}
	if flush && call.queue {
		c.flushLocked(c.inFlight > 0)
	}
}

// doneLocked takes a call off the books.
func (c *conn) doneLocked(call *Call) {
	c.held -= len(call.own)
	if c.inFlight--; c.inFlight == 0 {
		c.idle = time.Now()
	}
	c.wakeLocked()
}

// answerLocked appends a call's reply, or its error in the form that its peer can bear.
func (c *conn) answerLocked(call *Call, e *Error) {
	var at int
	switch {
	case e == nil:
		c.roomForLocked()
		c.out, at = wire.Begin(c.out, call.id, []byte(call.service.reply))
		if len(call.reply) == 0 {
			c.out = append(c.out, "null"...)
		}
		c.out = wire.End(append(c.out, call.reply...), at)
	case call.marked:
		c.roomForLocked()
		c.out, at = wire.Begin(c.out, call.id, []byte(wire.ErrorType))
		c.out = wire.End(wire.AppendError(c.out, e), at)
	default:
		if len(c.last) < maxOutbox { // the calls behind that fail by the close, without a reason of their own
			c.last, at = wire.Begin(c.last, append(call.id, wire.ErrorSuffix...), []byte(wire.ErrorTypeV1(e)))
			c.last = wire.End(wire.AppendError(c.last, e), at)
		}
		c.refused.Store(true)
		c.endLocked(Answered)
	}
}
