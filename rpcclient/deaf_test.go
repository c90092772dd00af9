package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// deafDialer is a Config.Dialer to a server that never reads. Over version 2 it has said before that it takes all there is.
func deafDialer(t *testing.T, protocol rpcclient.Protocol) dialer {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := memnet.Pipe(4 << 10)
		t.Cleanup(func() { theirs.Close() })
		if protocol == rpcclient.V2 {
			all := wire.AppendSettings(nil, &wire.Settings{Window: 1 << 30, MaxMessage: 1 << 20, MaxStreams: 100_000})
			say(theirs, string(wire.AppendFrame([]byte(wire.Magic), wire.KindSettings, 0, 0, all)))
		}
		return ours, nil
	}
}

// TestFigures09ServerThatNeverReads gets one large call after the other. The encoded payload of a call is there for as long as its caller waits;
// what is held beside that, and what is left when callers have given up, is the client's own. The last ones give up first, and small payloads
// are what a call's buffers keep: so nothing that was theirs may stay behind in a line.
func TestFigures09ServerThatNeverReads(t *testing.T) {
	const most = 16 << 20
	callers := of(300, 1000)
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			name := func(what string) string { return fmt.Sprintf("%v_server_that_never_reads_%s", protocol, what) }
			c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: deafDialer(t, protocol), Protocol: protocol})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			before := heap()
			start := time.Now()
			cut := make(chan error, 1)
			go func() { // ends when the connection is cut; received below
				cut <- rpcclient.Cast(t.Context(), c, "x", strings.Repeat("x", 20<<10))
			}()
			synctest.Wait()
			var beside, left int64
			var late atomic.Int32
			for _, size := range []int{120 << 10, 60 << 10, 60 << 10} {
				payload := json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() {
						limit := 3*time.Second - time.Duration(i)*time.Microsecond
						ctx, cancel := context.WithTimeout(t.Context(), limit)
						defer cancel()
						began := time.Now()
						if _, err := c.Invoke(ctx, "x", payload); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != limit {
							late.Add(1)
						}
					})
					synctest.Wait()
				}
				time.Sleep(2 * time.Second)
				beside = max(beside, heap()-before-int64(callers*size))
				wg.Wait()
				left = max(left, heap()-before)
			}
			figure(t, name("heap_beside_what_callers_wait_with"), float64(beside), most)
			figure(t, name("heap_when_they_have_given_up"), float64(left), most)
			figure(t, name("callers_whose_deadline_was_not_kept"), float64(late.Load()), 0)
			if err := <-cut; !errors.Is(err, rpcclient.ErrConnectionLost) {
				t.Errorf("the cast whose bytes had begun to leave gave %v", err)
			}
			figure(t, name("seconds_until_cut"), time.Since(start).Seconds(), 11)
		})
	}
}

// TestFigures09NeighbourOfOneThatNeverReads has a client of two servers, of which one never reads: calls that go to the other one do not wait.
func TestFigures09NeighbourOfOneThatNeverReads(t *testing.T) {
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			name := func(what string) string {
				return fmt.Sprintf("%v_neighbour_of_one_that_never_reads_%s", protocol, what)
			}
			good := serveTwin(t, marked)
			toDeaf := deafDialer(t, protocol)
			c, err := rpcclient.Dial(t.Context(), "a:1,b:1", &rpcclient.Config{Protocol: protocol, Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "a:1" {
					return toDeaf(ctx, network, address)
				}
				return good.dial(ctx, network, address)
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			synctest.Wait() // both are connected
			large := strings.Repeat("x", 256<<10)
			var stuck sync.WaitGroup
			for range 40 {
				stuck.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
					defer cancel()
					_, _ = rpcclient.Call[string](ctx, c, "echo", large) // half of them or so are answered
				})
			}
			synctest.Wait()
			if p := peerOf(t, c, "a:1"); p.Pending == 0 {
				t.Errorf("nothing waits for the one that does not read: %+v", p)
			}
			answered, waited := 0, time.Duration(0)
			for i := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				start := time.Now()
				if got, err := rpcclient.Call[int](ctx, c, "echo", i); got == i && err == nil {
					answered++
					waited = max(waited, time.Since(start))
				}
				cancel()
			}
			figure(t, name("ms_that_its_calls_waited"), float64(waited.Milliseconds()), 0)
			atLeast(t, name("calls_of_100"), float64(answered), 90)
			stuck.Wait()
		})
	}
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
