package balance

import (
	"math/rand/v2"
	"testing"
	"time"
)

// known makes a member with this average and this many calls running, which got its last answer just before second 10.
func known(average time.Duration, running int) *Member {
	m := NewMember("", 0)
	if average > 0 {
		m.latency.add(10*int64(time.Second)-1, float64(average))
	}
	m.busy.Store(10 * int64(time.Second))
	for range running {
		m.Begin()
	}
	return m
}

// TestPrefer: how often the first of two is chosen, which is what the policy is.
func TestPrefer(t *testing.T) {
	const msec = time.Millisecond
	for _, c := range []struct {
		name     string
		a, b     *Member
		usual    float64 // calls that run on a member
		min, max float64
	}{
		{"alike", known(msec, 0), known(msec, 0), 0, 0.47, 0.53},
		{"a tenth faster", known(msec, 0), known(msec+msec/10, 0), 0, 0.54, 0.60},
		{"twice as slow", known(2*msec, 0), known(msec, 0), 0, 0.09, 0.13},
		{"ten times slower", known(10*msec, 0), known(msec, 0), 0, 0, 0.003},
		{"one more running", known(msec, 1), known(msec, 0), 0, 0.09, 0.13},
		{"ten running on each", known(msec, 10), known(msec, 10), 0, 0.47, 0.53},
		{"slow and idle, fast and busy", known(4*msec, 0), known(msec, 3), 0, 0.47, 0.53},
		{"both unknown", known(0, 0), known(0, 0), 0, 0.47, 0.53},
		{"unknown and known", known(0, 0), known(time.Second, 0), 0, 0.47, 0.53},
		{"known and unknown", known(time.Microsecond, 0), known(0, 0), 0, 0.47, 0.53},
		{"unknown, with calls running", known(0, 3), known(msec, 0), 0, 0.005, 0.03},
		{"slow and idle, fast and as busy as usual", known(10*msec, 0), known(msec, 9), 9, 0.003, 0.015},
		{"twice as busy as usual", known(msec, 9), known(msec, 18), 9, 0.70, 0.78},
		{"idle and as busy as usual", known(msec, 0), known(msec, 9), 9, 0.84, 0.90},
		{"both unknown, one with a call running", known(0, 1), known(0, 0), 0, 0.09, 0.13},
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		const draws = 10_000
		first := 0
		for range draws {
			if m, _, _ := prefer(c.a, c.b, 10*int64(time.Second), c.usual, rnd.Uint64()); m == c.a {
				first++
			}
		}
		if got := float64(first) / draws; got < c.min || got > c.max {
			t.Errorf("%s: the first is chosen %.3f of the times, want %.3f to %.3f", c.name, got, c.min, c.max)
		}
	}
}

// TestLook: how often the worse one is chosen for a look.
func TestLook(t *testing.T) {
	late := 12 * int64(time.Second)
	slow, failed, busy, fast := known(time.Second, 0), known(time.Second, 0), known(time.Second, 1), known(time.Millisecond, 0)
	failed.streak.Store(1)
	for _, c := range []struct {
		name   string
		m      *Member
		at     int64
		rarely int // one in so many; 0: never
	}{
		{"slow", slow, late, lookSlow},
		{"failed", failed, late, lookFailed},
		{"asked a moment ago", slow, 10*int64(time.Second) + idle/2, 0},
		{"has a call running", busy, late, 0},
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		const draws = 100_000
		looks := 0
		for range draws {
			if m, _, look := prefer(c.m, fast, c.at, 0, rnd.Uint64()); look && m == c.m {
				looks++
			}
		}
		want := 0
		if c.rarely > 0 {
			want = draws / c.rarely
		}
		if looks < want*9/10 || looks > want*11/10 {
			t.Errorf("%s: %d looks in %d, want about %d", c.name, looks, draws, want)
		}
	}
}

// TestDraws: every pair of every size is drawn, both ways round, about as often as every other; also with chance that callers provide.
func TestDraws(t *testing.T) {
	for _, chance := range []func(int) int{nil, seeded(1)} {
		s := NewSet(Config{Rand: chance})
		for n := 2; n <= 9; n++ {
			picks := make([]*Member, n)
			place := map[*Member]int{}
			for i := range picks {
				picks[i] = NewMember("", 0)
				place[picks[i]] = i
			}
			seen := map[[2]int]int{}
			const each = 400
			for range each * n * (n - 1) {
				a, b := pair(picks, s.draw(), nil)
				if a == b {
					t.Fatal("a pair of one")
				}
				seen[[2]int{place[a], place[b]}]++
			}
			if len(seen) != n*(n-1) {
				t.Errorf("of %d: %d pairs, want %d", n, len(seen), n*(n-1))
			}
			for p, k := range seen {
				if k < each*7/10 || k > each*13/10 {
					t.Errorf("of %d: pair %v drawn %d times, want about %d", n, p, k, each)
				}
			}
		}
	}
}
