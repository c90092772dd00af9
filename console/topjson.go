package console

import "math"

// topJSON is how a server is as -o json prints it.
type topJSON struct {
	Kind        string            `json:"kind"`
	Server      string            `json:"server"`
	Number      int               `json:"number,omitempty"`
	Status      string            `json:"status"`
	UptimeNanos int64             `json:"uptime_ns"`
	Name        string            `json:"name,omitempty"`
	Go          string            `json:"go,omitempty"`
	Protocols   []string          `json:"protocols"`
	Connections int               `json:"connections"`
	V1          int               `json:"v1"`
	V2          int               `json:"v2"`
	InFlight    int               `json:"in_flight"`
	Limit       int               `json:"limit"`
	Running     int               `json:"running"`
	Workers     int               `json:"workers"`
	Queued      int               `json:"queued"`
	Streams     int               `json:"streams"`
	Calls       uint64            `json:"calls"`
	Failed      uint64            `json:"failed"`
	Canceled    uint64            `json:"canceled"`
	Panics      uint64            `json:"panics"`
	Refused     uint64            `json:"refused"`
	Refusals    map[string]uint64 `json:"refusals"`
	Accepted    uint64            `json:"accepted"`
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`
	Heap        uint64            `json:"heap_bytes"`
	Goroutines  uint64            `json:"goroutines"`
	Rates       *topRatesJSON     `json:"rates,omitempty"`
}

type topRatesJSON struct {
	Over     int64              `json:"over_ns"`
	Calls    float64            `json:"calls"`
	Failed   float64            `json:"failed"`
	Canceled float64            `json:"canceled"`
	Panics   float64            `json:"panics"`
	Refused  float64            `json:"refused"`
	Refusals map[string]float64 `json:"refusals"`
	BytesIn  float64            `json:"bytes_in"`
	BytesOut float64            `json:"bytes_out"`
}

const topShape = `{kind:string, server:string, number?:int, status:string, uptime_ns:int64, name?:string, go?:string, protocols:[]string, connections:int, v1:int, v2:int, in_flight:int, limit:int, ` +
	`running:int, workers:int, queued:int, streams:int, calls:uint64, failed:uint64, canceled:uint64, panics:uint64, refused:uint64, refusals:map[string]uint64, accepted:uint64, ` +
	`bytes_in:uint64, bytes_out:uint64, heap_bytes:uint64, goroutines:uint64, rates?:{over_ns:int64, calls:float64, failed:float64, canceled:float64, panics:float64, refused:float64, ` +
	`refusals:map[string]float64, bytes_in:float64, bytes_out:float64}}`

var topKind = jsonKind{"top", "`top` prints one, `top -n 5` five, a line each as they come. All of it is what the server says about itself: `in_flight` counts `running`, `queued` and `streams`, of which there may be `limit`; " +
	"counts are since it started, `refused` is calls, `refusals` are calls and connections by reason. `rates` are how many in a second since the one before; the first has none, and neither has one after the server " +
	"was started anew. `number` is the one of `peers` where there are several servers.", fieldLines(topShape), nil}

func newTopJSON(t *Top) *topJSON {
	v := &topJSON{Kind: "top", Server: t.Server, Number: t.Number, Status: t.Status, UptimeNanos: int64(t.Uptime), Name: t.Name, Go: t.Go, Protocols: t.Protocols,
		Connections: t.Connections, V1: t.V1, V2: t.V2, InFlight: t.InFlight, Limit: t.Limit, Running: t.Running, Workers: t.Workers, Queued: t.Queued, Streams: t.Streams,
		Calls: t.Calls, Failed: t.Failed, Canceled: t.Canceled, Panics: t.Panics, Refused: t.Refused, Refusals: t.Refusals, Accepted: t.Accepted,
		BytesIn: t.BytesIn, BytesOut: t.BytesOut, Heap: t.Heap, Goroutines: t.Goroutines}
	if v.Protocols == nil {
		v.Protocols = []string{}
	}
	if t.Over > 0 {
		r := t.Rates
		v.Rates = &topRatesJSON{int64(t.Over), milli(r.Calls), milli(r.Failed), milli(r.Canceled), milli(r.Panics), milli(r.Refused), map[string]float64{}, milli(r.BytesIn), milli(r.BytesOut)}
		for _, why := range t.Reasons {
			v.Rates.Refusals[why.Name] = milli(why.Rate)
		}
	}
	return v
}

// milli rounds to three decimals.
func milli(v float64) float64 { return math.Round(v*1000) / 1000 }
