package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// crowded is a server whose calls take a second, and that knows how many it has had
// at once.
type crowded struct {
	now, most atomic.Int64
}

func (c *crowded) work() {
	for n := c.now.Add(1); ; {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			break
		}
	}
	time.Sleep(time.Second)
	c.now.Add(-1)
}

func (c *crowded) town(t *testing.T, servers int) *town {
	return build(t, servers, func(s *twin, st *mux.Stream) {
		payload := slices.Clone(s.first(st))
		c.work()
		_ = st.Finish(payload, nil, false)
	}, func(p *peer.Conn, m peer.Message) {
		go func() { // ends within a second
			c.work()
			p.Reply(m.ID[:wire.PrefixLen]+"!1", m.Type+"_res", m.Payload)
		}()
	})
}

// A client that nobody has told otherwise asks no more of one server than that takes
// from it, over however many connections; the others wait, and none fails.
func TestServerIsNotOverrun(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2, rpcclient.Auto} {
		for _, test := range []struct {
			name string
			most int64
			cfg  rpcclient.Config
		}{
			{"default", 1000, rpcclient.Config{}},
			{"few", 8, rpcclient.Config{Pool: rpcclient.Pool{MaxInFlight: 8}}},
			{"what many connections carry", 1536, rpcclient.Config{Pool: rpcclient.Pool{Max: 6}}},
			{"as many as one connection may", 1500, rpcclient.Config{MaxInFlight: 1500, Pool: rpcclient.Pool{PerConn: 1500}}},
		} {
			t.Run(protocol.String()+"/"+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var server crowded
					w := server.town(t, 1)
					w.at["a:1"].config.Settings.MaxStreams = 2000
					c := w.client(func(cfg *rpcclient.Config) {
						cfg.Protocol, cfg.MaxInFlight, cfg.Pool = protocol, test.cfg.MaxInFlight, test.cfg.Pool
					})
					var wg sync.WaitGroup
					for i := range 3 * int(test.most) {
						wg.Go(func() {
							if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
								t.Errorf("call %d gave %d, %v", i, got, err)
							}
						})
					}
					wg.Wait()
					if got := server.most.Load(); got != test.most {
						t.Errorf("%d calls at once, want %d", got, test.most)
					}
					if st := c.Stats(); st.Retries != 0 || st.Pending != 0 {
						t.Errorf("%d calls were sent again, %d are pending", st.Retries, st.Pending)
					}
				})
			})
		}
	}
}

// Streams take no worker: a server full of them still has room for calls.
func TestStreamsAreNotInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2, func(cfg *rpcclient.Config) { cfg.Pool.MaxInFlight = 2 })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range rpcclient.Stream[int](ctx, c, "hang", nil) {
				}
			})
		}
		synctest.Wait()
		if got, err := rpcclient.Call[int](within(t, time.Second), c, "echo", 7); got != 7 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		cancel()
		wg.Wait()
	})
}

// How waiting for a turn ends otherwise: by the caller, by Close, with the
// connection, and with the server's leaving the list.
func TestWhoWaitsForATurn(t *testing.T) {
	one := func(cfg *rpcclient.Config) { cfg.Pool.MaxInFlight = 1 }
	crowd := func(ctx context.Context, c *rpcclient.Client, n int) chan error {
		over := make(chan error, n)
		for range n {
			go func() { // ends with its call; the test takes what it says
				_, err := rpcclient.Call[int](ctx, c, "n", 1)
				over <- err
			}()
		}
		synctest.Wait()
		return over
	}
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var server crowded
			c := server.town(t, 1).client(one)
			first := crowd(t.Context(), c, 1)
			second := crowd(within(t, 500*time.Millisecond), c, 1)
			if st, p := c.Stats(), peerOf(t, c, "a:1"); st.Pending != 2 || p.Pending != 2 || p.Calls != 1 {
				t.Errorf("%d calls are pending, %d of the server, which had %d; want 2, 2 and 1", st.Pending, p.Pending, p.Calls)
			}
			err := <-second
			e := kind(t, err, rpcclient.ErrContext, rpcclient.DeadlineExceeded)
			if want := "before anything was sent: the pool to a:1 is full, 1 of 4 connections with 1 calls in use"; !strings.Contains(e.Message, want) {
				t.Errorf("got %v, want %s", err, want)
			}
			if err := <-first; err != nil {
				t.Error(err)
			}
			if _, err := rpcclient.Call[int](within(t, 2*time.Second), c, "n", 1); err != nil || server.most.Load() != 1 {
				t.Errorf("afterwards: %v, %d at once", err, server.most.Load())
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var server crowded
			c := server.town(t, 1).client(one)
			over := crowd(t.Context(), c, 50)
			c.Close()
			for range 50 {
				if err := <-over; !errors.Is(err, rpcclient.ErrClosed) {
					t.Errorf("got %v, want that the client is closed", err)
				}
			}
		})
	})
	t.Run("connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var server crowded
			w := server.town(t, 1)
			c := w.client(one)
			over := crowd(t.Context(), c, 5)
			w.kill("a:1")
			w.start("a:1")
			lost := 0
			for range 5 {
				if err := <-over; errors.Is(err, rpcclient.ErrConnectionLost) {
					lost++
				} else if err != nil {
					t.Error(err)
				}
			}
			if lost != 1 {
				t.Errorf("%d calls were lost, want the one that ran", lost)
			}
		})
	})
	t.Run("list", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var server crowded
			w := server.town(t, 2)
			l := &lists{news: make(chan []string, 1)}
			c, err := rpcclient.New("lists:///x", &rpcclient.Config{Dialer: w.dial, Protocol: rpcclient.V2, Pool: rpcclient.Pool{MaxInFlight: 1}, Resolvers: map[string]rpcclient.Resolver{"lists": l}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l.news <- []string{"a:1"}
			over := crowd(t.Context(), c, 5)
			time.Sleep(200 * time.Millisecond) // lists that follow each other at once are heard later
			start := time.Now()
			l.news <- []string{"b:1"}
			for range 5 {
				if err := <-over; err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(start); took > 4500*time.Millisecond { // one there, four here
				t.Errorf("it took %v", took)
			}
			if n := len(w.at["b:1"].calls()); n != 4 {
				t.Errorf("%d calls came to the server that is there, want 4", n)
			}
		})
	})
}

// As many as an int can count means as many as can be.
func TestLargestNumbers(t *testing.T) {
	const most = int(^uint(0) >> 1)
	for name, change := range map[string]func(*rpcclient.Config){
		"MaxMessage":       func(c *rpcclient.Config) { c.MaxMessage = most },
		"MaxInFlight":      func(c *rpcclient.Config) { c.MaxInFlight = most },
		"Window":           func(c *rpcclient.Config) { c.Window = most },
		"all":              func(c *rpcclient.Config) { c.MaxMessage, c.MaxInFlight, c.Window = most, most, most },
		"Pool.MaxInFlight": func(c *rpcclient.Config) { c.Pool.MaxInFlight, c.Pool.PerConn = most, most },
	} {
		for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			t.Run(fmt.Sprint(name, "/", protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := serveTwin(t, marked).client(t, protocol, change)
					if got, err := rpcclient.Call[int](t.Context(), c, "echo", 7); got != 7 || err != nil {
						t.Errorf("a call gave %d, %v", got, err)
					}
					if protocol == rpcclient.V2 {
						if got := collect(t, rpcclient.Stream[int](t.Context(), c, "items", 100)); len(got) != 100 {
							t.Errorf("a stream gave %d items", len(got))
						}
					}
				})
			})
		}
	}
}
