package rpcclient_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/rpcclient"
)

// A server that dies costs no idempotent call, is out at once, and is back soon
// after it is.
func TestServerDiesAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			time.Sleep(20 * time.Millisecond) // so that there is something in flight
			_ = st.Finish(payload, nil, false)
		})
		c := w.client()
		idempotent := rpcclient.Idempotent()
		load(t, c, time.Second, time.Millisecond, idempotent)
		time.AfterFunc(time.Second, func() { w.kill("b:1") })
		if failed, err := load(t, c, 5*time.Second, time.Millisecond, idempotent); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		p := peerOf(t, c, "b:1")
		if p.State != rpcclient.PeerDown || p.Conns != 0 || p.LastError == nil || !strings.Contains(p.LastError.Error(), "connection refused") {
			t.Errorf("the dead server: %+v, want it down", p)
		}
		if s := c.Stats(); s.Retries == 0 || s.Retries > 20 {
			t.Errorf("%d retries, want one for each of the few calls that were on it", s.Retries)
		}
		if got := w.dialed("b:1"); got > 10 {
			t.Errorf("dialed %d times in 4s, want the pauses to grow", got)
		}
		before := p.Calls
		w.start("b:1")
		load(t, c, 3*time.Second, time.Millisecond, idempotent)
		if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerUp || p.Calls == before {
			t.Errorf("3s after it is back: %+v, want it up and called", p)
		}
		load(t, c, 12*time.Second, time.Millisecond, idempotent)
		for _, p := range c.Peers() {
			if p.Share < 0.8/3 || p.Share > 1.2/3 {
				t.Errorf("%s has a share of %.3f, want a third, 20 %% more or less", p.Address, p.Share)
			}
		}
	})
}

// No call waits for a server that is down while another is up.
func TestDeadServersDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		w.kill("a:1")
		dial := w.dial
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "c:1" { // no answer
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, network, address)
			}
		})
		start := time.Now()
		for i := range 50 {
			if got, err := rpcclient.Call[int](t.Context(), c, "echo", i); got != i || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("50 calls took %v, want none of it to be the dead servers' pauses", got)
		}
		synctest.Wait()
		for name, want := range map[string]rpcclient.PeerState{"a:1": rpcclient.PeerDown, "b:1": rpcclient.PeerUp, "c:1": rpcclient.PeerConnecting} {
			if got := peerOf(t, c, name).State; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

func TestAllServersDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		for _, name := range w.names {
			w.kill(name)
		}
		c := w.client()
		_, err := rpcclient.Call[int](t.Context(), c, "echo", 1)
		e := kind(t, err, rpcclient.ErrConnect, rpcclient.Unavailable)
		if e.Attempts != 0 || !errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 900 {
			t.Errorf("got %v after %d attempts", err, e.Attempts)
		}
		for _, name := range w.names {
			if !strings.Contains(err.Error(), name+": connection refused, nothing listens there") {
				t.Errorf("%v does not name %s", err, name)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "echo", 1); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no connection to any of 3 servers yet") {
			t.Errorf("a caller that cannot wait got %v", err)
		}
	})
}

// Sixty seconds without any server: no storm while it lasts, and the first call
// succeeds soon after its end.
func TestAllServersDownForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		c := w.client()
		load(t, c, time.Second, 10*time.Millisecond, rpcclient.Idempotent())
		for _, name := range w.names {
			w.kill(name)
		}
		begun := c.Peers()
		var calls, failed atomic.Int64
		var up, success atomic.Int64 // ns since start
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for ctx.Err() == nil {
					ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
					calls.Add(1)
					if _, err := rpcclient.Call[int](ctx, c, "echo", 1, rpcclient.Idempotent()); err != nil {
						failed.Add(1)
					} else {
						success.CompareAndSwap(0, int64(time.Since(start)))
					}
					cancel()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Minute)
		dials := 0
		for _, name := range w.names {
			dials += w.dialed(name)
			w.start(name)
		}
		up.Store(int64(time.Since(start)))
		time.Sleep(3 * time.Second)
		stop()
		wg.Wait()
		attempts := uint64(0)
		for i, p := range c.Peers() {
			attempts += p.Calls - begun[i].Calls
		}
		limit := 1.1*float64(calls.Load()) + 10*63
		figure(t, "attempts_while_all_down", float64(attempts), limit)
		figure(t, "dials_a_second_while_all_down", float64(dials)/60, 6)
		figure(t, "first_success_s", float64(success.Load()-up.Load())/1e9, 2)
		if failed.Load() == 0 || success.Load() == 0 {
			t.Errorf("%d of %d calls failed, first success at %d", failed.Load(), calls.Load(), success.Load())
		}
	})
}
