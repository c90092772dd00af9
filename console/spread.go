package console

import (
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	spreadMax    = time.Hour // longer counts as this long in a percentile
	spreadDigits = 2         // percentiles are 1 % exact; three digits would take 270 KiB per type instead of 35
)

// spread is how the durations of one kind are spread: percentiles from a histogram, the extremes as they were.
type spread struct {
	histogram *hdr.Histogram
	min, max  time.Duration
}

// with returns the spread with one more duration in it; a nil one becomes a new one.
func (s *spread) with(d time.Duration) *spread {
	if s == nil {
		s = &spread{histogram: hdr.New(1, int64(spreadMax), spreadDigits), min: d, max: d}
	}
	s.min, s.max = min(s.min, d), max(s.max, d)
	_ = s.histogram.RecordValue(int64(min(max(d, 1), spreadMax))) // in range: cannot fail
	return s
}

// percentile returns the duration that p of a hundred do not exceed; it is never outside of the extremes, as the histogram's own steps are.
func (s *spread) percentile(p float64) time.Duration {
	return min(max(time.Duration(s.histogram.ValueAtQuantile(p)), s.min), s.max)
}
