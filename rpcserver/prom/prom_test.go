package prom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/prom"
)

// services are one of each pattern, and some that fail.
func services(s *rpcserver.Server) {
	rpcserver.Handle(s, "echo", func(_ context.Context, text string) (string, error) { return text, nil })
	rpcserver.Handle(s, "slow", func(_ context.Context, d time.Duration) (string, error) { time.Sleep(d); return "", nil })
	rpcserver.Handle(s, "wrong", func(context.Context, int) (int, error) { return 0, rpcserver.Errorf(rpcserver.NotFound, "not here") })
	rpcserver.Handle(s, "panics", func(context.Context, int) (int, error) { panic("oops") })
	rpcserver.HandleCast(s, "log", func(context.Context, string) error { return nil })
	rpcserver.HandleStream(s, "count", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		}
	})
	rpcserver.HandleUpload(s, "sum", func(_ context.Context, items iter.Seq2[int, error]) (sum int, err error) {
		for n, err := range items {
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	rpcserver.HandleBidi(s, "chat", func(_ context.Context, items iter.Seq2[string, error]) iter.Seq2[string, error] { return items })
}

// scrape is what a Prometheus server sees, read by the official parser: each sample under name{labels}, as in the text.
type scrape map[string]float64

func scrapeOf(t *testing.T, reg *prometheus.Registry) scrape {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: status %d: %s", w.Code, w.Body)
	}
	return read(t, w.Body)
}

func read(t *testing.T, page io.Reader) scrape {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	if err != nil {
		t.Fatalf("scrape does not parse: %v", err)
	}
	all := scrape{}
	for name, family := range families {
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range family.Metric {
			all.put(name, m)
		}
	}
	return all
}

func (s scrape) put(name string, m *dto.Metric) {
	var labels []string
	for _, l := range m.Label {
		labels = append(labels, l.GetName()+"="+l.GetValue())
	}
	slices.Sort(labels)
	tail := ""
	if len(labels) > 0 {
		tail = "{" + strings.Join(labels, ",") + "}"
	}
	if h := m.Histogram; h != nil {
		s[name+"_count"+tail] = float64(h.GetSampleCount())
		s[name+"_sum"+tail] = h.GetSampleSum()
		return
	}
	s[name+tail] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func (s scrape) want(t *testing.T, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if got, ok := s["rpckids_server_"+name]; got != value || !ok {
			t.Errorf("%s: got %v (there: %v), want %v", name, got, ok, value)
		}
	}
}

// house is a server with metrics on it and a client of one protocol.
func house(t *testing.T, cfg rpcserver.Config, p rpcclient.Protocol) (*prometheus.Registry, *rpcclient.Client) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := prom.New(reg)
	cfg.Observer = m.Observer()
	s := rpcserver.New(&cfg)
	m.Collect(s)
	m.Collect(s) // once counts
	return reg, rpctest.PairOf(t, s, &rpcclient.Config{Protocol: p}, services)
}

func TestScrapeMovesWithTheCalls(t *testing.T) {
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(p.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg, c := house(t, rpcserver.Config{}, p)
				for range 3 {
					if got, err := rpcclient.Call[string](t.Context(), c, "echo", "hello"); err != nil || got != "hello" {
						t.Fatalf("echo: %q, %v", got, err)
					}
				}
				for service, want := range map[string]rpcserver.Code{"wrong": rpcserver.NotFound, "panics": rpcserver.Internal, "made-up-by-a-peer": rpcserver.NotFound} {
					_, err := rpcclient.Call[int](t.Context(), c, service, 1)
					if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Code != want {
						t.Errorf("%s: got %v, want %v", service, err, want)
					}
				}
				if _, err := rpcclient.Call[int](t.Context(), c, "wrong", "no number"); err == nil {
					t.Error("wrong: a text for a number was taken")
				}
				if _, err := rpcclient.Call[string](t.Context(), c, "slow", 2*time.Second); err != nil {
					t.Error(err)
				}
				if err := rpcclient.Cast(t.Context(), c, "log", "line"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				got, v := scrapeOf(t, reg), ",protocol="+p.String()+"}"
				got.want(t, map[string]float64{
					"calls_total{code=ok,method=echo,pattern=call" + v:                3,
					"calls_total{code=not_found,method=wrong,pattern=call" + v:        1,
					"calls_total{code=invalid_argument,method=wrong,pattern=call" + v: 1,
					"calls_total{code=internal,method=panics,pattern=call" + v:        1,
					"calls_total{code=not_found,method=!unknown,pattern=unknown" + v:  1,
					"calls_total{code=ok,method=log,pattern=cast" + v:                 1,
					"handler_seconds_count{method=echo,pattern=call}":                 3,
					"handler_seconds_sum{method=slow,pattern=call}":                   2,
					"running_calls{method=echo,pattern=call}":                         0,
					"running_calls{method=panics,pattern=call}":                       0,
					"queue_seconds_count":                                             8,
					"sent_bytes_total{method=echo,pattern=call}":                      3 * float64(len(`"hello"`)),
					"panics_total{method=panics}":                                     1,
					"connections_opened_total":                                        1,
					"busy_workers":                                                    0,
					"queued_calls":                                                    0,
					"streams":                                                         0,
					"abandoned_calls_total":                                           0,
					"repaired_lengths_total":                                          0,
				})
				if n := got["rpckids_server_received_bytes_total{method=echo,pattern=call}"]; n < 3*float64(len(`"hello"`)) {
					t.Errorf("received %v bytes, want at least those of the payloads", n)
				}
				for name := range got {
					if strings.Contains(name, "made-up") {
						t.Errorf("a name that a peer made up became a label: %s", name)
					}
				}
				c.Close()
				synctest.Wait()
				scrapeOf(t, reg).want(t, map[string]float64{"connections{protocol=" + p.String() + "}": 0, "connections_closed_total{reason=peer closed}": 1})
			})
		})
	}
}

func TestScrapeOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, c := house(t, rpcserver.Config{}, rpcclient.V2)
		for _, err := range rpcclient.Stream[int](t.Context(), c, "count", 5) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if sum, err := rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{1, 2, 3}))); sum != 6 || err != nil {
			t.Fatalf("sum: got %d, %v", sum, err)
		}
		seen := make(chan struct{})
		for text, err := range rpcclient.Bidi[string](t.Context(), c, "chat", func(yield func(string, error) bool) {
			if yield("a", nil) {
				<-seen
				yield("b", nil)
			}
		}) {
			if err != nil {
				t.Fatal(text, err)
			}
			if text == "a" {
				scrapeOf(t, reg).want(t, map[string]float64{"connections{protocol=v2}": 1, "streams": 1, "in_flight_calls": 1, "busy_workers": 0, "running_calls{method=chat,pattern=bidi}": 1})
				close(seen)
			}
		}
		synctest.Wait()
		scrapeOf(t, reg).want(t, map[string]float64{
			"calls_total{code=ok,method=count,pattern=stream,protocol=v2}": 1,
			"sent_items_total{method=count,pattern=stream}":                5,
			"sent_bytes_total{method=count,pattern=stream}":                5,
			"calls_total{code=ok,method=sum,pattern=upload,protocol=v2}":   1,
			"received_items_total{method=sum,pattern=upload}":              3,
			"calls_total{code=ok,method=chat,pattern=bidi,protocol=v2}":    1,
			"received_items_total{method=chat,pattern=bidi}":               2,
			"sent_items_total{method=chat,pattern=bidi}":                   2,
			"handler_seconds_count{method=count,pattern=stream}":           1,
			"running_calls{method=chat,pattern=bidi}":                      0,
			"queue_seconds_count":                                          0, // streams have none
		})
	})
}

// What runs and what waits is seen while it does.
func TestScrapeOfLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, c := house(t, rpcserver.Config{Workers: 1}, rpcclient.V2)
		ended := make(chan error, 3)
		for range 3 {
			go func() { // ends with its call; its result is read below
				_, err := rpcclient.Call[string](t.Context(), c, "slow", time.Second)
				ended <- err
			}()
		}
		synctest.Wait()
		scrapeOf(t, reg).want(t, map[string]float64{"busy_workers": 1, "queued_calls": 2, "in_flight_calls": 3, "running_calls{method=slow,pattern=call}": 1})
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		scrapeOf(t, reg).want(t, map[string]float64{
			"calls_total{code=ok,method=slow,pattern=call,protocol=v2}": 3,
			"handler_seconds_sum{method=slow,pattern=call}":             3,
			"queue_seconds_sum": 1 + 2,
		})
	})
}

// What meets a limit is seen by the limit's name, on both versions of the wire.
func TestScrapeOfRefusals(t *testing.T) {
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			reg, c := house(t, rpcserver.Config{Workers: 1, Queue: 1}, p)
			ended := make(chan error, 4)
			for range cap(ended) {
				go func() { // ends with its call; its result is read below
					ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
					defer cancel()
					_, err := rpcclient.Call[string](ctx, c, "slow", time.Second)
					ended <- err
				}()
				synctest.Wait() // one after the other: one runs, one waits, and there is no place for more
			}
			failed := 0
			for range cap(ended) {
				if err := <-ended; err != nil {
					failed++
				}
			}
			synctest.Wait()
			got := scrapeOf(t, reg)
			refused := got["rpckids_server_refusals_total{reason=queue full}"]
			if refused < 2 || failed == 0 || failed == cap(ended) {
				t.Errorf("%s: got %v refusals and %d failed calls, want at least two of the first and some of the second: %v", p, refused, failed, got)
			}
			if n := got["rpckids_server_calls_total{code=resource_exhausted,method=slow,pattern=call,protocol="+p.String()+"}"]; n != refused {
				t.Errorf("%s: %v calls came to resource_exhausted, and %v were refused", p, n, refused)
			}
			if n := got["rpckids_server_handler_seconds_count{method=slow,pattern=call}"]; n < 1 || n > 2 {
				t.Errorf("%s: %v handlers ran, want those that had a place", p, n)
			}
		})
	}
}

// The page stands on the server's own port.
func TestScrapeOnTheSamePort(t *testing.T) {
	rpctest.Leaks(t)
	reg := prometheus.NewPedanticRegistry()
	m := prom.New(reg)
	pages := http.NewServeMux()
	pages.Handle("/metrics", m.Handler())
	s := rpcserver.New(&rpcserver.Config{Observer: m.Observer(), HTTP: pages, HTTPPlain: true})
	services(s)
	m.Collect(s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Close; its error is read below
	defer func() {
		s.Close()
		<-served
	}()
	c, err := rpcclient.New(ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := rpcclient.Call[string](t.Context(), c, "echo", "hello"); err != nil {
		t.Fatal(err)
	}
	visitor := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := visitor.Get("http://" + ln.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Fatalf("got the status %s", res.Status)
	}
	read(t, res.Body).want(t, map[string]float64{"calls_total{code=ok,method=echo,pattern=call,protocol=v1}": 1})
}

func TestHandlerOfWrappedRegisterer(t *testing.T) {
	m := prom.New(prometheus.WrapRegistererWith(prometheus.Labels{"port": "1"}, prometheus.NewRegistry()))
	defer func() {
		if recover() == nil {
			t.Error("a handler that can show nothing was made")
		}
	}()
	m.Handler()
}

// Several servers add up, also where one name has two patterns.
func TestTwoServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := prom.New(reg)
		var clients []*rpcclient.Client
		for i := range 2 {
			s := rpcserver.New(&rpcserver.Config{Observer: m.Observer()})
			m.Collect(s)
			clients = append(clients, rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2}, func(s *rpcserver.Server) {
				if i == 0 {
					rpcserver.Handle(s, "log", func(context.Context, string) (string, error) { return "", nil })
				} else {
					rpcserver.HandleCast(s, "log", func(context.Context, string) error { return nil })
				}
			}))
		}
		if _, err := rpcclient.Call[string](t.Context(), clients[0], "log", "x"); err != nil {
			t.Error(err)
		}
		if err := rpcclient.Cast(t.Context(), clients[1], "log", "x"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		scrapeOf(t, reg).want(t, map[string]float64{
			"connections{protocol=v2}":                                 2,
			"calls_total{code=ok,method=log,pattern=call,protocol=v2}": 1,
			"calls_total{code=ok,method=log,pattern=cast,protocol=v2}": 1,
		})
	})
}

func TestLint(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := prom.New(reg)
	m.Collect(rpcserver.New(nil))
	tellAll(m.Observer())
	families, err := reg.Gather()
	if err != nil || len(families) != 22 {
		t.Errorf("got %d families, %v; want all of them to be there to be looked at", len(families), err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

var peer net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// tellAll has every metric say something.
func tellAll(o *rpcserver.Observer) {
	o.ConnOpened(peer)
	for _, p := range []rpcserver.Pattern{rpcserver.PatternCall, rpcserver.PatternStream, rpcserver.PatternUpload, rpcserver.PatternBidi} {
		c := rpcserver.CallInfo{Service: "s-" + string(p), Pattern: p, Protocol: "v2", Peer: peer}
		o.CallStarted(c)
		c.Ran, c.BytesIn, c.BytesOut, c.ItemsIn, c.ItemsOut, c.Queue, c.Handler = true, 1, 2, 3, 4, time.Microsecond, time.Millisecond
		o.CallDone(c)
	}
	o.Repaired(peer)
	o.Refused(rpcserver.RefusedRate, peer)
	o.Panicked("s-call", "oops", nil)
	o.ConnClosed(peer, rpcserver.PeerClosed)
}

// After the first call of a service and of each outcome, nothing is allocated any more.
func TestCallsAllocateNothing(t *testing.T) {
	o := prom.New(prometheus.NewRegistry()).Observer()
	c := rpcserver.CallInfo{Service: "fib", Pattern: rpcserver.PatternCall, Protocol: "v2", Peer: peer}
	unknown := rpcserver.CallInfo{Protocol: "v1", Peer: peer, Code: rpcserver.NotFound}
	call := func() {
		c.Ran = false
		o.CallStarted(c)
		c.Ran, c.BytesIn, c.BytesOut, c.Queue, c.Handler = true, 10, 20, 3*time.Microsecond, 40*time.Microsecond
		o.CallDone(c)
		o.CallDone(unknown)
		o.Refused(rpcserver.RefusedQueue, peer)
	}
	call()
	if n := testing.AllocsPerRun(1000, call); n != 0 {
		t.Errorf("got %v allocations per call, want none", n)
	}
}

// Many may call, for the first time too, while others scrape.
func TestScrapeWhileManyCall(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	o := prom.New(reg).Observer()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				c := rpcserver.CallInfo{Service: fmt.Sprint("s", i%20), Pattern: rpcserver.PatternCall, Protocol: "v1", Code: rpcserver.Code(i % 17), Ran: true}
				o.CallStarted(c)
				o.CallDone(c)
			}
		})
	}
	for range 5 {
		scrapeOf(t, reg)
	}
	all.Wait()
	calls, running := 0.0, 0.0
	for name, n := range scrapeOf(t, reg) {
		if strings.HasPrefix(name, "rpckids_server_calls_total") {
			calls += n
		}
		if strings.HasPrefix(name, "rpckids_server_running_calls") {
			running += n
		}
	}
	if calls != 8*200 || running != 0 {
		t.Errorf("got %v calls and %v that run, want %d and none", calls, running, 8*200)
	}
}

// A code that there is not, and names in all shapes, break nothing.
func TestStrangeInfos(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	o := prom.New(reg).Observer()
	for _, c := range []rpcserver.CallInfo{
		{Service: "fib", Pattern: rpcserver.PatternCall, Protocol: "v1", Code: 200},
		{Service: "a\"b\\c\nd{}=,", Pattern: rpcserver.PatternCall, Protocol: "v1"},
		{Service: "名", Pattern: "new", Protocol: "v2", ItemsIn: 1, ItemsOut: 1},
	} {
		o.CallDone(c)
	}
	scrapeOf(t, reg).want(t, map[string]float64{
		"calls_total{code=unknown,method=fib,pattern=call,protocol=v1}":       1,
		"calls_total{code=ok,method=a\"b\\c\nd{}=,,pattern=call,protocol=v1}": 1,
		"calls_total{code=ok,method=名,pattern=new,protocol=v2}":               1,
	})
}

func BenchmarkObserver(b *testing.B) {
	o := prom.New(prometheus.NewRegistry()).Observer()
	c := rpcserver.CallInfo{Service: "fib", Pattern: rpcserver.PatternCall, Protocol: "v2", Peer: peer, Ran: true, BytesIn: 10, BytesOut: 20, Queue: 3 * time.Microsecond, Handler: 40 * time.Microsecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			o.CallStarted(c)
			o.CallDone(c)
		}
	})
}
