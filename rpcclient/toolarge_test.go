package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// tooLarge is the beginning of a reply whose payload is over every limit of these tests.
func tooLarge(id string) []byte {
	frame := peer.Frame(id, "big_res", "")
	return append(frame[:len(frame)-4], 0, 0x20, 0, 2, '"', 'x')
}

// A reply over the limit of version 1 fails its call with what to do about it, and
// once; the connection ends, and the neighbours hear whose fault that was.
func TestReplyTooLargeV1(t *testing.T) {
	for _, test := range []struct {
		name  string
		first bool // nothing came before
		cut   int  // where the reply is cut in two
	}{
		{"the first reply", true, 0},
		{"a later one", false, 0},
		{"in two parts", true, 40},
		{"in two parts, a later one", false, 25},
		{"the id in two parts", false, 10},
		{"the id's length in two parts", true, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c, s := connect(t, func(c *peer.Conn, m peer.Message) {
					switch m.Type {
					case "n":
						peer.Echo(c, m)
					case "big":
						asked++
						frame := tooLarge(m.ID)
						if test.cut > 0 {
							c.Send(frame[:test.cut])
							time.Sleep(time.Millisecond)
						}
						c.Send(frame[test.cut:])
					}
				})
				if !test.first {
					if got, err := rpcclient.Call[int](t.Context(), c, "n", 1); got != 1 || err != nil {
						t.Fatalf("got %d, %v", got, err)
					}
				}
				neighbour := make(chan error, 1)
				go func() { // ends with the connection
					_, err := rpcclient.Call[int](t.Context(), c, "silence", 1)
					neighbour <- err
				}()
				synctest.Wait()
				_, err := rpcclient.Call[string](t.Context(), c, "big", nil, rpcclient.Idempotent())
				e := kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
				if want := "reply has 2097154 bytes, the limit is 1048576: raise Config.MaxMessage"; e.Message != want || asked != 1 {
					t.Errorf("%q, asked %d times; want %q, once", e.Message, asked, want)
				}
				if err := <-neighbour; !errors.Is(err, rpcclient.ErrConnectionLost) || !strings.Contains(err.Error(), "connection lost: another call's reply has 2097154 bytes") {
					t.Errorf("the neighbour got %v", err)
				}
				if got, err := rpcclient.Call[int](t.Context(), c, "n", 2); got != 2 || err != nil {
					t.Errorf("afterwards: %d, %v", got, err)
				}
				if n := len(s.Conns()); n != 2 {
					t.Errorf("%d connections, want 2", n)
				}
			})
		})
	}
}

// What only looks like a large reply is still no rpckids server; a call that was
// given up in the meantime takes nothing with it but the connection.
func TestNotAReplyTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, says := range []string{string(tooLarge("nobody's")), "\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff", "\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"} {
			c, _ := connect(t, func(c *peer.Conn, m peer.Message) { c.Send([]byte(says)) })
			_, err := rpcclient.Call[int](t.Context(), c, "n", 1)
			if e := kind(t, err, rpcclient.ErrProtocol, rpcclient.Unavailable); !strings.Contains(e.Message, "this is no rpckids server") {
				t.Errorf("%q gave %v", says, err)
			}
		}
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			time.AfterFunc(time.Second, func() { c.Send(tooLarge(m.ID)) })
		})
		if _, err := rpcclient.Call[int](within(t, time.Millisecond), c, "n", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if st := c.Stats(); st.Conns != 0 {
			t.Errorf("%d connections after a late reply that is too large", st.Conns)
		}
	})
}

// A handler's own resource_exhausted is its work, and no server is left alone for
// it; a server's refusal is not, over version 2 by its flag, over version 1 by the
// time that it names.
func TestExhaustedByWhom(t *testing.T) {
	for _, test := range []struct {
		protocol rpcclient.Protocol
		refused  bool
		after    time.Duration
		blamed   bool
	}{
		{rpcclient.V2, false, 0, false},
		{rpcclient.V2, false, time.Millisecond, false},
		{rpcclient.V2, true, time.Millisecond, true},
		{rpcclient.V1, false, 0, false},
		{rpcclient.V1, true, time.Millisecond, true},
	} {
		t.Run(fmt.Sprintf("%v/refused %v/after %v", test.protocol, test.refused, test.after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exhausted := &wire.Error{Code: wire.ResourceExhausted, Message: "your quota is used up", RetryAfter: test.after}
				w := build(t, 3, func(s *twin, st *mux.Stream) { st.Fail(exhausted, test.refused) }, func(c *peer.Conn, m peer.Message) {
					c.Reply(m.ID[:wire.PrefixLen]+"!1", wire.ErrorType, string(wire.AppendError(nil, exhausted)))
				})
				c := w.client(func(cfg *rpcclient.Config) { cfg.Protocol, cfg.Retry.Attempts = test.protocol, 1 })
				for range 60 {
					_, err := rpcclient.Call[int](t.Context(), c, "quota", 1)
					kind(t, err, rpcclient.ErrServer, rpcclient.ResourceExhausted)
				}
				failures, ejections := uint64(0), uint64(0)
				for _, p := range c.Peers() {
					failures, ejections = failures+p.Failures, ejections+p.Ejections
				}
				if (failures > 0) != test.blamed || (ejections > 0) != test.blamed {
					t.Errorf("%d failures, %d ejections; blamed should be %v", failures, ejections, test.blamed)
				}
			})
		})
	}
}
