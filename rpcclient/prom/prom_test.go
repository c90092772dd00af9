package prom_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
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
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcclient/prom"
	"github.com/rpckids/rpckids/rpcserver"
)

func services(s *rpcserver.Server) {
	rpcserver.Handle(s, "echo", func(_ context.Context, text string) (string, error) { return text, nil }, rpcserver.Idempotent())
	rpcserver.Handle(s, "slow", func(ctx context.Context, d time.Duration) (string, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return "", ctx.Err()
	})
	rpcserver.Handle(s, "wrong", func(context.Context, int) (int, error) { return 0, rpcserver.Errorf(rpcserver.NotFound, "not here") })
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
}

// scrape is what a Prometheus server sees, read by the official parser: each
// sample under name{labels}.
type scrape map[string]float64

func scrapeOf(t *testing.T, reg *prometheus.Registry) scrape {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatalf("scrape does not parse: %v", err)
	}
	all := scrape{}
	for name, family := range families {
		for _, m := range family.Metric {
			all.put(strings.TrimPrefix(name, "rpckids_client_"), m)
		}
	}
	return all
}

func (s scrape) put(name string, m *dto.Metric) {
	var labels []string
	for _, l := range m.Label {
		if l.GetName() != "target" {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
	}
	slices.Sort(labels)
	tail := ""
	if len(labels) > 0 {
		tail = "{" + strings.Join(labels, ",") + "}"
	}
	if h := m.Histogram; h != nil {
		s[name+"_count"+tail], s[name+"_sum"+tail] = float64(h.GetSampleCount()), h.GetSampleSum()
		return
	}
	s[name+tail] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func (s scrape) want(t *testing.T, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if got, ok := s[name]; got != value || !ok {
			t.Errorf("%s: got %v (there: %v), want %v", name, got, ok, value)
		}
	}
}

// house is a client with metrics on it and its server.
func house(t *testing.T, p rpcclient.Protocol) (*prometheus.Registry, *rpcclient.Client) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m := prom.New(reg)
	c := rpctest.PairOf(t, rpcserver.New(nil), &rpcclient.Config{Protocol: p, Use: []rpcclient.Middleware{m.Middleware()}}, services)
	m.Collect(c)
	m.Collect(c) // once counts
	return reg, c
}

func TestScrapeMovesWithTheCalls(t *testing.T) {
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(p.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg, c := house(t, p)
				for range 3 {
					if _, err := rpcclient.Call[string](t.Context(), c, "echo", "hello"); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := rpcclient.Call[int](t.Context(), c, "wrong", 1); err == nil {
					t.Error("wrong: no error")
				}
				if _, err := rpcclient.Call[int](t.Context(), c, "echo", "no number"); err == nil {
					t.Error("echo: a text became a number")
				}
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := rpcclient.Call[string](short, c, "slow", time.Hour); err == nil {
					t.Error("slow: no error")
				}
				if err := rpcclient.Cast(t.Context(), c, "log", "line"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				got := scrapeOf(t, reg)
				got.want(t, map[string]float64{
					"calls_total{code=ok,kind=none,method=echo,pattern=call}":                          3,
					"calls_total{code=not_found,kind=error from the server,method=wrong,pattern=call}": 1,
					"calls_total{code=internal,kind=unusable reply,method=echo,pattern=call}":          1,
					"calls_total{code=ok,kind=none,method=log,pattern=cast}":                           1,
					"call_seconds_count{method=echo,pattern=call}":                                     4,
					"call_seconds_sum{method=slow,pattern=call}":                                       1,
					"in_flight_calls{method=slow,pattern=call}":                                        0,
					"dropped_replies_total{reason=wrong}":                                              0,
					"reconnects_total":                                                                 0,
					"pending_calls":                                                                    0,
				})
				late := got["calls_total{code=deadline_exceeded,kind=context ended,method=slow,pattern=call}"] +
					got["calls_total{code=deadline_exceeded,kind=error from the server,method=slow,pattern=call}"] // whose clock was first
				if late != 1 {
					t.Errorf("slow: got %v, want one call whose deadline passed", late)
				}
				for _, name := range []string{"sent_messages_total", "received_messages_total"} {
					if got[name] < 5 {
						t.Errorf("%s: got %v, want at least those of the calls", name, got[name])
					}
				}
				c.Close()
				synctest.Wait()
				got = scrapeOf(t, reg)
				if _, there := got["connections"]; there {
					t.Error("a client that was closed is still shown")
				}
				got.want(t, map[string]float64{"call_seconds_count{method=echo,pattern=call}": 4})
			})
		})
	}
}

func TestScrapeWhileCallsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, c := house(t, rpcclient.V2)
		ended := make(chan error, 1)
		go func() { // ends with its call; its result is read below
			_, err := rpcclient.Call[string](t.Context(), c, "slow", time.Second)
			ended <- err
		}()
		synctest.Wait()
		scrapeOf(t, reg).want(t, map[string]float64{"in_flight_calls{method=slow,pattern=call}": 1, "pending_calls": 1})
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for range rpcclient.Stream[int](t.Context(), c, "count", 1000) {
			scrapeOf(t, reg).want(t, map[string]float64{"in_flight_calls{method=count,pattern=stream}": 1, "streams": 1})
			break
		}
		scrapeOf(t, reg).want(t, map[string]float64{
			"in_flight_calls{method=count,pattern=stream}":               0,
			"calls_total{code=ok,kind=none,method=count,pattern=stream}": 1, // leaving is no error
		})
	})
}

// A consumer that panics leaves no call in flight behind.
func TestPanicOfTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, c := house(t, rpcclient.V2)
		func() {
			defer func() {
				if recover() != "oops" {
					t.Error("the panic did not arrive")
				}
			}()
			for range rpcclient.Stream[int](t.Context(), c, "count", 1000) {
				panic("oops")
			}
		}()
		scrapeOf(t, reg).want(t, map[string]float64{
			"in_flight_calls{method=count,pattern=stream}":                     0,
			"calls_total{code=unknown,kind=panic,method=count,pattern=stream}": 1,
		})
	})
}

// Errors that never saw a server, and those that a middleware made, have kinds too.
func TestKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := prom.New(reg)
		fail := func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				if r.Type == "forbidden" {
					return errors.New("not today")
				}
				return next(ctx, r)
			}
		}
		c, err := rpcclient.New("localhost:1", &rpcclient.Config{
			Use:    []rpcclient.Middleware{m.Middleware(), fail},
			Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody there") },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, name := range []string{"x", "forbidden", "bad\xffname"} {
			if _, err := rpcclient.Call[int](t.Context(), c, name, 1); err == nil {
				t.Errorf("%q: no error", name)
			}
		}
		got := scrapeOf(t, reg)
		got.want(t, map[string]float64{
			"calls_total{code=unavailable,kind=cannot connect,method=x,pattern=call}":               1,
			"calls_total{code=unknown,kind=failed by a middleware,method=forbidden,pattern=call}":   1,
			"calls_total{code=invalid_argument,kind=unusable payload,method=bad?name,pattern=call}": 1,
		})
	})
}

// Names that a program makes up do not fill the memory.
func TestMethodsAreBounded(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := prom.New(reg)
	do := m.Middleware()(func(context.Context, *rpcclient.Request) error { return nil })
	for i := range 1500 {
		for range 2 {
			if err := do(t.Context(), &rpcclient.Request{Type: fmt.Sprint("m", i), Pattern: rpcclient.PatternCall}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := scrapeOf(t, reg)
	got.want(t, map[string]float64{
		"calls_total{code=ok,kind=none,method=m999,pattern=call}":   2,
		"calls_total{code=ok,kind=none,method=!other,pattern=call}": 1000,
	})
	if _, there := got["calls_total{code=ok,kind=none,method=m1000,pattern=call}"]; there {
		t.Error("the thousand and first name has counters of its own")
	}
}

func TestLint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, c := house(t, rpcclient.V2)
		if _, err := rpcclient.Call[string](t.Context(), c, "echo", "hello"); err != nil {
			t.Fatal(err)
		}
		families, err := reg.Gather()
		if err != nil || len(families) != 3+14+7 {
			t.Errorf("got %d families, %v; want all of them to be there to be looked at", len(families), err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// Of several servers each has its own numbers; clients of one target add up.
func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := prom.New(reg)
		up := map[string]*memnet.Listener{}
		for _, address := range []string{"a:1", "b:1"} {
			s := rpcserver.New(nil)
			services(s)
			up[address] = rpctest.Serve(t, s)
		}
		for range 2 {
			c, err := rpcclient.New("a:1,b:1,gone:1", &rpcclient.Config{
				Use: []rpcclient.Middleware{m.Middleware()},
				Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
					if ln := up[address]; ln != nil {
						return ln.Dial(ctx, network, address)
					}
					return nil, errors.New("nobody there")
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			m.Collect(c)
			for range 100 {
				if _, err := rpcclient.Call[string](t.Context(), c, "echo", "hello", rpcclient.Idempotent()); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		got := scrapeOf(t, reg)
		got.want(t, map[string]float64{
			"servers": 6, "discovery_failing": 0,
			"peer_state{server=a:1,state=up}": 2, "peer_state{server=b:1,state=up}": 2, "peer_state{server=gone:1,state=up}": 0,
			"peer_pending_calls{server=a:1}": 0, "peer_connections{server=gone:1}": 0, "peer_ejections_total{server=a:1}": 0,
			"calls_total{code=ok,kind=none,method=echo,pattern=call}": 200,
		})
		a, b := got["peer_calls_total{server=a:1}"], got["peer_calls_total{server=b:1}"]
		if a == 0 || b == 0 || a+b < 200 { // more: attempts that moved to version 2
			t.Errorf("got %v and %v calls, want both to have taken a part of 200", a, b)
		}
		if n := got["peer_connections{server=a:1}"]; n < 2 {
			t.Errorf("got %v connections to a server of two clients", n)
		}
		states := 0.0
		for name, n := range got {
			if strings.HasPrefix(name, "peer_state{") {
				states += n
			}
		}
		if states != 6 {
			t.Errorf("three servers of two clients are in %v states", states)
		}
	})
}

// A counter does not fall when one of several clients is closed, nor when another
// takes its place; what there is now goes with the client.
func TestClosedClientsStayInTheTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := prom.New(reg)
		s := rpcserver.New(nil)
		services(s)
		ln := rpctest.Serve(t, s)
		join := func() *rpcclient.Client {
			c := rpctest.Client(t, ln, &rpcclient.Config{Protocol: rpcclient.V2})
			m.Collect(c)
			return c
		}
		before := scrape{}
		look := func(when string, conns float64) {
			t.Helper()
			synctest.Wait()
			got := scrapeOf(t, reg)
			for name, was := range before {
				base, _, _ := strings.Cut(name, "{")
				if now, there := got[name]; strings.HasSuffix(base, "_total") && (now < was || !there) {
					t.Errorf("%s: %s is %v after %v", when, name, now, was)
				}
			}
			if got["connections"] != conns {
				t.Errorf("%s: %v connections, want %v", when, got["connections"], conns)
			}
			before = got
		}
		work := func(c *rpcclient.Client) {
			for range 100 {
				if _, err := rpcclient.Call[string](t.Context(), c, "echo", "hello"); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, b := join(), join()
		work(a)
		work(b)
		look("both", 2)
		a.Close()
		look("one was closed", 1)
		c := join()
		look("another came", 1)
		work(c)
		look("and worked", 2)
		b.Close()
		c.Close()
		look("all were closed", 0)
		before.want(t, map[string]float64{"sent_messages_total": 300, "received_messages_total": 300})
	})
}

// After the first call of a method nothing is allocated for one that goes well.
func TestCallsAllocateNothing(t *testing.T) {
	do := prom.New(prometheus.NewRegistry()).Middleware()(func(context.Context, *rpcclient.Request) error { return nil })
	r := &rpcclient.Request{Type: "fib", Pattern: rpcclient.PatternCall}
	call := func() {
		if err := do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	call()
	if n := testing.AllocsPerRun(1000, call); n != 0 {
		t.Errorf("got %v allocations per call, want none", n)
	}
}

func BenchmarkMiddleware(b *testing.B) {
	do := prom.New(prometheus.NewRegistry()).Middleware()(func(context.Context, *rpcclient.Request) error { return nil })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := &rpcclient.Request{Type: "fib", Pattern: rpcclient.PatternCall}
		for pb.Next() {
			if err := do(b.Context(), r); err != nil {
				b.Error(err)
			}
		}
	})
}
