package console

import (
	"context"
	"encoding/json"
	"time"
)

// Backend is all that the console needs of a connection to servers. console/remote makes one over rpcclient; tests make one by hand.
// It is safe for concurrent use. Its errors are *Error where the user can be told more than the text.
type Backend interface {
	// Call sends a request and waits for its reply. The Trace of the Reply is filled as far as the call got, also when it fails.
	Call(ctx context.Context, r Request) (Reply, error)
	// Cast sends a request that nobody answers. It returns when the bytes have left.
	Cast(ctx context.Context, r Request) (Reply, error)
	// Stats says how the connection is doing, without asking the network.
	Stats() Stats
	// Close ends the connection and waits for what it started.
	Close() error
}

// Dialer connects to a target and returns when the connection is up, so that a refused one is an error now.
type Dialer func(ctx context.Context, target string) (Backend, error)

// Request is one call or cast.
type Request struct {
	Type       string
	Payload    json.RawMessage // valid JSON; nil means null
	Idempotent bool            // it may run twice
}

// Reply is what came back. Payload is what the server sent: not yet checked, and never to be written to a terminal raw.
type Reply struct {
	Type    string
	Payload json.RawMessage
	Trace   Trace
}

// Trace is what one call did on the wire, and when. Durations are zero for what did not happen.
type Trace struct {
	RequestID string
	Server    string        // the peer's address
	Attempts  int           // how often it was sent
	RTT       time.Duration // from the call to its result
	Client    time.Duration // of it: encoding, decoding and queueing in our process
	Wait      time.Duration // of it: from the first byte written to the last byte read; Client + Wait = RTT
	Out, In   []byte        // the whole frames; nil where nothing went or came
}

// LinkState is the state of the connection to a server.
type LinkState int

const (
	Disconnected LinkState = iota // nobody asked for a connection, or it was closed by hand
	Connected
	Idle         // closed by the server while nothing was running; the next call connects again
	Reconnecting // it failed; the next call, or the keeper, tries again
)

func (s LinkState) String() string {
	return [...]string{"not connected", "connected", "idle", "reconnecting"}[s]
}

// Stats is a snapshot of a connection.
type Stats struct {
	Target     string // as the user gave it
	Server     string // the address it resolved to; "" before the first connection
	State      LinkState
	Protocol   string // "v1", or "" while unknown
	Ours       bool   // the peer answered as an rpckids server does
	Attempt    int    // while Reconnecting: which attempt runs or is next
	Since      time.Time
	Sent       uint64 // messages
	Received   uint64 // messages
	Dropped    uint64 // replies nobody waited for: late, repeated or unasked
	Reconnects uint64
	LastError  string
}
