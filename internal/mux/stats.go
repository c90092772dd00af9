package mux

import "sync/atomic"

// Traffic counts bytes. The zero value is ready.
type Traffic struct{ In, Out atomic.Uint64 }

// Refusal says why a server did not take a stream.
type Refusal uint8

// The refusals.
const (
	RefusedStreams  Refusal = iota // as many are open as may be, those included that were cancelled and still run
	RefusedMemory                  // too much is held for this client
	RefusedDraining                // GOAWAY was sent
	refusals
)

// refused counts those of one batch, which the reader tells when it has let go of the lock.
type refused [refusals]uint32

// Stats is a snapshot of a Conn.
type Stats struct {
	Streams  int    // open ones
	Running  int    // server: handed out and not Done, cancelled ones included
	Waiting  int    // client: callers of Open that wait in line
	Held     int    // bytes of messages that came and that nobody has done with
	Unsent   int    // bytes that the socket has not taken
	Late     uint64 // frames dropped because their stream had finished
	Refused  uint64 // streams that this end refused or failed: too many, or no memory for their messages
	Canceled uint64 // server: streams that the client cancelled
	Pings    uint64 // that came
	BytesIn  uint64
	BytesOut uint64
}

// counts are those of Stats that count events.
type counts struct{ Late, Refused, Canceled, Pings, BytesIn uint64 }

// Stats returns the numbers as they are now.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.stats
	s := Stats{Late: n.Late, Refused: n.Refused, Canceled: n.Canceled, Pings: n.Pings, BytesIn: n.BytesIn}
	s.Streams, s.Running, s.Waiting = c.streams.n, c.running, len(c.line)
	s.Held, s.Unsent, s.BytesOut = c.held, c.unsentLocked(), c.taken
	return s
}

// Crowded reports whether more waits to be written than MaxOutbox: the peer does not read what it asks for. Whoever has more work
// for it should wait until Config.Drained is called.
func (c *Conn) Crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crowded
}
