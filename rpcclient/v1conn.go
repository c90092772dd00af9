package rpcclient

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// outboxMax is how many bytes may wait to be written before callers wait in
// line instead.
const outboxMax = 1 << 20

// v1Conn is one socket that speaks version 1, and the calls in flight on it.
//
//	caller   exchange -> submit -> admitLocked -> flush      then waits for done
//	reader   read -> deliver -> settle -> done, flush
//	writer   write, on demand, for what a flush could not get rid of
//
// A conn goes through three states: open; retiring, when it takes no new calls
// but waits for the replies of those that are out; closed, when the socket is.
// It leaves when version 2 takes over: then what is in the outbox still goes out.
type v1Conn struct {
	endpoint
	cfg   *Config
	stats *counters
	sock  net.Conn
	try   socket.Writer // nil: this kind of socket can only be written by waiting

	writers sync.WaitGroup // the writer goroutine; the reader waits for it at its end

	// Of the reader alone.
	quiet bool      // no call was waiting when it last looked
	small [256]byte // takes the first bytes after a quiet time

	mu       sync.Mutex  // protects the fields below
	err      *failure    // why the conn is closed
	retiring *failure    // why it takes no new calls
	leaving  bool        // it does so of its own accord: the server has not ended anything
	linger   *time.Timer // closes the socket if the server does not
	pending  pending
	line     []*call // callers that wait for room, in order

	outbox   []byte // frames nobody has begun to write
	spare    []byte // the other buffer, while nobody writes from it
	rest     []byte // what the writer has to write before the outbox
	flushing bool   // somebody writes, or is about to
	watched  []*call
	// Positions in the stream of bytes this conn sends: the end of the outbox,
	// of what was handed to the socket, of what the socket took.
	filled, offered, taken uint64
	unproven               uint64 // the end of the newest cast that no reply to a later call has shown to be read; 0: none

	ours     bool // the server has shown that it is one of ours
	heard    byte // the version that its replies tell of, 0 before the first
	useful   bool // a reply came
	repaired bool // a repair was logged
	strayed  bool // a reply nobody waited for was logged
}

func newV1Conn(s *server, sock net.Conn) *v1Conn {
	c := &v1Conn{
		endpoint: s.endpoint(sock),
		cfg:      &s.client.cfg,
		stats:    &s.client.stats,
		sock:     sock,
		try:      socket.NewWriter(sock),
		quiet:    true,
	}
	var unique [4]byte
	rand.Read(unique[:])
	hex.Encode(c.pending.prefix[:], unique[:])
	return c
}

// exchange sends k and waits for the reply or, if k is a cast, until its bytes
// are gone. It returns a failure if neither came.
func (c *v1Conn) exchange(ctx context.Context, k *call) error {
	if err := c.submit(k); err != nil {
		return err
	}
	if stop := ctx.Done(); stop == nil {
		<-k.done
	} else {
		select {
		case <-k.done:
		case <-stop:
			if c.abandon(k) {
				return ended(ctx, k.doing())
			}
			<-k.done // the reader was faster and is about to send this
		}
	}
	return k.err
}

// submit puts k in line, and with luck its frame into the outbox and on its way.
func (c *v1Conn) submit(k *call) error {
	c.mu.Lock()
	if c.retiring != nil {
		k.mayHaveLeft = false
		err := c.retiring
		c.mu.Unlock()
		return err
	}
	k.err, k.mayHaveLeft, k.place = nil, false, waitsInLine
	k.queued, k.written, k.sent, k.received = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if len(c.line) == 0 && c.roomLocked() {
		c.admitLocked(k)
	} else {
		c.line = append(c.line, k) // full: the caller waits its turn, bounded by its context
	}
	lead, alone := c.leadLocked(), c.pending.waiting <= 1
	c.mu.Unlock()
	if lead {
		if !alone {
			c.gather()
		}
		c.flush()
	}
	return nil
}

func (c *v1Conn) roomLocked() bool {
	return c.pending.waiting < c.cfg.MaxInFlight && c.filled-c.taken < outboxMax
}

// admitLocked gives k its id and appends its frame to the outbox.
func (c *v1Conn) admitLocked(k *call) {
	if err := c.pending.add(k, c.cfg.RequestID != nil); err != nil {
		k.place, k.err = withCaller, err
		k.done <- struct{}{}
		return
	}
	k.place, k.first = inFlight, c.filled
	before := len(c.outbox)
	frame, at := wire.Begin(c.outbox, k.id, k.typ)
	c.outbox = wire.End(append(frame, k.payload...), at)
	c.filled += uint64(len(c.outbox) - before)
	k.last = c.filled
	c.stats.sent.Add(1)
	if k.trace != nil {
		k.queued = time.Now()
		k.frame = append([]byte(nil), c.outbox[before:]...)
	}
	if k.trace != nil || k.oneWay {
		c.watched = append(c.watched, k)
	}
}

// advanceLocked admits callers from the line while there is room.
func (c *v1Conn) advanceLocked() {
	n := 0
	for n < len(c.line) && c.roomLocked() {
		c.line[n].waited()
		c.admitLocked(c.line[n])
		n++
	}
	if n > 0 {
		clear(c.line[:n])
		if c.line = c.line[n:]; len(c.line) == 0 {
			c.line = nil
		}
	}
}

// abandon takes k back for a caller that waits no longer. False means that it
// is too late: done is about to be signalled.
func (c *v1Conn) abandon(k *call) bool {
	c.mu.Lock()
	switch k.place {
	case withCaller:
		c.mu.Unlock()
		return false
	case waitsInLine:
		k.inLine = true
		c.unqueueLocked(k)
	case inFlight:
		k.mayHaveLeft = !c.unsendLocked(k)
		c.takeLocked(k, abandoned)
		c.advanceLocked()
	}
	lead := c.leadLocked()
	last := c.doneRetiringLocked()
	c.mu.Unlock()
	if lead {
		c.flush()
	}
	if last {
		c.depart()
	}
	return true
}

func (c *v1Conn) unqueueLocked(k *call) {
	k.place = withCaller
	for i, other := range c.line {
		if other == k {
			c.line = slices.Delete(c.line, i, i+1) // clears the place behind, which would keep a call
			return
		}
	}
}

// unsendLocked takes k's frame out of the outbox again, if it is still there:
// what a caller has given up need not run. It reports whether it was.
func (c *v1Conn) unsendLocked(k *call) bool {
	start := c.filled - uint64(len(c.outbox))
	if k.first < start {
		return false
	}
	size := k.last - k.first
	c.outbox = slices.Delete(c.outbox, int(k.first-start), int(k.last-start))
	c.filled -= size
	for i := range c.pending.slots {
		if other := c.pending.slots[i].call; other != nil && other.first > k.first {
			other.first, other.last = other.first-size, other.last-size
		}
	}
	k.queued, k.frame = time.Time{}, nil
	c.stats.sent.Add(^uint64(0))
	return true
}

// takeLocked ends k's time in flight; the caller of takeLocked owns it then.
func (c *v1Conn) takeLocked(k *call, f fate) {
	c.pending.end(k, f)
	k.place = withCaller
	if k.trace == nil && !k.oneWay {
		return
	}
	for i, other := range c.watched {
		if other == k {
			c.watched = slices.Delete(c.watched, i, i+1)
			return
		}
	}
}

// describe adds this conn to the picture; live says that it takes the new calls.
func (c *v1Conn) describe(s *Stats, live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Pending += c.pending.waiting + len(c.line)
	if live {
		s.TLS = c.tls
		s.Remote, s.Protocol, s.Since, s.Ours = c.remote, protocolV1, c.since, c.ours
	}
}

// total does nothing: what passes here is counted as it passes.
func (c *v1Conn) total(*counters) {}

func (c *v1Conn) bytesIn() uint64 { return 0 } // nothing is asked here for a sign of life

func (c *v1Conn) most() int { return c.cfg.MaxInFlight }

func (c *v1Conn) enough() int { return c.cfg.Pool.PerConn }

func (c *v1Conn) version() string { return protocolV1 }

// tellsOf returns the version that the server's replies tell of, or 0.
func (c *v1Conn) tellsOf() byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

func (c *v1Conn) spent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retiring != nil
}

// isOurs reports whether the server has shown that it is one of ours.
func (c *v1Conn) isOurs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ours
}

// doing says where an abandoned call had got to.
func (k *call) doing() string {
	switch {
	case !k.mayHaveLeft:
		return "before anything was sent"
	case k.oneWay:
		return "while the cast was being sent"
	}
	return "while waiting for the reply"
}

// name takes an id of the user's own making.
func (k *call) name(id string) error {
	if len(id) > wire.MaxID {
		return fail(ErrTooLarge, ResourceExhausted, nil, "request id has %d bytes, the limit is %d", len(id), wire.MaxID)
	}
	if !utf8.ValidString(id) {
		return fail(ErrPayload, InvalidArgument, nil, "request id %s is not UTF-8", printable(id, 64))
	}
	if _, _, ok := wire.ParseMark([]byte(id)); ok {
		return fail(ErrPayload, InvalidArgument, nil, "request id %s reads as one of the client's own", printable(id, 64))
	}
	k.id = append(k.id[:0], id...)
	return nil
}
