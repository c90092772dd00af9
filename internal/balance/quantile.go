package balance

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Quantile answers how long the slowest few of the recent calls took, to within 4 % if that is a microsecond or more. The zero value is ready.
type Quantile struct {
	total  atomic.Int64
	counts [octaves * steps]atomic.Int32
}

const (
	steps   = 16   // buckets for each doubling
	octaves = 32   // the first microsecond, and 31 doublings of it: half an hour
	recent  = 4096 // samples that count fully; then all that is known counts half
	enough  = 20   // samples before there is an answer
)

// Add takes a call that was answered.
func (q *Quantile) Add(d time.Duration) {
	q.counts[bucket(d)].Add(1)
	if q.total.Add(1) == 2*recent {
		q.halve()
	}
}

// halve makes everything so far count half. Samples that come meanwhile may count a little more or less.
func (q *Quantile) halve() {
	var gone int64
	for i := range q.counts {
		half := q.counts[i].Load() / 2
		q.counts[i].Add(-half)
		gone += int64(half)
	}
	q.total.Add(-gone)
}

// At returns the latency that the share p of the recent calls did not exceed, p between 0 and 1. It is false while too few are known to
// tell: 20, and for the rarest at least one sample beyond p.
func (q *Quantile) At(p float64) (time.Duration, bool) {
	var total int64
	for i := range q.counts {
		total += int64(q.counts[i].Load())
	}
	if total < enough || float64(total)*(1-p) < 1 {
		return 0, false
	}
	left := int64(p * float64(total))
	for i := range q.counts {
		if left -= int64(q.counts[i].Load()); left < 0 {
			return middle(i), true
		}
	}
	return 0, false
}

// bucket finds the bucket of d: the octave above 1 µs, and the sixteenth of it.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0)) / 64 // 64 ns: a sixteenth of a microsecond
	if v < steps {
		return int(v)
	}
	octave := bits.Len64(v) - 5 // 16..31 is the octave 0
	return min(int(octave+1)*steps+int(v>>octave)-steps, octaves*steps-1)
}

// middle is the latency in the middle of bucket i.
func middle(i int) time.Duration {
	if i < steps {
		return time.Duration(i)*64 + 32
	}
	octave := i/steps - 1
	return time.Duration((uint64(i%steps+steps)<<octave)*64 + (32 << octave))
}
