package mux

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// reader is what only the reading goroutine touches.
type reader struct {
	dec    wire.FrameDecoder
	sock   *socket.Reader // nil unless the socket can be read without holding a buffer while it waits
	waiter socket.Waiter  // the same for a rest, inside TLS
	now    time.Time      // of the last read
	half   time.Time      // since when the frame that is half here counts as waiting
	armed  time.Time      // the read deadline that is set
	looked time.Time      // a deadline that has passed and got one more look
	slow   time.Time      // when the message that waits longest is too late
	small  *[256]byte     // takes the first bytes after a quiet time, where sock is nil
	woken  *woken         // what ended a rest, until it is looked at
}

// woken is what ended a rest.
type woken struct {
	n   int
	err error
}

// grace is how long the reader looks for bytes once more after a deadline has passed: it may have been the reader that was slow.
const grace = 20 * time.Millisecond

// read takes frames until there will be no more, and says why.
func (c *Conn) read(first []byte) error {
	if c.in.now.IsZero() { // else it is from a rest that we come
		if err := c.magic(first); err != nil {
			return err
		}
		if err := c.arm(); err != nil {
			return err
		}
	}
	for {
		n, err := c.fill()
		if n > 0 {
			if bad := c.take(n); bad != nil {
				return bad
			}
		}
		if err == nil {
			err = c.arm()
		} else {
			err = c.failed(err)
		}
		if err != nil {
			return err
		}
	}
}

// magic reads the four bytes that both sides begin with. A server answers them at once.
func (c *Conn) magic(first []byte) error {
	var got [len(wire.Magic)]byte
	n := copy(got[:], first)
	c.in.now, c.in.half = time.Now(), time.Now()
	for {
		if string(got[:n]) != wire.Magic[:n] {
			return &wire.Breach{Reason: wire.BadMagic, Detail: fmt.Sprintf("it begins with %+q", got[:n])}
		}
		if n == len(got) {
			break
		}
		if err := c.armAt(c.in.half.Add(c.cfg.HalfMessage)); err != nil {
			return err
		}
		k, err := c.nc.Read(got[n:])
		n += k
		if errors.Is(err, os.ErrDeadlineExceeded) && c.reason() == nil {
			return &wire.Breach{Reason: wire.SlowMessage, Detail: "no magic"}
		}
		if err != nil && k == 0 {
			return c.failed(err)
		}
	}
	c.in.half = time.Time{}
	if rest := first[min(len(first), len(got)):]; len(rest) > 0 {
		c.in.dec.Fed(copy(c.in.dec.Space(), rest))
	}
	if c.server {
		c.mu.Lock()
		c.idleAt = c.in.now
		c.roomLocked()
		c.out = append(c.out, wire.Magic...)
		c.filled += uint64(len(wire.Magic))
		c.greetLocked()
		c.unlockAndFlush(false)
	}
	return c.take(0)
}

// fill reads once into the decoder. Where nothing is under way it waits without a large buffer.
func (c *Conn) fill() (n int, err error) {
	r := &c.in
	if w := r.woken; w != nil {
		r.woken = nil
		return w.n, w.err
	}
	if r.sock != nil {
		came, err := r.sock.Read()
		return len(came), err
	}
	c.mu.Lock()
	quiet := c.streams.n == 0 && r.dec.Buffered() == 0
	c.mu.Unlock()
	if !quiet {
		n, err = c.nc.Read(r.dec.Space())
		r.dec.Fed(n)
		return n, err
	}
	if r.small == nil {
		r.small = new([256]byte)
	}
	r.dec.Release()
	if n, err = c.nc.Read(r.small[:]); n > 0 {
		r.dec.Fed(copy(r.dec.Space(), r.small[:n]))
	}
	return n, err
}

// arm sets the read deadline, only ever nearer: a later one is set when it has passed.
func (c *Conn) arm() error {
	r := &c.in
	due := c.dueAt()
	if due.IsZero() || !r.armed.IsZero() && !due.Before(r.armed) {
		return nil
	}
	return c.armAt(due)
}

func (c *Conn) armAt(due time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.mute {
		c.in.armed = due
		c.nc.SetReadDeadline(due)
	}
	return c.err
}

// dueAt is when the peer will be too late, or idle for too long.
func (c *Conn) dueAt() (due time.Time) {
	r := &c.in
	if !r.half.IsZero() {
		due = r.half.Add(c.cfg.HalfMessage)
	}
	if !r.slow.IsZero() && (due.IsZero() || r.slow.Before(due)) {
		due = r.slow
	}
	if due.IsZero() && c.server && r.armed.IsZero() {
		due = c.quietAt(r.now)
	}
	return due
}

func (c *Conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// failed judges the error of a read; nil means read on.
func (c *Conn) failed(err error) error {
	c.mu.Lock()
	why, broke := c.err, c.broke
	c.in.slow = c.slowestLocked()
	idleAt, idle := c.idleAt, c.streams.n == 0
	c.streams.shrink()
	c.mu.Unlock()
	switch {
	case why != nil:
		return why
	case errors.Is(err, io.EOF):
		return &End{Reason: PeerClosed}
	case broke != nil:
		return broke
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.late(idleAt, idle)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	return &End{Reason: Broken, Err: err}
}

// late judges a read deadline that has passed.
func (c *Conn) late(idleAt time.Time, idle bool) error {
	r := &c.in
	now := time.Now()
	r.armed = time.Time{}
	due := c.dueAt()
	var bad error = &wire.Breach{Reason: wire.SlowMessage}
	if r.half.IsZero() && r.slow.IsZero() { // the deadline of an idle connection, or of what has come since
		if idleAt.Before(r.now) {
			idleAt = r.now
		}
		if c.rests(idle, now.Sub(idleAt)) {
			return c.beginRest(idleAt)
		}
		if due = c.quietAt(now); !c.server || due.IsZero() || c.cfg.Idle <= 0 {
			return c.armAt(due)
		}
		if idle {
			due = earlier(due, idleAt.Add(c.cfg.Idle))
		}
		bad = &End{Reason: IdleTooLong}
	}
	switch {
	case now.Before(due):
		return c.armAt(due)
	case !due.Equal(r.looked):
		r.looked = due
		return c.armAt(now.Add(grace))
	}
	if e, ok := bad.(*End); ok {
		return c.leaveIdle(e)
	}
	return bad
}

// leaveIdle tells a client that has been silent for too long to go.
func (c *Conn) leaveIdle(e *End) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams.n > 0 || c.err != nil {
		return c.err
	}
	c.bye = wire.Farewell{Last: c.lastID, Text: IdleTooLong}
	c.goneAway = true
	c.sendGoAwayLocked()
	c.endLocked(e)
	return c.err
}
