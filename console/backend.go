package console

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Backend is all that the console needs of a connection to servers. console/remote makes one over rpcclient; tests make one by hand.
// It is safe for concurrent use. Its errors are *Error where the user can be told more than the text.
type Backend interface {
	// Call sends a request and waits for its reply. The Trace of the Reply is filled as far as the call got, also when it fails.
	Call(ctx context.Context, r Request) (Reply, error)
	// Fire is Call for load: what came back is only judged and dropped, and there is no Trace.
	Fire(ctx context.Context, r Request) error
	// Cast sends a request that nobody answers. It returns when the bytes have left.
	Cast(ctx context.Context, r Request) (Reply, error)
	// Stream sends a request and hands over the items of its answer as they come, each valid after item has returned. An error of item cancels the stream on the server
	// and is what Stream returns.
	Stream(ctx context.Context, r Request, item func(json.RawMessage) error) (Reply, error)
	// Upload sends items and waits for the one reply. An error that items yields cancels the call and is what Upload returns. items may wait for a person:
	// r.Ended is what wakes it.
	Upload(ctx context.Context, r Request, items iter.Seq2[json.RawMessage, error]) (Reply, error)
	// Bidi sends items and hands over those that come, as Upload and Stream do, both at once. item and items run at the same time.
	Bidi(ctx context.Context, r Request, items iter.Seq2[json.RawMessage, error], item func(json.RawMessage) error) (Reply, error)
	// Services asks the server what it offers. A server that cannot tell is an *Error with the code "unimplemented"; it is not asked twice, and
	// a plain one never. What comes is untrusted.
	Services(ctx context.Context) ([]Service, error)
	// Health asks the server that the next call would go to how it is. One that cannot tell is an *Error with the code "unimplemented". What comes is untrusted.
	Health(ctx context.Context) (Health, error)
	// Stats says how the connection is doing, without asking the network.
	Stats() Stats
	// Peers says how each server behind the connection is doing, without asking the network, in an order that stays. Number and Lab of a Peer are the session's to fill.
	Peers() []Peer
	// Close ends the connection and waits for what it started.
	Close() error
}

// Dialer connects to a target and returns when the connection is up, so that a refused one is an error now.
type Dialer func(ctx context.Context, target string, o DialOptions) (Backend, error)

// DialOptions say how a connection is made. The zero value is what suits most.
type DialOptions struct {
	Protocol   string // "auto", "v1" or "v2"; "" is auto: v1 until the server has shown that it speaks v2
	Security   Security
	ServerName string // what the server's certificate has to be for; "": the host in the target
}

// Request is one call or cast, or the beginning of a stream.
type Request struct {
	Type       string
	Payload    json.RawMessage // valid JSON; nil means null. An upload or a chat has none: its items are the payloads
	Idempotent bool            // it may run twice
	Ended      func()          // called once as soon as the outcome of an upload or a chat is known, before its items are waited for; may be nil
}

// Service is what a server tells of one of its services; all of it is untrusted.
type Service struct {
	Name, ReplyType string
	Pattern         string          // "call", "cast", "stream", "upload" or "bidi"
	Request, Reply  json.RawMessage // JSON Schemas, of one item where there are several; nil where there is nothing
	Doc             string
	Example         json.RawMessage // a payload that works, nil for none
	Idempotent      bool
}

// Reply is what came back; of a stream it has no Payload. Payload is what the server sent: not yet checked, and never to be written to a terminal raw.
type Reply struct {
	Type    string
	Payload json.RawMessage
	Trace   Trace
}

// Trace is what one call did on the wire, and when. Durations are zero for what did not happen.
type Trace struct {
	Start     time.Time // when the call began, as the backend counts RTT; zero where it does not say
	RequestID string
	Server    string        // the peer's address
	Attempts  int           // how often it was sent
	RTT       time.Duration // from the call to its result
	Client    time.Duration // of it: encoding, decoding and queueing in our process
	Wait      time.Duration // of it: from the first byte written to the last byte read; Client + Wait = RTT
	Out, In   []byte        // the whole frames; nil where nothing went or came. Of a long stream they are the beginning
	Protocol  string        // "v1" or "v2": what carried it; "" while unknown

	BytesOut, BytesIn int // all bytes; 0 where Out and In are all

	Timed          bool          // the server told the two below, which are parts of Wait
	Queue, Handler time.Duration // waiting for its turn there; running there
}

// Sizes says how many bytes went and came, headers included.
func (t *Trace) Sizes() (out, in int) { return max(t.BytesOut, len(t.Out)), max(t.BytesIn, len(t.In)) }

// clip sees to it that the server's own times do not exceed the time that we waited: two clocks are at work.
func (t *Trace) clip() {
	t.Handler = min(max(t.Handler, 0), t.Wait)
	t.Queue = min(max(t.Queue, 0), t.Wait-t.Handler)
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
	Protocol   string // "v1" or "v2", or "" while unknown
	Ours       bool   // the peer answered as an rpckids server does
	Attempt    int    // while Reconnecting: which attempt runs or is next
	Since      time.Time
	Sent       uint64 // messages
	Received   uint64 // messages
	Dropped    uint64 // replies nobody waited for: late, repeated or unasked
	Reconnects uint64
	Retries    uint64 // calls that were sent once more, to the same server or another one
	LastError  string

	Servers int    // how many there are behind the target; 0 where it is not known
	Up      int    // of them: those that calls may go to, which a server that was not tried yet is
	TLS     string // the version that is spoken, as "TLS 1.3"; "" for none
	As      string // the name in the client certificate that is shown to whoever asks; "" for none
	Token   bool   // a token says who calls

	Discovery string // why the last look-up of the target failed, and what is done meanwhile; "" while it works
}
