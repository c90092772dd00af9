package balance

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// idle is how long a member may go without a sample before it is looked at again. Nothing else shows that it has become faster.
	idle = int64(time.Second)
	// A pair of which the worse one is due for a look goes to it this rarely, so that the looks stay few at low rates too: one in 32, and
	// one in 64 if its last call failed.
	lookSlow, lookFailed = 32, 64
	// One that is fresh among those that are not is looked at sooner and more often: a server that starts may need some calls to get warm,
	// and would get them one a second.
	youth     = int64(10 * time.Second)
	idleFresh = int64(100 * time.Millisecond)
	lookFresh = 8
)

// choose picks by the policy among those that are not to be avoided; if there are none, among all.
func (s *Set) choose(v *view, now int64, avoid func(*Member) bool) *Member {
	var m *Member
	switch s.cfg.Policy {
	case RoundRobin:
		m = inTurn(v.picks, s.turn.Add(1), avoid)
	case LeastPending:
		m = leastPending(v.picks, s.draw(), avoid)
	default:
		m = s.twoChoices(v.picks, now, avoid)
	}
	if m == nil {
		return s.choose(v, now, nil)
	}
	return m
}

// inTurn returns the first from place turn on that is not avoided, or nil.
func inTurn(picks []*Member, turn uint64, avoid func(*Member) bool) *Member {
	n := uint64(len(picks))
	for i := range n {
		if m := picks[(turn+i)%n]; avoid == nil || !avoid(m) {
			return m
		}
	}
	return nil
}

// leastPending returns the member with the fewest calls running, or nil. It begins to look at a random place, so that those that are
// equal share.
func leastPending(picks []*Member, bits uint64, avoid func(*Member) bool) *Member {
	var best *Member
	var fewest uint64
	at := int(below24(bits>>40, len(picks)))
	for i := range picks {
		m := picks[wrap(at+i, len(picks))]
		if waiting := m.pending(); (best == nil || waiting < fewest) && (avoid == nil || !avoid(m)) {
			best, fewest = m, waiting
		}
	}
	return best
}

// twoChoices draws two different members and returns the one to prefer, or nil if all are avoided. When even that one is poor then both
// are, and it draws again: with three sick servers among ten, one pair in fifteen has nobody well in it.
func (s *Set) twoChoices(picks []*Member, now int64, avoid func(*Member) bool) *Member {
	for tries := 3; ; tries-- {
		bits := s.draw()
		a, b := pair(picks, bits, avoid)
		if b == nil {
			return a
		}
		m, speed, look := prefer(a, b, now, s.usual.pending(), bits)
		if look || tries == 1 || !s.poor(m, speed) {
			s.usual.note(speed, m.pending(), bits)
			return m
		}
	}
}

// poor says that m failed its last call, or is much slower than those that are usually picked.
func (s *Set) poor(m *Member, speed float64) bool {
	usual := s.usual.speed()
	return usual != 0 && speed > 4*usual || m.streak.Load() > 0
}

// usual is how the members are that are picked: how fast, in nanoseconds, and how many calls run there. It learns from one pick in 16, so
// that callers seldom write.
type usual struct {
	fast atomic.Uint64 // bits of float64s
	busy atomic.Uint64
}

func (u *usual) speed() float64   { return math.Float64frombits(u.fast.Load()) }
func (u *usual) pending() float64 { return math.Float64frombits(u.busy.Load()) }

// note takes a member that was picked. What two callers note at once may be lost.
func (u *usual) note(speed float64, pending uint64, bits uint64) {
	mean := u.speed()
	if mean == 0 {
		u.fast.Store(math.Float64bits(speed))
	} else if bits>>36&15 == 0 {
		u.fast.Store(math.Float64bits(mean + float64((speed-mean)/16)))
		busy := u.pending()
		u.busy.Store(math.Float64bits(busy + float64((float64(pending)-busy)/16)))
	}
}

// pair draws two different members that are not avoided; the second, or both, are nil when there are too few. There are at least two.
func pair(picks []*Member, bits uint64, avoid func(*Member) bool) (a, b *Member) {
	if avoid == nil {
		i := below24(bits>>40, len(picks))
		j := wrap(i+1+below24(bits>>16, len(picks)-1), len(picks))
		return picks[i], picks[j]
	}
	if a = inTurn(picks, bits>>40, avoid); a == nil {
		return nil, nil
	}
	return a, inTurn(picks, bits>>16&(1<<24-1), func(m *Member) bool { return m == a || avoid(m) })
}

// prefer returns a or b: the cheaper one, the more surely the greater the difference. The choice is a lottery and not a comparison,
// because costs are estimates: of two servers that are equally fast the estimates never are, and to compare would send a quiet client's
// calls all to one of them, and then all to the other. The chances are as the cubes of the costs: with a difference of a tenth 4 to 3,
// at twice the cost 1 in 9, at ten times 1 in 1000. Now and then it is the worse one, only for a look.
// speed is the latency of m that was reckoned with.
func prefer(a, b *Member, now int64, usual float64, bits uint64) (m *Member, speed float64, look bool) {
	x, y := a.speed(now), b.speed(now)
	if x == 0 || y == 0 {
		x = max(x, y) // as good as the other
		if x == 0 {
			x = unknown
		}
		y = x
	}
	p, q := x*a.wait(usual), y*b.wait(usual)
	p, q = float64(p*p*p), float64(q*q*q)
	if float64(bits&(1<<16-1))*(p+q) >= q*(1<<16) {
		a, b = b, a
		x = y
	}
	if fresh := b.youngerThan(a, now); b.forgotten(now, fresh) && b.deservesLook(bits, fresh) {
		return b, x, true
	}
	return a, x, false
}

// wait is by how much what runs on m makes a call there last longer than its speed says. Calls count by what is usual: that many the
// speed has in it, so on a server that easily does ten at once one more is little, and on one that is used to none it is a lot.
func (m *Member) wait(usual float64) float64 {
	return 1 + float64(m.pending())/(usual+1)
}

// unknown is the latency of members of which none has had a call, in nanoseconds.
const unknown = 1e6

// speed is how long m is taken to need for a call, in nanoseconds; 0 if nothing is known. A member that has calls and gives no answers is
// as slow as it has been silent, so that a server that hangs gets expensive before any call to it ends.
func (m *Member) speed(now int64) float64 {
	latency := m.latency.load()
	if !m.owes() {
		return latency
	}
	silent := float64(now - max(m.latency.seen.Load(), m.busy.Load()))
	if silent > latency && (latency != 0 || silent > unknown) {
		return within(silent)
	}
	return latency
}

// forgotten says that m has not been asked for so long that what is known of it is old, and no call runs that will tell more.
func (m *Member) forgotten(now int64, fresh bool) bool {
	after := idle
	if fresh {
		after = idleFresh
	}
	return now-m.latency.seen.Load() > after && now-m.busy.Load() > after && !m.owes()
}

// youngerThan says that m has just come to where other has been for a while. Its first calls may have been slow only because they were
// the first, and have to be followed by more to show it.
func (m *Member) youngerThan(other *Member, now int64) bool {
	return now-m.since.Load() < youth && now-other.since.Load() >= youth
}

// deservesLook draws whether a call is spent on m to see how it is now. The bits were used to choose between two members: the product
// mixes them into others.
func (m *Member) deservesLook(bits uint64, fresh bool) bool {
	rare := uint64(lookSlow)
	switch {
	case m.streak.Load() > 0:
		rare = lookFailed
	case fresh:
		rare = lookFresh
	}
	return bits*0x9e3779b97f4a7c15>>32%rare == 0
}

// below24 makes a number of 0 to n-1 of the low 24 bits.
func below24(bits uint64, n int) int { return int(bits & (1<<24 - 1) * uint64(n) >> 24) }

// wrap is i modulo n for i below 2n.
func wrap(i, n int) int {
	if i >= n {
		return i - n
	}
	return i
}
