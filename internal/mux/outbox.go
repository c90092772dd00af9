package mux

import (
	"os"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// The outbox is two buffers that change places: frames are appended to one while the other is written. Control frames and messages up
// to 16 KiB enter at once; the fragments of longer ones enter in turn, one of each stream, while little waits, so that what is small
// never stands behind much. What goes out next is bounded by MaxOutbox, and all of it by MaxUnsent; a peer for which nearly MaxConnMemory waits
// is to take some of it each second.

// outSize is what an outbox takes to begin with; a connection with nothing to say holds none.
const outSize = 8 << 10

var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

// roomLocked makes a buffer be there to append to.
func (c *Conn) roomLocked() {
	if c.out != nil {
		return
	}
	if c.out, c.spare = c.spare, nil; c.out == nil {
		c.out = outBuffers.Get().(*[outSize]byte)[:0]
	}
}

func freeOut(b []byte) {
	if cap(b) == outSize {
		outBuffers.Put((*[outSize]byte)(b[:outSize]))
	}
}

// unsentLocked returns how many bytes are held for the peer.
func (c *Conn) unsentLocked() int { return int(c.filled-c.taken) + c.copied }

// fitsLocked reports whether n bytes more that came may be held.
func (c *Conn) fitsLocked(n int) bool { return c.held+n <= c.cfg.MaxConnMemory }

// mayWaitLocked reports whether a message of n bytes more may wait to be written. A sixteenth of the memory is left to control frames,
// so that what does not fit can still be said.
func (c *Conn) mayWaitLocked(n int) bool {
	return c.unsentLocked()+n <= c.cfg.MaxUnsent-c.cfg.MaxUnsent/16
}

// controlLocked appends a frame that waits for nothing. A peer that makes us say more than it reads is cut.
func (c *Conn) controlLocked(k wire.Kind, f wire.Flags, stream uint32, payload []byte) {
	if c.mute {
		return
	}
	c.roomLocked()
	before := len(c.out)
	c.out = wire.AppendFrame(c.out, k, f, stream, payload)
	c.addedLocked(len(c.out) - before)
	if c.unsentLocked() > c.cfg.MaxUnsent && c.batch.doom == nil {
		c.batch.doom = &End{Reason: TooMuch}
	}
}

func (c *Conn) addedLocked(n int) {
	c.filled += uint64(n)
	c.grownLocked()
}

// copiedLocked notes that n bytes more, or less, are held outside the outbox.
func (c *Conn) copiedLocked(n int) {
	c.copied += n
	c.grownLocked()
	c.easeLocked()
}

// grownLocked looks what it means that more may wait than before.
func (c *Conn) grownLocked() {
	n := c.unsentLocked()
	c.crowded = c.crowded || n > c.cfg.MaxOutbox
	if n > c.cfg.ample() && c.surplus == nil && !c.mute {
		c.surplus = &surplus{timer: time.AfterFunc(glance, c.judge), taken: c.tookLately()}
	}
}

// surplus is there while more than ample waits to be written.
type surplus struct {
	timer *time.Timer // runs judge; stopped at the end, after which that does nothing
	taken uint64      // when it was looked at last
	quiet time.Duration
}

// enough is how long a peer may take nothing then: a second, and what passes until a write that waits tells how much was taken.
const enough = time.Second + glance

// tookLately goes up whenever the peer takes something.
func (c *Conn) tookLately() uint64 { return c.taken + socket.Taken(c.nc) }

// judge looks each glance whether the peer takes something, until no more waits than may.
func (c *Conn) judge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch taken := c.tookLately(); {
	case c.mute || c.unsentLocked() <= c.cfg.ample():
		c.surplus = nil
		return
	case taken > c.surplus.taken:
		c.surplus.taken, c.surplus.quiet = taken, 0
	default:
		c.surplus.quiet += glance
	}
	if c.surplus.quiet >= enough {
		c.brokenLocked(os.ErrDeadlineExceeded)
		return
	}
	c.surplus.timer.Reset(glance)
}

// easeLocked lets those go on who waited for room.
func (c *Conn) easeLocked() {
	if !c.crowded || c.unsentLocked() > c.cfg.MaxOutbox {
		return
	}
	c.crowded, c.news.drained = false, true
	for _, slot := range c.crowd {
		c.wakeLocked(slot)
	}
	clear(c.crowd)
	c.crowd = c.crowd[:0]
	c.changedLocked()
}

// putMessageLocked charges and sends a message.
func (s *Stream) putMessageLocked(msg, meta []byte, zipped, end bool) {
	s.credit -= len(msg) + wire.MessageCost
	if len(meta) > 0 {
		s.credit -= sizeBlock(meta)
	}
	flags := wire.Flags(0)
	if zipped {
		flags |= wire.FlagCompressed
	}
	if end && len(msg) > 0 {
		flags |= wire.FlagEnd
	}
	s.putLocked(wire.KindData, flags, nil, meta, msg)
	if end && len(msg) == 0 { // END on an empty DATA would mean that there is no message
		s.putEmptyEndLocked()
	}
}

func (s *Stream) putEmptyEndLocked() { s.putLocked(wire.KindData, wire.FlagEnd, nil, nil, nil) }

// putLocked appends a message's frame, or its first fragment; what is left of it goes into the ring. END, if it is among the flags,
// stands on the last. head is OPEN's.
func (s *Stream) putLocked(k wire.Kind, flags wire.Flags, head, meta, msg []byte) {
	c := s.c
	if c.mute {
		return
	}
	n := len(head)
	if len(meta) > 0 {
		flags |= wire.FlagMeta
		n += sizeBlock(meta)
	}
	cut := min(len(msg), max(wire.FragmentSize-n, 0))
	if cut < len(msg) {
		s.left, s.leftEnd = msg[cut:], flags&wire.FlagEnd != 0
		flags = flags&^wire.FlagEnd | wire.FlagMore
	}
	c.roomLocked()
	before := len(c.out)
	c.out = wire.AppendHeader(c.out, k, flags, s.id, n+cut)
	c.out = append(c.out, head...)
	if len(meta) > 0 {
		c.out = wire.AppendBlock(c.out, meta)
	}
	c.out = append(c.out, msg[:cut]...)
	s.wentLocked(before)
	if s.left != nil {
		c.ring = append(c.ring, s)
		c.fragmentsLocked()
	}
}

// wentLocked notes that bytes of s were appended to the outbox.
func (s *Stream) wentLocked(before int) {
	s.sent++
	s.c.addedLocked(len(s.c.out) - before)
	if s.trace != nil {
		s.trace.went(s.c.out[before:])
	}
}

func sizeBlock(block []byte) int {
	n := len(block) + 1
	for v := len(block); v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// fragmentsLocked lets fragments enter, one of each stream in turn, while little waits.
func (c *Conn) fragmentsLocked() {
	for len(c.ring) > 0 && len(c.out) < lowOutbox {
		s := c.ring[0]
		copy(c.ring, c.ring[1:])
		c.ring = c.ring[:len(c.ring)-1]
		n, flags := wire.FragmentSize, wire.FlagMore
		if n >= len(s.left) {
			n, flags = len(s.left), 0
			if s.leftEnd {
				flags = wire.FlagEnd
			}
		}
		c.roomLocked()
		before := len(c.out)
		c.out = wire.AppendFrame(c.out, wire.KindData, flags, s.id, s.left[:n])
		s.wentLocked(before)
		if s.left = s.left[n:]; len(s.left) > 0 {
			c.ring = append(c.ring, s)
		} else {
			s.leftDoneLocked()
		}
	}
}

// leftDoneLocked sees to what waited for the end of a long message.
func (s *Stream) leftDoneLocked() {
	c := s.c
	c.copiedLocked(-len(s.leftCopy))
	s.left, s.leftCopy = nil, s.leftCopy[:0]
	if s.lastByte == 0 {
		s.lastByte = c.filled
	}
	c.wakeLocked(s.sendWake)
	switch {
	case !s.isServer || !s.localEnd:
	case !s.last.set:
		s.outDoneLocked()
	case s.last.none || s.credit > 0:
		s.putFinalLocked()
	}
}

// keepLeftLocked copies what is left of a message that is its caller's again.
func (s *Stream) keepLeftLocked() {
	if s.left != nil && len(s.leftCopy) == 0 {
		s.leftCopy = append(s.leftCopy, s.left...)
		s.left = s.leftCopy
		s.c.copiedLocked(len(s.leftCopy))
	}
}

func (c *Conn) leaveRing(s *Stream) { c.ring = without(c.ring, s) }

// creditsLocked appends the credit that is to go back, a frame for each stream however often it was owed.
func (c *Conn) creditsLocked() {
	for _, s := range c.credits {
		c.scratch = wire.AppendCredit(c.scratch[:0], s.due)
		before := len(c.out)
		c.controlLocked(wire.KindCredit, 0, s.id, c.scratch)
		if s.trace != nil && !c.mute {
			s.trace.went(c.out[before:])
		}
		s.spent -= s.due
		s.due, s.owing = 0, false
	}
	clear(c.credits)
	c.credits = c.credits[:0]
}

// fillLocked lets enter what waits outside the outbox.
func (c *Conn) fillLocked() {
	if len(c.credits) > 0 {
		c.creditsLocked()
	}
	if len(c.ring) > 0 {
		c.fragmentsLocked()
	}
}
