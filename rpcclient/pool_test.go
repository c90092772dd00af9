package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

// slowTown has one server whose calls take a second, over both versions.
func slowTown(t *testing.T, n int) *town {
	return build(t, n, func(s *twin, st *mux.Stream) {
		payload := slices.Clone(s.first(st))
		time.Sleep(time.Second)
		_ = st.Finish(payload, nil, false)
	}, func(c *peer.Conn, m peer.Message) {
		time.AfterFunc(time.Second, func() { marked(c, m) })
	})
}

// wave makes n calls at once and waits for them.
func wave(t *testing.T, c *rpcclient.Client, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
		})
		synctest.Wait() // in turn, so that the pool has the time to grow
	}
	wg.Wait()
}

// A pool grows when its connections carry enough, up to its size, and what is too
// much then falls idle and is closed; the last one stays.
func TestPoolGrowsAndShrinks(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2, rpcclient.Auto} {
		t.Run(protocol.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := slowTown(t, 1)
				c := w.client(func(cfg *rpcclient.Config) {
					cfg.Protocol = protocol
					cfg.Pool = rpcclient.Pool{Max: 3, PerConn: 4, MaxIdle: time.Minute}
				})
				if protocol == rpcclient.Auto {
					wave(t, c, 1) // and it moves to version 2
					synctest.Wait()
				}
				before := w.dialed("a:1")
				wave(t, c, 4)
				if got := c.Stats().Conns; got != 1 {
					t.Errorf("%d connections for 4 calls, want 1", got)
				}
				wave(t, c, 8)
				if got := c.Stats().Conns; got != 2 {
					t.Errorf("%d connections for 8 calls, want 2", got)
				}
				wave(t, c, 50)
				if got := c.Stats(); got.Conns != 3 || got.Reconnects != 0 || w.dialed("a:1")-before > 3 {
					t.Errorf("%d connections for 50 calls, %d dials, stats %+v; want 3", got.Conns, w.dialed("a:1")-before, got)
				}
				time.Sleep(5 * time.Minute)
				if got := c.Stats(); got.Conns != 1 || got.State != rpcclient.Connected {
					t.Errorf("after a quiet time: %+v, want one connection", got)
				}
				wave(t, c, 1)
			})
		})
	}
}

// Above the pool's size callers wait in line, and those that give up are told why.
func TestFullPool(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(protocol.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := slowTown(t, 1)
				c := w.client(func(cfg *rpcclient.Config) {
					cfg.Protocol, cfg.MaxInFlight = protocol, 3
					cfg.Pool = rpcclient.Pool{Max: 2, PerConn: 2}
				})
				var wg sync.WaitGroup
				for i := range 10 {
					wg.Go(func() {
						if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
							t.Errorf("call %d gave %d, %v", i, got, err)
						}
					})
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				_, err := rpcclient.Call[int](ctx, c, "slow", 1)
				const want = "the deadline passed before anything was sent: the pool to a:1 is full, 2 of 2 connections with 6 calls in use, 5 waiting"
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
					t.Errorf("got  %v\nwant %s", err, want)
				}
				wg.Wait()
			})
		})
	}
}

// Connections of an age are replaced one by one, before they go, and lose no call.
func TestMaxAge(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		t.Run(protocol.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := slowTown(t, 1)
				c := w.client(func(cfg *rpcclient.Config) {
					cfg.Protocol = protocol
					cfg.Pool.MaxAge = 20 * time.Second
				})
				var wg sync.WaitGroup
				for i := range 5 {
					wg.Go(func() {
						for j := range 100 {
							start := time.Now()
							if got, err := rpcclient.Call[int](t.Context(), c, "slow", i*j); got != i*j || err != nil || time.Since(start) != time.Second {
								t.Errorf("call %d gave %d, %v after %v", i*j, got, err, time.Since(start))
							}
						}
					})
				}
				wg.Wait()
				if got := w.dialed("a:1"); got < 5 || got > 6 {
					t.Errorf("%d connections in 100s, want one each 18s to 22s", got)
				}
				synctest.Wait()
				if got := c.Stats(); got.Conns != 1 || got.Reconnects != 0 || got.Retries != 0 {
					t.Errorf("stats %+v", got)
				}
			})
		})
	}
}

// A call on a connection that is on its way out may have run when that is lost:
// it is sent again only if it may.
func TestOldConnectionIsLost(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		for _, idempotent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/%v", protocol, idempotent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var seen atomic.Int64
					w := build(t, 1, func(s *twin, st *mux.Stream) {
						payload := slices.Clone(s.first(st))
						if seen.Add(1) > 1 {
							_ = st.Finish(payload, nil, false)
						} else {
							s.hang(st)
						}
					}, func(c *peer.Conn, m peer.Message) {
						if seen.Add(1) > 1 {
							marked(c, m)
						}
					})
					c := w.client(func(cfg *rpcclient.Config) {
						cfg.Protocol = protocol
						cfg.Pool.MaxAge = time.Second
					})
					time.AfterFunc(3*time.Second, func() { w.kill("a:1"); w.start("a:1") })
					var opts []rpcclient.CallOption
					if idempotent {
						opts = append(opts, rpcclient.Idempotent())
					}
					got, err := rpcclient.Call[int](t.Context(), c, "inc", 7, opts...)
					switch {
					case idempotent && (got != 7 || err != nil || seen.Load() != 2):
						t.Errorf("got %d, %v after %d attempts; want 7 after 2", got, err, seen.Load())
					case !idempotent && seen.Load() != 1:
						t.Errorf("it ran %d times", seen.Load())
					case !idempotent:
						kind(t, err, rpcclient.ErrConnectionLost, rpcclient.Unavailable)
					}
				})
			})
		}
	}
}

// slowLeaver is a socket that takes its time to say that it is done, as TLS may.
type slowLeaver struct{ net.Conn }

func (s slowLeaver) CloseWrite() error {
	time.Sleep(3 * time.Second)
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// Connections are looked after by one round at a time, also when one takes longer
// than it is to the next. (What happens else the race detector tells.)
func TestRoundsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slowTown(t, 2)
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Protocol = rpcclient.V1
			cfg.Pool = rpcclient.Pool{Max: 4, PerConn: 1, MaxIdle: time.Second}
			cfg.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				sock, err := w.dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return slowLeaver{sock}, nil
			}
		})
		for range 10 {
			wave(t, c, 8) // opens connections while the last ones are on their way out
			time.Sleep(1100 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		if got := c.Stats().Conns; got != 2 {
			t.Errorf("%d connections, want those beyond need closed", got)
		}
	})
}

// Min connections are there before anybody calls, and come back.
func TestMinConnections(t *testing.T) {
	for _, servers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			w := build(t, servers, nil)
			c := w.client(func(cfg *rpcclient.Config) { cfg.Pool.Min = 2 })
			synctest.Wait()
			if got := c.Stats().Conns; got != 2*servers {
				t.Errorf("%d connections to %d servers, want 2 each", got, servers)
			}
			w.kill("a:1")
			time.Sleep(time.Second)
			w.start("a:1")
			time.Sleep(10 * time.Second)
			if got := c.Stats().Conns; got != 2*servers {
				t.Errorf("%d connections to %d servers after a loss, want 2 each", got, servers)
			}
			if failed, err := load(t, c, time.Second, 10*time.Millisecond); failed > 0 {
				t.Errorf("%d calls failed: %v", failed, err)
			}
		})
	}
}

// A server gets one dial at a time, however many want a connection, and no caller's end ends it.
func TestOneDialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slowTown(t, 1)
		var mu sync.Mutex
		now, most := 0, 0
		dial := w.dial
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Protocol = rpcclient.Auto
			cfg.Pool.PerConn = 1
			cfg.Dialer = watchDials(dial, &mu, &now, &most)
		})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Millisecond)
				defer cancel()
				_, _ = rpcclient.Call[int](ctx, c, "slow", i)
				for range rpcclient.Stream[int](ctx, c, "slow", i) {
				}
			})
		}
		wg.Wait()
		if most != 1 || w.dialed("a:1") > 10 {
			t.Errorf("%d dials at once, %d in all", most, w.dialed("a:1"))
		}
	})
}

func TestBadConfigs(t *testing.T) {
	for _, test := range []struct {
		change func(*rpcclient.Config)
		text   string
	}{
		{func(c *rpcclient.Config) { c.Pool.Min, c.Pool.Max = 5, 2 }, "Pool.Min is 5 and Pool.Max 2: Max has to be at least Min"},
		{func(c *rpcclient.Config) { c.Pool.PerConn = -1 }, "Pool has a number below 0"},
		{func(c *rpcclient.Config) { c.Pool.MaxInFlight = -1 }, "Pool has a number below 0"},
		{func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{nil} }, "Use has a Middleware that is nil"},
		{func(c *rpcclient.Config) { c.Pool.MaxAge = -time.Second }, "Pool has a time below 0"},
		{func(c *rpcclient.Config) { c.Pool.MaxAge = time.Millisecond }, "Pool.MaxAge is 1ms: it has to be 1s or more"},
		{func(c *rpcclient.Config) { c.Retry.Attempts = -3 }, "Retry.Attempts is -3"},
		{func(c *rpcclient.Config) { c.Retry.Budget = 1.5 }, "Retry.Budget is 1.5: it is a share of the calls, 0 to 1"},
		{func(c *rpcclient.Config) { c.Retry.PerSecond = -1 }, "Retry.PerSecond is -1"},
		{func(c *rpcclient.Config) { c.Retry.MinBackoff, c.Retry.MaxBackoff = time.Minute, time.Second }, "MaxBackoff has to be at least MinBackoff"},
		{func(c *rpcclient.Config) { c.Hedge.Percentile = 95 }, "Hedge.Percentile is 95: it has to be below 1, as in 0.95"},
		{func(c *rpcclient.Config) { c.Hedge.After = -1 }, "Hedge.After is -1ns"},
		{func(c *rpcclient.Config) { c.Keepalive.Silence = -1 }, "Keepalive has a time below 0"},
		{func(c *rpcclient.Config) { c.Ejection.Rate = 50 }, "ejection: a rate that is not between 0 and 1"},
		{func(c *rpcclient.Config) { c.Balance = 77 }, "Balance is 77: use P2C, LeastPending or RoundRobin"},
		{func(c *rpcclient.Config) { c.Protocol = 9 }, "Protocol is 9: use Auto, V1 or V2"},
	} {
		cfg := new(rpcclient.Config)
		test.change(cfg)
		c, err := rpcclient.New("a:1", cfg)
		if c != nil || !errors.Is(err, rpcclient.ErrConfig) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, test.text)
		}
	}
	if c, err := rpcclient.New("a:1", &rpcclient.Config{Pool: rpcclient.Pool{Min: 9}}); err != nil {
		t.Errorf("Min above the default Max: %v", err)
	} else {
		c.Close()
	}
}
