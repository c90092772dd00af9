package balance

import (
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is what a call says about the member that had it.
type Outcome uint8

const (
	// Good is an answer, be it a result or the service's own error: the server did its work.
	Good Outcome = iota
	// Bad is a failure of the server or of the way to it. It counts as a slow call, however fast it came, and towards ejection.
	Bad
	// Void says nothing for or against the member: the caller went away, the call was refused while the server drains, it was never sent.
	Void
)

// Member is one server as the balancer sees it. Only NewMember makes one. A member belongs to at most one Set at a time.
type Member struct {
	name string

	// What changes with every call.
	begun   atomic.Uint64
	ended   atomic.Uint64
	latency latency
	settled atomic.Int64 // of those that run: answered, see Settle
	busy    atomic.Int64 // when a call was last given to it while it had none
	since   atomic.Int64 // when this life of it began: made, up again, or back from an ejection
	streak  atomic.Int32 // failures in a row

	failures atomic.Uint64
	voids    atomic.Uint64
	set      atomic.Pointer[Set]

	mu sync.Mutex // protects the fields below; taken after the set's
	exile
	down    bool
	retired bool
}

// NewMember makes a member that is up and has no history: as long as nothing is known it is taken to be as good as the others. The name
// is for Picture alone.
func NewMember(name string, now int64) *Member {
	m := &Member{name: name}
	m.startLocked(now)
	return m
}

// Name returns the name that NewMember was given.
func (m *Member) Name() string { return m.name }

// Begin counts a call as running on m. It follows the Pick that returned m, and each Begin is followed by exactly one End.
func (m *Member) Begin() { m.begun.Add(1) }

// End counts a call as over. took is how long the answer took. For a Void it is how long the caller had waited in vain, which can only
// show that the member is slower than thought; it is 0 when not even that is known: nothing was sent, or a stream lived as long as its
// owner liked.
func (m *Member) End(now int64, took time.Duration, o Outcome) {
	m.ended.Add(1)
	if o == Void {
		m.voids.Add(1)
	}
	if now-int64(took) < m.since.Load() {
		// Begun before the member's return: that is about the server it was then.
		if o == Bad {
			m.failures.Add(1)
		}
		return
	}
	switch o {
	case Good:
		m.latency.add(now, float64(took))
		if m.streak.Load() != 0 {
			m.streak.Store(0)
		}
	case Bad:
		m.latency.fail(now)
		m.fail(now)
	case Void:
		m.latency.atLeast(now, float64(took))
	}
}

// Settle says that a call that runs on m goes on though nothing is owed to it: a stream after its first item, which came after took, or
// an upload, with a took of 0, whose time is its caller's affair. Until EndSettled, which then takes the place of End, it is load, but its
// age says nothing about m.
func (m *Member) Settle(now int64, took time.Duration) {
	m.settled.Add(1)
	if took > 0 && now-int64(took) >= m.since.Load() {
		m.latency.add(now, float64(took))
		m.streak.Store(0)
	}
}

// EndSettled counts a settled call as over.
func (m *Member) EndSettled(now int64, o Outcome) {
	m.settled.Add(-1)
	m.ended.Add(1)
	switch o {
	case Void:
		m.voids.Add(1)
	case Bad:
		m.latency.fail(now)
		m.fail(now)
	}
}

// owes reports whether calls run on m that it has not answered.
func (m *Member) owes() bool {
	settled := m.settled.Load()
	return int64(m.pending()) > settled
}

// SetUp says whether calls can reach m: false when dials to it fail, true when a connection stands. A member that is down is picked only
// when no other is up. One that comes up begins a new life: it is neither blamed nor praised for what was before. If it was ejected, its
// probe is due at once; the connection alone does not bring it back, because a process that hangs has connections made to it too.
func (m *Member) SetUp(up bool, now int64) {
	m.mu.Lock()
	changed := m.down == up
	m.down = !up
	m.probing = m.probing && !changed
	if changed && up {
		m.startLocked(now)
		m.failing = false
		m.until = min(m.until, now)
	}
	m.mu.Unlock()
	if changed {
		m.changed()
	}
}

// Retire says whether m drains. Then it is picked by nobody, unless the whole set drains; calls that run there go on.
func (m *Member) Retire(on bool) {
	m.mu.Lock()
	changed := m.retired != on
	m.retired = on
	m.mu.Unlock()
	if changed {
		m.changed()
	}
}

// pending is how many calls run on m. What has ended is read first, so that it is never less than none.
func (m *Member) pending() uint64 {
	ended := m.ended.Load()
	return m.begun.Load() - ended
}

// startLocked begins a new life of m. A member is not shared yet when it is made; after that m.mu is held.
func (m *Member) startLocked(now int64) {
	m.since.Store(now)
	m.busy.Store(now)
	m.streak.Store(0)
	m.latency.reset(now)
	m.window = window{}
}

// changed makes the set of m, if it has one, work out anew who may be picked. No lock is held.
func (m *Member) changed() {
	if s := m.set.Load(); s != nil {
		s.refresh()
	}
}
