//go:build unix

package proof

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcclient"
)

// One of three is killed under 2000 idempotent calls a second and comes back.
func TestKillOne(t *testing.T) {
	all := servers(t, 3, "")
	c := client(t, all, nil)
	l := pour(t, 2000, who(c, 5*time.Second))
	sleep(time.Second)
	all[1].kill()
	out := until(t, 5*time.Second, "out of rotation", func() bool { return state(c, all[1]) != "up" })
	sleep(1500 * time.Millisecond)
	killed := l.now()
	all[1].start()
	back := until(t, 10*time.Second, "back in rotation", func() bool {
		return state(c, all[1]) == "up" && shares(l.between(killed, l.now()))["b"] > 0
	})
	sleep(10 * time.Second)
	end := l.now()
	samples := l.all()
	figure(t, "kill.failed_calls", failures(t, samples), 0)
	figure(t, "kill.out_of_rotation", out, time.Second)
	figure(t, "kill.back_in_rotation", back, 3*time.Second)
	if last := l.between(end-3*time.Second, end); !busy(t, last, workTime, "kill.uneven_share") && !unlike(t, last, "kill.uneven_share") {
		figure(t, "kill.uneven_share", unevenness(last, 3), 0.2)
	}
	describe(t, c, samples)
}

// One of three is stopped, as by a machine that hangs: its connections stay open and nothing comes.
func TestStopOne(t *testing.T) {
	all := servers(t, 3, "")
	c := client(t, all, &rpcclient.Config{Hedge: rpcclient.Hedge{After: 200 * time.Millisecond}})
	l := pour(t, 1000, who(c, 2*time.Second))
	sleep(time.Second)
	all[1].signal(syscall.SIGSTOP)
	out := until(t, 25*time.Second, "ejected", func() bool { return state(c, all[1]) != "up" })
	sleep(time.Second)
	from := l.now()
	sleep(2 * time.Second)
	all[1].signal(syscall.SIGCONT)
	until(t, 30*time.Second, "back", func() bool { return state(c, all[1]) == "up" })
	samples := l.all()
	figure(t, "stop.failed_calls", failures(t, samples), 0)
	figure(t, "stop.ejected", out, 20*time.Second)
	if share := shares(l.between(from, from+2*time.Second))["b"]; share > 0 {
		t.Errorf("a stopped server answered %.1f %% of the calls", 100*share)
	}
	describe(t, c, samples)
}

// One of three takes ten times as long. Ten milliseconds are enough to be far above what a busy machine adds.
func TestSlowOne(t *testing.T) {
	all := servers(t, 3, "")
	c := client(t, all, nil)
	const fast = 10 * time.Millisecond
	for _, s := range all {
		s.tell(slower(fast))
	}
	l := pour(t, 400, who(c, 5*time.Second))
	sleep(4 * time.Second)
	healthy := l.between(time.Second, l.now())
	all[1].tell(slower(10 * fast))
	from := l.now() + 2*time.Second
	sleep(6 * time.Second)
	samples := l.all()
	slow := l.between(from, 1<<62)
	before, after := usual(healthy, 0.99), usual(slow, 0.99)
	figure(t, "slow.failed_calls", failures(t, samples), 0)
	if !busy(t, by(slow, "ac"), fast, "slow.share, slow.p99_over_healthy") {
		figure(t, "slow.share", shares(slow)["b"], 0.1)
		figure(t, "slow.p99_over_healthy", float64(after)/float64(before), 2)
	}
	t.Logf("p99 of half a second, the median: healthy %v, with a slow one %v; of all: %v and %v", before, after, percentile(healthy, 0.99), percentile(slow, 0.99))
	describe(t, c, slow)
}

// slower makes a server's work take that long.
func slower(work time.Duration) string {
	return fmt.Sprintf("slow %d", (work-workTime)/time.Millisecond)
}

// One of three fails at once, which is faster than any work: it must not draw the calls.
func TestFailFastOne(t *testing.T) {
	all := servers(t, 3, "")
	c := client(t, all, &rpcclient.Config{Retry: rpcclient.Retry{Off: true}}) // each failure is to be seen
	l := pour(t, 1000, who(c, 5*time.Second))
	sleep(time.Second)
	all[1].tell("broken")
	from := l.now()
	sleep(5 * time.Second)
	l.stop()
	after := l.between(from, 1<<62)
	failed := failures(t, after)
	figure(t, "fail_fast.share", float64(failed)/float64(len(after)), 0.02)
	if failed == 0 {
		t.Error("the broken server was never asked: the test shows nothing")
	}
	describe(t, c, after)
}

// Calls, casts and streams that must run once go on while all servers are stopped in order and started again, one after the other.
func TestRollingRestart(t *testing.T) {
	all := servers(t, 3, "")
	c := client(t, all, nil)
	adds, notes, counts, totals := pour(t, 700, add(c)), pour(t, 300, note(c)), pour(t, 100, count(c)), pour(t, 200, total(c))
	sleep(time.Second)
	for _, s := range all {
		s.stop()
		sleep(300 * time.Millisecond)
		s.start()
		until(t, 10*time.Second, "back", func() bool { return state(c, s) == "up" })
		sleep(500 * time.Millisecond)
	}
	calls, casts, streams, uploads := adds.all(), notes.all(), counts.all(), totals.all()
	figure(t, "roll.failed_calls", failures(t, calls), 0)
	figure(t, "roll.failed_casts", failures(t, casts), 0)
	figure(t, "roll.failed_streams", failures(t, streams), 0)
	figure(t, "roll.failed_uploads", failures(t, uploads), 0)
	_, err := rpcclient.Call[string](t.Context(), c, "who", 0) // what was cast before it has run
	if err != nil {
		t.Error(err)
	}
	for _, s := range all {
		s.stop() // and so has all that was cast elsewhere
	}
	runs := ran(t, all)
	most, unrun := 0, 0
	for _, n := range runs {
		most = max(most, n)
	}
	for prefix, samples := range map[string][]sample{"n": calls, "cast": casts, "stream": streams} {
		for _, s := range samples {
			if s.err == nil && runs[fmt.Sprint(prefix, s.n)] == 0 {
				unrun++
			}
		}
	}
	figure(t, "roll.runs_of_one_call", most, 1)
	figure(t, "roll.sent_and_not_run", unrun, 0)
	describe(t, c, calls)
}

// note casts a number.
func note(c *rpcclient.Client) func(context.Context, int) (string, error) {
	return func(ctx context.Context, n int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return "", rpcclient.Cast(ctx, c, "note", fmt.Sprint("cast", n))
	}
}

// total sends items, and is answered their sum.
func total(c *rpcclient.Client) func(context.Context, int) (string, error) {
	return func(ctx context.Context, n int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		sum, err := rpcclient.Upload[int](ctx, c, "total", func(yield func(int, error) bool) {
			for range items {
				time.Sleep(workTime)
				if !yield(1, nil) {
					return
				}
			}
		})
		if err == nil && sum != items {
			err = fmt.Errorf("the sum of %d items came as %d", items, sum)
		}
		return "", err
	}
}

// count takes a stream to its end.
func count(c *rpcclient.Client) func(context.Context, int) (string, error) {
	return func(ctx context.Context, n int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		got := 0
		for i, err := range rpcclient.Stream[int](ctx, c, "count", fmt.Sprint("stream", n)) {
			if err != nil {
				return "", err
			}
			if i != got {
				return "", fmt.Errorf("item %d came where %d was due", i, got)
			}
			got++
		}
		if got != items {
			return "", fmt.Errorf("a stream of %d items had %d", items, got)
		}
		return "", nil
	}
}

// Calls that must run once at most go on under refusals, kills and drains, together with calls that may be repeated.
func TestAtMostOnce(t *testing.T) {
	all := servers(t, 3, narrow)
	c := client(t, all, &rpcclient.Config{Hedge: rpcclient.Hedge{After: 20 * time.Millisecond}, Retry: rpcclient.Retry{Attempts: 5}})
	adds, asks := pour(t, 600, add(c)), pour(t, 200, who(c, 5*time.Second))
	for round := range 6 {
		s := all[round%len(all)]
		sleep(400 * time.Millisecond)
		if round%2 == 0 {
			s.kill()
		} else {
			s.stop()
		}
		sleep(200 * time.Millisecond)
		s.start()
		until(t, 10*time.Second, "back", func() bool { return state(c, s) == "up" })
	}
	samples := adds.all()
	runs := ran(t, all)
	most, unrun, refusedAndRun := 0, 0, 0
	for _, s := range samples {
		n := runs[fmt.Sprint("n", s.n)]
		most = max(most, n)
		if s.err == nil && n == 0 {
			unrun++
		}
		if notRun(s.err) && n > 0 {
			refusedAndRun++
		}
	}
	failed, refused := 0, 0
	for _, s := range samples {
		if s.err != nil {
			failed++
		}
		if notRun(s.err) {
			refused++
		}
	}
	figure(t, "once.runs_of_one_call", most, 1)
	figure(t, "once.answered_and_not_run", unrun, 0)
	figure(t, "once.refused_and_run", refusedAndRun, 0)
	t.Logf("of %d calls %d failed, %d of them never ran; of the calls that may be repeated %d failed", len(samples), failed, refused, failures(t, asks.all()))
	describe(t, c, samples)
}

// add has one of the servers note down a number, which must not happen twice.
func add(c *rpcclient.Client) func(context.Context, int) (string, error) {
	return func(ctx context.Context, n int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return rpcclient.Call[string](ctx, c, "add", fmt.Sprint("n", n))
	}
}

// ran counts what all servers have noted down.
func ran(t testing.TB, all []*server) map[string]int {
	runs := map[string]int{}
	for _, s := range all {
		s.runs(runs)
	}
	if len(runs) == 0 {
		t.Error("no server ran anything: the test shows nothing")
	}
	return runs
}

// notRun says of a failure that no server has run the call: none was reached, or all that were refused it.
func notRun(err error) bool {
	e, ok := errors.AsType[*rpcclient.Error](err)
	return ok && (e.Kind == rpcclient.ErrConnect || e.Kind == rpcclient.ErrServer && e.Code == rpcclient.ResourceExhausted)
}
