package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run makes load in fake time.
func run(t *testing.T, cfg Config, call func(context.Context) error) Report {
	t.Helper()
	return prepared(t, cfg, call).Run(t.Context())
}

func prepared(t *testing.T, cfg Config, call func(context.Context) error) *Load {
	t.Helper()
	l, err := New(cfg, call)
	if err != nil {
		t.Fatal(err)
	}
	l.sleep = sleeper{nap: time.Sleep} // the kernel knows no fake time
	return l
}

// server answers each call after the next duration of a list, and remembers what it gave.
type server struct {
	mu    sync.Mutex // protects the fields below
	list  []time.Duration
	given []time.Duration
}

func (s *server) call(ctx context.Context) error {
	s.mu.Lock()
	d := s.list[len(s.given)%len(s.list)]
	s.given = append(s.given, d)
	s.mu.Unlock()
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var percents = []float64{1, 25, 50, 75, 90, 95, 99, 99.9}

// exact is a percentile of a list itself: the value of the first rank that is at least so much of all.
func exact(sorted []time.Duration, percent float64) time.Duration {
	return sorted[max(int(math.Ceil(percent/100*float64(len(sorted)))), 1)-1]
}

func compare(t *testing.T, name string, got *Latencies, want []time.Duration) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	near := func(what string, got, want time.Duration) {
		if off := math.Abs(float64(got-want)) / float64(want); off > 0.02 {
			t.Errorf("%s, %s: got %v, want %v, off by %.1f %%", name, what, got, want, 100*off)
		}
	}
	if got.Count() != len(want) {
		t.Errorf("%s: got %d, want %d", name, got.Count(), len(want))
	}
	for _, p := range percents {
		near(fmt.Sprintf("p%v", p), got.At(p), exact(want, p))
	}
	if got.Min() != want[0] || got.Max() != want[len(want)-1] {
		t.Errorf("%s: got %v to %v, want %v to %v", name, got.Min(), got.Max(), want[0], want[len(want)-1])
	}
}

// spreads are latencies as servers have them: alike, with a long tail, with two humps.
func spreads() map[string][]time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	all := map[string][]time.Duration{}
	for range 10_000 {
		all["even"] = append(all["even"], time.Millisecond+time.Duration(r.IntN(9_000_000)))
		all["tail"] = append(all["tail"], time.Duration(math.Exp(r.NormFloat64()*1.5)*float64(time.Millisecond)))
		hump := 300 * time.Microsecond
		if r.IntN(20) == 0 {
			hump = 40 * time.Millisecond
		}
		all["humps"] = append(all["humps"], hump+time.Duration(r.IntN(50_000)))
	}
	return all
}

// What is measured is what the server took, in both models, to 2 %; in truth to one in a thousand.
func TestDistribution(t *testing.T) {
	for name, list := range spreads() {
		for _, rate := range []float64{0, 500} {
			t.Run(fmt.Sprint(name, " rate ", rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &server{list: list}
					r := run(t, Config{Calls: len(list), Workers: 1000, Rate: rate}, s.call)
					if r.Calls != len(list) || r.Failed != 0 || len(r.Failures) != 0 || r.Interrupted || r.Unmade != 0 || r.Abandoned != 0 {
						t.Errorf("got %+v", r)
					}
					compare(t, "latency", &r.Latency, list)
					if rate == 0 {
						if r.Corrected.Count() != 0 {
							t.Error("corrected without a rate")
						}
						return
					}
					compare(t, "corrected", &r.Corrected, list) // a worker was always free
					if least := time.Duration(float64(len(list)-1) / rate * 1e9); r.Elapsed < least || r.Elapsed > least+list[len(list)-1]+10*time.Second {
						t.Errorf("%d calls at %v/s took %v", r.Calls, rate, r.Elapsed)
					}
				})
			})
		}
	}
}

// A server that stalls for a second holds up four calls of a closed model, and so they are all that it shows. In the open one a thousand users wait, and the corrected
// figures know each of them.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const from, to = 2 * time.Second, 3 * time.Second
		start := time.Now()
		r := run(t, Config{Duration: 10 * time.Second, Workers: 4, Rate: 1000}, func(context.Context) error {
			if now := time.Since(start); now >= from && now < to {
				time.Sleep(to - now)
			}
			time.Sleep(time.Millisecond)
			return nil
		})
		if r.Calls+r.Unmade != 10_000 || r.Unmade != 0 {
			t.Errorf("%d calls and %d not made, want 10 000", r.Calls, r.Unmade)
		}
		if got := r.Latency.At(99.9); got > 2*time.Millisecond {
			t.Errorf("latency p99.9: got %v, want 1 ms: four calls in ten thousand stood", got)
		}
		// A thousand calls were due in the stall, and then four workers take 333 ms for those and for what became due meanwhile: 1333 calls, a little more than one in eight.
		if got := r.Corrected.At(95); got < 500*time.Millisecond || got > time.Second {
			t.Errorf("corrected p95: got %v, want more than half a second", got)
		}
		if got := r.Corrected.At(85); got > 2*time.Millisecond {
			t.Errorf("corrected p85: got %v, want 1 ms", got)
		}
		if got := r.Corrected.Max(); got < time.Second || got > 1010*time.Millisecond {
			t.Errorf("corrected maximum: got %v, want a second", got)
		}
	})
}

// A server that is too slow for the rate is not waited for: the time ends the run, and what was due and not made is told.
func TestTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Config{Duration: 10 * time.Second, Workers: 2, Rate: 1000}, func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		})
		if r.Calls+r.Unmade != 10_000 || r.Calls < 1990 || r.Calls > 2002 {
			t.Errorf("%d calls and %d not made, want 2000 and 8000", r.Calls, r.Unmade)
		}
		if got := r.Corrected.Max(); got < 7900*time.Millisecond || got > 8100*time.Millisecond {
			t.Errorf("the last one was due %v before its end, want 8 s", got)
		}
		if r.Kept(50, time.Minute) || !r.Kept(10, time.Minute) {
			t.Error("what was not made counts as kept")
		}
	})
}

// The count is exact: n calls asked are n calls made, whatever comes in their way.
func TestCount(t *testing.T) {
	for _, cfg := range []Config{
		{Calls: 1}, {Calls: 1000}, {Calls: 1000, Workers: 7}, {Calls: 3, Workers: 50}, {Calls: 1000, Workers: 50, Rate: 333}, {Calls: 1, Rate: 0.5},
		{Calls: 500, Workers: 3, Duration: time.Hour}, {Calls: 700, Workers: 3, Warmup: time.Second}, {Calls: 700, Workers: 3, Warmup: time.Second, Rate: 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls, most, now atomic.Int64
			l := prepared(t, cfg, func(context.Context) error {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(time.Duration(1+calls.Add(1)%5) * time.Millisecond)
				if calls.Load()%10 == 0 {
					return errors.New("each tenth")
				}
				return nil
			})
			r := l.Run(t.Context())
			if r.Calls != cfg.Calls || r.Latency.Count()+r.Failed != cfg.Calls || cfg.Warmup == 0 && int(calls.Load()) != cfg.Calls {
				t.Errorf("%+v: got %d calls, %d good, %d failed; the server saw %d", cfg, r.Calls, r.Latency.Count(), r.Failed, calls.Load())
			}
			if cfg.Warmup > 0 && int(calls.Load()) <= cfg.Calls+10 {
				t.Errorf("%+v: %d calls in all, none to warm up", cfg, calls.Load())
			}
			if int(most.Load()) > max(cfg.Workers, 1) {
				t.Errorf("%+v: %d calls at once", cfg, most.Load())
			}
			if p := l.Progress(); p.Calls != r.Calls || p.Failed != r.Failed || p.Share != 1 || p.Warmup {
				t.Errorf("%+v: at its end %+v", cfg, p)
			}
		})
	}
}

// The time ends the run, whichever comes first; a call that was begun is waited for and counts.
func TestDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Config{Calls: 1000, Duration: 5 * time.Second, Workers: 2}, func(context.Context) error {
			time.Sleep(700 * time.Millisecond)
			return nil
		})
		if r.Calls != 16 || r.Elapsed != 5600*time.Millisecond || r.Interrupted {
			t.Errorf("got %d calls in %v, want 16 in 5.6 s", r.Calls, r.Elapsed)
		}
		if got := r.Rate(); math.Abs(got-16/5.6) > 1e-9 {
			t.Errorf("got %v/s", got)
		}
	})
}

func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		code := func(err error) string { return err.Error()[:4] }
		r := run(t, Config{Calls: 100, Workers: 4, Code: code}, func(context.Context) error {
			time.Sleep(time.Millisecond)
			switch n.Add(1) % 4 {
			case 0:
				return errors.New("busy 0")
			case 1:
				return errors.New("lost 1")
			}
			return nil
		})
		if f := r.Failures; r.Failed != 50 || len(f) != 2 || f["busy"].Count != 25 || f["lost"].Count != 25 || f["busy"].First.Error() != "busy 0" {
			t.Errorf("got %d failed: %+v", r.Failed, f)
		}
		if !r.Kept(50, time.Millisecond) || r.Kept(50.5, time.Hour) || r.Kept(50, time.Microsecond) {
			t.Error("failed calls do not count as slow")
		}
	})
}

// An interruption ends the calls in flight, which count nowhere else, and the report says so. It is felt in both models and in the warm-up.
func TestInterrupted(t *testing.T) {
	for _, cfg := range []Config{
		{Duration: time.Hour, Workers: 3}, {Duration: time.Hour, Workers: 3, Rate: 10}, {Duration: time.Hour, Workers: 3, Rate: 10_000},
		{Calls: 1_000_000, Workers: 3}, {Duration: time.Minute, Workers: 3, Warmup: time.Hour}, {Duration: time.Hour, Rate: 0.001},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second+time.Millisecond, cancel)
			start := time.Now()
			r := prepared(t, cfg, (&server{list: []time.Duration{time.Second}}).call).Run(ctx)
			if !r.Interrupted || r.Failed != 0 || r.Abandoned > 3 || time.Since(start) > 11*time.Second {
				t.Errorf("%+v: got %+v after %v", cfg, r, time.Since(start))
			}
			if warm := cfg.Warmup > 0; warm != (r.Calls == 0) {
				t.Errorf("%+v: got %d calls", cfg, r.Calls)
			}
		})
	}
}

// Each call has its time, and no more than a hundredth above it, also where calls begin one after the other.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		var n, late atomic.Int64
		r := run(t, Config{Calls: 2000, Workers: 2, Timeout: timeout}, func(ctx context.Context) error {
			if n.Add(1)%100 == 0 {
				start := time.Now()
				<-ctx.Done()
				if took := time.Since(start); took < timeout || took > timeout+timeout/100 {
					late.Add(1)
				}
				return ctx.Err()
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) < timeout || time.Until(deadline) > timeout+timeout/100 || ctx.Err() != nil {
				late.Add(1)
			}
			time.Sleep(time.Millisecond)
			return nil
		})
		if r.Calls != 2000 || r.Failed != 20 || late.Load() > 0 {
			t.Errorf("%d calls, %d failed, %d had another time than theirs", r.Calls, r.Failed, late.Load())
		}
	})
}

func TestCheck(t *testing.T) {
	for _, cfg := range []Config{{}, {Calls: -1}, {Duration: -1}, {Calls: 1, Workers: -1}, {Calls: 1, Workers: MaxWorkers + 1}, {Calls: 1, Rate: -1}, {Calls: 1, Rate: math.NaN()},
		{Calls: 1, Rate: math.Inf(1)}, {Calls: 1, Warmup: -1}} {
		if _, err := New(cfg, nil); err == nil {
			t.Errorf("%+v is no good, and was taken", cfg)
		}
	}
	if _, err := New(Config{Calls: 1, Workers: MaxWorkers, Rate: MaxRate, Duration: 1, Warmup: 1}, nil); err != nil {
		t.Error(err)
	}
}

func quantile(l *Load, percent float64) time.Duration {
	all := l.Latency()
	return all.At(percent)
}

// Progress may be asked for before, during and after.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := prepared(t, Config{Duration: 10 * time.Second, Workers: 2, Warmup: 2 * time.Second, Rate: 100}, (&server{list: []time.Duration{5 * time.Millisecond}}).call)
		if p := l.Progress(); p.Calls != 0 || p.Share != 0 || quantile(l, 50) != 0 {
			t.Errorf("before: %+v", p)
		}
		done := make(chan Report)
		go func() { done <- l.Run(t.Context()) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if p := l.Progress(); !p.Warmup || p.Calls != 100 && p.Calls != 101 || math.Abs(p.Share-0.5) > 0.01 {
			t.Errorf("in the warm-up: %+v", p)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		p := l.Progress()
		if p.Warmup || p.Calls < 498 || p.Calls > 501 || math.Abs(p.Share-0.5) > 0.01 || quantile(l, 50) < 5*time.Millisecond || quantile(l, 50) > 6*time.Millisecond {
			t.Errorf("half way: %+v, p50 %v", p, quantile(l, 50))
		}
		if r := <-done; r.Calls != 1000 {
			t.Errorf("got %d calls, want 1000", r.Calls)
		}
	})
}

// With the real clock and the kernel's naps the schedule is kept exactly, call by call, at rates far apart; how late a call may be a busy machine decides.
func TestPaceOfTheRealClock(t *testing.T) {
	for _, rate := range []float64{500, 2000, 100_000} {
		l, err := New(Config{Duration: 500 * time.Millisecond, Workers: 16, Rate: rate}, func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		r := l.Run(t.Context())
		if want := int(rate / 2); r.Calls+r.Unmade != want || r.Failed != 0 {
			t.Errorf("%v/s: %d calls and %d not made, want %d", rate, r.Calls, r.Unmade, want)
		}
		if least := time.Duration(float64(rate/2-1)/rate*1e9) - 100*time.Microsecond; r.Unmade == 0 && r.Elapsed < least {
			t.Errorf("%v/s: all done after %v, the last one was due after %v", rate, r.Elapsed, least)
		}
		if r.Corrected.Count() > 0 && r.Corrected.Min() < r.Latency.Min() {
			t.Errorf("%v/s: corrected %v is below %v", rate, r.Corrected.Min(), r.Latency.Min())
		}
		if !r.HasCPU || r.CPU < 0 {
			t.Errorf("no processor time: %v", r.CPU)
		}
		t.Logf("%v/s: %d calls, %d not made, late p50 %v p99 %v max %v, CPU %v of %v", rate, r.Calls, r.Unmade, r.Corrected.At(50), r.Corrected.At(99), r.Corrected.Max(), r.CPU, r.Elapsed)
	}
}

// BenchmarkClosed is what the measuring costs for each call.
func BenchmarkClosed(b *testing.B) {
	l, err := New(Config{Calls: b.N, Workers: 50}, func(context.Context) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	l.Run(b.Context())
}

// BenchmarkProgress is what a face pays ten times a second, without the latencies.
func BenchmarkProgress(b *testing.B) {
	l, _ := New(Config{Calls: 100_000, Workers: 50, Rate: MaxRate}, func(context.Context) error { return nil })
	l.Run(b.Context())
	for b.Loop() {
		l.Progress()
	}
}
