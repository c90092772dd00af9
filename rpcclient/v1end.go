package rpcclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// How a v1Conn ends: it retires when the server has ended it or something is
// broken, leaves when version 2 takes over, and says goodbye for Close. depart is
// the last step of the polite ways, close of all the others.

// retireLocked stops new calls. Those of which no byte has left fail with the
// reason and may go elsewhere; the others may still be answered.
func (c *v1Conn) retireLocked(why *failure) {
	if c.retiring != nil && !c.leaving {
		return
	}
	c.retiring, c.leaving = why, false
	c.server.retired(c)
	c.failLocked(why, c.offered)
	c.rest, c.outbox, c.filled = nil, nil, c.offered
}

// doneRetiringLocked reports whether a retiring conn has nothing left to wait for.
func (c *v1Conn) doneRetiringLocked() bool {
	if c.leaving && (c.flushing || len(c.outbox) > 0) {
		return false
	}
	return c.retiring != nil && c.err == nil && c.pending.waiting == 0
}

// leave makes way for a version 2 connection: calls that still wait in line move
// there, those on their way are answered here, and the last one ends the conn.
func (c *v1Conn) leave() {
	c.mu.Lock()
	if c.retiring == nil {
		c.retiring, c.leaving = errMoved, true
		c.server.retired(c)
		for _, k := range c.line {
			k.place, k.err = withCaller, errMoved
			k.done <- struct{}{}
		}
		c.line = nil
	}
	last := c.doneRetiringLocked()
	c.mu.Unlock()
	if last {
		c.depart()
	}
}

// depart ends a retiring conn that has nothing left to wait for. One that the
// server has not ended says goodbye: a close could destroy a cast it has yet to read.
func (c *v1Conn) depart() {
	c.mu.Lock()
	polite := c.leaving && c.err == nil
	if polite {
		c.err = c.retiring
		c.lingerLocked()
	}
	c.mu.Unlock()
	if !polite {
		c.close(errRetired)
		return
	}
	if half, ok := c.sock.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// close closes the socket and fails every call, in line or in flight. The first
// reason counts. The reader notices and ends.
func (c *v1Conn) close(why *failure) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.retireLocked(why)
		c.err = why
		c.harmed.Store(c.harmed.Load() || c.pending.waiting > 0)
		c.failLocked(why, 0)
	}
	c.mu.Unlock()
	if first {
		c.sock.Close()
	}
}

func (c *v1Conn) abort(why *failure) { c.close(why) }

// tooLarge is the failure of a reply that is over the limit; nil: what could not be
// read is something else. There is no way past it but to read it all, so it ends the
// connection; its own call, by the id that stands in head, hears why.
func (c *v1Conn) tooLarge(err error, head []byte) *failure {
	e, ok := errors.AsType[*wire.LengthError](err)
	if !ok || e.Field != "payload" || e.Declared <= int64(e.Max) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.pending.find(firstString(head))
	if a.fate == unused {
		return nil
	}
	text := fmt.Sprintf("reply has %d bytes, the limit is %d: raise Config.MaxMessage", e.Declared, e.Max)
	if k := a.call; k != nil && !k.oneWay {
		c.takeLocked(k, answered)
		k.mayHaveLeft, k.err = true, fail(ErrTooLarge, ResourceExhausted, err, "%s", text)
		k.done <- struct{}{}
	}
	return fail(ErrConnectionLost, Unavailable, err, "connection lost: another call's %s", text)
}

// mostHead is how much of a reply is remembered while the rest is awaited: enough for
// any id of ours.
const mostHead = 128

// front returns how the reply begins of which rest bytes are here, all those that
// were seen after the ones in head, or some of them.
func front(head, seen []byte, rest int) []byte {
	if at := len(seen) - rest; at >= 0 {
		head, seen = head[:0], seen[at:]
	}
	return append(head, seen[:min(len(seen), mostHead-len(head))]...)
}

// firstString returns the string that b begins with, as far as it is there.
func firstString(b []byte) []byte {
	if len(b) < 4 {
		return nil
	}
	return b[4 : 4+min(binary.BigEndian.Uint32(b), uint32(len(b)-4))]
}

// failLocked fails the calls in line and those in flight whose frames begin at
// or behind the position from.
func (c *v1Conn) failLocked(why *failure, from uint64) {
	for _, k := range c.line {
		k.place, k.err = withCaller, why
		k.done <- struct{}{}
	}
	c.line = nil
	for i := range c.pending.slots {
		k := c.pending.slots[i].call
		if k == nil || k.first < from {
			continue
		}
		k.mayHaveLeft = k.first < c.offered
		c.takeLocked(k, abandoned)
		k.err = why
		k.done <- struct{}{}
	}
}

// goodbye ends the conn for Close. After a cast that the server may not have
// read, and with nothing in flight, it gets the end of the stream, and the
// reader a second to see the server's: closing at once might destroy the cast.
func (c *v1Conn) goodbye() {
	_, half := c.sock.(interface{ CloseWrite() error })
	c.mu.Lock()
	over := c.err != nil && c.unproven == 0
	polite := half && c.unproven > 0 && c.err == nil && c.pending.waiting == 0 && !c.flushing && len(c.line) == 0
	if polite {
		c.retireLocked(errClosed)
		c.leaving = true
	}
	c.mu.Unlock()
	switch {
	case polite:
		c.depart()
	case over: // it has said goodbye already, and has nothing to lose
		c.sock.Close()
	default:
		c.close(errClosed)
	}
}

// lingerLocked gives the server a second to end the connection itself, and the
// reader as long to take what it still says.
func (c *v1Conn) lingerLocked() {
	if c.linger == nil {
		c.linger = time.AfterFunc(time.Second, func() { c.sock.Close() })
	}
}

// errMoved sends a call to another connection: version 2 has come up meanwhile, the
// connection was old, or its server has left the list. No caller sees it: who is
// sent on too often is told restless.
var errMoved = fail(ErrConnectionLost, Unavailable, nil, "calls take other connections now")

// restless is the failure of a call that found no connection to stay with.
func restless(moves int) *failure {
	text := "the servers that were dialed have left the list meanwhile"
	if moves > 0 {
		text = fmt.Sprintf("no connection stays: tried %d, and each was about to close", moves)
	}
	return fail(ErrConnectionLost, Unavailable, nil, "%s", text)
}

// errRetired ends a retiring conn whose last call was abandoned or answered.
var errRetired = fail(ErrConnectionLost, Unavailable, nil, "the server has ended this connection")
