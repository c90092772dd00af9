package rpcserver

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What was refused, by the limit that it met: the keys of Stats.Refusals, and what Observer.Refused is told. There are few, so they
// can be labels of a counter.
const (
	RefusedConns        = "connections"                    // Config.MaxConns: closed at once
	RefusedConnsPerAddr = "connections of one address"     // Config.MaxConnsPerAddr: closed at once
	RefusedInFlight     = "in flight"                      // Config.MaxInFlight
	RefusedConnInFlight = "in flight on one connection"    // Config.MaxConnInFlight, Config.MaxStreams
	RefusedQueue        = "queue full"                     // Config.Queue
	RefusedAdaptive     = "adaptive limit"                 // Config.Adaptive
	RefusedRate         = "rate"                           // Config.Rate
	RefusedLate         = "deadline passed"                // while the call waited for a worker
	RefusedMemory       = "memory held for one connection" // Config.MaxConnMemory
	RefusedDraining     = "draining"                       // opened after the server said that it stops
	RefusedUnknown      = "unauthenticated"                // Config.Auth: who called could not be told
	RefusedForbidden    = "permission denied"              // Config.Authorize
	RefusedPlain        = "not TLS"                        // Config.RefusePlain
)

// refusal is the same as a number; 0 is none.
type refusal uint8

const (
	admitted refusal = iota
	tooManyConns
	tooManyFromThere
	tooManyInFlight
	tooManyOnConn
	queueFull
	overLimit
	tooFast
	tooLate
	tooMuchHeld
	whileDraining
	unknownCaller
	forbidden
	notTLS
	refusals
)

var refusalNames = [refusals]string{"", RefusedConns, RefusedConnsPerAddr, RefusedInFlight, RefusedConnInFlight, RefusedQueue, RefusedAdaptive,
	RefusedRate, RefusedLate, RefusedMemory, RefusedDraining, RefusedUnknown, RefusedForbidden, RefusedPlain}

func (r refusal) String() string { return refusalNames[r] }

// isConn reports whether it was no call that was refused.
func (r refusal) isConn() bool { return r == tooManyConns || r == tooManyFromThere || r == notTLS }

// refusedCounts counts refusals by their reason. The zero value is ready.
type refusedCounts [refusals]atomic.Uint64

// byReason returns those that happened, and how many of them were calls.
func (r *refusedCounts) byReason() (all map[string]uint64, calls uint64) {
	all = map[string]uint64{}
	for why := range refusals {
		if n := r[why].Load(); n > 0 {
			all[why.String()] = n
			if !why.isConn() {
				calls += n
			}
		}
	}
	return all, calls
}

// refused counts something that was refused, and tells whoever wants to know.
func (s *Server) refused(why refusal, peer net.Addr) {
	s.count.refused[why].Add(1)
	if o := s.config.Observer; o != nil && o.Refused != nil {
		o.Refused(why.String(), peer)
	}
}

// hush lets a line into the log once a second and counts those that it keeps back: a peer must not fill a disk. The zero value is ready.
type hush struct {
	mu   sync.Mutex // protects the fields below
	next time.Time
	left int
}

// pass reports whether a line may be logged now, and how many were left out before it.
func (h *hush) pass(now time.Time) (left int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Before(h.next) {
		h.left++
		return 0, false
	}
	left = h.left
	h.next, h.left = now.Add(time.Second), 0
	return left, true
}

// hushes is a hush for each address. In a second it lets no more than mostLines lines in from all of them, because who has one address may have many. The
// zero value is ready.
type hushes struct {
	mu    sync.Mutex // protects the fields below
	until time.Time  // ends the second
	told  []string   // the addresses whose line it has let in; at most mostLines
	left  int        // lines kept back since the last one that was let in, whosever they were
}

const mostLines = 10

// pass reports whether a line about an address may be logged now, and how many were left out before it.
func (h *hushes) pass(addr string, now time.Time) (left int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !now.Before(h.until) {
		h.until, h.told = now.Add(time.Second), h.told[:0]
	}
	if len(h.told) == mostLines || slices.Contains(h.told, addr) {
		h.left++
		return 0, false
	}
	h.told = append(h.told, addr)
	left, h.left = h.left, 0
	return left, true
}

// withLeft says in a line how many like it were left out.
func withLeft(attrs []slog.Attr, left int) []slog.Attr {
	if left > 0 {
		attrs = append(attrs, slog.Int("left_out", left))
	}
	return attrs
}
