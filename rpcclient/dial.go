package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
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

// attempt is one dial that any number of callers wait for. conn and err are set
// before done is closed.
type attempt struct {
	done  chan struct{}
	spare bool // beside connections that are open
	old   conn // the one that it replaces, or nil
	conn  conn
	err   error
}

func (a *attempt) wait(ctx context.Context) (conn, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "before anything was sent")
	}
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ended(ctx, "while connecting")
	}
}

// joinLocked returns the dial under way, or starts one. The first dial after a
// connection was lost starts at once; after failures the pause must be over.
func (s *server) joinLocked() (*attempt, error) {
	if s.closed {
		return nil, s.over()
	}
	if cn := s.live(); cn != nil {
		return s.arrived(cn), nil
	}
	if s.attempt == nil {
		s.dialLocked(&attempt{})
	}
	return s.attempt, nil
}

// arrived is an attempt that is over before it began.
func (s *server) arrived(cn conn) *attempt {
	a := &attempt{done: make(chan struct{}), conn: cn}
	close(a.done)
	return a
}

// dialLocked sets the keeper to work.
func (s *server) dialLocked(a *attempt) {
	a.done = make(chan struct{})
	s.attempt = a
	s.client.fleet.wg.Add(1)
	pause := time.Until(s.retryAt)
	if !a.spare { // a server may take connections and send them away at once
		pause = max(pause, time.Until(s.adopted.Add(backoffMin)))
	}
	go s.keep(a, pause) // the keeper: ends with its attempt, Close waits for it
}

// wake begins to connect, if nothing else does.
func (s *server) wake() {
	if s.open.Load() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.joinLocked() // whoever needs the outcome waits for it
}

// keep connects once, after the pause. Where others depend on it, it begins anew.
func (s *server) keep(a *attempt, pause time.Duration) {
	defer s.client.fleet.wg.Done()
	cn, err := s.connect(pause)
	var surplus conn
	s.mu.Lock()
	switch open := s.openConns(); {
	case err != nil:
		a.err = err
		s.failedLocked(err)
	case a.old == nil && !s.roomLocked(a, cn, open): // version 2 came up meanwhile, say
		a.conn, surplus = open[0], cn
	default:
		a.conn = cn
		s.adoptLocked(cn)
		surplus = a.old
	}
	s.attempt = nil
	if s.wantsLocked() {
		s.dialLocked(&attempt{spare: s.open.Load() != nil})
	}
	s.mu.Unlock()
	if surplus != nil {
		surplus.leave()
	}
	if err == nil && surplus != cn {
		s.client.cfg.Logger.Info("connected", "server", cn.whereabouts().remote)
	}
	close(a.done)
	s.client.fleet.heard(s, a)
}

// wantsLocked reports whether the keeper goes on without being asked: for a server
// that cannot be reached while there are others, so that it is back soon and no
// call has to find that out; and for the connections of Pool.Min.
func (s *server) wantsLocked() bool {
	if s.closed || s.attempt != nil {
		return false
	}
	n := len(s.openConns())
	return n < s.client.cfg.Pool.Min || n == 0 && s.failures > 0 && s.client.fleet.several()
}

// connect dials and starts the conversation: in version 2 where that is demanded
// or remembered, else in version 1. Where memory is wrong it costs one connection,
// and no call.
func (s *server) connect(pause time.Duration) (conn, error) {
	sock, err := s.dial(pause)
	if err != nil {
		return nil, err
	}
	mute := s.isMute()
	if s.client.cfg.Protocol == V2 && !mute {
		cn := newV2Conn(s, sock)
		return cn, s.start(cn, cn.open)
	}
	if v2 := s.client.cfg.Protocol == V2 || s.remembersV2(); v2 && mute {
		cn := newV2Conn(s, sock)
		return cn, s.start(cn, cn.rouse)
	} else if v2 {
		cn := newV2Conn(s, sock)
		err := s.start(cn, cn.greet)
		if err == nil || err == s.over() {
			return cn, err
		}
		s.mu.Lock()
		s.memory.learn(1) // another program, perhaps: if that claims to speak version 2, it is asked
		s.mu.Unlock()
		if sock, err = s.dial(0); err != nil {
			return nil, err
		}
	}
	cn := newV1Conn(s, sock)
	if err := s.start(cn, nil); err != nil || !mute {
		return cn, err
	}
	if err := s.hear(cn); err != nil {
		cn.leave()
		return nil, err
	}
	return cn, nil
}

// errMute is the failure of a dial to a server that was lost in silence and is
// not back yet: the system that it runs on takes connections for it.
var errMute = fail(ErrConnect, Unavailable, nil, "cannot connect: it takes connections and does not answer")

// isMute reports whether a new connection is of use only when it is answered.
// Where there is no other server the calls find out.
func (s *server) isMute() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mute && s.client.fleet.several()
}

// start sets a conn's reader to work and says the first words on it.
func (s *server) start(cn conn, first func() error) error {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.conns[cn] = false
	}
	s.client.fleet.wg.Add(1)
	s.mu.Unlock()
	go cn.read() // ends when the socket does; Close waits for it
	if closed {
		cn.goodbye()
		return s.over()
	}
	if first != nil {
		return first()
	}
	return nil
}

func (s *server) dial(pause time.Duration) (net.Conn, error) {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return nil, s.over()
		}
	}
	if s.client.fleet.dials.take(s.ctx, s) != nil {
		return nil, s.over()
	}
	defer s.client.fleet.dials.give(s)
	cfg := &s.client.cfg
	ctx, cancel := context.WithTimeout(s.ctx, cfg.DialTimeout)
	defer cancel()
	network, address := dialed(s.address)
	sock, err := cfg.Dialer(ctx, network, address)
	switch {
	case err == nil:
		return s.secure(ctx, sock)
	case s.ctx.Err() != nil:
		return nil, s.over()
	}
	cfg.Logger.Warn("cannot connect", "server", s.label, "cause", printable(err.Error(), 200))
	return nil, fail(ErrConnect, Unavailable, err, "cannot connect: %s", reason(err, cfg.DialTimeout))
}

// secure makes a fresh socket into a TLS connection, if there is to be one.
func (s *server) secure(ctx context.Context, sock net.Conn) (net.Conn, error) {
	safe, err := s.client.cfg.secure(ctx, sock, s.address, s.client.target.host)
	switch {
	case err == nil:
		return safe, nil
	case s.ctx.Err() != nil:
		return nil, s.over()
	}
	s.client.cfg.Logger.Warn("cannot connect", "server", s.label, "cause", printable(err.Error(), 200))
	return nil, err
}

func (s *server) failedLocked(err error) {
	pause := min(backoffMin<<min(s.failures, 10), backoffMax)
	pause -= rand.N(pause / 2)
	s.failures++
	s.retryAt = time.Now().Add(pause)
	if f, ok := err.(*failure); ok && f.kind != ErrClosed && f != errMoved {
		s.trouble = f
		s.client.target.hurry()
	}
}

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
