package rpcserver

import (
	"fmt"
	"log/slog"
	"runtime/debug"
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
		call.own = wire.AppendReplyID(call.own[:0], prefix, 1)
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
	case v.oneWay && call.marked && !call.silent:
		e := Errorf(Unimplemented, "%s is one way and has no answer: cast it", v.name)
		e.Details = []byte(`{"pattern":"cast"}`)
		c.refuse(call, e)
		return
	case v.oneWay:
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
		e := Errorf(ResourceExhausted, "%d calls wait already", c.s.config.Queue)
		e.RetryAfter = retryAfter
		c.s.count.refused.Add(1)
		c.refuse(call, e)
	}
	c.mu.Lock()
	c.idle = time.Now()
	c.flushLocked(false)
	c.mu.Unlock()
}

// runQueued runs a call that a worker took off the queue.
func (c *conn) runQueued(call *Call) {
	c.mu.Lock()
	if c.unsentLocked() > maxOutbox && !c.dead { // its reply would wait too: let the worker serve others until the peer reads
		c.parked.push(call)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.run(call)
}

// run runs a call and answers it, also when the handler panics or ends its goroutine.
func (c *conn) run(call *Call) {
	var e *Error
	returned := false
	defer func() {
		if !returned {
			e = c.panicked(call, recover())
		}
		c.finish(call, e, true)
	}()
	e = c.invoke(call)
	returned = true
}

// invoke calls the handler, in its context.
func (c *conn) invoke(call *Call) *Error {
	ctx := c.ctx
	if err := ctx.Err(); err != nil {
		return asError(err) // the connection is gone
	}
	if left := call.mark.Timeout; left > 0 {
		d := &deadlineContext{Context: ctx, deadline: call.arrived.Add(left)}
		if !time.Now().Before(d.deadline) {
			c.s.count.refused.Add(1)
			return Errorf(DeadlineExceeded, "the deadline passed before a worker was free")
		}
		defer d.end()
		ctx = d
	}
	if o := c.s.config.Observer; o != nil {
		call.started = time.Now()
		if o.CallStarted != nil {
			o.CallStarted(call.info(OK))
		}
	}
	e := asError(call.service.handler.ServeCall(ctx, call))
	if e == nil && len(call.reply) > c.s.config.MaxMessage {
		e = Errorf(ResourceExhausted, "the reply has %d bytes, the limit is %d", len(call.reply), c.s.config.MaxMessage)
	}
	return e
}

func (c *conn) panicked(call *Call, value any) *Error {
	name := call.service.name
	stack := debug.Stack()
	c.s.count.panics.Add(1)
	c.log(slog.LevelError, "a handler panicked", slog.String("type", name), slog.String("panic", shown(fmt.Sprint(value), mostError)), slog.String("stack", string(stack)))
	if o := c.s.config.Observer; o != nil && o.Panicked != nil {
		o.Panicked(name, value, stack)
	}
	return Errorf(Internal, "service %s failed; its server's log says more", name)
}

// refuse answers a call that did not run.
func (c *conn) refuse(call *Call, e *Error) { c.finish(call, e, false) }

// finish answers a call and is the end of it.
func (c *conn) finish(call *Call, e *Error, flush bool) {
	if e != nil {
		c.s.count.failed.Add(1)
		if c.ctx.Err() == nil {
			c.logFailure(call, e)
		}
	}
	if o := c.s.config.Observer; o != nil && o.CallDone != nil {
		code := OK
		if e != nil {
			code = e.Code
		}
		o.CallDone(call.info(code))
	}
	c.mu.Lock()
	if !c.dead && !call.silent {
		c.answerLocked(call, e)
	}
	if call.queue {
		c.doneLocked(call)
	}
	if flush && call.queue {
		c.flushLocked(c.inFlight > 0)
	}
	c.mu.Unlock()
	call.release()
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

func (c *Call) info(code Code) CallInfo {
	n := CallInfo{Peer: c.Peer(), Trace: c.mark.Trace, OneWay: c.silent, Code: code, BytesIn: c.size, Ran: !c.started.IsZero()}
	if c.service != nil {
		n.Service = c.service.name
	}
	if code == OK && !c.silent {
		n.BytesOut = len(c.reply)
	}
	if n.Ran {
		n.Queue, n.Handler = c.started.Sub(c.arrived), time.Since(c.started)
	}
	return n
}
