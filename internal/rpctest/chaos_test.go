package rpctest_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// Everything at once, while servers come and go and clients close: whatever ends, ends with an Error, once, and leaves nothing behind.
func TestEverythingAtOnce(t *testing.T) {
	seeds := 4
	if raceEnabled || testing.Short() {
		seeds = 1
	}
	for _, protocol := range []rpcclient.Protocol{rpcclient.Auto, rpcclient.V2} {
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) { everythingAtOnce(t, protocol, uint64(seed)) })
		}
	}
}

// serveAnything starts a server with all patterns that is short of everything.
func serveAnything(t *testing.T) (*rpcserver.Server, *rpcclient.Config) {
	s := rpcserver.New(&rpcserver.Config{Workers: 4, Queue: 8, MaxStreams: 24})
	wait := func(ctx context.Context, ms int) error {
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	rpcserver.Handle(s, "call", func(ctx context.Context, ms int) (int, error) { return ms, wait(ctx, ms) }, rpcserver.Idempotent())
	rpcserver.HandleCast(s, "cast", wait)
	rpcserver.HandleStream(s, "stream", func(ctx context.Context, n int) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			text := strings.Repeat("x", 200*n)
			for i := range n {
				if err := wait(ctx, i%3); err != nil || !yield(text, nil) {
					return
				}
			}
		}
	})
	rpcserver.HandleUpload(s, "upload", func(_ context.Context, items iter.Seq2[string, error]) (n int, err error) {
		for v, err := range items {
			if err != nil {
				return 0, err
			}
			if n += len(v); n > 30_000 { // the answer comes early
				break
			}
		}
		return n, nil
	})
	rpcserver.HandleBidi(s, "bidi", func(_ context.Context, items iter.Seq2[string, error]) iter.Seq2[string, error] { return items })
	return s, &rpcclient.Config{Dialer: rpctest.Serve(t, s).Dial}
}

// anything makes one call of any pattern, and leaves it somewhere.
func anything(ctx context.Context, c *rpcclient.Client, r *rand.Rand) (err error) {
	n, stop := r.IntN(40), r.IntN(30)
	items := func(yield func(string, error) bool) {
		for i := range n {
			if !yield(strings.Repeat("y", 100*i), nil) {
				return
			}
		}
	}
	some := func(seq iter.Seq2[string, error]) (last error) {
		i := 0
		for _, err := range seq {
			if last = err; i == stop {
				break
			}
			i++
		}
		return last
	}
	switch r.IntN(5) {
	case 0:
		return rpcclient.Cast(ctx, c, "cast", n)
	case 1:
		return some(rpcclient.Stream[string](ctx, c, "stream", n))
	case 2:
		_, err = rpcclient.Upload[int](ctx, c, "upload", items)
		return err
	case 3:
		return some(rpcclient.Bidi[string](ctx, c, "bidi", items))
	}
	_, err = rpcclient.Call[int](ctx, c, "call", n)
	return err
}

func everythingAtOnce(t *testing.T, protocol rpcclient.Protocol, seed uint64) {
	var to atomic.Pointer[rpcclient.Config]
	s, cfg := serveAnything(t)
	to.Store(cfg)
	var wg sync.WaitGroup
	var good, bad atomic.Int64
	judge := func(err error) {
		if err == nil {
			good.Add(1)
			return
		}
		bad.Add(1)
		if e, ok := err.(*rpcclient.Error); !ok || e.Kind == nil || errors.Is(err, rpcclient.ErrProtocol) {
			t.Errorf("%v (%T)", err, err)
		}
	}
	clients := make([]*rpcclient.Client, 3)
	for i := range clients {
		c, err := rpcclient.New("memory:1", &rpcclient.Config{Protocol: protocol, Dialer: dialer(&to), Compress: i == 1, MaxInFlight: 16})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
		for g := range 8 {
			r := rand.New(rand.NewPCG(seed, uint64(10*i+g)))
			wg.Go(func() {
				for range 40 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+r.IntN(60))*time.Millisecond)
					judge(anything(ctx, c, r))
					cancel()
				}
			})
		}
	}
	for i := range 4 {
		time.Sleep(40 * time.Millisecond)
		next, cfg := serveAnything(t)
		to.Store(cfg)
		if i%2 == 0 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_ = s.Shutdown(ctx) // overdue, perhaps
			cancel()
		} else {
			s.Close()
		}
		s = next
	}
	clients[0].Close()
	wg.Wait()
	time.Sleep(time.Second)
	for _, c := range clients {
		if got := c.Stats(); got.Streams != 0 || got.Pending != 0 {
			t.Errorf("a client holds %+v", got)
		}
	}
	if got := s.Stats(); got.Streams != 0 || got.Running != 0 || got.Queued != 0 {
		t.Errorf("the server holds %+v", got)
	}
	if good.Load() == 0 || bad.Load() == 0 {
		t.Errorf("%d went well, %d did not: this tests nothing", good.Load(), bad.Load())
	}
}

// Many callers with the largest messages there are, on one connection: they wait for each other, and none fails.
func TestManyLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := make([]byte, 1<<20)
		c := over(t, rpcclient.V2, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "same", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
			rpcserver.HandleStream(s, "thrice", func(context.Context, []byte) iter.Seq2[[]byte, error] {
				return rpcclient.Values(slices.Values([][]byte{large, large, large}))
			})
		})
		var wg sync.WaitGroup
		for range 48 {
			wg.Go(func() {
				if b, err := rpcclient.Call[[]byte](t.Context(), c, "same", large, rpcclient.Raw()); len(b) != len(large) || err != nil {
					t.Errorf("same gave %d bytes, %v", len(b), err)
				}
			})
		}
		wg.Wait()
		if got := c.Stats().Sent; got != 48 {
			t.Errorf("48 calls were sent %d times", got)
		}
		for range 48 {
			wg.Go(func() {
				n := 0
				for b, err := range rpcclient.Stream[[]byte](t.Context(), c, "thrice", nil, rpcclient.Raw()) {
					if n += len(b); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
				if n != 3*len(large) {
					t.Errorf("thrice gave %d bytes", n)
				}
			})
		}
		wg.Wait()
		if got := c.Stats(); got.Streams != 0 || got.Reconnects != 0 {
			t.Errorf("stats %+v", got)
		}
	})
}
