package balance

import "time"

// State is where a member stands, as one word for people.
type State uint8

const (
	Up       State = iota // gets calls
	Down                  // dials to it fail
	Ejected               // failed too often, and waits
	Probing               // its time is over, and its probe runs
	Draining              // finishes its calls and gets no new ones
)

var states = [...]string{"up", "down", "ejected", "probing", "draining"}

// String gives the state in lower case.
func (s State) String() string { return states[min(int(s), len(states)-1)] }

// Picture is a member at one instant.
type Picture struct {
	Name      string
	State     State
	Latency   time.Duration // the average that the balancer reckons with, in which failures count as slow; 0: nothing is known
	Pending   int
	Calls     uint64        // ever begun
	Failures  uint64        // of those, the Bad ones
	Ejections uint64        // ever, each failed probe included
	Back      time.Duration // until an ejected member is probed; 0 if none is or it is overdue
}

// Picture shows m at now. Its numbers are read one after the other while calls go on.
func (m *Member) Picture(now int64) Picture {
	p := Picture{
		Name:     m.name,
		Latency:  time.Duration(m.latency.load()),
		Pending:  int(m.pending()),
		Calls:    m.begun.Load(),
		Failures: m.failures.Load(),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.State, p.Ejections = m.stateLocked(), m.count
	if m.out && !m.probing {
		p.Back = time.Duration(max(0, m.until-now))
	}
	return p
}

func (m *Member) stateLocked() State {
	switch {
	case m.retired:
		return Draining
	case m.down:
		return Down
	case m.probing:
		return Probing
	case m.out:
		return Ejected
	}
	return Up
}
