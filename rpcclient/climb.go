package rpcclient

import (
	"context"
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
func (l *link) heard(version byte) {
	if !l.client.cfg.mayClimb() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case version != 2:
		l.memory.learn(1)
	case l.memory.mayTry() && l.climb == nil && !l.closed && !l.liveIsV2():
		l.climbLocked(false)
	}
}

func (l *link) liveIsV2() bool { return l.liveV2() != nil }

func (l *link) liveV2() *v2Conn {
	if cn := l.live.Load(); cn != nil {
		v2, _ := (*cn).(*v2Conn)
		return v2
	}
	return nil
}

// v2 returns a version 2 connection, or a failure if the server does not speak
// that. A server about which nothing is known is asked with the magic alone, on
// a connection of its own.
func (l *link) v2(ctx context.Context, what string) (*v2Conn, error) {
	if cn := l.liveV2(); cn != nil {
		return cn, nil
	}
	l.mu.Lock()
	a, err := l.joinV2Locked(what)
	l.mu.Unlock()
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
func (l *link) joinV2Locked(what string) (*attempt, error) {
	cfg := &l.client.cfg
	live := l.live.Load()
	switch {
	case l.closed:
		return nil, errClosed
	case l.liveIsV2() || cfg.Protocol == V2:
		return l.joinLocked()
	case !cfg.mayClimb():
		return nil, errNoStreams(what)
	case l.climb != nil:
		return l.climb, nil
	case l.memory.speaks() == 2 && live == nil:
		return l.joinLocked()
	case l.memory.speaks() == 1 && !l.knownBetterLocked():
		return nil, errNoStreams(what)
	}
	return l.climbLocked(l.memory.speaks() != 2), nil
}

// knownBetterLocked reports whether the live connection contradicts a memory of
// version 1, and version 2 has not failed since.
func (l *link) knownBetterLocked() bool {
	cn := l.live.Load()
	if cn == nil || !l.memory.mayTry() {
		return false
	}
	v1, ok := (*cn).(*v1Conn)
	return ok && v1.tellsOf() == 2
}

// climbLocked starts the climber.
func (l *link) climbLocked(probe bool) *attempt {
	l.climb = &attempt{done: make(chan struct{})}
	pause := time.Duration(0)
	if l.live.Load() == nil {
		pause = time.Until(l.retryAt)
	}
	l.wg.Add(1)
	go l.rise(l.climb, pause, probe) // the climber: ends with its attempt, Close waits for it
	return l.climb
}

// rise tries to bring up a version 2 connection once. It becomes the live one;
// a version 1 connection that was leaves.
func (l *link) rise(a *attempt, pause time.Duration, probe bool) {
	defer l.wg.Done()
	cn, err := l.reach(pause, probe)
	var old conn
	l.mu.Lock()
	l.climb = nil
	switch live := l.live.Load(); {
	case err == nil:
		a.conn = cn
		l.memory.learn(2)
		if live != nil {
			old = *live
		} else if l.attempt == nil { // else the keeper counts, when it finds this one
			l.client.stats.connects.Add(1)
		}
		l.adoptLocked(cn)
	case isKind(err, ErrNoStreams) && probe && !l.knownBetterLocked():
		l.memory.learn(1) // it has claimed nothing: a later one may, and is asked then
	case isKind(err, ErrNoStreams):
		l.memory.failed()
	case isKind(err, ErrConnect):
		l.memory.noV2 = time.Now().Add(remember)
		if live == nil {
			l.memory.noV2 = time.Time{}
			l.failedLocked()
		}
	}
	a.err = err
	l.mu.Unlock()
	if old != nil {
		old.leave()
	}
	if err == nil {
		l.client.cfg.Logger.Info("connected", "server", cn.remote, "protocol", protocolV2)
	}
	close(a.done)
}

// reach dials and waits for the server's SETTINGS. A probe says nothing but the
// magic before they come.
func (l *link) reach(pause time.Duration, probe bool) (*v2Conn, error) {
	sock, err := l.dial(pause)
	if err != nil {
		return nil, err
	}
	cn := newV2Conn(l, sock)
	first := cn.greet
	if probe {
		first = cn.probe
	}
	return cn, l.start(cn, first)
}

// Probe finds out which version the server speaks, "v1" or "v2", without calling
// anything. Where that is not known yet it opens a connection of its own, sends
// the four bytes that open version 2 and waits at most a second for their answer;
// what it learns counts for later calls. With [V1], and with ids of the user's
// own making, the answer is "v1" and nothing is sent.
func (c *Client) Probe(ctx context.Context) (version string, err error) {
	k := c.begin(ctx, "", nil)
	version = protocolV2
	cn, err := c.link.v2(ctx, "streams")
	if err == nil {
		err = cn.confirm(ctx)
	}
	if isKind(err, ErrNoStreams) {
		version, err = protocolV1, nil
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
