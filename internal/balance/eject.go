package balance

import (
	"errors"
	"math"
	"time"
)

// Ejection says when a member that fails is left alone, and for how long. The zero value of each field is its default.
type Ejection struct {
	Consecutive int           // this many failures in a row eject; default 5
	Rate        float64       // and so does this share of failures, above 0 and at most 1; default 0.5
	MinCalls    int           // of at least this many calls; default 20
	Interval    time.Duration // within this time; default 10 s. As long in service makes up for one ejection
	Base        time.Duration // how long the first ejection lasts, doubled with each that follows; default 1 s
	Max         time.Duration // and how long any lasts at most; default 60 s. Up to an eighth more is added at random
	Off         bool          // nobody is ejected
}

// Check returns what is wrong with e, or nil.
func (e Ejection) Check() error {
	switch {
	case e.Consecutive < 0 || e.MinCalls < 0:
		return errors.New("ejection: a number of calls below 0")
	case !(e.Rate >= 0 && e.Rate <= 1):
		return errors.New("ejection: a rate that is not between 0 and 1")
	case e.Interval < 0 || e.Base < 0 || e.Max < 0:
		return errors.New("ejection: a time below 0")
	case e.orDefault().Base > e.orDefault().Max:
		return errors.New("ejection: the base time is above the longest")
	}
	return nil
}

// orDefault puts a default wherever nothing usable is given.
func (e Ejection) orDefault() Ejection {
	if e.Consecutive <= 0 {
		e.Consecutive = 5
	}
	if !(e.Rate > 0 && e.Rate <= 1) {
		e.Rate = 0.5
	}
	if e.MinCalls <= 0 {
		e.MinCalls = 20
	}
	if e.Interval <= 0 {
		e.Interval = 10 * time.Second
	}
	if e.Base <= 0 {
		e.Base = time.Second
	}
	if e.Max <= 0 {
		e.Max = 60 * time.Second
	}
	return e
}

// span is how long the ejection with this number lasts.
func (e Ejection) span(number int) time.Duration {
	if factor := math.Ldexp(1, number-1); float64(e.Base)*factor < float64(e.Max) {
		return time.Duration(float64(e.Base) * factor)
	}
	return e.Max
}

// unheard is how long a probe may take before it is asked for again.
const unheard = int64(10 * time.Second)

// exile is how a member stands with ejection.
type exile struct {
	window  window
	out     bool   // ejected
	probing bool   // and its probe runs
	until   int64  // when it is due: for its probe if it is out, to be no longer failing if it is failing
	failing bool   // it should be out, but too many others are
	level   int    // ejections not yet forgiven
	count   uint64 // ejections ever
	freed   int64  // when it last came back
}

// window counts the failures of at most an Interval. It begins with a failure, so that calls that succeed need not know about it.
type window struct {
	start    int64
	calls    uint64 // had ended before it
	failures int
}

// fail counts a failure of m and has it ejected if that was one too many.
func (m *Member) fail(now int64) {
	m.failures.Add(1)
	streak := m.streak.Add(1)
	s := m.set.Load()
	if s == nil || s.cfg.Ejection.Off {
		return
	}
	m.mu.Lock()
	guilty := m.guiltyLocked(s.cfg.Ejection, int(streak), now)
	m.mu.Unlock()
	if guilty {
		s.eject(m, now)
	}
}

// guiltyLocked counts a failure in the window and says whether m should be out now.
func (m *Member) guiltyLocked(e Ejection, streak int, now int64) bool {
	calls := m.ended.Load() - m.voids.Load()
	if w := &m.window; w.failures == 0 || now-w.start > int64(e.Interval) {
		*w = window{start: now, calls: calls - 1}
	}
	m.window.failures++
	if m.out || m.down || m.retired || m.failing && m.until-now > int64(e.Base)/2 {
		return false // nothing to add to what is known
	}
	if streak >= e.Consecutive {
		return true
	}
	of := int64(calls - m.window.calls)
	return of >= int64(e.MinCalls) && float64(m.window.failures) >= e.Rate*float64(of)
}

// banishLocked ejects m. Both locks are held.
func (m *Member) banishLocked(s *Set, now int64) {
	e := s.cfg.Ejection
	if m.out || m.down || m.retired {
		return
	}
	m.level = max(0, m.level-int((now-m.freed)/int64(e.Interval)))
	m.out, m.failing = true, false
	m.sentenceLocked(s, now)
}

// sentenceLocked sets how long m stays out: longer each time, and not to the instant, so that many clients do not probe at once.
func (m *Member) sentenceLocked(s *Set, now int64) {
	m.count++
	m.level++
	m.probing = false
	span := s.cfg.Ejection.span(m.level)
	m.until = now + int64(span) + int64(float64(span/8)*fraction(s.draw()))
}

// markLocked notes that m should be out, for as long as a first ejection lasts.
func (m *Member) markLocked(e Ejection, now int64) {
	m.failing = true
	m.until = now + int64(e.Base)
}

// Probed tells m how the probe went that Due asked for. A good one brings it back with a fresh start; after a bad one it stays out, for
// longer than before. To a member that is not ejected it says nothing.
func (m *Member) Probed(ok bool, now int64) {
	s := m.set.Load()
	m.mu.Lock()
	out := m.out
	switch {
	case !out:
	case ok:
		m.out, m.probing = false, false
		m.freed = now
		m.startLocked(now)
	case s == nil:
		m.probing = false
	default:
		m.sentenceLocked(s, now)
	}
	m.mu.Unlock()
	if out {
		m.changed()
	}
}

// isDue says whether m is to be probed, and notes that it is being.
func (m *Member) isDue(now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing && now >= m.until {
		m.failing = false
	}
	if !m.out || m.down || m.retired || now < m.until {
		return false
	}
	m.probing = true
	m.until = now + unheard
	return true
}

// place is what a member's standing means for who may be picked.
type place uint8

const (
	sound   place = iota // like all others
	shaky                // picked, though it should be ejected
	banned               // ejected
	below                // down
	leaving              // drains
)

// standing returns where m stands, and when Due must look at it.
func (m *Member) standing() (where place, until int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.retired:
		return leaving, math.MaxInt64
	case m.down:
		return below, math.MaxInt64
	case m.out:
		return banned, m.until
	case m.failing:
		return shaky, m.until
	}
	return sound, math.MaxInt64
}
