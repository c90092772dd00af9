package rpcclient_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// A server that goes away politely takes no new calls and loses none, of any kind.
func TestServersThatGoAwayLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			if st.MethodName() == "slow" {
				payload := slices.Clone(s.first(st))
				time.Sleep(time.Second)
				_ = st.Finish(payload, nil, false)
				return
			}
			standard(s, st)
		})
		c := w.client()
		var wg sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for i := range 10 { // none of it idempotent
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if got, err := rpcclient.Call[int](t.Context(), c, "slow", n); got != n || err != nil {
						t.Errorf("caller %d: call gave %d, %v", i, got, err)
					}
					if err := rpcclient.Cast(t.Context(), c, "log", n); err != nil {
						t.Errorf("caller %d: cast gave %v", i, err)
					}
					sum := 0
					for v, err := range rpcclient.Stream[int](t.Context(), c, "items", 3) {
						if sum += v; err != nil {
							t.Errorf("caller %d: stream gave %v", i, err)
						}
					}
					if sum != 3 {
						t.Errorf("caller %d: items add up to %d", i, sum)
					}
				}
			})
		}
		for range 4 {
			for _, name := range w.names {
				time.Sleep(1100 * time.Millisecond)
				w.at[name].goAway()
				synctest.Wait()
				if p := peerOf(t, c, name); p.Pending > 0 && p.State != rpcclient.PeerDraining && p.State != rpcclient.PeerConnecting && p.State != rpcclient.PeerUp {
					t.Errorf("a server that goes away is %v", p.State)
				}
			}
		}
		stop()
		wg.Wait()
		if s := c.Stats(); s.LastError != nil {
			t.Errorf("last error %v, want none", s.LastError)
		}
	})
}

// goAway has the server say on all its connections that it takes no new calls.
func (s *twin) goAway() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.GoAway(wire.Farewell{Text: "restarting"})
		c.CloseWhenIdle()
	}
}
