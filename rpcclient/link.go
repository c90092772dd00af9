package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The pauses between dials that fail: each about twice the one before, never
// more than backoffMax, and shorter by up to half at random so that many clients
// do not come back in step.
const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 1500 * time.Millisecond
)

// link keeps a client connected. There is at most one connection that takes new
// calls and at most one keeper, the goroutine that dials; connections that only
// wait for their last replies may stand beside it.
type link struct {
	client *Client
	live   atomic.Pointer[conn] // the connection for new calls, or nil

	ctx    context.Context // ends with Close; dials hang on it, not on any caller
	cancel context.CancelFunc
	wg     sync.WaitGroup // the keeper, and each conn's reader

	mu       sync.Mutex // protects the fields below
	closed   bool
	conns    map[*conn]struct{}
	attempt  *attempt // a dial under way
	failures int      // in a row
	retryAt  time.Time
}

// attempt is one dial that any number of callers wait for. conn and err are set
// before done is closed.
type attempt struct {
	done chan struct{}
	conn *conn
	err  error
}

func (l *link) init(c *Client) {
	l.client = c
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.conns = make(map[*conn]struct{})
}

// conn returns the live connection or makes one. The first dial after a
// connection was lost starts at once; after failures the pause must be over.
// Callers who come meanwhile wait for the same dial, and share its error.
func (l *link) conn(ctx context.Context) (*conn, error) {
	if cn := l.live.Load(); cn != nil {
		return cn, nil
	}
	a, err := l.join()
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ended(ctx, "while connecting")
	}
}

// join returns the dial under way, or starts one.
func (l *link) join() (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if cn := l.live.Load(); cn != nil {
		done := make(chan struct{})
		close(done)
		return &attempt{done: done, conn: cn}, nil
	}
	if l.attempt == nil {
		l.attempt = &attempt{done: make(chan struct{})}
		l.wg.Add(1)
		go l.keep(l.attempt, time.Until(l.retryAt)) // the keeper: ends with its attempt, Close waits for it
	}
	return l.attempt, nil
}

// keep dials once, after the pause.
func (l *link) keep(a *attempt, pause time.Duration) {
	defer l.wg.Done()
	sock, err := l.dial(pause)
	l.mu.Lock()
	if l.closed && err == nil {
		sock.Close()
		err = errClosed
	}
	if err != nil {
		a.err = err
		l.failedLocked()
	} else {
		a.conn = l.adoptLocked(sock)
	}
	l.attempt = nil
	l.mu.Unlock()
	if a.conn != nil {
		l.client.cfg.Logger.Info("connected", "server", a.conn.remote)
		go a.conn.read() // ends when the socket does; Close waits for it
	}
	close(a.done)
}

func (l *link) dial(pause time.Duration) (net.Conn, error) {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			return nil, errClosed
		}
	}
	cfg, to := &l.client.cfg, l.client.target
	ctx, cancel := context.WithTimeout(l.ctx, cfg.DialTimeout)
	defer cancel()
	sock, err := cfg.Dialer(ctx, to.network, to.address)
	switch {
	case err == nil:
		return sock, nil
	case l.ctx.Err() != nil:
		return nil, errClosed
	}
	cfg.Logger.Warn("cannot connect", "server", to.text, "cause", printable(err.Error(), 200))
	return nil, fail(ErrConnect, Unavailable, err, "cannot connect: %s", reason(err, cfg.DialTimeout))
}

// adoptLocked makes a conn on a fresh socket the live one. Its reader has to be
// started.
func (l *link) adoptLocked(sock net.Conn) *conn {
	cn := newConn(l, sock)
	l.conns[cn] = struct{}{}
	l.client.stats.connects.Add(1)
	l.wg.Add(1)
	l.live.Store(cn)
	return cn
}

// retired is told by a conn that it takes no more calls.
func (l *link) retired(cn *conn) { l.live.CompareAndSwap(cn, nil) }

// ended is told by a conn that its socket is closed. A connection that died
// young without one reply counts as a dial that failed.
func (l *link) ended(cn *conn, useful bool) {
	l.mu.Lock()
	delete(l.conns, cn)
	if useful || time.Since(cn.since) > backoffMax {
		l.failures = 0
	} else if !l.closed {
		l.failedLocked()
	}
	l.mu.Unlock()
	l.wg.Done()
}

func (l *link) failedLocked() {
	pause := min(backoffMin<<min(l.failures, 10), backoffMax)
	pause -= rand.N(pause / 2)
	l.failures++
	l.retryAt = time.Now().Add(pause)
}

// close ends all connections and the keeper, and waits for them.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	conns := make([]*conn, 0, len(l.conns))
	for cn := range l.conns {
		conns = append(conns, cn)
	}
	l.mu.Unlock()
	l.cancel()
	for _, cn := range conns {
		cn.goodbye()
	}
	l.wg.Wait()
}

// describe fills in what the link knows.
func (l *link) describe(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for cn := range l.conns {
		cn.describe(s, cn == l.live.Load())
	}
	switch {
	case l.closed:
		s.State = Closed
	case s.Remote != "":
		s.State = Connected
	case l.attempt != nil:
		s.State, s.Attempt = Connecting, l.failures+1
	}
}

var errClosed = fail(ErrClosed, Canceled, nil, "the client is closed")

// reason says in plain words why a dial failed.
func reason(err error, limit time.Duration) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return fmt.Sprintf("unknown host %q", e.Name)
		}
		return fmt.Sprintf("looking up %q: %s", e.Name, e.Err)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused, nothing listens there"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Sprintf("no answer within %v", limit)
	case errors.Is(err, os.ErrNotExist):
		return "there is no such socket"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	return printable(err.Error(), 200)
}
