package rpcserver

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// The outbox of a connection is two buffers that change places: replies are appended to one while the other is written.
// Nobody but the holder of the flushing mark touches the writing side of the socket, and nobody who runs calls waits for a peer.

// outSize is what an outbox takes to begin with; a connection with nothing to say holds none.
const outSize = 8 << 10

var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

const (
	keepOut  = 256 << 10 // the largest buffer that a busy connection keeps
	growOut  = 64 << 10  // from here on a write is large enough
	tookMost = 256 << 10 // the most that is given to the peer at once, so that progress is seen
)

// roomForLocked makes a buffer be there for an answer with a payload of n bytes. Above maxOutbox, where only what runs already is added, it grows by no more than
// that, so that what is held is what waits.
func (c *conn) roomForLocked(call *Call, n int) {
	if c.out == nil {
		c.out = outBuffers.Get().(*[outSize]byte)[:0]
	}
	if need := len(c.out) + len(call.id) + wire.MaxName + n + 12; need > maxOutbox && need > cap(c.out) {
		c.out = append(make([]byte, 0, need), c.out...)
	}
}

func freeOut(b []byte) {
	if cap(b) == outSize {
		outBuffers.Put((*[outSize]byte)(b[:outSize]))
	}
}

// unsentLocked returns how many bytes of replies are held for the peer.
func (c *conn) unsentLocked() int { return len(c.out) + c.writing }

// flushLocked writes what waits, unless somebody is at it already. With yield it first lets calls that are about to
// finish add theirs: one write for many replies is what makes this fast. It never waits for the peer.
func (c *conn) flushLocked(yield bool) {
	if c.flushing || c.dead || len(c.out) == 0 {
		return
	}
	c.flushing = true
	for len(c.out) > 0 && !c.dead {
		for n := 0; yield && n < len(c.out) && n < growOut; {
			n = len(c.out)
			c.mu.Unlock()
			runtime.Gosched()
			c.mu.Lock()
		}
		b := c.swapLocked()
		if len(b) == 0 { // cut while we yielded
			break
		}
		c.mu.Unlock()
		n, err := c.try(b)
		c.mu.Lock()
		if err == nil && n < len(b) {
			go c.drain(b, n) // ends when the outbox is empty or the connection is cut; leave waits for it
			return
		}
		c.writtenLocked(b, err)
	}
	c.flushedLocked()
}

// try gives the peer what it takes at once.
func (c *conn) try(b []byte) (n int, err error) {
	if c.trier == nil {
		return 0, nil
	}
	n, err = c.trier.TryWrite(b)
	c.s.count.traffic.Out.Add(uint64(max(n, 0)))
	return n, err
}

// drain goes on with b, of which n bytes are written, and waits for the peer as long as it takes something.
func (c *conn) drain(b []byte, n int) {
	err := c.writeAll(b[n:])
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.writtenLocked(b, err)
		if c.dead || len(c.out) == 0 {
			break
		}
		b = c.swapLocked()
		c.mu.Unlock()
		err = c.writeAll(b)
		c.mu.Lock()
	}
	c.nc.SetWriteDeadline(time.Time{})
	c.flushedLocked()
}

func (c *conn) writeAll(b []byte) error {
	for len(b) > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(c.s.config.WriteStall))
		n, err := c.nc.Write(b[:min(len(b), tookMost)])
		c.s.count.traffic.Out.Add(uint64(n))
		b = b[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}

// swapLocked takes what waits and leaves the other buffer.
func (c *conn) swapLocked() []byte {
	b := c.out
	c.out, c.spare, c.writing = c.spare, nil, len(b)
	return b
}

// writtenLocked is called when b has been written, or could not be.
func (c *conn) writtenLocked(b []byte, err error) {
	c.writing = 0
	if cap(b) <= keepOut {
		c.spare = b[:0]
	}
	if err != nil {
		why := Lost
		if errors.Is(err, os.ErrDeadlineExceeded) {
			why = Stalled
		}
		c.cutLocked(why, errEnded(why))
	}
	if c.parked.n > 0 && c.unsentLocked() <= maxOutbox {
		c.s.pool.back(&c.parked)
	}
	c.wakeLocked()
}

// flushedLocked gives the flushing mark back, and the buffers too if the connection is idle.
func (c *conn) flushedLocked() {
	c.flushing = false
	if c.inFlight == 0 && len(c.out) == 0 {
		freeOut(c.out)
		freeOut(c.spare)
		c.out, c.spare = nil, nil
	}
	c.wakeLocked()
}
