package prom

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rpckids/rpckids/rpcclient"
)

// clients reads clients when it is scraped. The zero value has none.
type clients struct {
	mu   sync.Mutex // protects the fields below
	all  []*rpcclient.Client
	past sums // what those that were closed have counted: a counter must not fall
}

// mostPast is how many counters of closed clients are kept. What others beyond
// them have counted is lost when they are closed.
const mostPast = 10_000

func (c *clients) add(client *rpcclient.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.all, client) {
		c.all = append(c.all, client)
	}
}

// sums adds all clients up, and lets go of those that were closed.
func (c *clients) sums() sums {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := sums{}
	c.all = slices.DeleteFunc(c.all, func(client *rpcclient.Client) bool {
		s := client.Stats()
		if s.State == rpcclient.Closed {
			c.keepLocked(&s, client.Peers())
			return true
		}
		all.addClient(&s, client.Peers())
		return false
	})
	for _, n := range c.past {
		all.add(n.desc, n.kind, n.value, n.labels...)
	}
	return all
}

// keepLocked remembers the counters of a client that was closed.
func (c *clients) keepLocked(s *rpcclient.Stats, peers []rpcclient.Peer) {
	last := sums{}
	last.addClient(s, peers)
	if c.past == nil {
		c.past = sums{}
	}
	for at, n := range last {
		if n.kind == total && (c.past[at] != nil || len(c.past) < mostPast) {
			c.past.add(n.desc, n.kind, n.value, n.labels...)
		}
	}
}

// shown is a number of a T and the metric that shows it.
type shown[T any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(T) float64
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("rpckids_client_"+name, help, append([]string{"target"}, labels...), nil)
}

const (
	level = prometheus.GaugeValue
	total = prometheus.CounterValue
)

var ofClients = []shown[*rpcclient.Stats]{
	{describe("connections", "Connections that are open now."), level, func(s *rpcclient.Stats) float64 { return float64(s.Conns) }},
	{describe("servers", "Servers in the list."), level, func(s *rpcclient.Stats) float64 { return float64(s.Servers) }},
	{describe("discovery_failing", "1 while servers cannot be looked up and the last list is kept."), level, func(s *rpcclient.Stats) float64 { return flag(s.Discovery != "") }},
	{describe("pending_calls", "Calls that wait for their replies now."), level, func(s *rpcclient.Stats) float64 { return float64(s.Pending) }},
	{describe("streams", "Streams, uploads and bidis that run now."), level, func(s *rpcclient.Stats) float64 { return float64(s.Streams) }},
	{describe("sent_messages_total", "Messages that were sent."), total, func(s *rpcclient.Stats) float64 { return float64(s.Sent) }},
	{describe("received_messages_total", "Messages that came."), total, func(s *rpcclient.Stats) float64 { return float64(s.Received) }},
	{describe("sent_bytes_total", "Bytes that were sent."), total, func(s *rpcclient.Stats) float64 { return float64(s.BytesOut) }},
	{describe("received_bytes_total", "Bytes that came."), total, func(s *rpcclient.Stats) float64 { return float64(s.BytesIn) }},
	{describe("retries_total", "Attempts after a call's first, hedges not included."), total, func(s *rpcclient.Stats) float64 { return float64(s.Retries) }},
	{describe("hedges_total", "Calls sent to a second server because they took long."), total, func(s *rpcclient.Stats) float64 { return float64(s.Hedges) }},
	{describe("reconnects_total", "Connections that took the place of a lost one."), total, func(s *rpcclient.Stats) float64 { return float64(s.Reconnects) }},
	{describe("repaired_lengths_total", "Lengths of replies that had counted UTF-16 units and were put right."), total, func(s *rpcclient.Stats) float64 { return float64(s.Repairs) }},
}

var dropped = describe("dropped_replies_total", "Replies that nobody waited for, by reason.", "reason")

var drops = []struct {
	reason string
	of     func(rpcclient.Dropped) uint64
}{
	{"wrong", func(d rpcclient.Dropped) uint64 { return d.Wrong }},
	{"late", func(d rpcclient.Dropped) uint64 { return d.Late }},
	{"repeated", func(d rpcclient.Dropped) uint64 { return d.Repeated }},
	{"unasked", func(d rpcclient.Dropped) uint64 { return d.Unasked }},
}

var ofPeers = []shown[*rpcclient.Peer]{
	{describe("peer_connections", "Connections that are open to a server now.", "server"), level, func(p *rpcclient.Peer) float64 { return float64(p.Conns) }},
	{describe("peer_pending_calls", "Calls and streams that run on a server now.", "server"), level, func(p *rpcclient.Peer) float64 { return float64(p.Pending) }},
	{describe("peer_calls_total", "Attempts that were sent to a server.", "server"), total, func(p *rpcclient.Peer) float64 { return float64(p.Calls) }},
	{describe("peer_failures_total", "Attempts that speak against a server.", "server"), total, func(p *rpcclient.Peer) float64 { return float64(p.Failures) }},
	{describe("peer_ejections_total", "How often a server was left alone because it failed.", "server"), total, func(p *rpcclient.Peer) float64 { return float64(p.Ejections) }},
}

var (
	latency = describe("peer_latency_seconds", "Moving average of a server's latency; of several clients the highest.", "server")
	state   = describe("peer_state", "1 for the state that a server is in, 0 for the others; of several clients how many see it so.", "server", "state")
)

// states are all that a Peer may be in.
var states = []rpcclient.PeerState{
	rpcclient.PeerIdle, rpcclient.PeerConnecting, rpcclient.PeerUp, rpcclient.PeerDown, rpcclient.PeerEjected, rpcclient.PeerProbing, rpcclient.PeerDraining,
}

// Describe is a prometheus.Collector's.
func (c *clients) Describe(to chan<- *prometheus.Desc) {
	for i := range ofClients {
		to <- ofClients[i].desc
	}
	for i := range ofPeers {
		to <- ofPeers[i].desc
	}
	to <- dropped
	to <- latency
	to <- state
}

// Collect is a prometheus.Collector's.
func (c *clients) Collect(to chan<- prometheus.Metric) {
	for _, n := range c.sums() {
		to <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value, n.labels...)
	}
}

func (s sums) addClient(of *rpcclient.Stats, peers []rpcclient.Peer) {
	target := label(of.Target)
	for _, n := range ofClients {
		s.add(n.desc, n.kind, n.of(of), target)
	}
	for _, d := range drops {
		s.add(dropped, total, float64(d.of(of.Dropped)), target, d.reason)
	}
	for i := range peers {
		s.addPeer(target, &peers[i])
	}
}

func (s sums) addPeer(target string, p *rpcclient.Peer) {
	server := label(p.Address)
	for _, n := range ofPeers {
		s.add(n.desc, n.kind, n.of(p), target, server)
	}
	for _, one := range states {
		s.add(state, level, flag(p.State == one), target, server, one.String())
	}
	n := s.at(latency, level, target, server)
	n.value = max(n.value, p.Latency.Seconds())
}

// sums are the samples of one scrape. Two clients may have the same target, and a
// server that left a client's list may have come back to it.
type sums map[place]*sample

type place struct {
	desc   *prometheus.Desc
	labels [3]string
}

type sample struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []string
}

func (s sums) at(desc *prometheus.Desc, kind prometheus.ValueType, labels ...string) *sample {
	p := place{desc: desc}
	copy(p.labels[:], labels)
	n := s[p]
	if n == nil {
		n = &sample{desc: desc, kind: kind, labels: labels}
		s[p] = n
	}
	return n
}

func (s sums) add(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
	s.at(desc, kind, labels...).value += value
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
