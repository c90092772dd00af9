package prom

import (
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rpckids/rpckids/rpcserver"
)

// Metrics counts what servers do. Make one with New; it is safe for concurrent use and needs no closing.
type Metrics struct {
	families
	gatherer prometheus.Gatherer // nil if the registerer is none
	queue    prometheus.Histogram
	opened   prometheus.Counter
	repaired prometheus.Counter
	closed   *prometheus.CounterVec
	refused  *prometheus.CounterVec
	panics   *prometheus.CounterVec
	levels   *levels

	unknown *method                            // of calls that named no service
	methods atomic.Pointer[map[string]*method] // read without a lock, replaced as a whole
	mu      sync.Mutex                         // held while methods is replaced
}

// New makes metrics and registers them; nil means prometheus.DefaultRegisterer. It panics if the registerer refuses them, as it
// does when it has some by their names already: a set-up bug.
func New(registerer prometheus.Registerer) *Metrics {
	if registerer == nil {
		registerer = prometheus.DefaultRegisterer
	}
	gatherer, _ := registerer.(prometheus.Gatherer)
	m := &Metrics{
		families: newFamilies(),
		gatherer: gatherer,
		queue:    prometheus.NewHistogram(histogram("queue_seconds", "Time from a call's arrival to its handler.")),
		opened:   prometheus.NewCounter(counter("connections_opened_total", "Connections that were let in.")),
		repaired: prometheus.NewCounter(counter("repaired_lengths_total", "Payload lengths that had counted UTF-16 units and were put right.")),
		closed:   prometheus.NewCounterVec(counter("connections_closed_total", "Connections that ended, by reason."), []string{"reason"}),
		refused:  prometheus.NewCounterVec(counter("refusals_total", "Connections and calls that were refused, by the limit that they met."), []string{"reason"}),
		panics:   prometheus.NewCounterVec(counter("panics_total", "Handlers that panicked."), []string{"method"}),
		levels:   new(levels),
	}
	m.methods.Store(&map[string]*method{})
	m.unknown = m.newMethod("!unknown", "unknown") // no service may have a name with "!"
	registerer.MustRegister(m.queue, m.opened, m.repaired, m.closed, m.refused, m.panics, m.levels)
	registerer.MustRegister(m.families.all()...)
	return m
}

// Observer returns what a server's Config takes. Each call returns another one, and all of them count into m.
func (m *Metrics) Observer() *rpcserver.Observer {
	return &rpcserver.Observer{
		ConnOpened:  func(net.Addr) { m.opened.Inc() },
		ConnClosed:  func(_ net.Addr, why rpcserver.Reason) { m.closed.WithLabelValues(string(why)).Inc() },
		CallStarted: func(c rpcserver.CallInfo) { m.method(&c).running.Inc() },
		CallDone:    func(c rpcserver.CallInfo) { m.done(&c) },
		Repaired:    func(net.Addr) { m.repaired.Inc() },
		Refused:     func(reason string, _ net.Addr) { m.refused.WithLabelValues(reason).Inc() },
		Panicked:    func(service string, _ any, _ []byte) { m.panics.WithLabelValues(service).Inc() },
	}
}

// Handler answers scrapes with all that is registered where m is, a few at once. It panics if New was given a registerer that
// cannot be read, as prometheus.WrapRegistererWith makes it: there promhttp.HandlerFor takes what lies behind.
func (m *Metrics) Handler() http.Handler {
	if m.gatherer == nil {
		panic("prom: the registerer cannot be read, use promhttp.HandlerFor")
	}
	return promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true})
}

// Collect reads s.Stats at each scrape from now on, as long as m lives. One server is added once, before or after it serves.
func (m *Metrics) Collect(s *rpcserver.Server) { m.levels.add(s) }

func (m *Metrics) done(c *rpcserver.CallInfo) {
	v := m.method(c)
	v.calls(c).Inc()
	add(v.in, c.BytesIn)
	add(v.out, c.BytesOut)
	add(v.itemsIn, c.ItemsIn)
	add(v.itemsOut, c.ItemsOut)
	if !c.Ran {
		return
	}
	v.running.Dec()
	v.handler.Observe(c.Handler.Seconds())
	if v.itemsIn == nil && v.itemsOut == nil {
		m.queue.Observe(c.Queue.Seconds())
	}
}

func add(to prometheus.Counter, n int) {
	if n > 0 && to != nil {
		to.Add(float64(n))
	}
}

// method returns what a call is counted in. Names are those of services, so there are few.
func (m *Metrics) method(c *rpcserver.CallInfo) *method {
	if c.Service == "" {
		return m.unknown
	}
	for v := (*m.methods.Load())[c.Service]; v != nil; v = v.next {
		if v.pattern == c.Pattern {
			return v
		}
	}
	return m.add(c.Service, c.Pattern)
}

func (m *Metrics) add(name string, p rpcserver.Pattern) *method {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := *m.methods.Load()
	for v := now[name]; v != nil; v = v.next {
		if v.pattern == p { // since the caller looked
			return v
		}
	}
	v := m.newMethod(name, p)
	v.next = now[name]
	next := maps.Clone(now)
	next[name] = v
	m.methods.Store(&next)
	return v
}

const namespace, subsystem = "rpckids", "server"

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

// histogram is of times from 10 us to 10 s. The native form, of which a scraper in text sees nothing, costs 25 ns and a few KiB.
func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
		Buckets:                         []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}
