package prom

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rpckids/rpckids/rpcserver"
)

// levels reads servers when it is scraped. The zero value has none and then shows nothing.
type levels struct {
	mu      sync.Mutex // protects the field below
	servers []*rpcserver.Server
}

func (l *levels) add(s *rpcserver.Server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.servers, s) {
		l.servers = append(l.servers, s)
	}
}

// level is a number of Stats and the metric that shows it.
type level struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	of     func(*rpcserver.Stats) float64
	labels []string
}

// connections are counted by what they have said that they speak.
var connections = describe("connections", "Connections that are open now, by the version of the wire that they have chosen.", "protocol")

var shown = []level{
	{connections, prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.OpenV1) }, []string{"v1"}},
	{connections, prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.OpenV2) }, []string{"v2"}},
	{connections, prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(max(s.Open-s.OpenV1-s.OpenV2, 0)) }, []string{"none"}},
	{describe("in_flight_calls", "Calls and streams that wait or run now."), prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.InFlight) }, nil},
	{describe("in_flight_limit", "How many calls may wait or run now."), prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.Limit) }, nil},
	{describe("queued_calls", "Calls that wait for a worker now."), prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.Queued) }, nil},
	{describe("busy_workers", "Workers that run a handler now."), prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.Running) }, nil},
	{describe("streams", "Streams, uploads and bidis that run now; they take no worker."), prometheus.GaugeValue, func(s *rpcserver.Stats) float64 { return float64(s.Streams) }, nil},
	{describe("abandoned_calls_total", "Calls that their callers gave up before they were answered."), prometheus.CounterValue, func(s *rpcserver.Stats) float64 { return float64(s.Canceled) }, nil},
	{describe("network_received_bytes_total", "Bytes that came on all connections; of TLS, what is inside."), prometheus.CounterValue, func(s *rpcserver.Stats) float64 { return float64(s.BytesIn) }, nil},
	{describe("network_sent_bytes_total", "Bytes that were written to all connections; of TLS, what is inside."), prometheus.CounterValue, func(s *rpcserver.Stats) float64 { return float64(s.BytesOut) }, nil},
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

// Describe is a prometheus.Collector's.
func (l *levels) Describe(to chan<- *prometheus.Desc) {
	for i := range shown {
		to <- shown[i].desc
	}
}

// Collect is a prometheus.Collector's.
func (l *levels) Collect(to chan<- prometheus.Metric) {
	l.mu.Lock()
	servers := slices.Clone(l.servers)
	l.mu.Unlock()
	if len(servers) == 0 {
		return
	}
	sums := make([]float64, len(shown))
	for _, s := range servers {
		stats := s.Stats()
		for i := range shown {
			sums[i] += shown[i].of(&stats)
		}
	}
	for i := range shown {
		to <- prometheus.MustNewConstMetric(shown[i].desc, shown[i].kind, sums[i], shown[i].labels...)
	}
}
