package console

import (
	"encoding/json"
	"strings"
	"time"
)

// Kind says what goes and what comes back.
type Kind int

const (
	KindCall   Kind = iota
	KindCast        // nothing comes back
	KindStream      // items come back
	KindUpload      // items go, one reply comes back
	KindChat        // items go, items come back; a server calls it bidi
)

// String is the name of the command that makes such an entry.
func (k Kind) String() string {
	return [...]string{"call", "cast", "stream", "upload", "chat"}[k]
}

// Streams says whether items come back.
func (k Kind) Streams() bool { return k == KindStream || k == KindChat }

// gives says whether items go.
func (k Kind) gives() bool { return k == KindUpload || k == KindChat }

// kindOf returns the kind of a pattern as servers name it.
func kindOf(pattern string) (k Kind, ok bool) {
	k, ok = map[string]Kind{"call": KindCall, "cast": KindCast, "stream": KindStream, "upload": KindUpload, "bidi": KindChat}[pattern]
	return k, ok
}

// State is how far an entry got.
type State int

const (
	Running State = iota
	OK            // a call with a good reply, a stream that came to its end
	Sent          // a cast whose bytes have left
	Failed        // Entry.Err says why: it went wrong, or was stopped
)

func (s State) String() string { return [...]string{"running", "ok", "sent", "failed"}[s] }

// Entry is one call, cast or stream in the journal. Number is its name everywhere: #128 on the screen, $128 in a payload.
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
	Result     json.RawMessage // the reply's payload, untrusted text; of a stream its newest item
	Items      int             // how many came, of a stream
	Given      int             // how many went, of an upload or a chat
	Err        *Error          // why it Failed
	Trace      Trace
	Server     time.Duration // the server's own time, from the field that --server-time names
	HasServer  bool          // Server is known; zero is a possible time
	Dropped    bool          // the payload, the result and the frames are no longer kept, since newer ones took their room
	Hint       string        // one line for the user beside a good result, as the command that registers its type

	FirstItem, LastItem time.Time // when the first and the last item came; zero without one
	LastGiven           time.Time // when the last item was given

	terms terms // for rerun
	flow  *flow // the items; nil where there can be none
}

// Network is the time on the way: what the server did not take of the wait. It is known only when ServerTime is;
// otherwise faces call the whole Wait "wait".
func (e Entry) Network() time.Duration {
	if e.Trace.Timed {
		return e.Trace.Wait - e.Trace.Queue - e.Trace.Handler
	}
	return max(e.Trace.Wait-e.Server, 0)
}

// ServerTime is how long the server worked on the call: what the field that --server-time names says, else what the server measured itself.
func (e Entry) ServerTime() (d time.Duration, known bool) {
	if e.HasServer {
		return e.Server, true
	}
	return e.Trace.Handler, e.Trace.Timed && !e.Kind.Streams()
}

// ItemsText counts the items of an entry in few words: "10 items", "3 sent", "3 sent, 1 item"; "" for what has none.
func (e Entry) ItemsText() string {
	switch e.Kind {
	case KindStream:
		return countOf(e.Items, "item")
	case KindUpload:
		return Count(e.Given) + " sent"
	case KindChat:
		return Count(e.Given) + " sent, " + countOf(e.Items, "item")
	}
	return ""
}

// Below these a rate says how fast a buffer was read, not a stream.
const (
	fewItems    = 10
	shortStream = 10 * time.Millisecond
)

// ItemRate is how many items came in a second; 0 where there are too few to tell.
func (e Entry) ItemRate() float64 {
	if took := e.LastItem.Sub(e.FirstItem); e.Items >= fewItems && took >= shortStream {
		return float64(e.Items-1) / took.Seconds()
	}
	return 0
}

// FirstAfter is how long the first item took, from the call on; 0 without one.
func (e Entry) FirstAfter() time.Duration {
	if e.FirstItem.IsZero() {
		return 0
	}
	return max(e.FirstItem.Sub(e.Started), 1)
}

// size is what the entry holds in bytes, as the journal counts it.
func (e *Entry) size() int {
	n := len(e.Payload) + max(len(e.ReplyType)-maxType, 0) + len(e.Result) + len(e.Trace.Out) + len(e.Trace.In)
	if e.Err != nil {
		n += len(e.Err.Details)
	}
	if e.flow != nil {
		n += e.flow.size()
	}
	return n
}

// drop forgets what can be large.
func (e *Entry) drop() {
	e.Trace.BytesOut, e.Trace.BytesIn = e.Trace.Sizes()
	e.Payload, e.Result, e.Trace.Out, e.Trace.In, e.Dropped = nil, nil, nil, nil, true
	if e.flow != nil {
		e.flow.drop()
	}
	e.ReplyType = strings.Clone(e.ReplyType[:min(len(e.ReplyType), maxType)])
	if e.Err != nil {
		kept := *e.Err // the one that faces hold does not change
		kept.Details, kept.Cause = nil, nil
		e.Err = &kept
	}
}

// Stopped says whether the user ended it, which is no failure: nothing counts it as one.
func (e Entry) Stopped() bool {
	return e.State == Failed && e.Err != nil && e.Err.Exit == ExitInterrupted
}

// Word is the one word of the state column: ok, sent, running, or the reason of a failure.
func (e Entry) Word() string {
	if e.State == Failed && e.Err != nil {
		return e.Err.Word()
	}
	return e.State.String()
}
