package console

import (
	"slices"
	"testing"
	"time"
)

// The bands hold every good call, in order, each within a hundredth of what it took, and agree with the percentiles.
func TestSpectrum(t *testing.T) {
	j := NewJournal()
	if got := j.Spectrum("fib"); got != nil {
		t.Errorf("without a call: %v", got)
	}
	var took []time.Duration
	for i := range 5000 {
		d := time.Duration(i*i+1) * time.Microsecond / 3
		ended(j, "fib", j.began, d, i%100 == 99)
		if i%100 != 99 {
			took = append(took, d)
		}
	}
	ended(j, "exp", j.began, time.Millisecond, true)
	if got := j.Spectrum("exp"); got != nil {
		t.Errorf("without a good call: %v", got)
	}
	bands, n := j.Spectrum("fib"), 0
	for i, b := range bands {
		if i > 0 && b.Upto <= bands[i-1].Upto {
			t.Fatalf("band %d: %v after %v", i, b.Upto, bands[i-1].Upto)
		}
		n += b.Count
		if d := took[n-1]; b.Upto < d || float64(b.Upto) > 1.01*float64(d)+1 {
			t.Errorf("band %d: up to %v, its longest took %v", i, b.Upto, d)
		}
	}
	tm := j.Timing("fib", 0)
	if last := bands[len(bands)-1].Upto; n != len(took) || n != tm.Calls-tm.Failed || last != tm.Max {
		t.Errorf("%d of %d calls, up to %v of %v", n, len(took), last, tm.Max)
	}
	if got := j.Timed(); !slices.Equal(got, []string{"exp", "fib"}) {
		t.Errorf("timed: %v", got)
	}
}
