package sim

import (
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// client makes calls through a set of its own.
type client struct {
	set     *balance.Set
	budget  *balance.Budget
	links   []*link
	members []*balance.Member // of the links, in their order
}

// act makes the next call.
func (c *client) act(w *world) {
	for _, m := range c.set.Due(w.now) {
		w.at(w.now+trip, &probe{link: c.link(m)})
	}
	c.budget.Deposit(w.now)
	k := &call{client: c, start: w.now}
	k.act(w)
	w.at(w.now+w.pause(), c)
}

func (c *client) link(m *balance.Member) *link { return c.links[slices.Index(c.members, m)] }

// link is a client's way to a server.
type link struct {
	client   *client
	server   *server
	member   *balance.Member
	down     bool
	failures int // dials in a row
}

// lose is the end of the connection, or that none can be made.
func (k *link) lose(w *world) {
	if k.down {
		return
	}
	k.down = true
	k.member.SetUp(false, w.now)
	k.redial(w)
}

func (k *link) redial(w *world) {
	k.failures++
	w.at(w.now+trip+int64(balance.Backoff(k.failures, 100*time.Millisecond, 1500*time.Millisecond, w.rnd.IntN)), k)
}

// act is how a dial ends.
func (k *link) act(w *world) {
	if !k.server.alive {
		k.redial(w)
		return
	}
	k.down, k.failures = false, 0
	k.member.SetUp(true, w.now)
}

// probe is a ping to an ejected member, as it ends. One that hangs is bad at once here: nobody is kept waiting by it.
type probe struct{ link *link }

func (p *probe) act(w *world) {
	v := p.link.server
	p.link.member.Probed(v.alive && v.kind != hanging, w.now)
}

// call is what a caller wants; it takes one attempt or more.
type call struct {
	client *client
	start  int64
	tries  int
	tried  [attempts]*balance.Member
}

// act makes the next attempt.
func (k *call) act(w *world) {
	c := k.client
	var avoid func(*balance.Member) bool
	if k.tries > 0 {
		avoid = func(m *balance.Member) bool { return slices.Contains(k.tried[:k.tries], m) }
	}
	m := c.set.Pick(w.now, avoid)
	m.Begin()
	k.tried[k.tries] = m
	k.tries++
	a := &attempt{call: k, link: c.link(m), start: w.now}
	w.counts.attempts++
	w.at(w.now+trip, a)
	w.at(k.start+deadline, &timer{a})
}

// again makes another attempt after a failure, if there is time, budget, and one left; otherwise the call has failed.
func (k *call) again(w *world) {
	wait := trip + int64(balance.Backoff(k.tries, 10*time.Millisecond, 100*time.Millisecond, w.rnd.IntN))
	if k.tries == attempts || w.now+wait >= k.start+deadline || !k.client.budget.Withdraw(w.now) {
		w.counts.failed++
		w.counts.ended(deadline)
		return
	}
	w.at(w.now+wait, k)
}

// attempt is one call to one server.
type attempt struct {
	call  *call
	link  *link
	start int64
	step  step
	over  bool
}

// step is what happens to an attempt next.
type step uint8

const (
	travels step = iota // it reaches the server
	works               // the server is done with it
)

func (a *attempt) act(w *world) {
	switch v := a.link.server; {
	case a.step == works && v.alive:
		v.done(w, a)
	case a.over || a.step == works: // nobody waits for it, or the server died
	default:
		v.take(w, a)
	}
}

// timer ends an attempt that has no answer by the deadline.
type timer struct{ attempt *attempt }

func (t *timer) act(w *world) { t.attempt.end(w, false) }

// end is what the client learns of an attempt.
func (a *attempt) end(w *world, good bool) {
	if a.over {
		return
	}
	a.over = true
	took := time.Duration(w.now - a.start)
	if good {
		a.link.member.End(w.now, took, balance.Good)
		w.counts.ended(w.now - a.call.start)
		return
	}
	a.link.member.End(w.now, took, balance.Bad)
	w.counts.wasted++
	a.call.again(w)
}
