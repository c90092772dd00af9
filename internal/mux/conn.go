package mux

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// Conn is one version 2 connection. Its methods may be called from any goroutine. It lives from Serve, whose caller is its reader,
// until Serve returns; what ends it ends all its streams.
type Conn struct {
	cfg     Config
	nc      net.Conn
	server  bool
	peer    atomic.Pointer[wire.Settings]
	writers sync.WaitGroup // the writer goroutine, counted; Serve waits for it
	pool    sync.Pool      // of *Stream

	in reader // the reader's own

	mu      sync.Mutex    // protects the fields below
	ready   chan struct{} // closed when the peer's SETTINGS have come; made when it is asked for
	err     error         // why the connection ends: nothing new is taken or enqueued
	parting bool          // what waits is still written, and the peer may close first
	mute    bool          // nothing more is written: the socket is closed or broken
	broke   error         // client: writing has failed, and the peer may have said why
	flushed chan struct{}

	streams  table
	lastID   uint32 // the newest stream
	running  int    // server: handed out and not Done
	slots    int    // server: of these and of those under way, what counts towards max streams
	line     []*Stream
	firsts   int            // client: bytes of first messages of open streams
	retired  *wire.Farewell // client: takes no new streams
	goneAway bool           // server: a GOAWAY has been sent, or waits for the magic
	bye      wire.Farewell  // server: what it said
	leaving  *leaving       // server: see Leave
	whenIdle bool           // closes when the last stream has ended
	idleAt   time.Time      // server: since when there has been no stream
	greeted  bool           // our SETTINGS are in the outbox

	numbers map[string]*numbering // client: of methods
	methods []method              // server: by number

	out      []byte // frames that nobody has begun to write
	spare    []byte // the other buffer, while nobody writes from it
	rest     []byte // what the writer has to write before out
	flushing bool   // somebody writes, or is about to
	crowded  bool   // more than MaxOutbox waits
	// Positions in the stream of bytes that we send: the end of the outbox, of what was handed to the socket, of what it took.
	filled, offered, taken uint64
	copied                 int             // bytes of long messages of which we hold a copy
	ring                   []*Stream       // with fragments that wait to enter
	credits                []*Stream       // with credit to give back
	watched                []*Stream       // whose first bytes somebody waits for, or traces
	crowd                  []chan struct{} // of those who wait for room in the outbox, or have given up
	surplus                *surplus        // nil while no more than ample waits to be written
	scratch, nameBuf       []byte

	held  int       // bytes of messages that came
	slow  []*Stream // with a message under way, longest waiting first
	batch batch
	churn churn
	pings *pings // nil until there is one
	stats counts
	note  note
	news  news
}

// news is what has to be told once the lock is free.
type news struct {
	drained bool
	retired *wire.Farewell
	log     string
}

// standard is what holds until the peer's SETTINGS come; usual is the same, after a peer has announced nothing else.
var standard, usual = wire.DefaultSettings(), wire.DefaultSettings()

// New makes a connection of a socket. It starts nothing and reads nothing: see Serve.
func New(nc net.Conn, cfg *Config) *Conn {
	c := &Conn{cfg: cfg.withDefaults(), nc: nc}
	c.server = c.cfg.Role == Server
	c.peer.Store(&standard)
	c.in.sock, c.in.waiter = socket.NewReader(nc, &c.in.dec), socket.NewWaiter(nc)
	return c
}

// Start sends a client's magic and SETTINGS. Call it once, before Serve and Open. Without SETTINGS it asks a peer what it speaks
// and no more: they follow when the peer's have come, and Open waits for that.
func (c *Conn) Start(withSettings bool) {
	c.mu.Lock()
	c.roomLocked()
	c.out = append(c.out, wire.Magic...)
	c.filled += uint64(len(wire.Magic))
	if withSettings {
		c.greetLocked()
	}
	c.unlockAndFlush(false)
}

// greetLocked sends our SETTINGS.
func (c *Conn) greetLocked() {
	c.greeted = true
	c.scratch = wire.AppendSettings(c.scratch[:0], &c.cfg.Settings)
	c.controlLocked(wire.KindSettings, 0, 0, c.scratch)
	if c.goneAway {
		c.sendGoAwayLocked()
	}
}

// Ready is closed when the peer's SETTINGS have come. It stays open if the connection ends before.
func (c *Conn) Ready() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready == nil {
		c.ready = make(chan struct{})
		if c.met() {
			close(c.ready)
		}
	}
	return c.ready
}

// Peer returns the peer's SETTINGS; until they have come, the defaults.
func (c *Conn) Peer() wire.Settings { return *c.peer.Load() }

// Close ends the connection and all its streams at once; the first reason given counts, and Serve returns it. nil means
// net.ErrClosed. It does not wait for Serve.
func (c *Conn) Close(reason error) {
	if reason == nil {
		reason = net.ErrClosed
	}
	c.mu.Lock()
	if c.err == nil {
		c.err = reason
	}
	c.parting = false
	tell := c.endAllLocked()
	c.muteLocked()
	c.unlock()
	c.nc.Close()
	for _, s := range tell {
		s.tell()
	}
}

// CloseWhenIdle ends the connection as soon as no stream is open: what was enqueued is written, and the peer gets a second to close
// first, so that nothing under way is lost. A server calls GoAway before.
func (c *Conn) CloseWhenIdle() {
	c.mu.Lock()
	c.whenIdle = true
	if !c.server && c.retired == nil {
		c.retireLocked(wire.Farewell{Last: c.lastID, Text: "closing"}, false)
	}
	c.changedLocked()
	c.unlock()
}

// GoAway, of a server, tells the client that no new streams are taken: they are refused from now on, and those that run go on. The
// Last of f is filled in. A second call says it again.
func (c *Conn) GoAway(f wire.Farewell) {
	c.mu.Lock()
	if !c.goneAway {
		f.Last = c.lastID
	} else {
		f.Last = c.bye.Last
	}
	c.goneAway, c.bye = true, f
	if c.greeted && c.err == nil {
		c.sendGoAwayLocked()
	}
	c.unlockAndFlush(false)
}

func (c *Conn) sendGoAwayLocked() {
	c.scratch = wire.AppendGoAway(c.scratch[:0], &c.bye)
	c.controlLocked(wire.KindGoAway, 0, 0, c.scratch)
}

// endLocked begins the end: nothing new is taken, what waits is still written, and the reader sees to the rest.
func (c *Conn) endLocked(err error) {
	if c.err == nil {
		c.err, c.parting = err, true
		c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader may be waiting for bytes
	}
}

// endAllLocked ends all streams, open or in line, with c.err. Those that it returns have to be told when the lock is free.
func (c *Conn) endAllLocked() (tell []*Stream) {
	c.failLineLocked(c.err)
	for s := range c.streams.all() {
		lost := &Lost{Cause: c.err, NotProcessed: !s.isServer && !s.leftLocked()}
		if s.isServer {
			s.dropInLocked()
		}
		raw := s.isServer && !s.handed
		if s.endLocked(lost) {
			tell = append(tell, s)
		}
		if raw {
			c.discardLocked(s)
		}
	}
	c.pings.fail()
	return tell
}

func (c *Conn) failLineLocked(err error) {
	for _, s := range c.line {
		s.ended, s.err = true, &Lost{Cause: err, NotProcessed: true}
		wake(s.recvWake)
	}
	c.line = nil
}

// muteLocked ends all writing.
func (c *Conn) muteLocked() {
	c.mute = true
	c.out, c.spare, c.rest = nil, nil, nil
	c.ring, c.credits, c.crowd, c.watched = nil, nil, nil, nil
	if c.surplus != nil {
		c.surplus.timer.Stop()
	}
	if c.flushed != nil {
		wake(c.flushed)
	}
}

// changedLocked looks what the end of a stream allows.
func (c *Conn) changedLocked() {
	if c.err != nil {
		return
	}
	c.advanceLocked()
	if c.streams.n > 0 || len(c.line) > 0 {
		return
	}
	if c.server {
		c.idleAt = time.Now()
	}
	if c.whenIdle {
		bye := wire.Farewell{}
		if c.retired != nil {
			bye = *c.retired
		}
		c.endLocked(retiredBy(bye))
	}
}

// retireLocked ends the taking of new streams, on a client.
func (c *Conn) retireLocked(f wire.Farewell, tell bool) {
	if c.retired != nil {
		return
	}
	c.retired, c.whenIdle = &f, true
	c.failLineLocked(retiredBy(f))
	if tell {
		c.news.retired = &f
	}
}

// unlock frees the lock and tells what happened under it.
func (c *Conn) unlock() {
	if c.news == (news{}) {
		c.mu.Unlock()
		return
	}
	n := c.news
	c.news = news{}
	c.mu.Unlock()
	if n.drained && c.cfg.Drained != nil {
		c.cfg.Drained()
	}
	if n.retired != nil && c.cfg.Retired != nil {
		c.cfg.Retired(*n.retired)
	}
	if n.log != "" && c.cfg.Log != nil {
		c.cfg.Log(n.log)
	}
}

// note limits what is logged to a line a second.
type note struct{ next time.Time }

func (c *Conn) logLocked(text string) {
	if c.cfg.Log == nil {
		return
	}
	if now := time.Now(); !now.Before(c.note.next) {
		c.note.next = now.Add(time.Second)
		c.news.log = text
	}
}
