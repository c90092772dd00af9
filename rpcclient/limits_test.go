package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

func TestCallersAboveTheLimitWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, most := 0, 0
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			mu.Unlock()
			time.AfterFunc(time.Second, func() {
				mu.Lock()
				inFlight--
				mu.Unlock()
				peer.Echo(c, m)
			})
		}, func(cfg *rpcclient.Config) { cfg.MaxInFlight = 8 })
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 80 {
			wg.Go(func() {
				if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
					t.Errorf("call %d gave %d, %v", i, got, err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := rpcclient.Call[int](ctx, c, "n", 1)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "before anything was sent") {
			t.Errorf("a caller in line gave %v, want its deadline before anything was sent", err)
		}
		wg.Wait()
		if most != 8 || time.Since(start) != 10*time.Second {
			t.Errorf("%d in flight at most, %v in all; want 8 and 10s", most, time.Since(start))
		}
		for i, m := range s.Messages() {
			if want := fmt.Sprint(i); m.Payload != want {
				t.Fatalf("message %d was %s: callers were not served in order", i, m.Payload)
			}
		}
	})
}

// A caller that goes away makes room for the next one in line, whose frame then
// has to go out although nobody else writes.
func TestAbandonedCallMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "n" {
				peer.Echo(c, m)
			}
		}, func(cfg *rpcclient.Config) { cfg.MaxInFlight = 1 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := rpcclient.Call[int](ctx, c, "silence", 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first call gave %v", err)
			}
		})
		synctest.Wait()
		start := time.Now()
		if got, err := rpcclient.Call[int](t.Context(), c, "n", 2); got != 2 || err != nil || time.Since(start) != time.Second {
			t.Errorf("the next in line got %d, %v after %v; want 2 after 1s", got, err, time.Since(start))
		}
		wg.Wait()
	})
}

// Slow calls do not stand in the way of quick ones, however many ids pass.
func TestSlowCallsBesideManyQuickOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "n" {
				peer.Echo(c, m)
			}
		}, func(cfg *rpcclient.Config) { cfg.Pool.Max = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				if _, err := rpcclient.Call[int](ctx, c, "slow", 1); !errors.Is(err, context.Canceled) {
					t.Errorf("a slow call gave %v", err)
				}
			})
		}
		for i := range 5000 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if got := c.Stats().Pending; got != 0 {
			t.Errorf("%d calls pending after all were canceled", got)
		}
		if got := len(s.Conns()); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
	})
}

func TestWhatIsNeverSent(t *testing.T) {
	c, s := connect(t, peer.Echo, func(cfg *rpcclient.Config) { cfg.MaxMessage = 100 })
	if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 99)
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	over, stop := context.WithCancelCause(t.Context())
	cause := errors.New("the user pressed ctrl+c")
	stop(cause)
	for _, test := range []struct {
		name    string
		ctx     context.Context
		typ     string
		payload any
		kind    error
		text    string
	}{
		{"payload over the limit", t.Context(), "n", long, rpcclient.ErrTooLarge, "payload of n has 101 bytes, the limit is 100"},
		{"type over the limit", t.Context(), long + "xx", 1, rpcclient.ErrTooLarge, "type name has 101 bytes"},
		{"not JSON", t.Context(), "n", json.RawMessage("{oops"), rpcclient.ErrPayload, "at byte 2"},
		{"empty", t.Context(), "n", json.RawMessage{}, rpcclient.ErrPayload, "not JSON"},
		{"not UTF-8", t.Context(), "n", json.RawMessage("\"\xff\""), rpcclient.ErrPayload, "not UTF-8"},
		{"type is not UTF-8", t.Context(), "n\xff", 1, rpcclient.ErrPayload, "is not UTF-8"},
		{"no JSON exists", t.Context(), "n", math.NaN(), rpcclient.ErrPayload, "NaN"},
		{"deadline passed", past, "n", 1, rpcclient.ErrContext, "the deadline passed"},
		{"canceled", over, "n", 1, cause, "canceled"},
	} {
		_, err := rpcclient.Call[any](test.ctx, c, test.typ, test.payload)
		if _, ok := errors.AsType[*rpcclient.Error](err); !ok || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s gave %v; want %v, %q", test.name, err, test.kind, test.text)
		}
	}
	if got := s.Messages(); len(got) != 1 {
		t.Errorf("the server got %v, want only the first call", got)
	}
}

func TestRequestIDsOfTheUsersMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := "37f3863c-4d9d-4ea4-a772-0a71dbb15055"
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "n" {
				peer.Echo(c, m)
			}
		}, func(cfg *rpcclient.Config) { cfg.RequestID = func() string { return id } })
		for range 3 { // one after the other an id may serve again
			if got, err := rpcclient.Call[int](t.Context(), c, "n", 1); got != 1 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
		}
		if got := s.Messages()[0].ID; got != id {
			t.Errorf("id %s, want it as given", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first := make(chan error)
		go func() { _, err := rpcclient.Call[int](ctx, c, "slow", 1); first <- err }()
		synctest.Wait()
		if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); !errors.Is(err, rpcclient.ErrPayload) || !strings.Contains(err.Error(), "already in flight") {
			t.Errorf("the same id beside itself gave %v", err)
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first call gave %v", err)
		}
		id = strings.Repeat("x", 1025)
		if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); !errors.Is(err, rpcclient.ErrTooLarge) {
			t.Errorf("a long id gave %v", err)
		}
		id = "\xff"
		if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); !errors.Is(err, rpcclient.ErrPayload) {
			t.Errorf("an id that is not UTF-8 gave %v", err)
		}
		id = "0123456789abcdef;rk2"
		if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); !errors.Is(err, rpcclient.ErrPayload) {
			t.Errorf("an id like the client's own gave %v", err)
		}
	})
}

func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, peer.Echo)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		rpcclient.Call[int](t.Context(), c, "n", 1)
		rpcclient.Call[int](ctx, c, "n", 1)
		rpcclient.Call[int](ctx, c, "n", 1, rpcclient.Idempotent())
		rpcclient.Cast(ctx, c, "n", 1)
		synctest.Wait()
		got := s.Messages()
		for i, want := range []string{";rk2", ";rk2;d=5000", ";rk2;d=5000;i", ";rk2;d=5000;1"} {
			if id := got[i].ID; id[16:] != want || id[:8] != got[0].ID[:8] || id[8:16] != fmt.Sprintf("%08x", i) {
				t.Errorf("id %d is %s, want prefix, counter and %s", i, id, want)
			}
		}
	})
}

func TestCloseFailsCallsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := connect(t, peer.Silent)
		result := make(chan error)
		go func() { _, err := rpcclient.Call[int](t.Context(), c, "n", 1); result <- err }()
		synctest.Wait()
		start := time.Now()
		go c.Close()
		if err := <-result; !errors.Is(err, rpcclient.ErrClosed) || time.Since(start) != 0 {
			t.Errorf("the call gave %v after %v, want closed at once", err, time.Since(start))
		}
		c.Close()
		if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); !errors.Is(err, rpcclient.ErrClosed) {
			t.Errorf("a call after Close gave %v", err)
		}
		if got := c.Stats().State; got != rpcclient.Closed {
			t.Errorf("state %v, want closed", got)
		}
	})
}

// Close says goodbye and reads to the server's end, so that answers to casts do
// not make the socket reset what was sent. A server that does not end gets a second.
func TestCloseAfterCasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, peer.Echo)
		for range 1000 {
			if err := rpcclient.Cast(t.Context(), c, "log", "x"); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		c.Close()
		synctest.Wait()
		if got := len(s.Messages()); got != 1000 || time.Since(start) != 0 {
			t.Errorf("%d casts arrived after %v, want 1000 at once", got, time.Since(start))
		}
		c, _ = connect(t, func(c *peer.Conn, m peer.Message) { c.Send([]byte{0, 0}); c.Send([]byte{0}) })
		if err := rpcclient.Cast(t.Context(), c, "log", "x"); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if c.Close(); time.Since(start) > time.Second {
			t.Errorf("Close took %v beside half a reply, want at most 1s", time.Since(start))
		}
		d, accept := deaf(t, 0)
		if err := rpcclient.Cast(t.Context(), d, "log", "x"); err != nil {
			t.Fatal(err)
		}
		accept()
		start = time.Now()
		if d.Close(); time.Since(start) != time.Second {
			t.Errorf("Close took %v, want 1s", time.Since(start))
		}
	})
}

// Without a cast on the way there is nothing to wait for, even where the server never ends the connection.
func TestCloseWithoutCasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, accept := deaf(t, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		go accept()
		if _, err := rpcclient.Call[int](ctx, d, "n", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		start := time.Now()
		if d.Close(); time.Since(start) != 0 {
			t.Errorf("Close took %v with nothing to wait for", time.Since(start))
		}
	})
}

func TestCloseWhileDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, _ := rpcclient.New("there:1", &rpcclient.Config{Dialer: hang})
		result := make(chan error)
		go func() { _, err := rpcclient.Call[int](ctx, c, "n", 1); result <- err }()
		synctest.Wait()
		go c.Close()
		if err := <-result; !errors.Is(err, rpcclient.ErrClosed) {
			t.Errorf("the call gave %v, want closed", err)
		}
		c.Close()
	})
}
