package mux

import (
	"fmt"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// method is what a client's number stands for, on the server.
type method struct {
	serves any
	name   string
}

// methodLocked finds what serves an OPEN, and keeps the number of a method that is served: so a peer cannot make up more than 255.
func (c *Conn) methodLocked(s *Stream, h *wire.OpenHead) {
	n := int(h.Number)
	if h.Name == nil {
		if n < len(c.methods) {
			s.method, s.name = c.methods[n].serves, c.methods[n].name
		}
		return
	}
	if c.cfg.Lookup != nil {
		s.method = c.cfg.Lookup(h.Name)
	}
	s.nameBytes = append(s.nameBytes[:0], h.Name...)
	if n == 0 {
		return
	}
	if n < len(c.methods) {
		c.methods[n] = method{} // the number may have had another name
	}
	if s.method == nil {
		return
	}
	if n >= len(c.methods) {
		c.methods = append(c.methods, make([]method, n+1-len(c.methods))...)
	}
	s.name = string(h.Name)
	c.methods[n] = method{s.method, s.name}
}

// acceptLocked takes an OPEN, on the server.
func (c *Conn) acceptLocked(f *wire.Frame) error {
	if !c.server {
		return breach(wire.WrongRole, "OPEN from a server")
	}
	if f.Stream <= c.lastID {
		return breach(wire.StreamReused, "%d, the newest is %d", f.Stream, c.lastID)
	}
	c.lastID = f.Stream
	c.churn.opens++
	h, rest, err := wire.ParseOpen(f.Payload)
	if err != nil {
		return err
	}
	s := newStream(c)
	s.id = f.Stream
	if f.Flags&wire.FlagMeta != 0 {
		var block []byte
		if block, rest, err = wire.CutBlock(rest, c.cfg.Settings.MaxMetadata); err != nil {
			s.recycle()
			return err
		}
		s.meta = append(s.meta[:0], block...)
	}
	if h.NoMessage && (len(rest) > 0 || f.Flags&(wire.FlagMore|wire.FlagCompressed) != 0) {
		s.recycle()
		return breach(wire.BadOpen, "a message where none was to be")
	}
	c.methodLocked(s, &h)
	s.head, s.head.Name, s.oneWay = h, nil, h.OneWay
	if !c.admitsLocked(s) {
		s.recycle()
		return nil
	}
	s.slot = !s.oneWay
	if s.slot {
		c.slots++
	}
	c.running++
	s.batch = c.batch.number
	s.credit = c.peer.Load().Window
	c.streams.add(s)
	if h.NoMessage {
		s.remoteEnd = f.Flags&wire.FlagEnd != 0
		s.arrivedLocked()
		return nil
	}
	s.part.free = true
	s.part.active = len(rest) == 0 // unlike an empty DATA with END, an OPEN with END holds a message
	return s.arriveLocked(f.Flags&^wire.FlagMeta, rest)
}

// admitsLocked says whether a stream may run, and tells its caller if not. The caller may send it elsewhere.
func (c *Conn) admitsLocked(s *Stream) bool {
	switch {
	case c.goneAway:
		e := &wire.Error{Code: wire.Unavailable, Message: "this server is stopping"}
		if c.bye.Code != wire.OK { // it never was for this client
			e.Code, e.Message = c.bye.Code, c.bye.Text
		} else {
			c.batch.refused[RefusedDraining]++
		}
		s.sayErrorLocked(e, true)
	case !s.oneWay && c.slots >= c.cfg.Settings.MaxStreams:
		c.stats.Refused++
		c.batch.refused[RefusedStreams]++
		c.countResetLocked(c.in.now)
		c.logLocked(fmt.Sprintf("stream %d refused: %d are open", s.id, c.slots))
		e := &wire.Error{Code: wire.ResourceExhausted, Message: fmt.Sprintf("%d streams are open on this connection", c.slots), RetryAfter: retryAfter}
		s.sayErrorLocked(e, true)
	default:
		return true
	}
	return false
}

// retryAfter is what a client is told that is at its limit: it has the streams itself, and knows best when one of them will end.
const retryAfter = 100 * time.Millisecond

// discardLocked takes back a stream that ended before it was handed out.
func (c *Conn) discardLocked(s *Stream) {
	c.running--
	s.freeSlotLocked()
	if s.ready { // then we are in the reader: nobody else may look at its list
		c.batch.opened = without(c.batch.opened, s)
	}
	s.over = true
	s.settleLocked()
}

// handOutLocked marks the streams that Opened is about to get.
func (c *Conn) handOutLocked() {
	for _, s := range c.batch.opened {
		s.handed = true
	}
}

// churn watches for a peer that opens streams only to cancel them, or to have them refused or broken off by us: that is cheap for it and
// dear for us.
type churn struct {
	since         time.Time
	opens, resets int
}

// countResetLocked counts one of a second; too many of them cut the peer after this batch, or with its next bytes.
func (c *Conn) countResetLocked(now time.Time) {
	w := &c.churn
	if now.Sub(w.since) >= time.Second {
		*w = churn{since: now}
	}
	if w.resets++; w.resets > resetLimit && 2*w.resets > w.opens && c.batch.doom == nil {
		c.batch.doom = breach(wire.RapidReset, "%d of %d streams within a second", w.resets, w.opens)
	}
}
