package rpcserver

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// The outbox of a connection is two buffers that change places: replies are appended to one while the other is written. Between them stand those
// that are full, if a peer does not read.
// Nobody but the holder of the flushing mark touches the writing side of the socket, and nobody who runs calls waits for a peer.

// outSize is what an outbox takes to begin with; a connection with nothing to say holds none.
const outSize = 8 << 10

var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

const (
	keepOut  = 256 << 10 // the largest buffer that a busy connection keeps
	growOut  = 64 << 10  // from here on a write is large enough
	tookMost = 256 << 10 // the most that is given to the peer at once, so that progress is seen
	recorded = 16 << 10  // the same where a write is not to be broken off: a record of TLS
	// glance is how long a write waits at most before it is made again: a system may tell only late that there is room, and what was taken is
	// known only then.
	glance = 250 * time.Millisecond
	// enough is how long a peer for which more than ample waits may take nothing: a second, and what is known a glance later.
	enough = time.Second + glance
)

// roomForLocked makes a buffer be there for an answer with a payload of n bytes. Above maxOutbox, where only what runs already is added, nothing grows: what is
// full is put aside, so that what is held is what waits, and nothing is copied.
func (c *conn) roomForLocked(call *Call, n int) {
	if c.out == nil {
		c.out = outBuffers.Get().(*[outSize]byte)[:0]
	}
	n += len(call.id) + wire.MaxName + 12
	if c.unsentLocked()+n <= maxOutbox || len(c.out)+n <= cap(c.out) {
		return
	}
	if len(c.out) > 0 {
		m := c.surplusLocked()
		m.full = append(m.full, c.out)
		m.bytes += cap(c.out)
	}
	c.out = make([]byte, 0, max(n, growOut))
}

func freeOut(b []byte) {
	if cap(b) == outSize {
		outBuffers.Put((*[outSize]byte)(b[:outSize]))
	}
}

// unsentLocked returns how many bytes of replies are held for the peer.
func (c *conn) unsentLocked() int {
	n := len(c.out) + c.writing
	if c.surplus != nil {
		n += c.surplus.bytes
	}
	return n
}

// surplus is there while more than maxOutbox waits for the peer. Only what calls have answered that ran already can be so much, but that may be what all
// workers can.
type surplus struct {
	full  [][]byte    // to be written before out, which is not empty then
	bytes int         // of memory, in full
	timer *time.Timer // runs judge while more than ample waits; nil otherwise. Stopped when the connection is cut, after which it does nothing
	taken uint64      // when it was looked at last
	quiet time.Duration
}

func (c *conn) surplusLocked() *surplus {
	if c.surplus == nil {
		c.surplus = &surplus{}
	}
	return c.surplus
}

// grownLocked looks what it means that more waits than before.
func (c *conn) grownLocked() {
	if c.unsentLocked() <= c.s.config.ample() || c.dead {
		return
	}
	if m := c.surplusLocked(); m.timer == nil {
		m.timer, m.taken, m.quiet = time.AfterFunc(glance, c.judge), c.tookLately(), 0
	}
}

// tookLately goes up whenever the peer takes something.
func (c *conn) tookLately() uint64 { return c.taken.Load() + socket.Taken(c.nc) }

// judge looks each glance whether the peer takes something, until no more waits than may.
func (c *conn) judge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.surplus
	switch taken := c.tookLately(); {
	case c.dead:
		return
	case c.unsentLocked() <= c.s.config.ample():
		m.timer = nil
		c.trimLocked()
		return
	case taken > m.taken:
		m.taken, m.quiet = taken, 0
	default:
		m.quiet += glance
	}
	if m.quiet >= enough {
		c.cutLocked(Stalled, errEnded(Stalled))
		return
	}
	m.timer.Reset(glance)
}

// trimLocked lets go of a surplus that is none any more.
func (c *conn) trimLocked() {
	if m := c.surplus; m != nil && m.timer == nil && len(m.full) == 0 {
		c.surplus = nil
	}
}

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
	c.took(n)
	return n, err
}

func (c *conn) took(n int) {
	if n > 0 {
		c.taken.Add(uint64(n))
		c.s.count.traffic.Out.Add(uint64(n))
	}
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
	stall := c.s.config.WriteStall
	piece, wait := recorded, stall
	if c.trier != nil {
		piece, wait = tookMost, glance
	}
	for left := stall; len(b) > 0; {
		c.nc.SetWriteDeadline(time.Now().Add(min(wait, left)))
		n, err := c.nc.Write(b[:min(len(b), piece)])
		c.took(n)
		if b = b[n:]; n > 0 {
			left = stall
		} else {
			left -= wait
		}
		if err != nil && (left <= 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}

// swapLocked takes what waits longest; of the two buffers it leaves the other one.
func (c *conn) swapLocked() []byte {
	if m := c.surplus; m != nil && len(m.full) > 0 {
		b := m.full[0]
		m.full[0] = nil
		m.full = m.full[1:]
		m.bytes -= cap(b)
		c.writing = len(b)
		return b
	}
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
	c.trimLocked()
	c.wakeLocked()
}
