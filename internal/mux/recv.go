package mux

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Message is one message of a stream. Its bytes are valid until the next Recv, Done or Release.
type Message struct {
	Payload, Meta []byte
	Last          bool // the peer's END came with it
	None          bool // there is no message: trailers alone, in Meta
}

// errFinished is what a server's Recv and Send say after its own last word.
var errFinished = failLocal(wire.Canceled, "the stream is finished")

// Recv waits for the next message; a server's first is OPEN's. After the last one it returns io.EOF if the peer has sent END, a
// *Failure after an ERROR, a *Lost when the connection has ended, and ctx's error if that was over first. Credit goes back to the
// peer as messages are taken. For one goroutine at a time.
func (s *Stream) Recv(ctx context.Context) (Message, error) {
	if s.next == len(s.hand.items) {
		if err := s.refill(ctx); err != nil {
			return Message{}, err
		}
	}
	return s.take()
}

// First takes the message of OPEN, on a server, without waiting; io.EOF means that there is none, a *Failure that it cannot be
// inflated, and then the stream has failed. Call it once, and before Recv.
func (s *Stream) First() (Message, error) {
	if s.head.NoMessage {
		return Message{}, io.EOF
	}
	c := s.c
	c.mu.Lock()
	if len(s.in.items) == 0 { // cancelled, and let go of
		err := s.err
		c.mu.Unlock()
		return Message{}, err
	}
	s.swapLocked()
	c.mu.Unlock()
	s.unread = true
	msg, err := s.take()
	s.unread = false
	return msg, err
}

// refill waits until the consumer has something in its hand.
func (s *Stream) refill(ctx context.Context) error {
	c := s.c
	c.mu.Lock()
	s.returnLocked()
	for len(s.in.items) == 0 {
		if err := s.recvErrLocked(); err != nil {
			c.unlockAndFlush(false)
			return err
		}
		c.unlockAndFlush(false) // what waits goes out before we wait
		if err := await(ctx, s.recvWake); err != nil {
			return err
		}
		c.mu.Lock()
	}
	s.swapLocked()
	c.unlockAndFlush(false)
	return nil
}

// recvErrLocked says why no message will come any more.
func (s *Stream) recvErrLocked() error {
	switch {
	case s.ended:
		return s.err
	case s.remoteEnd:
		return io.EOF
	case s.isServer && s.localEnd:
		return errFinished
	}
	return nil
}

// swapLocked puts all messages that came into the consumer's hand.
func (s *Stream) swapLocked() {
	s.in.move(&s.hand, s.c.cfg.mostNeeded())
	s.next, s.at = 0, 0
	s.handCost, s.inCost = s.inCost, 0
}

// returnLocked takes note that the consumer has done with what was in its hand.
func (s *Stream) returnLocked() {
	s.c.held -= s.handCost + s.inflated
	s.handCost, s.inflated = 0, 0
	s.hand.items, s.next, s.at = s.hand.items[:0], 0, 0
	s.giveCreditLocked()
}

// take is the next message in the consumer's hand.
func (s *Stream) take() (Message, error) {
	i := s.hand.items[s.next]
	b := s.hand.buf[s.at : s.at+int(i.size) : s.at+int(i.size)]
	s.next++
	s.at += int(i.size)
	s.owed += int(i.charge)
	if s.owed >= s.c.cfg.Settings.Window/2 {
		s.c.mu.Lock()
		s.giveCreditLocked()
		s.c.unlockAndFlush(false)
	}
	m := Message{Payload: b[i.meta:], Last: i.flags&itemLast != 0, None: i.flags&itemNone != 0}
	if i.meta > 0 {
		m.Meta = b[:i.meta:i.meta]
	}
	if i.flags&itemZipped == 0 {
		return m, nil
	}
	return s.inflate(m)
}

// giveCreditLocked gives back what the consumer has taken, once that is half a window.
func (s *Stream) giveCreditLocked() {
	c := s.c
	s.due += s.owed
	s.owed = 0
	if s.due >= c.cfg.Settings.Window/2 && !s.owing && !s.ended && !s.remoteEnd && !s.over && !(s.isServer && s.localEnd) {
		s.owing = true
		c.credits = append(c.credits, s)
	}
}

func (s *Stream) forgetCreditLocked() {
	if s.owing {
		s.owing = false
		s.c.credits = without(s.c.credits, s)
	}
}

// inflate restores a compressed message, on the consumer's goroutine: the reader does not wait for it. What cannot be restored fails
// the stream.
func (s *Stream) inflate(m Message) (Message, error) {
	set := &s.c.cfg.Settings
	status := &wire.Error{Code: wire.Unimplemented, Message: "compressed in a way that was not announced"}
	if len(m.Payload) > 0 {
		id := wire.AlgorithmID(m.Payload[0])
		if a, ok := wire.AlgorithmOf(id); ok && slices.Contains(set.Algorithms, id) {
			b, err := a.Decompress(m.Payload[1:], set.MaxMessage)
			switch {
			case err != nil:
				status = &wire.Error{Code: wire.InvalidArgument, Message: err.Error()}
				if err == wire.ErrInflated {
					status.Code = wire.ResourceExhausted
				}
			case !s.hold(len(b)):
				f := failLocal(wire.ResourceExhausted, "too much memory held for this connection")
				f.Refused = s.unread
				s.fail(f, s.unread)
				return Message{}, f
			default:
				m.Payload = b
				return m, nil
			}
		}
	}
	f := &Failure{Status: status, Local: true}
	s.fail(f, false)
	return Message{}, f
}

// hold counts what a message has become, beside what it was, until the next one or until the consumer has done with it.
func (s *Stream) hold(n int) bool {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held -= s.inflated
	s.inflated = 0
	if !c.fitsLocked(n) {
		c.stats.Refused++
		return false
	}
	c.held += n
	s.inflated = n
	return true
}

// fail ends the stream on both sides, for a reason of this end; refused says that it has not run.
func (s *Stream) fail(f *Failure, refused bool) {
	c := s.c
	c.mu.Lock()
	tell := false
	if !s.ended && !(s.isServer && s.localEnd) {
		if s.isServer {
			c.countResetLocked(time.Now())
		}
		s.sayErrorLocked(f.Status, refused)
		s.dropInLocked()
		tell = s.endLocked(f)
	}
	c.unlockAndFlush(false)
	if tell {
		s.tell()
	}
}

// await waits until the slot is filled, or ctx is over.
func await(ctx context.Context, slot chan struct{}) error {
	stop := ctx.Done()
	if stop == nil {
		<-slot
		return nil
	}
	select {
	case <-slot:
		return nil
	case <-stop:
		return ctx.Err()
	}
}
