package rpcclient_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
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

// deaf accepts one connection that nobody reads from.
func deaf(t *testing.T, buffer int) (*rpcclient.Client, func() net.Conn) {
	t.Helper()
	ln := memnet.ListenBuffer(buffer)
	c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		ln.Close()
	})
	return c, func() net.Conn {
		sock, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sock.Close() })
		return sock
	}
}

// A server that does not read is cut after ten seconds; what waits for it stays
// bounded, and callers keep their own deadlines.
func TestServerThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, accept := deaf(t, 4<<10)
		payload := strings.Repeat("x", 100<<10)
		start := time.Now()
		results := make(chan error, 100)
		for range 100 {
			go func() {
				_, err := rpcclient.Call[string](t.Context(), c, "x", payload)
				results <- err
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := rpcclient.Call[string](ctx, c, "x", payload); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the caller's deadline after 1s", err, time.Since(start))
		}
		accept()
		if s := c.Stats(); s.Pending != 100 || s.Sent > 12 {
			t.Errorf("%d pending, %d frames in the outbox; want 100 and at most 1 MiB of frames", s.Pending, s.Sent)
		}
		lost := 0
		for range 100 {
			if err := <-results; errors.Is(err, rpcclient.ErrConnectionLost) {
				lost++
			}
		}
		if lost != 100 {
			t.Errorf("%d of 100 calls failed with the connection", lost)
		}
		// One call's bytes had begun to leave. The others were sent again on up
		// to two more connections, which were as deaf.
		if got := time.Since(start); got < 10*time.Second || got > 35*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

// A server that takes a little now and then is not cut, however long it takes.
func TestSlowReaderIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, accept := deaf(t, 4<<10)
		done := make(chan error, 1)
		go func() { done <- rpcclient.Cast(t.Context(), c, "x", strings.Repeat("x", 64<<10)) }()
		sock := accept()
		var reader sync.WaitGroup
		reader.Go(func() {
			for buf := make([]byte, 1<<10); ; {
				if _, err := io.ReadFull(sock, buf); err != nil {
					return
				}
				time.Sleep(9 * time.Second)
			}
		})
		if err := <-done; err != nil {
			t.Errorf("cast to a slow reader: %v", err)
		}
		c.Close()
		reader.Wait()
	})
}

// 100 000 mutated replies: no panic, no goroutine left, every call returns. The
// clock is fake, so the pauses between useless connections cost nothing.
func TestMutatedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perConn = 4
		inputs := 100_000
		if testing.Short() || raceEnabled {
			inputs = 2_000
		}
		rng := rand.New(rand.NewPCG(1, 2))
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			var out []byte
			for range perConn {
				out = append(out, mutate(rng, peer.Frame(m.ID, "r_res", `{"n":"你好"}`))...)
			}
			c.Send(out)
			c.Close()
		})
		outcomes := map[error]int{}
		for range inputs / perConn {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := c.Invoke(ctx, "r", nil)
			cancel()
			var kind error
			if err != nil {
				kind = err.(*rpcclient.Error).Kind
			}
			if kind == rpcclient.ErrContext || kind == rpcclient.ErrConnect {
				t.Fatalf("unexpected failure: %v", err)
			}
			outcomes[kind]++
		}
		t.Logf("outcomes: %v; %+v", outcomes, c.Stats().Dropped)
		if len(outcomes) < 3 {
			t.Errorf("only these outcomes: %v; the mutations test too little", outcomes)
		}
	})
}

// mutate breaks a frame in one of the ways frames break.
func mutate(rng *rand.Rand, frame []byte) []byte {
	at := rng.IntN(len(frame))
	switch rng.IntN(6) {
	case 0:
		frame[at] ^= 1 << rng.IntN(8)
	case 1:
		frame = append(frame[:at], frame[at+1:]...)
	case 2:
		frame = frame[:at]
	case 3:
		frame = append(frame[:at:at], append([]byte{byte(rng.Uint32())}, frame[at:]...)...)
	case 4:
		n := int(binary.BigEndian.Uint32(frame))
		binary.BigEndian.PutUint32(frame[4+n:], uint32(rng.IntN(30)))
	}
	return frame
}

// 1000 clients whose servers declare a mebibyte and send one byte take no
// memory for it, and give up after ten seconds.
func TestDeclaredLengthsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 16 << 10
		clients := 1000
		if testing.Short() || raceEnabled {
			clients = 100
		}
		ln := memnet.ListenBuffer(1 << 10)
		peer.Serve(t, ln, func(c *peer.Conn, m peer.Message) {
			frame := peer.Frame(m.ID, "r", strings.Repeat("x", 1<<20))
			c.Send(frame[:len(frame)-1<<20+1])
		})
		var wg sync.WaitGroup
		before := heap()
		start := time.Now()
		for range clients {
			c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := c.Invoke(t.Context(), "x", nil); !errors.Is(err, rpcclient.ErrProtocol) {
					t.Errorf("got %v", err)
				}
				c.Close()
			})
		}
		synctest.Wait()
		each := (heap() - before) / int64(clients)
		// Both ends, the network's buffers and the peer's record included.
		figure(t, "heap_per_half_reply", float64(each), limit)
		wg.Wait()
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("they gave up after %v, want 10s", got)
		}
	})
}

// figure prints a measured figure, and fails the test if it is over its limit.
func figure(t *testing.T, name string, value, limit float64) {
	t.Helper()
	verdict := "PASS"
	if value > limit {
		verdict = "FAIL"
		t.Fail()
	}
	t.Logf("%s %g %g %s", name, value, limit, verdict)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
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
