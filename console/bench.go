package console

import (
	"encoding/json"
	"time"

	"github.com/rpckids/rpckids/internal/load"
)

// Bench is how far a bench is, or what it came to. It is a snapshot that never changes.
type Bench struct {
	Typed   string // the line of it
	Type    string
	Payload json.RawMessage
	Limits  BenchLimits

	Running bool
	Warmup  bool    // while it runs: nothing counts yet
	Share   float64 // of what is asked, from 0 to 1
	Now     float64 // calls that ended in a second lately; meaningful while it runs
	Paces   []float64

	Calls    int // that ended, good and failed
	Failed   int // of them
	Failures []BenchFailure
	Elapsed  time.Duration // of the warm-up while that lasts; else from the first call's beginning to now, or to the last one's end

	Latency   BenchFigures // of good calls from when they began; with a rate only at the end
	Corrected BenchFigures // of good calls from when they were due; with a rate only

	Unmade      int           // calls that were due and not made
	Abandoned   int           // calls that the interruption ended
	CPU         time.Duration // that this process took
	HasCPU      bool
	Interrupted bool

	spread load.Latencies // of Felt
}

// BenchLimits are what was asked of a bench.
type BenchLimits struct {
	Calls    int           // 0: no limit
	Duration time.Duration // 0: no limit
	Workers  int           // calls in flight at most
	Rate     float64       // calls that are due in a second; 0: the next one when one was answered
	Warmup   time.Duration
	Timeout  time.Duration // of each call; 0: none
	MaxP99   time.Duration // 0: none
}

// BenchFigures are durations of calls; all zero where there is none.
type BenchFigures struct{ Min, P50, P90, P95, P99, P999, Max time.Duration }

// BenchFailure is how often calls failed in one way.
type BenchFailure struct {
	Code  string
	Count int
	First string // what the first of them said; safe for a terminal
}

// Rate is how many calls ended in a second.
func (b *Bench) Rate() float64 {
	if b.Elapsed <= 0 {
		return 0
	}
	return float64(b.Calls) / b.Elapsed.Seconds()
}

// Good is how many calls were answered well.
func (b *Bench) Good() int { return b.Calls - b.Failed }

// Felt is how long a user would have waited: corrected where there is a rate.
func (b *Bench) Felt() BenchFigures {
	if b.Limits.Rate > 0 {
		return b.Corrected
	}
	return b.Latency
}

// Left is how long it will go on; 0 where that is not known yet.
func (b *Bench) Left() time.Duration {
	if b.Warmup {
		return max(b.Limits.Warmup-b.Elapsed, 0)
	}
	var left time.Duration
	if n := b.Limits.Calls - b.Calls; b.Limits.Calls > 0 && b.Now > 0 {
		left = time.Duration(float64(n) / b.Now * float64(time.Second))
	}
	if d := b.Limits.Duration - b.Elapsed; b.Limits.Duration > 0 && (left <= 0 || d < left) {
		left = d
	}
	return max(left, 0)
}

// Spectrum is how the durations of Felt lie, shortest first; nil without a good call.
func (b *Bench) Spectrum() []Band {
	var all []Band
	for upto, n := range b.spread.Bands() {
		all = append(all, Band{Upto: upto, Count: n})
	}
	return all
}

func figuresOf(l *load.Latencies) BenchFigures {
	return BenchFigures{l.Min(), l.At(50), l.At(90), l.At(95), l.At(99), l.At(99.9), l.Max()}
}

// gauge makes snapshots of a bench that runs, one at each tick. Percentiles and histogram change twice a second: faster nobody can read them.
type gauge struct {
	base    Bench
	spread  load.Latencies
	figures BenchFigures
	fresh   int       // ticks until they change
	seen    []reading // of the last second or so, oldest first
	sums    []int     // calls that ended in each step, for Paces
	step    int       // ticks in a step of sums
	ticks   int       // so far in the newest one
	ended   int       // calls at the last tick
	times   []int64   // how long each step took
	at      time.Duration
}

// reading is how many calls had ended at some time.
type reading struct {
	at    time.Duration
	calls int
}

const (
	lately    = 10 // ticks that Bench.Now is about
	figuresIn = 5  // ticks between two changes of percentiles
	pacesKeep = 240
)

// next is the bench as it is now.
func (g *gauge) next(p load.Progress, latency func() load.Latencies) Bench {
	b := g.base
	b.Running, b.Warmup, b.Share, b.Calls, b.Failed, b.Elapsed = true, p.Warmup, p.Share, p.Calls, p.Failed, p.Elapsed
	if n := len(g.seen); n > 0 && g.seen[n-1].at > p.Elapsed { // the warm-up is over
		*g = gauge{base: g.base}
	}
	if g.fresh--; g.fresh < 0 && p.Calls > p.Failed {
		g.fresh, g.spread = figuresIn-1, latency()
		g.figures = figuresOf(&g.spread)
	}
	b.spread = g.spread
	if b.Limits.Rate > 0 {
		b.Corrected = g.figures
	} else {
		b.Latency = g.figures
	}
	b.Now = g.pace(reading{p.Elapsed, p.Calls})
	b.Paces = g.paces(reading{p.Elapsed, p.Calls})
	return b
}

// pace is how many calls ended in a second, lately.
func (g *gauge) pace(now reading) float64 {
	from := reading{}
	if len(g.seen) > 0 {
		from = g.seen[0]
	}
	g.seen = append(g.seen, now)
	g.seen = g.seen[max(len(g.seen)-lately, 0):]
	if took := (now.at - from.at).Seconds(); took > 0 {
		return float64(now.calls-from.calls) / took
	}
	return 0
}

// paces are calls in a second over the whole run, in steps that double when there are too many of them.
func (g *gauge) paces(now reading) []float64 {
	if g.step == 0 {
		g.step, g.ticks = 1, 1
	}
	if g.ticks == g.step {
		g.sums, g.times, g.ticks = append(g.sums, 0), append(g.times, 0), 0
	}
	last := len(g.sums) - 1
	g.sums[last] += now.calls - g.ended
	g.times[last] += int64(now.at - g.at)
	g.ticks++
	g.ended, g.at = now.calls, now.at
	if len(g.sums) == pacesKeep && g.ticks == g.step {
		for i := range pacesKeep / 2 {
			g.sums[i], g.times[i] = g.sums[2*i]+g.sums[2*i+1], g.times[2*i]+g.times[2*i+1]
		}
		g.sums, g.times, g.step = g.sums[:pacesKeep/2], g.times[:pacesKeep/2], 2*g.step
		g.ticks = g.step
	}
	all := make([]float64, 0, len(g.sums))
	for i, n := range g.sums {
		if g.times[i] > 0 {
			all = append(all, float64(n)/time.Duration(g.times[i]).Seconds())
		}
	}
	return all
}

// Bench returns the newest bench of the session, running or done; ok is false before the first.
func (s *Session) Bench() (b Bench, ok bool) {
	if p := s.bench.Load(); p != nil {
		return *p, true
	}
	return Bench{}, false
}
