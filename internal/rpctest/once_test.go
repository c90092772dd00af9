package rpctest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// TestNothingRunsTwice breaks the connection again and again under many callers. A call whose bytes may have left is not sent
// again, nor is a cast: each runs at most once, and a call that was answered exactly once. What had not left goes out on the next
// connection.
func TestNothingRunsTwice(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(protocol.String(), func(t *testing.T) { nothingRunsTwice(t, protocol) })
	}
}

func nothingRunsTwice(t *testing.T, protocol rpcclient.Protocol) {
	rpctest.Leaks(t)
	const callers, calls = 32, 300
	var ran [callers * calls]atomic.Int32
	var total atomic.Int32
	var current atomic.Pointer[net.TCPConn] // the client's
	run := func(n int) {
		ran[n].Add(1)
		if total.Add(1)%100 != 0 {
			return
		}
		if sock := current.Swap(nil); sock != nil {
			sock.SetLinger(rand.IntN(2) - 1) // half of them with a reset
			sock.Close()
		}
	}
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "call", func(_ context.Context, n int) (int, error) { run(n); return n, nil })
	rpcserver.HandleCast(s, "cast", func(_ context.Context, n int) error { run(n); return nil })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Shutdown below

	c, err := rpcclient.New(ln.Addr().String(), &rpcclient.Config{Protocol: protocol, Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
		sock, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			current.Store(sock.(*net.TCPConn))
		}
		return sock, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	var answered [callers * calls]bool
	var lost, again atomic.Int32
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i * calls; n < (i+1)*calls; n++ {
				var trace rpcclient.Trace
				ctx := rpcclient.WithTrace(context.Background(), &trace)
				var err error
				if n%4 == 0 {
					err = rpcclient.Cast(ctx, c, "cast", n)
				} else {
					_, err = rpcclient.Call[int](ctx, c, "call", n)
					answered[n] = err == nil
				}
				switch {
				case errors.Is(err, rpcclient.ErrConnectionLost), errors.Is(err, rpcclient.ErrProtocol):
					lost.Add(1)
				case err != nil:
					t.Errorf("%d gave %v", n, err)
				}
				if trace.Attempts > 1 {
					again.Add(1)
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	<-served
	for n := range ran {
		if got := ran[n].Load(); got > 1 || answered[n] && got != 1 {
			t.Errorf("call %d ran %d times, answered %v", n, got, answered[n])
		}
	}
	t.Logf("%d lost, %d sent again; %d connections", lost.Load(), again.Load(), c.Stats().Reconnects+1)
	if lost.Load() == 0 {
		t.Error("no call was lost; the test shows nothing")
	}
}

// TestBothOutboxesFull has more under way in both directions than both ends and the network hold: neither may wait for the other.
func TestBothOutboxesFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.Pair(t, demo.Register)
		var wg sync.WaitGroup
		for i := range 24 {
			text := strings.Repeat(string(rune('a'+i%26)), 200_000)
			wg.Go(func() {
				for range 2 {
					if got, err := rpcclient.Call[string](t.Context(), c, "echo", text); got != text || err != nil {
						t.Errorf("got %d bytes, %v", len(got), err)
					}
				}
			})
		}
		wg.Wait()
	})
}
