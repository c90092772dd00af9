package console

import (
	"math"
)

// benchJSON is a bench as -o json prints it, also one that failed or never began.
type benchJSON struct {
	Kind        string         `json:"kind"`
	Type        string         `json:"type"`
	OK          int            `json:"ok"`
	OKRate      float64        `json:"ok_rate"`
	Attempts    int            `json:"attempts"`
	Calls       int            `json:"calls"`
	Errors      map[string]int `json:"errors"`
	Rate        float64        `json:"rate"`
	Duration    int64          `json:"duration_ns"`
	Latency     *figuresJSON   `json:"latency_ns,omitempty"`
	Corrected   *figuresJSON   `json:"corrected_ns,omitempty"`
	CPU         *int64         `json:"client_cpu_ns,omitempty"`
	Interrupted bool           `json:"interrupted"`
	Unmade      int            `json:"not_made,omitempty"`
	Status      string         `json:"status"`
	Error       *faultJSON     `json:"error,omitempty"`
}

type figuresJSON struct {
	Min  int64 `json:"min"`
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P95  int64 `json:"p95"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

const (
	figuresShape = `{min:int64, p50:int64, p90:int64, p95:int64, p99:int64, p999:int64, max:int64}`
	benchShape   = `{kind:string, type:string, ok:int, ok_rate:float64, attempts:int, calls:int, errors:map[string]int, rate:float64, duration_ns:int64, latency_ns?:` + figuresShape + `, corrected_ns?:` + figuresShape +
		`, client_cpu_ns?:int64, interrupted:bool, not_made?:int, status:string, error?:` + faultShape + `}`
)

var benchKind = jsonKind{"bench", "`bench` prints one, whatever came of it. `ok` counts the calls that went well, and `ok_rate` is how many of them in a second: what got done. `attempts` is how often calls were sent, those that were sent again " +
	"counted each time, as `top` does. `calls` counts those that ended, good and failed; `errors` says how many failed with which code, `{}` where none did; `rate` is `calls` in a second. " +
	"`latency_ns` is how long good calls took, `corrected_ns`, with `--rate`, the same from when they were due: it knows of a stall what `latency_ns` does not. Without a good call there are neither. `not_made` counts calls that were due, " +
	"while all that may be in flight were, until the time was over. `client_cpu_ns` is what this process took of processors. `status` is `ok`, `limit_missed`, `canceled` for one that was interrupted, else that of its first error where no call went well.",
	fieldLines(benchShape), nil}

func newBenchJSON(b *Bench) *benchJSON {
	rate := func(n int) float64 { return math.Round(b.perSecond(n)*1000) / 1000 }
	v := &benchJSON{Kind: "bench", Type: b.Type, OK: b.Good(), OKRate: rate(b.Good()), Attempts: b.Attempts(), Calls: b.Calls, Errors: map[string]int{}, Rate: rate(b.Calls), Duration: int64(b.Elapsed),
		Interrupted: b.Interrupted, Unmade: b.Unmade, Status: "ok"}
	for _, f := range b.Failures {
		v.Errors[f.Code] = f.Count
	}
	if b.Good() > 0 {
		v.Latency = newFiguresJSON(b.Latency)
		if b.Limits.Rate > 0 {
			v.Corrected = newFiguresJSON(b.Corrected)
		}
	}
	if b.HasCPU {
		v.CPU = nanos(int64(b.CPU))
	}
	return v
}

func newFiguresJSON(f BenchFigures) *figuresJSON {
	return &figuresJSON{int64(f.Min), int64(f.P50), int64(f.P90), int64(f.P95), int64(f.P99), int64(f.P999), int64(f.Max)}
}

// failed is the same with an error.
func (v *benchJSON) failed(e *Error, line int) *benchJSON {
	w := *v
	w.Status, w.Error = e.Status(), newFaultJSON(e)
	w.Error.Line = line
	return &w
}
