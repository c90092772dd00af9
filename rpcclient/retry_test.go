package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// what a call can be.
var kinds = []struct {
	name       string
	idempotent bool
	do         func(context.Context, *rpcclient.Client) error
}{
	{"call", false, func(ctx context.Context, c *rpcclient.Client) error {
		_, err := rpcclient.Call[int](ctx, c, "once", 1)
		return err
	}},
	{"idempotent call", true, func(ctx context.Context, c *rpcclient.Client) error {
		_, err := rpcclient.Call[int](ctx, c, "once", 1, rpcclient.Idempotent())
		return err
	}},
	{"cast", false, func(ctx context.Context, c *rpcclient.Client) error { return rpcclient.Cast(ctx, c, "once", 1) }},
	{"stream", false, func(ctx context.Context, c *rpcclient.Client) error {
		for _, err := range rpcclient.Stream[int](ctx, c, "once", 1) {
			return err
		}
		return nil
	}},
	{"idempotent stream", true, func(ctx context.Context, c *rpcclient.Client) error {
		for _, err := range rpcclient.Stream[int](ctx, c, "once", 1, rpcclient.Idempotent()) {
			return err
		}
		return nil
	}},
	{"upload", false, func(ctx context.Context, c *rpcclient.Client) error {
		_, err := rpcclient.Upload[int](ctx, c, "once", rpcclient.Values(slices.Values([]int{1})))
		return err
	}},
}

// Every rule of who may send a call twice, for everything that can be sent: what
// happens to the first attempt, and how many times the server gets to see it.
func TestWhoMaySendTwice(t *testing.T) {
	answer := func(code wire.Code, refused bool) func(*twin, *mux.Stream) {
		return func(s *twin, st *mux.Stream) { st.Fail(&wire.Error{Code: code, Message: "no"}, refused) }
	}
	for _, test := range []struct {
		name  string
		first func(*twin, *mux.Stream)
		twice map[string]bool // these are sent again
	}{
		{"refused, it drains", answer(wire.Unavailable, true), map[string]bool{"call": true, "idempotent call": true, "stream": true, "idempotent stream": true}},
		{"refused, too busy", answer(wire.ResourceExhausted, true), map[string]bool{"call": true, "idempotent call": true, "stream": true, "idempotent stream": true}},
		{"unavailable", answer(wire.Unavailable, false), map[string]bool{"idempotent call": true, "idempotent stream": true}},
		{"resource exhausted", answer(wire.ResourceExhausted, false), map[string]bool{"idempotent call": true, "idempotent stream": true}},
		{"internal", answer(wire.Internal, false), nil},
		{"deadline exceeded", answer(wire.DeadlineExceeded, false), nil},
		{"not found", answer(wire.NotFound, false), nil},
		{"aborted", answer(wire.Aborted, false), nil},
		{"connection lost", func(s *twin, st *mux.Stream) { s.last().Close(errors.New("lost")) }, map[string]bool{"idempotent call": true, "idempotent stream": true}},
	} {
		for _, k := range kinds {
			for _, servers := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s/%s/%d", test.name, k.name, servers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var seen atomic.Int64
						w := build(t, servers, func(s *twin, st *mux.Stream) {
							if seen.Add(1) == 1 {
								test.first(s, st)
								return
							}
							_ = st.Finish([]byte("1"), nil, false)
						})
						c := w.client()
						var trace rpcclient.Trace
						err := k.do(rpcclient.WithTrace(t.Context(), &trace), c)
						synctest.Wait()
						want := 1
						if test.twice[k.name] {
							want = 2
						}
						if got := seen.Load(); got != int64(want) || trace.Attempts != want {
							t.Errorf("the servers saw it %d times, %d attempts; want %d", got, trace.Attempts, want)
						}
						if (err == nil) != (want == 2 || k.name == "cast") {
							t.Errorf("it gave %v", err)
						}
						if want == 2 && servers == 3 { // and elsewhere
							for _, p := range c.Peers() {
								if p.Calls > 1 {
									t.Errorf("%s got it twice", p.Address)
								}
							}
						}
						c.Close()
					})
				})
			}
		}
	}
}

// Retry.Off leaves what never ran; Attempts counts; a back-off is waited for on
// the same server, and the server's own wish is honoured.
func TestRetrySettings(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*rpcclient.Config)
		fail     wire.Error
		refused  bool
		servers  int
		attempts int
		least    time.Duration
		most     time.Duration
	}{
		{"three by default", nil, wire.Error{Code: wire.Unavailable}, false, 1, 3, 15 * time.Millisecond, 30 * time.Millisecond},
		{"five", func(c *rpcclient.Config) { c.Retry.Attempts = 5 }, wire.Error{Code: wire.Unavailable}, false, 1, 5, 75 * time.Millisecond, 150 * time.Millisecond},
		{"one", func(c *rpcclient.Config) { c.Retry.Attempts = 1 }, wire.Error{Code: wire.Unavailable}, true, 1, 1, 0, 0},
		{"off", func(c *rpcclient.Config) { c.Retry.Off = true }, wire.Error{Code: wire.Unavailable}, false, 1, 1, 0, 0},
		{"off, but it never ran", func(c *rpcclient.Config) { c.Retry.Off = true }, wire.Error{Code: wire.Unavailable}, true, 1, 3, 2 * time.Millisecond, 100 * time.Millisecond},
		{"elsewhere at once", nil, wire.Error{Code: wire.Unavailable, RetryAfter: time.Second}, false, 3, 3, 0, 0},
		{"refused, elsewhere at once", nil, wire.Error{Code: wire.ResourceExhausted, RetryAfter: time.Second}, true, 3, 3, 0, 0},
		{"all have been tried", func(c *rpcclient.Config) { c.Retry.Attempts = 3 }, wire.Error{Code: wire.Unavailable, RetryAfter: time.Second}, true, 2, 3, time.Second, 1100 * time.Millisecond},
		{"as long as it asks", nil, wire.Error{Code: wire.Unavailable, RetryAfter: time.Second}, false, 1, 3, 2 * time.Second, 2100 * time.Millisecond},
		{"longer than that is told", nil, wire.Error{Code: wire.Unavailable, RetryAfter: 10 * time.Second}, false, 1, 1, 0, 0},
		{"no budget", func(c *rpcclient.Config) { c.Retry.PerSecond = 1e-9 }, wire.Error{Code: wire.Unavailable}, false, 1, 1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := build(t, test.servers, func(s *twin, st *mux.Stream) { e := test.fail; st.Fail(&e, test.refused) })
				c := w.client(func(cfg *rpcclient.Config) {
					if test.change != nil {
						test.change(cfg)
					}
				})
				for _, err := range rpcclient.Stream[int](within(t, 50*time.Millisecond), c, "warm up", 0) { // so that all are connected
					_ = err
				}
				synctest.Wait()
				start := time.Now()
				_, err := rpcclient.Call[int](t.Context(), c, "x", 1, rpcclient.Idempotent())
				e := kind(t, err, rpcclient.ErrServer, test.fail.Code)
				if got := time.Since(start); e.Attempts != test.attempts || got < test.least || got > test.most {
					t.Errorf("%v: %d attempts in %v; want %d in %v to %v", err, e.Attempts, got, test.attempts, test.least, test.most)
				}
			})
		})
	}
}

// However often a call may be sent, the back-off stays one.
func TestManyAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, func(s *twin, st *mux.Stream) { st.Fail(fails(wire.ResourceExhausted, "busy"), true) })
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Retry = rpcclient.Retry{Attempts: 100, Budget: 1, PerSecond: 1e6}
		})
		start := time.Now()
		_, err := rpcclient.Call[int](t.Context(), c, "x", 1)
		if e := kind(t, err, rpcclient.ErrServer, rpcclient.ResourceExhausted); e.Attempts != 100 || time.Since(start) > 100*time.Second {
			t.Errorf("%d attempts in %v, want 100, at most 1s each", e.Attempts, time.Since(start))
		}
	})
}

// All servers refuse what comes: retries stay within the budget.
func TestRefusalsDoNotMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Int64
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			seen.Add(1)
			st.Fail(&wire.Error{Code: wire.Unavailable, Message: "no"}, false)
		})
		c := w.client()
		const calls = 3000
		load(t, c, calls*5*time.Millisecond, 5*time.Millisecond, rpcclient.Idempotent())
		figure(t, "attempts_when_all_fail", float64(seen.Load()), 1.1*calls+10*calls*0.005+10)
	})
}

// Increments that nobody may repeat, under connections that are cut, servers that
// go away and come back, and refusals: none runs twice, and none that was refused runs.
func TestIncrementsRunAtMostOnce(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V2, rpcclient.Auto, rpcclient.V1} {
		t.Run(protocol.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex // protects the next three
				ran, turned, n := map[string]int{}, map[string]bool{}, 0
				run := func(payload []byte) {
					mu.Lock()
					defer mu.Unlock()
					ran[string(payload)]++
				}
				w := build(t, 3, func(s *twin, st *mux.Stream) {
					payload := slices.Clone(s.first(st))
					if payload == nil { // its connection was cut before it could be read
						return
					}
					mu.Lock()
					n++
					refuse := n%7 == 0
					if refuse {
						turned[string(payload)] = true
					}
					mu.Unlock()
					if refuse {
						st.Fail(fails(wire.Unavailable, "not now"), true)
						return
					}
					run(payload)
					time.Sleep(3 * time.Millisecond)
					_ = st.Finish(payload, nil, false)
				}, func(c *peer.Conn, m peer.Message) {
					run([]byte(m.Payload))
					time.Sleep(3 * time.Millisecond)
					marked(c, m)
				})
				c := w.client(func(cfg *rpcclient.Config) { cfg.Protocol = protocol })
				var wg sync.WaitGroup
				var done, lost atomic.Int64
				for i := range 20 {
					wg.Go(func() {
						for j := range 200 {
							x := i*1000 + j
							if j%10 == 9 {
								_ = rpcclient.Cast(t.Context(), c, "inc", x)
							} else if got, err := rpcclient.Call[int](t.Context(), c, "inc", x); err == nil && got == x {
								done.Add(1)
							} else {
								lost.Add(1)
							}
							time.Sleep(time.Millisecond)
						}
					})
				}
				wg.Go(func() {
					for i := range 12 {
						name := w.names[i%3]
						time.Sleep(50 * time.Millisecond)
						if i%2 == 0 {
							w.at[name].goAway()
							continue
						}
						w.kill(name)
						time.AfterFunc(30*time.Millisecond, func() { w.start(name) })
					}
				})
				wg.Wait()
				c.Close()
				synctest.Wait()
				for payload, times := range ran {
					if times > 1 {
						t.Errorf("%s ran %d times", payload, times)
					}
				}
				if done.Load() < 3000 || int64(len(ran)) < done.Load() || protocol == rpcclient.V2 && len(turned) == 0 {
					t.Errorf("%d done, %d lost, %d ran, %d refused", done.Load(), lost.Load(), len(ran), len(turned))
				}
			})
		})
	}
}
