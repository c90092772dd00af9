package rpcclient

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// server is one address behind the target and the connections to it: those in
// open take new calls, others only wait for their last replies. There is at most
// one keeper, the goroutine that dials for them, and at most one climber, which
// dials for version 2; of the two one dials at a time.
type server struct {
	client  *Client
	address string // as the list has it
	label   string // as errors name it
	member  *balance.Member
	gate    gate
	open    atomic.Pointer[[]conn] // oldest first, never empty: then it is nil
	parted  atomic.Bool            // it has left the list
	failed  atomic.Uint64          // calls that it is to blame for
	streams atomic.Int64           // calls that it takes at once on a connection, as it said last; 0: it has said nothing yet
	heardAt atomic.Int64           // by Client.now, when a call was answered; kept where calls are hedged

	ctx    context.Context // ends with Close or when the server leaves the list; dials hang on it, not on any caller
	cancel context.CancelFunc

	mu       sync.Mutex    // protects the fields below; taken after the fleet's
	closed   bool          // no new connections: Close, or it has left the list
	conns    map[conn]bool // true: it has been in open
	attempt  *attempt      // a dial under way
	climb    *attempt      // one for a version 2 connection beside what is open
	failures int           // in a row
	retryAt  time.Time
	adopted  time.Time // the newest connection
	memory   memory
	reached  bool      // it has had a connection
	mute     bool      // it took connections and gave no sign of life: a new one has to be answered first
	oursOnce bool      // and was a server of ours
	trouble  *failure  // why a dial failed or a connection was lost last, or nil
	lostAt   time.Time // when there was none left after one that was lost
	calls    uint64    // of connections that have ended
	recent   recent
	lines    map[*line]bool // of calls that another connection relieves
}

func newServer(c *Client, address string) *server {
	s := &server{client: c, address: address, label: address, conns: make(map[conn]bool)}
	if len(c.target.servers) == 1 {
		s.label = c.target.text
	}
	s.gate.most = int64(c.cfg.Pool.MaxInFlight)
	s.ctx, s.cancel = c.fleet.ctx, func() {}
	if c.target.servers == nil { // it may leave
		s.ctx, s.cancel = context.WithCancel(c.fleet.ctx)
	}
	s.member = balance.NewMember(address, c.now())
	s.member.SetUp(false, c.now())
	return s
}

// lose closes a connection whose other end gives no sign of life.
func (s *server) lose(cn conn, why *failure) {
	s.mu.Lock()
	s.mute, s.oursOnce = true, cn.isOurs()
	s.mu.Unlock()
	cn.whereabouts().harmed.Store(true)
	cn.abort(why)
}

// inherit goes on with the record of a server that had left the list and is back
// before its last call has ended. Nobody else knows s yet.
func (s *server) inherit(old *server) {
	old.mu.Lock()
	s.memory, s.calls, s.recent, s.lostAt = old.memory, old.callsLocked(), old.recent.clone(), old.lostAt
	old.mu.Unlock()
	s.member = old.member
	s.failed.Store(old.failed.Load())
	s.streams.Store(old.streams.Load())
	s.announce()
}

func (s *server) remembersV2() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client.cfg.mayClimb() && s.memory.speaks() == 2
}

// over is the failure of what was to happen on a server that is no more: the
// client is closed, or else the server has left the list and calls go elsewhere.
func (s *server) over() error {
	if s.client.fleet.ctx.Err() != nil {
		return errClosed
	}
	return errMoved
}

// adoptLocked gives a conn new calls, unless that has taken its leave already.
func (s *server) adoptLocked(cn conn) {
	if _, ok := s.conns[cn]; ok {
		s.conns[cn] = true
	}
	for {
		old := s.open.Load()
		next := []conn{cn}
		if old != nil {
			next = append(slices.Clone(*old), cn)
		} else if s.reached {
			s.client.stats.reconnects.Add(1)
		}
		if s.open.CompareAndSwap(old, &next) {
			break
		}
	}
	s.reached, s.mute, s.adopted = true, false, time.Now()
	s.relieveLocked()
	if cn.spent() {
		s.retired(cn)
	}
	s.announce()
	if _, v2 := cn.(*v2Conn); v2 || len(s.openConns()) > 1 || s.client.cfg.Pool.MaxAge > 0 || s.client.fleet.several() {
		s.client.fleet.tender.arm()
	}
}

// retired is told by a conn that it takes no more calls. The conn may hold its
// own lock.
func (s *server) retired(cn conn) {
	for {
		old := s.open.Load()
		if old == nil || !slices.Contains(*old, cn) {
			return
		}
		var next *[]conn
		if len(*old) > 1 {
			rest := slices.DeleteFunc(slices.Clone(*old), func(other conn) bool { return other == cn })
			next = &rest
		}
		if s.open.CompareAndSwap(old, next) {
			if next == nil {
				s.announce()
				s.client.fleet.asleep.Store(true)
			}
			return
		}
	}
}

// announce tells the balancer whether calls can come here. Of several who do so
// at once the last one has looked last.
func (s *server) announce() {
	for !s.parted.Load() {
		up := s.open.Load() != nil
		s.member.SetUp(up, s.client.now())
		if up == (s.open.Load() != nil) {
			return
		}
	}
}

// ended is told by a conn that its socket is closed, and why. A connection that
// died young without one reply counts as a dial that failed.
func (s *server) ended(cn conn, useful bool, why *failure) {
	s.mu.Lock()
	adopted := s.conns[cn]
	delete(s.conns, cn)
	cn.total(&s.client.stats)
	s.calls += uint64(cn.whereabouts().load.begun())
	switch {
	case !adopted: // a version 2 connection that never came to anything, or one too many
	case useful || time.Since(cn.whereabouts().since) > backoffMax:
		s.failures = 0
	case !s.closed:
		s.failedLocked(why)
	}
	if adopted && why.kind != ErrClosed && !cn.whereabouts().peaceful(why) {
		s.trouble = why
		if s.open.Load() == nil && !s.closed {
			s.lostAt = time.Now()
		}
		if s.client.fleet.several() && !s.closed && s.attempt == nil && s.open.Load() == nil {
			s.dialLocked(&attempt{}) // at once the first time: it may have been this connection alone
		}
	}
	if s.wantsLocked() {
		s.dialLocked(&attempt{spare: s.open.Load() != nil})
	}
	done := s.closed && len(s.conns) == 0
	s.mu.Unlock()
	if done {
		s.client.fleet.forget(s)
	}
	s.client.fleet.wg.Done()
}

// leave is for a server that has left the list: no new calls, and its
// connections end with their last ones.
func (s *server) leave() {
	conns := s.shut()
	for _, cn := range conns {
		cn.leave()
	}
	s.gate.dismiss()
	if len(conns) == 0 {
		s.client.fleet.forget(s)
	}
}

// shut makes it open no more connections and returns those that there are.
func (s *server) shut() []conn {
	s.mu.Lock()
	s.closed = true
	conns := make([]conn, 0, len(s.conns))
	for cn := range s.conns {
		conns = append(conns, cn)
	}
	s.mu.Unlock()
	s.cancel()
	return conns
}

// describe adds what the server and its connections know.
func (s *server) describe(st *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.live()
	for cn := range s.conns {
		cn.describe(st, cn == live && st.Remote == "")
	}
	st.Conns += len(s.conns)
	st.Pending += s.gate.waiting()
	if live == nil && (s.attempt != nil || s.climb != nil) && (st.Attempt == 0 || s.failures < st.Attempt) {
		st.Attempt = s.failures + 1
	}
}

var errClosed = fail(ErrClosed, Canceled, nil, "the client is closed")
