package rpcclient_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// check asserts what holds for every finished trace: the instants are in order
// and the parts add up.
func check(t *testing.T, tr *rpcclient.Trace) {
	t.Helper()
	last := tr.Start
	for i, at := range []time.Time{tr.Queued, tr.Written, tr.Sent, tr.Received, tr.Done} {
		if at.IsZero() {
			continue
		}
		if at.Before(last) {
			t.Errorf("instant %d is %v before the one before it", i, last.Sub(at))
		}
		last = at
	}
	if got, want := tr.Client()+tr.Network(), tr.Done.Sub(tr.Start); got != want || tr.Client() < 0 || tr.Network() < 0 {
		t.Errorf("client %v + network %v, want %v", tr.Client(), tr.Network(), want)
	}
}

func TestTrace(t *testing.T) {
	c, _ := loopback(t, peer.Article)
	for n := range 100 {
		var tr rpcclient.Trace
		got, err := rpcclient.Call[int64](rpcclient.WithTrace(t.Context(), &tr), c, "fib", 10)
		if got != 89 || err != nil {
			t.Fatalf("call %d gave %d, %v", n, got, err)
		}
		check(t, &tr)
		if tr.Written.IsZero() || tr.Sent.IsZero() || tr.Received.IsZero() || tr.Attempts != 1 || tr.Protocol != "v1" || tr.Server == "" || tr.ReplyType != "fib_res" {
			t.Errorf("trace %+v", tr)
		}
		if want := string(peer.Frame(tr.RequestID, "fib", "10")); string(tr.Out) != want {
			t.Errorf("out %q, want %q", tr.Out, want)
		}
		if want := string(peer.Frame(tr.RequestID, "fib_res", "89")); string(tr.In) != want {
			t.Errorf("in %q, want %q", tr.In, want)
		}
	}
}

func TestTracesOfManyCallers(t *testing.T) {
	c, _ := loopback(t, peer.Article)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				var tr rpcclient.Trace
				ctx := rpcclient.WithTrace(context.Background(), &tr)
				if _, err := rpcclient.Call[int64](ctx, c, "fib", 10); err != nil {
					t.Error(err)
				}
				check(t, &tr)
				if err := rpcclient.Cast(ctx, c, "log", "x"); err != nil {
					t.Error(err)
				}
				check(t, &tr)
				if len(tr.Out) == 0 || tr.Sent.IsZero() || !tr.Received.IsZero() {
					t.Errorf("trace of a cast: %+v", tr)
				}
			}
		})
	}
	wg.Wait()
}

// A failing call has a trace as far as it got.
func TestTraceOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "kill" {
				time.Sleep(2 * time.Second)
				c.Close()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var tr rpcclient.Trace
		if _, err := rpcclient.Call[int](rpcclient.WithTrace(ctx, &tr), c, "silence", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		check(t, &tr)
		if tr.Network() != 3*time.Second || len(tr.Out) == 0 || tr.In != nil || !tr.Received.IsZero() {
			t.Errorf("trace of a deadline: %+v", tr)
		}
		if _, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &tr), c, "kill", 1); !errors.Is(err, rpcclient.ErrConnectionLost) {
			t.Errorf("got %v", err)
		}
		check(t, &tr)
		if tr.Network() != 2*time.Second || tr.Attempts != 1 {
			t.Errorf("trace of a lost connection: %+v", tr)
		}
		d, _ := rpcclient.New("there:1", &rpcclient.Config{Dialer: hang})
		defer d.Close()
		if _, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &tr), d, "x", 1); !errors.Is(err, rpcclient.ErrConnect) {
			t.Errorf("got %v", err)
		}
		check(t, &tr)
		if tr.Client() != 5*time.Second || tr.Attempts != 0 || tr.Out != nil || tr.Protocol != "" {
			t.Errorf("trace of no connection: %+v", tr)
		}
	})
}

func TestAllocationsPerCall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, err := rpcclient.Dial(t.Context(), echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := testing.AllocsPerRun(1000, func() {
		if _, err := rpcclient.Call[int64](context.Background(), c, "echo", 1<<40); err != nil {
			t.Fatal(err)
		}
	})
	figure(t, "allocs_per_call", got, 2) // the payload's way into an interface may be one; the other end shares the process
}
