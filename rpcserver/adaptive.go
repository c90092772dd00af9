package rpcserver

import (
	"math"
	"time"
)

// adaptive finds out how many calls in flight make the server slow, and keeps them below that. It compares how long calls take, from their
// arrival to their answer, with how long their handlers take when there is little to do. Once a window it moves the limit: up by its
// square root while calls take less than twice as long as without load, down in proportion when they take longer.
//
//   - Services differ, so each has a time of its own; a window compares sums, and its mix of services does not matter.
//   - A limit that is not used says nothing: the limit stays where it is unless half of it was in flight.
//   - Calls that were refused are no samples. Those that came to their deadline are no times, but more than a tenth of them means less.
//   - A time without load that is not true any more is measured again: while calls are being refused anyway, the limit goes to its least for
//     as long as a few calls take, at most every 30 s and for a hundredth of the time.
//
// It is protected by pool.mu and has no clock.
type adaptive struct {
	least, most float64
	limit       float64

	since  time.Time // calls that came before say nothing: the limit was another
	began  time.Time // the window
	n      int       // its samples
	late   int       // of these, came to their deadline
	took   float64   // seconds that the others took
	usual  float64   // and would have taken without load
	peak   int       // most in flight
	hit    bool      // somebody was refused
	served []*service

	probing bool
	resume  float64   // the limit after the probe
	probeAt time.Time // not before
}

// usual is how long a service's handlers take without load. It is protected by pool.mu.
type usual struct {
	took float64 // seconds; 0 means not known yet
	sum  float64 // of the window
	n    int
}

const (
	leastLimit   = 4
	slowdown     = 2.0 // how many times as long as without load calls may take
	windowTime   = 100 * time.Millisecond
	windowCalls  = 32
	probeCalls   = 16
	probeTime    = time.Second // at most, but for calls that take longer
	probeEvery   = 30 * time.Second
	probeShare   = 100 // a probe is at most one part in so many of the time
	lateShare    = 10  // one in so many calls at its deadline is too much
	afterLate    = 0.9
	fallOfUsual  = 0.1 // how fast the time without load follows what is seen
	riseOfUsual  = 0.05
	probeOfUsual = 0.5
)

// newAdaptive begins with what the workers can do at once: no call waits then.
func newAdaptive(workers, most int) *adaptive {
	a := &adaptive{least: float64(min(leastLimit, most)), most: float64(most)}
	a.limit = min(max(float64(workers), a.least), a.most)
	return a
}

// now is the limit as a whole number.
func (a *adaptive) now() int { return int(a.limit) }

// full reports whether one more would be over the limit, and notes if so.
func (a *adaptive) full(inFlight int) bool {
	if inFlight < a.now() {
		return false
	}
	a.hit = true
	return true
}

// entered notes how many are in flight.
func (a *adaptive) entered(inFlight int) { a.peak = max(a.peak, inFlight) }

// sample is a call that came to its end.
type sample struct {
	service  *service
	arrived  time.Time // where it counts as in flight
	now      time.Time
	handler  time.Duration // of now-arrived
	deadline bool          // it came to its deadline
	void     bool          // it says nothing, but that time has passed
}

// add takes a sample, and moves the limit when that ends a window.
func (a *adaptive) add(s sample) {
	if s.void {
		if a.probing && s.now.Sub(a.began) >= probeTime { // or a service that always fails would keep the limit down
			a.endProbe(s.now)
		}
		return
	}
	if s.arrived.Before(a.since) {
		return
	}
	if a.began.IsZero() {
		a.began = s.now
	}
	took, u := s.now.Sub(s.arrived).Seconds(), &s.service.usual
	switch {
	case !s.deadline:
		a.n++
		a.took += took
		a.usual += orElse(u.took, s.handler.Seconds())
		if u.n++; u.n == 1 {
			a.served = append(a.served, s.service)
		}
		u.sum += s.handler.Seconds()
	case took > slowdown*u.took: // else the caller was in a hurry, and that is no fault of ours
		a.n++
		a.late++
	}
	switch age := s.now.Sub(a.began); {
	case a.probing && (a.n >= probeCalls || age >= probeTime):
		a.endProbe(s.now)
	case !a.probing && a.n >= windowCalls && age >= windowTime:
		a.endWindow(s.now)
	}
}

func orElse(v, otherwise float64) float64 {
	if v > 0 {
		return v
	}
	return otherwise
}

// endWindow moves the limit.
func (a *adaptive) endWindow(now time.Time) {
	used, least := float64(a.peak) >= a.limit/2, a.limit == a.least
	slow := a.took / max(a.usual, 1e-9)
	next := a.limit
	switch {
	case a.late*lateShare > a.n:
		next *= afterLate
	case !used:
	case slow > slowdown:
		next *= max(slowdown/slow, 0.5)
	default:
		next += math.Sqrt(next)
	}
	if next < a.limit {
		a.since = now
	}
	a.limit = min(max(next, a.least), a.most)
	a.learn(func(seen, known float64) float64 {
		switch {
		case seen < known:
			return fallOfUsual
		case !used, least: // with fewer it cannot be measured
			return riseOfUsual
		}
		return 0 // it may be the load
	})
	hit := a.hit
	a.clear(now)
	if hit && !now.Before(a.probeAt) && a.limit > a.least {
		a.probing, a.resume, a.limit = true, a.limit, a.least
		a.since, a.probeAt = now, now
	}
}

// endProbe goes on with the limit from before.
func (a *adaptive) endProbe(now time.Time) {
	a.learn(func(seen, known float64) float64 {
		if seen < known {
			return 1 // it was measured under load
		}
		return probeOfUsual
	})
	lasted := now.Sub(a.probeAt)
	a.probing, a.limit, a.since = false, a.resume, now
	a.probeAt = now.Add(max(probeEvery, probeShare*lasted))
	a.clear(now)
}

// learn moves the times without load towards those of the window, by the share that says how far.
func (a *adaptive) learn(share func(seen, known float64) float64) {
	for _, v := range a.served {
		u := &v.usual
		seen := u.sum / float64(u.n)
		if u.took == 0 {
			u.took = seen
		} else {
			u.took += share(seen, u.took) * (seen - u.took)
		}
		u.sum, u.n = 0, 0
	}
	clear(a.served)
	a.served = a.served[:0]
}

// clear begins the next window.
func (a *adaptive) clear(now time.Time) {
	a.began, a.n, a.late, a.took, a.usual, a.peak, a.hit = now, 0, 0, 0, 0, 0, false
}
