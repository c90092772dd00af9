package rpcserver_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// TestFigures09PeerThatDoesNotRead calls and calls and never takes a reply: it is cut after ten seconds and holds no more than MaxConnMemory until then,
// or after one if it holds more, and nobody else has to wait.
func TestFigures09PeerThatDoesNotRead(t *testing.T) {
	const most = 16 << 20
	// None of the workers is told to wait before it has answered, which would slow down who reads. So for that second it is what all of them
	// can answer, the outbox of 1 MiB at which calls wait for their workers, and 3 MiB of what are no replies: requests, 400 streams, and the peer's own end.
	second := func(workers int) int { return (workers + 1 + 3) << 20 }
	for _, test := range []struct {
		name, id, service string
		cfg               rpcserver.Config
		workers           int // that answer at once, and so more than may wait for longer; 0 if it is less
	}{
		{"8 workers", ours, "big", rpcserver.Config{Workers: 8}, 0},
		{"all workers at once", ours, "slowbig", rpcserver.Config{}, 16},
		{"100 workers at once", ours, "slowbig", rpcserver.Config{Workers: 100}, 100},
		{"inside TLS", ours, "slowbig", rpcserver.Config{TLS: &tls.Config{}}, 16},
		{"version 2", "", "slowbig", rpcserver.Config{}, 16},
		{"version 2 inside TLS", "", "slowbig", rpcserver.Config{TLS: &tls.Config{}}, 16},
		{"version 2, 100 workers", "", "slowbig", rpcserver.Config{Workers: 100}, 100},
		{"version 2, 8 workers", "", "slowbig", rpcserver.Config{Workers: 8}, 0},
		{"quick", ours, "quickbig", rpcserver.Config{}, 0},
		{"the reader itself", "plain", "big", rpcserver.Config{Workers: 1, Queue: -1}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := make(ends, 9)
				ca := certs.New(t, "ours")
				var done atomic.Int32
				test.cfg.Observer = e.observer()
				test.cfg.Observer.CallDone = func(rpcserver.CallInfo) { done.Add(1) }
				if test.cfg.TLS != nil {
					test.cfg.TLS.Certificates = []tls.Certificate{ca.Server(t, nil)}
				}
				h := inMemory(t, &test.cfg, 0)
				if test.cfg.TLS != nil {
					h.secure(ca)
				}
				big := func(context.Context, int) (string, error) { return strings.Repeat("x", 1<<20-2), nil }
				rpcserver.Handle(h.s, "big", big)
				rpcserver.Handle(h.s, "quickbig", big, rpcserver.Quick())
				rpcserver.Handle(h.s, "slowbig", func(ctx context.Context, n int) (string, error) {
					time.Sleep(100 * time.Millisecond) // all workers are at it
					return big(ctx, n)
				})
				before := heap()
				start := time.Now()
				var frames []byte
				if test.id == "" {
					p := h.visit2(nil)
					for range 400 {
						frames = p.opening(frames, wire.FlagEnd, wire.OpenHead{}, test.service, "1")
					}
					p.write(frames)
				} else {
					for range 1000 {
						frames = wire.AppendMessage(frames, test.id, test.service, "1")
					}
					h.visit().write(frames)
				}
				time.Sleep(500 * time.Millisecond)
				other := h.visit()
				now := time.Now()
				for range 100 {
					other.send("1", "slow", "0")
					other.want("1 slow_res 0")
				}
				verdict(t, "unread replies, ms that 100 calls of another peer waited", int(time.Since(now).Milliseconds()), 0)
				name, limit, until := "unread replies, heap", most, 11_000
				if test.workers > 0 {
					name, limit, until = "unread replies beyond MaxConnMemory, heap until the peer is cut", second(test.workers), 2000
				}
				peak := 0
				for len(e) == 0 && time.Since(start) < 12*time.Second {
					peak = max(peak, heap()-before)
					time.Sleep(200 * time.Millisecond)
				}
				verdict(t, name, peak, limit)
				verdict(t, name+", ms", int(time.Since(start).Milliseconds()), until)
				verdict(t, "unread replies, heap after the cut", heap()-before, 1<<20)
				e.want(t, rpcserver.Stalled)
				synctest.Wait()
				st := h.s.Stats()
				if st.Queued != 0 || st.Running != 0 || st.Calls != uint64(done.Load()) {
					t.Errorf("left behind: got %+v and %d calls done, want all done", st, done.Load())
				}
			})
		})
	}
}

// TestErrorsThatWait has errors for many calls wait for a peer: they take about as much memory as they are long.
func TestErrorsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		big := wire.AppendMessage(nil, ours, "no", strings.Repeat(" ", 1<<20-1000)) // so that all that follows is read at once
		before := heap()
		p := h.visit()
		p.write(big[:len(big)-1])
		frames := big[len(big)-1:]
		for range 20_000 {
			frames = wire.AppendMessage(frames, ours, strings.Repeat("n", 60), "")
		}
		go p.nc.Write(frames) // ends when the peer is cut
		time.Sleep(100 * time.Millisecond)
		verdict(t, "errors of 20 000 calls that wait, heap", heap()-before, 16<<20)
	})
}

// TestLargeReplyWaits has a reply of nearly all that may be held wait for a peer that takes nothing for some seconds: that is no reason to cut it.
func TestLargeReplyWaits(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e := make(ends, 9)
			h := inMemory(t, &rpcserver.Config{MaxMessage: 20 << 20, Observer: e.observer()}, 0)
			rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return strings.Repeat("x", 19<<20), nil })
			if v2 {
				h.visit2(nil).call("big", "1")
			} else {
				h.visit().send(ours, "big", "1")
			}
			time.Sleep(5 * time.Second)
			if len(e) > 0 {
				t.Errorf("cut after 5 s: %s", <-e)
			}
		})
	}
}

// TestFigures09SlowReader has 20 MiB of replies waiting and takes 8 KiB of them a second, which is less than a record of TLS: it is not cut, however long that takes.
func TestFigures09SlowReader(t *testing.T) {
	const calls, size = 20, 1<<20 - 2
	for _, test := range []struct {
		name    string
		tls, v2 bool
	}{{"v1", false, false}, {"v2", false, true}, {"v1 in TLS", true, false}, {"v2 in TLS", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := make(ends, 9)
				ca := certs.New(t, "ours")
				cfg := &rpcserver.Config{Workers: calls, Idle: -1, Observer: e.observer()}
				cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}}
				h := inMemory(t, cfg, 0)
				rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) {
					time.Sleep(100 * time.Millisecond) // all workers are at it
					return strings.Repeat("x", size), nil
				})
				dial, slow := h.dial, &sip{}
				h.dial = func() (nc net.Conn, err error) {
					slow.Conn, err = dial()
					return slow, err
				}
				if test.tls {
					h.secure(ca)
				}
				const perSecond = 8 << 10
				replies := 0
				if test.v2 {
					p := h.visit2(nil)
					var frames []byte
					for range calls {
						frames = p.opening(frames, wire.FlagEnd, wire.OpenHead{}, "big", "1")
					}
					p.write(frames)
					slow.perSecond = perSecond
					for replies < calls {
						f, err := p.nextFrame()
						if err != nil {
							t.Fatalf("after %d replies: %v, %v", replies, err, <-e)
						}
						if f.Kind == wire.KindData && f.Flags&wire.FlagEnd != 0 {
							replies++
						}
					}
				} else {
					p := h.visit()
					for range calls {
						p.send(ours, "big", "1")
					}
					slow.perSecond = perSecond
					for ; replies < calls; replies++ {
						if head, payload, err := p.reply(); err != nil || head != answered+" big_res" || len(payload) != size+2 {
							t.Fatalf("after %d replies: got %q, %v", replies, head, err)
						}
					}
				}
				atLeast(t, "replies that wait for a slow reader, all of 20 MiB", replies, calls)
				if len(e) > 0 {
					t.Errorf("it was cut: %s", <-e)
				}
			})
		})
	}
}

// secure lets those who dial from now on speak TLS.
func (h *house) secure(ca *certs.Authority) {
	dial := h.dial
	h.dial = func() (net.Conn, error) {
		nc, err := dial()
		if err != nil {
			return nil, err
		}
		return tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}), nil
	}
}

// sip is a connection of which so many bytes are read a second; 0 means all.
type sip struct {
	net.Conn
	perSecond int
}

func (c *sip) Read(p []byte) (n int, err error) {
	n, err = c.Conn.Read(p[:min(len(p), 2<<10)])
	if c.perSecond > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(c.perSecond))
	}
	return n, err
}

// Calls that are parked, because their peer does not read, are among those that are cut.
func TestCutCountsParkedCalls(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := inMemory(t, nil, 0)
			rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return strings.Repeat("x", 1<<20-2), nil })
			const calls = 100
			var frames []byte
			if v2 {
				p := h.visit2(nil)
				for range calls {
					frames = p.opening(frames, wire.FlagEnd, wire.OpenHead{}, "big", "1")
				}
				p.write(frames)
			} else {
				for range calls {
					frames = wire.AppendMessage(frames, ours, "big", "1")
				}
				h.visit().write(frames)
			}
			synctest.Wait()
			h.s.Close()
			if st := h.s.Stats(); st.Cut < calls/2 || st.Cut > calls {
				t.Errorf("%d of %d calls were cut, want most", st.Cut, calls)
			}
		})
	}
}
