package rpcserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		busy, idle := h.visit(), h.visit()
		busy.send("1", "slow", "3000")
		busy.send(ours, "slow", "4000")
		idle.send("1", "fib", "10")
		idle.want("1 fib_res 89")
		synctest.Wait() // what was sent has been read
		start := time.Now()
		done := make(chan error, 1)
		go func() { done <- h.s.Shutdown(t.Context()) }() // ends with the calls; received below
		synctest.Wait()
		idle.wantEnd()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the idle connection was closed after %v, want at once", waited)
		}
		idle.nc.Close()
		if _, err := h.dial(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: got %v, want %v", err, syscall.ECONNREFUSED)
		}
		busy.write(wire.AppendMessage(nil, "3", "fib", "10")) // comes too late
		busy.want("1 slow_res 3000", answered+" slow_res 4000")
		busy.wantEnd()
		busy.nc.Close()
		if err := <-done; err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if waited := time.Since(start); waited != 4*time.Second {
			t.Errorf("shut down after %v, want 4s", waited)
		}
		if err := h.s.Serve(memnet.Listen()); !errors.Is(err, rpcserver.ErrServerClosed) {
			t.Errorf("Serve afterwards: got %v, want %v", err, rpcserver.ErrServerClosed)
		}
		if err := h.s.Shutdown(t.Context()); err != nil {
			t.Errorf("a second time: got %v, want nil", err)
		}
	})
}

// A peer that never closes its side does not hold Shutdown up for more than a second.
func TestShutdownOfAPeerThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit()
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		start := time.Now()
		if err := h.s.Shutdown(t.Context()); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("shut down after %v, want at most 1s", waited)
		}
	})
}

func TestShutdownOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		gate, cancelled := make(chan struct{}), make(chan struct{})
		rpcserver.Handle(h.s, "deaf", func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			close(cancelled)
			<-gate
			return 0, nil
		})
		p := h.visit()
		p.send("1", "deaf", "1")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if err := h.s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "1 call was cut: context deadline exceeded" {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("gave up after %v, want 10s", waited)
		}
		p.wantEnd()
		<-cancelled
		if err := h.s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("the same call is cut twice: %v", err)
		}
		close(gate)
		synctest.Wait()
		if st := h.s.Stats(); st.Open+st.Running != 0 || st.Cut != 1 {
			t.Errorf("got %+v, want nothing open and nothing running, and one that was cut", st)
		}
	})
}

// Where nothing ran when the time was over, nothing was cut.
func TestShutdownOverdueOfIdlePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit2(nil)
		p.call("fib", "10")
		p.want("DATA 1 END 89")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // less than the peer is given to hear of it
		defer cancel()
		if err := h.s.Shutdown(ctx); err != context.DeadlineExceeded || h.s.Stats().Cut != 0 {
			t.Errorf("got %v, %d cut", err, h.s.Stats().Cut)
		}
	})
}

func TestCloseCutsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		p := h.visit()
		p.send("1", "slow", "60000")
		synctest.Wait()
		start := time.Now()
		h.s.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("closed after %v, want at once", waited)
		}
		p.wantEnd()
		e.want(t, rpcserver.Cut)
	})
}

func TestCloseOfANewServer(t *testing.T) {
	s := rpcserver.New(nil)
	if s.Addr() != nil {
		t.Errorf("Addr before Serve: got %v, want nil", s.Addr())
	}
	s.Close()
	s.Close()
	if err := s.ListenAndServe("127.0.0.1:0"); !errors.Is(err, rpcserver.ErrServerClosed) {
		t.Errorf("got %v, want %v", err, rpcserver.ErrServerClosed)
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	err = rpcserver.New(nil).ListenAndServe(ln.Addr().String())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "is in use by another program: stop that one, or take another port") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
	if err := rpcserver.New(nil).ListenAndServe("no port"); err == nil || !strings.HasPrefix(err.Error(), "listen: ") {
		t.Errorf("got %v, want an error of listen", err)
	}
}

// flaky is a listener that is out of files for a while and then breaks.
type flaky struct {
	net.Listener
	errs []error
}

func (f *flaky) Accept() (net.Conn, error) {
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &flaky{memnet.Listen(), []error{syscall.EMFILE, syscall.EMFILE, syscall.ECONNABORTED, io.ErrNoProgress}}
		start := time.Now()
		if err := rpcserver.New(nil).Serve(ln); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("got %v, want %v", err, io.ErrNoProgress)
		}
		if got, want := time.Since(start), 35*time.Millisecond; got != want {
			t.Errorf("paused for %v, want %v", got, want)
		}
	})
}

// lockedBuffer is where many goroutines log.
type lockedBuffer struct {
	mu sync.Mutex // protects the field below
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.b.String()), "\n")
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, slog.LevelKey, "peer", "stack":
				return slog.Attr{}
			}
			return a
		}}))
		h := inMemory(t, &rpcserver.Config{Logger: logger}, 0)
		register(h.s)
		synctest.Wait()
		p := h.visit()
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		p.send(ours, "\x1b]0;title\a"+strings.Repeat("\u202e", 100), "1")
		p.next()
		for range 100 { // within the same second
			p.send(ours, "nope", "1")
			p.next()
		}
		p.send(ours, "panics", "1")
		p.next()
		p.closeWrite()
		p.wantEnd()
		h.s.Close()
		got := out.lines()
		for i, want := range []string{
			`msg="connection comes" event=conn_opened`,
			`msg="read a message" event=message request_id=1 service=fib bytes=18`,
			`msg="read a message" event=message request_id=0123456789abcdef service=\x1b]0;title\a\u202e`,
			`msg="a call failed" event=call_failed request_id=0123456789abcdef code=not_found error="no service \"\\x1b]0;title\\a\\u202e`,
			`msg="read a message" event=message request_id=0123456789abcdef service=nope bytes=37`,
		} {
			if line := got[i+1]; !strings.HasPrefix(line, want) {
				t.Errorf("line %d: got %s\nwant %s...", i+1, line, want)
			}
		}
		all := strings.Join(got, "\n")
		for text, want := range map[string]int{
			`msg="server started @ memory:`: 1,
			`event=server_started`:          1,
			`msg="a call failed"`:           1,
			`msg="a handler panicked" event=panic request_id=0123456789abcdef service=panics panic=secret`: 1,
			`msg="connection leaves" event=conn_closed reason="peer closed"`:                               1,
			"\x1b":   0,
			"\u202e": 0,
		} {
			if n := strings.Count(all, text); n != want {
				t.Errorf("%q: got %d, want %d in\n%s", text, n, want, all)
			}
		}
		for _, line := range got {
			if len(line) > 700 {
				t.Errorf("a line of %d bytes: %.100s...", len(line), line)
			}
		}
	})
}

func TestStartedLine(t *testing.T) {
	var out lockedBuffer
	s := rpcserver.New(&rpcserver.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	done := make(chan error, 1)
	go func() { done <- s.ListenAndServe("localhost:0") }() // ends with Close; received below
	for s.Addr() == nil {
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
	}
	s.Close()
	<-done
	_, port, _ := net.SplitHostPort(s.Addr().String())
	if got, want := out.lines()[0], `msg="server started @ localhost:`+port+`" event=server_started`; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want ...%s", got, want)
	}
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []rpcserver.CallInfo
		var seen []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, s)
		}
		o := &rpcserver.Observer{
			ConnOpened:  func(net.Addr) { note("opened") },
			ConnClosed:  func(_ net.Addr, why rpcserver.Reason) { note("closed: " + string(why)) },
			CallStarted: func(c rpcserver.CallInfo) { note("started: " + c.Service) },
			CallDone: func(c rpcserver.CallInfo) {
				mu.Lock()
				defer mu.Unlock()
				if c.Protocol != "v1" {
					t.Errorf("protocol: got %q, want v1", c.Protocol)
				}
				c.Peer, c.Protocol = nil, ""
				got = append(got, c)
			},
			Panicked: func(service string, value any, stack []byte) {
				if value != "secret" || !bytes.Contains(stack, []byte("answers_test.go")) {
					t.Errorf("panic: got %v and %s", value, stack)
				}
				note("panicked: " + service)
			},
		}
		h := inMemory(t, &rpcserver.Config{Workers: 1, Observer: o}, 0)
		register(h.s)
		p := h.visit()
		const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		p.send(ours+";t="+trace, "slow", "100")
		p.send("1", "slow", "200")
		p.want(answered+" slow_res 100", "1 slow_res 200")
		p.send(ours, "nope", "1")
		p.send(ours+";1", "slow", "0")
		p.next()
		synctest.Wait()
		p.send(ours, "panics", "1")
		p.next()
		p.closeWrite()
		p.wantEnd()
		synctest.Wait()
		want := []rpcserver.CallInfo{
			{Service: "slow", Pattern: "call", Trace: trace, Ran: true, BytesIn: 97, BytesOut: 3, Handler: 100 * time.Millisecond},
			{Service: "slow", Pattern: "call", Ran: true, BytesIn: 20, BytesOut: 3, Queue: 100 * time.Millisecond, Handler: 200 * time.Millisecond},
			{Code: rpcserver.NotFound, BytesIn: 37},
			{Service: "slow", Pattern: "call", OneWay: true, Ran: true, BytesIn: 39},
			{Service: "panics", Pattern: "call", Ran: true, Code: rpcserver.Internal, BytesIn: 39},
		}
		if len(got) != len(want) {
			t.Fatalf("got %d calls: %+v", len(got), got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("call %d:\ngot  %+v\nwant %+v", i, got[i], want[i])
			}
		}
		if got, want := strings.Join(seen, ", "), "opened, started: slow, started: slow, started: slow, started: panics, panicked: panics, closed: peer closed"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		st := h.s.Stats()
		closed := map[string]uint64{"peer closed": 1}
		if st.BytesIn == 0 || st.BytesOut == 0 {
			t.Errorf("traffic: got %d in and %d out", st.BytesIn, st.BytesOut)
		}
		st.BytesIn, st.BytesOut = 0, 0
		if want := (rpcserver.Stats{Accepted: 1, Calls: 5, Failed: 2, Panics: 1, Limit: 1024, Closed: closed, Refusals: map[string]uint64{}}); !reflect.DeepEqual(st, want) {
			t.Errorf("stats: got %+v, want %+v", st, want)
		}
	})
}

func TestSetUpBugs(t *testing.T) {
	fn := func(context.Context, int) (int, error) { return 0, nil }
	plain := rpcserver.HandlerFunc(func(context.Context, *rpcserver.Call) error { return nil })
	type point struct{ X int }
	for name, test := range map[string]struct {
		bug  func(*rpcserver.Server)
		says string
	}{
		"no name":        {func(s *rpcserver.Server) { rpcserver.Handle(s, "", fn) }, `"" cannot name a service or its reply`},
		"reserved":       {func(s *rpcserver.Server) { rpcserver.Handle(s, "!x", fn) }, `"!x" cannot name a service or its reply`},
		"reserved reply": {func(s *rpcserver.Server) { s.Service("x", plain, rpcserver.Reply("!error")) }, `"!error" cannot name a service or its reply`},
		"twice": {func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, "fib", func(context.Context, int) error { return nil })
		}, `service "fib" was added twice`},
		"too long":      {func(s *rpcserver.Server) { rpcserver.Handle(s, strings.Repeat("x", 1025), fn) }, `x" cannot name a service or its reply`},
		"not UTF-8":     {func(s *rpcserver.Server) { rpcserver.Handle(s, "\xff", fn) }, `"\xff" cannot name a service or its reply`},
		"control":       {func(s *rpcserver.Server) { rpcserver.Handle(s, "x\x1b[2J", fn) }, `"x\x1b[2J" cannot name a service or its reply`},
		"control reply": {func(s *rpcserver.Server) { rpcserver.Handle(s, "x", fn, rpcserver.Reply("y\n")) }, `"y\n" cannot name a service or its reply`},

		"no handler":       {func(s *rpcserver.Server) { s.Service("x", nil) }, `service "x" has no handler`},
		"no HandlerFunc":   {func(s *rpcserver.Server) { s.Service("x", rpcserver.HandlerFunc(nil)) }, `service "x" has no handler`},
		"no function":      {func(s *rpcserver.Server) { rpcserver.Handle[int, int](s, "x", nil) }, `service "x" has no handler`},
		"no cast function": {func(s *rpcserver.Server) { s.Service("x", rpcserver.CastFunc[int](nil)) }, `service "x" has no handler`},
		"no stream":        {func(s *rpcserver.Server) { rpcserver.HandleStream[int, int](s, "x", nil) }, `service "x" has no handler`},
		"no upload":        {func(s *rpcserver.Server) { rpcserver.HandleUpload[int, int](s, "x", nil) }, `service "x" has no handler`},
		"no bidi":          {func(s *rpcserver.Server) { rpcserver.HandleBidi[int, int](s, "x", nil) }, `service "x" has no handler`},
		"no option":        {func(s *rpcserver.Server) { rpcserver.Handle(s, "x", fn, nil) }, `service "x" has a nil Option`},
		"no pattern":       {func(s *rpcserver.Server) { s.Service("x", plain, rpcserver.As("talk")) }, `service "x" has the pattern "talk", which there is not`},
		"no middleware":    {func(s *rpcserver.Server) { s.Use(nil) }, "Use of a nil Middleware"},
		"empty middleware": {func(s *rpcserver.Server) { s.Use(func(rpcserver.Handler) rpcserver.Handler { return nil }) }, "a Middleware made no handler of service "},

		"takes a channel": {func(s *rpcserver.Server) {
			rpcserver.Handle(s, "x", func(context.Context, chan int) (int, error) { return 0, nil })
		}, `service "x" takes a chan int, which JSON has not`},
		"answers with a function": {func(s *rpcserver.Server) {
			rpcserver.Handle(s, "x", func(context.Context, int) (*func(), error) { return nil, nil })
		}, `service "x" answers with a *func(), which JSON has not`},
		"takes a complex number": {func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, "x", func(context.Context, complex128) error { return nil })
		}, `service "x" takes a complex128, which JSON has not`},

		"example of another type": {func(s *rpcserver.Server) { rpcserver.Handle(s, "x", fn, rpcserver.Example("one")) }, `service "x" has an example that cannot be: invalid_argument: at byte 0: want int, got string`},
		"example of no type":      {func(s *rpcserver.Server) { s.Service("x", plain, rpcserver.Example(make(chan int))) }, `service "x" has an example that cannot be: json: unsupported type: chan int`},
		"example with another field": {func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, "x", func(context.Context, point) error { return nil }, rpcserver.Example(map[string]int{"y": 1}))
		}, `service "x" has an example that cannot be: json: unknown field "y"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := rpcserver.New(nil)
			rpcserver.Handle(s, "fib", fn)
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "rpcserver: ") || !strings.Contains(got, test.says) {
					t.Errorf("got the panic %s, want %s", got, test.says)
				}
			}()
			test.bug(s)
		})
	}
}

// What only looks like one of these bugs is none.
func TestNoSetUpBugs(t *testing.T) {
	type point struct{ X, Y int }
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "own", func(context.Context, own) (own, error) { return nil, nil })
	rpcserver.Handle(s, "a name, with ü", func(context.Context, *point) (any, error) { return nil, nil }, rpcserver.Example(map[string]int{"x": 1}))
	rpcserver.Handle(s, "raw", func(context.Context, json.RawMessage) ([]byte, error) { return nil, nil }, rpcserver.Example(json.RawMessage(`{"any":"thing"}`)))
	rpcserver.Handle(s, "nothing", func(context.Context, struct{}) (int, error) { return 0, nil }, rpcserver.Example(nil))
}

// own is a function that JSON can carry all the same.
type own func()

func (own) MarshalJSON() ([]byte, error)  { return []byte("1"), nil }
func (*own) UnmarshalJSON(b []byte) error { return nil }

// Services may come while the server runs, as in the original's chain.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit()
		double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
		h.s.Service("a", rpcserver.Func(double)).
			Service("b", rpcserver.Func(double), rpcserver.Reply("twice"), rpcserver.Doc("doubles"), rpcserver.Example(1), rpcserver.Idempotent()).
			Service("c", rpcserver.CastFunc(func(context.Context, int) error { return nil }))
		p.send("1", "a", "4")
		p.want("1 a_res 8")
		p.send("1", "c", "4")
		p.send("1", "b", "4")
		p.want("1 twice 8")
	})
}
