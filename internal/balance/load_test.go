package balance

import (
	"fmt"
	"testing"
	"time"
)

const quick = 300 * time.Microsecond

var off = Config{Ejection: Ejection{Off: true}}

// TestEven: servers that are alike get alike many calls, however noisy their answers are.
func TestEven(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		for _, workers := range []int{1, 8} {
			for _, noise := range []float64{0, 0.5, 1} {
				for seed := range uint64(2) {
					like := steady(quick, noise)
					r := newRig(Config{Policy: p}, seed, 2000, workers, like, like, like)
					r.run(10 * time.Second)
					if got := r.spread(); got > 0.2 {
						t.Errorf("%s, %d at once, noise %v, seed %d: %v are %.0f %% from even, want at most 20", p, workers, noise, seed, r.calls, 100*got)
					}
				}
			}
		}
	}
}

// TestEvenQuietly: a client with few calls does not send them all to one of the servers, though its averages are made of few samples.
func TestEvenQuietly(t *testing.T) {
	for seed := range uint64(10) {
		like := steady(quick, 0.5)
		r := newRig(Config{}, seed, 20, 1, like, like, like)
		r.run(60 * time.Second)
		if got := r.spread(); got > 0.5 {
			t.Errorf("seed %d: %v are %.0f %% from even, want at most 50", seed, r.calls, 100*got)
		}
	}
}

// TestSlow: a server ten times slower gets few calls, at any load, but is not forgotten: once it is fast it has its share again.
func TestSlow(t *testing.T) {
	for _, workers := range []int{1, 8, 64} {
		for _, rate := range []float64{5, 50, 2000} {
			t.Run(fmt.Sprintf("%d at once, %v per second", workers, rate), func(t *testing.T) {
				long := time.Duration(8+120/rate) * time.Second
				sick := until(2*time.Second+long, steady(10*quick, 0.3), steady(quick, 0.3))
				r := newRig(Config{}, 1, rate, workers, steady(quick, 0.3), sick, steady(quick, 0.3))
				r.run(2 * time.Second)
				r.reset()
				r.run(long)
				if got := r.share(1); got > 0.10 {
					t.Errorf("the slow one got %.1f %% of the calls, want at most 10", 100*got)
				}
				if r.calls[1] == 0 {
					t.Error("the slow one was never looked at again")
				}
				r.run(time.Duration(8+150/rate) * time.Second)
				r.reset()
				r.run(time.Duration(3+500/rate) * time.Second)
				if got := r.share(1); got < 0.8/3 || got > 1.25/3 {
					t.Errorf("fast again it got %.1f %% of the calls, want about a third", 100*got)
				}
			})
		}
	}
}

// TestSlowTail: at a decent rate the slow one is looked at so rarely that one call in a hundred does not feel it.
func TestSlowTail(t *testing.T) {
	r := newRig(Config{}, 1, 2000, 8, steady(quick, 0.3), steady(10*quick, 0.3), steady(quick, 0.3))
	r.run(2 * time.Second)
	r.reset()
	r.run(10 * time.Second)
	var q Quantile
	for _, d := range r.latency {
		q.Add(d)
	}
	if p99, ok := q.At(0.99); !ok || p99 > 4*quick {
		t.Errorf("the 99th percentile is %v (%v), want it near that of the fast ones, 600 µs", p99, ok)
	}
}

// TestFailing: a server that fails at once is no black hole, with ejection and without.
func TestFailing(t *testing.T) {
	for _, cfg := range []Config{{}, off} {
		for _, workers := range []int{1, 8} {
			for _, rate := range []float64{50, 2000} {
				r := newRig(cfg, 1, rate, workers, steady(quick, 0.3), failing, steady(quick, 0.3))
				r.run(10 * time.Second)
				if got := r.share(1); got > 0.02 {
					t.Errorf("ejection off %v, %d at once, %v per second: %.1f %% of the calls, want at most 2", cfg.Ejection.Off, workers, rate, 100*got)
				}
			}
		}
	}
}

// TestFailingLeastPending shows why P2C is the default: least pending alone, without ejection, loves a server that fails at once.
func TestFailingLeastPending(t *testing.T) {
	cfg := off
	cfg.Policy = LeastPending
	r := newRig(cfg, 1, 20000, 64, steady(3*time.Millisecond, 0.3), failing, steady(3*time.Millisecond, 0.3))
	r.run(2 * time.Second)
	if got := r.share(1); got < 0.5 {
		t.Errorf("the failing one got %.1f %% of the calls, which is too good to be true", 100*got)
	}
	cfg.Ejection.Off = false
	r = newRig(cfg, 1, 20000, 64, steady(3*time.Millisecond, 0.3), failing, steady(3*time.Millisecond, 0.3))
	r.run(2 * time.Second)
	if got := r.share(1); got > 0.02 {
		t.Errorf("with ejection it got %.1f %% of the calls, want at most 2", 100*got)
	}
}

// TestHanging: of a server that stops answering the balancer knows before the first call to it has timed out.
func TestHanging(t *testing.T) {
	for _, cfg := range []Config{{}, off} {
		r := newRig(cfg, 1, 2000, 1000, steady(quick, 0.3), until(10*time.Second, steady(quick, 0.3), hanging), steady(quick, 0.3))
		r.run(10 * time.Second)
		r.reset()
		r.run(1900 * time.Millisecond)
		if got := r.stuck[1]; got > 3 {
			t.Errorf("ejection off %v: %d calls stuck before the first timed out, want a handful", cfg.Ejection.Off, got)
		}
		r.run(18 * time.Second)
		if got := r.stuck[1]; got > 12 {
			t.Errorf("ejection off %v: %d calls stuck in 20 s, want few", cfg.Ejection.Off, got)
		}
		if p := r.members[1].Picture(r.now); !cfg.Ejection.Off && p.Ejections == 0 {
			t.Errorf("never ejected: %+v", p)
		}
	}
}

// TestHangingHedged: where another server's answer always comes first and the call to the one that hangs is cancelled, nothing ever fails,
// and still it is found out.
func TestHangingHedged(t *testing.T) {
	hedged := func(int64, *rand64) (time.Duration, Outcome) { return 10 * quick, Void }
	r := newRig(Config{}, 1, 2000, 1, steady(quick, 0.3), hedged, steady(quick, 0.3))
	r.run(10 * time.Second)
	if got := r.share(1); got > 0.02 {
		t.Errorf("%.1f %% of the calls, want at most 2", 100*got)
	}
	if r.calls[1] == 0 {
		t.Error("never looked at again")
	}
}

// TestFresh: a server that joins gets some calls at once, grows to its share within seconds and is never flooded, also when its first
// answers are slow because it is cold.
func TestFresh(t *testing.T) {
	cold := until(10200*time.Millisecond, steady(5*quick, 0.3), steady(quick, 0.3))
	for name, third := range map[string]server{"warm": steady(quick, 0.3), "cold": cold} {
		for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
			r := newRig(Config{Policy: p}, 1, 2000, 8, steady(quick, 0.3), steady(quick, 0.3), third)
			r.set.Replace(r.members[:2])
			r.run(10 * time.Second)
			r.members[2] = NewMember("2", r.now)
			r.set.Replace(r.members)
			r.reset()
			r.run(200 * time.Millisecond)
			if got := 3 * r.share(2); got > 0.6 {
				t.Errorf("%s, %s, first moments: %.2f of the even share: no slow start", name, p, got)
			}
			for second := range 10 {
				r.reset()
				r.run(time.Second)
				got := 3 * r.share(2)
				if got > 1.25 {
					t.Errorf("%s, %s, second %d: %.2f of the even share: flooded", name, p, second, got)
				}
				if second == 0 && name == "warm" && got < 0.2 {
					t.Errorf("%s, %s, first second: %.2f of the even share: starved", name, p, got)
				}
				if second > 7 && got < 0.8 {
					t.Errorf("%s, %s, second %d: %.2f of the even share: starved", name, p, second, got)
				}
			}
		}
	}
}

// TestReturn: a server that was dead for ten seconds is out at once, and back at its share seconds after it is up.
func TestReturn(t *testing.T) {
	r := newRig(Config{}, 1, 2000, 8, steady(quick, 0.3), until(5*time.Second, failing, steady(quick, 0.3)), steady(quick, 0.3))
	m := r.members[1]
	r.run(2 * time.Second)
	m.SetUp(false, r.now)
	r.reset()
	r.run(8 * time.Second)
	if r.calls[1] != 0 {
		t.Errorf("%d calls to a member that is down", r.calls[1])
	}
	m.SetUp(true, r.now)
	r.run(3 * time.Second)
	if r.calls[1] == 0 {
		t.Error("not back 3 s after it came up")
	}
	r.run(2 * time.Second)
	r.reset()
	r.run(10 * time.Second)
	if got := r.spread(); got > 0.2 {
		t.Errorf("shares 5 s after it came up are %v, want within 20 %% of even", r.calls)
	}
}

// warming answers its first n calls slowly.
func warming(n int, slow, fast time.Duration) server {
	return func(now int64, rnd *rand64) (time.Duration, Outcome) {
		if n--; n >= 0 {
			return steady(slow, 0.3)(now, rnd)
		}
		return steady(fast, 0.3)(now, rnd)
	}
}

// TestRestart: a server that comes back and needs a few calls to get warm has its share ten seconds later, at any rate; one that stays slow
// gets little meanwhile.
func TestRestart(t *testing.T) {
	for _, rate := range []float64{50, 200, 2000} {
		for _, slow := range []int{0, 1, 3, 10, 1 << 60} {
			calls, early, sum := 0, 0.0, 0
			const seeds = 6
			for seed := range uint64(seeds) {
				r := newRig(Config{}, seed, rate, 8, steady(quick, 0.3), warming(slow, 20*quick, quick), steady(quick, 0.3))
				r.members[1].SetUp(false, 0)
				r.run(10 * time.Second)
				r.members[1].SetUp(true, r.now)
				r.run(2 * time.Second)
				r.reset()
				r.run(8 * time.Second)
				early += r.share(1) / seeds
				r.reset()
				r.run(10 * time.Second)
				calls += r.calls[1]
				sum += r.calls[0] + r.calls[1] + r.calls[2]
			}
			got := 3 * float64(calls) / float64(sum)
			if slow < 100 && (got < 0.8 || got > 1.2) {
				t.Errorf("%v per second, %d slow calls: from 10 s after its return on it got %.2f of the even share, want it within 0.2", rate, slow, got)
			}
			if slow > 100 && (early > 0.1 || got > 0.1) {
				t.Errorf("%v per second, slow for good: %.3f of the calls, then %.2f of the even share, want at most a tenth", rate, early, got)
			}
		}
	}
}

// TestOneBadCall: a failure now and then, alike on all, leaves the shares even.
func TestOneBadCall(t *testing.T) {
	odd := func(_ int64, rnd *rand64) (time.Duration, Outcome) {
		if rnd.IntN(500) == 0 {
			return quick, Bad
		}
		return quick, Good
	}
	for seed := range uint64(4) {
		r := newRig(Config{}, seed, 2000, 8, odd, odd, odd)
		r.run(20 * time.Second)
		if got := r.spread(); got > 0.2 {
			t.Errorf("seed %d: %v are %.0f %% from even, want at most 20", seed, r.calls, 100*got)
		}
		for i, m := range r.members {
			if p := m.Picture(r.now); p.Ejections != 0 {
				t.Errorf("member %d was ejected: %+v", i, p)
			}
		}
	}
}

// TestManySick: with several sick servers a pair may have nobody well in it; then another is drawn, so that they still get next to nothing.
func TestManySick(t *testing.T) {
	well := steady(quick, 0.3)
	r := newRig(off, 1, 2000, 64, well, failing, well, hanging, well, steady(10*quick, 0.3), well, failing, well, well)
	r.run(5 * time.Second)
	r.reset()
	r.run(20 * time.Second)
	sick := 0.0
	for _, i := range []int{1, 3, 5, 7} {
		sick += r.share(i)
	}
	if sick > 0.015 {
		t.Errorf("the four sick ones got %.1f %% of the calls, want next to nothing: %v", 100*sick, r.calls)
	}
	if r.calls[5] == 0 || r.calls[1] == 0 {
		t.Errorf("some were never looked at again: %v", r.calls)
	}
}

// TestAllSlower: when every server becomes slower none is to blame, and the shares stay even.
func TestAllSlower(t *testing.T) {
	like := until(5*time.Second, steady(quick, 0.5), steady(20*quick, 0.5))
	r := newRig(Config{}, 1, 1000, 64, like, like, like, like)
	r.run(6 * time.Second)
	r.reset()
	r.run(10 * time.Second)
	if got := r.spread(); got > 0.2 {
		t.Errorf("%v are %.0f %% from even, want at most 20", r.calls, 100*got)
	}
}

// TestComeback: a quiet client finds out, too, that a server which failed, or hung, is well again.
func TestComeback(t *testing.T) {
	for name, sick := range map[string]server{"failing": failing, "hanging": hanging} {
		r := newRig(off, 1, 5, 8, steady(quick, 0.3), until(time.Minute, sick, steady(quick, 0.3)), steady(quick, 0.3))
		r.run(3 * time.Minute)
		r.reset()
		r.run(3 * time.Minute)
		if got := r.share(1); got < 0.2 {
			t.Errorf("%s: minutes later it gets %.1f %% of the calls, want about a third", name, 100*got)
		}
	}
}

// TestSlowInBursts: a burst makes the fast ones busy for a moment, which is no reason to run to the slow one.
func TestSlowInBursts(t *testing.T) {
	for burst, most := range map[int]float64{5: 0.003, 10: 0.003, 20: 0.005, 40: 0.005} {
		r := newRig(Config{}, 1, 1000, 1000, steady(2*time.Millisecond, 0.3), steady(20*time.Millisecond, 0.3), steady(2*time.Millisecond, 0.3))
		r.burst = burst
		r.run(2 * time.Second)
		r.reset()
		r.run(10 * time.Second)
		if got := r.share(1); got > most {
			t.Errorf("bursts of %d: the slow one got %.2f %% of the calls, want at most %.1f", burst, 100*got, 100*most)
		}
	}
}
