package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Monitor asks one server again and again how it is. Where the connection stands for several it has a connection of its own to one of them, made as that one was,
// since calls through it would go now to this server and now to that one. Close it; a session closes those that are left. Safe for concurrent use.
type Monitor struct {
	session *Session
	server  string          // as it was named: an address or a number of peers; "": the first one that is up
	ctx     context.Context // ends with Close
	stop    context.CancelFunc

	mu    sync.Mutex // protects the fields below, and is held while the server is asked
	base  Backend    // the session's connection, to which all below belongs
	own   Backend    // to one of several servers; nil: none was needed yet
	about Peer       // the server of own
	of    int        // how many servers there are
	shun  string     // the address of one that could not be asked: another one is, if there is one
	last  Top
}

// topLimit is how long a server may take to say how it is. It answers at once, whatever else it has to do.
const topLimit = 5 * time.Second

// Monitor returns a monitor of a server of the connection: its number, its address, or "" for the one server, or for the first of several that is up.
// Nothing is asked yet.
func (s *Session) Monitor(server string) *Monitor {
	m := &Monitor{session: s, server: server}
	m.ctx, m.stop = context.WithCancel(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.monitors == nil {
		s.monitors = map[*Monitor]bool{}
	}
	s.monitors[m] = true
	return m
}

// Next asks the server and returns how it is. When it cannot be asked, Top has what it said last, with the reason in Err; At is zero if it never said anything.
func (m *Monitor) Next(ctx context.Context) Top {
	ctx, leave, err := m.session.enter(ctx)
	if err != nil {
		return Top{Err: explain(err)}
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, topLimit)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, err := m.askLocked(ctx); err != nil {
		m.last.Err = explain(present(err))
		if m.server == "" {
			m.shun = m.about.Address
			m.dropLocked() // the next question goes to one that is up
		}
	} else {
		h.tame()
		m.last = h.next(&m.last)
		if m.of > 1 {
			m.last.Number, m.last.Of = m.about.Number, m.of
		}
	}
	return m.last
}

func (m *Monitor) askLocked(ctx context.Context) (Health, error) {
	b, err := m.backendLocked(ctx)
	if err != nil {
		return Health{}, err
	}
	h, err := b.Health(ctx)
	if err == nil {
		h.At = time.Now()
		return h, nil
	}
	switch e := explain(err); {
	case e.Code == "unimplemented", e.Code == "not_found":
		return h, noHealth(e)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return h, &Error{Exit: ExitDeadline, Message: "the server did not say within " + topLimit.String() + " how it is", Hint: "status and peers tell what is known here"}
	}
	return h, err
}

// noHealth is the error of a server that does not answer !health.
func noHealth(e *Error) *Error {
	return &Error{Exit: ExitServer, Code: "unimplemented", Cause: e, Message: "this server does not tell how it is: only rpckids servers do",
		Hint: "status, peers and timeouts tell what is seen from here"}
}

// backendLocked is what the question goes through.
func (m *Monitor) backendLocked(ctx context.Context) (Backend, error) {
	s := m.session
	base, err := s.need(ctx)
	if err != nil {
		return nil, err
	}
	if base != m.base {
		m.dropLocked()
		m.base, m.last = base, Top{}
	}
	if m.own != nil {
		return m.own, nil
	}
	peers := s.Peers()
	m.of = len(peers)
	p, err := m.pick(peers)
	if err != nil || m.of < 2 {
		return base, err
	}
	m.about = p
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	o := s.optionsNow()
	o.ServerName = p.ServerName // the address may be what a name in the target stands for
	own, err := s.cfg.Dial(dialing, p.Address, o)
	if err != nil {
		return nil, dialError(err, p.Address, dialTimeout)
	}
	if m.ctx.Err() != nil {
		return nil, errors.Join(m.ctx.Err(), own.Close())
	}
	m.own = own
	return own, nil
}

// pick is the server that was named, or one that is up. Others than those behind the connection are not asked: its token is for them alone.
func (m *Monitor) pick(peers []Peer) (Peer, error) {
	if len(peers) == 0 {
		return Peer{}, nil
	}
	if m.server == "" {
		best := peers[0] // where none is up its dial says why
		for _, p := range peers {
			if up := p.Usable(); up && (!best.Usable() || best.Address == m.shun) {
				best = p
			}
		}
		return best, nil
	}
	n, err := strconv.Atoi(m.server)
	for _, p := range peers {
		if p.Address == m.server || err == nil && p.Number == n || isPort(m.server, p.Address) {
			return p, nil
		}
	}
	return Peer{}, &Error{Exit: ExitUsage, Message: fmt.Sprintf("%q is none of the servers of this connection", shorten(Printable(m.server), mostWord)),
		Hint: "peers lists them, with their numbers"}
}

// isPort says whether a name like :8881 means an address.
func isPort(name, address string) bool {
	host, port, err := net.SplitHostPort(name)
	_, other, bad := net.SplitHostPort(address)
	return err == nil && bad == nil && host == "" && port == other
}

// dropLocked closes the connection of its own.
func (m *Monitor) dropLocked() {
	if m.own != nil {
		_ = m.own.Close() // nobody waits for what it may say
		m.own, m.about = nil, Peer{}
	}
}

// Rest closes the connection of its own until the server is asked again. What is known of it stays.
func (m *Monitor) Rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropLocked()
}

// Close ends a question that is under way, and the connection of its own. Further calls do nothing.
func (m *Monitor) Close() {
	m.stop()
	m.session.mu.Lock()
	delete(m.session.monitors, m)
	m.session.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropLocked()
}

// closeMonitors closes those that are left.
func (s *Session) closeMonitors() {
	s.mu.Lock()
	var left []*Monitor
	for m := range s.monitors {
		left = append(left, m)
	}
	s.mu.Unlock()
	for _, m := range left {
		m.Close()
	}
}
