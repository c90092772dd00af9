package rpcserver

import (
	"testing"
	"time"
)

// trial feeds an adaptive limit with windows of calls.
type trial struct {
	*adaptive
	now time.Time
}

func newTrial(workers, most int) *trial {
	t := &trial{newAdaptive(workers, most), time.Now()}
	t.began = t.now
	return t
}

// window is one window of calls of v: each took so long, and its handler so long, with so many in flight.
func (t *trial) window(v *service, inFlight int, took, handler time.Duration) {
	t.entered(inFlight)
	t.now = t.now.Add(took + windowTime)
	for range windowCalls {
		t.add(sample{service: v, arrived: t.now.Add(-took), now: t.now, handler: handler})
	}
}

// late is a window of calls that came to their deadline.
func (t *trial) late(v *service, took time.Duration) {
	t.entered(t.adaptive.now())
	t.now = t.now.Add(took + windowTime)
	for range windowCalls {
		t.add(sample{service: v, arrived: t.now.Add(-took), now: t.now, deadline: true})
	}
}

const ms = time.Millisecond

func TestAdaptiveGrowsOnlyWhenUsed(t *testing.T) {
	a, v := newTrial(16, 100), &service{}
	for range 200 {
		a.window(v, 7, 10*ms, 10*ms)
	}
	if got := a.adaptive.now(); got != 16 {
		t.Errorf("unused: got %d, want 16 as in the beginning", got)
	}
	for range 200 {
		a.window(v, 7, 100*ms, 10*ms)
	}
	if got := a.adaptive.now(); got != 16 {
		t.Errorf("slow and unused: got %d, want 16: fewer calls would not make them faster", got)
	}
	for range 200 {
		a.window(v, a.adaptive.now(), 10*ms, 10*ms)
	}
	if got := a.adaptive.now(); got != 100 {
		t.Errorf("used and fast: got %d, want the most, 100", got)
	}
}

// As many handlers as the machine can run at once make no call wait; with more, calls take longer in proportion.
func TestAdaptiveFindsTheCapacity(t *testing.T) {
	for _, places := range []int{4, 16, 64} {
		for name, inHandlers := range map[string]bool{"waiting for a worker": false, "slower handlers": true} {
			a, v := newTrial(16, 1000), &service{}
			a.window(v, 1, 10*ms, 10*ms) // from a time with little to do
			low, high := 1000, 0
			for i := range 1000 {
				n := a.adaptive.now()
				took := max(10*ms, 10*ms*time.Duration(n)/time.Duration(places))
				handler := 10 * ms
				if inHandlers {
					handler = took
				}
				a.window(v, n, took, handler)
				if i > 200 {
					low, high = min(low, a.adaptive.now()), max(high, a.adaptive.now())
				}
			}
			if low < places || high > 3*places {
				t.Errorf("%s, %d at once: the limit went from %d to %d, want it from %d to %d", name, places, low, high, places, 3*places)
			}
		}
	}
}

// A backend that hangs makes every call take just its deadline: a steady time, and no reason to let more in.
func TestAdaptiveIsNotDrivenByTimeouts(t *testing.T) {
	a, v := newTrial(64, 1000), &service{}
	for range 5 {
		a.window(v, 40, 10*ms, 10*ms)
	}
	most := a.adaptive.now()
	for range 100 {
		a.late(v, time.Second)
		if a.adaptive.now() > most {
			t.Fatalf("the limit grew to %d", a.adaptive.now())
		}
		most = a.adaptive.now()
	}
	if most != leastLimit {
		t.Errorf("got %d, want the least, %d", most, leastLimit)
	}
	for range 30 {
		a.window(v, a.adaptive.now(), 10*ms, 10*ms)
	}
	if got := a.adaptive.now(); got < 64 {
		t.Errorf("3 s after the backend came back: got %d, want 64 or more", got)
	}
}

// Whoever gives its calls less time than they need makes no room smaller for others.
func TestAdaptiveIgnoresDeadlinesThatWereTooShort(t *testing.T) {
	a, v := newTrial(16, 100), &service{}
	a.window(v, 1, 10*ms, 10*ms)
	for range 100 {
		a.late(v, 10*ms)
	}
	if got := a.adaptive.now(); got < 16 {
		t.Errorf("got %d, want no less than 16", got)
	}
}

// Services of different speeds in changing shares are no load.
func TestAdaptiveKnowsServicesApart(t *testing.T) {
	a, quick, slow := newTrial(16, 100), &service{}, &service{}
	a.window(quick, 1, ms, ms)
	a.window(slow, 1, time.Second, time.Second)
	least := a.adaptive.now()
	for range 20 {
		a.window(quick, a.adaptive.now(), ms, ms)
		a.window(slow, a.adaptive.now(), time.Second, time.Second)
		if now := a.adaptive.now(); now < least {
			t.Fatalf("the limit fell to %d", now)
		}
		least = a.adaptive.now()
	}
}

// run is windows under overload of a server that can do places calls at once in work each: somebody is refused all the time.
func (t *trial) run(v *service, windows, places int, work time.Duration) (probes int) {
	for range windows {
		was, n := t.probing, t.adaptive.now()
		t.full(n)
		handler := max(work, work*time.Duration(n)/time.Duration(places))
		t.window(v, n, handler, handler)
		if !was && t.probing {
			probes++
		}
	}
	return probes
}

// When calls have become slower for a reason of their own, that is found out.
func TestAdaptiveMeasuresAgain(t *testing.T) {
	a, v := newTrial(16, 1000), &service{}
	for range 20 {
		a.window(v, 1, 10*ms, 10*ms)
	}
	a.run(v, 1000, 16, 50*ms)
	if got := a.adaptive.now(); got < 16 || got > 48 {
		t.Errorf("the limit is %d, want it from 16 to 48", got)
	}
}

// A server that has known nothing but overload finds out how fast it could be, with few probes.
func TestAdaptiveBeginsUnderLoad(t *testing.T) {
	a, v := newTrial(64, 1000), &service{}
	start := a.now
	probes := a.run(v, 1000, 8, 10*ms)
	if got := a.adaptive.now(); got < 8 || got > 24 {
		t.Errorf("the limit is %d, want it from 8 to 24", got)
	}
	if most := int(a.now.Sub(start)/probeEvery) + 1; probes < 2 || probes > most {
		t.Errorf("%d probes in %v, want 2 to %d", probes, a.now.Sub(start), most)
	}
}

// Nobody is refused for a probe who would not be refused without it.
func TestAdaptiveProbesOnlyUnderOverload(t *testing.T) {
	a, v := newTrial(16, 20), &service{}
	for range 2000 {
		if a.window(v, a.adaptive.now(), 12*ms, 10*ms); a.probing {
			t.Fatal("a probe, though nobody was refused")
		}
	}
}

// Calls that came under another limit say nothing about the new one.
func TestAdaptiveWaitsForTheEffect(t *testing.T) {
	a, v := newTrial(100, 100), &service{}
	a.window(v, 1, 10*ms, 10*ms)
	a.window(v, 100, time.Second, 10*ms)
	after := a.adaptive.now()
	if after >= 100 {
		t.Fatalf("got %d, want less than 100", after)
	}
	came := a.now
	for range 1000 { // those that were in flight already
		a.now = a.now.Add(ms)
		a.add(sample{service: v, arrived: came.Add(-ms), now: a.now, handler: 10 * ms})
	}
	if got := a.adaptive.now(); got != after {
		t.Errorf("got %d, want still %d", got, after)
	}
}

// What is kept of clients that have left is bounded, and a client cannot get a new bucket by leaving.
// A probe ends also when nothing but failures come back: they are no samples, and the limit is not to stay at its least for them.
func TestAdaptiveProbeOfFailures(t *testing.T) {
	a, v := newTrial(64, 100), &service{}
	a.window(v, 32, 10*ms, 10*ms)
	a.hit = true
	a.window(v, a.adaptive.now(), 10*ms, 10*ms)
	if !a.probing || a.adaptive.now() != leastLimit {
		t.Fatalf("probing %v with %d, want a probe", a.probing, a.adaptive.now())
	}
	for range 20 {
		a.now = a.now.Add(100 * ms)
		a.add(sample{service: v, arrived: a.now, now: a.now, void: true})
	}
	if a.probing || a.adaptive.now() < 64 {
		t.Errorf("after two seconds of failures: probing %v with %d, want what it was", a.probing, a.adaptive.now())
	}
}

func TestPacer(t *testing.T) {
	p := newPacer(Rate{PerSecond: 10, Burst: 5})
	now := time.Now()
	stays := p.join("stays", now)
	for range 5 {
		if _, ok := stays.take(now); !ok {
			t.Fatal("the burst is not 5")
		}
	}
	if wait, ok := stays.take(now); ok || wait != 100*ms {
		t.Errorf("got %v, %v; want to wait for 100ms", wait, ok)
	}
	for range 3 {
		p.part(stays)
		if again := p.join("stays", now); again != stays {
			t.Error("a new bucket for a client that left an empty one")
		}
	}
	for i := range 100_000 {
		now = now.Add(ms)
		b := p.join(string(rune(i)), now)
		b.take(now)
		p.part(b)
	}
	if got := len(p.buckets); got > 2*mostBuckets {
		t.Errorf("%d buckets are kept, want at most %d", got, 2*mostBuckets)
	}
	if b := p.join("stays", now); b != stays {
		t.Error("the bucket of a connection that is open was forgotten")
	}
}
