package console

import (
	"encoding/json"

	"github.com/rpckids/rpckids/internal/shape"
)

// callJSON is a call or cast as -o json prints it. docs/COMMANDS.md describes it by callShape, and a test holds the two together.
type callJSON struct {
	Kind      string            `json:"kind"`
	Number    int               `json:"number,omitempty"`
	Type      string            `json:"type"`
	ReplyType string            `json:"reply_type,omitempty"`
	Result    json.RawMessage   `json:"result,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"` // of the filter of the line, in place of Result
	Items     *int              `json:"items,omitempty"`
	Sent      *int              `json:"items_sent,omitempty"`
	Status    string            `json:"status"`
	RTT       *int64            `json:"rtt_ns,omitempty"`
	Client    *int64            `json:"client_ns,omitempty"`
	Wait      *int64            `json:"wait_ns,omitempty"`
	Network   *int64            `json:"network_ns,omitempty"`
	Queue     *int64            `json:"queue_ns,omitempty"`
	Handler   *int64            `json:"handler_ns,omitempty"`
	Server    *int64            `json:"server_ns,omitempty"`
	First     *int64            `json:"first_item_ns,omitempty"`
	BytesOut  *int              `json:"bytes_out,omitempty"`
	BytesIn   *int              `json:"bytes_in,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
	Peer      string            `json:"peer,omitempty"`
	Protocol  string            `json:"protocol,omitempty"`
	Attempts  int               `json:"attempts,omitempty"`
	Hint      string            `json:"hint,omitempty"`
	Error     *faultJSON        `json:"error,omitempty"`
}

// itemJSON is an item of a stream as -o jsonl prints it.
type itemJSON struct {
	Kind   string          `json:"kind"`
	Index  int             `json:"index"`
	Result json.RawMessage `json:"result"`
}

// faultJSON is an error inside of a callJSON or an errorJSON.
type faultJSON struct {
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Likely     string          `json:"likely,omitempty"`
	Hint       string          `json:"hint,omitempty"`
	Exit       int             `json:"exit"`
	Line       int             `json:"line,omitempty"` // of the script
	At         *int            `json:"at,omitempty"`   // byte offset in the line that was typed
	RetryAfter int64           `json:"retry_after_ms,omitempty"`
	Details    json.RawMessage `json:"details,omitempty"`
}

// errorJSON is the failure of a command that is no call.
type errorJSON struct {
	Kind   string     `json:"kind"`
	Status string     `json:"status"`
	Error  *faultJSON `json:"error"`
}

// The shapes of what -o json prints, as docs/COMMANDS.md shows them.
const (
	faultShape = `{code:string, message:string, likely?:string, hint?:string, exit:int, line?:int, at?:int, retry_after_ms?:int64, details?:any}`
	callShape  = `{kind:string, number?:int, type:string, reply_type?:string, results?:[]any, result?:any, values?:[]any, items?:int, items_sent?:int, status:string, rtt_ns?:int64, client_ns?:int64, wait_ns?:int64, ` +
		`network_ns?:int64, queue_ns?:int64, handler_ns?:int64, server_ns?:int64, first_item_ns?:int64, bytes_out?:int, bytes_in?:int, request_id?:string, peer?:string, protocol?:string, attempts?:int, hint?:string, error?:` + faultShape + `}`
	errorShape = `{kind:string, status:string, error:` + faultShape + `}`
)

// newCallJSON writes an entry for a program to read. What is not known is left out, never zero.
func newCallJSON(e *Entry) *callJSON {
	v := &callJSON{Kind: e.Kind.String(), Number: e.Number, Type: e.Type, ReplyType: e.ReplyType, Status: e.State.String(),
		RequestID: e.Trace.RequestID, Peer: e.Trace.Server, Protocol: e.Trace.Protocol, Attempts: e.Trace.Attempts, Hint: e.Hint}
	if len(e.Result) > 0 && shape.Syntax(e.Result) == nil {
		v.Result = e.Result
	}
	if e.Err != nil {
		v.fail(e.Err)
	}
	if e.Kind.Streams() {
		v.Items = &e.Items
	}
	if e.Kind.gives() {
		v.Sent = &e.Given
	}
	if e.State == Running || e.Dropped {
		return v
	}
	v.RTT, v.Client = nanos(int64(e.Trace.RTT)), nanos(int64(e.Trace.Client))
	out, in := e.Trace.Sizes()
	v.BytesOut = &out
	if e.Kind == KindCast {
		return v
	}
	v.BytesIn = &in
	if first := e.FirstAfter(); first > 0 {
		v.First = nanos(int64(first))
	}
	v.times(e)
	return v
}

// times splits the wait as far as the server told.
func (v *callJSON) times(e *Entry) {
	switch {
	case e.Trace.Timed:
		v.Network, v.Queue, v.Handler = nanos(int64(e.Network())), nanos(int64(e.Trace.Queue)), nanos(int64(e.Trace.Handler))
	case e.HasServer:
		v.Network = nanos(int64(e.Network()))
	default:
		v.Wait = nanos(int64(e.Trace.Wait))
	}
	if e.HasServer {
		v.Server = nanos(int64(e.Server))
	}
}

func nanos(n int64) *int64 { return &n }

func (v *callJSON) fail(e *Error) {
	v.Status, v.Error = e.Status(), newFaultJSON(e)
}

func newFaultJSON(e *Error) *faultJSON {
	f := &faultJSON{Code: e.Status(), Message: e.Message, Likely: e.Likely, Hint: e.Hint, Exit: int(e.Exit), RetryAfter: e.RetryAfter.Milliseconds()}
	if e.Line != "" {
		f.At = &e.At
	}
	if len(e.Details) > 0 && shape.Syntax(e.Details) == nil {
		f.Details = e.Details
	}
	return f
}
