package rpcclient_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/rpcclient"
)

// A lone server that falls silent under a call: the connection is lost after
// Silence and Timeout, and the call with it.
func TestKeepaliveFindsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, nil)
		c := w.client()
		echoOver(t, c, 1)
		time.Sleep(7 * time.Second)
		w.freeze("a:1", true)
		start := time.Now()
		_, err := rpcclient.Call[int](t.Context(), c, "hang", 1)
		kind(t, err, rpcclient.ErrConnectionLost, rpcclient.Unavailable)
		if got := time.Since(start); got > 20*time.Second || got < 15*time.Second || !strings.Contains(err.Error(), "no sign of life within 5s") {
			t.Errorf("got %v after %v, want it lost after 15s to 20s", err, got)
		}
	})
}

// A slow call on a server that lives is not disturbed, however long it takes.
func TestKeepaliveLeavesSlowCallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, func(s *twin, st *mux.Stream) {
			s.first(st)
			time.Sleep(10 * time.Minute)
			_ = st.Finish([]byte("1"), nil, false)
		})
		c := w.client()
		if got, err := rpcclient.Call[int](t.Context(), c, "slow", 1); got != 1 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		pings := w.at["a:1"].last().Stats().Pings
		if pings < 30 || pings > 60 {
			t.Errorf("%d pings in ten minutes, want one for each 15 s or so", pings)
		}
	})
}

// A server that wants fewer pings gets fewer, and none too early.
func TestKeepaliveHonoursTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) {
			s.config.Settings.MinPing = 5 * time.Minute
			s.handle = func(s *twin, st *mux.Stream) {
				s.first(st)
				time.Sleep(time.Hour)
				_ = st.Finish([]byte("1"), nil, false)
			}
		})
		c := s.client(t, rpcclient.V2)
		if got, err := rpcclient.Call[int](t.Context(), c, "slow", 1); got != 1 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		if pings := s.last().Stats().Pings; pings < 10 || pings > 12 {
			t.Errorf("%d pings in an hour, want one each 5 minutes", pings)
		}
	})
}

// Idle connections are left alone, unless Idle is set.
func TestKeepaliveOfIdleConnections(t *testing.T) {
	for _, idle := range []time.Duration{0, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := serveTwin(t, marked, func(s *twin) { s.config.Idle = time.Minute })
			c := s.client(t, rpcclient.V2, func(cfg *rpcclient.Config) { cfg.Keepalive.Idle = idle })
			echoOver(t, c, 1)
			time.Sleep(10 * time.Minute)
			want := rpcclient.Idle
			if idle > 0 {
				want = rpcclient.Connected
			}
			if got := c.Stats(); got.State != want {
				t.Errorf("with Idle %v the state is %v after ten minutes, want %v", idle, got.State, want)
			}
			echoOver(t, c, 2)
			if got := s.dialed(); (got == 1) != (idle > 0) {
				t.Errorf("with Idle %v: %d connections", idle, got)
			}
		})
	}
}

// One of three falls silent, no hedging: calls with deadlines fail for a moment,
// then it is out, also when nothing but the deadlines tells.
func TestSilentServerIsEjected(t *testing.T) {
	for name, change := range map[string]func(*rpcclient.Config){
		"by deadlines": func(cfg *rpcclient.Config) { cfg.Keepalive.Off = true },
		"version 1":    func(cfg *rpcclient.Config) { cfg.Protocol = rpcclient.V1 },
		"keepalive":    func(cfg *rpcclient.Config) { cfg.Ejection.Off = true },
		"both":         func(*rpcclient.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := build(t, 3, nil)
				c := w.client(change)
				load(t, c, 2*time.Second, 5*time.Millisecond)
				w.freeze("b:1", true)
				load(t, c, 20*time.Second+100*time.Millisecond, 5*time.Millisecond)
				before := peerOf(t, c, "b:1")
				if before.State == rpcclient.PeerUp {
					t.Errorf("after 20s: %+v, want it out", before)
				}
				load(t, c, 20*time.Second, 5*time.Millisecond)
				after := peerOf(t, c, "b:1")
				if got := after.Calls - before.Calls; got > 40 {
					t.Errorf("it got %d of 4000 calls while out", got)
				}
				w.freeze("b:1", false)
				w.kill("b:1")
				w.start("b:1")
				load(t, c, 70*time.Second, 5*time.Millisecond) // an ejection lasts at most a minute
				if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerUp || p.Calls-after.Calls < 100 {
					t.Errorf("back for 70s: %+v, %d calls", p, p.Calls-after.Calls)
				}
			})
		})
	}
}

// A server that answers everything with an error is ejected, probed, and back
// when it works again; no more than half are out.
func TestFailingServerIsEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := make(chan struct{})
		w := build(t, 3, nil)
		w.at["c:1"].handle = func(s *twin, st *mux.Stream) {
			payload := s.first(st)
			select {
			case <-bad:
				_ = st.Finish(payload, nil, false)
			default:
				st.Fail(fails(rpcclient.Internal, "out of order"), false)
			}
		}
		c := w.client()
		failed := 0
		for i := range 5000 {
			if _, err := rpcclient.Call[int](t.Context(), c, "echo", i); errors.Is(err, rpcclient.ErrServer) {
				failed++
			}
			time.Sleep(2 * time.Millisecond)
		}
		p := peerOf(t, c, "c:1")
		if failed == 0 || failed > 100 || p.Ejections == 0 || p.Failures != uint64(failed) {
			t.Errorf("%d of 5000 calls failed, peer %+v; want at most 2 %%", failed, p)
		}
		close(bad)
		time.Sleep(time.Minute)
		load(t, c, 10*time.Second, 2*time.Millisecond)
		if p := peerOf(t, c, "c:1"); p.State != rpcclient.PeerUp || p.Share < 0.2 {
			t.Errorf("repaired: %+v, want its share", p)
		}
	})
}
