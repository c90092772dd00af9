package rpcclient_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// A server of version 2 that breaks the rules: the call fails and names the
// breach, the next one connects again and works.
func TestHostileVersion2(t *testing.T) {
	for _, test := range []struct{ name, says, want string }{
		{"no magic", "HTTP/1.1 400 Bad Request\r\n\r\n", wire.BadMagic},
		{"no SETTINGS first", wire.Magic + "\x21\x01\x011", wire.NoSettings},
		{"SETTINGS twice", hello + "\x00\x00\x00", wire.SecondSettings},
		{"bad SETTINGS", wire.Magic + "\x00\x00\x03\x02\x01\x05", wire.BadSettings},
		{"DATA on stream 0", hello + "\x21\x00\x011", wire.WrongStream},
		{"a stream never opened", hello + "\x21\x09\x011", wire.StreamUnknown},
		{"credit for one", hello + "\x40\x09\x01\x01", wire.StreamUnknown},
		{"credit overflow", hello + "\x40\x01\x05\xff\xff\xff\xff\x07", wire.CreditOverflow},
		{"OPEN from a server", hello + "\x11\x01\x06\x00\x00\x00\x01\x01x", wire.WrongRole},
		{"kind 7", hello + "\x70\x00\x00", wire.UnknownKind},
		{"kind 9 on a stream", hello + "\x90\x01\x00", wire.UnknownKind},
		{"a long varint", hello + "\x21\x81\x00\x00", wire.BadVarint},
		{"a large frame", hello + "\x20\x01\x81\x80\x04", wire.FrameTooLarge},
		{"unknown flags", hello + "\x42\x01\x01\x01", wire.BadFlags},
		{"a fragment of nothing", hello + "\x28\x01\x01a\x24\x01\x01b", wire.BadFragment},
		{"bad metadata", hello + "\x23\x01\x02\x05\x01", wire.BadMetadata},
		{"much metadata", hello + "\x23\x01\x03\xff\xff\x7f", wire.MetadataTooLarge},
		{"bad ERROR", hello + "\x30\x01\x00", wire.BadControl},
		{"half a frame", hello + "\x21\x01\x05ab", "half a reply"},
		{"nothing", "", "v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dials atomic.Int32
				var wg sync.WaitGroup
				defer wg.Wait()
				s := serveTwin(t, marked)
				c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) {
					c.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
						if dials.Add(1) > 1 {
							return s.dial(ctx, network, address)
						}
						ours, theirs := memnet.Pipe(0)
						wg.Go(func() { // ends when the client hangs up
							defer theirs.Close()
							buf := make([]byte, 1024)
							for n := 0; n <= len(hello); { // until OPEN is there
								m, err := theirs.Read(buf)
								if n += m; err != nil {
									return
								}
							}
							if test.says == "" {
								return
							}
							_, _ = theirs.Write([]byte(test.says))
							for {
								if _, err := theirs.Read(buf); err != nil {
									return
								}
							}
						})
						return ours, nil
					}
				})
				start := time.Now()
				_, err := rpcclient.Call[int](t.Context(), c, "echo", 1)
				want := rpcclient.ErrProtocol
				if test.says == "" {
					want = rpcclient.ErrConnectionLost
				}
				e := kind(t, err, want, rpcclient.Unavailable)
				if !strings.Contains(e.Message, test.want) || e.Attempts != 1 || time.Since(start) > 11*time.Second {
					t.Errorf("%q after %d attempts and %v, want %q", e.Message, e.Attempts, time.Since(start), test.want)
				}
				if got := echoOver(t, c, 2); got != "v2" {
					t.Errorf("the next call went over %s", got)
				}
			})
		})
	}
}

// What is harmless passes: frames of kinds that do not exist yet, pings, late data.
func TestHarmlessOddities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memnet.Pipe(0)
		defer theirs.Close()
		c, err := rpcclient.New("memory:1", &rpcclient.Config{Protocol: rpcclient.V2, Dialer: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { // ends with its writes, or with the pipe
			buf := make([]byte, 1024)
			for n := 0; n <= 7; { // until OPEN is there
				m, err := theirs.Read(buf)
				if n += m; err != nil {
					return
				}
			}
			_, _ = theirs.Write([]byte(wire.Magic + "\x00\x00\x00" + "\x90\x00\x02hi" + "\x50\x00\x01x" + "\x20\x01\x017" + "\x21\x01\x00" + "\x21\x01\x018"))
		}()
		for v, err := range rpcclient.Stream[int](t.Context(), c, "x", 1) {
			if v != 7 || err != nil {
				t.Errorf("%d, %v; want 7", v, err)
			}
		}
		synctest.Wait()
		if got := c.Stats(); got.Dropped.Late != 1 || got.State != rpcclient.Connected {
			t.Errorf("stats %+v, want one late frame and a connection", got)
		}
	})
}
