package rpcclient

import (
	"context"
	"fmt"
	"slices"
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
	// beside it; 0 means 256. A server of version 2 that takes fewer at once on a
	// connection is believed. Above Max x PerConn calls the connections share
	// them evenly, and above Config.MaxInFlight on each they wait.
	PerConn int

	// MaxInFlight is how many calls may be unanswered at once on the server, over all
	// connections; 0 means 1000, or Config.MaxInFlight if that is more, or Max x PerConn
	// if Max is set and that is more. A server of
	// ours refuses what is more than 1016 calls unless it is told otherwise. Callers
	// above it wait in line, bounded by their contexts. Streams of any kind, which
	// take no worker, do not count.
	MaxInFlight int

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
// connection, or for its turn.
func (s *server) full(ctx context.Context) error {
	open := s.openConns()
	used, waiting := 0, 0
	for _, cn := range open {
		n, most := cn.whereabouts().load.running(), cn.most()
		used += min(n, most)
		waiting += max(0, n-most)
	}
	waiting += s.gate.waiting()
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
	if cns := *open; len(cns) == 1 && hasRoom(cns[0]) {
		return cns[0]
	}
	return s.choose(*open)
}

// hasRoom reports whether cn is a connection for one more call while others might
// be opened.
func hasRoom(cn conn) bool { return cn.whereabouts().load.running() < cn.enough() }

func (s *server) choose(among []conn) (best conn) {
	least := 0
	for _, cn := range among {
		if hasRoom(cn) {
			return cn
		}
		if n := cn.whereabouts().load.running(); best == nil || n < least {
			best, least = cn, n
		}
	}
	if best != nil && len(among) < s.client.cfg.Pool.Max {
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
	s.growLocked()
}

func (s *server) growLocked() {
	open := s.open.Load()
	if s.attempt == nil && s.climb == nil && !s.closed && open != nil && len(*open) < s.client.cfg.Pool.Max {
		s.dialLocked(&attempt{spare: true})
	}
}

// line is the context for opening a stream. A mux asks a context for Done only when
// there is no place: from then on, if it is the server that takes no more of them
// here, it also ends when another connection is open, so that nobody stays in line
// behind a call that lasts. It is of one goroutine.
type line struct {
	context.Context
	conn  *v2Conn
	moves int // of the call
	asked bool
	leave context.CancelFunc // nil: nobody relieves it
}

func (l *line) Done() <-chan struct{} {
	if !l.asked {
		l.asked = true
		l.wait()
	}
	return l.Context.Done()
}

func (l *line) wait() {
	c, s := l.conn, l.conn.server
	met := c.met.Load() // before it is looked at what was said
	full := c.load.running() > c.peer.Load().MaxStreams
	if met && !full || l.moves >= maxMoves/2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	elsewhere := full && slices.ContainsFunc(s.openConns(), hasRoom)
	if s.closed || !elsewhere && len(s.openConns()) >= s.client.cfg.Pool.Max {
		return
	}
	l.Context, l.leave = context.WithCancel(l.Context)
	if elsewhere { // it has come since this one was chosen
		l.leave()
		return
	}
	if full {
		s.growLocked()
	}
	if s.lines == nil {
		s.lines = make(map[*line]bool)
	}
	s.lines[l] = true
}

// over is for the end of the waiting. It reports whether the call was relieved: it
// has to look for a place anew.
func (l *line) over(caller context.Context) bool {
	if l.leave == nil {
		return false
	}
	relieved := l.Err() != nil && caller.Err() == nil
	l.leave()
	s := l.conn.server
	s.mu.Lock()
	delete(s.lines, l)
	s.mu.Unlock()
	return relieved
}

// relieveLocked sends who waits in line to look for a place anew.
func (s *server) relieveLocked() {
	for l := range s.lines {
		l.leave()
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
