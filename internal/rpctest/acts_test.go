package rpctest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// What a client has cast runs to its end, also when the client leaves right after it: nobody waits for it, so nobody can have given it up.
func TestCastOutlivesItsCaller(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(protocol.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var done, broken atomic.Int64
				s := rpcserver.New(&rpcserver.Config{Workers: 1})
				rpcserver.HandleCast(s, "note", func(ctx context.Context, _ int) error {
					select {
					case <-time.After(100 * time.Millisecond):
						done.Add(1)
					case <-ctx.Done():
						broken.Add(1)
						return context.Cause(ctx)
					}
					return nil
				})
				c := rpctest.Client(t, rpctest.Serve(t, s), &rpcclient.Config{Protocol: protocol})
				for i := range 5 {
					if err := rpcclient.Cast(t.Context(), c, "note", i); err != nil {
						t.Fatal(err)
					}
				}
				c.Close()
				time.Sleep(time.Second)
				if done.Load() != 5 || broken.Load() != 0 {
					t.Errorf("%d of 5 casts ran to their end, %d were broken off; %+v", done.Load(), broken.Load(), s.Stats())
				}
			})
		})
	}
}

// A server of version 1 that is replaced by one of version 2 is believed as soon as it says so.
func TestUpgradeIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(v1only bool) (*rpcserver.Server, *rpcclient.Config) {
			s := rpcserver.New(&rpcserver.Config{V1Only: v1only})
			demo.Register(s)
			return s, &rpcclient.Config{Dialer: rpctest.Serve(t, s).Dial}
		}
		for name, learn := range map[string]func(*rpcclient.Client) error{
			"by a call":   func(c *rpcclient.Client) error { _, err := rpcclient.Call[int](t.Context(), c, "fib", 1); return err },
			"by a stream": func(*rpcclient.Client) error { return nil },
		} {
			var to atomic.Pointer[rpcclient.Config]
			before, old := serve(true)
			to.Store(old)
			c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: dialer(&to)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := learn(c); err != nil {
				t.Error(err)
			}
			for _, err := range rpcclient.Stream[int](t.Context(), c, "fibs", 3) {
				if !errors.Is(err, rpcclient.ErrNoStreams) {
					t.Errorf("%s: a stream to version 1 gave %v", name, err)
				}
			}
			_, upgraded := serve(false)
			to.Store(upgraded)
			if err := before.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if n, err := rpcclient.Call[int](t.Context(), c, "fib", 10); n != 89 || err != nil {
				t.Errorf("%s: fib gave %d, %v", name, n, err)
			}
			n := 0
			for _, err := range rpcclient.Stream[int](t.Context(), c, "fibs", 3) {
				if n++; err != nil {
					t.Errorf("%s: a stream to the successor gave %v", name, err)
				}
			}
			if n != 3 || c.Stats().Protocol != "v2" {
				t.Errorf("%s: %d items over %s", name, n, c.Stats().Protocol)
			}
		}
	})
}

// Middleware of a server that answers itself, calls twice, or panics, around each pattern.
func TestServerMiddlewareActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(nil)
		s.Use(func(next rpcserver.Handler) rpcserver.Handler {
			return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
				switch rpcserver.MetadataOf(ctx)["do"] {
				case "panic":
					panic("in the middle")
				case "answer":
					return c.Reply(7)
				case "twice":
					if err := next.ServeCall(ctx, c); err != nil {
						return err
					}
				}
				return next.ServeCall(ctx, c)
			})
		})
		c := rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2}, demo.Register)
		for _, test := range []struct {
			do, call, stream, upload string
		}{
			{"", "89 <nil>", "[1 1 2] <nil>", "6 <nil>"},
			{"answer", "7 <nil>", "[] <nil>", "7 <nil>"},
			{"twice", "89 <nil>", "[1 1 2 1 1 2] <nil>", "0 <nil>"}, // the second finds no items left
			{"panic", "0 internal", "[] internal", "0 internal"},
		} {
			ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"do": test.do})
			say := func(v any, err error) string {
				if e, ok := errors.AsType[*rpcclient.Error](err); ok {
					return fmt.Sprint(v, " ", e.Code)
				}
				return fmt.Sprint(v, " ", err)
			}
			n, err := rpcclient.Call[int](ctx, c, "fib", 10)
			if got := say(n, err); got != test.call {
				t.Errorf("%s: the call gave %s, want %s", test.do, got, test.call)
			}
			items := []int{}
			err = nil
			for v, e := range rpcclient.Stream[int](ctx, c, "fibs", 3) {
				if err = e; e == nil {
					items = append(items, v)
				}
			}
			if got := say(items, err); got != test.stream {
				t.Errorf("%s: the stream gave %s, want %s", test.do, got, test.stream)
			}
			n, err = rpcclient.Upload[int](ctx, c, "sum", rpcclient.Values(slices.Values([]int{1, 2, 3})))
			if got := say(n, err); got != test.upload {
				t.Errorf("%s: the upload gave %s, want %s", test.do, got, test.upload)
			}
		}
		if got := s.Stats(); got.Panics != 3 || got.Streams != 0 || c.Stats().Reconnects != 0 {
			t.Errorf("stats %+v, %+v", got, c.Stats())
		}
	})
}
