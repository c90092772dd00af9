package mux

import (
	"io"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Stream is one call, cast or stream of messages. One goroutine may receive while another sends; no more than one each, and no
// method may run when, or after, Done or Release is called: the stream is then used again for another.
type Stream struct {
	c *Conn

	// Slots of one: whoever waits looks again. They outlive the stream, so a wake-up may come for nothing.
	recvWake, sendWake chan struct{}

	// Set before anybody else has the stream.
	id         uint32
	head       wire.OpenHead
	method     any
	name       string
	nameBytes  []byte
	meta       []byte
	numbering  *numbering // client: of the method
	request    *Request   // client: until it has its id
	opening    opening
	weight     int // client: bytes of the first message, until the stream has ended
	isServer   bool
	oneWay     bool
	batch      uint64 // server: the read that brought it
	compressed []byte // client: the first message as it goes out, if compressed
	zipped     []byte // the sender's own: the message it sends, compressed

	// The consumer's own.
	hand inbox
	next int // of hand.items
	at   int // in hand.buf
	owed int // credit for what was taken since the last time we told the reader's side

	unread bool // server: First is taking OPEN's message, and nobody has run yet

	// Protected by c.mu.
	in        inbox
	inCost    int // of whole messages in in
	handCost  int // of hand
	inflated  int // of the message that the consumer works on, if it came compressed
	partCost  int // of the message under way
	part      part
	spent     int  // bytes that the peer has used of the window it was given
	due       int  // of these, what goes back with the next CREDIT
	owing     bool // is in c.credits
	remoteEnd bool // the peer's END came
	ended     bool // finished by the peer, by us as a client, or with the connection: err says how
	err       error
	noSend    error // what Send says from then on

	credit   int    // bytes we may send before we wait; may be below zero by one message
	localEnd bool   // our END is in the outbox, or waits behind what is left
	left     []byte // of a long message, what has not entered the outbox yet
	leftCopy []byte // our own copy of that, if left points into it
	leftEnd  bool   // END goes with its last fragment
	last     final

	ready     bool // server: Opened is about to be called
	handed    bool // server: and was, or is in this moment
	slot      bool // server: counts towards max streams
	over      bool // Done or Release was called; recycled when nothing of it is left
	calling   bool // onEnd runs
	onEnd     func(error)
	first     uint64 // position of the first byte of OPEN in what we send
	lastByte  uint64 // the end of OPEN's last frame; 0 while that is not in the outbox
	sent      int    // frames that have entered the outbox
	naming    bool   // OPEN names the number by which others go
	gone      bool   // OPEN's bytes were handed to the socket, or cannot be taken back
	trace     *Trace
	isWatched bool
	deadline  time.Time // client: of a request that had to wait in line
}

// part is a message under way to us.
type part struct {
	active, free, zipped bool
	meta, size, charge   int
	listed               bool      // in c.slow
	mark                 time.Time // when it last had brought enough
	since                int       // bytes since then
}

// final is the last message of a server that could not be sent at once.
type final struct {
	set, zipped, none bool
	meta, payload     []byte
}

// newStream returns an empty stream. Streams are pooled by connection, because a channel belongs to the place where it was made: a
// test's bubble does not share them.
func newStream(c *Conn) *Stream {
	s, ok := c.pool.Get().(*Stream)
	if !ok {
		s = &Stream{recvWake: make(chan struct{}, 1), sendWake: make(chan struct{}, 1)}
	}
	s.c = c
	s.isServer = c.server
	return s
}

// recycle gives s back. Nothing may refer to it any more but wake-ups on their way.
func (s *Stream) recycle() {
	c := s.c
	s.in.reset()
	s.hand.reset()
	for _, b := range []*[]byte{&s.meta, &s.nameBytes, &s.leftCopy, &s.compressed, &s.zipped} {
		if cap(*b) > keepBuffer {
			*b = nil
		}
	}
	kept := [...][]byte{s.meta[:0], s.nameBytes[:0], s.leftCopy[:0], s.compressed[:0], s.zipped[:0]}
	recvWake, sendWake, in, hand := s.recvWake, s.sendWake, s.in, s.hand
	*s = Stream{} // in place: a composite of the old fields would be built beside it and copied
	s.recvWake, s.sendWake, s.in, s.hand = recvWake, sendWake, in, hand
	s.meta, s.nameBytes, s.leftCopy, s.compressed, s.zipped = kept[0], kept[1], kept[2], kept[3], kept[4]
	c.pool.Put(s)
}

// wake fills a slot; a full one already says all.
func wake(slot chan struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

// ID returns the stream's number on its connection.
func (s *Stream) ID() uint32 { return s.id }

// Method returns, on a server, what Lookup said; nil when nothing serves the method, or its number was never named: the answer
// to that is not_found, for this stream alone.
func (s *Stream) Method() any { return s.method }

// MethodName returns the method's name as the client wrote it, untrusted; "" for a number that was never named.
func (s *Stream) MethodName() string {
	if s.name == "" {
		return string(s.nameBytes)
	}
	return s.name
}

// Head returns what stood in OPEN; its Name is not kept, see MethodName. It is valid until Done or Release.
func (s *Stream) Head() *wire.OpenHead { return &s.head }

// Meta returns the metadata of OPEN, a block for wire.Fields. It is valid until Done or Release.
func (s *Stream) Meta() []byte { return s.meta }

// MayHaveLeft reports whether any byte of a client's stream was handed to the socket. Once the stream has ended, false is for good.
func (s *Stream) MayHaveLeft() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.leftLocked()
}

func (s *Stream) leftLocked() bool { return s.gone || s.first < s.c.offered }

// OnEnd, on a server, has f called once when the peer cancels or the connection ends before we have finished: from another
// goroutine and with no lock held, or at once if that has happened already. f gets a *Failure or a *Lost, and must not call Done;
// Done waits for it. nil takes it back.
func (s *Stream) OnEnd(f func(error)) {
	s.c.mu.Lock()
	if !s.ended || f == nil {
		s.onEnd = f
		s.c.mu.Unlock()
		return
	}
	err := s.err
	s.c.mu.Unlock()
	f(err)
}

// endLocked notes how the stream ended, once, takes it out of everything but the hands of its owner, and wakes that. It reports
// whether tell has to be called, with no lock held. A stream that its owner has given back is recycled.
func (s *Stream) endLocked(err error) (tells bool) {
	if s.ended {
		return false
	}
	c := s.c
	s.ended, s.err, s.noSend = true, err, err
	if f, ok := err.(*Failure); !s.isServer && (err == io.EOF || ok && !f.Local) {
		s.noSend = io.EOF
	}
	c.streams.remove(s)
	c.firsts -= s.weight
	s.weight = 0
	s.dropPartLocked()
	s.dropOutLocked()
	s.forgetCreditLocked()
	c.changedLocked()
	c.wakeLocked(s.recvWake)
	c.wakeLocked(s.sendWake)
	s.calling = s.onEnd != nil && !s.localEnd
	tells = s.calling
	s.settleLocked()
	return tells
}

// tell calls what OnEnd was given.
func (s *Stream) tell() {
	c := s.c
	c.mu.Lock()
	f, err := s.onEnd, s.err
	c.mu.Unlock()
	if f != nil {
		f(err)
	}
	c.mu.Lock()
	s.calling, s.onEnd = false, nil
	wake(s.recvWake)
	c.mu.Unlock()
}

// dropInLocked lets go of messages that nobody will take.
func (s *Stream) dropInLocked() {
	s.dropPartLocked()
	s.c.held -= s.inCost
	s.inCost = 0
	s.in.reset()
}

// dropPartLocked lets go of a message under way.
func (s *Stream) dropPartLocked() {
	s.c.held -= s.partCost
	s.partCost = 0
	s.in.buf = s.in.buf[:s.in.whole]
	s.unlistLocked()
	s.part = part{}
}

// dropOutLocked lets go of what has not entered the outbox.
func (s *Stream) dropOutLocked() {
	if s.left != nil {
		s.c.leaveRing(s)
	}
	n := len(s.leftCopy) + len(s.last.payload) + len(s.last.meta)
	s.left, s.leftCopy, s.last = nil, s.leftCopy[:0], final{}
	if n > 0 {
		s.c.copiedLocked(-n)
	}
}

// Done gives a server's stream back; its handler has returned. A stream that was not finished is answered with an internal error.
// It frees the slot, which a cancelled stream keeps until now.
func (s *Stream) Done() {
	c := s.c
	c.mu.Lock()
	quiet := c.flushesSoonLocked(s)
	for s.calling {
		c.mu.Unlock()
		<-s.recvWake
		c.mu.Lock()
	}
	if !s.ended && !s.localEnd {
		if s.oneWay {
			s.localEnd = true
			s.outDoneLocked()
		} else {
			s.failLocked(&wire.Error{Code: wire.Internal, Message: "no answer"}, false)
		}
	}
	s.onEnd = nil
	s.over = true
	c.running--
	s.freeSlotLocked()
	s.returnLocked()
	s.dropInLocked()
	s.settleLocked()
	c.unlockAndFlush(quiet)
}

// Release gives a client's stream back, cancelled if it was not finished.
func (s *Stream) Release() {
	c := s.c
	c.mu.Lock()
	s.cancelLocked(wire.Canceled)
	s.over = true
	s.returnLocked()
	s.dropInLocked()
	s.trace = nil
	c.unwatch(s)
	s.settleLocked()
	c.unlockAndFlush(false)
}

// settleLocked recycles a stream that its owner has given back and that has nothing left to send.
func (s *Stream) settleLocked() {
	if s.over && (s.ended || s.localEnd && !s.unsentLocked()) {
		s.recycle()
	}
}

// unsentLocked reports whether something of s has not entered the outbox.
func (s *Stream) unsentLocked() bool { return s.left != nil || s.last.set }

func (s *Stream) freeSlotLocked() {
	if s.slot {
		s.slot = false
		s.c.slots--
	}
}
