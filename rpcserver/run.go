package rpcserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// The walk of a call once it has been read, whichever version of the wire brought it.

// runQueued runs a call that a worker took off the queue, unless its peer leaves too many replies unread.
func (c *conn) runQueued(call *Call) {
	if !c.park(call) {
		c.run(call)
	}
}

func (c *conn) park(call *Call) bool {
	if call.stream != nil {
		return c.v2.park(call)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsentLocked() <= maxOutbox || c.dead {
		return false
	}
	c.parked.push(call)
	return true
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
	ctx := c.enter(call)
	if call.ctx != nil {
		defer call.leave()
	}
	if err := ctx.Err(); err != nil {
		if err == context.DeadlineExceeded {
			c.s.count.refused.Add(1)
			return Errorf(DeadlineExceeded, "the deadline passed before a worker was free")
		}
		return asError(context.Cause(ctx)) // the connection is gone, or the caller gave up
	}
	o := c.s.config.Observer
	if o != nil || call.stream != nil && c.v2.timing.Load() {
		call.started = time.Now()
	}
	if o != nil && o.CallStarted != nil {
		o.CallStarted(call.info(OK))
	}
	e := asError(call.service.chain.ServeCall(ctx, call))
	if e == nil && len(call.reply) > c.s.config.MaxMessage && !call.service.pattern.gives() {
		e = Errorf(ResourceExhausted, "the reply has %d bytes, the limit is %d", len(call.reply), c.s.config.MaxMessage)
	}
	return e
}

// enter returns the context of a call: the connection's, unless there is more to say. Nobody waits for a cast, so it goes on when its
// caller leaves.
func (c *conn) enter(call *Call) context.Context {
	parent := c.ctx
	if call.silent {
		parent = c.s.ctx
	}
	if call.stream == nil && call.mark.Timeout <= 0 && call.mark.Trace == "" {
		return parent
	}
	d := &callContext{Context: parent}
	d.trace = call.mark.Trace
	if call.mark.Timeout > 0 {
		d.deadline = call.arrived.Add(call.mark.Timeout)
	}
	call.ctx, call.within = d, d
	if call.stream != nil {
		d.came, d.room = call.stream.Meta(), int(c.v2.metadata.Load())
		if !call.silent {
			call.stream.OnEnd(call.onEnd)
		}
	}
	return d
}

// leave is called when the handler has returned.
func (c *Call) leave() {
	if !c.started.IsZero() {
		c.ended = time.Now()
	}
	c.ctx.end()
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

// overload answers a call for which there is no place in the queue, to a peer that understands it.
func (c *conn) overload(call *Call) {
	e := Errorf(ResourceExhausted, "%d calls wait already", c.s.config.Queue)
	e.RetryAfter = retryAfter
	call.refused = true
	c.s.count.refused.Add(1)
	c.refuse(call, e)
}

// finish answers a call and is the end of it.
func (c *conn) finish(call *Call, e *Error, flush bool) {
	code := OK
	if e != nil {
		code = e.Code
		c.countFailure(call, e)
	}
	if o := c.s.config.Observer; o != nil && o.CallDone != nil {
		o.CallDone(call.info(code))
	}
	if call.stream != nil {
		c.v2.answer(call, e)
	} else {
		c.answer(call, e, flush)
	}
	call.release()
}

// countFailure counts and logs a call that came to an error. One that its caller gave up is no failure of ours.
func (c *conn) countFailure(call *Call, e *Error) {
	if call.ctx != nil && call.ctx.givenUp() {
		c.s.count.canceled.Add(1)
		return
	}
	c.s.count.failed.Add(1)
	if c.ctx.Err() == nil {
		c.logFailure(call, e)
	}
}

func (c *Call) info(code Code) CallInfo {
	n := CallInfo{Peer: c.Peer(), Trace: c.Trace(), Protocol: c.Protocol(), OneWay: c.silent, Code: code, BytesIn: c.size, Ran: !c.started.IsZero(), ItemsIn: c.in, ItemsOut: c.out}
	if c.service != nil {
		n.Service, n.Pattern = c.service.name, c.service.pattern
	}
	switch {
	case c.service != nil && c.service.pattern.gives():
		n.BytesOut = c.sent
	case code == OK && !c.silent:
		n.BytesOut = len(c.reply)
	}
	if n.Ran {
		n.Queue, n.Handler = c.started.Sub(c.arrived), time.Since(c.started)
	}
	return n
}
