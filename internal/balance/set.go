package balance

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how a Set chooses. The zero value is P2C with the default ejection.
type Config struct {
	Policy   Policy
	Ejection Ejection
	Rand     func(n int) int // a number of 0 to n-1, called from any goroutine; nil: math/rand/v2
}

// Set is the servers of one target. NewSet makes one.
type Set struct {
	cfg  Config
	turn atomic.Uint64 // of round robin
	view atomic.Pointer[view]
	next atomic.Int64 // before this instant Due has nothing to do

	usual usual

	mu      sync.Mutex // protects the fields below; taken before a member's
	members []*Member
}

// view is who may be picked, worked out whenever a member changes, so that Pick need not.
type view struct {
	picks []*Member // never written again
	only  *Member   // the one pick, when there is but one
	size  int       // members that do not drain
	out   int       // of them, down or ejected
}

// warm is how long a member that is new, or back, gets less than its share, so that its share grows instead of jumping.
const warm = 2 * time.Second

// NewSet makes an empty set. What cfg.Ejection.Check refuses counts as not given.
func NewSet(cfg Config) *Set {
	cfg.Ejection = cfg.Ejection.orDefault()
	s := &Set{cfg: cfg}
	s.view.Store(&view{})
	s.next.Store(math.MaxInt64)
	s.turn.Store(s.draw() >> 8) // many clients begin at different members
	return s
}

// Replace makes members the whole list, at once for all who pick. Those that stay keep what is known about them.
func (s *Set) Replace(members []*Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		m.set.CompareAndSwap(s, nil)
	}
	s.members = append([]*Member(nil), members...)
	for _, m := range s.members {
		m.set.Store(s)
	}
	s.refreshLocked()
}

// Pick chooses the member for a call. avoid, if given, names those that this call has already tried: they are picked only when nothing
// else is left. Pick returns nil only if the set is empty.
func (s *Set) Pick(now int64, avoid func(*Member) bool) *Member {
	v := s.view.Load()
	if v.only != nil || len(v.picks) == 0 {
		return v.only
	}
	m := s.choose(v, now, avoid)
	if age := now - m.since.Load(); age < int64(warm) && s.tooEarly(age) {
		m = s.choose(v, now, avoid)
	}
	if !m.owes() {
		m.busy.Store(now)
	}
	return m
}

// tooEarly tells a member of this age to pass on a call. The choice is then made once more and holds, so that members that are all as
// young share as they would otherwise.
func (s *Set) tooEarly(age int64) bool {
	return float64(age) < float64(warm)*fraction(s.draw())
}

// Due returns the ejected members whose time is over: the owner probes each and tells Probed. Each is returned once per due time; one
// that is down waits until it is up. A probe that nobody reports is asked for again after 10 s. Due also ends a panic that is over, so
// it is called from time to time, say every 100 ms; mostly it is one atomic load.
func (s *Set) Due(now int64) []*Member {
	if now < s.next.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*Member
	for _, m := range s.members {
		if m.isDue(now) {
			due = append(due, m)
		}
	}
	s.refreshLocked()
	return due
}

// refresh works out anew who may be picked.
func (s *Set) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshLocked()
}

// refreshLocked sorts the members. When more than half of those that do not drain are out, or should be, the fault is hardly theirs
// alone, and the rest could not carry the load: then all that are up are used.
func (s *Set) refreshLocked() {
	var fit, up, staying []*Member
	v := &view{}
	failing, next := 0, int64(math.MaxInt64)
	for _, m := range s.members {
		where, until := m.standing()
		next = min(next, until)
		if where == leaving {
			continue
		}
		staying = append(staying, m)
		switch where {
		case below:
			v.out++
			continue
		case banned:
			v.out++
		case shaky:
			failing++
			fit = append(fit, m)
		case sound:
			fit = append(fit, m)
		}
		up = append(up, m)
	}
	v.size = len(staying)
	if 2*(v.out+failing) > v.size {
		fit = nil
	}
	v.picks = firstOf(fit, up, staying, s.members)
	if len(v.picks) == 1 {
		v.only = v.picks[0]
	}
	s.view.Store(v)
	s.next.Store(next)
}

// firstOf returns the first list that has anybody on it.
func firstOf(lists ...[]*Member) []*Member {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// eject takes m out, unless more than half of the members would then be out: in that case m is only marked as failing.
func (s *Set) eject(m *Member, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.set.Load() != s {
		return
	}
	v := s.view.Load()
	m.mu.Lock()
	if 2*(v.out+1) <= v.size {
		m.banishLocked(s, now)
	} else {
		m.markLocked(s.cfg.Ejection, now)
	}
	m.mu.Unlock()
	s.refreshLocked()
}

// draw returns 64 random bits; of a Rand of its own 62.
func (s *Set) draw() uint64 {
	if s.cfg.Rand == nil {
		return rand.Uint64()
	}
	return uint64(s.cfg.Rand(1<<31-1))<<33 ^ uint64(s.cfg.Rand(1<<31-1))<<2
}

// fraction makes a number from 0 to below 1 of random bits.
func fraction(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }
