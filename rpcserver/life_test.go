package rpcserver_test

import (
	"bytes"
	"context"
	"errors"
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
		if err := h.s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("gave up after %v, want 10s", waited)
		}
		p.wantEnd()
		<-cancelled
		close(gate)
		synctest.Wait()
		if st := h.s.Stats(); st.Open+st.Running != 0 {
			t.Errorf("got %+v, want nothing open and nothing running", st)
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
	for name, bug := range map[string]func(*rpcserver.Server){
		"no name": func(s *rpcserver.Server) {
			rpcserver.Handle(s, "", func(context.Context, int) (int, error) { return 0, nil })
		},
		"reserved": func(s *rpcserver.Server) {
			rpcserver.Handle(s, "!x", func(context.Context, int) (int, error) { return 0, nil })
		},
		"reserved reply": func(s *rpcserver.Server) { s.Service("x", rpcserver.HandlerFunc(nil), rpcserver.Reply("!error")) },
		"twice": func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, "fib", func(context.Context, int) error { return nil })
		},
		"too long": func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, strings.Repeat("x", 1025), func(context.Context, int) error { return nil })
		},
		"not UTF-8": func(s *rpcserver.Server) {
			rpcserver.HandleCast(s, "\xff", func(context.Context, int) error { return nil })
		},
		"no handler":       func(s *rpcserver.Server) { s.Service("x", nil) },
		"no function":      func(s *rpcserver.Server) { s.Service("x", rpcserver.Func[int, int](nil)) },
		"no cast function": func(s *rpcserver.Server) { s.Service("x", rpcserver.CastFunc[int](nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := rpcserver.New(nil)
			rpcserver.Handle(s, "fib", func(context.Context, int) (int, error) { return 0, nil })
			defer func() {
				if v := recover(); v == nil {
					t.Error("want a panic")
				}
			}()
			bug(s)
		})
	}
}

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
