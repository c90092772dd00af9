package balance

import "fmt"

// Policy is how a Set chooses among the members that may be picked.
type Policy uint8

const (
	// P2C draws two members at random and prefers the one that is reckoned to answer sooner: its recent latency times the calls that
	// wait there. It is the zero value.
	P2C Policy = iota
	// LeastPending takes the member with the fewest calls running, and any of them when several have as few.
	LeastPending
	// RoundRobin takes each in its turn.
	RoundRobin
)

var policies = [...]string{P2C: "p2c", LeastPending: "least-pending", RoundRobin: "round-robin"}

// String gives the name that ParsePolicy reads.
func (p Policy) String() string {
	if int(p) < len(policies) {
		return policies[p]
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// ParsePolicy reads a name as String gives it; the empty text is P2C.
func ParsePolicy(text string) (Policy, error) {
	if text == "" {
		return P2C, nil
	}
	for p, name := range policies {
		if name == text {
			return Policy(p), nil
		}
	}
	return P2C, fmt.Errorf("unknown policy %q: p2c, least-pending or round-robin", text)
}
