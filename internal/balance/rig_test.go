package balance

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

type rand64 = rand.Rand

// server is what stands behind a member in a rig: how long a call takes there and how it ends. A call for which took is negative is never
// answered: its caller gives up after the rig's deadline.
type server func(now int64, rnd *rand.Rand) (took time.Duration, o Outcome)

// steady answers in about d: lognormal around it, with the given spread (0: exactly).
func steady(d time.Duration, spread float64) server {
	return func(_ int64, rnd *rand.Rand) (time.Duration, Outcome) {
		return time.Duration(float64(d) * math.Exp(spread*rnd.NormFloat64())), Good
	}
}

// failing fails in 50 µs.
func failing(int64, *rand.Rand) (time.Duration, Outcome) { return 50 * time.Microsecond, Bad }

// hanging never answers.
func hanging(int64, *rand.Rand) (time.Duration, Outcome) { return -1, Bad }

// until is one server before t and another from then on.
func until(t time.Duration, before, after server) server {
	return func(now int64, rnd *rand.Rand) (time.Duration, Outcome) {
		if now < int64(t) {
			return before(now, rnd)
		}
		return after(now, rnd)
	}
}

// rig is a load on a set, played on a clock of its own.
type rig struct {
	set      *Set
	members  []*Member
	servers  []server
	rate     float64       // calls per second
	workers  int           // calls at once at most; when all are busy the next call waits for one
	burst    int           // calls that come at one instant, after a pause that makes up for it; 0: one
	deadline time.Duration // of calls that are not answered
	probe    bool          // whether ejected members are probed, by a call
	rnd      *rand.Rand
	now      int64

	calls   []int // begun per member since the last reset
	stuck   []int // of them, never answered
	latency []time.Duration
	ends    ends
}

// newRig makes a rig of servers at rate calls per second, workers at once.
func newRig(cfg Config, seed uint64, rate float64, workers int, servers ...server) *rig {
	r := &rig{servers: servers, rate: rate, workers: workers, deadline: 2 * time.Second, probe: true, rnd: rand.New(rand.NewPCG(seed, 1))}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(seed, 2)).IntN
	}
	r.set = NewSet(cfg)
	for i := range servers {
		r.members = append(r.members, NewMember(strconv.Itoa(i), 0))
	}
	r.set.Replace(r.members)
	r.reset()
	return r
}

func (r *rig) reset() {
	r.calls, r.stuck, r.latency = make([]int, len(r.servers)), make([]int, len(r.servers)), nil
}

// end is a call that will be over.
type end struct {
	at, took int64
	member   *Member
	outcome  Outcome
}

type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(end)) }
func (e *ends) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// finish ends every call that is over by t.
func (r *rig) finish(t int64) {
	for len(r.ends) > 0 && r.ends[0].at <= t {
		e := heap.Pop(&r.ends).(end)
		r.now = e.at
		e.member.End(e.at, time.Duration(e.took), e.outcome)
	}
	r.now = max(r.now, t)
}

// run plays the load for d.
func (r *rig) run(d time.Duration) {
	stop := r.now + int64(d)
	burst := max(1, r.burst)
	gap := int64(float64(burst) * 1e9 / r.rate)
	for next := r.now; next < stop; next += gap {
		r.finish(next)
		if len(r.ends) >= r.workers {
			r.finish(r.ends[0].at)
		}
		next = max(next, r.now)
		for _, m := range r.set.Due(r.now) {
			if r.probe {
				_, o := r.servers[r.index(m)](r.now, r.rnd)
				m.Probed(o == Good, r.now)
			}
		}
		for range burst {
			r.call()
		}
	}
}

func (r *rig) call() {
	m := r.set.Pick(r.now, nil)
	m.Begin()
	i := r.index(m)
	took, o := r.servers[i](r.now, r.rnd)
	r.calls[i]++
	if took < 0 {
		r.stuck[i]++
		took = r.deadline
	}
	r.latency = append(r.latency, took)
	heap.Push(&r.ends, end{at: r.now + int64(took), took: int64(took), member: m, outcome: o})
}

func (r *rig) index(m *Member) int {
	i, _ := strconv.Atoi(m.Name())
	return i
}

// share is the part of the calls that member i got.
func (r *rig) share(i int) float64 {
	sum := 0
	for _, n := range r.calls {
		sum += n
	}
	return float64(r.calls[i]) / float64(sum)
}

// spread is how far the shares of the members are from even: 0.2 is a fifth of the even share.
func (r *rig) spread() float64 {
	far := 0.0
	for i := range r.calls {
		far = max(far, math.Abs(r.share(i)*float64(len(r.calls))-1))
	}
	return far
}
