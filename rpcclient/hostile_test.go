package rpcclient_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

// What a server may do to a client, and after how long the client has had enough.
func TestHostileServers(t *testing.T) {
	send := func(b string) peer.Script { return func(c *peer.Conn, _ peer.Message) { c.Send([]byte(b)) } }
	drip := func(c *peer.Conn, m peer.Message) {
		for _, b := range peer.Frame(m.ID, "r", strings.Repeat(" ", 40)+"1") {
			c.Send([]byte{b})
			time.Sleep(time.Second)
		}
	}
	for _, test := range []struct {
		name   string
		script peer.Script
		after  time.Duration
		kind   error
		text   string
	}{
		{"negative length", send("\xff\xff\xff\xff"), 0, rpcclient.ErrProtocol, "id length -1"},
		{"huge id", send("\x00\x00\x04\x01"), 0, rpcclient.ErrProtocol, "id length 1025"},
		{"huge type", send("\x00\x00\x00\x01x\x00\x10\x00\x01"), 0, rpcclient.ErrProtocol, "type length 1048577"},
		{"huge payload", send("\x00\x00\x00\x01x\x00\x00\x00\x01x\x7f\xff\xff\xff"), 0, rpcclient.ErrProtocol, "payload length 2147483647"},
		{"HTTP", send("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, rpcclient.ErrProtocol, "speaks HTTP"},
		{"SSH", send("SSH-2.0-OpenSSH_9.6\r\n"), 0, rpcclient.ErrProtocol, "speaks SSH"},
		{"TLS", send("\x15\x03\x01\x00\x02\x02\x46"), 0, rpcclient.ErrProtocol, "speaks TLS"},
		{"something else", send("220 mail\x1b[2J ready\r\n"), 0, rpcclient.ErrProtocol, `it says "220 mail\x1b[2J ready\r\n"`},
		{"half a length", send("\x00\x00"), 10 * time.Second, rpcclient.ErrProtocol, "half a reply"},
		{"half a reply", send("\x00\x00\x00\x01x\x00\x00\x00\x01x\x00\x10\x00\x00y"), 10 * time.Second, rpcclient.ErrProtocol, "half a reply"},
		{"one byte a second", drip, 10 * time.Second, rpcclient.ErrProtocol, "half a reply"},
		{"hanging up", peer.HangUp, 0, rpcclient.ErrConnectionLost, "the server closed it"},
		{"hanging up in a reply", func(c *peer.Conn, _ peer.Message) { c.Send([]byte("\x00\x00\x00\x01")); c.Close() }, 0, rpcclient.ErrProtocol, "in the middle of a reply"},
		{"half close", func(c *peer.Conn, _ peer.Message) { c.CloseWrite() }, 0, rpcclient.ErrConnectionLost, "the server closed it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := connect(t, test.script)
				start := time.Now()
				_, err := rpcclient.Call[int](t.Context(), c, "x", 1)
				e, ok := errors.AsType[*rpcclient.Error](err)
				if !ok || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) || e.Attempts != 1 {
					t.Errorf("got %v; want %v, %q", err, test.kind, test.text)
				}
				if got := time.Since(start); got != test.after {
					t.Errorf("it took %v, want %v", got, test.after)
				}
				if strings.ContainsAny(err.Error(), "\x1b\r\n") {
					t.Errorf("raw control characters in %q", err)
				}
			})
		})
	}
}

// Complete replies between halves do not prolong a half's time, and do not
// shorten it either.
func TestEveryReplyHasItsOwnTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			frame := peer.Frame(m.ID, "r", m.Payload)
			c.Send(frame[:7])
			time.Sleep(9 * time.Second)
			c.Send(frame[7:])
		})
		for i := range 5 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
			time.Sleep(time.Duration(i) * 3 * time.Second)
		}
		time.Sleep(time.Hour)
		if got, err := rpcclient.Call[int](t.Context(), c, "n", 9); got != 9 || err != nil {
			t.Errorf("after an hour: %d, %v", got, err)
		}
		if s := c.Stats(); s.Reconnects != 0 {
			t.Errorf("%d reconnects, want none", s.Reconnects)
		}
	})
}

// A payload that waits for a repair which never comes is answered as it stands
// when its time is over.
func TestRepairThatNeverComesEndsAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "bad" {
				c.Reply(m.ID, "r", `"é`)
				return
			}
			peer.Echo(c, m)
		})
		start := time.Now()
		_, err := rpcclient.Call[string](t.Context(), c, "bad", 1)
		if !errors.Is(err, rpcclient.ErrReply) || time.Since(start) != 10*time.Second {
			t.Errorf("got %v after %v, want a reply of no use after 10s", err, time.Since(start))
		}
		if got, err := rpcclient.Call[int](t.Context(), c, "n", 3); got != 3 || err != nil {
			t.Errorf("the next call gave %d, %v", got, err)
		}
		if s := c.Stats(); s.Reconnects != 0 {
			t.Errorf("%d reconnects, want none", s.Reconnects)
		}
	})
}

// Large messages in both directions at once fill the socket's buffers: the write
// that does not fit must go on beside the reading, or both ends wait for ever.
func TestLargeMessagesBothWays(t *testing.T) {
	c, err := rpcclient.Dial(t.Context(), echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	callers := 32
	if testing.Short() || raceEnabled {
		callers = 8 // still far beyond what two sockets hold
	}
	var wg sync.WaitGroup
	for i := range callers {
		want := strings.Repeat(string(rune('a'+i%26)), 900<<10+i)
		wg.Go(func() {
			for range 3 {
				if got, err := rpcclient.Call[string](t.Context(), c, "echo", want); got != want || err != nil {
					t.Errorf("caller %d got %d bytes, %v; want %d", i, len(got), err, len(want))
				}
			}
		})
	}
	wg.Wait()
}

// What goes to the log is readable and short, whatever the server sends.
func TestLogLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			for range 3 {
				c.Reply("\x1b[2J"+strings.Repeat("x", 500), "r", "1")
			}
			c.Reply(m.ID, "r", "1")
			c.Send([]byte("\xff\x1b]0;title\x07"))
		}, func(cfg *rpcclient.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
		if _, err := rpcclient.Call[int](t.Context(), c, "x", 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, want := range []string{"msg=connected", "dropped a reply nobody waits for", "msg=disconnected"} {
			if len(lines) != 3 || !strings.Contains(lines[i], want) || len(lines[i]) > 400 {
				t.Fatalf("log %q, want three short lines, one with %q", lines, want)
			}
		}
		if strings.ContainsAny(out.String(), "\x1b\x07") {
			t.Errorf("raw control characters in the log: %q", out.String())
		}
	})
}
