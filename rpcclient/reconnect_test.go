package rpcclient_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

func TestLostConnectionFailsItsCallsAtOnceAndTheNextOneConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			switch m.Type {
			case "kill":
				c.Close()
			case "n":
				peer.Echo(c, m)
			}
		})
		start := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := rpcclient.Call[int](t.Context(), c, "wait", 1)
				e, ok := errors.AsType[*rpcclient.Error](err)
				if !ok || e.Kind != rpcclient.ErrConnectionLost || e.Code != rpcclient.Unavailable || e.Attempts != 1 {
					t.Errorf("a call in flight gave %v, want connection lost", err)
				}
			})
		}
		synctest.Wait()
		rpcclient.Cast(t.Context(), c, "kill", nil)
		wg.Wait()
		if got := time.Since(start); got != 0 {
			t.Errorf("they failed after %v, want at once", got)
		}
		synctest.Wait()
		if got := c.Stats(); got.State != rpcclient.Idle || got.Pending != 0 || !errors.Is(got.LastError, rpcclient.ErrConnectionLost) {
			t.Errorf("stats %+v, want idle, nothing pending, a last error", got)
		}
		if got, err := rpcclient.Call[int](t.Context(), c, "n", 7); got != 7 || err != nil {
			t.Errorf("the next call gave %d, %v", got, err)
		}
		if got := len(s.Messages()); got != 22 {
			t.Errorf("the server got %d messages, want 22: nothing twice", got)
		}
		if got := c.Stats(); got.Reconnects != 1 || got.State != rpcclient.Connected || got.Remote == "" {
			t.Errorf("stats %+v, want one reconnect", got)
		}
	})
}

// A server closes connections that are idle; the next call must not notice.
func TestIdleClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, peer.Echo)
		for i := range 5 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
			time.Sleep(time.Minute)
			for _, conn := range s.Conns() {
				conn.Close()
			}
			synctest.Wait()
		}
		if s := c.Stats(); s.Reconnects != 4 || s.State != rpcclient.Idle || s.LastError != nil {
			t.Errorf("stats %+v, want 4 reconnects, idle, no error", s)
		}
	})
}

// faulty is a socket whose n-th write fails after some bytes.
type faulty struct {
	net.Conn
	after int // bytes that still go through
}

func (f *faulty) Write(p []byte) (int, error) {
	if len(p) <= f.after {
		f.after -= len(p)
		return f.Conn.Write(p)
	}
	n, _ := f.Conn.Write(p[:f.after])
	f.after = 0
	return n, syscall.EPIPE
}

// tryFaulty is the same with the other way of writing.
type tryFaulty struct{ *faulty }

func (f tryFaulty) TryWrite(p []byte) (int, error) {
	n, err := f.Write(p)
	if err != nil && n > 0 {
		return n, nil // as a socket does: the error comes with the next write
	}
	return n, err
}

// Exactly the calls of which no byte has left are sent again.
func TestWhatIsSentTwice(t *testing.T) {
	call := func(ctx context.Context, c *rpcclient.Client) error {
		_, err := rpcclient.Call[int](ctx, c, "n", 1)
		return err
	}
	idempotent := func(ctx context.Context, c *rpcclient.Client) error {
		_, err := rpcclient.Call[int](ctx, c, "n", 1, rpcclient.Idempotent())
		return err
	}
	cast := func(ctx context.Context, c *rpcclient.Client) error { return rpcclient.Cast(ctx, c, "n", 1) }
	const never, partly, wholly = 0, 10, 1000
	for _, test := range []struct {
		name     string
		do       func(context.Context, *rpcclient.Client) error
		leave    int // bytes that leave on the first connection
		attempts int // that it takes
		fails    bool
	}{
		{"call, nothing left", call, never, 2, false},
		{"call, part of it left", call, partly, 1, true},
		{"call, all of it left", call, wholly, 1, true},
		{"idempotent, nothing left", idempotent, never, 2, false},
		{"idempotent, part of it left", idempotent, partly, 2, false},
		{"idempotent, all of it left", idempotent, wholly, 2, false},
		{"cast, nothing left", cast, never, 2, false},
		{"cast, part of it left", cast, partly, 1, true},
		{"cast, all of it left", cast, wholly, 1, false},
	} {
		for _, try := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln := memnet.Listen()
					s := peer.Serve(t, ln, func(c *peer.Conn, m peer.Message) {
						if c.Number == 1 {
							c.Close()
							return
						}
						peer.Echo(c, m)
					})
					dials := 0
					c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
						sock, err := ln.Dial(ctx, network, address)
						if dials++; dials > 1 || err != nil {
							return sock, err
						}
						f := &faulty{Conn: sock, after: test.leave}
						if try {
							return tryFaulty{f}, nil
						}
						return f, nil
					}})
					if err != nil {
						t.Fatal(err)
					}
					var trace rpcclient.Trace
					err = test.do(rpcclient.WithTrace(t.Context(), &trace), c)
					if (err != nil) != test.fails || trace.Attempts != test.attempts {
						t.Errorf("error %v after %d attempts; want failure %v after %d", err, trace.Attempts, test.fails, test.attempts)
					}
					if e, ok := errors.AsType[*rpcclient.Error](err); test.fails && (!ok || e.Kind != rpcclient.ErrConnectionLost || e.Attempts != test.attempts) {
						t.Errorf("got %v, want connection lost", err)
					}
					c.Close()
					synctest.Wait()
					want := test.attempts
					if test.leave != wholly {
						want-- // what did not leave whole did not arrive
					}
					if got := len(s.Messages()); got != want {
						t.Errorf("the server got %d messages, want %d", got, want)
					}
				})
			})
		}
	}
}

// A server that accepts and hangs up is not dialed for ever.
func TestServerThatOnlyHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, peer.HangUp)
		_, err := rpcclient.Call[int](t.Context(), c, "n", 1, rpcclient.Idempotent())
		e, ok := errors.AsType[*rpcclient.Error](err)
		if !ok || e.Attempts != 3 || !strings.Contains(err.Error(), "(3 attempts)") {
			t.Errorf("got %v, want a failure after 3 attempts", err)
		}
		if got := len(s.Conns()); got != 3 {
			t.Errorf("%d connections, want 3", got)
		}
	})
}

// A refused connection is an error at once, where calls are not tried twice. Further calls share dials whose
// pauses grow, with jitter, to at most 1.5 s; the first call after the server
// is back succeeds.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials []time.Time
		var up atomic.Bool
		ln := memnet.Listen()
		peer.Serve(t, ln, peer.Echo)
		c, err := rpcclient.New("memory:1", &rpcclient.Config{Retry: rpcclient.Retry{Attempts: 1}, Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials = append(dials, time.Now())
			if !up.Load() {
				time.Sleep(time.Millisecond) // so that all callers of a round meet
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return ln.Dial(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		for i := range 30 {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					_, err := rpcclient.Call[int](t.Context(), c, "n", 1)
					if !errors.Is(err, rpcclient.ErrConnect) || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "connection refused") {
						t.Errorf("got %v, want a refused connection", err)
					}
				})
			}
			wg.Wait()
			if got := time.Since(start); i == 0 && got != time.Millisecond {
				t.Errorf("the first refusal took %v, want the dial's 1ms", got)
			}
		}
		if len(dials) != 30 {
			t.Errorf("%d dials for 30 rounds of 10 callers, want 30", len(dials))
		}
		for i := 1; i < len(dials); i++ {
			most := min(50*time.Millisecond<<(i-1), 1500*time.Millisecond)
			if i > 6 {
				most = 1500 * time.Millisecond
			}
			if got := dials[i].Sub(dials[i-1]) - time.Millisecond; got > most || got < most/2 {
				t.Errorf("pause %d was %v, want %v to %v", i, got, most/2, most)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "n", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline: a pause is no longer than that", err)
		}
		if s := c.Stats(); s.State != rpcclient.Connecting || s.Attempt != 31 {
			t.Errorf("state %v, attempt %d; want connecting, 31", s.State, s.Attempt)
		}
		up.Store(true)
		start = time.Now()
		if got, err := rpcclient.Call[int](t.Context(), c, "n", 5); got != 5 || err != nil || time.Since(start) > 1500*time.Millisecond {
			t.Errorf("after the server came up: %d, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestDialFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		target string
		kind   error
		text   string
	}{
		{closed.Addr().String(), rpcclient.ErrConnect, "connection refused, nothing listens there"},
		{"unix://" + t.TempDir() + "/none", rpcclient.ErrConnect, "there is no such socket"},
		{"", rpcclient.ErrTarget, "it is empty"},
		{"localhost", rpcclient.ErrTarget, "missing port"},
		{"localhost:", rpcclient.ErrTarget, "the port is missing"},
		{"a:1,b", rpcclient.ErrTarget, "missing port"},
		{"etcd:///fib", rpcclient.ErrTarget, "etcd targets need a resolver"},
		{"http://x:80", rpcclient.ErrTarget, `unknown scheme "http"`},
		{"unix://relative", rpcclient.ErrTarget, "unix:///path"},
	} {
		c, err := rpcclient.Dial(t.Context(), test.target)
		if c != nil || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%q gave %v; want %v, %q", test.target, err, test.kind, test.text)
		}
	}
}

func TestUnknownHostAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := func(dialer func(context.Context, string, string) (net.Conn, error)) error {
			_, err := rpcclient.Dial(t.Context(), "there:1", &rpcclient.Config{Dialer: dialer})
			return err
		}
		err := dial(func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "there", IsNotFound: true}}
		})
		if !errors.Is(err, rpcclient.ErrConnect) || err.Error() != `there:1: cannot connect: unknown host "there"` {
			t.Errorf("unknown host gave %v", err)
		}
		start := time.Now()
		err = dial(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, rpcclient.ErrConnect) || err.Error() != "there:1: cannot connect: no answer within 5s" || time.Since(start) != 5*time.Second {
			t.Errorf("silence gave %v after %v", err, time.Since(start))
		}
	})
}

// A dial belongs to the client: the caller that began it may go, and the next one gets the connection.
func TestDialOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		peer.Serve(t, ln, peer.Echo)
		dials := 0
		c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			select {
			case <-time.After(3 * time.Second):
				return ln.Dial(ctx, network, address)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "n", 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the first caller got %v after %v, want its deadline", err, time.Since(start))
		}
		got, err := rpcclient.Call[int](t.Context(), c, "n", 2)
		if got != 2 || err != nil || dials != 1 || time.Since(start) != 3*time.Second {
			t.Errorf("the second caller got %d, %v after %v and %d dials; want 2 after 3s and one dial", got, err, time.Since(start), dials)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	peer.Serve(t, ln, peer.Echo)
	c, err := rpcclient.Dial(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := rpcclient.Call[int](t.Context(), c, "n", 5); got != 5 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}

// The servers of the original, to the last bad habit: the client copes, and
// shows them nothing but version 1 (the peer checks every byte).
func TestOriginalServers(t *testing.T) {
	for _, test := range []struct {
		name   string
		script peer.Script
		kind   error
	}{
		{"article", peer.Article, rpcclient.ErrContext},
		{"later", peer.Later, rpcclient.ErrConnectionLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := connect(t, test.script)
				c.Register("fib_res", int64(0))
				for n, want := range []int64{1, 1, 2, 3, 5, 8} {
					if got, err := c.Send(t.Context(), "fib", n); got != want || err != nil {
						t.Errorf("fib %d gave %v, %v; want %d", n, got, err, want)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					if _, err := c.Send(ctx, "nope", 1); !errors.Is(err, test.kind) {
						t.Errorf("an unknown type gave %v, want %v", err, test.kind)
					}
					cancel()
				}
				if s := c.Stats(); s.Ours {
					t.Error("the original is taken for one of ours")
				}
			})
		})
	}
}

// A connection that stops taking calls while frames wait to be written: those
// that go elsewhere must not be written here as well.
func TestNothingIsWrittenTwiceWhenAConnectionRetires(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} { // before the writer has begun, and when it is stuck
		synctest.Test(t, func(t *testing.T) {
			ln := memnet.ListenBuffer(4 << 10)
			s := peer.Serve(t, ln, func(c *peer.Conn, m peer.Message) {
				if m.Type == "fail" {
					time.Sleep(wait)
					c.Reply(m.ID+";e", "error.internal: no", `{"code":"internal","message":"no"}`)
					time.Sleep(time.Second)
					time.AfterFunc(3*time.Second, func() { c.Close() })
					return
				}
				peer.Echo(c, m)
			})
			c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var wg sync.WaitGroup
			var lost atomic.Int32
			wg.Go(func() {
				if _, err := rpcclient.Call[int](t.Context(), c, "fail", 1); !errors.Is(err, rpcclient.ErrServer) {
					t.Errorf("got %v, want the server's error", err)
				}
			})
			for i := range 20 {
				want := strings.Repeat(string(rune('a'+i)), 3<<10)
				wg.Go(func() {
					got, err := rpcclient.Call[string](t.Context(), c, "echo", want)
					if errors.Is(err, rpcclient.ErrConnectionLost) || errors.Is(err, rpcclient.ErrProtocol) {
						lost.Add(1)
					} else if got != want || err != nil {
						t.Errorf("call %d got %d bytes, %v", i, len(got), err)
					}
				})
			}
			wg.Wait()
			seen := map[string]int{}
			for _, m := range s.Messages() {
				if seen[m.Payload]++; seen[m.Payload] > 1 {
					t.Errorf("payload %.2s came %d times", m.Payload, seen[m.Payload])
				}
			}
			if got := int(lost.Load()); got == 20 {
				t.Errorf("%d calls were lost, want some to have gone elsewhere", got)
			}
		})
	}
}
