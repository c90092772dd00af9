package load

import (
	"iter"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	longest = time.Hour // a longer call counts as this long in a percentile
	digits  = 3         // percentiles are exact to one in a thousand
)

// Latencies are how long good calls took. The zero value has none. A Latencies that was returned never changes.
type Latencies struct {
	histogram *hdr.Histogram
	min, max  time.Duration
}

func newLatencies() Latencies { return Latencies{histogram: hdr.New(1, int64(longest), digits)} }

func (l *Latencies) add(d time.Duration) {
	if l.Count() == 0 {
		l.min = d
	}
	l.min, l.max = min(l.min, d), max(l.max, d)
	_ = l.histogram.RecordValue(int64(min(max(d, 1), longest))) // in range: cannot fail
}

func (l *Latencies) merge(m *Latencies) {
	switch {
	case m.Count() == 0:
		return
	case l.Count() == 0:
		l.min = m.min
	}
	l.min, l.max = min(l.min, m.min), max(l.max, m.max)
	l.histogram.Merge(m.histogram)
}

// Count is how many there are.
func (l *Latencies) Count() int {
	if l.histogram == nil {
		return 0
	}
	return int(l.histogram.TotalCount())
}

// Min is the shortest, exactly; 0 where there is none.
func (l *Latencies) Min() time.Duration { return l.min }

// Max is the longest, exactly; 0 where there is none.
func (l *Latencies) Max() time.Duration { return l.max }

// At is what so many of a hundred do not exceed, to one in a thousand; 0 where there is none.
func (l *Latencies) At(percent float64) time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return l.within(l.histogram.ValueAtPercentile(percent))
}

// within holds a value of the histogram, which counts in steps, between the extremes as they were.
func (l *Latencies) within(v int64) time.Duration { return min(max(time.Duration(v), l.min), l.max) }

// Bands are the steps of the histogram that have calls, from short to long: the longest of each and how many there are.
func (l *Latencies) Bands() iter.Seq2[time.Duration, int] {
	return func(yield func(time.Duration, int) bool) {
		if l.Count() == 0 {
			return
		}
		for _, b := range l.histogram.Distribution() {
			if b.Count > 0 && !yield(l.within(b.To), int(b.Count)) {
				return
			}
		}
	}
}
