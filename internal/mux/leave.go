package mux

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// crossing is how long what the client has sent before it heard that the server leaves is still taken.
const crossing = time.Second

// leaving is a server that has asked its client to open nothing new, and has not named the last stream yet.
type leaving struct {
	bye   wire.Farewell
	ping  uint64 // its answer shows that the client has heard
	timer *time.Timer
}

// Leave, of a server, ends the connection in order. A first GOAWAY excludes nothing and asks the client to open no more; streams that cross it on
// the way still run, since some of them, an upload or what is sent one way, could not be opened again elsewhere. When the client has shown
// that it has heard, or after a second, a second GOAWAY names the last stream that was taken, and the connection ends with it.
func (c *Conn) Leave(f wire.Farewell) {
	c.mu.Lock()
	if c.goneAway || c.leaving != nil || !c.greeted || !c.met() || c.err != nil || c.broke != nil {
		c.mu.Unlock()
		c.GoAway(f)
		c.CloseWhenIdle()
		return
	}
	p := c.pingsLocked()
	p.last++
	c.leaving = &leaving{bye: f, ping: p.last, timer: time.AfterFunc(crossing, c.left)}
	f.Last = wire.MaxStreamID
	c.scratch = wire.AppendGoAway(c.scratch[:0], &f)
	c.controlLocked(wire.KindGoAway, 0, 0, c.scratch)
	var number [wire.MaxPing]byte
	binary.BigEndian.PutUint64(number[:], c.leaving.ping)
	c.controlLocked(wire.KindPing, 0, 0, number[:])
	c.unlockAndFlush(false)
}

// left is the end of the crossing where the client does not answer.
func (c *Conn) left() {
	c.mu.Lock()
	c.leftLocked()
	c.unlockAndFlush(false)
}

// leftLocked names the last stream, and takes no more.
func (c *Conn) leftLocked() {
	l := c.leaving
	if l == nil {
		return
	}
	c.leaving = nil
	l.timer.Stop()
	if !c.goneAway {
		l.bye.Last = c.lastID
		c.goneAway, c.bye = true, l.bye
		if c.err == nil {
			c.sendGoAwayLocked()
		}
	}
	c.whenIdle = true
	c.changedLocked()
}

// departedLocked says why a connection ends that its client has closed: because it was asked to.
func (c *Conn) departedLocked(err error) error {
	l := c.leaving
	if l == nil {
		return err
	}
	c.leaving = nil
	l.timer.Stop()
	if e, ok := errors.AsType[*End](err); ok && e.Reason == PeerClosed {
		return retiredBy(l.bye)
	}
	return err
}
