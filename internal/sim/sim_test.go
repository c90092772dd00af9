package sim

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// hamlet is as small as it gets.
func hamlet() Scenario {
	s := Village()
	s.Servers, s.Clients, s.Members, s.Warm, s.Time = 6, 3, 4, 2*time.Second, 2*time.Second
	return s
}

// TestRepeat: a scenario gives the same each time, and another seed gives something else.
func TestRepeat(t *testing.T) {
	s := Village().WithSick()
	a, b := Run(s), Run(s)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("twice the same gives\n%+v and\n%+v", a, b)
	}
	s.Seed++
	c := Run(s)
	if c.Scenario = a.Scenario; reflect.DeepEqual(a, c) {
		t.Error("another seed gives the same")
	}
}

// TestAdds: the numbers of a run fit each other and the scenario, under every policy.
func TestAdds(t *testing.T) {
	for _, p := range []balance.Policy{balance.P2C, balance.LeastPending, balance.RoundRobin} {
		for _, s := range []Scenario{hamlet(), Village().WithSick(), Village().WithSlow(30)} {
			r := Run(s.Under(p, true))
			want := float64(s.Clients) * s.Rate * s.Time.Seconds()
			if got := float64(r.Calls); got < 0.9*want || got > 1.1*want {
				t.Errorf("%s, %s: %v calls, want about %v", s.Name, p, got, want)
			}
			if r.Failed > r.Calls || r.Wasted > r.Attempts || r.Attempts-r.Wasted > r.Calls+100 {
				t.Errorf("%s, %s: numbers that do not fit: %+v", s.Name, p, r)
			}
			if r.P50 < s.Work/4 || r.P50 > r.P99 || r.P99 > time.Duration(deadline) {
				t.Errorf("%s, %s: p50 %v and p99 %v of calls that take %v", s.Name, p, r.P50, r.P99, s.Work)
			}
		}
	}
}

// TestOneServer is the case that can be worked out: one server that is rarely asked answers in its own time.
func TestOneServer(t *testing.T) {
	s := Scenario{Servers: 1, Clients: 1, Members: 1, Rate: 10, Workers: 8, Work: 10 * time.Millisecond, Time: 100 * time.Second, Seed: 1}
	r := Run(s)
	values := slices.Clone(exponential[:])
	slices.Sort(values)
	low := time.Duration(values[7])*s.Work/1000 + time.Duration(trip)
	high := time.Duration(values[8])*s.Work/1000 + time.Duration(trip)
	if r.P50 < low || r.P50 > high {
		t.Errorf("p50 %v, want %v to %v", r.P50, low, high)
	}
	if want := time.Duration(values[15])*s.Work/1000 + time.Duration(trip); r.P99 != want {
		t.Errorf("p99 %v, want the slowest of all, %v", r.P99, want)
	}
	if r.Failed != 0 || r.Wasted != 0 || r.Busiest != 1 {
		t.Errorf("%+v, want no failure and one server with all the load", r)
	}
}

// TestKinds: each kind of sick server alone does what it is meant to do to a client that does not look.
func TestKinds(t *testing.T) {
	for name, c := range map[string]struct {
		sicken   func(*Scenario)
		min, max int // attempts wasted, of 6000
	}{
		"failing":  {func(s *Scenario) { s.Failing = 2 }, 1200, 1600}, // a fifth, and some of the attempts after that
		"dead":     {func(s *Scenario) { s.Dead = 2 }, 8, 20},         // until the four clients know
		"hanging":  {func(s *Scenario) { s.Hanging = 2 }, 1000, 1300},
		"flapping": {func(s *Scenario) { s.Flapping = 2 }, 1, 50}, // what runs there when it dies
		"slow":     {func(s *Scenario) { s.Slow = 2 }, 300, 1200}, // what does not get done by the deadline
		"none":     {func(s *Scenario) {}, 0, 0},
	} {
		s := Village()
		s.Warm = 0
		c.sicken(&s)
		if r := Run(s.Under(balance.RoundRobin, false)); r.Wasted < c.min || r.Wasted > c.max {
			t.Errorf("%s: %d of %d attempts wasted, want %d to %d", name, r.Wasted, r.Attempts, c.min, c.max)
		}
	}
}

// TestEvenKnown: every server is known to as many clients as every other, but for the last ones.
func TestEvenKnown(t *testing.T) {
	s := Crowd()
	s.Servers, s.Clients = 60, 103
	w := &world{Scenario: s, rnd: rand.New(rand.NewPCG(1, 0))}
	w.settle()
	for _, v := range w.servers {
		if got := len(v.links); got != 34 && got != 35 {
			t.Errorf("a server is known to %d clients, want 34 or 35", got)
		}
	}
}

// TestQueue: events come out in the order of their time, and those of one instant as they were planned.
func TestQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var q queue
	var want []event
	for i := range 5000 {
		e := event{at: rnd.Int64N(500), order: uint64(i)}
		want = append(want, e)
		q.push(e)
		if rnd.IntN(3) == 0 {
			slices.SortFunc(want, func(a, b event) int {
				if a.before(b) {
					return -1
				}
				return 1
			})
			if got := q.pop(); got != want[0] {
				t.Fatalf("event %d: got %v, want %v", i, got, want[0])
			}
			want = want[1:]
		}
	}
}

// BenchmarkVillage shows what a simulated call costs.
func BenchmarkVillage(b *testing.B) {
	calls := 0
	for b.Loop() {
		calls += Run(Village().WithSick()).Attempts
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(calls), "ns/attempt")
}
