package balance

import (
	"math"
	"sync/atomic"
)

// How a member's latency is averaged. The average follows time and not the number of samples, so that it means the same at ten calls a
// second and at a thousand; of more than that the last few hundred say enough. It believes bad news sooner than good.
const (
	rise = 0.5e9 // ns, the time constant when a sample is slower than the average
	fall = 1e9   // ns, when it is faster

	most  = 0.5       // no sample moves the average further than half way
	least = 1.0 / 512 // and none less than this, however many come at one instant
	peak  = 8         // no sample counts for more than 8 times the average: one call that was stuck does not make a slow server
	worst = 10e9      // ns; beyond it all are equally slow
	guess = 100e6     // ns; what the very first call counts as when it fails
)

// latency is a moving average of how long calls take, which leans towards the slow ones. The zero value knows nothing.
type latency struct {
	mean atomic.Uint64 // ns, as the bits of a float64; 0: no sample yet
	seen atomic.Int64  // when the last sample came
	born atomic.Int64  // when it last knew nothing
}

// load returns the average in nanoseconds, 0 when nothing is known.
func (l *latency) load() float64 { return math.Float64frombits(l.mean.Load()) }

// reset forgets all samples.
func (l *latency) reset(now int64) {
	l.mean.Store(0)
	l.seen.Store(now)
	l.born.Store(now)
}

// fail takes a call that failed. It counts as the slowest that any may count as, however fast it was: else a server that fails at once
// would look like the fastest of all.
func (l *latency) fail(now int64) { l.add(now, math.Inf(1)) }

// atLeast takes a call that its caller gave up after took nanoseconds. Only one that was slow already says anything: that it would have
// taken, as likely as not, as long again.
func (l *latency) atLeast(now int64, took float64) {
	if took > l.load() {
		l.add(now, 2*took)
	}
}

// add takes a sample in nanoseconds.
func (l *latency) add(now int64, sample float64) {
	gap := max(0, now-l.seen.Swap(now))
	age := max(0, now-l.born.Load())
	for {
		old := l.mean.Load()
		mean := towards(math.Float64frombits(old), sample, float64(gap), float64(age))
		if l.mean.CompareAndSwap(old, math.Float64bits(mean)) {
			return
		}
	}
}

// towards returns the average after a sample that came gap nanoseconds after the one before. An average of that age cannot remember
// longer than it has lived: in its first second it is the plain mean of its samples, or the first of them would weigh too much.
func towards(mean, sample, gap, age float64) float64 {
	if mean == 0 {
		if math.IsInf(sample, 1) {
			return guess
		}
		return within(sample)
	}
	if gap > float64(idle) && peak*sample < mean {
		mean = peak * sample // what was known is old, and no longer true
	}
	span := fall
	if sample > mean {
		span = rise
		if sample > peak*mean {
			sample = peak * mean
		}
	}
	if age < span {
		span = age
	}
	// The conversion keeps the product from being fused with the sum, so that a simulation gives the same numbers on every machine.
	return within(mean + float64(weight(gap, span)*(sample-mean)))
}

// weight is how much a sample counts that came gap after the one before.
func weight(gap, span float64) float64 {
	switch {
	case gap >= span:
		return most
	case gap*(1/least-1) <= span:
		return least
	}
	return gap / (gap + span)
}

// within keeps an average in the range that is told apart. Comparisons instead of min and max, which weigh NaNs: this runs in every call.
func within(mean float64) float64 {
	if mean < 1 {
		return 1
	}
	if mean > worst {
		return worst
	}
	return mean
}
