package rpcclient_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// Servers that accept and hang up, or answer what is no protocol, cost no call
// while there is a good one, and are not dialed all the time.
func TestBadServersBesideAGoodOne(t *testing.T) {
	for name, script := range map[string]peer.Script{
		"hangs up": peer.HangUp,
		"garbage":  func(c *peer.Conn, m peer.Message) { c.Send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := serveTwin(t, marked)
				var dials [2]atomic.Int64
				bad := memnet.Listen()
				peer.Serve(t, bad, script)
				c, err := rpcclient.New("good:1,bad:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
					if address == "bad:1" {
						dials[1].Add(1)
						return bad.Dial(ctx, network, address)
					}
					dials[0].Add(1)
					return good.ln.Dial(ctx, network, address)
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if failed, err := load(t, c, 20*time.Second, 10*time.Millisecond, rpcclient.Idempotent()); failed > 0 {
					t.Errorf("%d calls failed, the last with %v", failed, err)
				}
				if got := dials[1].Load(); got > 60 {
					t.Errorf("the bad server was dialed %d times in 20s", got)
				}
				if p := peerOf(t, c, "bad:1"); p.Failures == 0 || p.Calls > 200 {
					t.Errorf("the bad one: %+v", p)
				}
			})
		})
	}
}

// dialer is a Config.Dialer.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// watchDials makes dials take a moment and counts how many there are at once.
func watchDials(dial dialer, mu *sync.Mutex, now, most *int) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		*now++
		*most = max(*most, *now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			*now--
			mu.Unlock()
		}()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return dial(ctx, network, address)
	}
}

// A server that takes connections and sends every one away at once is not dialed
// as fast as that goes.
func TestServerThatSendsAway(t *testing.T) {
	for _, target := range []string{"a:1", "a:1,b:1"} {
		synctest.Test(t, func(t *testing.T) {
			w := build(t, 2, nil)
			var wg sync.WaitGroup
			var dials atomic.Int64
			c, err := rpcclient.New(target, &rpcclient.Config{Protocol: rpcclient.V2, Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != "a:1" {
					return w.dial(ctx, network, address)
				}
				dials.Add(1)
				ours, theirs := memnet.Pipe(0)
				wg.Go(func() { // ends when the client hangs up: it is in no hurry itself
					defer theirs.Close()
					_, _ = theirs.Write([]byte(wire.Magic + "\x00\x00\x00" + "\x60\x00\x03\x00\x00\x00"))
					_, _ = io.Copy(io.Discard, theirs)
					time.Sleep(10 * time.Second)
				})
				return ours, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			failed, err := load(t, c, 10*time.Second, time.Millisecond)
			if got := dials.Load(); got > 220 {
				t.Errorf("%s: dialed %d times in 10s", target, got)
			}
			if target != "a:1" && failed > 0 {
				t.Errorf("%d calls failed beside a good server: %v", failed, err)
			}
			c.Close()
			wg.Wait()
		})
	}
}
