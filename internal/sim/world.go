package sim

import (
	"math/rand/v2"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// world is a scenario as it is played.
type world struct {
	Scenario
	now     int64
	order   uint64
	queue   queue
	rnd     *rand.Rand
	servers []*server
	clients []*client
	counts  counts
}

// Run plays a scenario. One of 1000 servers and 10 000 clients takes seconds and 200 MB.
func Run(s Scenario) Result {
	w := &world{Scenario: s, rnd: rand.New(rand.NewPCG(s.Seed, 0))}
	w.settle()
	w.play(int64(s.Warm))
	w.counts = counts{open: true}
	for _, v := range w.servers {
		v.calls = 0
	}
	w.play(int64(s.Warm + s.Time))
	return w.result()
}

// settle makes the servers and the clients. Who is sick is spread over all, so that a client meets its part of them.
func (w *world) settle() {
	for range w.Servers {
		w.servers = append(w.servers, &server{})
	}
	sick := w.rnd.Perm(w.Servers)
	for _, group := range []struct {
		kind kind
		n    int
	}{{slow, w.Slow}, {failing, w.Failing}, {dead, w.Dead}, {hanging, w.Hanging}, {flapping, w.Flapping}} {
		for _, i := range sick[:group.n] {
			w.servers[i].kind = group.kind
			w.servers[i].alive = group.kind != dead
		}
		sick = sick[group.n:]
	}
	for _, i := range sick {
		w.servers[i].alive = true
	}
	var ring []int
	for range w.Clients {
		if len(ring) < w.Members {
			ring = w.rnd.Perm(w.Servers) // the next clients share these out, so that all servers are known to as many clients
		}
		w.clients = append(w.clients, w.newClient(ring[:w.Members]))
		ring = ring[w.Members:]
	}
	for _, v := range w.servers {
		if v.kind == flapping {
			w.at(w.rnd.Int64N(2*flap), v)
		}
	}
}

// newClient makes a client that knows the servers with these numbers and makes its first call soon.
func (w *world) newClient(known []int) *client {
	c := &client{
		set:    balance.NewSet(balance.Config{Policy: w.Policy, Ejection: w.Ejection, Rand: w.rnd.IntN}),
		budget: balance.NewBudget(0.1, 10),
	}
	for _, i := range known {
		k := &link{client: c, server: w.servers[i], member: balance.NewMember("", 0)}
		c.links = append(c.links, k)
		c.members = append(c.members, k.member)
		k.server.links = append(k.server.links, k)
	}
	c.set.Replace(c.members)
	w.at(w.pause(), c)
	return c
}

// at plans that something happens to who.
func (w *world) at(at int64, who actor) {
	w.order++
	w.queue.push(event{at: at, order: w.order, who: who})
}

// play lets happen what is planned before t.
func (w *world) play(t int64) {
	for len(w.queue) > 0 && w.queue[0].at < t {
		e := w.queue.pop()
		w.now = e.at
		e.who.act(w)
	}
}

// pause draws how long a client waits between two calls, anything up to twice the mean.
func (w *world) pause() int64 { return w.rnd.Int64N(int64(2 * float64(time.Second) / w.Rate)) }

// exponential is a distribution with mean 1000, as 16 values that are equally likely. Whole numbers are the same on every machine, which
// logarithms need not be.
var exponential = [16]int64{32, 99, 170, 247, 331, 421, 521, 632, 758, 901, 1068, 1268, 1519, 1857, 2380, 3796}

// work draws how long a healthy server works on a call.
func (w *world) work() int64 { return int64(w.Work) / 1000 * exponential[w.rnd.IntN(len(exponential))] }
