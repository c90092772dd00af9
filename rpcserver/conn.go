package rpcserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// conn is one connection. Its own goroutine reads; calls are answered by whoever ran them. It speaks version 1, until a first byte
// says that it speaks version 2: then all that is below but its life is the business of v2.
type conn struct {
	s      *Server
	nc     net.Conn
	reader *socket.Reader // nil unless nc is a plain socket
	trier  socket.Writer  // nil if every write may wait
	ctx    context.Context
	cancel context.CancelCauseFunc
	own    connContext // parent of ctx
	casts  connContext // parent of a cast's, which outlives the connection
	pass   *passport   // nil: nothing is known of the peer but its address. Set by the reader before the first call

	// The reader's own.
	dec      wire.Decoder
	came     []byte    // what was read last, in dec's buffer
	batch    calls     // of this read, for the workers
	half     time.Time // since when the message that is half there counts as waiting
	armed    time.Time // the read deadline that is set
	woken    *woken    // what ended a rest, until it is looked at
	eof      bool
	repaired bool          // one was logged
	bucket   *bucket       // what Config.Rate leaves this peer; nil until it calls
	guest    *guest        // whom the connection counts for; nil if for nobody. Protected by Server.mu
	spoken   *atomic.Int64 // counts the connection while it is open, by what it speaks; nil until that is known
	detail   string

	mu       sync.Mutex // protects the fields below
	out      []byte     // replies that wait to be written
	spare    []byte     // the other buffer of the two
	surplus  *surplus   // nil unless very much waits to be written
	writing  int        // bytes that are being written
	inFlight int        // calls queued, parked or running
	held     int        // bytes of their requests
	parked   calls      // taken off the queue because the peer does not read its replies
	last     []byte     // errors for a peer of the original protocol: written before the connection closes
	why      Reason     // why reading ends; "" while it goes on
	flushing bool       // somebody owns the writing side of nc
	dead     bool       // nc is closed
	handed   bool       // nc is in the hands of net/http, which also times its reads
	v2       *v2        // nil on version 1; set once
	idle     time.Time  // since when nothing has been in flight
	wake     chan struct{}

	refused atomic.Bool   // nothing more is taken: an error is this peer's last answer
	taken   atomic.Uint64 // bytes of replies that were written
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, idle: time.Now()}
	c.dec.Max = s.config.MaxMessage
	c.own, c.casts = connContext{s.values, c}, connContext{s.ctx, c}
	c.ctx, c.cancel = context.WithCancelCause(&c.own) // not of s.ctx: who cuts a server cuts its connections
	c.reader, c.trier = socket.NewReader(nc, &c.dec), socket.NewWriter(nc)
	return c
}

// serve begins the connection's life.
func (c *conn) serve() {
	c.log(slog.LevelInfo, "connection comes")
	if o := c.s.config.Observer; o != nil && o.ConnOpened != nil {
		o.ConnOpened(c.nc.RemoteAddr())
	}
	c.live()
}

// live is the connection's life up to its next rest, or to its end. Whatever ends it, the calls that run are told, and the socket is closed.
func (c *conn) live() {
	why := Lost // stands when a handler ends this goroutine
	defer func() {
		if why == resting {
			go c.rest() // goes on in place of this one
			return
		}
		c.leave(why)
		c.s.forget(c)
	}()
	why = c.read()
	if why != resting {
		c.part(why)
	}
}

// part lets what runs come to its end, if the connection ends in a way that allows that.
func (c *conn) part(why Reason) {
	why = c.end(why)
	if why.polite() && c.version2() == nil {
		c.settle(why)
	}
}

// read takes messages until there will be no more, or none for a while, and says why.
func (c *conn) read() Reason {
	if c.v2 != nil {
		return c.v2.serve(nil)
	}
	for {
		if !c.arm() {
			return Stopping // or whatever end had been told before
		}
		n, err := c.fill()
		if n > 0 {
			if c.spoken == nil {
				p, why := c.greet()
				switch {
				case why != "":
					return why
				case p == wire.TLS: // the first byte inside it is another one
					continue
				case p == wire.HTTP:
					return c.serveHTTP()
				case p == wire.V2:
					return c.speakV2()
				}
				c.speaks(wire.V1)
				c.meet(protocolV1, "")
			}
			c.came = nil // an idle connection gives its buffer back
			if why := c.take(); why != "" {
				return why
			}
		}
		if err != nil {
			if why := c.failed(err); why != "" {
				return why
			}
		}
	}
}

// speaks counts the connection among those of its version.
func (c *conn) speaks(p wire.Protocol) {
	c.spoken = &c.s.count.spoken[0]
	if p == wire.V2 {
		c.spoken = &c.s.count.spoken[1]
	}
	c.spoken.Add(1)
}

// arm waits until the peer has made room, and sets the deadline of the next read. false means stop.
func (c *conn) arm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roomLocked() {
		c.awaitLocked(0, c.roomLocked)
		if c.dec.Buffered() > 0 {
			c.half = time.Now() // while we did not read, the peer was not the slow one
		}
	}
	if c.why != "" {
		return false
	}
	// A deadline is only ever set nearer here, and otherwise after it has passed: that is at most twice per HalfMessage.
	due := time.Time{}
	if c.dec.Buffered() > 0 {
		due = c.half.Add(c.s.config.HalfMessage)
	} else if c.armed.IsZero() {
		due = c.quietLocked(time.Now())
	}
	if !due.IsZero() && (c.armed.IsZero() || due.Before(c.armed)) {
		c.armed = due
		c.nc.SetReadDeadline(due)
	}
	return true
}

// roomLocked reports whether the peer may bring more: it reads its replies, and what it brought is not too much.
func (c *conn) roomLocked() bool {
	return c.unsentLocked() <= maxOutbox && c.held <= c.s.config.MaxConnMemory || c.why != "" || c.dead
}

// fill reads once into the decoder.
func (c *conn) fill() (n int, err error) {
	if w := c.woken; w != nil {
		c.woken = nil
		c.came, err = w.came, w.err
		n = len(c.came)
	} else if c.reader != nil {
		c.came, err = c.reader.Read()
		n = len(c.came)
	} else {
		b := c.dec.Space()
		n, err = c.nc.Read(b)
		c.came = b[:n]
		c.dec.Fed(n)
	}
	c.s.count.traffic.In.Add(uint64(n))
	return n, err
}

// failed judges the error of a read; "" means read on.
func (c *conn) failed(err error) Reason {
	now := time.Now()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.armed = time.Time{}
		if c.dec.Buffered() > 0 && !now.Before(c.half.Add(c.s.config.HalfMessage)) {
			return c.giveUp(Half)
		}
		if c.dec.Buffered() == 0 {
			return c.idled(now)
		}
		return ""
	case errors.Is(err, io.EOF):
		c.eof = true
		for c.dec.Repairing() {
			if why := c.giveUp(PeerClosed); why != "" {
				return why
			}
		}
		return PeerClosed
	default:
		c.detail = err.Error()
		return Lost
	}
}

// giveUp ends the wait for a message that is half there, unless it is complete but for a repair that is not to be.
func (c *conn) giveUp(otherwise Reason) Reason {
	if !c.dec.Repairing() {
		return otherwise
	}
	c.dec.GiveUp()
	return c.take()
}

// stop ends the reading; calls that run are answered. On version 2 the peer is told that it has so much time left; 0 means that
// nobody knows.
func (c *conn) stop(why Reason, left time.Duration) {
	c.end(why)
	c.mu.Lock()
	v, handed := c.v2, c.handed
	c.mu.Unlock()
	if v != nil {
		v.stop(left)
	}
	if handed {
		c.s.web.SetKeepAlivesEnabled(false) // which also closes the idle ones
	}
}

func (c *conn) version2() *v2 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.v2
}

// end notes why reading ends and returns the first reason that was noted.
func (c *conn) end(why Reason) Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endLocked(why)
}

func (c *conn) endLocked(why Reason) Reason {
	if c.why == "" {
		c.why = why
		if c.v2 == nil && !c.handed {
			c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader may be waiting for bytes
		}
		c.wakeLocked()
	}
	return c.why
}

// cut closes the connection under whoever uses it. Handlers find the cause in their contexts.
func (c *conn) cut(why Reason, cause error) {
	c.mu.Lock()
	c.cutLocked(why, cause)
	c.mu.Unlock()
	if v := c.version2(); v != nil {
		v.mux.Close(cause)
	}
}

func (c *conn) cutLocked(why Reason, cause error) {
	c.endLocked(why)
	if c.dead {
		return
	}
	c.dead = true
	c.out, c.last = nil, nil
	if m := c.surplus; m != nil && m.timer != nil {
		m.timer.Stop()
	}
	c.surplus = nil
	c.cancel(cause)
	c.nc.Close()
	c.s.pool.back(&c.parked) // to be counted; they will not run
	c.wakeLocked()
}

// settle answers what still runs, says goodbye, and lets the peer hear it.
func (c *conn) settle(why Reason) {
	limit := time.Duration(0) // a half-closed connection waits for its replies, Shutdown has a context of its own
	if why == Answered {
		limit = lastCalls
	}
	c.mu.Lock()
	c.awaitLocked(limit, func() bool { return c.inFlight == 0 || c.dead })
	c.out = append(c.out, c.last...)
	c.last = nil
	c.flushLocked(false)
	c.awaitLocked(0, func() bool { return len(c.out) == 0 && !c.flushing || c.dead })
	dead := c.dead
	c.mu.Unlock()
	if w, ok := c.nc.(interface{ CloseWrite() error }); dead || c.eof || !ok || w.CloseWrite() != nil {
		return
	}
	// Closing with bytes unread would send a reset, and that can destroy an answer under way.
	c.nc.SetReadDeadline(time.Now().Add(lastBytes))
	io.Copy(io.Discard, c.nc)
}

// leave closes the socket and waits until nobody writes to it any more.
func (c *conn) leave(why Reason) {
	why = c.end(why)
	c.cut(why, errEnded(why))
	c.mu.Lock()
	c.awaitLocked(0, func() bool { return !c.flushing })
	detail := c.detail
	c.mu.Unlock()
	c.dec.Release()
	if c.bucket != nil {
		c.s.pacer.part(c.bucket)
	}
	if c.spoken != nil {
		c.spoken.Add(-1)
	}
	level := slog.LevelInfo
	if !why.peaceful() && !(why == HandshakeFailed && c.eof) { // who hangs up has changed his mind
		level = slog.LevelWarn
	}
	c.s.ended(why)
	attrs := []slog.Attr{slog.String("reason", string(why))}
	if c.v2 != nil {
		attrs = append(attrs, slog.String("protocol", wire.V2.String()))
	}
	if detail != "" {
		attrs = append(attrs, slog.String("detail", detail))
	}
	c.log(level, "connection leaves", attrs...)
	if o := c.s.config.Observer; o != nil && o.ConnClosed != nil {
		o.ConnClosed(c.nc.RemoteAddr(), why)
	}
}

// awaitLocked waits until ok, which is asked with c.mu held, or until limit is over; 0 means no limit. For the reader alone.
func (c *conn) awaitLocked(limit time.Duration, ok func() bool) {
	var over <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		over = t.C
	}
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	for !ok() {
		c.mu.Unlock()
		select {
		case <-c.wake:
		case <-over:
			c.mu.Lock()
			return
		}
		c.mu.Lock()
	}
}

// wakeLocked tells a reader in awaitLocked to look again. The slot holds one: more would say nothing more.
func (c *conn) wakeLocked() {
	if c.wake != nil {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}
