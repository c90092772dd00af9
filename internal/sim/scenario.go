package sim

import (
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// Scenario is what is played. All fields are needed, except that any of the kinds of sick servers may be none.
type Scenario struct {
	Name    string
	Servers int
	Clients int
	Members int           // servers that each client knows, spread evenly
	Rate    float64       // calls per second and client
	Workers int           // calls that a server runs at once
	Work    time.Duration // how long one takes on average
	Warm    time.Duration // played before anything is counted
	Time    time.Duration // and then this long
	Seed    uint64

	Slow     int // servers that take ten times as long
	Failing  int // that answer every call with an error, at once
	Dead     int // to which nobody can connect
	Hanging  int // to which everybody can connect, and that never answer
	Flapping int // that are dead for 4 s of every 8

	Policy   balance.Policy
	Ejection balance.Ejection
}

const (
	trip     = int64(500 * time.Microsecond) // there and back
	deadline = int64(time.Second)            // of a call, with all its attempts
	attempts = 3
	flap     = int64(4 * time.Second)
)

// Crowd is a large deployment, all of it well: a thousand servers at half their capacity and ten thousand clients. Each client knows 20
// servers, as is usual at that size: if all knew all there would be ten million connections.
func Crowd() Scenario {
	return Scenario{
		Name: "all healthy", Servers: 1000, Clients: 10_000, Members: 20, Rate: 10,
		Workers: 2, Work: 10 * time.Millisecond, Warm: 8 * time.Second, Time: 5 * time.Second, Seed: 1,
	}
}

// Village is small and quick to play: ten servers at a third of their capacity, and four busy clients that know them all.
func Village() Scenario {
	return Scenario{
		Name: "all healthy", Servers: 10, Clients: 4, Members: 10, Rate: 150,
		Workers: 2, Work: 10 * time.Millisecond, Warm: 8 * time.Second, Time: 10 * time.Second, Seed: 1,
	}
}

// WithSlow makes this many servers of a hundred slow.
func (s Scenario) WithSlow(percent int) Scenario {
	s.Name, s.Slow = "some slow", s.Servers*percent/100
	return s
}

// WithSick makes one server in fifty slow, as many failing, dead and flapping, and half as many hanging; one of each at least.
func (s Scenario) WithSick() Scenario {
	some := max(1, s.Servers/50)
	s.Name = "some sick"
	s.Slow, s.Failing, s.Dead, s.Hanging, s.Flapping = some, some, some, max(1, some/2), some
	return s
}

// Under plays the scenario with a policy, and with ejection or without.
func (s Scenario) Under(p balance.Policy, ejection bool) Scenario {
	s.Policy, s.Ejection.Off = p, !ejection
	return s
}
