package rpcclient_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// A server that knows version 1 alone is asked once whether there is more, and then
// serves calls with metadata like all others: also when nobody can connect to it
// any more, and when what was learned about its address is long forgotten.
func TestMetadataLeavesPlainServersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		peer.ServeMagic(t, ln, peer.Echo, peer.Stay)
		var dials atomic.Int64
		var full atomic.Bool
		c, err := rpcclient.New("a:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			if full.Load() {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNRESET}
			}
			return ln.Dial(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"tenant": "a"})
		for i := range 240 { // for 40 minutes
			if got, err := rpcclient.Call[int](ctx, c, "n", i); got != i || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
			full.Store(true)
			time.Sleep(10 * time.Second)
		}
		if got := dials.Load(); got != 2 {
			t.Errorf("%d connections were asked for, want one and one to find out", got)
		}
	})
}

// Where it cannot be found out whether there is a version 2, because the server takes
// no second connection, a call goes over the one that there is.
func TestMetadataWithoutASecondConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		peer.ServeMagic(t, ln, peer.Echo, peer.Stay)
		var dials atomic.Int64
		c, err := rpcclient.New("a:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNRESET}
			}
			return ln.Dial(ctx, network, address)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := rpcclient.Cast(t.Context(), c, "n", 1); err != nil { // connects, and learns nothing
			t.Fatal(err)
		}
		ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"tenant": "a"})
		if got, err := rpcclient.Call[int](ctx, c, "n", 7); got != 7 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// That one server has no version 2 says nothing about the next one in the list.
func TestMetadataStaysBehindAtPlainServersAlone(t *testing.T) {
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			var without atomic.Int64
			plain := memnet.Listen()
			peer.ServeMagic(t, plain, peer.Echo, peer.Stay)
			ours := serveTwin(t, func(c *peer.Conn, m peer.Message) {
				without.Add(1)
				marked(c, m)
			})
			c, err := rpcclient.New("a:1,b:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "a:1" {
					return plain.Dial(ctx, network, address)
				}
				return ours.ln.Dial(ctx, network, address)
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"tenant": "a"})
			for i := range 4 {
				if _, err := rpcclient.Call[int](ctx, c, "echo", i); err != nil {
					t.Error(err)
				}
			}
			if n := without.Load(); n > 0 {
				t.Errorf("the server of version 2 got %d calls without their metadata", n)
			}
		})
	}
}

// Who has waited for a place tells the server how much time is left, not how much
// there was.
func TestDeadlineAfterTheLine(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		for _, line := range []string{"of the server", "of the connection"} {
			t.Run(fmt.Sprintf("%s, %s", protocol, line), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					told := make(chan time.Duration, 2)
					w := build(t, 1, func(s *twin, st *mux.Stream) {
						payload := s.first(st)
						told <- st.Head().Timeout
						time.Sleep(3 * time.Second)
						_ = st.Finish(payload, nil, false)
					}, func(c *peer.Conn, m peer.Message) {
						_, mark, _ := wire.ParseMark([]byte(m.ID))
						told <- mark.Timeout
						time.Sleep(3 * time.Second)
						c.Reply(m.ID[:wire.PrefixLen]+"!1", m.Type+"_res", m.Payload)
					})
					c := w.client(func(cfg *rpcclient.Config) {
						cfg.Protocol = protocol
						if line == "of the server" {
							cfg.Pool.MaxInFlight = 1
						} else {
							cfg.MaxInFlight, cfg.Pool.Max = 1, 1
						}
					})
					var wg sync.WaitGroup
					for range 2 {
						wg.Go(func() { _, _ = rpcclient.Call[int](within(t, 5*time.Second), c, "n", 1) })
						synctest.Wait()
					}
					wg.Wait()
					if first, second := <-told, <-told; first != 5*time.Second || second != 2*time.Second {
						t.Errorf("the server was told %v and %v, want 5s and 2s", first, second)
					}
				})
			})
		}
	}
}
