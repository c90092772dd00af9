package rpctest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// over returns a client of a fresh server, with that protocol.
func over(t testing.TB, protocol rpcclient.Protocol, register func(*rpcserver.Server)) *rpcclient.Client {
	t.Helper()
	return rpctest.PairOf(t, rpcserver.New(nil), &rpcclient.Config{Protocol: protocol}, register)
}

// The demo's services in all five patterns.
func TestPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, protocol := range []rpcclient.Protocol{rpcclient.Auto, rpcclient.V2} {
			c := over(t, protocol, demo.Register)
			var got []int64
			for v, err := range rpcclient.Stream[int64](t.Context(), c, "fibs", 10) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
			}
			if want := []int64{1, 1, 2, 3, 5, 8, 13, 21, 34, 55}; !slices.Equal(got, want) {
				t.Errorf("fibs gave %v", got)
			}
			sum, err := rpcclient.Upload[int64](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int64{1, 2, 39})))
			if sum != 42 || err != nil {
				t.Errorf("sum gave %d, %v", sum, err)
			}
			_, err = rpcclient.Upload[int64](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int64{1 << 62, 1 << 62})))
			if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Kind != rpcclient.ErrServer || e.Code != rpcclient.OutOfRange {
				t.Errorf("a sum that overflows gave %v", err)
			}
			var said []string
			for v, err := range rpcclient.Bidi[string](t.Context(), c, "chat", rpcclient.Values(slices.Values([]string{"hi", "there"}))) {
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, v)
			}
			if len(said) != 3 || !strings.Contains(said[0], "hi") || !strings.Contains(said[1], "there") {
				t.Errorf("chat said %q", said)
			}
			start, n := time.Now(), 0
			for _, err := range rpcclient.Stream[map[string]any](t.Context(), c, "ticks", 1000) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 5 {
					break
				}
			}
			if took := time.Since(start); took < 4*time.Second || took > 5*time.Second {
				t.Errorf("5 ticks took %v", took)
			}
			if n, err := rpcclient.Call[int64](t.Context(), c, "fib", 10); n != 89 || err != nil {
				t.Errorf("fib gave %d, %v", n, err)
			}
			if s := c.Stats(); s.Protocol != "v2" || s.Streams != 0 || s.Reconnects != 0 {
				t.Errorf("stats %+v", s)
			}
		}
	})
}

// What each pattern says to each other one is told without harm.
func TestPatternsMixedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			c := over(t, protocol, demo.Register)
			for _, name := range []string{"fibs", "ticks"} {
				_, err := rpcclient.Call[any](t.Context(), c, name, 10)
				e, ok := errors.AsType[*rpcclient.Error](err)
				if !ok || e.Kind != rpcclient.ErrServer || e.Code != rpcclient.Unimplemented || !bytes.Contains(e.Details, []byte(`"stream"`)) {
					t.Errorf("%v: a call of %s gave %v", protocol, name, err)
				}
			}
			for v, err := range rpcclient.Stream[int64](t.Context(), c, "fib", 10) {
				if protocol == rpcclient.V1 {
					if !errors.Is(err, rpcclient.ErrNoStreams) {
						t.Errorf("a stream over v1 gave %v", err)
					}
				} else if v != 89 || err != nil {
					t.Errorf("a stream of fib gave %d, %v", v, err)
				}
			}
			for _, err := range rpcclient.Stream[int64](t.Context(), c, "nope", 10) {
				if e, ok := errors.AsType[*rpcclient.Error](err); !ok || protocol == rpcclient.V2 && e.Code != rpcclient.NotFound {
					t.Errorf("a stream of nothing gave %v", err)
				}
			}
			if n, err := rpcclient.Call[int64](t.Context(), c, "fib", 10); n != 89 || err != nil {
				t.Errorf("fib after that gave %d, %v", n, err)
			}
		}
	})
}

// A deadline of 100 ms on a handler of 10 s ends everything on time, on one
// server and across two.
func TestDeadlineAcrossTwoHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			start := time.Now()
			var ended [3]atomic.Int64 // when the handler's context ended, by hop
			wait := func(hop int) func(context.Context, int) (int, error) {
				return func(ctx context.Context, n int) (int, error) {
					select {
					case <-time.After(10 * time.Second):
					case <-ctx.Done():
						ended[hop].Store(int64(time.Since(start)))
					}
					return n, ctx.Err()
				}
			}
			back := over(t, protocol, func(s *rpcserver.Server) { rpcserver.Handle(s, "slow", wait(2)) })
			front := over(t, protocol, func(s *rpcserver.Server) {
				rpcserver.Handle(s, "slow", wait(1))
				rpcserver.Handle(s, "hop", func(ctx context.Context, n int) (int, error) {
					return rpcclient.Call[int](ctx, back, "slow", n)
				})
			})
			for _, test := range []struct {
				name string
				hop  int
				most time.Duration
			}{{"slow", 1, 120 * time.Millisecond}, {"hop", 2, 130 * time.Millisecond}} {
				start = time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				_, err := rpcclient.Call[int](ctx, front, test.name, 1)
				took := time.Since(start)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) || took > 110*time.Millisecond {
					t.Errorf("%v %s: %v after %v", protocol, test.name, err, took)
				}
				time.Sleep(time.Second)
				if got := time.Duration(ended[test.hop].Load()); got == 0 || got > test.most {
					t.Errorf("%v %s: the handler's context ended after %v, want at most %v", protocol, test.name, got, test.most)
				}
			}
		}
	})
}

// A caller that goes away cancels the handler, and the handler of the server behind it.
func TestCancelAcrossTwoHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 2)
		back := over(t, rpcclient.V2, func(s *rpcserver.Server) {
			rpcserver.HandleStream(s, "items", func(ctx context.Context, _ int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for n := 0; yield(n, nil); n++ {
					}
					<-ctx.Done()
					causes <- context.Cause(ctx)
				}
			})
		})
		front := over(t, rpcclient.V2, func(s *rpcserver.Server) {
			rpcserver.HandleStream(s, "relay", func(ctx context.Context, n int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for v, err := range rpcclient.Stream[int](ctx, back, "items", n) {
						if !yield(v, err) {
							break
						}
					}
					causes <- context.Cause(ctx)
				}
			})
		})
		n := 0
		for v, err := range rpcclient.Stream[int](t.Context(), front, "relay", 0) {
			if v != n || err != nil {
				t.Fatalf("item %d is %d, %v", n, v, err)
			}
			if n++; n == 1000 {
				break
			}
		}
		for range 2 {
			if cause := <-causes; !errors.Is(cause, rpcserver.ErrCanceledByPeer) {
				t.Errorf("a handler's context ended with %v", cause)
			}
		}
	})
}

// 10 000 streams left midway, at a rate that no server minds: nothing is left on
// either side after a second.
func TestManyStreamsLeftMidway(t *testing.T) {
	n := 10_000
	if raceEnabled || testing.Short() {
		n = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(nil)
		var running atomic.Int64
		c := rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2}, func(s *rpcserver.Server) {
			rpcserver.HandleStream(s, "items", func(ctx context.Context, _ int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					running.Add(1)
					defer running.Add(-1)
					for n := 0; yield(n, nil); n++ {
					}
				}
			})
		})
		for i := range n {
			for _, err := range rpcclient.Stream[int](t.Context(), c, "items", 0) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if i%100 == 99 {
				time.Sleep(200 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		if got := s.Stats(); running.Load() != 0 || got.Streams != 0 || c.Stats().Streams != 0 || c.Stats().Reconnects != 0 {
			t.Errorf("%d handlers, %+v, %+v; want nothing left on one connection", running.Load(), got, c.Stats())
		}
	})
}

// The parts of a call add up to its round trip, with the server's own times.
func TestPartsAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.PairOf(t, rpcserver.New(nil), &rpcclient.Config{Protocol: rpcclient.V2, ServerTiming: true}, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "work", func(ctx context.Context, ms int) (int, error) {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				return ms, nil
			})
		})
		for _, ms := range []int{0, 1, 250} {
			var trace rpcclient.Trace
			if _, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &trace), c, "work", ms); err != nil {
				t.Fatal(err)
			}
			sum, rtt := trace.Client()+trace.Network()+trace.Queue+trace.Handler, trace.Done.Sub(trace.Start)
			if !trace.Timed || sum != rtt || trace.Handler != time.Duration(ms)*time.Millisecond {
				t.Errorf("%d ms: client %v, network %v, queue %v, handler %v of %v", ms, trace.Client(), trace.Network(), trace.Queue, trace.Handler, rtt)
			}
		}
	})
}

// Metadata goes both ways, trailers included, and bytes pass as they are.
func TestMetadataAndRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, rpcclient.V2, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "who", func(ctx context.Context, _ int) (string, error) {
				if err := rpcserver.SetReplyMetadata(ctx, "seen", rpcserver.MetadataOf(ctx)["user"]); err != nil {
					return "", err
				}
				return rpcserver.MetadataOf(ctx)["user"], rpcserver.SetTrailer(ctx, "cost", "3")
			}, rpcserver.Reply("person"))
			rpcserver.HandleStream(s, "count", func(ctx context.Context, n int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					_ = rpcserver.SetReplyMetadata(ctx, "of", "items")
					for i := range n {
						if !yield(i, nil) {
							return
						}
					}
					_ = rpcserver.SetTrailer(ctx, "end", "here")
				}
			})
			rpcserver.Handle(s, "flip", func(_ context.Context, b []byte) ([]byte, error) {
				slices.Reverse(b)
				return b, nil
			})
		})
		var meta rpcclient.Metadata
		var trace rpcclient.Trace
		ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"user": "kid"})
		ctx = rpcclient.WithTrace(rpcclient.WithReplyMetadata(ctx, &meta), &trace)
		got, err := rpcclient.Call[string](ctx, c, "who", 1)
		if got != "kid" || err != nil || meta["seen"] != "kid" || meta["cost"] != "3" || trace.ReplyType != "person" {
			t.Errorf("who gave %q, %v with %v as %s", got, err, meta, trace.ReplyType)
		}
		for i, err := range rpcclient.Stream[int](ctx, c, "count", 3) {
			if err != nil || meta["of"] != "items" || meta["end"] != "" {
				t.Errorf("item %d: %v with %v", i, err, meta)
			}
		}
		if meta["end"] != "here" {
			t.Errorf("after the stream: %v", meta)
		}
		raw, err := rpcclient.Call[[]byte](t.Context(), c, "flip", []byte{0, 1, 255}, rpcclient.Raw())
		if !bytes.Equal(raw, []byte{255, 1, 0}) || err != nil {
			t.Errorf("flip gave %v, %v", raw, err)
		}
	})
}

// The listing says what can be called and how, over both versions.
func TestListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.Auto, rpcclient.V2} {
			c := over(t, protocol, demo.Register)
			if protocol == rpcclient.V1 { // the server has to show first that it is ours
				if _, err := rpcclient.Call[int64](t.Context(), c, "fib", 1); err != nil {
					t.Fatal(err)
				}
			}
			list, err := c.Services(t.Context())
			if err != nil || !slices.IsSortedFunc(list, func(a, b rpcclient.Service) int { return strings.Compare(a.Name, b.Name) }) {
				t.Fatalf("%v: %v, %v", protocol, list, err)
			}
			patterns := map[string]rpcclient.Pattern{}
			for _, s := range list {
				patterns[s.Name] = s.Pattern
				if !json.Valid(s.Request) {
					t.Errorf("%s: request schema %s", s.Name, s.Request)
				}
			}
			for name, want := range map[string]rpcclient.Pattern{"fib": rpcclient.PatternCall, "log": rpcclient.PatternCast, "fibs": rpcclient.PatternStream, "sum": rpcclient.PatternUpload, "chat": rpcclient.PatternBidi} {
				if patterns[name] != want {
					t.Errorf("%v: %s is a %q, want %q", protocol, name, patterns[name], want)
				}
			}
			if h, err := c.Health(t.Context()); err != nil || h.Status != "serving" || h.Name != "rpckids" || len(h.Protocols) != 2 {
				t.Errorf("%v: health %+v, %v", protocol, h, err)
			}
		}
	})
}

// A payload with a wrong field is told where, over both versions.
func TestViolations(t *testing.T) {
	type order struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	synctest.Test(t, func(t *testing.T) {
		for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			c := over(t, protocol, func(s *rpcserver.Server) {
				rpcserver.Handle(s, "buy", func(_ context.Context, o order) (int, error) { return o.Count, nil })
			})
			_, err := c.Invoke(t.Context(), "buy", json.RawMessage(`{"name":"x","count":"y"}`))
			e, ok := errors.AsType[*rpcclient.Error](err)
			if !ok || e.Code != rpcclient.InvalidArgument || len(e.Violations()) != 1 || e.Violations()[0].Field != "count" {
				t.Errorf("%v: %v, %s", protocol, err, e.Details)
			}
		}
	})
}

// A server that shuts down loses nobody's call: what runs is answered, what
// comes later goes to its successor.
func TestShutdownLosesNoCall(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.Auto, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			echo := func(s *rpcserver.Server) {
				rpcserver.Handle(s, "echo", func(_ context.Context, n int) (int, error) {
					time.Sleep(time.Duration(n%5) * time.Millisecond)
					return n, nil
				})
			}
			var current atomic.Pointer[rpcserver.Server]
			next := func() *rpcclient.Config {
				s := rpcserver.New(nil)
				ln := rpctest.Serve(t, s)
				echo(s)
				current.Store(s)
				return &rpcclient.Config{Protocol: protocol, Dialer: ln.Dial}
			}
			cfg := next()
			dial := atomic.Pointer[rpcclient.Config]{}
			dial.Store(cfg)
			c, err := rpcclient.New("memory:1", &rpcclient.Config{Protocol: protocol, Dialer: dialer(&dial)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var calls atomic.Int64
			for i := range 16 {
				wg.Go(func() {
					for n := i; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						if got, err := rpcclient.Call[int](t.Context(), c, "echo", n); got != n || err != nil {
							t.Errorf("%v: call %d gave %d, %v", protocol, n, got, err)
							return
						}
						calls.Add(1)
						time.Sleep(time.Millisecond)
					}
				})
			}
			for range 5 {
				time.Sleep(50 * time.Millisecond)
				if c.Stats().Protocol != "v2" {
					t.Errorf("%v: over %s", protocol, c.Stats().Protocol)
				}
				old := current.Load()
				dial.Store(next())
				if err := old.Shutdown(t.Context()); err != nil {
					t.Errorf("shutdown: %v", err)
				}
			}
			close(stop)
			wg.Wait()
			t.Logf("%v: %d calls over %d connections", protocol, calls.Load(), c.Stats().Reconnects+1)
		})
	}
}

// dialer goes wherever the present config goes.
func dialer(to *atomic.Pointer[rpcclient.Config]) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return to.Load().Dialer(ctx, network, address)
	}
}

// A unix socket moves to version 2 as any other.
func TestUnixSocket(t *testing.T) {
	rpctest.Leaks(t)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := rpcserver.New(nil)
	demo.Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Shutdown below
	c, err := rpcclient.Dial(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for v, err := range rpcclient.Stream[int64](t.Context(), c, "fibs", 50) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if n == 50 && v != 12586269025 {
			t.Errorf("the last is %d", v)
		}
	}
	if got := c.Stats(); n != 50 || got.Protocol != "v2" || got.Remote != "unix://"+path {
		t.Errorf("%d items, stats %+v", n, got)
	}
	c.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}
