package rpcserver

import (
	"log/slog"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// take handles every whole message that has been read; "" means read on.
func (c *conn) take() (why Reason) {
	now := time.Now()
	n, counted := 0, 0
	count := func() {
		c.s.count.calls.Add(uint64(n - counted))
		counted = n
	}
	defer count() // also when a handler ends this goroutine
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
		count()
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
	v, known := c.s.lookup(string(m.Type))
	prefix, mark, marked := wire.ParseMark(m.ID)
	wait, inTime := c.pace(v, "")
	for !inTime && !marked && c.pause(wait) {
		wait, inTime = c.pace(v, "")
	}
	if m.Repaired {
		c.repair()
	}
	call := spareCalls.Get().(*Call)
	call.conn, call.payload, call.size, call.arrived = c, m.Payload, m.Size, now
	call.service = v
	if marked {
		call.marked, call.mark, call.silent = true, mark, mark.OneWay
		call.own = wire.AppendReplyID(call.own[:0], prefix, c.s.version)
		call.id = call.own
	} else {
		call.id = m.ID
	}
	if c.s.logs(slog.LevelInfo) && (inTime || !marked) {
		c.logRead(call, m.Type)
	}
	if c.plain() {
		c.turnAway(call)
		return
	}
	if e := c.admit(call); e != nil {
		c.deny(call, e)
		return
	}
	switch {
	case !inTime && marked:
		c.turnDown(call, tooFast, c.tooFastError(wait))
		return
	case !known:
		c.refuse(call, c.s.unknown(m.Type))
		return
	case v.pattern.streams():
		c.refuse(call, v.misused("%s is a %s, which version 1 of the wire does not carry"))
		return
	case v.pattern == PatternCast && call.marked && !call.silent:
		c.refuse(call, v.misused("%s is one way and has no answer: cast it"))
		return
	case v.pattern == PatternCast:
		call.silent = true
	}
	if v.quick && (call.silent || !c.crowded()) {
		c.run(call)
		return
	}
	call.keep()
	c.batch.push(call)
}

// logRead is apart from those who call it, whose frames are on every stack that an idle connection keeps.
//
//go:noinline
func (c *conn) logRead(call *Call, service []byte) {
	c.log(slog.LevelInfo, "read a message", call.logID(), slog.String("service", shown(service, mostShown)), slog.Int("bytes", call.size))
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
		c.log(slog.LevelInfo, "repaired a length", slog.String("why", "it counted UTF-16 units; logged once per connection"))
	}
	if o := c.s.config.Observer; o != nil && o.Repaired != nil {
		o.Repaired(c.nc.RemoteAddr())
	}
}

// pause keeps the reader of a peer of the original, which is too fast, from going on for a while. What came before is not held up. false: the
// connection is to end, so what has been read is served at once.
func (c *conn) pause(d time.Duration) bool {
	c.submit()
	c.mu.Lock()
	defer c.mu.Unlock()
	ending := func() bool { return c.why != "" || c.dead }
	c.awaitLocked(d, ending)
	return !ending()
}

// submit hands the batch to the workers. What they do not take is refused if the peer understands that; a peer of the original protocol is
// read no further meanwhile, and pays with its reader when the queue is full, as there.
func (c *conn) submit() {
	for c.batch.n > 0 {
		fit := c.book()
		for fit.n > 0 {
			if why := c.s.pool.put(&fit); fit.n > 0 {
				c.excess(fit.pop(), why)
			}
		}
		if c.batch.n > 0 {
			c.beyond()
		}
	}
	c.mu.Lock()
	c.idle = time.Now()
	c.flushLocked(false)
	c.mu.Unlock()
}

// book takes as much of the batch as the connection may have in flight.
func (c *conn) book() calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	fit := c.batch
	if room := c.s.config.MaxConnInFlight - c.inFlight; fit.n > room && !c.dead {
		for fit = (calls{}); fit.n < room; {
			fit.push(c.batch.pop())
		}
	} else {
		c.batch = calls{}
	}
	for call := fit.first; call != nil; call = call.next {
		c.bookLocked(call)
	}
	return fit
}

func (c *conn) bookLocked(call *Call) {
	call.queue = true
	c.inFlight++
	c.held += len(call.own)
}

// excess sees to a call for which the server has no place.
func (c *conn) excess(call *Call, why refusal) {
	if call.marked {
		c.overload(call, why)
		return
	}
	c.mu.Lock()
	c.flushLocked(false) // or what quick calls answered would wait here too, for ever if it is what leaves no room
	c.awaitLocked(0, c.roomLocked)
	c.mu.Unlock()
	if c.s.pool.await(call, c.ctx.Done()) {
		defer c.s.pool.leftReader() // also when the handler ends this goroutine
		c.run(call)
	}
}

// beyond sees to the first call of the batch when the connection has as many in flight as it may: it is refused, or has to wait if its peer
// would not learn that.
func (c *conn) beyond() {
	if call := c.batch.first; call.marked && !call.silent {
		c.batch.pop()
		if call.service.builtIn() { // it goes on all the same
			c.mu.Lock()
			c.bookLocked(call)
			c.mu.Unlock()
		}
		c.overload(call, tooManyOnConn)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushLocked(false)
	c.awaitLocked(0, func() bool { return c.inFlight < c.s.config.MaxConnInFlight || c.dead })
}

// answer sends what a call came to and takes it off the books.
func (c *conn) answer(call *Call, e *Error, flush bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead && !call.silent {
		c.answerLocked(call, e)
		c.grownLocked()
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
		c.roomForLocked(call, len(call.reply))
		c.out, at = wire.Begin(c.out, call.id, []byte(call.service.reply))
		if len(call.reply) == 0 {
			c.out = append(c.out, "null"...)
		}
		c.out = wire.End(append(c.out, call.reply...), at)
	case call.marked:
		var b [256]byte
		text := wire.AppendError(b[:0], e) // first: room for the longest would be a buffer for each
		c.roomForLocked(call, len(text))
		c.out, at = wire.Begin(c.out, call.id, []byte(wire.ErrorType))
		c.out = wire.End(append(c.out, text...), at)
	default:
		if len(c.last) < maxOutbox { // the calls behind that fail by the close, without a reason of their own
			c.last, at = wire.Begin(c.last, append(call.id, wire.ErrorSuffix...), []byte(wire.ErrorTypeV1(e)))
			c.last = wire.End(wire.AppendError(c.last, e), at)
		}
		c.refused.Store(true)
		c.endLocked(Answered)
	}
}
