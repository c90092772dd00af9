package prom

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rpckids/rpckids/rpcserver"
)

// method holds the counters of one service, looked up once.
type method struct {
	name    string
	pattern rpcserver.Pattern
	next    *method // under the same name, with another pattern: servers may differ

	total             *prometheus.CounterVec
	counts            [len(protocols)][codes]atomic.Pointer[prometheus.Counter] // by protocol and code, made when first wanted
	handler           prometheus.Observer
	running           prometheus.Gauge
	in, out           prometheus.Counter
	itemsIn, itemsOut prometheus.Counter // nil where the pattern has none
}

var protocols = [...]string{"v1", "v2"}

// codes is how many there are, OK included.
const codes = int(rpcserver.Unauthenticated) + 1

// calls returns the counter of calls that ended as c did.
func (v *method) calls(c *rpcserver.CallInfo) prometheus.Counter {
	protocol, code := 0, int(c.Code)
	if c.Protocol == protocols[1] {
		protocol = 1
	}
	if code >= codes { // a handler made it up
		code = int(rpcserver.Unknown)
	}
	kept := &v.counts[protocol][code]
	if n := kept.Load(); n != nil {
		return *n
	}
	n := v.total.WithLabelValues(v.name, string(v.pattern), protocols[protocol], rpcserver.Code(code).String())
	kept.Store(&n)
	return n
}

// families are the metrics that have a method.
type families struct {
	calls             *prometheus.CounterVec
	handler           *prometheus.HistogramVec
	running           *prometheus.GaugeVec
	in, out           *prometheus.CounterVec
	itemsIn, itemsOut *prometheus.CounterVec
}

func newFamilies() families {
	labels := []string{"method", "pattern"}
	return families{
		calls:    prometheus.NewCounterVec(counter("calls_total", "Calls that came to their end, refused ones and casts as well."), []string{"method", "pattern", "protocol", "code"}),
		handler:  prometheus.NewHistogramVec(histogram("handler_seconds", "Time from a handler's start to the answer, decoding and encoding included."), labels),
		running:  prometheus.NewGaugeVec(gauge("running_calls", "Handlers that run now."), labels),
		in:       prometheus.NewCounterVec(counter("received_bytes_total", "Bytes of messages that came."), labels),
		out:      prometheus.NewCounterVec(counter("sent_bytes_total", "Bytes of the payloads of replies and items."), labels),
		itemsIn:  prometheus.NewCounterVec(counter("received_items_total", "Items that handlers took."), labels),
		itemsOut: prometheus.NewCounterVec(counter("sent_items_total", "Items that handlers sent."), labels),
	}
}

func (f *families) all() []prometheus.Collector {
	return []prometheus.Collector{f.calls, f.handler, f.running, f.in, f.out, f.itemsIn, f.itemsOut}
}

func (f *families) newMethod(name string, p rpcserver.Pattern) *method {
	labels := []string{name, string(p)}
	v := &method{
		name: name, pattern: p, total: f.calls,
		handler: f.handler.WithLabelValues(labels...),
		running: f.running.WithLabelValues(labels...),
		in:      f.in.WithLabelValues(labels...),
		out:     f.out.WithLabelValues(labels...),
	}
	switch p {
	case rpcserver.PatternStream:
		v.itemsOut = f.itemsOut.WithLabelValues(labels...)
	case rpcserver.PatternUpload:
		v.itemsIn = f.itemsIn.WithLabelValues(labels...)
	case rpcserver.PatternBidi:
		v.itemsIn, v.itemsOut = f.itemsIn.WithLabelValues(labels...), f.itemsOut.WithLabelValues(labels...)
	}
	return v
}
