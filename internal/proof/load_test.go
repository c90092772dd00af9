//go:build unix

package proof

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcclient"
)

// sample is one call.
type sample struct {
	n        int
	at, took time.Duration // since the load began; until the answer
	who      string        // that answered
	err      error
}

// load is calls at an even pace, each on a goroutine of its own, so that slow ones hold up none.
type load struct {
	t     testing.TB
	start time.Time
	stop  func()

	mu      sync.Mutex // protects samples
	samples []sample
}

// pour begins to call, rate times a second, until end.
func pour(t testing.TB, rate int, call func(ctx context.Context, n int) (string, error)) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{t: t, start: time.Now()}
	var running sync.WaitGroup
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(l.stop)
	running.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			for due := int(time.Since(l.start).Seconds() * float64(rate)); n < due; n++ {
				n := n
				running.Go(func() {
					begun := time.Now()
					who, err := call(context.Background(), n)
					l.add(sample{n, begun.Sub(l.start), time.Since(begun), who, err})
				})
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return l
}

func (l *load) add(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// now is the time since the load began.
func (l *load) now() time.Duration { return time.Since(l.start) }

// between returns the calls that began in a span of time and have ended.
func (l *load) between(from, to time.Duration) []sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	var in []sample
	for _, s := range l.samples {
		if s.at >= from && s.at < to {
			in = append(in, s)
		}
	}
	return in
}

// all ends the load and returns every call.
func (l *load) all() []sample {
	l.stop()
	return l.between(0, 1<<62)
}

// failures returns how many failed, and says for some of them why.
func failures(t testing.TB, all []sample) int {
	t.Helper()
	n, kinds := 0, map[string]int{}
	for _, s := range all {
		if s.err == nil {
			continue
		}
		n++
		text := s.err.Error()
		if e, ok := errors.AsType[*rpcclient.Error](s.err); ok {
			text = fmt.Sprintf("%v, %s: %s (%d attempts)", e.Kind, e.Code, e.Message, e.Attempts)
		}
		if kinds[text]++; kinds[text] == 1 && len(kinds) < 8 {
			t.Logf("first at %v: %s", s.at.Round(time.Millisecond), text)
		}
	}
	return n
}

// shares says which part of the calls each server has answered.
func shares(all []sample) map[string]float64 {
	n, sum := map[string]float64{}, 0.0
	for _, s := range all {
		if s.err == nil {
			n[s.who]++
			sum++
		}
	}
	for who := range n {
		n[who] /= max(sum, 1)
	}
	return n
}

// unevenness is how far the share of any of n servers is from even, as a part of it.
func unevenness(all []sample, n int) float64 {
	part := shares(all)
	worst := 0.0
	if len(part) < n {
		worst = 1
	}
	for _, share := range part {
		worst = max(worst, share*float64(n)-1, 1-share*float64(n))
	}
	return worst
}

// percentile of the times that answers took.
func percentile(all []sample, p float64) time.Duration {
	var took []time.Duration
	for _, s := range all {
		if s.err == nil {
			took = append(took, s.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(int(p*float64(len(took))), len(took)-1)]
}

// usual is the median of the percentiles of each half a second: a machine that stalls for a moment spoils one of them and not the figure.
func usual(all []sample, p float64) time.Duration {
	parts := map[time.Duration][]sample{}
	for _, s := range all {
		at := s.at / (500 * time.Millisecond)
		parts[at] = append(parts[at], s)
	}
	var each []time.Duration
	for _, part := range parts {
		if len(part) >= 100 {
			each = append(each, percentile(part, p))
		}
	}
	if len(each) == 0 {
		return 0
	}
	slices.Sort(each)
	return each[len(each)/2]
}

// figure prints a figure and fails the test if it is over its limit.
func figure[T int | float64 | time.Duration](t testing.TB, name string, value, limit T) {
	t.Helper()
	verdict := "PASS"
	if value > limit {
		verdict = "FAIL"
		t.Fail()
	}
	t.Logf("%s %s %s %s", name, short(value), short(limit), verdict)
}

// busy says that healthy servers took far longer than their work does: then the machine has no time for them, and what depends on how long they take, compared to
// others, is no figure of ours. internal/balance holds the same figures in fake time.
func busy(t testing.TB, healthy []sample, work time.Duration, names string) bool {
	t.Helper()
	median := percentile(healthy, 0.5)
	if median <= 2*work {
		return false
	}
	t.Logf("%s not judged: the machine is busy, work of %v takes %v", names, work, median.Round(10*time.Microsecond))
	return true
}

// unlike says that servers which are the same took times that are not: the machine had less of itself for one of them, and that one rightly gets fewer calls.
func unlike(t testing.TB, all []sample, names string) bool {
	t.Helper()
	sum, n := map[string]time.Duration{}, map[string]int{}
	for _, s := range all {
		if s.err == nil {
			sum[s.who] += s.took
			n[s.who]++
		}
	}
	var least, most time.Duration
	for who := range sum {
		mean := sum[who] / time.Duration(n[who])
		if least == 0 || mean < least {
			least = mean
		}
		most = max(most, mean)
	}
	if most <= least+least/10 {
		return false
	}
	t.Logf("%s not judged: the machine is busy, the same work takes %v on one server and %v on another", names, least.Round(10*time.Microsecond), most.Round(10*time.Microsecond))
	return true
}

// by returns the calls that these servers have answered.
func by(all []sample, names string) []sample {
	var theirs []sample
	for _, s := range all {
		if s.err == nil && strings.Contains(names, s.who) {
			theirs = append(theirs, s)
		}
	}
	return theirs
}

func short[T int | float64 | time.Duration](v T) string {
	switch v := any(v).(type) {
	case time.Duration:
		return v.Round(10 * time.Microsecond).String()
	case float64:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprint(v)
}

// until waits for something that a client shows, and returns how long that took.
func until(t testing.TB, limit time.Duration, what string, is func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !is() {
		if time.Since(start) > limit {
			t.Errorf("after %v: not %s", limit, what)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// client is a client of all servers, connected to each of them.
func client(t testing.TB, all []*server, cfg *rpcclient.Config) *rpcclient.Client {
	t.Helper()
	c, err := rpcclient.Dial(t.Context(), addrs(all), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for _, s := range all {
		until(t, 10*time.Second, "up: "+s.name, func() bool { return state(c, s) == "up" })
	}
	return c
}

// who asks any server for its name, idempotently.
func who(c *rpcclient.Client, limit time.Duration) func(context.Context, int) (string, error) {
	return func(ctx context.Context, n int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return rpcclient.Call[string](ctx, c, "who", n, rpcclient.Idempotent())
	}
}

// state returns what the client makes of a server.
func state(c *rpcclient.Client, s *server) string {
	for _, p := range c.Peers() {
		if p.Address == s.addr {
			return p.State.String()
		}
	}
	return "unknown"
}

func sleep(d time.Duration) { time.Sleep(d) } // lets the load run: nothing is awaited

func describe(t testing.TB, c *rpcclient.Client, all []sample) {
	t.Helper()
	part := shares(all)
	for _, who := range slices.Sorted(maps.Keys(part)) {
		t.Logf("server %s: %.1f %% of %d", who, 100*part[who], len(all))
	}
	for _, p := range c.Peers() {
		t.Logf("%s: %s, %d calls, %d failures, %d ejections, latency %v, last error %v", p.Address, p.State, p.Calls, p.Failures, p.Ejections, p.Latency, p.LastError)
	}
}
