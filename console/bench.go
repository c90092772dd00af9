package console

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
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
	Now     float64 // calls that went well in a second lately; meaningful while it runs
	Paces   []float64

	Calls    int            // that ended, good and failed
	Failed   int            // of them
	Failures []BenchFailure // the most frequent first
	Retries  int            // calls that were sent once more, which a server counts as further ones
	Elapsed  time.Duration  // of the warm-up while that lasts; else from the first call's beginning to now, or to the last one's end

	Latency   BenchFigures // of good calls from when they began; with a rate only at the end
	Corrected BenchFigures // of good calls from when they were due; with a rate only

	Unmade      int           // calls that were due and not made
	Abandoned   int           // calls that the interruption ended
	CPU         time.Duration // that this process took
	HasCPU      bool
	Interrupted bool

	spread load.Latencies // of Felt
	ending float64        // calls that ended in a second lately, good and failed
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
	First string // what the first of them said, without the words of the code; safe for a terminal; "" where that was all
}

// failuresOf sorts failures, the most frequent first.
func failuresOf(byCode map[string]load.Failure) []BenchFailure {
	var all []BenchFailure
	for code, f := range byCode {
		b := BenchFailure{Code: code, Count: f.Count}
		if b.First = strings.TrimPrefix(explain(f.First).Message, b.Words()+": "); b.First == b.Words() {
			b.First = ""
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(x, y BenchFailure) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.Code, y.Code))
	})
	return all
}

// Words are the code as it is read: "resource exhausted".
func (f *BenchFailure) Words() string { return strings.ReplaceAll(f.Code, "_", " ") }

// Text is the code and what was said.
func (f *BenchFailure) Text() string {
	if f.First == "" {
		return f.Words()
	}
	return f.Words() + ": " + f.First
}

// Rate is how many calls went well in a second: what got done.
func (b *Bench) Rate() float64 { return b.perSecond(b.Good()) }

// perSecond is so many calls as a rate.
func (b *Bench) perSecond(n int) float64 {
	if b.Elapsed <= 0 {
		return 0
	}
	return float64(n) / b.Elapsed.Seconds()
}

// Good is how many calls were answered well.
func (b *Bench) Good() int { return b.Calls - b.Failed }

// FailedShare is how many of the calls that ended failed, from 0 to 1.
func (b *Bench) FailedShare() float64 { return float64(b.Failed) / float64(max(b.Calls, 1)) }

// FailedText is FailedShare as it is shown: "81 %".
func (b *Bench) FailedText() string { return percent(b.FailedShare()) }

// Attempts is how often calls were sent: what servers count.
func (b *Bench) Attempts() int { return b.Calls + b.Abandoned + b.Retries }

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
	if n := b.Limits.Calls - b.Calls; b.Limits.Calls > 0 && b.ending > 0 {
		left = time.Duration(float64(n) / b.ending * float64(time.Second))
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
	sums    []int     // calls that went well in each step, for Paces
	step    int       // ticks in a step of sums
	ticks   int       // so far in the newest one
	done    int       // those at the last tick
	times   []int64   // how long each step took
	at      time.Duration
}

// reading is how many calls had ended at some time, and how many of them well.
type reading struct {
	at          time.Duration
	calls, good int
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
	now := reading{p.Elapsed, p.Calls, p.Calls - p.Failed}
	b.Now, b.ending = g.pace(now)
	b.Paces = g.paces(now)
	return b
}

// pace is how many calls went well in a second, lately, and how many ended.
func (g *gauge) pace(now reading) (good, ended float64) {
	from := reading{}
	if len(g.seen) > 0 {
		from = g.seen[0]
	}
	g.seen = append(g.seen, now)
	g.seen = g.seen[max(len(g.seen)-lately, 0):]
	if took := (now.at - from.at).Seconds(); took > 0 {
		return float64(now.good-from.good) / took, float64(now.calls-from.calls) / took
	}
	return 0, 0
}

// paces are good calls in a second over the whole run, in steps that double when there are too many of them.
func (g *gauge) paces(now reading) []float64 {
	if g.step == 0 {
		g.step, g.ticks = 1, 1
	}
	last, enough := len(g.sums)-1, int64(g.step)*int64(benchTick)/2 // a tick that was late is followed by one that is too short to say anything
	if last < 0 || g.ticks >= g.step && g.times[last] >= enough {
		g.sums, g.times, g.ticks = append(g.sums, 0), append(g.times, 0), 0
		last++
	}
	g.sums[last] += now.good - g.done
	g.times[last] += int64(now.at - g.at)
	g.ticks++
	g.done, g.at = now.good, now.at
	if len(g.sums) == pacesKeep && g.ticks >= g.step {
		for i := range pacesKeep / 2 {
			g.sums[i], g.times[i] = g.sums[2*i]+g.sums[2*i+1], g.times[2*i]+g.times[2*i+1]
		}
		g.sums, g.times, g.step = g.sums[:pacesKeep/2], g.times[:pacesKeep/2], 2*g.step
		g.ticks = g.step
	}
	all := make([]float64, 0, len(g.sums))
	for i, n := range g.sums {
		if g.times[i] >= enough || i == 0 && g.times[i] > 0 {
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
