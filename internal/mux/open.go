package mux

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Request is what a client opens a stream with.
type Request struct {
	Method     string
	Codec      wire.CodecID
	OneWay     bool          // a cast: nothing comes back, and End is implied
	Idempotent bool          // it may run twice
	NoMessage  bool          // Payload is no message; the stream's messages, if any, are sent later
	End        bool          // nothing follows
	Timeout    time.Duration // time left; 0 means no deadline. Time spent in line is taken off
	Meta       []byte        // a block of pairs, see wire.AppendField
	Payload    []byte        // the first message. The caller may change it again only after Stream.Release
	Trace      *Trace        // filled while the stream lives; read it with Stream.TakeTrace
}

// numbering is what a client knows of the number of a method.
type numbering struct {
	number uint8 // 0: sent by name
	named  bool  // an OPEN has told the server
	proven bool  // a message came back: the server knows the method, so it keeps the number
}

// errSent ends a cast of which all bytes have left.
var errSent = io.EOF

// Open starts a stream, on a client. While the peer's streams, or ours, are all in use, more than MaxOutbox waits to be written, or what
// open streams have brought is as much as a server may hold, it waits in line, bounded by ctx alone; it never waits for the network. It fails with ctx's error, with a *Lost that says
// NotProcessed, or with a *Failure for what the peer would not take. Whoever gets a stream owes it a Release.
func (c *Conn) Open(ctx context.Context, r *Request) (*Stream, error) {
	if n := len(r.Method); n == 0 || n > wire.MaxName {
		return nil, failLocal(wire.InvalidArgument, fmt.Sprintf("a method's name has 1 to %d bytes, not %d", wire.MaxName, n))
	}
	s := newStream(c)
	payload, meta := r.Payload, r.Meta
	if r.NoMessage {
		payload = nil
	}
	msg, zipped, err := s.pack(payload, meta)
	if err != nil {
		s.recycle()
		return nil, err
	}
	if zipped { // what follows must not overwrite it
		s.compressed, s.zipped = s.zipped, s.compressed
		msg = s.compressed
	}
	s.request, s.first, s.opening, s.weight = r, math.MaxUint64, opening{msg, zipped}, len(payload)
	c.mu.Lock()
	if err := c.shutLocked(); err != nil {
		c.mu.Unlock()
		s.recycle()
		return nil, err
	}
	if len(c.line) == 0 && c.vacantLocked() && s.lightLocked() {
		s.admitLocked()
		c.gatherAndFlush(false)
		return s, nil
	}
	if r.Timeout > 0 {
		s.deadline = time.Now().Add(r.Timeout)
	}
	c.line = append(c.line, s) // full: the caller waits its turn
	c.advanceLocked()
	c.unlockAndFlush(false)
	return s.queue(ctx)
}

// queue waits until it is s's turn.
func (s *Stream) queue(ctx context.Context) (*Stream, error) {
	c := s.c
	for {
		err := await(ctx, s.recvWake)
		c.mu.Lock()
		switch {
		case s.request == nil: // it has its id
			c.unlockAndFlush(false)
			return s, nil
		case s.ended:
			err = s.err
		case err == nil:
			c.mu.Unlock()
			continue
		default:
			c.line = without(c.line, s)
		}
		c.changedLocked()
		c.unlockAndFlush(false)
		s.recycle()
		return nil, err
	}
}

// shutLocked says why no stream can be opened here any more.
func (c *Conn) shutLocked() error {
	switch {
	case c.err != nil:
		return &Lost{Cause: c.err, NotProcessed: true}
	case c.broke != nil:
		return &Lost{Cause: c.broke, NotProcessed: true}
	case c.retired != nil:
		return &Lost{Cause: retiredBy(*c.retired), NotProcessed: true}
	}
	return nil
}

// vacantLocked reports whether one more stream may be opened.
func (c *Conn) vacantLocked() bool {
	return c.greeted && !c.crowded && c.streams.n < min(c.peer.Load().MaxStreams, c.cfg.Settings.MaxStreams) && c.shutLocked() == nil
}

// lightLocked reports whether s asks the server to hold little more than it does, by its size or because that is little. Without this
// the server would refuse what comes when it holds enough; here it waits.
func (s *Stream) lightLocked() bool {
	return s.weight <= wire.FragmentSize || s.c.firsts < maxFirst
}

// advanceLocked admits those in line while there is room, in their order but for light ones, which pass those that are not.
func (c *Conn) advanceLocked() {
	for i := 0; i < len(c.line) && c.vacantLocked(); {
		s := c.line[i]
		if !s.lightLocked() {
			i++
			continue
		}
		if c.line = slices.Delete(c.line, i, i+1); len(c.line) == 0 {
			c.line = nil
		}
		s.admitLocked()
		c.wakeLocked(s.recvWake)
	}
}

// opening is the first message as it goes out, while its stream waits in line.
type opening struct {
	msg    []byte
	zipped bool
}

// admitLocked gives s its id and sends OPEN.
func (s *Stream) admitLocked() {
	c, r, o := s.c, s.request, s.opening
	s.request, s.opening = nil, opening{}
	c.lastID++
	s.id, s.oneWay = c.lastID, r.OneWay
	s.credit = c.peer.Load().Window
	s.localEnd = r.End || r.OneWay
	c.firsts += s.weight
	h := wire.OpenHead{Codec: r.Codec, OneWay: r.OneWay, Idempotent: r.Idempotent, NoMessage: r.NoMessage, Timeout: r.Timeout}
	if !s.deadline.IsZero() {
		h.Timeout = max(time.Until(s.deadline), time.Millisecond)
	}
	c.nameLocked(s, r.Method, &h)
	flags := wire.Flags(0)
	if s.localEnd {
		flags |= wire.FlagEnd
	}
	if o.zipped {
		flags |= wire.FlagCompressed
	}
	s.first = c.filled
	if s.trace = r.Trace; s.trace != nil {
		*s.trace = Trace{Queued: time.Now()}
	}
	c.streams.add(s)
	c.scratch = wire.AppendOpen(c.scratch[:0], &h)
	s.putLocked(wire.KindOpen, flags, c.scratch, r.Meta, o.msg)
	if s.left == nil {
		s.lastByte = c.filled
	}
	if s.oneWay || s.trace != nil {
		c.watchLocked(s)
	}
	if s.id == wire.MaxStreamID {
		c.retireLocked(wire.Farewell{Last: s.id, Text: "stream ids used up"}, true)
	}
}

// nameLocked names the method: by its number if the server has been told that, and with a number to keep if one is free.
func (c *Conn) nameLocked(s *Stream, name string, h *wire.OpenHead) {
	n := c.numbers[name]
	if n == nil && len(c.numbers) < math.MaxUint8 {
		if c.numbers == nil {
			c.numbers = make(map[string]*numbering)
		}
		n = &numbering{number: uint8(len(c.numbers) + 1)}
		c.numbers[name] = n
	}
	if s.numbering = n; n != nil {
		h.Number = n.number
	}
	if n == nil || n.number == 0 || !n.named {
		c.nameBuf = append(c.nameBuf[:0], name...)
		h.Name = c.nameBuf
		s.naming = h.Number > 0
	}
	if n != nil {
		n.named = true
	}
}

// watchLocked has s stamped when its first message has left.
func (c *Conn) watchLocked(s *Stream) {
	if !s.isWatched {
		s.isWatched = true
		c.watched = append(c.watched, s)
	}
}

func (c *Conn) unwatch(s *Stream) {
	if s.isWatched {
		s.isWatched = false
		c.watched = without(c.watched, s)
	}
}

// Written waits until the bytes of a client's first message have left. Then a cast has ended; nothing more is known of it.
func (s *Stream) Written(ctx context.Context) error {
	c := s.c
	for {
		c.mu.Lock()
		switch lost, isLost := s.err.(*Lost); {
		case s.lastByte > 0 && s.lastByte <= c.taken:
			c.mu.Unlock()
			return nil
		case isLost:
			c.mu.Unlock()
			return lost
		case s.ended:
			err := s.err
			c.mu.Unlock()
			if f, ok := err.(*Failure); ok && f.Local {
				return f
			}
			return nil // who answers has read it
		}
		c.watchLocked(s)
		c.unlockAndFlush(false)
		if err := await(ctx, s.sendWake); err != nil {
			return err
		}
	}
}

// unsendLocked takes a stream's OPEN out of the outbox again: what its caller has given up need not run. It reports whether it was
// still there, alone, and nothing that came later depends on it.
func (c *Conn) unsendLocked(s *Stream) bool {
	start := c.filled - uint64(len(c.out))
	if s.isServer || s.naming || s.gone || c.mute || s.lastByte == 0 || s.first < start || s.sent > 1 {
		return false
	}
	from, to := int(s.first-start), int(s.lastByte-start)
	c.out = append(c.out[:from], c.out[to:]...)
	size := s.lastByte - s.first
	c.filled -= size
	for other := range c.streams.all() {
		if other.first > s.first && other.first != math.MaxUint64 {
			other.first -= size
		}
		if other.lastByte > s.first { // also of a long message that began before
			other.lastByte -= size
		}
	}
	s.first, s.lastByte = math.MaxUint64, 0
	c.easeLocked()
	if s.trace != nil {
		s.trace.Queued, s.trace.Out, s.trace.BytesOut = time.Time{}, nil, 0
	}
	return true
}
