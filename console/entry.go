package console

import (
	"encoding/json"
	"strings"
	"time"
)

// Kind says whether an entry waits for a reply.
type Kind int

const (
	KindCall Kind = iota
	KindCast
)

func (k Kind) String() string { return [...]string{"call", "cast"}[k] }

// State is how far an entry got.
type State int

const (
	Running State = iota
	OK            // a call with a good reply
	Sent          // a cast whose bytes have left
	Failed        // Entry.Err says why
)

func (s State) String() string { return [...]string{"running", "ok", "sent", "failed"}[s] }

// Entry is one call or cast in the journal. Number is its name everywhere: #128 on the screen, $128 in a payload.
// Entries are values: what a face holds never changes under it.
type Entry struct {
	Number     int
	Kind       Kind
	Type       string
	Payload    json.RawMessage // nil means null
	Idempotent bool
	Timeout    time.Duration // how long it may take; 0 means for ever
	Started    time.Time
	State      State
	ReplyType  string
	Result     json.RawMessage // the reply's payload, untrusted text
	Err        *Error          // why it Failed
	Trace      Trace
	Server     time.Duration // the server's own time, from the field that --server-time names
	HasServer  bool          // Server is known; zero is a possible time
	Dropped    bool          // the payload, the result and the frames are no longer kept, since newer ones took their room
	Hint       string        // one line for the user beside a good result, as the command that registers its type
	terms      terms         // for rerun
}

// Network is the time on the way: what the server did not take of the wait. It is known only when HasServer is true;
// otherwise faces call the whole Wait "wait".
func (e Entry) Network() time.Duration { return max(e.Trace.Wait-e.Server, 0) }

// size is what the entry holds in bytes, as the journal counts it.
func (e *Entry) size() int {
	n := len(e.Payload) + max(len(e.ReplyType)-maxType, 0) + len(e.Result) + len(e.Trace.Out) + len(e.Trace.In)
	if e.Err != nil {
		n += len(e.Err.Details)
	}
	return n
}

// drop forgets what can be large.
func (e *Entry) drop() {
	e.Payload, e.Result, e.Trace.Out, e.Trace.In, e.Dropped = nil, nil, nil, nil, true
	e.ReplyType = strings.Clone(e.ReplyType[:min(len(e.ReplyType), maxType)])
	if e.Err != nil {
		kept := *e.Err // the one that faces hold does not change
		kept.Details, kept.Cause = nil, nil
		e.Err = &kept
	}
}

// Word is the one word of the state column: ok, sent, running, or the reason of a failure.
func (e Entry) Word() string {
	if e.State == Failed && e.Err != nil {
		return e.Err.Word()
	}
	return e.State.String()
}
