package rpcclient_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

func hedged(cfg *rpcclient.Config) { cfg.Hedge.After = 50 * time.Millisecond }

// turnstile is a service whose first call, wherever it comes, hangs until it is cancelled,
// and whose later ones are answered after a while.
func turnstile(seen *atomic.Int64, while time.Duration) func(*twin, *mux.Stream) {
	return func(s *twin, st *mux.Stream) {
		payload := slices.Clone(s.first(st))
		if seen.Add(1) == 1 {
			s.hang(st)
			return
		}
		time.Sleep(while)
		meta, _ := wire.AppendField(nil, "who", "second")
		_ = st.Finish(payload, meta, false)
	}
}

// The second attempt saves a call, and the first is cancelled on its server; what
// the caller sees is of the second alone.
func TestHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Int64
		w := build(t, 3, turnstile(&seen, 5*time.Millisecond))
		c := w.client(hedged)
		var trace rpcclient.Trace
		var meta rpcclient.Metadata
		start := time.Now()
		ctx := rpcclient.WithReplyMetadata(rpcclient.WithTrace(t.Context(), &trace), &meta)
		got, err := rpcclient.Call[int](ctx, c, "echo", 7, rpcclient.Idempotent())
		if got != 7 || err != nil || time.Since(start) != 55*time.Millisecond {
			t.Errorf("got %d, %v after %v; want 7 after 55ms", got, err, time.Since(start))
		}
		if trace.Attempts != 2 || meta["who"] != "second" || trace.Network() != 5*time.Millisecond {
			t.Errorf("trace %+v with metadata %v", trace, meta)
		}
		synctest.Wait()
		var cancels, calls int
		for _, name := range w.names {
			cancels += len(w.at[name].cancels())
			calls += len(w.at[name].calls())
		}
		if cancels != 1 || calls != 2 {
			t.Errorf("%d calls and %d cancels arrived, want 2 and 1", calls, cancels)
		}
		if s := c.Stats(); s.Hedges != 1 || s.Retries != 0 || s.Pending != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWhatIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			time.Sleep(time.Second)
			_ = st.Finish(payload, nil, false)
		})
		c := w.client(hedged)
		if _, err := rpcclient.Call[int](t.Context(), c, "echo", 1); err != nil {
			t.Error(err)
		}
		if err := rpcclient.Cast(t.Context(), c, "log", 1); err != nil {
			t.Error(err)
		}
		for _, err := range rpcclient.Stream[int](t.Context(), c, "echo", 1, rpcclient.Idempotent()) {
			if err != nil {
				t.Error(err)
			}
		}
		if s := c.Stats(); s.Hedges != 0 || s.Sent != 3 {
			t.Errorf("stats %+v, want no hedges", s)
		}
	})
}

// The failure of one attempt does not lose a call while the other runs; if both
// fail the call does. Either way nothing is left behind.
func TestHedgeAndFailures(t *testing.T) {
	breaks := func(st *mux.Stream) { st.Fail(fails(wire.Internal, "no"), false) }
	answersNo := func(st *mux.Stream) { st.Fail(fails(wire.FailedPrecondition, "no"), false) }
	for _, test := range []struct {
		name          string
		first, second func(st *mux.Stream, payload []byte)
		fails         bool
		took          time.Duration
	}{
		{"first fails while the second runs",
			func(st *mux.Stream, _ []byte) { time.Sleep(60 * time.Millisecond); breaks(st) },
			func(st *mux.Stream, p []byte) { time.Sleep(30 * time.Millisecond); _ = st.Finish(p, nil, false) }, false, 80 * time.Millisecond},
		{"second fails, first answers",
			func(st *mux.Stream, p []byte) { time.Sleep(100 * time.Millisecond); _ = st.Finish(p, nil, false) },
			func(st *mux.Stream, _ []byte) { breaks(st) }, false, 100 * time.Millisecond},
		{"both fail",
			func(st *mux.Stream, _ []byte) { time.Sleep(100 * time.Millisecond); breaks(st) },
			func(st *mux.Stream, _ []byte) { time.Sleep(100 * time.Millisecond); breaks(st) }, true, 150 * time.Millisecond},
		{"the first answer is an error of the service's own",
			func(st *mux.Stream, _ []byte) { time.Sleep(60 * time.Millisecond); answersNo(st) },
			func(st *mux.Stream, p []byte) { time.Sleep(time.Minute); _ = st.Finish(p, nil, false) }, true, 60 * time.Millisecond},
		{"the second answer is an error of the service's own, and comes first",
			func(st *mux.Stream, p []byte) { time.Sleep(time.Minute); _ = st.Finish(p, nil, false) },
			func(st *mux.Stream, _ []byte) { time.Sleep(10 * time.Millisecond); answersNo(st) }, true, 60 * time.Millisecond},
		{"at the same moment",
			func(st *mux.Stream, p []byte) { time.Sleep(60 * time.Millisecond); _ = st.Finish(p, nil, false) },
			func(st *mux.Stream, p []byte) { time.Sleep(10 * time.Millisecond); _ = st.Finish(p, nil, false) }, false, 60 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen atomic.Int64
				w := build(t, 2, func(s *twin, st *mux.Stream) {
					payload := slices.Clone(s.first(st))
					if seen.Add(1) == 1 {
						test.first(st, payload)
					} else {
						test.second(st, payload)
					}
				})
				c := w.client(hedged)
				start := time.Now()
				got, err := rpcclient.Call[int](t.Context(), c, "echo", 5, rpcclient.Idempotent())
				if (err != nil) != test.fails || !test.fails && got != 5 || time.Since(start) != test.took {
					t.Errorf("got %d, %v after %v; want it after %v", got, err, time.Since(start), test.took)
				}
				if e, ok := errors.AsType[*rpcclient.Error](err); test.fails && (!ok || e.Attempts != 2) {
					t.Errorf("got %v, want 2 attempts", err)
				}
				c.Close()
			})
		})
	}
}

// Many hedged calls at once, with buffers used again all the time: every reply is its own.
func TestHedgesMixNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			time.Sleep(time.Duration(n.Add(1)*7%13) * 10 * time.Millisecond)
			_ = st.Finish(payload, nil, false)
		})
		c := w.client(hedged, func(cfg *rpcclient.Config) { cfg.Retry.PerSecond = 1e6 })
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for j := range 50 {
					want := i*1000 + j
					if got, err := rpcclient.Call[int](t.Context(), c, "echo", want, rpcclient.Idempotent()); got != want || err != nil {
						t.Errorf("call %d gave %d, %v", want, got, err)
					}
				}
			})
		}
		wg.Wait()
		if s := c.Stats(); s.Hedges < 200 {
			t.Errorf("%d hedges, want many", s.Hedges)
		}
	})
}

// With a percentile hedging begins when enough is known, and stays within the budget.
func TestHedgeByPercentile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			if n.Add(1)%50 == 0 {
				time.Sleep(time.Second)
			} else {
				time.Sleep(2 * time.Millisecond)
			}
			_ = st.Finish(payload, nil, false)
		})
		c := w.client(func(cfg *rpcclient.Config) { cfg.Hedge.Percentile = 0.9 })
		slow := 0
		for i := range 1000 {
			start := time.Now()
			if got, err := rpcclient.Call[int](t.Context(), c, "echo", i, rpcclient.Idempotent()); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
			if time.Since(start) > 100*time.Millisecond {
				slow++
			}
		}
		if s := c.Stats(); s.Hedges < 15 || s.Hedges > 110 || slow > 2 {
			t.Errorf("%d hedges, %d slow calls; want about 20 and next to none", s.Hedges, slow)
		}
	})
}

// A server that falls silent: with hedging no call fails, and it is ejected or lost within 20 s.
func TestSilentServerWithHedging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			time.Sleep(2 * time.Millisecond)
			_ = st.Finish(payload, nil, false)
		})
		c := w.client(hedged)
		load(t, c, 2*time.Second, 2*time.Millisecond, rpcclient.Idempotent())
		w.freeze("b:1", true)
		if failed, err := load(t, c, 20*time.Second, 2*time.Millisecond, rpcclient.Idempotent()); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		if p := peerOf(t, c, "b:1"); p.State == rpcclient.PeerUp {
			t.Errorf("after 20s: %+v, want it out", p)
		}
		before := peerOf(t, c, "b:1").Calls
		load(t, c, 2*time.Second, 2*time.Millisecond, rpcclient.Idempotent())
		if got := peerOf(t, c, "b:1").Calls - before; got > 40 {
			t.Errorf("it got %d of 1000 calls more", got)
		}
		w.freeze("b:1", false)
		w.kill("b:1") // what was silent stays so; new connections work
		w.start("b:1")
		time.Sleep(5 * time.Second)
		load(t, c, 5*time.Second, 2*time.Millisecond, rpcclient.Idempotent())
		if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerUp {
			t.Errorf("5s after it is back: %+v", p)
		}
	})
}

// The caller's own end ends both attempts.
func TestHedgeAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 2, func(s *twin, st *mux.Stream) { s.first(st); s.hang(st) })
		c := w.client(hedged)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := rpcclient.Call[int](ctx, c, "echo", 1, rpcclient.Idempotent())
		e := kind(t, err, rpcclient.ErrContext, rpcclient.DeadlineExceeded)
		if e.Attempts != 2 || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		for _, name := range w.names {
			if got := len(w.at[name].cancels()); got != 1 {
				t.Errorf("%s saw %d cancels, want 1", name, got)
			}
		}
	})
}
