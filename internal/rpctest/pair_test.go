package rpctest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

func TestPair(t *testing.T) {
	rpctest.Leaks(t)
	c := rpctest.Pair(t, demo.Register)
	if got, err := rpcclient.Call[int64](t.Context(), c, "fib", 10); got != 89 || err != nil {
		t.Errorf("fib 10 gave %d, %v; want 89", got, err)
	}
	if err := rpcclient.Cast(t.Context(), c, "log", "hi"); err != nil {
		t.Errorf("cast: %v", err)
	}
	for _, test := range []struct {
		typ     string
		payload any
		code    rpcclient.Code
	}{
		{"nope", 1, rpcclient.NotFound},
		{"fib", 92, rpcclient.InvalidArgument},
		{"fib", "x", rpcclient.InvalidArgument},
		{"fib", nil, rpcclient.InvalidArgument},
		{"!nope", nil, rpcclient.NotFound},
	} {
		_, err := c.Invoke(t.Context(), test.typ, nil)
		if test.payload != nil {
			_, err = rpcclient.Call[any](t.Context(), c, test.typ, test.payload)
		}
		if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Kind != rpcclient.ErrServer || e.Code != test.code {
			t.Errorf("%s %v gave %v, want %v", test.typ, test.payload, err, test.code)
		}
	}
	if s := c.Stats(); !s.Ours || s.Reconnects != 0 || s.Dropped.Total() != 0 {
		t.Errorf("stats %+v: want a server of ours, one connection, nothing dropped", s)
	}
}

// The deadline reaches the handler, and whoever is told of it first, the caller
// or the handler, the caller gets deadline_exceeded.
func TestDeadlineReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		c := rpctest.Pair(t, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "left", func(ctx context.Context, _ int) (int, error) {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return 1, nil
			})
			rpcserver.Handle(s, "hang", func(ctx context.Context, _ int) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "left", 1); err != nil || left != 3*time.Second {
			t.Errorf("the handler had %v left (%v), want 3s", left, err)
		}
		_, err := rpcclient.Call[int](ctx, c, "hang", 1)
		if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Code != rpcclient.DeadlineExceeded {
			t.Errorf("got %v, want deadline_exceeded", err)
		}
	})
}

// The server closes what is idle for a minute; the client's next call connects again.
func TestIdleMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.Pair(t, demo.Register)
		for i := range 3 {
			if got, err := rpcclient.Call[int64](t.Context(), c, "fib", 10); got != 89 || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
			time.Sleep(61 * time.Second)
			synctest.Wait()
			if got := c.Stats().State; got != rpcclient.Idle {
				t.Errorf("state %v after a minute, want idle", got)
			}
		}
	})
}

// Both ends on the hot path at once, over a real wire format but no socket.
func TestManyCallers(t *testing.T) {
	rpctest.Leaks(t)
	c := rpctest.Pair(t, demo.Register)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 200 {
				want := int64(i*1000 + j)
				if got, err := rpcclient.Call[int64](context.Background(), c, "echo", want); got != want || err != nil {
					t.Errorf("echo %d gave %d, %v", want, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
