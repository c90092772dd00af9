package mux

import (
	"runtime"
	"time"
)

// batchSize is how many frames are handled under one lock.
const batchSize = 64

// batch is what the frames of one read have brought. Only the reader uses it, and with the lock held where that says so.
type batch struct {
	number  uint64 // of the read
	open    bool   // Opened and Batch are not over: the reader is going to flush
	inside  bool   // the reader holds the lock: wake-ups are collected
	opened  []*Stream
	tell    []*Stream
	woken   []chan struct{}
	awoke   int  // consumers, in this read
	lead    bool // the reader holds the flushing mark
	ready   bool
	refused refused
	doom    error // a peer that has to be cut, though no frame of its is wrong
}

// take handles all whole frames that are there.
func (c *Conn) take(n int) error {
	c.in.now = time.Now()
	whole, err := c.batches(n)
	if whole && c.cfg.Batch != nil {
		c.cfg.Batch()
	}
	c.mu.Lock()
	lead := c.batch.lead || c.leadLocked()
	c.batch.open, c.batch.lead = false, false
	if err == nil {
		err = c.err
	}
	c.mu.Unlock()
	if lead {
		if !c.server {
			runtime.Gosched() // those who were woken call again: one write for all
		}
		c.flush()
	}
	if c.in.dec.Buffered() == 0 {
		c.in.half = time.Time{}
	} else if whole || c.in.half.IsZero() {
		c.in.half = c.in.now
	}
	return err
}

// batches handles the frames that are there, and tells everybody whom they concern.
func (c *Conn) batches(n int) (whole bool, err error) {
	for more := true; more && err == nil; {
		c.mu.Lock()
		if !whole {
			c.batch.number++
			c.batch.open, c.batch.awoke = true, 0
			c.stats.BytesIn += uint64(n)
			if n > 0 && c.cfg.Traffic != nil {
				c.cfg.Traffic.In.Add(uint64(n))
			}
		}
		done := 0
		done, err = c.framesLocked()
		if err == nil {
			err = c.batch.doom
		}
		whole, more = whole || done > 0, done == batchSize
		c.leadBatchLocked()
		c.in.slow = c.slowestLocked()
		c.unlock()
		c.tellBatch()
	}
	return whole, err
}

// framesLocked handles up to batchSize frames.
func (c *Conn) framesLocked() (n int, err error) {
	c.batch.inside = true
	for n < batchSize && err == nil && c.err == nil {
		f, ok, bad := c.in.dec.Next()
		if err = bad; !ok {
			break
		}
		n++
		err = c.frameLocked(&f)
	}
	c.batch.inside = false
	c.handOutLocked()
	return n, err
}

// leadBatchLocked takes the flushing mark for the end of the batch when several are about to be woken: they add to the outbox, and
// one write carries them all.
func (c *Conn) leadBatchLocked() {
	b := &c.batch
	b.awoke += len(b.woken)
	if !c.server && b.awoke > 1 && !c.flushing && !c.mute && c.err == nil {
		c.flushing, b.lead = true, true
	}
}

// tellBatch wakes and calls everybody whom the frames concern, with no lock held.
func (c *Conn) tellBatch() {
	b := &c.batch
	for i, slot := range b.woken {
		wake(slot)
		b.woken[i] = nil
	}
	for i, s := range b.tell {
		s.tell()
		b.tell[i] = nil
	}
	if b.ready { // before any stream of the same flight
		b.ready = false
		if c.cfg.Ready != nil {
			c.cfg.Ready()
		}
	}
	if b.refused != (refused{}) {
		for why, n := range b.refused {
			if n > 0 && c.cfg.Refused != nil {
				c.cfg.Refused(Refusal(why), int(n))
			}
		}
		b.refused = refused{}
	}
	for i, s := range b.opened {
		b.opened[i] = nil
		c.cfg.Opened(s)
	}
	b.woken, b.tell, b.opened = b.woken[:0], b.tell[:0], b.opened[:0]
	if cap(b.woken) > batchSize || cap(b.opened) > batchSize {
		b.woken, b.opened = nil, nil
	}
}
