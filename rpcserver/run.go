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
	if c.park(call) {
		c.s.pool.vacate(ofWorker) // it is somebody else's by now
		return
	}
	c.run(call)
}

func (c *conn) park(call *Call) bool {
	if call.silent { // no reply of its will wait, and of casts there may be any number
		return false
	}
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
			c.s.refused(tooLate, c.nc.RemoteAddr())
			return Errorf(DeadlineExceeded, "the deadline passed before a worker was free")
		}
		return asError(context.Cause(ctx)) // the connection is gone, or the caller gave up
	}
	if e := c.permit(ctx, call); e != nil {
		return e
	}
	o := c.s.config.Observer
	if o != nil || c.s.config.Adaptive || call.stream != nil && c.v2.timing.Load() {
		call.started = time.Now()
	}
	if o != nil && o.CallStarted != nil {
		call.tell(o.CallStarted, OK)
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
		if parent = &c.casts; c.pass != nil && c.pass.name != "" {
			parent = withIdentity(parent, c.pass.name)
		}
	}
	if call.who != "" {
		parent = withIdentity(parent, call.who)
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
		d.guarded = c.s.config.Auth != nil
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
	crash := c.s.config.CrashOnPanic && value != nil
	if left, ok := call.service.panics.pass(time.Now()); ok || crash {
		attrs := []slog.Attr{call.logID(), slog.String("service", name), slog.String("panic", shown(fmt.Sprint(value), mostError)), slog.String("stack", string(stack))}
		c.log(slog.LevelError, "a handler panicked", withLeft(attrs, left)...)
	}
	c.s.panicked(name, value, stack)
	if crash {
		panic(value)
	}
	return Errorf(Internal, "service %s failed; its server's log says more", name)
}

// refuse answers a call that did not run.
func (c *conn) refuse(call *Call, e *Error) { c.finish(call, e, false) }

// overload answers a call for which there is no place, to a peer that understands it. The built-in services are never without one: somebody
// wants to know what is going on.
func (c *conn) overload(call *Call, why refusal) {
	if call.service.builtIn() {
		var one calls
		one.push(call)
		c.s.pool.back(&one)
		return
	}
	e := &Error{Code: ResourceExhausted, RetryAfter: c.s.pool.retryAfter(time.Now())}
	switch cfg := &c.s.config; {
	case why == queueFull && cfg.Queue == 0 && cfg.Workers == 1:
		e.Message = "the worker is busy, and there is no queue"
	case why == queueFull && cfg.Queue == 0:
		e.Message = fmt.Sprintf("all %d workers are busy, and there is no queue", cfg.Workers)
	case why == queueFull:
		e.Message = someCalls(cfg.Queue, "waits", "wait") + " already"
	case why == tooManyOnConn:
		e.Message = someCalls(cfg.MaxConnInFlight, "of this connection is", "of this connection are") + " in flight"
	case why == tooManyInFlight:
		e.Message = someCalls(cfg.MaxInFlight, "is", "are") + " in flight"
	default:
		e.Message = someCalls(c.s.pool.load().limit, "is", "are") + " in flight"
	}
	c.turnDown(call, why, e)
}

func someCalls(n int, one, many string) string {
	if n == 1 {
		return "1 call " + one
	}
	return fmt.Sprintf("%d calls %s", n, many)
}

// turnDown answers a call that met a limit.
func (c *conn) turnDown(call *Call, why refusal, e *Error) {
	call.refused = true
	c.s.refused(why, c.nc.RemoteAddr())
	c.refuse(call, e)
}

// deny answers a call of somebody of whom it cannot be told who it is.
func (c *conn) deny(call *Call, e *Error) {
	c.s.refused(unknownCaller, c.nc.RemoteAddr())
	c.refuse(call, e)
}

// pace takes a call of a service, nil for none, out of its caller's bucket; if there is none it says when there will be. who is whom a token of the
// call's own has shown; "" is the connection's peer.
func (c *conn) pace(v *service, who string) (wait time.Duration, ok bool) {
	p := c.s.pacer
	if p == nil || v != nil && v.builtIn() {
		return 0, true
	}
	now := time.Now()
	if who != "" {
		return p.take(who, now)
	}
	if c.bucket == nil {
		c.bucket = p.join(c.identity(), now)
	}
	return c.bucket.take(now)
}

// enters asks who makes a call and takes it out of that one's bucket. Tokens that calls bring and that are not taken have a bucket of their own, and while that is
// empty nobody is asked for one: guessing is bounded like calling, and does not cost those who share the connection their calls.
func (c *conn) enters(call *Call) (denied *Error, wait time.Duration, ok bool) {
	p, tries := c.s.pacer, false
	if p != nil && c.s.config.Auth != nil {
		_, tries = authorization(call)
	}
	if tries {
		if wait, ok = p.look(triesOf(c.identity()), time.Now()); !ok {
			return nil, wait, false
		}
	}
	if denied = c.admit(call); denied != nil && tries {
		p.take(triesOf(c.identity()), time.Now())
		return denied, 0, true
	}
	wait, ok = c.pace(call.service, call.who)
	return denied, wait, ok
}

// tooFastError is what a caller is told whose bucket is empty.
func (c *conn) tooFastError(wait time.Duration) *Error {
	calls := "calls"
	if c.s.config.Rate.PerSecond == 1 {
		calls = "call"
	}
	e := Errorf(ResourceExhausted, "more than %v %s a second", c.s.config.Rate.PerSecond, calls)
	e.RetryAfter = wait
	return e
}

// learn gives the adaptive limit a sample. How long quick services take, and streams, which never entered, says nothing about workers.
func (c *conn) learn(call *Call, code Code) {
	v := call.service
	if v == nil || v.quick || call.entered.IsZero() || call.refused {
		return
	}
	now := time.Now()
	s := sample{service: v, arrived: call.entered, now: now, deadline: code == DeadlineExceeded}
	if !call.started.IsZero() {
		s.handler = now.Sub(call.started)
	}
	s.void = !s.deadline && (code != OK || s.handler <= 0)
	c.s.pool.learn(s)
}

// finish answers a call and is the end of it.
func (c *conn) finish(call *Call, e *Error, flush bool) {
	code := OK
	if e != nil {
		code = e.Code
		c.countFailure(call, e)
	}
	if o := c.s.config.Observer; o != nil && o.CallDone != nil {
		call.tell(o.CallDone, code)
	}
	if c.s.config.Adaptive {
		c.learn(call, code)
	}
	c.s.pool.vacate(call.place)
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

// tell is apart from those who call it, whose frames are on every stack that an idle connection keeps.
//
//go:noinline
func (c *Call) tell(observer func(CallInfo), code Code) { observer(c.info(code)) }

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
