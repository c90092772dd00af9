package balance

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = int64(time.Millisecond)

// seeded is a source of chance that is the same each time.
func seeded(seed uint64) func(int) int { return rand.New(rand.NewPCG(seed, 0)).IntN }

// newSet makes a set of n members that are past their slow start at second 1.
func newSet(cfg Config, n int) (*Set, []*Member) {
	if cfg.Rand == nil {
		cfg.Rand = seeded(1)
	}
	s := NewSet(cfg)
	members := make([]*Member, n)
	for i := range members {
		members[i] = NewMember(strconv.Itoa(i), -int64(time.Minute))
	}
	s.Replace(members)
	return s, members
}

// failures makes m fail n times, and ends each at now.
func failures(m *Member, n int, now int64) {
	for range n {
		m.Begin()
		m.End(now, 0, Bad)
	}
}

// picked is which members 400 picks return.
func picked(s *Set, now int64) []string {
	var names []string
	for range 400 {
		if m := s.Pick(now, nil); m != nil && !slices.Contains(names, m.Name()) {
			names = append(names, m.Name())
		}
	}
	slices.Sort(names)
	return names
}

func wantPicked(t *testing.T, s *Set, now int64, want ...string) {
	t.Helper()
	if got := picked(s, now); !slices.Equal(got, want) {
		t.Errorf("picked %v, want %v", got, want)
	}
}

func wantState(t *testing.T, m *Member, now int64, want State) {
	t.Helper()
	if got := m.Picture(now).State; got != want {
		t.Errorf("member %s is %s, want %s", m.Name(), got, want)
	}
}

func TestEmpty(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		s := NewSet(Config{Policy: p})
		if m := s.Pick(0, nil); m != nil {
			t.Errorf("%s: an empty set gives %v", p, m.Name())
		}
		if due := s.Due(1 << 60); due != nil {
			t.Errorf("%s: in an empty set %d are due", p, len(due))
		}
	}
}

func TestReplace(t *testing.T) {
	s, m := newSet(Config{}, 3)
	failures(m[0], 5, ms)
	s.Replace(m[:2])
	wantState(t, m[0], ms, Ejected)
	wantPicked(t, s, ms, "1")
	s.Replace(m[2:])
	failures(m[0], 50, ms) // no longer a member: nothing comes of it
	wantPicked(t, s, ms, "2")
	s.Replace(nil)
	if got := s.Pick(ms, nil); got != nil {
		t.Errorf("picked %s of nobody", got.Name())
	}
}

func TestDownAndDraining(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		s, m := newSet(Config{Policy: p}, 3)
		m[0].SetUp(false, 0)
		wantPicked(t, s, ms, "1", "2")
		wantState(t, m[0], ms, Down)
		m[1].Retire(true)
		wantPicked(t, s, ms, "2")
		wantState(t, m[1], ms, Draining)
		m[2].SetUp(false, ms)
		wantPicked(t, s, ms, "0", "2") // nobody is up: those that are down are tried
		m[2].SetUp(true, ms)
		m[2].Retire(true)
		wantPicked(t, s, ms, "0")
		m[0].Retire(true)
		late := int64(time.Minute)
		wantPicked(t, s, late, "0", "1", "2") // all drain: somebody has to answer
		m[1].Retire(false)
		wantPicked(t, s, late, "1")
	}
}

func TestAvoid(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		s, m := newSet(Config{Policy: p}, 4)
		m[3].SetUp(false, 0)
		for range 200 {
			tried := map[*Member]bool{}
			for range 3 {
				got := s.Pick(ms, func(m *Member) bool { return tried[m] })
				if tried[got] {
					t.Fatalf("%s: picked %s again while others were left", p, got.Name())
				}
				tried[got] = true
			}
			if got := s.Pick(ms, func(m *Member) bool { return tried[m] }); got == nil || got == m[3] {
				t.Fatalf("%s: all are tried: picked %v, want one of them", p, got)
			}
		}
	}
}

func TestLeastPending(t *testing.T) {
	s, m := newSet(Config{Policy: LeastPending}, 3)
	m[0].Begin()
	m[2].Begin()
	m[2].Begin()
	wantPicked(t, s, ms, "1")
	m[1].Begin()
	wantPicked(t, s, ms, "0", "1")
	m[2].End(ms, 0, Void)
	m[2].End(ms, 0, Good)
	wantPicked(t, s, ms, "2")
}

func TestRoundRobin(t *testing.T) {
	s, _ := newSet(Config{Policy: RoundRobin}, 3)
	first := [3]string{s.Pick(ms, nil).Name(), s.Pick(ms, nil).Name(), s.Pick(ms, nil).Name()}
	for range 5 {
		for i, want := range first {
			if got := s.Pick(ms, nil).Name(); got != want {
				t.Fatalf("pick %d of a round is %s, want %s", i, got, want)
			}
		}
	}
}

// model is what a random walk over a set knows of a member on its own account.
type model struct {
	m       *Member
	running int
	down    bool
	retired bool
}

// TestWalk plays random events and holds what is promised about Pick, Due and Picture after each.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Policy:   Policy(rapid.IntRange(0, 2).Draw(t, "policy")),
			Ejection: Ejection{Consecutive: 3, Interval: time.Second, Base: 100 * time.Millisecond, Max: time.Second},
			Rand:     seeded(1),
		}
		s := NewSet(cfg)
		now := int64(0)
		var all []*model
		var members []*Member
		for i := range rapid.IntRange(1, 7).Draw(t, "members") {
			all = append(all, &model{m: NewMember(strconv.Itoa(i), now)})
			members = append(members, all[i].m)
		}
		s.Replace(members)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += rapid.Int64Range(0, 100*ms).Draw(t, "later")
			x := all[rapid.IntRange(0, len(all)-1).Draw(t, "member")]
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0:
				x.down = !x.down
				x.m.SetUp(!x.down, now)
			case 1:
				x.retired = !x.retired
				x.m.Retire(x.retired)
			case 2:
				for _, m := range s.Due(now) {
					wantDue(t, m, now)
				}
			case 3:
				x.m.Probed(rapid.Bool().Draw(t, "probe"), now)
			case 4, 5:
				x.m.Begin()
				x.running++
			default:
				if x.running > 0 {
					x.running--
					x.m.End(now, time.Duration(rapid.Int64Range(0, 50*ms).Draw(t, "took")), Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")))
				}
			}
			holds(t, s, all, now)
		}
	})
}

func wantDue(t *rapid.T, m *Member, now int64) {
	if p := m.Picture(now); p.State != Probing || p.Back != 0 {
		t.Fatalf("due, and yet %+v", p)
	}
}

// holds checks what is true at any time.
func holds(t *rapid.T, s *Set, all []*model, now int64) {
	var staying, up, fit, out int
	for _, x := range all {
		p := x.m.Picture(now)
		if p.Pending != x.running {
			t.Fatalf("%d pending, want %d", p.Pending, x.running)
		}
		if x.retired != (p.State == Draining) || !x.retired && x.down != (p.State == Down) {
			t.Fatalf("down %v, retired %v: %+v", x.down, x.retired, p)
		}
		if x.retired {
			continue
		}
		staying++
		if x.down {
			continue
		}
		up++
		if p.State == Up {
			fit++
		} else {
			out++
		}
	}
	m := s.Pick(now, nil)
	if m == nil {
		t.Fatal("nobody picked")
	}
	switch p := m.Picture(now); {
	case p.State == Draining && staying > 0:
		t.Fatal("picked one that drains")
	case p.State == Down && up > 0:
		t.Fatal("picked one that is down while another is up")
	case (p.State == Ejected || p.State == Probing) && fit == staying-out && out*2 <= staying && !panics(s):
		t.Fatal("picked one that is ejected, without need")
	}
	if len(all) == 1 && out > 0 {
		t.Fatal("the only member is ejected")
	}
}

// panics says whether some member should be out that is not.
func panics(s *Set) bool {
	return slices.ContainsFunc(s.members, func(m *Member) bool { return m.failing })
}

// TestTogether plays everything at once from many goroutines, for the race detector, and holds that no call is lost count of.
func TestTogether(t *testing.T) {
	for _, p := range []Policy{P2C, LeastPending, RoundRobin} {
		s := NewSet(Config{Policy: p, Ejection: Ejection{Base: time.Millisecond}})
		members := make([]*Member, 8)
		for i := range members {
			members[i] = NewMember(strconv.Itoa(i), 0)
		}
		s.Replace(members)
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 0))
				for now := int64(0); now < 2000*ms; now += ms {
					m := s.Pick(now, nil)
					m.Begin()
					m.End(now, time.Duration(rnd.IntN(1e6)), Outcome(rnd.IntN(3)))
					switch rnd.IntN(40) {
					case 0:
						members[rnd.IntN(8)].SetUp(rnd.IntN(2) == 0, now)
					case 1:
						members[rnd.IntN(8)].Retire(rnd.IntN(2) == 0)
					case 2:
						s.Replace(members[:1+rnd.IntN(8)])
					case 3:
						members[rnd.IntN(8)].Picture(now)
					}
					for _, m := range s.Due(now) {
						m.Probed(rnd.IntN(2) == 0, now)
					}
				}
			})
		}
		all.Wait()
		calls := uint64(0)
		for _, m := range members {
			p := m.Picture(0)
			if p.Pending != 0 {
				t.Errorf("member %s has %d calls left", p.Name, p.Pending)
			}
			calls += p.Calls
		}
		if calls != 8*2000 {
			t.Errorf("%d calls counted, want %d", calls, 8*2000)
		}
	}
}
