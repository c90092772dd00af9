package rpcclient

import (
	"context"
	"slices"
	"time"
)

// greeting is how long a server may take to answer the magic with its SETTINGS.
const greeting = time.Second

// errNoStreams fails what only version 2 can do. Each use adds what it wanted.
func errNoStreams(what string) *failure {
	return fail(ErrNoStreams, Unimplemented, nil, "peer speaks v1, which has no %s", what)
}

// heard is told by a version 1 connection what a reply says about the server. If
// that speaks version 2, the climber sets out.
func (s *server) heard(version byte) {
	if !s.client.cfg.mayClimb() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case version != 2:
		s.memory.learn(1)
	case s.memory.mayTry() && s.climb == nil && !s.closed && !s.liveIsV2():
		s.climbLocked(false)
	}
}

// liveIsV2 reports whether new calls go over version 2. Connections of both
// versions are open only while the others are just about to leave.
func (s *server) liveIsV2() bool {
	return slices.ContainsFunc(s.openConns(), func(cn conn) bool { return cn.version() == protocolV2 })
}

// liveV2 returns the version 2 connection for one more call, or nil.
func (s *server) liveV2() *v2Conn {
	if cn, ok := s.ready().(*v2Conn); ok {
		return cn
	}
	for _, cn := range s.openConns() {
		if cn, ok := cn.(*v2Conn); ok {
			return cn
		}
	}
	return nil
}

// v2 returns a version 2 connection, or a failure if the server does not speak
// that. A server about which nothing is known is asked with the magic alone, on
// a connection of its own.
func (s *server) v2(ctx context.Context, what string) (*v2Conn, error) {
	if cn := s.liveV2(); cn != nil {
		return cn, nil
	}
	s.mu.Lock()
	a, err := s.joinV2Locked(what)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	cn, err := a.wait(ctx)
	if err != nil {
		if f, ok := err.(*failure); ok && f.kind == ErrNoStreams {
			err = errNoStreams(what)
		}
		return nil, err
	}
	v2, ok := cn.(*v2Conn)
	if !ok { // it was remembered to speak version 2, and no longer does
		return nil, errNoStreams(what)
	}
	return v2, nil
}

// joinV2Locked returns the attempt that a caller who needs version 2 waits for.
func (s *server) joinV2Locked(what string) (*attempt, error) {
	cfg := &s.client.cfg
	live := s.live()
	switch {
	case s.closed:
		return nil, s.over()
	case s.liveIsV2() || cfg.Protocol == V2:
		return s.joinLocked()
	case !cfg.mayClimb():
		return nil, errNoStreams(what)
	case s.climb != nil:
		return s.climb, nil
	case s.memory.speaks() == 2 && live == nil:
		return s.joinLocked()
	case s.memory.speaks() == 1 && !s.knownBetterLocked():
		return nil, errNoStreams(what)
	}
	return s.climbLocked(s.memory.speaks() != 2), nil
}

// knownBetterLocked reports whether the live connection contradicts a memory of
// version 1, and version 2 has not failed since.
func (s *server) knownBetterLocked() bool {
	v1, ok := s.live().(*v1Conn)
	return ok && s.memory.mayTry() && v1.tellsOf() == 2
}

// climbLocked starts the climber.
func (s *server) climbLocked(probe bool) *attempt {
	s.climb = &attempt{done: make(chan struct{})}
	pause := time.Duration(0)
	if s.live() == nil {
		pause = time.Until(s.retryAt)
	}
	s.client.fleet.wg.Add(1)
	go s.rise(s.climb, pause, probe) // the climber: ends with its attempt, Close waits for it
	return s.climb
}

// rise tries to bring up a version 2 connection once. It becomes the live one;
// a version 1 connection that was leaves.
func (s *server) rise(a *attempt, pause time.Duration, probe bool) {
	defer s.client.fleet.wg.Done()
	cn, err := s.reach(pause, probe)
	var old []conn
	s.mu.Lock()
	s.climb = nil
	switch live := s.live(); {
	case err == nil:
		a.conn = cn
		s.memory.learn(2)
		old = s.openConns()
		s.adoptLocked(cn)
	case isKind(err, ErrNoStreams) && probe && !s.knownBetterLocked():
		s.memory.learn(1) // it has claimed nothing: a later one may, and is asked then
	case isKind(err, ErrNoStreams):
		s.memory.failed()
	case isKind(err, ErrConnect):
		s.memory.noV2 = time.Now().Add(remember)
		if live == nil {
			s.memory.noV2 = time.Time{}
			s.failedLocked(err)
		}
	}
	a.err = err
	s.mu.Unlock()
	for _, cn := range old {
		cn.leave()
	}
	if err == nil {
		s.client.cfg.Logger.Info("connected", "server", cn.remote, "protocol", protocolV2)
	}
	close(a.done)
	if err == nil {
		s.client.fleet.heard(s, a)
	}
}

// reach dials and waits for the server's SETTINGS. A probe says nothing but the
// magic before they come.
func (s *server) reach(pause time.Duration, probe bool) (*v2Conn, error) {
	sock, err := s.dial(pause)
	if err != nil {
		return nil, err
	}
	cn := newV2Conn(s, sock)
	first := cn.greet
	if probe {
		first = cn.probe
	}
	return cn, s.start(cn, first)
}

// Probe finds out which version the server speaks, "v1" or "v2", without calling
// anything. Where that is not known yet it opens a connection of its own, sends
// the four bytes that open version 2 and waits at most a second for their answer;
// what it learns counts for later calls. With [V1], and with ids of the user's
// own making, the answer is "v1" and nothing is sent.
//
// Of several servers one is asked: the first in the list that is connected, or else
// the first that can be. The answer is about that one alone, and a [Trace] says
// which it is: Server is its address in the list, Protocol the answer.
func (c *Client) Probe(ctx context.Context) (version string, err error) {
	k := c.begin(ctx, "", nil)
	version = protocolV2
	s := c.fleet.only.Load()
	if s == nil {
		s, _, err = c.fleet.reach(ctx)
	}
	var cn *v2Conn
	if err == nil {
		k.server = s.label
		cn, err = s.v2(ctx, "streams")
	}
	if err == nil {
		err = cn.confirm(ctx)
	}
	if isKind(err, ErrNoStreams) {
		version, err = protocolV1, nil
	}
	if err == nil {
		k.protocol = version
	}
	if err = c.end(k, err); err != nil {
		return "", err
	}
	return version, nil
}

func isKind(err, kind error) bool {
	f, ok := err.(*failure)
	return ok && f.kind == kind
}
