package rpcclient

import (
	"errors"
	"os"
	"runtime"
	"time"
)

// rounds is how many writes one goroutine makes for all others before it hands
// over to the writer: nobody works for the rest for ever.
const rounds = 8

// leadLocked takes the flushing mark if there is something to write and nobody
// writes. Who gets true has to call flush.
func (c *v1Conn) leadLocked() bool {
	if c.flushing || len(c.outbox) == 0 {
		return false
	}
	c.flushing = true
	return true
}

// gather lets other callers run while they add to the outbox, so that one write
// carries them all.
func (c *v1Conn) gather() {
	for range rounds {
		before := c.outboxEnd()
		runtime.Gosched()
		if c.outboxEnd() == before {
			return
		}
	}
}

func (c *v1Conn) outboxEnd() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filled
}

// flush writes the outbox without ever waiting for the socket. Its caller holds
// the flushing mark; flush gives it back when the outbox is empty, or passes it
// to a writer goroutine together with what the socket would not take.
func (c *v1Conn) flush() {
	c.mu.Lock()
	for round := 0; ; round++ {
		if c.err != nil || len(c.outbox) == 0 {
			c.flushing = false
			last := c.doneRetiringLocked() // the last one may have been a cast
			c.mu.Unlock()
			if last {
				c.depart()
			}
			return
		}
		if c.try == nil || round == rounds {
			c.handOverLocked(nil)
			c.mu.Unlock()
			return
		}
		buf := c.grabLocked()
		c.mu.Unlock()
		n, err := c.try.TryWrite(buf)
		c.mu.Lock()
		c.tookLocked(n)
		if err != nil {
			c.mu.Unlock()
			c.broken(err) // with the flushing mark held: nobody may write behind the gap
			c.mu.Lock()
			c.flushing = false
			c.mu.Unlock()
			return
		}
		if n < len(buf) {
			c.handOverLocked(buf[n:])
			c.mu.Unlock()
			return
		}
		c.returnLocked(buf)
	}
}

// grabLocked takes the whole outbox for writing; new frames go to the other buffer.
func (c *v1Conn) grabLocked() []byte {
	buf := c.outbox
	c.outbox, c.spare = c.spare[:0], nil
	c.offerLocked(len(buf))
	return buf
}

// returnLocked makes a buffer that was written the spare one.
func (c *v1Conn) returnLocked(buf []byte) {
	if cap(buf) <= keepBuffer {
		c.spare = buf[:0]
	}
}

// offerLocked notes that the next n bytes are being handed to the socket: from
// now on they may have left.
func (c *v1Conn) offerLocked(n int) {
	c.offered = c.taken + uint64(n)
	if len(c.watched) == 0 {
		return
	}
	now := time.Now()
	for _, k := range c.watched {
		if k.first < c.offered && k.written.IsZero() {
			k.written = now
		}
	}
}

// tookLocked notes that the socket took n bytes of the last offer, and no more.
func (c *v1Conn) tookLocked(n int) {
	c.taken += uint64(n)
	c.offered = c.taken
	c.stats.bytesOut.Add(uint64(n))
	if len(c.watched) > 0 {
		c.stampLocked(time.Now())
	}
	if len(c.line) > 0 {
		c.advanceLocked()
	}
}

// stampLocked sets the instants of those watched whose bytes are gone, and lets
// their casts go.
func (c *v1Conn) stampLocked(now time.Time) {
	keep := c.watched[:0]
	for _, k := range c.watched {
		switch {
		case k.last > c.taken:
			if k.first >= c.taken {
				k.written = time.Time{}
			}
			keep = append(keep, k)
		case k.oneWay:
			k.sent = now
			c.unproven = k.last
			k.place = withCaller
			c.pending.end(k, oneWay)
			k.done <- struct{}{}
		default:
			k.sent = now
		}
	}
	clear(c.watched[len(keep):])
	c.watched = keep
}

// handOverLocked passes the flushing mark, and what is left of a write, to a
// writer goroutine.
func (c *v1Conn) handOverLocked(rest []byte) {
	if c.err != nil {
		c.flushing = false
		return
	}
	c.rest = rest
	c.writers.Add(1)
	go c.write() // the writer: ends when the outbox is empty; the reader waits for it
}

// write is the writer: it waits for the socket, for as long as that takes
// something now and then.
func (c *v1Conn) write() {
	defer c.writers.Done()
	for {
		c.mu.Lock()
		if len(c.rest) == 0 && c.err == nil && len(c.outbox) > 0 {
			c.rest = c.grabLocked()
		}
		if len(c.rest) == 0 || c.err != nil {
			c.rest, c.flushing = nil, false
			last := c.doneRetiringLocked()
			c.mu.Unlock()
			if last {
				c.depart()
			}
			return
		}
		buf := c.rest
		c.offerLocked(len(buf))
		c.mu.Unlock()

		c.sock.SetWriteDeadline(time.Now().Add(c.cfg.WriteStall))
		n, err := c.sock.Write(buf)
		c.sock.SetWriteDeadline(time.Time{}) // TryWrite would heed it, too

		c.mu.Lock()
		c.tookLocked(n)
		c.rest = buf[n:]
		if n == len(buf) {
			c.returnLocked(buf)
		}
		c.mu.Unlock()
		if err != nil && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
			c.broken(err)
		}
	}
}

// broken handles a write that failed. A server that says why it hangs up says
// it before, so the reader gets a second to find that; a stall gets nothing.
func (c *v1Conn) broken(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.close(fail(ErrConnectionLost, Unavailable, err, "connection lost: the server took nothing for %v", c.cfg.WriteStall))
		return
	}
	c.mu.Lock()
	c.rest = nil
	c.retireLocked(lost(err))
	if c.err == nil {
		c.lingerLocked()
	}
	last := c.doneRetiringLocked()
	c.mu.Unlock()
	if last {
		c.depart()
	}
}

// lost is the failure of a socket that ended.
func lost(err error) *failure {
	return fail(ErrConnectionLost, Unavailable, err, "connection lost: %s", lossReason(err))
}
