package rpcserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// A handler that ends the reader's goroutine, which ran it because the queue was full, still gives its place back.
func TestReaderThatIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, Queue: -1}, 0)
		g := gate(h.s)
		rpcserver.Handle(h.s, "exit", func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil })
		p := h.visit()
		p.send("1", "wait", "1")
		synctest.Wait()
		q := h.visit()
		q.send("1", "exit", "1")
		q.wantEnd()
		close(g.gate)
		p.want("1 wait_res 1")
		synctest.Wait()
		if st := h.s.Stats(); st.InFlight != 0 || st.Running != 0 {
			t.Errorf("left behind: got %+v, want nothing in flight", st)
		}
	})
}

// Casts leave no reply that could wait, so they run whether their caller reads or not: parked ones would be without number.
func TestCastsOfAPeerThatDoesNotRead(t *testing.T) {
	for _, protocol := range []string{"v1", "v2"} {
		for _, opts := range [][]rpcserver.Option{nil, {rpcserver.Quick()}} {
			t.Run(fmt.Sprintf("%s, %d options", protocol, len(opts)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := inMemory(t, nil, 0)
					var ran atomic.Int32
					rpcserver.HandleCast(h.s, "count", func(context.Context, int) error { ran.Add(1); return nil }, opts...)
					big := `"` + string(bytes.Repeat([]byte("x"), 900_000)) + `"`
					const casts = 600
					var in []byte
					if protocol == "v1" {
						p := h.visit()
						p.send(ours, "echo", big)
						p.send(ours, "echo", big)
						synctest.Wait()
						for range casts {
							in = wire.AppendMessage(in, ours+";1", "count", "1")
						}
						p.nc.Write(in)
					} else {
						p := h.visit2(nil)
						for range 2 {
							p.open(wire.FlagMore, wire.OpenHead{}, "echo", big[:1])
							for rest := big[1:]; len(rest) > 0; {
								n, f := min(len(rest), 60_000), wire.FlagMore
								if n == len(rest) {
									f = wire.FlagEnd
								}
								p.frame(wire.KindData, f, p.last, []byte(rest[:n]))
								rest = rest[n:]
							}
						}
						synctest.Wait()
						for range casts {
							in = p.opening(in, wire.FlagEnd, wire.OpenHead{OneWay: true}, "count", "1")
						}
						p.write(in)
					}
					synctest.Wait()
					// A reader of version 1 that has no room takes nothing more, casts neither; what it takes runs.
					if got := ran.Load(); protocol == "v2" && got != casts {
						t.Errorf("%d of %d casts ran", got, casts)
					}
					if st := h.s.Stats(); st.InFlight != 0 {
						t.Errorf("in flight: got %+v", st)
					}
				})
			})
		}
	}
}

// TestNothingStaysInFlight lets peers of all kinds do at random what they can, until they leave or the server stops, and counts what is left then.
func TestNothingStaysInFlight(t *testing.T) {
	for seed := range uint64(of(60, 600)) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var told, done atomic.Uint64
			cfg := &rpcserver.Config{
				Workers: 1 + r.IntN(3), Queue: r.IntN(6) - 1, MaxInFlight: 3 + r.IntN(12), MaxConnInFlight: 2 + r.IntN(6), MaxConns: 4 + r.IntN(8),
				Adaptive: r.IntN(2) == 0, HalfMessage: time.Second, WriteStall: time.Second, MaxConnMemory: 1 << 20, MaxMessage: 64 << 10,
				Observer: &rpcserver.Observer{Refused: func(string, net.Addr) { told.Add(1) }, CallDone: func(rpcserver.CallInfo) { done.Add(1) }},
			}
			if r.IntN(3) == 0 {
				cfg.Rate = rpcserver.Rate{PerSecond: 500, Burst: 20}
			}
			h := inMemory(t, cfg, 4<<10)
			misbehave(h.s)
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() { visitAtRandom(h, rand.New(rand.NewPCG(seed, uint64(i+2)))) })
			}
			stops := r.IntN(2) == 0
			if stops {
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(3000))*time.Millisecond)
				defer cancel()
				if err := h.s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("seed %d: shutdown: %v", seed, err)
				}
			}
			all.Wait()
			time.Sleep(5 * time.Minute)
			st := h.s.Stats()
			if st.InFlight != 0 || st.Running != 0 || st.Queued != 0 || st.Streams != 0 || st.Open != 0 || st.OpenV1 != 0 || st.OpenV2 != 0 {
				t.Errorf("seed %d: left behind: %+v", seed, st)
			}
			refused := uint64(0)
			for _, n := range st.Refusals {
				refused += n
			}
			if refused != told.Load() {
				t.Errorf("seed %d: %d refusals, %d were told: %v", seed, refused, told.Load(), st.Refusals)
			}
			if done.Load() > st.Calls {
				t.Errorf("seed %d: %d calls done of %d", seed, done.Load(), st.Calls)
			}
			if !stops {
				p := h.visit()
				p.send("1", "fib", "10")
				p.want("1 fib_res 89")
			}
		})
	}
}

// misbehave adds services that do all that a handler can.
func misbehave(s *rpcserver.Server) {
	nap := func(ctx context.Context, n int) (int, error) {
		select {
		case <-time.After(time.Duration(n) * time.Millisecond):
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	rpcserver.Handle(s, "nap", nap)
	rpcserver.Handle(s, "deaf", func(_ context.Context, n int) (int, error) { return nap(context.Background(), n) })
	rpcserver.Handle(s, "wrong", func(context.Context, int) (int, error) { return 0, rpcserver.Errorf(rpcserver.Aborted, "no") })
	rpcserver.Handle(s, "panic", func(context.Context, int) (int, error) { panic("no") })
	rpcserver.Handle(s, "exit", func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil })
	rpcserver.Handle(s, "quickpanic", func(context.Context, int) (int, error) { panic("no") }, rpcserver.Quick())
	rpcserver.Handle(s, "quickexit", func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil }, rpcserver.Quick())
	rpcserver.Handle(s, "big", func(context.Context, int) (string, error) { return string(bytes.Repeat([]byte("x"), 60_000)), nil })
	rpcserver.HandleCast(s, "cast", func(ctx context.Context, n int) error { _, err := nap(ctx, n); return err })
}

// deeds are the services that peers call at random; an unknown one is among them.
var deeds = []string{
	"nap", "nap", "nap", "nap", "deaf", "wrong", "panic", "exit", "quickpanic", "quickexit", "big", "big", "cast", "fibs", "ticks", "sum", "chat",
	"fib", "fib", "!health", "!services", "nothing",
}

// visitAtRandom opens one connection after the other.
func visitAtRandom(h *house, r *rand.Rand) {
	for range 4 {
		nc, err := h.dial()
		if err != nil {
			return // the server has stopped
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		if r.IntN(4) > 0 { // the others never read
			go io.Copy(io.Discard, nc) // ends with the connection
		}
		p := &peer2{t: h.t, nc: nc}
		kind := r.IntN(4)
		if kind == 3 {
			nc.Write([]byte(wire.Magic + "\x00\x00\x00"))
		}
		for range 1 + r.IntN(40) {
			if _, err := nc.Write(deed(p, kind, r)); err != nil {
				break
			}
			time.Sleep(time.Duration(r.IntN(3)*r.IntN(30)) * time.Millisecond)
		}
		if r.IntN(2) == 0 {
			time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		}
		nc.Close()
	}
}

// deed is what a peer does next.
func deed(p *peer2, kind int, r *rand.Rand) []byte {
	name, payload := deeds[r.IntN(len(deeds))], fmt.Sprint(r.IntN(80))
	deadline := time.Duration(r.IntN(2)*(1+r.IntN(60))) * time.Millisecond
	switch kind {
	case 0:
		return fmt.Appendf(nil, "GET /%s HTTP/1.1\r\nHost: here\r\n\r\n", []string{"healthz", "services", "x"}[r.IntN(3)])
	case 1:
		return wire.AppendMessage(nil, "plain", name, payload)
	case 2:
		id := ours + []string{"", ";1"}[r.IntN(2)]
		if deadline > 0 {
			id += fmt.Sprintf(";d=%d", deadline.Milliseconds())
		}
		in := wire.AppendMessage(nil, id, name, payload)
		return in[:len(in)-r.IntN(20)/19] // or half of it
	}
	head := wire.OpenHead{Timeout: deadline, OneWay: r.IntN(5) == 0}
	switch open := p.last; {
	case open == 0 || r.IntN(3) > 0:
		flags := wire.FlagEnd
		if name == "sum" || name == "chat" {
			flags = wire.Flags(r.IntN(2)) // END or not
		}
		return p.opening(nil, flags, head, name, payload)
	case r.IntN(2) == 0:
		return wire.AppendFrame(nil, wire.KindError, 0, 1+r.Uint32N(open), []byte{byte(wire.Canceled)})
	default:
		return wire.AppendFrame(nil, wire.KindData, wire.Flags(r.IntN(2)), 1+r.Uint32N(open), []byte("5"))
	}
}
