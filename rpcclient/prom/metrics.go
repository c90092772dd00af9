package prom

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rpckids/rpckids/rpcclient"
)

// Metrics counts what clients do. Make one with New; it is safe for concurrent
// use and needs no closing.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running *prometheus.GaugeVec
	clients *clients

	methods atomic.Pointer[map[key]*method] // read without a lock, replaced as a whole
	mu      sync.Mutex                      // held while methods is replaced
}

// key is what the counters of a method are found by.
type key struct {
	name    string
	pattern rpcclient.Pattern
}

// method holds the counters of one method, looked up once.
type method struct {
	key
	seconds prometheus.Observer
	running prometheus.Gauge
	ok      prometheus.Counter
}

// mostMethods is how many names get counters of their own.
const mostMethods = 1000

// New makes metrics and registers them; nil means
// prometheus.DefaultRegisterer. It panics if the registerer refuses them, as it
// does when it has some by their names already: a set-up bug.
func New(registerer prometheus.Registerer) *Metrics {
	if registerer == nil {
		registerer = prometheus.DefaultRegisterer
	}
	labels := []string{"method", "pattern"}
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rpckids_client_calls_total", Help: "Calls, casts and streams that came to their end.",
		}, []string{"method", "pattern", "code", "kind"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rpckids_client_call_seconds", Help: "How long calls took, with all that was tried for them.",
			Buckets:                         []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  160,
			NativeHistogramMinResetDuration: time.Hour,
		}, labels),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "rpckids_client_in_flight_calls", Help: "Calls and streams that run now.",
		}, labels),
		clients: new(clients),
	}
	m.methods.Store(&map[key]*method{})
	registerer.MustRegister(m.calls, m.seconds, m.running, m.clients)
	return m
}

// Collect reads c.Stats and c.Peers at each scrape from now on, until c is closed.
func (m *Metrics) Collect(c *rpcclient.Client) { m.clients.add(c) }

// Middleware counts the calls that pass. As the first of [rpcclient.Config].Use it
// measures what the others cost as well.
func (m *Metrics) Middleware() rpcclient.Middleware {
	return func(next rpcclient.Doer) rpcclient.Doer {
		return func(ctx context.Context, r *rpcclient.Request) (err error) {
			v := m.method(key{r.Type, r.Pattern})
			v.running.Inc()
			start := time.Now()
			returned := false
			defer func() {
				v.running.Dec()
				v.seconds.Observe(time.Since(start).Seconds())
				switch {
				case !returned: // whoever ranges over the items panicked, or left by runtime.Goexit
					m.count(v, rpcclient.UnknownError, "panic")
				case err == nil:
					v.ok.Inc()
				default:
					m.failed(v, err)
				}
			}()
			err = next(ctx, r)
			returned = true
			return err
		}
	}
}

func (m *Metrics) failed(v *method, err error) {
	e, ok := errors.AsType[*rpcclient.Error](err)
	if !ok || e == nil || e.Kind == nil {
		m.count(v, rpcclient.UnknownError, rpcclient.ErrMiddleware.Error()) // as it will arrive
		return
	}
	m.count(v, e.Code, e.Kind.Error())
}

func (m *Metrics) count(v *method, code rpcclient.Code, kind string) {
	m.calls.WithLabelValues(v.name, string(v.pattern), code.String(), kind).Inc()
}

func (m *Metrics) method(k key) *method {
	if v := (*m.methods.Load())[k]; v != nil {
		return v
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := *m.methods.Load()
	k.name = label(k.name)
	if len(now) >= mostMethods && now[k] == nil {
		k.name = "!other"
	}
	if v := now[k]; v != nil {
		return v
	}
	labels := []string{k.name, string(k.pattern)}
	v := &method{
		key: k, seconds: m.seconds.WithLabelValues(labels...), running: m.running.WithLabelValues(labels...),
		ok: m.calls.WithLabelValues(k.name, string(k.pattern), rpcclient.OK.String(), "none"),
	}
	next := maps.Clone(now)
	next[k] = v
	m.methods.Store(&next)
	return v
}

// label makes a text fit for a label, which has to be UTF-8.
func label(text string) string { return strings.ToValidUTF8(text, "?") }
