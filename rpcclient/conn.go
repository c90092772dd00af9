package rpcclient

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// conn is one connection to the server, as its server and the calls see it: v1Conn
// or v2Conn. Which version it speaks is its own affair.
type conn interface {
	// exchange sends k and waits for the reply or, if k is a cast, until its
	// bytes are gone. It returns a failure if neither came.
	exchange(ctx context.Context, k *call) error

	// read is the reader: it ends when the socket does, and when it has returned
	// nothing of the conn runs any more.
	read()

	// leave makes it take no new calls and go when the last one has ended.
	leave()

	// goodbye ends it for Close: at once, unless that could destroy a cast.
	goodbye()

	// abort ends it and all its calls at once.
	abort(why *failure)

	// describe adds it to the picture; live says that it takes the new calls.
	describe(s *Stats, live bool)

	// total adds what it has counted itself to the client's counters, at its end.
	total(n *counters)

	// bytesIn returns how much has come, as far as the version has a use for that.
	bytesIn() uint64

	// most returns how many calls it carries at once; more wait for a place.
	most() int

	// enough returns how many calls it carries before another connection is opened
	// beside it.
	enough() int

	// spent reports whether it takes no more calls.
	spent() bool

	// isOurs reports whether the server has shown that it is one of ours.
	isOurs() bool

	// version names what it speaks: "v1" or "v2".
	version() string

	whereabouts() *endpoint
}

// endpoint is what there is to know about a connection of either version.
type endpoint struct {
	server  *server
	remote  string // the address, as it goes into errors and traces
	since   time.Time
	tls     string      // its version, or ""
	expires time.Time   // when it has served its time; zero: never
	load    *load       // the calls it carries
	harmed  atomic.Bool // it ended otherwise than in peace
	pulse   *pulse      // of the rounds alone; nil before the first
}

func (e *endpoint) whereabouts() *endpoint { return e }

func (s *server) endpoint(sock net.Conn) endpoint {
	remote := s.label
	if network, _ := dialed(s.address); network == "tcp" && sock.RemoteAddr() != nil {
		remote = sock.RemoteAddr().String()
	}
	var expires time.Time
	if age := s.client.cfg.Pool.MaxAge; age > 0 {
		expires = time.Now().Add(age - age/10 + rand.N(age/5+1))
	}
	return endpoint{server: s, remote: remote, since: time.Now(), tls: tlsVersion(sock), expires: expires, load: new(load)}
}

// peaceful reports whether the server had a right to end the connection: it was
// done with it, or nothing was on it.
func (e *endpoint) peaceful(why *failure) bool {
	return why == errRetired || why == errMoved || (why.cause == io.EOF || why.cause == io.ErrUnexpectedEOF) && !e.harmed.Load()
}

// load counts the calls on a connection: those that ever began in its upper half,
// those that run in its lower one.
// It has a cache line to itself: every call writes to it.
type load struct {
	n atomic.Uint64
	_ [56]byte
}

// begin counts a call and returns how many there have been.
func (l *load) begin() uint32 { return uint32(l.n.Add(1<<32+1) >> 32) }
func (l *load) end()          { l.n.Add(^uint64(0)) }

// forget takes back the beginning of one that did not come to be sent.
func (l *load) forget() { l.n.Add(^uint64(1<<32 - 1)) }

func (l *load) running() int  { return int(uint32(l.n.Load())) }
func (l *load) begun() uint32 { return uint32(l.n.Load() >> 32) }
