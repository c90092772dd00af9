package balance

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// newBenchSet makes a set of n members that know each other's latency.
func newBenchSet(n int) *Set {
	s := NewSet(Config{})
	members := make([]*Member, n)
	for i := range members {
		members[i] = NewMember(fmt.Sprint(i), 0)
		members[i].Begin()
		members[i].End(1, time.Duration(1000+i), Good)
	}
	s.Replace(members)
	return s
}

// BenchmarkCall is all that the balancer adds to a call.
func BenchmarkCall(b *testing.B) {
	for _, n := range []int{1, 3, 100} {
		for _, callers := range []int{1, 2} {
			b.Run(fmt.Sprintf("members=%d/callers=%d", n, callers), func(b *testing.B) {
				b.ReportAllocs()
				s := newBenchSet(n)
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						now := int64(time.Minute)
						for range b.N / callers {
							now += 1000
							m := s.Pick(now, nil)
							m.Begin()
							m.End(now+1000, 1000, Good)
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 3, 100} {
		for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
			b.Run(fmt.Sprintf("%s/members=%d", p, n), func(b *testing.B) {
				b.ReportAllocs()
				s := newBenchSet(n)
				s.cfg.Policy = p
				for b.Loop() {
					s.Pick(int64(time.Minute), nil)
				}
			})
		}
	}
}

func BenchmarkBudget(b *testing.B) {
	budget := NewBudget(0.1, 10)
	b.ReportAllocs()
	for now := int64(0); b.Loop(); now += 1000 {
		budget.Deposit(now)
	}
}

func BenchmarkQuantile(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		var q Quantile
		b.ReportAllocs()
		d := time.Duration(0)
		for b.Loop() {
			d = (d + 7919) % time.Second
			q.Add(d)
		}
	})
	b.Run("at", func(b *testing.B) {
		var q Quantile
		for i := range 1000 {
			q.Add(time.Duration(i) * time.Millisecond)
		}
		b.ReportAllocs()
		for b.Loop() {
			q.At(0.95)
		}
	})
}

// TestNoAllocations holds the promise that the way of a call allocates nothing, under every policy and with members to avoid.
func TestNoAllocations(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		for _, n := range []int{1, 2, 3, 100} {
			s := newBenchSet(n)
			s.cfg.Policy = p
			var tried *Member
			avoid := func(m *Member) bool { return m == tried }
			now := int64(time.Second)
			got := testing.AllocsPerRun(200, func() {
				now += 1e6
				m := s.Pick(now, nil)
				m.Begin()
				m.End(now, time.Millisecond, Good)
				tried = m
				m = s.Pick(now, avoid)
				m.Begin()
				m.End(now, time.Millisecond, Void)
				s.Due(now)
			})
			if got != 0 {
				t.Errorf("%s of %d: %v allocations per call, want 0", p, n, got)
			}
		}
	}
	var q Quantile
	b := NewBudget(0.1, 10)
	got := testing.AllocsPerRun(200, func() {
		q.Add(time.Millisecond)
		q.At(0.9)
		b.Deposit(1)
		b.Withdraw(1)
		Backoff(3, time.Millisecond, time.Second, nil)
	})
	if got != 0 {
		t.Errorf("quantile, budget and back-off: %v allocations, want 0", got)
	}
}
