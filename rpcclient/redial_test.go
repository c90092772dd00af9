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

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

// Whatever can be sent waits for a server that is about to start, and while one
// starts anew, if it has the time.
func TestServerIsBackSoon(t *testing.T) {
	for _, k := range kinds {
		for _, away := range []time.Duration{200 * time.Millisecond, 2 * time.Second} {
			t.Run(k.name+"/"+away.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := build(t, 1, func(s *twin, st *mux.Stream) {
						s.first(st)
						_ = st.Finish([]byte("1"), nil, false)
					})
					c := w.client()
					for range 2 { // at first use, and when it was there
						w.kill("a:1")
						synctest.Wait()
						time.AfterFunc(away, func() { w.start("a:1") })
						ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
						start := time.Now()
						if err := k.do(ctx, c); err != nil || time.Since(start) > away+1500*time.Millisecond {
							t.Errorf("%v after %v", err, time.Since(start))
						}
						cancel()
					}
				})
			})
		}
	}
}

// How long a call waits for a server that does not come, what it is told then, and
// that a thousand callers have it dialed no more often than one.
func TestServerIsNotBack(t *testing.T) {
	canceled := func(parent context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(parent)
		time.AfterFunc(300*time.Millisecond, cancel)
		return ctx, cancel
	}
	lasts := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(parent context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(parent, d)
		}
	}
	for _, test := range []struct {
		name        string
		ctx         func(context.Context) (context.Context, context.CancelFunc)
		retry       rpcclient.Retry
		err         error // of the dial
		kind        error
		least, most time.Duration
	}{
		{"no deadline", context.WithCancel, rpcclient.Retry{}, syscall.ECONNREFUSED, rpcclient.ErrConnect, 300 * time.Millisecond, time.Second},
		{"no deadline and no retries of what may have run", context.WithCancel, rpcclient.Retry{Off: true}, syscall.ECONNREFUSED, rpcclient.ErrConnect, 300 * time.Millisecond, time.Second},
		{"a deadline", lasts(700 * time.Millisecond), rpcclient.Retry{}, syscall.ECONNREFUSED, rpcclient.ErrConnect, 200 * time.Millisecond, 700 * time.Millisecond},
		{"a deadline that is far", lasts(time.Minute), rpcclient.Retry{}, syscall.ECONNREFUSED, rpcclient.ErrConnect, 3 * time.Second, 5 * time.Second},
		{"canceled", canceled, rpcclient.Retry{}, syscall.ECONNREFUSED, rpcclient.ErrContext, 300 * time.Millisecond, 300 * time.Millisecond},
		{"no second time", lasts(time.Minute), rpcclient.Retry{Attempts: 1}, syscall.ECONNREFUSED, rpcclient.ErrConnect, 0, 0},
		{"no way there", lasts(time.Minute), rpcclient.Retry{}, syscall.EHOSTUNREACH, rpcclient.ErrConnect, 0, 0},
		{"no such host", lasts(time.Minute), rpcclient.Retry{}, &net.DNSError{Name: "a", IsNotFound: true}, rpcclient.ErrConnect, 0, 0},
	} {
		for _, target := range []string{"a:1", "a:1,b:1"} {
			t.Run(test.name+"/"+target, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var dials atomic.Int64
					c, err := rpcclient.New(target, &rpcclient.Config{Retry: test.retry, Dialer: func(context.Context, string, string) (net.Conn, error) {
						dials.Add(1)
						return nil, &net.OpError{Op: "dial", Err: test.err}
					}})
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					start := time.Now()
					if _, err := c.Probe(t.Context()); !errors.Is(err, rpcclient.ErrConnect) || time.Since(start) != 0 {
						t.Errorf("a probe gave %v after %v, want it at once", err, time.Since(start))
					}
					dials.Store(0)
					start = time.Now()
					var wg sync.WaitGroup
					for range 1000 {
						wg.Go(func() {
							ctx, cancel := test.ctx(t.Context())
							defer cancel()
							_, err := rpcclient.Call[int](ctx, c, "n", 1)
							if !errors.Is(err, test.kind) || test.kind == rpcclient.ErrConnect && !errors.Is(err, test.err) {
								t.Errorf("got %v", err)
							}
						})
					}
					wg.Wait()
					took := time.Since(start)
					if target == "a:1" && (took < test.least || took > test.most+100*time.Millisecond) || took > test.most+1500*time.Millisecond {
						t.Errorf("it took %v, want %v to %v", took, test.least, test.most)
					}
					if n, most := dials.Load(), 8+2*int64(took/time.Second); n > most*int64(1+strings.Count(target, ",")) {
						t.Errorf("%d dials in %v, want %d at most to each", n, took, most)
					}
				})
			})
		}
	}
}

// A caller whose time is over while the server is dialed once more is told what was
// wrong the first time.
func TestDeadlineDuringTheSecondDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		c, err := rpcclient.New("a:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials > 1 {
				return hang(ctx, network, address)
			}
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		_, err = rpcclient.Call[int](within(t, time.Second), c, "n", 1)
		if e := kind(t, err, rpcclient.ErrConnect, rpcclient.Unavailable); !strings.Contains(e.Message, "connection refused") || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// To connect is to find out: Dial does not wait for a server that is not there.
func TestDialDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, nil)
		w.kill("a:1")
		start := time.Now()
		_, err := rpcclient.Dial(within(t, time.Minute), "a:1", &rpcclient.Config{Dialer: w.dial})
		if e := kind(t, err, rpcclient.ErrConnect, rpcclient.Unavailable); e.Error() != "a:1: cannot connect: connection refused, nothing listens there" || time.Since(start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// A stream for which another connection is needed, while the server refuses new ones
// and the old one lives, has it dialed twice at most.
func TestNoStormBesideALiveConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, nil, peer.Echo)
		c := w.client(func(cfg *rpcclient.Config) { cfg.Protocol = rpcclient.Auto })
		err := rpcclient.Cast(t.Context(), c, "n", 1) // after it nothing is known about the server
		if err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.down["a:1"] = true
		w.mu.Unlock()
		before, start := w.dialed("a:1"), time.Now()
		for _, err = range rpcclient.Stream[int](within(t, 10*time.Second), c, "items", 1) {
		}
		kind(t, err, rpcclient.ErrConnect, rpcclient.Unavailable)
		if n, took := w.dialed("a:1")-before, time.Since(start); n > 2 || took > time.Second {
			t.Errorf("%d dials in %v", n, took)
		}
	})
}
