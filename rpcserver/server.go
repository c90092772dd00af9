package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
)

// ErrServerClosed is what Serve and ListenAndServe return after Shutdown or Close was called.
var ErrServerClosed = errors.New("server closed")

// Server serves the services that were added to it. Make one with New; it is safe for concurrent use.
type Server struct {
	config   Config
	services atomic.Pointer[map[string]*service]
	pool     *pool
	pacer    *pacer          // nil: calls may come as fast as they do
	ctx      context.Context // parent of conn.casts
	values   context.Context // ctx without an end, parent of conn.own
	cancel   context.CancelCauseFunc
	draining chan struct{} // closed when the server begins to stop
	version  byte          // of the wire, the highest that it speaks
	started  time.Time
	count    counters

	catalogue *listing
	web       *http.Server
	unready   atomic.Bool // SetReady has said so
	cutting   sync.Once   // counts what is cut

	mu        sync.Mutex // protects the fields below; also held while services changes
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	addr      net.Addr
	stopping  bool
	drained   chan struct{} // closed when the server is stopping and its last connection has ended
	gone      bool          // drained is closed

	door       door
	doubts     hushes            // lines about callers that cannot be told
	failures   hushes            // lines about calls that failed
	rejections hushes            // lines about calls that package mux refused
	authFaults hush              // lines about the Authenticator's panics
	httpFaults hush              // lines about HTTP handlers that panicked
	middleware []Middleware      // the outermost first
	closed     map[string]uint64 // connections that ended, by reason
}

type counters struct {
	accepted, calls, failed, canceled, cut, panics, repaired atomic.Uint64

	refused refusedCounts
	spoken  [2]atomic.Int64 // connections that are open and speak version 1, and 2
	traffic mux.Traffic
}

// New makes a server without services. A nil cfg means the defaults; see Config. It starts nothing.
func New(cfg *Config) *Server {
	s := &Server{
		config:    cfg.withDefaults(),
		conns:     map[*conn]struct{}{},
		listeners: map[net.Listener]struct{}{},
		drained:   make(chan struct{}),
		draining:  make(chan struct{}),
		started:   time.Now(),
		version:   2,
		closed:    map[string]uint64{},
	}
	if s.config.V1Only {
		s.version = 1
	}
	s.services.Store(&map[string]*service{})
	s.pool = newPool(&s.config, func(c *Call) { c.conn.runQueued(c) })
	if s.config.Rate.PerSecond > 0 {
		s.pacer = newPacer(s.config.Rate)
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithValue(context.Background(), serverKey{}, s))
	s.web = newWeb(s)
	s.values = context.WithoutCancel(s.ctx)
	s.addBuiltIn()
	return s
}

// ListenAndServe listens on a TCP address, as in "localhost:8888", and calls Serve. A port that is taken is an error that says so
// and what to do; it wraps syscall.EADDRINUSE.
func (s *Server) ListenAndServe(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop that one, or take another port (port 0 takes a free one): %w", addr, err)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return s.serve(ln, nameOf(addr, ln.Addr()))
}

// nameOf returns the address that was asked for with the port that was got.
func nameOf(asked string, got net.Addr) string {
	host, _, err := net.SplitHostPort(asked)
	_, port, gotErr := net.SplitHostPort(got.String())
	if err != nil || gotErr != nil || host == "" {
		return got.String()
	}
	return net.JoinHostPort(host, port)
}

// Serve accepts connections until Shutdown or Close, and then returns ErrServerClosed; otherwise it returns the listener's
// error. It closes ln in the end, and may be called for several listeners at once.
func (s *Server) Serve(ln net.Listener) error { return s.serve(ln, ln.Addr().String()) }

func (s *Server) serve(ln net.Listener, name string) error {
	defer ln.Close()
	if !s.listening(ln) {
		return ErrServerClosed
	}
	defer s.forgetListener(ln)
	s.log(slog.LevelInfo, startedLine+name)
	if o := s.config.Observer; o != nil && o.Listening != nil {
		o.Listening(ln.Addr())
	}
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.open(nc)
		case s.isStopping():
			return ErrServerClosed
		case !passes(err):
			return fmt.Errorf("accept: %w", err)
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log(slog.LevelWarn, "cannot accept", slog.String("error", err.Error()), slog.Duration("again_in", pause))
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
		}
	}
}

// passes reports whether accepting may go well later: the process is out of files, or a peer left too early.
func passes(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

func (s *Server) listening(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listeners[ln] = struct{}{}
	s.addr = ln.Addr()
	return true
}

func (s *Server) forgetListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Addr returns the address of the last listener that Serve was called with, or nil.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// open starts the life of a connection.
func (s *Server) open(nc net.Conn) {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		nc.Close()
		return
	}
	g, why := s.enterLocked(nc)
	if why != admitted {
		s.mu.Unlock()
		s.turnAway(nc, g, why)
		return
	}
	c := newConn(s, nc)
	c.guest = g
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.count.accepted.Add(1)
	go c.serve() // ends when the connection is closed; drained tells Shutdown and Close
}

// forget is the last thing that a connection does.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.leftLocked(c)
	s.drainedLocked()
}

func (s *Server) drainedLocked() {
	if s.stopping && len(s.conns) == 0 && !s.gone {
		s.gone = true
		close(s.drained)
		s.pool.close() // nobody is left who could bring a call
	}
}

// Shutdown stops accepting and reading, lets the calls and streams that were read finish and be answered, and closes the connections;
// idle ones at once. Peers of version 2 are told at once and open nothing more. Handlers can see it coming: [Draining]. It returns nil when all of that
// is done. When ctx ends first it cuts what is left as Close does, without waiting for handlers; the error is the context's, and says how many calls
// were cut if there were any, as Stats.Cut does.
//
// A handler that calls it waits for itself: until ctx ends, or for ever. Let a goroutine call it, with a context that is not the handler's, and return.
func (s *Server) Shutdown(ctx context.Context) error {
	left := time.Duration(0)
	if due, ok := ctx.Deadline(); ok {
		left = max(time.Until(due), 0)
	}
	s.stop(func(c *conn) { c.stop(Stopping, left) })
	for _, done := range []<-chan struct{}{s.drained, s.pool.done} {
		select {
		case <-done:
		case <-ctx.Done():
			if n := s.cut(ErrDraining); n > 0 {
				return fmt.Errorf("%s cut: %w", someCalls(n, "was", "were"), context.Cause(ctx))
			}
			return context.Cause(ctx)
		}
	}
	s.cancel(ErrServerClosed)
	return nil
}

// Close closes listeners and connections at once and cancels the handlers' contexts. It waits until they have returned: a handler
// that does not heed its context holds it up, and one that calls Close waits for itself for ever: let it start a goroutine that does. It may be called
// after Shutdown and more than once; the error is nil.
func (s *Server) Close() error {
	s.cut(ErrServerClosed)
	<-s.drained
	<-s.pool.done
	return nil
}

// cut ends everything at once and returns how many calls were in flight, the first time.
func (s *Server) cut(cause error) (calls int) {
	s.cutting.Do(func() {
		calls = s.pool.inFlight() + s.parked()
		s.count.cut.Add(uint64(calls))
	})
	s.stop(func(c *conn) { c.cut(Cut, cause) })
	s.cancel(cause)
	return calls
}

// parked is how many calls wait for their peers to read.
func (s *Server) parked() (calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		calls += c.parked.n
		v := c.v2
		c.mu.Unlock()
		if v != nil {
			v.mu.Lock()
			calls += v.parked.n
			v.mu.Unlock()
		}
	}
	return calls
}

// stop ends the listeners and tells every connection how to end.
func (s *Server) stop(end func(*conn)) {
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.draining)
	}
	for ln := range s.listeners {
		ln.Close()
	}
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.drainedLocked()
	s.mu.Unlock()
	for _, c := range open {
		end(c)
	}
}

// ended counts a connection's end.
func (s *Server) ended(why Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed[string(why)]++
}

// Stats returns the counters. They are read one after the other, not all in the same instant.
func (s *Server) Stats() Stats {
	st := Stats{
		Accepted: s.count.accepted.Load(),
		Calls:    s.count.calls.Load(),
		Failed:   s.count.failed.Load(),
		Canceled: s.count.canceled.Load(),
		Cut:      s.count.cut.Load(),
		Panics:   s.count.panics.Load(),
		Repaired: s.count.repaired.Load(),
	}
	l := s.pool.load()
	st.Queued, st.Running, st.Streams, st.InFlight, st.Limit = l.queued, l.running, l.streams, l.inFlight, l.limit
	st.Refusals, st.Refused = s.count.refused.byReason()
	st.OpenV1, st.OpenV2 = int(s.count.spoken[0].Load()), int(s.count.spoken[1].Load())
	st.BytesIn, st.BytesOut = s.count.traffic.In.Load(), s.count.traffic.Out.Load()
	s.mu.Lock()
	st.Open, st.Closed = len(s.conns), maps.Clone(s.closed)
	s.mu.Unlock()
	return st
}
