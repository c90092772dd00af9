package balance

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// samples plays n samples, each gap after the one before, and returns the average.
func samples(l *latency, now *int64, n int, gap, took time.Duration) time.Duration {
	for range n {
		*now += int64(gap)
		l.add(*now, float64(took))
	}
	return time.Duration(l.load())
}

// TestAverage: how fast the average follows a change, which is what the constants are for.
func TestAverage(t *testing.T) {
	const fast, slow = time.Millisecond, 10 * time.Millisecond
	for _, c := range []struct {
		name     string
		before   time.Duration
		n        int
		gap      time.Duration
		took     time.Duration
		min, max time.Duration
	}{
		{"slower, half a second, often", fast, 100, 5 * time.Millisecond, slow, 4 * time.Millisecond, 8 * time.Millisecond},
		{"slower, half a second, seldom", fast, 5, 100 * time.Millisecond, slow, 4 * time.Millisecond, 8 * time.Millisecond},
		{"faster, half a second, often", slow, 100, 5 * time.Millisecond, fast, 5 * time.Millisecond, 8 * time.Millisecond},
		{"faster, half a second, seldom", slow, 5, 100 * time.Millisecond, fast, 5 * time.Millisecond, 8 * time.Millisecond},
		{"slower, very often", fast, 1024, time.Microsecond, slow, 8 * time.Millisecond, slow},
		{"faster, very often", slow, 1024, time.Microsecond, fast, fast, 3 * time.Millisecond},
		{"faster, three seconds", slow, 3000, time.Millisecond, fast, fast, 2 * time.Millisecond},
		{"one stuck call, often", fast, 1, time.Millisecond, time.Minute, fast, 1100 * time.Microsecond},
		{"one stuck call, seldom", fast, 1, time.Minute, time.Minute, fast, 5 * time.Millisecond},
		{"one quick answer after a long time", time.Second, 1, time.Minute, fast, fast, 8 * time.Millisecond},
		{"many at one instant", fast, 512, 0, slow, 5 * time.Millisecond, slow},
	} {
		var l latency
		now := int64(0)
		samples(&l, &now, 2000, 10*time.Millisecond, c.before)
		if got := samples(&l, &now, c.n, c.gap, c.took); got < c.min || got > c.max {
			t.Errorf("%s: %v, want %v to %v", c.name, got, c.min, c.max)
		}
	}
}

// TestFirstSamples: the first answer, cold and slow, is one among the first few and not the measure of all that follow.
func TestFirstSamples(t *testing.T) {
	var l latency
	now := int64(0)
	samples(&l, &now, 1, time.Millisecond, 7*time.Millisecond)
	if got := samples(&l, &now, 50, time.Millisecond, time.Millisecond); got > 1300*time.Microsecond {
		t.Errorf("after 50 more samples the average is %v, want it near 1 ms", got)
	}
}

// TestFailureIsSlow: however fast a failure is, it only ever makes a member look slower; and what was given up late does, too.
func TestFailureIsSlow(t *testing.T) {
	var l latency
	l.fail(1)
	if got := l.load(); got != guess {
		t.Errorf("a first call that fails counts as %v, want %v", got, float64(guess))
	}
	l.reset(1)
	now := int64(1)
	samples(&l, &now, 100, time.Millisecond, time.Millisecond)
	for range 10 {
		before := l.load()
		now += ms
		l.fail(now)
		if got := l.load(); got <= before {
			t.Fatalf("a failure takes the average from %v to %v", before, got)
		}
	}
	before := l.load()
	l.atLeast(now+ms, before/2)
	if got := l.load(); got != before {
		t.Errorf("a call given up early takes the average from %v to %v", before, got)
	}
	l.atLeast(now+ms, before*2)
	if got := l.load(); got <= before {
		t.Errorf("a call given up late takes the average from %v to %v", before, got)
	}
}

// TestAverageBounds: no samples in any order take the average out of its range, nor beyond what the sample says.
func TestAverageBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l latency
		now := rapid.Int64Range(-1<<60, 1<<60).Draw(t, "start")
		l.reset(now)
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			now += rapid.Int64Range(-1000, 1<<40).Draw(t, "gap") // callers' clocks may cross
			before := l.load()
			if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
				l.fail(now)
			} else {
				sample := float64(rapid.Int64Range(-10, math.MaxInt64).Draw(t, "took"))
				l.add(now, sample)
				if got := l.load(); before != 0 && (got > before && got > within(sample) || got < before && got < within(sample)) {
					t.Fatalf("%v takes the average from %v to %v", sample, before, got)
				}
			}
			if got := l.load(); !(got >= 1 && got <= worst) {
				t.Fatalf("the average is %v", got)
			}
		}
	})
}
