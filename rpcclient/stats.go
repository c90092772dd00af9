package rpcclient

import (
	"sync/atomic"
	"time"
)

// The versions of the wire as people see them.
const (
	protocolV1 = "v1"
	protocolV2 = "v2"
)

// State is what a client is doing about its connection.
type State uint8

// The states of a client.
const (
	Idle       State = iota // no connection; the next call makes one
	Connecting              // dialing, or waiting to dial again
	Connected
	Closed
)

// String returns the state as one lower-case word.
func (s State) String() string {
	return [...]string{"idle", "connecting", "connected", "closed"}[s]
}

// Dropped counts replies that nobody waited for.
type Dropped struct {
	Wrong    uint64 // an id that was never sent on this connection
	Late     uint64 // its caller had gone away
	Repeated uint64 // its call had been answered before
	Unasked  uint64 // an answer to a cast
}

// Total returns the sum.
func (d Dropped) Total() uint64 { return d.Wrong + d.Late + d.Repeated + d.Unasked }

// Stats is a picture of a client at one moment. The counters run over the whole
// life of the client, across connections.
type Stats struct {
	Target   string // as given to Dial or New
	State    State
	Attempt  int    // while Connecting: 1 for the first dial, higher after failures
	Remote   string // address of the connection, "" without one
	Protocol string // "v1" or "v2", "" without a connection
	Ours     bool   // the server has shown that it is an rpckids server
	Since    time.Time
	TLS      string // its version on the connection, as "TLS 1.3"; "" for a plain one
	Pending  int    // calls waiting for their replies, or for their turn
	Streams  int    // streams, uploads and bidis that run
	Conns    int    // open connections to all servers

	Servers   int    // in the list
	Discovery string // why the last look for servers failed, and what is used instead; "" if it did not

	Sent, Received    uint64 // messages
	BytesOut, BytesIn uint64
	Dropped           Dropped
	Retries           uint64 // attempts after a call's first, hedges not included
	Hedges            uint64 // calls sent to a second server because they took long
	Reconnects        uint64 // connections after one was lost; moving to version 2 and growing are none
	Repairs           uint64 // replies whose length counted UTF-16 units
	LastError         error  // the latest failure of a call that was the connection's: kinds ErrConnect, ErrConnectionLost, ErrProtocol; nil if none
	LastErrorAt       time.Time
}

// counters is the live side of Stats. The zero value is ready.
type counters struct {
	sent, received    atomic.Uint64
	bytesOut, bytesIn atomic.Uint64
	dropped           [oneWay + 1]atomic.Uint64 // by the fate of the id; unused: never sent
	retries, hedges   atomic.Uint64
	reconnects        atomic.Uint64
	repairs           atomic.Uint64
	last              atomic.Pointer[lastError]
}

type lastError struct {
	err error
	at  time.Time
}

func (n *counters) failed(e *Error) {
	switch e.Kind {
	case ErrConnect, ErrConnectionLost, ErrProtocol:
		n.last.Store(&lastError{e, time.Now()})
	}
}

// Stats returns the present state and the counters. It may be called at any time.
func (c *Client) Stats() Stats {
	s := Stats{Target: c.target.text}
	c.fleet.describe(&s)
	return s
}

// describe fills in the counters.
func (n *counters) describe(s *Stats) {
	s.Sent, s.Received = n.sent.Load(), n.received.Load()
	s.BytesOut, s.BytesIn = n.bytesOut.Load(), n.bytesIn.Load()
	s.Dropped = Dropped{
		Wrong:    n.dropped[unused].Load(),
		Late:     n.dropped[abandoned].Load(),
		Repeated: n.dropped[answered].Load(),
		Unasked:  n.dropped[oneWay].Load(),
	}
	s.Repairs = n.repairs.Load()
	s.Reconnects, s.Retries, s.Hedges = n.reconnects.Load(), n.retries.Load(), n.hedges.Load()
	if last := n.last.Load(); last != nil {
		s.LastError, s.LastErrorAt = last.err, last.at
	}
}
