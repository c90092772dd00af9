package mux

import (
	"context"
	"fmt"
	"slices"

	"github.com/rpckids/rpckids/internal/wire"
)

// Send sends a message, and with end says that it is the last; a server that has nothing more to send may as well use Finish. It waits
// while there is no credit, while a long message before it is under way, and until all of its own is in the outbox: payload and meta
// are the caller's again. It fails as Recv does, with io.EOF on a client when the server has finished the stream: Recv then says how.
// When ctx ends, the message may have been sent in part and goes on its way. For one goroutine at a time.
func (s *Stream) Send(ctx context.Context, payload, meta []byte, end bool) error {
	c := s.c
	msg, zipped, err := s.pack(payload, meta)
	if err != nil {
		return err
	}
	c.mu.Lock()
	for {
		err := s.sendErrLocked()
		if err == nil && s.oneWay {
			err = errFinished // nobody listens
		}
		if err != nil {
			c.unlockAndFlush(false)
			return err
		}
		if s.credit > 0 && s.left == nil && !c.crowded {
			break
		}
		if c.crowded && !slices.Contains(c.crowd, s.sendWake) {
			c.crowd = append(c.crowd, s.sendWake)
		}
		c.unlockAndFlush(false)
		if err := await(ctx, s.sendWake); err != nil {
			return err
		}
		c.mu.Lock()
	}
	quiet := c.flushesSoonLocked(s)
	s.localEnd = end
	s.putMessageLocked(msg, meta, zipped, end)
	if s.left != nil {
		return s.sendRest(ctx)
	}
	if end && s.isServer {
		s.outDoneLocked()
	}
	if quiet {
		c.unlock()
	} else {
		c.unlockAndWrite()
	}
	return nil
}

// sendRest waits until the fragments of a long message have entered the outbox. It is called with the lock held, and frees it.
func (s *Stream) sendRest(ctx context.Context) error {
	c := s.c
	for s.left != nil {
		c.unlockAndFlush(false)
		if err := await(ctx, s.sendWake); err != nil {
			c.mu.Lock()
			s.keepLeftLocked()
			c.unlock()
			return err
		}
		c.mu.Lock()
	}
	err := error(nil)
	if s.ended {
		err = s.noSend
	}
	c.unlockAndFlush(false)
	return err
}

// sendErrLocked says why nothing can be sent any more.
func (s *Stream) sendErrLocked() error {
	switch {
	case s.ended:
		return s.noSend
	case s.localEnd:
		return errFinished
	}
	return nil
}

// CloseSend says that no more messages come. A server's stream is finished by it.
func (s *Stream) CloseSend() error {
	if s.isServer {
		return s.Finish(nil, nil, true)
	}
	c := s.c
	c.mu.Lock()
	err := s.sendErrLocked()
	if err == nil {
		if s.localEnd = true; s.left != nil {
			s.leftEnd = true
		} else {
			s.putEmptyEndLocked()
		}
	}
	c.unlockAndFlush(false)
	return err
}

// Finish sends a server's last message, or with trailersOnly its trailers and no message, and finishes the stream: at most once, and
// never waiting. What cannot go yet is copied and goes when it can. A message that the peer does not take, or for which there is no
// memory, fails the stream, and Finish says so. A one-way stream is finished in silence.
func (s *Stream) Finish(payload, meta []byte, trailersOnly bool) error {
	c := s.c
	var msg []byte
	var zipped bool
	var err error
	if !s.oneWay {
		if msg, zipped, err = s.pack(payload, meta); err != nil {
			s.Fail(err.(*Failure).Status, false)
			return err
		}
	}
	c.mu.Lock()
	if err := s.sendErrLocked(); err != nil {
		c.mu.Unlock()
		return err
	}
	s.freeSlotLocked()
	quiet := c.flushesSoonLocked(s)
	waits := s.left != nil || !trailersOnly && s.credit <= 0
	switch {
	case s.oneWay:
		s.localEnd = true
		s.outDoneLocked()
	case !c.mayWaitLocked(len(msg)):
		f := failLocal(wire.ResourceExhausted, "too much memory held for this connection")
		c.stats.Refused++
		s.failLocked(f.Status, false)
		c.unlockAndFlush(quiet)
		return f
	case waits:
		s.localEnd = true
		s.last = final{set: true, zipped: zipped, none: trailersOnly, meta: slices.Clone(meta), payload: slices.Clone(msg)}
		c.copiedLocked(len(meta) + len(msg))
	default:
		s.localEnd = true
		s.putLastLocked(msg, meta, zipped, trailersOnly)
	}
	c.gatherAndFlush(quiet)
	return nil
}

// putFinalLocked sends what Finish could not.
func (s *Stream) putFinalLocked() {
	f := s.last
	s.last = final{}
	s.c.copied -= len(f.meta) + len(f.payload) // not eased: it enters the outbox
	s.putLastLocked(f.payload, f.meta, f.zipped, f.none)
}

func (s *Stream) putLastLocked(msg, meta []byte, zipped, none bool) {
	switch {
	case none && len(meta) == 0:
		s.putEmptyEndLocked()
	case none:
		s.putLocked(wire.KindData, wire.FlagEnd, nil, meta, nil)
	default:
		s.putMessageLocked(msg, meta, zipped, true)
	}
	if s.left != nil {
		s.keepLeftLocked()
		return
	}
	s.outDoneLocked()
}

// Fail ends a server's stream with an ERROR; refused says that it has not run. After Finish, or when the stream has ended, it does
// nothing. A one-way stream is finished in silence.
func (s *Stream) Fail(e *wire.Error, refused bool) {
	c := s.c
	c.mu.Lock()
	quiet := c.flushesSoonLocked(s)
	s.freeSlotLocked()
	s.failLocked(e, refused)
	c.gatherAndFlush(quiet)
}

func (s *Stream) failLocked(e *wire.Error, refused bool) {
	if s.ended || s.localEnd && !s.unsentLocked() {
		return
	}
	s.dropOutLocked()
	s.sayErrorLocked(e, refused)
	s.localEnd = true
	s.outDoneLocked()
}

// outDoneLocked takes a server's stream out of the table when its last word is in the outbox.
func (s *Stream) outDoneLocked() {
	c := s.c
	c.streams.remove(s)
	s.dropPartLocked()
	s.forgetCreditLocked()
	c.wakeLocked(s.recvWake)
	c.changedLocked()
	s.settleLocked()
}

// Cancel ends a client's stream, unless it has ended; the server is told. Messages that came are let go of.
func (s *Stream) Cancel(code wire.Code) {
	s.c.mu.Lock()
	s.cancelLocked(code)
	s.c.unlockAndFlush(false)
}

func (s *Stream) cancelLocked(code wire.Code) {
	if s.ended {
		return
	}
	c := s.c
	switch {
	case c.unsendLocked(s):
	case s.oneWay && s.left == nil:
		s.gone = true
	default:
		s.sayErrorLocked(nil, false)
	}
	s.dropInLocked()
	s.endLocked(failLocal(code, "canceled here"))
}

// pack makes of a payload what goes on the wire, and refuses what the peer does not take.
func (s *Stream) pack(payload, meta []byte) (msg []byte, zipped bool, err error) {
	peer := s.c.peer.Load()
	if n := len(payload); n > peer.MaxMessage {
		return nil, false, failLocal(wire.ResourceExhausted, fmt.Sprintf("a message of %d bytes, the peer takes at most %d", n, peer.MaxMessage))
	}
	if n, most := len(meta), min(peer.MaxMetadata, maxMeta); n > most {
		return nil, false, failLocal(wire.ResourceExhausted, fmt.Sprintf("metadata of %d bytes, the peer takes at most %d", n, most))
	}
	if !s.c.cfg.Compress || len(payload) < zipFrom || !slices.Contains(peer.Algorithms, wire.Deflate) {
		return payload, false, nil
	}
	a, _ := wire.AlgorithmOf(wire.Deflate)
	buf := &s.zipped
	*buf = a.Compress(append((*buf)[:0], byte(wire.Deflate)), payload)
	if len(*buf) >= len(payload) {
		return payload, false, nil
	}
	return *buf, true, nil
}

// maxMeta is what fits a frame beside the longest head.
const maxMeta = wire.MaxFrame - wire.MaxName - 32
