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
// calls, at most one keeper, the goroutine that dials for them, and at most one
// climber, which dials for version 2; connections that only wait for their last
// replies may stand beside them.
type link struct {
	client *Client
	live   atomic.Pointer[conn] // the connection for new calls, or nil

	ctx    context.Context // ends with Close; dials hang on it, not on any caller
	cancel context.CancelFunc
	wg     sync.WaitGroup // the keeper, the climber, and each conn's reader

	mu       sync.Mutex // protects the fields below
	closed   bool
	conns    map[conn]bool // true: it has been the live one
	attempt  *attempt      // a dial under way
	climb    *attempt      // one for a version 2 connection beside what is live
	failures int           // in a row
	retryAt  time.Time
	memory   memory
}

// attempt is one dial that any number of callers wait for. conn and err are set
// before done is closed.
type attempt struct {
	done chan struct{}
	conn conn
	err  error
}

func (l *link) init(c *Client) {
	l.client = c
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.conns = make(map[conn]bool)
}

// conn returns the live connection or makes one. The first dial after a
// connection was lost starts at once; after failures the pause must be over.
// Callers who come meanwhile wait for the same dial, and share its error.
func (l *link) conn(ctx context.Context) (conn, error) {
	if cn := l.live.Load(); cn != nil {
		return *cn, nil
	}
	l.mu.Lock()
	a, err := l.joinLocked()
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.wait(ctx)
}

func (a *attempt) wait(ctx context.Context) (conn, error) {
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ended(ctx, "while connecting")
	}
}

// reached is an attempt that is over before it began.
func reached(cn conn) *attempt {
	a := &attempt{done: make(chan struct{}), conn: cn}
	close(a.done)
	return a
}

// joinLocked returns the dial under way, or starts one.
func (l *link) joinLocked() (*attempt, error) {
	if l.closed {
		return nil, errClosed
	}
	if cn := l.live.Load(); cn != nil {
		return reached(*cn), nil
	}
	if l.attempt == nil {
		l.attempt = &attempt{done: make(chan struct{})}
		l.wg.Add(1)
		go l.keep(l.attempt, time.Until(l.retryAt)) // the keeper: ends with its attempt, Close waits for it
	}
	return l.attempt, nil
}

// keep connects once, after the pause.
func (l *link) keep(a *attempt, pause time.Duration) {
	defer l.wg.Done()
	cn, err := l.connect(pause)
	var surplus conn
	l.mu.Lock()
	switch live := l.live.Load(); {
	case err != nil:
		a.err = err
		l.failedLocked()
	case live != nil: // version 2 came up meanwhile
		a.conn, surplus = *live, cn
	default:
		a.conn = cn
		l.client.stats.connects.Add(1)
		l.adoptLocked(cn)
	}
	l.attempt = nil
	l.mu.Unlock()
	if surplus != nil {
		surplus.leave()
	} else if err == nil {
		l.client.cfg.Logger.Info("connected", "server", cn.whereabouts().remote)
	}
	close(a.done)
}

// connect dials and starts the conversation: in version 2 where that is demanded
// or remembered, else in version 1. Where memory is wrong it costs one connection,
// and no call.
func (l *link) connect(pause time.Duration) (conn, error) {
	sock, err := l.dial(pause)
	if err != nil {
		return nil, err
	}
	if l.client.cfg.Protocol == V2 {
		cn := newV2Conn(l, sock)
		return cn, l.start(cn, cn.open)
	}
	if l.remembersV2() {
		cn := newV2Conn(l, sock)
		err := l.start(cn, cn.greet)
		if err == nil || err == error(errClosed) {
			return cn, err
		}
		l.mu.Lock()
		l.memory.learn(1) // another program, perhaps: if that claims to speak version 2, it is asked
		l.mu.Unlock()
		if sock, err = l.dial(0); err != nil {
			return nil, err
		}
	}
	cn := newV1Conn(l, sock)
	return cn, l.start(cn, nil)
}

// start sets a conn's reader to work and says the first words on it.
func (l *link) start(cn conn, first func() error) error {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.conns[cn] = false
	}
	l.mu.Unlock()
	l.wg.Add(1)
	go cn.read() // ends when the socket does; Close waits for it
	if closed {
		cn.goodbye()
		return errClosed
	}
	if first != nil {
		return first()
	}
	return nil
}

func (l *link) remembersV2() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client.cfg.mayClimb() && l.memory.speaks() == 2
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

// adoptLocked makes a conn the live one, unless that has taken its leave already.
func (l *link) adoptLocked(cn conn) {
	if _, ok := l.conns[cn]; ok {
		l.conns[cn] = true
	}
	l.live.Store(&cn)
	if cn.spent() {
		l.retired(cn)
	}
}

// retired is told by a conn that it takes no more calls.
func (l *link) retired(cn conn) {
	if live := l.live.Load(); live != nil && *live == cn {
		l.live.CompareAndSwap(live, nil)
	}
}

// ended is told by a conn that its socket is closed. A connection that died
// young without one reply counts as a dial that failed.
func (l *link) ended(cn conn, useful bool) {
	l.mu.Lock()
	adopted := l.conns[cn]
	delete(l.conns, cn)
	cn.total(&l.client.stats)
	if !adopted {
		// a version 2 connection that never came to anything, or one too many
	} else if useful || time.Since(cn.whereabouts().since) > backoffMax {
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

// close ends all connections, the keeper and the climber, and waits for them.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	conns := make([]conn, 0, len(l.conns))
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

// describe fills in what the link and its connections know.
func (l *link) describe(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client.stats.describe(s)
	live := l.live.Load()
	for cn := range l.conns {
		cn.describe(s, live != nil && cn == *live)
	}
	switch {
	case l.closed:
		s.State = Closed
	case s.Remote != "":
		s.State = Connected
	case l.attempt != nil || l.climb != nil && live == nil:
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
