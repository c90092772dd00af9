package mux

import (
	"fmt"
	"math"

	"github.com/rpckids/rpckids/internal/wire"
)

func breach(reason, format string, args ...any) error {
	return &wire.Breach{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// frameLocked handles one frame; the error is a *wire.Breach. It runs in the reader and waits for nothing.
func (c *Conn) frameLocked(f *wire.Frame) error {
	if !c.met() && f.Kind != wire.KindSettings {
		return breach(wire.NoSettings, "%v", f.Kind)
	}
	switch f.Kind {
	case wire.KindSettings:
		return c.settingsLocked(f)
	case wire.KindOpen:
		return c.acceptLocked(f)
	case wire.KindData:
		return c.dataLocked(f)
	case wire.KindError:
		return c.errorLocked(f)
	case wire.KindCredit:
		return c.creditLocked(f)
	case wire.KindPing:
		return c.pingLocked(f)
	case wire.KindGoAway:
		return c.goAwayLocked(f)
	}
	return nil // kinds to come, on stream 0
}

// met reports whether the peer's SETTINGS have come.
func (c *Conn) met() bool { return c.peer.Load() != &standard }

func (c *Conn) settingsLocked(f *wire.Frame) error {
	if c.met() {
		return breach(wire.SecondSettings, "")
	}
	s := &usual // most peers; a connection that does nothing should cost little
	if len(f.Payload) > 0 {
		parsed, err := wire.ParseSettings(f.Payload)
		if err != nil {
			return err
		}
		s = &parsed
	}
	c.peer.Store(s)
	for open := range c.streams.all() { // those of the first flight began with the window that everybody has
		open.credit += s.Window - wire.MinWindow
		c.wakeLocked(open.sendWake)
	}
	if c.ready != nil {
		close(c.ready)
	}
	c.batch.ready = true
	if !c.greeted {
		c.greetLocked()
	}
	if !c.server {
		c.advanceLocked()
	}
	return nil
}

// wakeLocked wakes whoever waits at the slot: from within the reader, when it has let go of the lock.
func (c *Conn) wakeLocked(slot chan struct{}) {
	if !c.batch.inside {
		wake(slot)
		return
	}
	if w := c.batch.woken; len(w) == 0 || w[len(w)-1] != slot { // many items for one consumer are one reason to wake it
		c.batch.woken = append(w, slot)
	}
}

// lateLocked drops a frame for a stream that has finished; for one that never was it is a breach.
func (c *Conn) lateLocked(f *wire.Frame) error {
	if f.Stream > c.lastID {
		return breach(wire.StreamUnknown, "%v for stream %d, the newest is %d", f.Kind, f.Stream, c.lastID)
	}
	if f.Kind != wire.KindCredit {
		c.stats.Late++
	}
	return nil
}

func (c *Conn) dataLocked(f *wire.Frame) error {
	s := c.streams.find(f.Stream)
	if s == nil || s.localEnd && s.isServer || s.oneWay && !s.isServer {
		return c.lateLocked(f)
	}
	if s.remoteEnd {
		return breach(wire.AfterEnd, "stream %d", s.id)
	}
	if s.trace != nil {
		s.trace.came(c.in.dec.Raw(*f))
	}
	return s.arriveLocked(f.Flags, f.Payload)
}

// finishLocked ends s from within the reader.
func (s *Stream) finishLocked(err error) {
	if c := s.c; s.endLocked(err) {
		c.batch.tell = append(c.batch.tell, s)
	}
}

// overrunLocked fails a stream whose message would hold more memory than this peer may have.
func (s *Stream) overrunLocked() {
	c := s.c
	c.stats.Refused++
	c.logLocked(fmt.Sprintf("stream %d failed: %d bytes are held for this peer", s.id, c.held))
	e := &wire.Error{Code: wire.ResourceExhausted, Message: "too much memory held for this connection"}
	refused := s.isServer && !s.handed
	if refused {
		c.batch.refused[RefusedMemory]++
	}
	if s.isServer { // also if it has run: the peer has made us do it
		c.countResetLocked(c.in.now)
	}
	s.abortLocked(&Failure{Status: e, Local: true}, refused)
}

// abortLocked fails s on both sides, from within the reader.
func (s *Stream) abortLocked(f *Failure, refused bool) {
	c, isNew := s.c, s.isServer && !s.handed
	s.sayErrorLocked(f.Status, refused)
	s.dropInLocked()
	s.finishLocked(f)
	if isNew {
		c.discardLocked(s)
	}
}

// sayErrorLocked sends ERROR: from a client that means cancel.
func (s *Stream) sayErrorLocked(e *wire.Error, refused bool) {
	if s.isServer && s.oneWay {
		return
	}
	c := s.c
	flags := wire.Flags(0)
	if refused {
		flags = wire.FlagRefused
	}
	if s.isServer {
		c.scratch = wire.AppendFailure(c.scratch[:0], e)
	} else {
		c.scratch = append(c.scratch[:0], byte(wire.Canceled))
	}
	s.gone = true
	before := len(c.out)
	c.controlLocked(wire.KindError, flags, s.id, c.scratch)
	if s.trace != nil && len(c.out) > before {
		s.trace.went(c.out[before:])
	}
}

func (c *Conn) errorLocked(f *wire.Frame) error {
	e, err := wire.ParseFailure(f.Payload)
	if err != nil {
		return err
	}
	if c.server {
		if f.Flags&wire.FlagRefused != 0 {
			return breach(wire.WrongRole, "REFUSED from a client")
		}
		c.countResetLocked(c.in.now)
	}
	s := c.streams.find(f.Stream)
	if s == nil || s.oneWay && !s.isServer {
		return c.lateLocked(f)
	}
	failure := &Failure{Status: e, Refused: f.Flags&wire.FlagRefused != 0}
	if s.isServer {
		c.stats.Canceled++
		isNew := !s.handed
		s.dropInLocked()
		s.finishLocked(failure)
		if isNew {
			c.discardLocked(s)
		}
		return nil
	}
	if s.trace != nil {
		s.trace.came(c.in.dec.Raw(*f))
		s.trace.Received = c.in.now
	}
	if e.Code == wire.NotFound && s.numbering != nil && !s.numbering.proven {
		s.numbering.number = 0 // the server does not keep numbers of what it does not serve
	}
	s.finishLocked(failure)
	return nil
}

func (c *Conn) creditLocked(f *wire.Frame) error {
	n, err := wire.ParseCredit(f.Payload)
	if err != nil {
		return err
	}
	s := c.streams.find(f.Stream)
	if s == nil {
		return c.lateLocked(f)
	}
	if s.credit += n; s.credit > math.MaxInt32 {
		return breach(wire.CreditOverflow, "stream %d", s.id)
	}
	if s.credit > 0 && s.credit-n <= 0 {
		if s.last.set && s.left == nil {
			s.putFinalLocked()
			return nil
		}
		c.wakeLocked(s.sendWake)
	}
	return nil
}

func (c *Conn) goAwayLocked(f *wire.Frame) error {
	bye, err := wire.ParseGoAway(f.Payload)
	if err != nil || c.server {
		return err // a client may say that it goes; it shows
	}
	c.retireLocked(bye, true)
	lost := &Lost{Cause: retiredBy(bye), NotProcessed: true}
	for s := range c.streams.all() {
		if s.id > bye.Last {
			s.gone = true
			s.finishLocked(lost)
		}
	}
	c.changedLocked()
	return nil
}

// retiredBy is the end that a GOAWAY announces. One that says more than that the server stops says why.
func retiredBy(bye wire.Farewell) *End {
	e := &End{Reason: Retired}
	if bye.Code != wire.OK {
		e.Err = &wire.Error{Code: bye.Code, Message: bye.Text}
	}
	return e
}

// without removes s from a short list.
func without(list []*Stream, s *Stream) []*Stream {
	for i, other := range list {
		if other == s {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = nil
			return list[:len(list)-1]
		}
	}
	return list
}
