package rpcserver

import (
	"net"
	"time"
)

// Observer is what metrics hang from. Each function may be nil; one that is set is called from the goroutine in
// which it happens, many at once, and should be quick.
type Observer struct {
	// Listening is called when a listener begins to be served, with its address.
	Listening  func(addr net.Addr)
	ConnOpened func(peer net.Addr)
	ConnClosed func(peer net.Addr, why Reason)
	// CallStarted is called before a handler runs.
	CallStarted func(CallInfo)
	// CallDone is called once for every message that came, also for one that was refused and for a cast. Of what was refused at MaxStreams or MaxConnMemory,
	// or because the server stops, it tells peer, protocol and code alone.
	CallDone func(CallInfo)
	// Repaired is called when a payload's length had counted UTF-16 units, as the Java original writes it.
	Repaired func(peer net.Addr)
	// Panicked is called when a handler panicked, before CallDone; value is nil for runtime.Goexit. For a handler of Config.HTTP the service is "!http", and for
	// Config.Auth "!auth".
	Panicked func(service string, value any, stack []byte)
	// Refused is called for what met a limit: a connection, or a call before its handler. The reason is one of the constants.
	Refused func(reason string, peer net.Addr)
}

// CallInfo describes a call to an Observer. What is not known yet is zero.
type CallInfo struct {
	Service  string // "" for a message that named no service of ours, or was not looked at: what peers make up is no label
	Pattern  Pattern
	Protocol string // "v1" or "v2"
	Peer     net.Addr
	Trace    string // W3C traceparent, or ""
	OneWay   bool   // nobody waits for an answer
	Ran      bool   // false when it was refused before its handler
	Code     Code
	BytesIn  int           // of the message on the wire; on version 2, of metadata and of the payloads of request or items
	BytesOut int           // of the payloads of reply or items; 0 for an error, for a cast, and for the null of a handler that replied nothing
	ItemsIn  int           // that the handler took
	ItemsOut int           // that the handler sent
	Queue    time.Duration // from its arrival to its handler
	Handler  time.Duration // from then until the answer, decoding and encoding included
}

// Reason says why a connection ended: one of the constants, or the rule of version 2 that the peer broke, by its name in
// docs/PROTOCOL.md, as in "credit overflow". There are few, so they can be labels of a counter.
type Reason string

// The reasons.
const (
	PeerClosed  Reason = "peer closed"
	Lost        Reason = "connection lost"
	IdleTooLong Reason = "idle"
	Half        Reason = "half a message for too long"
	BadLength   Reason = "bad length"
	NotOurs     Reason = "unknown protocol"
	WasHTTP     Reason = "HTTP" // and net/http has closed it
	Stalled     Reason = "peer does not read"
	Answered    Reason = "error answered" // an error is the last answer to a peer of the original protocol
	Stopping    Reason = "server stops"
	Cut         Reason = "server closed"

	HandshakeFailed Reason = "TLS handshake failed"
	NoTLS           Reason = "TLS on a server without"
	PlainRefused    Reason = "no TLS on a port that takes TLS alone"
)

// peaceful reasons let running calls finish and be answered.
func (r Reason) peaceful() bool {
	switch r {
	case PeerClosed, IdleTooLong, WasHTTP, Answered, Stopping:
		return true
	}
	return false
}

// polite reasons let the peer hear what it was told.
func (r Reason) polite() bool {
	return r.peaceful() || r == HandshakeFailed || r == NoTLS || r == PlainRefused
}

// Stats is a snapshot of a server's counters.
type Stats struct {
	Open     int    // connections now
	Accepted uint64 // connections since the start
	Calls    uint64 // messages that came
	Failed   uint64 // of these, answered with an error, or one way and failed
	Refused  uint64 // of these, not run because of a limit; Refusals says of which
	Panics   uint64
	Repaired uint64
	Queued   int // calls that wait for a worker now
	Running  int // workers that are busy now
	Streams  int // streams with items, and handlers of Config.HTTP, that run now; they take no worker
	InFlight int // all of these
	Limit    int // how many of these there may be now; with Config.Adaptive, of those that are no streams

	Canceled uint64            // of Calls, given up by their callers before they were answered
	Cut      uint64            // calls and streams that were in flight when Close began, or the time of Shutdown was over
	Closed   map[string]uint64 // connections that ended, by Reason; the map is the caller's own
	Refusals map[string]uint64 // connections and calls that were refused, by the constants; the map is the caller's own

	OpenV1, OpenV2    int    // of Open, those that have said what they speak
	BytesIn, BytesOut uint64 // on all connections; of TLS, what is inside
}
