package rpcserver

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// health is what !health answers, on one line that a person can read as well. docs/PROTOCOL.md names the fields for clients; new ones may be
// added, and none changes its meaning. Numbers of events count from the start.
type health struct {
	Status      string            `json:"status"`      // "serving" or "draining"
	Connections int               `json:"connections"` // open
	V1          int               `json:"v1"`          // of these, speak version 1
	V2          int               `json:"v2"`          // and 2; the rest has not spoken yet
	Running     int               `json:"running"`     // calls whose handlers run
	Queued      int               `json:"queued"`      // calls that wait for a worker
	Streams     int               `json:"streams"`     // that run; they take no worker
	InFlight    int               `json:"in_flight"`   // the last three together
	Limit       int               `json:"limit"`       // of these, now
	Workers     int               `json:"workers"`
	Calls       uint64            `json:"calls"`
	Failed      uint64            `json:"failed"`
	Canceled    uint64            `json:"canceled"`
	Panics      uint64            `json:"panics"`
	Refused     uint64            `json:"refused"`  // calls
	Refusals    map[string]uint64 `json:"refusals"` // of calls and connections, by reason
	Accepted    uint64            `json:"accepted"` // connections
	Closed      map[string]uint64 `json:"closed"`   // connections, by reason
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`
	HeapBytes   uint64            `json:"heap_bytes"` // in objects, also those that nobody uses any more
	Goroutines  uint64            `json:"goroutines"`
	UptimeMS    int64             `json:"uptime_ms"`
	Name        string            `json:"name"`
	Go          string            `json:"go"` // as "go1.26.0"
	Protocols   []string          `json:"protocols"`
}

// health neither waits for anything nor stops anything, so that it can be asked often, and when nothing else answers.
func (s *Server) health(context.Context, struct{}) (health, error) {
	st := s.Stats()
	heap, goroutines := memory()
	h := health{
		Status: "serving", Connections: st.Open, V1: st.OpenV1, V2: st.OpenV2,
		Running: st.Running, Queued: st.Queued, Streams: st.Streams, InFlight: st.InFlight, Limit: st.Limit, Workers: s.config.Workers,
		Calls: st.Calls, Failed: st.Failed, Canceled: st.Canceled, Panics: st.Panics, Refused: st.Refused, Refusals: st.Refusals,
		Accepted: st.Accepted, Closed: st.Closed, BytesIn: st.BytesIn, BytesOut: st.BytesOut, HeapBytes: heap, Goroutines: goroutines,
		UptimeMS: time.Since(s.started).Milliseconds(), Name: serverName, Go: runtime.Version(),
		Protocols: []string{wire.V1.String(), wire.V2.String()}[:s.version],
	}
	if s.isStopping() {
		h.Status = "draining"
	}
	return h, nil
}

// memory asks the runtime what it knows without looking.
func memory() (heap, goroutines uint64) {
	m := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(m)
	for i, to := range []*uint64{&heap, &goroutines} {
		if m[i].Value.Kind() == metrics.KindUint64 {
			*to = m[i].Value.Uint64()
		}
	}
	return heap, goroutines
}
