package remote

import (
	"context"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// mostUptime is what a server is believed; more would not fit a Duration.
const mostUptime = int64(100*365*24*time.Hour) / int64(time.Millisecond)

func (b *backend) Health(ctx context.Context) (console.Health, error) {
	var t rpcclient.Trace
	h, err := b.client.Health(rpcclient.WithTrace(ctx, &t))
	if err != nil {
		return console.Health{Server: t.Server}, b.explain(ctx, err)
	}
	return console.Health{
		Server: t.Server, Status: h.Status, Name: h.Name, Go: h.Go, Protocols: h.Protocols, Uptime: time.Duration(min(max(h.UptimeMS, 0), mostUptime)) * time.Millisecond,
		Connections: h.Connections, V1: h.V1, V2: h.V2, Running: h.Running, Queued: h.Queued, Streams: h.Streams, InFlight: h.InFlight, Limit: h.Limit, Workers: h.Workers,
		Calls: h.Calls, Failed: h.Failed, Canceled: h.Canceled, Panics: h.Panics, Refused: h.Refused, Refusals: h.Refusals, Accepted: h.Accepted,
		BytesIn: h.BytesIn, BytesOut: h.BytesOut, Heap: h.HeapBytes, Goroutines: h.Goroutines,
	}, nil
}
