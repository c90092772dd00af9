package mux

import (
	"errors"
	"net"
	"os"
	"runtime"
	"time"
)

const (
	// rounds is how many writes one goroutine makes for all others before it hands over to the writer: nobody works for the rest
	// for ever.
	rounds   = 8
	keepOut  = 256 << 10 // the largest buffer that a busy connection keeps
	tookMost = 256 << 10 // the most that is given to the peer at once, so that progress is seen
	recorded = 16 << 10  // the same where a write is not to be broken off: a record of TLS
	// glance is how long a write waits at most before it is made again: a system may tell only late that there is room, and what was taken is
	// known only then.
	glance = 250 * time.Millisecond
)

// outLocked reports whether anything waits to be written.
func (c *Conn) outLocked() bool { return len(c.out) > 0 || len(c.credits) > 0 || len(c.ring) > 0 }

// leadLocked takes the flushing mark if there is something to write and nobody writes. Who gets true has to call flush.
func (c *Conn) leadLocked() bool {
	if c.flushing || c.mute || !c.outLocked() {
		return false
	}
	c.flushing = true
	return true
}

// flushesSoonLocked reports whether the reader is going to flush what is appended for s now: its Opened or Batch is not over yet.
func (c *Conn) flushesSoonLocked(s *Stream) bool {
	return c.batch.open && s.batch == c.batch.number && s.isServer
}

// unlockAndFlush frees the lock and writes what waits, unless somebody is at it or quiet says that somebody is going to.
func (c *Conn) unlockAndFlush(quiet bool) {
	lead := !quiet && c.leadLocked()
	c.unlock()
	if lead {
		c.flush()
	}
}

// gatherAndFlush is unlockAndFlush for one of many: others may be about to add theirs.
func (c *Conn) gatherAndFlush(quiet bool) {
	lead := !quiet && c.leadLocked()
	alone := c.streams.n <= 1
	c.unlock()
	if lead {
		if !alone {
			c.gather()
		}
		c.flush()
	}
}

// unlockAndWrite is unlockAndFlush for one who is going to add more: the writer takes what has come together until it runs.
func (c *Conn) unlockAndWrite() {
	if c.leadLocked() {
		c.handOverLocked(nil)
	}
	c.unlock()
}

// gather lets others run while they add to the outbox, so that one write carries them all.
func (c *Conn) gather() {
	for range rounds {
		before := c.outboxEnd()
		runtime.Gosched()
		if c.outboxEnd() == before {
			return
		}
	}
}

func (c *Conn) outboxEnd() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filled
}

// flush writes the outbox without ever waiting for the socket. Its caller holds the flushing mark; flush gives it back when there is
// nothing left, or passes it to the writer together with what the socket would not take.
func (c *Conn) flush() {
	c.mu.Lock()
	for round := 0; ; round++ {
		buf := c.grabLocked()
		switch {
		case buf == nil:
			c.doneFlushingLocked()
			c.unlock()
			return
		case c.cfg.TryWrite == nil || round == rounds:
			c.handOverLocked(buf)
			c.unlock()
			return
		}
		c.offerLocked(len(buf))
		c.mu.Unlock()
		n, err := c.cfg.TryWrite(buf)
		c.mu.Lock()
		c.tookLocked(n)
		switch {
		case err != nil:
			c.brokenLocked(err)
		case n < len(buf):
			c.handOverLocked(buf[n:])
			c.unlock()
			return
		default:
			c.returnBufferLocked(buf)
		}
		if c.news.drained {
			c.unlock()
			c.mu.Lock()
		}
	}
}

// grabLocked takes the whole outbox for writing; new frames go to the other buffer. nil means that there is nothing to write.
func (c *Conn) grabLocked() []byte {
	if c.mute {
		return nil
	}
	c.fillLocked()
	if len(c.out) == 0 {
		return nil
	}
	buf := c.out
	c.out, c.spare = c.spare, nil
	return buf
}

// returnBufferLocked makes a buffer that was written the spare one.
func (c *Conn) returnBufferLocked(buf []byte) {
	switch {
	case c.mute || cap(buf) > keepOut:
	case c.spare == nil:
		c.spare = buf[:0]
	default:
		freeOut(buf)
	}
}

// doneFlushingLocked gives the flushing mark back, and the buffers too if no stream is open.
func (c *Conn) doneFlushingLocked() {
	c.flushing = false
	if c.flushed != nil {
		wake(c.flushed)
	}
	if c.streams.n == 0 && len(c.out) == 0 {
		freeOut(c.out)
		freeOut(c.spare)
		c.out, c.spare = nil, nil
	}
}

// offerLocked notes that the next n bytes are being handed to the socket: from now on they may have left.
func (c *Conn) offerLocked(n int) {
	c.offered = c.taken + uint64(n)
	if len(c.watched) == 0 {
		return
	}
	now := time.Now()
	for _, s := range c.watched {
		if s.first < c.offered && s.trace != nil && s.trace.Written.IsZero() {
			s.trace.Written = now
		}
	}
}

// tookLocked notes that the socket took n bytes of the last offer, and no more.
func (c *Conn) tookLocked(n int) {
	c.taken += uint64(n)
	c.offered = c.taken
	if n > 0 && c.cfg.Traffic != nil {
		c.cfg.Traffic.Out.Add(uint64(n))
	}
	if len(c.watched) > 0 {
		c.stampLocked(time.Now())
	}
	c.easeLocked()
}

// stampLocked sees to those of the watched whose first message is gone.
func (c *Conn) stampLocked(now time.Time) {
	kept := c.watched[:0]
	var casts []*Stream
	for _, s := range c.watched {
		if s.lastByte == 0 || s.lastByte > c.taken {
			if s.trace != nil && s.first >= c.taken {
				s.trace.Written = time.Time{} // offered, and not taken
			}
			kept = append(kept, s)
			continue
		}
		s.isWatched = false
		if s.trace != nil {
			s.trace.Sent = now
		}
		wake(s.sendWake)
		if s.oneWay {
			casts = append(casts, s)
		}
	}
	clear(c.watched[len(kept):])
	c.watched = kept
	for _, s := range casts { // nothing comes back for them
		s.endLocked(errSent)
	}
}

// handOverLocked passes the flushing mark, and what is left of a write, to the writer.
func (c *Conn) handOverLocked(rest []byte) {
	if c.mute {
		c.doneFlushingLocked()
		return
	}
	c.rest = rest
	c.writers.Add(1)
	go c.write() // the writer: ends when there is nothing left; Serve waits for it
}

// write is the writer: it waits for the socket, for as long as that takes something now and then.
func (c *Conn) write() {
	defer c.writers.Done()
	c.mu.Lock()
	for {
		if len(c.rest) == 0 {
			c.rest = c.grabLocked()
		}
		buf := c.rest
		if len(buf) == 0 || c.mute {
			c.rest = nil
			c.doneFlushingLocked()
			c.unlock()
			return
		}
		part := buf[:min(len(buf), c.pieceSize())]
		c.offerLocked(len(part))
		c.mu.Unlock()
		n, err := c.writeSome(part)
		c.mu.Lock()
		c.tookLocked(n)
		if c.rest = buf[n:]; n == len(buf) {
			c.returnBufferLocked(buf)
		}
		if err != nil && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
			c.brokenLocked(err)
		}
		if c.news.drained {
			c.unlock()
			c.mu.Lock()
		}
	}
}

func (c *Conn) pieceSize() int {
	if c.cfg.TryWrite == nil {
		return recorded
	}
	return tookMost
}

// writeSome writes what the socket takes at once, or waits until it takes some of it or the time is over.
func (c *Conn) writeSome(p []byte) (n int, err error) {
	if c.cfg.TryWrite == nil {
		c.nc.SetWriteDeadline(time.Now().Add(c.cfg.WriteStall))
		return c.nc.Write(p)
	}
	if n, err = c.cfg.TryWrite(p); n > 0 || err != nil {
		return n, err
	}
	defer c.nc.SetWriteDeadline(time.Time{}) // TryWrite would heed it, too
	for left := c.cfg.WriteStall; left > 0 && n == 0; left -= glance {
		c.nc.SetWriteDeadline(time.Now().Add(min(left, glance)))
		if n, err = c.nc.Write(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return n, err
}

// brokenLocked handles a write that failed. Nobody may write behind the gap. A peer that says why it hangs up says it before, so a
// client's reader gets a second to find that; a stall gets nothing.
func (c *Conn) brokenLocked(err error) {
	if c.mute {
		return
	}
	c.muteLocked()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.setErrLocked(&End{Reason: Stalled, Err: err})
		c.nc.SetReadDeadline(time.Unix(1, 0))
		return
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	if c.server || c.err != nil {
		c.setErrLocked(&End{Reason: Broken, Err: err})
		c.nc.SetReadDeadline(time.Unix(1, 0))
		return
	}
	c.broke = &End{Reason: Broken, Err: err}
	c.failLineLocked(c.broke)
	c.nc.SetReadDeadline(time.Now().Add(farewell))
}

// setErrLocked notes why the connection ends, if nobody has; the reader sees to the rest.
func (c *Conn) setErrLocked(err error) {
	if c.err == nil {
		c.err = err
	}
}
