package rpcclient_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/rpcclient"
)

func TestCallsGoToAllServers(t *testing.T) {
	for _, policy := range []rpcclient.Balance{rpcclient.P2C, rpcclient.LeastPending, rpcclient.RoundRobin} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := build(t, 3, nil)
				c := w.client(func(cfg *rpcclient.Config) { cfg.Balance = policy })
				if failed, err := load(t, c, 6*time.Second, 5*time.Millisecond); failed > 0 {
					t.Errorf("%d calls failed, the last with %v", failed, err)
				}
				var total uint64
				share := 0.0
				for _, name := range w.names {
					p := peerOf(t, c, name)
					if p.State != rpcclient.PeerUp || p.Conns != 1 || p.Protocol != "v2" || p.Failures != 0 || p.Pending != 0 {
						t.Errorf("%+v, want it up with one connection and no failures", p)
					}
					if p.Share < 0.2 || p.Share > 0.47 {
						t.Errorf("%s has a share of %.2f, want about a third", name, p.Share)
					}
					total += p.Calls
					share += p.Share
				}
				if s := c.Stats(); total != 1200 || share < 0.99 || share > 1.01 || s.Servers != 3 || s.Conns != 3 || s.State != rpcclient.Connected || s.Retries != 0 {
					t.Errorf("%d calls, shares %v in all, stats %+v", total, share, s)
				}
			})
		})
	}
}

// Streams are spread at their beginning, count while they run, and do not make
// their server look slow.
func TestStreamsAreBalanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			if st.MethodName() != "ticks" {
				standard(s, st)
				return
			}
			s.first(st)
			for i := range 60 {
				_ = st.Send(context.Background(), fmt.Append(nil, i), nil, i == 59)
				time.Sleep(time.Second)
			}
		})
		c := w.client()
		load(t, c, time.Second, 10*time.Millisecond)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				n := 0
				for _, err := range rpcclient.Stream[int](t.Context(), c, "ticks", nil) {
					if n++; err != nil {
						t.Error(err)
					}
				}
				if n != 60 {
					t.Errorf("%d items, want 60", n)
				}
			})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		for _, p := range c.Peers() {
			if p.Pending < 5 || p.Pending > 16 {
				t.Errorf("%s has %d of 30 streams", p.Address, p.Pending)
			}
			if p.Latency > 100*time.Millisecond {
				t.Errorf("%s looks slow because of its streams: %v", p.Address, p.Latency)
			}
		}
		load(t, c, 20*time.Second, 10*time.Millisecond)
		for _, p := range c.Peers() {
			if p.Share < 0.1 || p.Share > 0.6 {
				t.Errorf("%s has a share of %.2f while streams run", p.Address, p.Share)
			}
		}
		wg.Wait()
	})
}

// A middleware learns who answered.
func TestRequestTellsWhoAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		w := build(t, 2, nil)
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Use = []rpcclient.Middleware{func(next rpcclient.Doer) rpcclient.Doer {
				return func(ctx context.Context, r *rpcclient.Request) error {
					err := next(ctx, r)
					seen = append(seen, fmt.Sprintf("%s %s %v %d %d", r.Type, r.Protocol, strings.HasPrefix(r.Server, "memory:"), r.Attempts, r.Hedges))
					return err
				}
			}}
		})
		echoOver(t, c, 1)
		_, _ = c.Invoke(t.Context(), "echo", nil)
		_, _ = c.Send(t.Context(), "echo", 1)
		_ = rpcclient.Cast(t.Context(), c, "log", 1)
		for range rpcclient.Stream[int](t.Context(), c, "items", 1) {
		}
		_, _ = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{1})))
		_, _ = rpcclient.Call[int](t.Context(), c, "echo", func() {}) // not sent
		want := []string{"echo v2 true 1 0", "echo v2 true 1 0", "echo v2 true 1 0", "log v2 true 1 0", "items v2 true 1 0", "sum v2 true 1 0", "echo  false 0 0"}
		if !slices.Equal(seen, want) {
			t.Errorf("got  %q\nwant %q", seen, want)
		}
	})
}
