package rpcclient

import (
	"context"
	"fmt"
	"time"
)

// Pool says how many connections a client keeps to each server. The zero value
// is right for nearly everybody: one connection carries any number of calls at
// once, and a second one is opened only where that has much to carry.
type Pool struct {
	// Min is how many connections are kept open even while nobody calls; 0 means
	// none: the first call opens one.
	Min int

	// Max is how many may be open at once; 0 means 4, or Min if that is more.
	// Those that only wait for their last replies are not counted.
	Max int

	// PerConn is how many calls a connection carries before another one is opened
	// beside it; 0 means 256. Above Max x PerConn calls the connections share
	// them evenly, and above Config.MaxInFlight on each they wait.
	PerConn int

	// MaxAge is how long a connection takes new calls; 0 means for ever. Each one
	// gets up to a tenth more or less by chance, so that they do not all go at
	// once. An old one is replaced first, loses no call, and closes after its last.
	MaxAge time.Duration

	// MaxIdle is how long a connection beyond Min may carry nothing before it is
	// closed; 0 means 5 min. The last connection to a server is left to that
	// server's own idle limit.
	MaxIdle time.Duration
}

// full is the failure of a call that was given up while it waited for room on a
// connection.
func (s *server) full(ctx context.Context) error {
	open := s.openConns()
	used, waiting := 0, 0
	for _, cn := range open {
		n, most := cn.whereabouts().load.running(), cn.most()
		used += min(n, most)
		waiting += max(0, n-most)
	}
	return ended(ctx, fmt.Sprintf("before anything was sent: the pool to %s is full, %d of %d connections with %d calls in use, %d waiting",
		s.label, len(open), s.client.cfg.Pool.Max, used, waiting))
}

// ready returns the connection for one more call, or nil. The first one with
// room gets it, so that those beyond need fall idle; if all have enough to do,
// the one that has the least, and another is opened.
func (s *server) ready() conn {
	open := s.open.Load()
	if open == nil {
		return nil
	}
	if cns := *open; len(cns) == 1 && cns[0].whereabouts().load.running() < s.client.cfg.Pool.PerConn {
		return cns[0]
	}
	return s.choose(*open)
}

func (s *server) choose(among []conn) (best conn) {
	pool, least := &s.client.cfg.Pool, 0
	for _, cn := range among {
		n := cn.whereabouts().load.running()
		if n < pool.PerConn {
			return cn
		}
		if best == nil || n < least {
			best, least = cn, n
		}
	}
	if best != nil && len(among) < pool.Max {
		s.grow()
	}
	return best
}

// live returns the oldest connection that takes new calls, or nil.
func (s *server) live() conn {
	if open := s.open.Load(); open != nil {
		return (*open)[0]
	}
	return nil
}

func (s *server) openConns() []conn {
	if open := s.open.Load(); open != nil {
		return *open
	}
	return nil
}

// grow opens one more connection beside those that are open.
func (s *server) grow() {
	if !s.mu.TryLock() { // the next call asks again
		return
	}
	defer s.mu.Unlock()
	if s.attempt == nil && s.climb == nil && !s.closed && s.open.Load() != nil {
		s.dialLocked(&attempt{spare: true})
	}
}

// roomLocked reports whether a connection that a has made may take calls beside
// those that are open.
func (s *server) roomLocked(a *attempt, cn conn, open []conn) bool {
	if len(open) == 0 {
		return true
	}
	_, v2 := cn.(*v2Conn)
	return a.spare && len(open) < s.client.cfg.Pool.Max && v2 == s.liveIsV2()
}
