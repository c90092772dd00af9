package rpcclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

func TestCallsOverVersion2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		c.Register("echo_res", int64(0))
		if got, err := c.Send(t.Context(), "echo", 7); got != int64(7) || err != nil {
			t.Errorf("Send gave %v, %v", got, err)
		}
		if got, err := c.Invoke(t.Context(), "echo", json.RawMessage(`{"a":[1,2]}`)); string(got) != `{"a":[1,2]}` || err != nil {
			t.Errorf("Invoke gave %s, %v", got, err)
		}
		if got, err := rpcclient.Call[string](t.Context(), c, "echo", strings.Repeat("ü", 300_000)); len(got) != 600_000 || err != nil {
			t.Errorf("a long one gave %d bytes, %v", len(got), err)
		}
		_, err := rpcclient.Call[int](t.Context(), c, "nope", 1)
		if e := kind(t, err, rpcclient.ErrServer, rpcclient.NotFound); e.Message != "no service nope" || e.Attempts != 1 || e.Server != c.Stats().Remote {
			t.Errorf("error %+v", e)
		}
		_, err = rpcclient.Call[int](t.Context(), c, "echo", "x")
		if e := kind(t, err, rpcclient.ErrReply, rpcclient.Internal); !strings.Contains(e.Message, "echo_res") {
			t.Errorf("error %q", e.Message)
		}
		_, err = rpcclient.Call[int](t.Context(), c, "echo", strings.Repeat("x", 1<<20))
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		_, err = rpcclient.Call[int](t.Context(), c, strings.Repeat("x", 2000), 1)
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		if got := c.Stats(); got.Pending != 0 || got.Protocol != "v2" || got.State != rpcclient.Connected || s.dialed() != 1 {
			t.Errorf("stats %+v", got)
		}
	})
}

// What the server has said about itself fails a call here, and it alone.
func TestServersLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) {
			s.config.Settings.MaxMessage = 100
			s.config.Settings.MaxMetadata = 10
			s.config.Settings.MaxStreams = 2
			s.config.Settings.Codecs = nil
		})
		c := s.client(t, rpcclient.V2, func(cfg *rpcclient.Config) { cfg.Pool.Max = 1 })
		echoOver(t, c, 1)
		_, err := rpcclient.Call[int](t.Context(), c, "echo", strings.Repeat("x", 200))
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		_, err = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(func(yield func(string) bool) { yield(strings.Repeat("x", 200)) }))
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		_, err = rpcclient.Call[int](rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"name": "0123456789"}), c, "echo", 1)
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		_, err = rpcclient.Call[[]byte](t.Context(), c, "echo", []byte("x"), rpcclient.Raw())
		kind(t, err, rpcclient.ErrServer, rpcclient.Unimplemented)
		synctest.Wait() // the upload's handler may hold one of the two places still
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			wg.Go(func() { rpcclient.Call[int](ctx, c, "hang", 1) })
		}
		synctest.Wait()
		_, err = rpcclient.Call[int](within(t, time.Second), c, "echo", 1)
		if e := kind(t, err, rpcclient.ErrContext, rpcclient.DeadlineExceeded); !strings.Contains(e.Message, "before anything was sent") {
			t.Errorf("it waits in line, and says %q", e.Message)
		}
		if got := c.Stats().Pending; got != 2 {
			t.Errorf("%d pending, want 2", got)
		}
		cancel()
		wg.Wait()
		synctest.Wait() // a cancelled call keeps its place until its handler has returned
		if got := echoOver(t, c, 3); got != "v2" || s.dialed() != 1 {
			t.Errorf("over %s, %d connections; want the same", got, s.dialed())
		}
	})
}

// A server that takes more than usual is believed, also by the first call.
func TestServerTakesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) { s.config.Settings.MaxMessage = 4 << 20 })
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.MaxMessage = 4 << 20 })
		want := strings.Repeat("x", 3<<20)
		if got, err := rpcclient.Call[string](t.Context(), c, "echo", want); got != want || err != nil {
			t.Errorf("%d bytes gave %d, %v", len(want), len(got), err)
		}
		c = s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.MaxMessage = 4 << 20 })
		long := func(yield func(string) bool) { _ = yield("a") && yield(want) }
		got := collect(t, rpcclient.Bidi[string](t.Context(), c, "chat", rpcclient.Values(long)))
		if len(got) != 4 || got[2] != want {
			t.Errorf("%d items came back, want 4 and the long one", len(got))
		}
	})
}

// The end of a context returns at once and reaches the server.
func TestCancelReachesTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		start := time.Now()
		_, err := rpcclient.Call[int](within(t, 100*time.Millisecond), c, "hang", 1)
		if e := kind(t, err, rpcclient.ErrContext, rpcclient.DeadlineExceeded); !errors.Is(e, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%v after %v, want the deadline after 100ms", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = rpcclient.Call[int](ctx, c, "hang", 1)
		kind(t, err, rpcclient.ErrContext, rpcclient.Canceled)
		synctest.Wait()
		if got := s.cancels(); len(got) != 2 {
			t.Errorf("the server saw %v, want two cancels", got)
		}
		if got := s.last().Stats(); got.Streams != 0 || got.Running != 0 {
			t.Errorf("%+v is left", got)
		}
	})
}

// refuse answers the first n calls with a refusal.
func refuse(n int32, e *wire.Error, refused bool) func(*twin) {
	var seen atomic.Int32
	return func(s *twin) {
		s.handle = func(s *twin, st *mux.Stream) {
			if seen.Add(1) <= n {
				s.first(st)
				st.Fail(e, refused)
				return
			}
			standard(s, st)
		}
	}
}

// A refused call never ran: it is sent again after the wait that the server asks
// for, three times in all, and not if that is longer than the caller has.
func TestRefusedCalls(t *testing.T) {
	busy := &wire.Error{Code: wire.ResourceExhausted, Message: "busy", RetryAfter: time.Second}
	for _, test := range []struct {
		name        string
		refusals    int32
		failure     *wire.Error
		refused     bool
		limit       time.Duration
		attempts    int
		fails       bool
		least, most time.Duration
	}{
		{"once", 1, busy, true, time.Hour, 2, false, time.Second, 1100 * time.Millisecond},
		{"twice", 2, busy, true, time.Hour, 3, false, 2 * time.Second, 2200 * time.Millisecond},
		{"for ever", 100, busy, true, time.Hour, 3, true, 2 * time.Second, 2200 * time.Millisecond},
		{"longer than the caller has", 1, busy, true, 900 * time.Millisecond, 1, true, 0, 0},
		{"longer than is bearable", 1, &wire.Error{Code: wire.ResourceExhausted, RetryAfter: time.Minute}, true, time.Hour, 1, true, 0, 0},
		{"without a wait", 1, &wire.Error{Code: wire.ResourceExhausted}, true, time.Hour, 2, false, time.Millisecond, 100 * time.Millisecond},
		{"ran and failed", 1, busy, false, time.Hour, 1, true, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveTwin(t, marked, refuse(test.refusals, test.failure, test.refused))
				c := s.client(t, rpcclient.V2)
				start := time.Now()
				var trace rpcclient.Trace
				got, err := rpcclient.Call[int](rpcclient.WithTrace(within(t, test.limit), &trace), c, "echo", 7)
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("it took %v, want %v to %v", took, test.least, test.most)
				}
				if (err != nil) != test.fails || err == nil && got != 7 || trace.Attempts != test.attempts {
					t.Errorf("%d, %v after %d attempts; want failure %v after %d", got, err, trace.Attempts, test.fails, test.attempts)
				}
				if test.fails {
					e := kind(t, err, rpcclient.ErrServer, rpcclient.ResourceExhausted)
					if e.RetryAfter != test.failure.RetryAfter || e.Attempts != test.attempts {
						t.Errorf("error %+v", e)
					}
				}
			})
		})
	}
}

// The last attempt tells the server how many there were.
func TestAttemptIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, refuse(1, fails(wire.ResourceExhausted, "busy"), true))
		c := s.client(t, rpcclient.V2)
		var back rpcclient.Metadata
		ctx := rpcclient.WithReplyMetadata(rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"a": "b"}), &back)
		if _, err := rpcclient.Call[string](ctx, c, "meta", 1); err != nil || back["attempt"] != "2" || back["a"] != "b" {
			t.Errorf("the server got %v (%v), want attempt 2 and a b", back, err)
		}
	})
}

// A connection that goes while calls run on it: what is idempotent goes again,
// the rest fails and says so.
func TestVersion2IsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first atomic.Bool
		s := serveTwin(t, marked, func(s *twin) {
			s.handle = func(s *twin, st *mux.Stream) {
				if !first.Swap(true) {
					s.first(st)
					s.hang(st)
					return
				}
				standard(s, st)
			}
		})
		for _, test := range []struct {
			opts     []rpcclient.CallOption
			attempts int
		}{{[]rpcclient.CallOption{rpcclient.Idempotent()}, 2}, {nil, 1}} {
			first.Store(false)
			c := s.client(t, rpcclient.V2)
			var wg sync.WaitGroup
			wg.Go(func() {
				got, err := rpcclient.Call[int](t.Context(), c, "echo", 7, test.opts...)
				if test.attempts == 2 && (got != 7 || err != nil) {
					t.Errorf("idempotent: %d, %v", got, err)
				}
				if test.attempts == 1 {
					kind(t, err, rpcclient.ErrConnectionLost, rpcclient.Unavailable)
				}
			})
			synctest.Wait()
			before := c.Stats()
			s.hangUp()
			wg.Wait()
			synctest.Wait()
			after := c.Stats()
			if after.BytesOut < before.BytesOut || after.BytesIn < before.BytesIn || after.Pending != 0 {
				t.Errorf("the counters went from %+v to %+v", before, after)
			}
		}
	})
}

// After GOAWAY running calls finish, new ones go elsewhere, and what the server
// says it has not taken is sent again though it is not idempotent.
func TestGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) {
			s.handle = func(s *twin, st *mux.Stream) {
				if st.MethodName() == "slow" {
					time.Sleep(time.Second)
				}
				if st.MethodName() == "slow" || st.MethodName() == "echo" {
					_ = st.Finish(s.first(st), nil, false)
				}
			}
		})
		c := s.client(t, rpcclient.V2)
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := rpcclient.Call[int](t.Context(), c, "slow", 5); got != 5 || err != nil {
				t.Errorf("the running call gave %d, %v", got, err)
			}
		})
		synctest.Wait()
		s.last().GoAway(wire.Farewell{Code: wire.Unavailable, Text: "bye"})
		synctest.Wait()
		if got := echoOver(t, c, 1); got != "v2" || s.dialed() != 2 {
			t.Errorf("a new call: over %s, %d connections; want v2 and 2", got, s.dialed())
		}
		wg.Wait()
		synctest.Wait()
		if got := c.Stats(); got.LastError != nil {
			t.Errorf("last error %v, want none", got.LastError)
		}
	})
}

// A call that crosses a GOAWAY: the server never ran it.
func TestCallThatCrossesGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) {
			c.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) > 1 {
					return s.dial(ctx, network, address)
				}
				ours, theirs := memnet.Pipe(0)
				go func() { // ends when it has closed its side
					defer theirs.Close()
					buf := make([]byte, 1024)
					_, _ = theirs.Read(buf)
					_, _ = theirs.Write([]byte(wire.Magic + "\x00\x00\x00"))
					_, _ = theirs.Write([]byte("\x60\x00\x04\x00\x00\x00\x00"))
					_, _ = theirs.Read(buf)
				}()
				return ours, nil
			}
		})
		var trace rpcclient.Trace
		got, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &trace), c, "echo", 7)
		if got != 7 || err != nil || trace.Attempts != 2 {
			t.Errorf("%d, %v after %d attempts; want 7 after 2", got, err, trace.Attempts)
		}
	})
}

// Casts return when their bytes have left, are never sent twice, and survive the
// close that follows.
func TestCastsOverVersion2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		for i := range 100 {
			if err := rpcclient.Cast(t.Context(), c, "log", i); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		synctest.Wait()
		if got := s.calls(); len(got) != 100 || got[99] == "" {
			t.Errorf("%d casts arrived, want 100", len(got))
		}
		if err := rpcclient.Cast(t.Context(), c, "log", 1); !errors.Is(err, rpcclient.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestCloseOverVersion2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := rpcclient.Call[int](t.Context(), c, "hang", 1)
			if !errors.Is(err, rpcclient.ErrClosed) {
				t.Errorf("the call in flight gave %v", err)
			}
		})
		wg.Go(func() {
			var last error
			for _, err := range rpcclient.Stream[int](t.Context(), c, "hang", 1) {
				last = err
			}
			if !errors.Is(last, rpcclient.ErrClosed) {
				t.Errorf("the stream gave %v", last)
			}
		})
		synctest.Wait()
		start := time.Now()
		c.Close()
		wg.Wait()
		if got := time.Since(start); got != 0 || c.Stats().State != rpcclient.Closed {
			t.Errorf("Close took %v, state %v", got, c.Stats().State)
		}
		for _, err := range rpcclient.Stream[int](t.Context(), c, "items", 1) {
			kind(t, err, rpcclient.ErrClosed, rpcclient.Canceled)
		}
	})
}

// Close waits for a climb that is under way only as long as courtesy demands.
func TestCloseWhileClimbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := record(t, nil)
		echoOver(t, c, 1)
		synctest.Wait() // the version 2 connection waits for its answer
		start := time.Now()
		c.Close()
		if got := time.Since(start); got > 100*time.Millisecond {
			t.Errorf("Close took %v", got)
		}
	})
}

func TestRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.Auto)
		for _, want := range [][]byte{{0, 255, 10}, {}, bytes.Repeat([]byte{7}, 100_000)} {
			got, err := rpcclient.Call[[]byte](t.Context(), c, "echo", want, rpcclient.Raw())
			if !bytes.Equal(got, want) || got == nil || err != nil {
				t.Errorf("%d bytes gave %d, %v", len(want), len(got), err)
			}
			raw, err := c.Invoke(t.Context(), "echo", want, rpcclient.Raw())
			if !bytes.Equal(raw, want) || err != nil {
				t.Errorf("Invoke: %d bytes gave %d, %v", len(want), len(raw), err)
			}
		}
		for v, err := range rpcclient.Stream[[]byte](t.Context(), c, "items", []byte("3"), rpcclient.Raw()) {
			if len(v) != 1 || err != nil {
				t.Errorf("item %q, %v", v, err)
			}
		}
		_, err := rpcclient.Call[int](t.Context(), c, "echo", []byte("1"), rpcclient.Raw())
		kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		_, err = rpcclient.Call[[]byte](t.Context(), c, "echo", 1, rpcclient.Raw())
		kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		if got := len(s.calls()); got != 7 || len(s.v1.Messages()) != 0 {
			t.Errorf("%d calls over v2, %d over v1; want 7 and none", got, len(s.v1.Messages()))
		}
	})
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		var back rpcclient.Metadata
		ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"traceparent": parent, "a.b": "1"})
		ctx = rpcclient.WithMetadata(ctx, rpcclient.Metadata{"a.b": "2", "request-id": "r"})
		if _, err := rpcclient.Call[string](rpcclient.WithReplyMetadata(ctx, &back), c, "meta", nil); err != nil {
			t.Fatal(err)
		}
		if want := (rpcclient.Metadata{"traceparent": parent, "a.b": "2", "request-id": "r"}); fmt.Sprint(back) != fmt.Sprint(want) {
			t.Errorf("back came %v, want %v", back, want)
		}
		if _, err := rpcclient.Call[int](rpcclient.WithReplyMetadata(t.Context(), &back), c, "echo", 1); err != nil || back != nil {
			t.Errorf("a reply without metadata leaves %v, %v", back, err)
		}
		for _, bad := range []rpcclient.Metadata{{"Upper": "x"}, {"": "x"}, {"traceparent": "x"}} {
			_, err := rpcclient.Call[int](rpcclient.WithMetadata(t.Context(), bad), c, "echo", 1)
			kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		}
		// Over version 1 the trace goes along in the id, and the rest stays behind.
		c = s.client(t, rpcclient.V1)
		if _, err := rpcclient.Call[int](ctx, c, "echo", 1); err != nil {
			t.Fatal(err)
		}
		if got := s.v1.Messages()[0].ID; !strings.HasSuffix(got, ";rk2;t="+parent) {
			t.Errorf("the id is %s", got)
		}
	})
}

// The server's own times are in the trace, and the parts add up.
func TestServerTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) {
			s.handle = func(s *twin, st *mux.Stream) {
				time.Sleep(30 * time.Millisecond)
				queue, handler := 10*time.Millisecond, 20*time.Millisecond
				if string(s.first(st)) == "2" {
					queue, handler = time.Hour, time.Hour
				}
				_ = st.Finish([]byte("1"), wire.AppendTiming(nil, queue, handler), false)
			}
		})
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.ServerTiming = true })
		var meta rpcclient.Metadata
		for payload, want := range []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond} {
			if want == 0 {
				continue
			}
			var trace rpcclient.Trace
			ctx := rpcclient.WithReplyMetadata(rpcclient.WithTrace(t.Context(), &trace), &meta)
			if _, err := rpcclient.Call[int](ctx, c, "x", payload); err != nil {
				t.Fatal(err)
			}
			if !trace.Timed || trace.Queue != want || trace.Queue+trace.Handler != 30*time.Millisecond || trace.Network() != 0 || meta != nil {
				t.Errorf("queue %v, handler %v, network %v, metadata %v", trace.Queue, trace.Handler, trace.Network(), meta)
			}
			if got := trace.Client() + trace.Network() + trace.Queue + trace.Handler; got != trace.Done.Sub(trace.Start) {
				t.Errorf("the parts add up to %v of %v", got, trace.Done.Sub(trace.Start))
			}
		}
	})
}

func TestCompress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("all work and no play ", 5000)
		for _, compress := range []bool{false, true} {
			s := serveTwin(t, marked, func(s *twin) { s.config.Compress = true })
			c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.Compress = compress })
			echoOver(t, c, 1)
			before := c.Stats()
			got, err := rpcclient.Call[string](t.Context(), c, "echo", long)
			if got != long || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			after := c.Stats()
			out, in := after.BytesOut-before.BytesOut, after.BytesIn-before.BytesIn
			if small := out < 5000 && in < 5000; small != compress {
				t.Errorf("compress %v: %d bytes out, %d in, of %d", compress, out, in, len(long))
			}
		}
	})
}

// At most 4 allocations a call through the typed API, over a real socket and
// against a server in the same process that makes none.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := benchClient(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 100 {
		if got, err := rpcclient.Call[int](ctx, c, "echo", 20); got != 20 || err != nil {
			t.Fatal(got, err)
		}
	}
	got := testing.AllocsPerRun(2000, func() { rpcclient.Call[int](ctx, c, "echo", 20) })
	t.Logf("allocs-per-call %.2f 4 %s", got, map[bool]string{true: "PASS", false: "FAIL"}[got <= 4])
	if got > 4 {
		t.Errorf("%.2f allocations a call, both sides together; want at most 4", got)
	}
}

// benchClient returns a version 2 client of an echo server on a real socket that
// answers on its reader's goroutine.
func benchClient(t testing.TB) *rpcclient.Client {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				cfg := mux.Config{
					Role:   mux.Server,
					Lookup: func([]byte) any { return true },
					Opened: func(st *mux.Stream) {
						m, _ := st.First()
						_ = st.Finish(m.Payload, nil, false)
						st.Done()
					},
				}
				_ = mux.New(sock, &cfg).Serve(nil)
			})
		}
	})
	c, err := rpcclient.New(ln.Addr().String(), &rpcclient.Config{Protocol: rpcclient.V2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); ln.Close(); wg.Wait() })
	return c
}
