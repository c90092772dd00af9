package balance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPolicyNames(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		if got, err := ParsePolicy(p.String()); got != p || err != nil {
			t.Errorf("%q is read as %v, %v", p.String(), got, err)
		}
	}
	if got, err := ParsePolicy(""); got != P2C || err != nil {
		t.Errorf("nothing is read as %v, %v", got, err)
	}
	if _, err := ParsePolicy("best"); err == nil {
		t.Error("an unknown policy is read")
	}
	if got := Policy(9).String(); got != "policy(9)" {
		t.Errorf("no policy is called %q", got)
	}
}

func TestBackoff(t *testing.T) {
	lowest := func(n int) int { return n - 1 }
	highest := func(int) int { return 0 }
	for _, c := range []struct {
		failures  int
		base, max time.Duration
		want      time.Duration // the longest
	}{
		{0, 10, 100, 0},
		{-1, 10, 100, 0},
		{3, 0, 100, 0},
		{1, time.Second, time.Minute, time.Second},
		{2, time.Second, time.Minute, 2 * time.Second},
		{6, time.Second, time.Minute, 32 * time.Second},
		{7, time.Second, time.Minute, time.Minute},
		{math.MaxInt, time.Second, time.Minute, time.Minute},
		{1, time.Minute, time.Second, time.Second},
		{64, 1 << 40, math.MaxInt64, math.MaxInt64},
	} {
		if got := Backoff(c.failures, c.base, c.max, highest); got != c.want {
			t.Errorf("after %d failures of %v: %v at most, want %v", c.failures, c.base, got, c.want)
		}
		if got := Backoff(c.failures, c.base, c.max, lowest); got < c.want/2 || c.want > 1000 && got > c.want/2+c.want/1000 {
			t.Errorf("after %d failures of %v: %v at least, want %v", c.failures, c.base, got, c.want/2)
		}
	}
}

// TestBudgetBound: no order of calls and attempts gets more out of a budget than it allows, and whoever asks all the time gets nearly
// all of it.
func TestBudgetBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		perSecond := rapid.Float64Range(0, 1000).Draw(t, "per second")
		b := NewBudget(share, perSecond)
		start := rapid.Int64Range(0, 1<<60).Draw(t, "start")
		now, calls, retries := start, 0.0, 0.0
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now += rapid.Int64Range(0, 500*ms).Draw(t, "later")
			for range rapid.IntRange(0, 20).Draw(t, "calls") {
				b.Deposit(now)
				calls++
			}
			for range rapid.IntRange(0, 50).Draw(t, "attempts") {
				if b.Withdraw(now) {
					retries++
				}
			}
			seconds := max(1, float64(now-start)/1e9)
			if limit := share*calls + perSecond*seconds*(1+1e-6); retries > limit+1e-3 {
				t.Fatalf("%v retries of %v calls in %.3f s, want at most %.1f", retries, calls, seconds, limit)
			}
		}
	})
}

func TestBudgetIsUsed(t *testing.T) {
	b := NewBudget(0.1, 10)
	calls, retries := 0, 0
	for now := int64(0); now < 60_000*ms; now += 10 * ms {
		calls++
		b.Deposit(now)
		for b.Withdraw(now) {
			retries++
		}
	}
	if limit := 600 + calls/10; retries > limit || retries < limit*98/100 {
		t.Errorf("%d retries of %d calls in a minute, want nearly %d", retries, calls, limit)
	}
}

// TestBudgetForgets: calm does not save up for a storm, beyond a second of free retries and the last 10 000 calls.
func TestBudgetForgets(t *testing.T) {
	b := NewBudget(0.1, 10)
	for now := int64(0); now < 1e15; now += 1e9 {
		b.Deposit(now)
	}
	got := 0
	for b.Withdraw(1e15) {
		got++
	}
	if got > 1010 || got < 1000 {
		t.Errorf("%d retries at once after a million calls, want 1000 and 10", got)
	}
	none := NewBudget(0, 0)
	none.Deposit(1)
	if none.Withdraw(1e10) {
		t.Error("a budget of nothing gives something")
	}
}

func TestQuantile(t *testing.T) {
	var empty Quantile
	if _, ok := empty.At(0.5); ok {
		t.Error("an answer from nothing")
	}
	for _, scale := range []time.Duration{200 * time.Microsecond, time.Millisecond, 20 * time.Second} {
		var q Quantile
		rnd := rand.New(rand.NewPCG(1, 1))
		var all []time.Duration
		for range 4000 {
			d := time.Duration(float64(scale) * math.Exp(rnd.NormFloat64()))
			all = append(all, d)
			q.Add(d)
		}
		slices.Sort(all)
		for _, p := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999} {
			want := all[int(p*float64(len(all)))]
			got, ok := q.At(p)
			if far := math.Abs(float64(got-want)) / float64(want); !ok || far > 0.04 {
				t.Errorf("%v at %v: %v (%v), want %v", scale, p, got, ok, want)
			}
		}
	}
}

func TestQuantileEnough(t *testing.T) {
	var q Quantile
	for i := range 200 {
		_, half := q.At(0.5)
		_, most := q.At(0.99)
		if want := i >= 20; half != want {
			t.Errorf("after %d samples the median is known: %v, want %v", i, half, want)
		}
		if want := i >= 100; most != want {
			t.Errorf("after %d samples the 99th percentile is known: %v, want %v", i, most, want)
		}
		q.Add(-time.Second)
	}
	q.Add(math.MaxInt64)
	if _, ok := q.At(1); ok {
		t.Error("the slowest call ever is known")
	}
}

// TestQuantileRecent: what was long ago fades.
func TestQuantileRecent(t *testing.T) {
	var q Quantile
	for range 100_000 {
		q.Add(time.Second)
	}
	for range 40_000 {
		q.Add(time.Millisecond)
	}
	if got, _ := q.At(0.9); got > 2*time.Millisecond {
		t.Errorf("the 90th percentile is still %v", got)
	}
}

// TestBuckets: every duration lands in the bucket whose middle is near it, and buckets are in order.
func TestBuckets(t *testing.T) {
	last := 0
	for d := time.Duration(64); d < 30*time.Minute; d += d/100 + 1 {
		i := bucket(d)
		if i < last {
			t.Fatalf("%v is in bucket %d, below %d", d, i, last)
		}
		last = i
		if far := math.Abs(float64(middle(i)-d)) / float64(d); d > time.Microsecond && far > 0.04 {
			t.Fatalf("%v is in bucket %d, whose middle is %v", d, i, middle(i))
		}
	}
	if got := bucket(math.MaxInt64); got != octaves*steps-1 {
		t.Errorf("the longest time is in bucket %d, want the last", got)
	}
}

// TestSlowStartOfOldClock: instants may begin anywhere, below 0 too.
func TestSlowStartOfOldClock(t *testing.T) {
	for _, begin := range []int64{math.MinInt64 / 2, -1, 0, math.MaxInt64 / 2} {
		s := NewSet(Config{})
		m := []*Member{NewMember("a", begin), NewMember("b", begin)}
		s.Replace(m)
		got := map[string]int{}
		for i := range int64(2000) {
			p := s.Pick(begin+i*ms, nil)
			p.Begin()
			p.End(begin+i*ms, time.Millisecond/2, Good)
			got[p.Name()]++
		}
		if got["a"] < 800 || got["b"] < 800 {
			t.Errorf("from %d on: %v, want about as many each", begin, got)
		}
	}
}
