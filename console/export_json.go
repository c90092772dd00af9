package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// sessionFormat is raised when a field of an exported session changes its meaning; further fields do not count.
const sessionFormat = 1

// sessionJSON is the head of an exported session; its calls follow, one on each line. docs/COMMANDS.md describes it by sessionShape.
type sessionJSON struct {
	Kind     string       `json:"kind"`
	Format   int          `json:"format"`
	Version  string       `json:"version,omitempty"`
	Target   string       `json:"target,omitempty"`
	Server   string       `json:"server,omitempty"`
	Protocol string       `json:"protocol,omitempty"`
	Written  string       `json:"written"`
	Totals   totalsJSON   `json:"totals"`
	Missing  int          `json:"missing,omitempty"`
	Timings  []timingJSON `json:"timings"`
}

type totalsJSON struct {
	Running int `json:"running"`
	OK      int `json:"ok"`
	Cast    int `json:"cast"`
	Failed  int `json:"failed"`
}

type timingJSON struct {
	Type      string `json:"type"`
	Calls     int    `json:"calls"`
	Failed    int    `json:"failed"`
	Min       *int64 `json:"min_ns,omitempty"`
	P50       *int64 `json:"p50_ns,omitempty"`
	P90       *int64 `json:"p90_ns,omitempty"`
	P95       *int64 `json:"p95_ns,omitempty"`
	P99       *int64 `json:"p99_ns,omitempty"`
	Max       *int64 `json:"max_ns,omitempty"`
	ServerMin *int64 `json:"server_min_ns,omitempty"`
	ServerP50 *int64 `json:"server_p50_ns,omitempty"`
	ServerMax *int64 `json:"server_max_ns,omitempty"`
}

// exportedJSON is a call in an exported session: what -o json prints of it, and what only a session knows.
type exportedJSON struct {
	*callJSON
	Started string            `json:"started"`
	Payload json.RawMessage   `json:"payload,omitempty"`
	Given   []json.RawMessage `json:"payloads,omitempty"`
	Came    []json.RawMessage `json:"results,omitempty"`
	Cut     *cutJSON          `json:"cut,omitempty"`
	Dropped bool              `json:"dropped,omitempty"`
}

// cutJSON says how large is what was left out.
type cutJSON struct {
	Payload int `json:"payload,omitempty"`
	Result  int `json:"result,omitempty"`
	Details int `json:"details,omitempty"`
	Items   int `json:"items,omitempty"`
}

// The shapes of an exported session and of what its calls have more than those of -o json.
const (
	sessionShape = `{kind:string, format:int, version?:string, target?:string, server?:string, protocol?:string, written:string, totals:{running:int, ok:int, cast:int, failed:int}, missing?:int, ` +
		`timings:[]{type:string, calls:int, failed:int, min_ns?:int64, p50_ns?:int64, p90_ns?:int64, p95_ns?:int64, p99_ns?:int64, max_ns?:int64, server_min_ns?:int64, server_p50_ns?:int64, server_max_ns?:int64}, calls:[]any}`
	exportedFields = `started:string, payload?:any, payloads?:[]any, cut?:{payload?:int, result?:int, details?:int, items?:int}, dropped?:bool`
)

const sessionText = "What `export FILE.json` writes, the head and then each call on its own line. `calls` holds objects of kind call or cast as above, with more fields: `started`, `payload` (the request's), " +
	"`payloads` and `results` (the items of a stream that went and came, the newest of them), `cut` (the bytes of what is left out, since newer calls had the room: `payload`, `result`, `details`, `items`) " +
	"and `dropped` (the console itself no longer kept payload, reply and times). `format` is 1 until a field changes its meaning. " +
	"`totals` and `timings` are of the whole session, or of the calls that were asked for; percentiles are of good calls. `missing` counts calls that were asked for and are no longer kept."

func (x *export) json(w io.Writer) error {
	head := sessionJSON{Kind: "session", Format: sessionFormat, Version: x.version, Target: x.link.Target, Server: x.link.Server, Protocol: x.link.Protocol,
		Written: x.written.Format(time.RFC3339Nano), Totals: totalsJSON{x.totals.Running, x.totals.OK, x.totals.Sent, x.totals.Failed}, Missing: x.missing, Timings: []timingJSON{}}
	for _, t := range x.timings {
		head.Timings = append(head.Timings, newTimingJSON(&t))
	}
	line, err := jsonLine(head)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s,\"calls\":[", line[:len(line)-1])
	whole := x.firstWhole()
	for i := range x.entries {
		if err != nil {
			return err
		}
		if line, err = jsonLine(newExportedJSON(&x.entries[i], i >= whole)); err != nil {
			return err
		}
		sep := ",\n"
		if i == 0 {
			sep = "\n"
		}
		_, err = io.WriteString(w, sep+line)
	}
	if err == nil {
		_, err = io.WriteString(w, "\n]}\n")
	}
	return err
}

// jsonLine is v on one line, safe for a terminal and still the same JSON.
func jsonLine(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return PrintableJSON(b.Bytes()), nil
}

func newTimingJSON(t *Timing) timingJSON {
	v := timingJSON{Type: clip(t.Type), Calls: t.Calls, Failed: t.Failed}
	if t.Max > 0 {
		v.Min, v.P50, v.P90 = nanos(int64(t.Min)), nanos(int64(t.P50)), nanos(int64(t.P90))
		v.P95, v.P99, v.Max = nanos(int64(t.P95)), nanos(int64(t.P99)), nanos(int64(t.Max))
	}
	if t.HasServer {
		v.ServerMin, v.ServerP50, v.ServerMax = nanos(int64(t.ServerMin)), nanos(int64(t.ServerP50)), nanos(int64(t.ServerMax))
	}
	return v
}

// firstWhole is the index of the first entry whose payloads are written whatever their size: the newest have the room.
func (x *export) firstWhole() int {
	room := x.limit
	for i := len(x.entries) - 1; i >= 0; i-- {
		e := &x.entries[i]
		if room -= e.size() - len(e.Trace.Out) - len(e.Trace.In); room < 0 {
			return i + 1
		}
	}
	return 0
}

func newExportedJSON(e *Entry, whole bool) *exportedJSON {
	v := &exportedJSON{callJSON: newCallJSON(e), Started: e.Started.Format(time.RFC3339Nano), Dropped: e.Dropped}
	v.Type, v.ReplyType = clip(v.Type), clip(v.ReplyType)
	if len(e.Payload) > 0 && shape.Syntax(e.Payload) == nil {
		v.Payload = e.Payload
	}
	if v.Given, v.Came = itemPayloads(e, true), itemPayloads(e, false); whole {
		return v
	}
	cut := cutJSON{Payload: leaveOut(&v.Payload), Result: leaveOut(&v.Result)}
	if v.Error != nil {
		cut.Details = leaveOut(&v.Error.Details)
	}
	if v.Given != nil || v.Came != nil {
		v.Given, v.Came, cut.Items = nil, nil, e.flow.size()
	}
	if cut != (cutJSON{}) {
		v.Cut = &cut
	}
	return v
}

// leaveOut takes away a value that is not short and returns its size, 0 where it stays.
func leaveOut(v *json.RawMessage) int {
	const short = 256
	n := len(*v)
	if n <= short {
		return 0
	}
	*v = nil
	return n
}

// clip cuts the name of a type that was never meant to be a name.
func clip(typ string) string { return strings.ToValidUTF8(typ[:min(len(typ), maxType)], "") }
