package remote

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcserver"
)

// A bench over a real connection measures what the handlers took. How much longer a call takes a busy machine decides, so only what is too short is wrong.
func TestBenchOfKnownLatencies(t *testing.T) {
	rpctest.Leaks(t)
	const quick, late = 10 * time.Millisecond, 150 * time.Millisecond
	var n atomic.Int64
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "nap", func(context.Context, int) (int, error) {
		if n.Add(1)%10 == 0 { // each tenth
			time.Sleep(late)
		} else {
			time.Sleep(quick)
		}
		return 0, nil
	})
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	session := console.NewSession(console.Config{Dial: Dial})
	defer session.Close()
	if _, err := session.Exec(t.Context(), "connect "+ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	for _, rate := range []string{"", " --rate 300"} {
		n.Store(0)
		r, err := session.Exec(t.Context(), "bench nap 1 -n 200 -c 8"+rate)
		if err != nil {
			t.Fatal(err)
		}
		b := r.Bench
		if b.Calls != 200 || n.Load() != 200 || b.Failed != 0 {
			t.Errorf("%d calls, %d failed, and the server saw %d; want 200", b.Calls, b.Failed, n.Load())
		}
		if f := b.Latency; f.Min < quick || f.P50 < quick || f.P95 < late || f.P99 < late || f.Max < late {
			t.Errorf("too short to be true: %+v", f)
		}
		if f, c := b.Latency, b.Corrected; rate != "" && (c.Min < f.Min || c.P50 < f.P50 || c.P95 < f.P95 || c.Max < f.Max) {
			t.Errorf("corrected %+v is below %+v", c, f)
		}
		if least := time.Duration(200/8) * quick; b.Elapsed < least {
			t.Errorf("200 calls, 8 at a time, took %v, want at least %v", b.Elapsed, least)
		}
	}
}

// Fire says what Call says, without a trace: the mark of what may run twice, and why it failed.
func TestFire(t *testing.T) {
	rpctest.Leaks(t)
	var mu sync.Mutex // protects ids
	var ids []string
	b := dial(t, func(c *peer.Conn, m peer.Message) {
		mu.Lock()
		ids = append(ids, m.ID)
		mu.Unlock()
		switch m.Type {
		case "busy":
			c.Reply(m.ID, "!error", `{"code":"resource_exhausted","message":"full"}`)
		case "odd":
			c.Reply(m.ID, "odd_res", "{oops")
		default:
			c.Reply(m.ID, m.Type+"_res", "1")
		}
	})
	for _, c := range []struct {
		typ, status string
		again       bool
	}{{"fib", "", false}, {"fib", "", true}, {"busy", "resource_exhausted", false}, {"odd", "type_mismatch", false}} {
		err := b.Fire(t.Context(), console.Request{Type: c.typ, Payload: json.RawMessage("1"), Idempotent: c.again})
		e, _ := errors.AsType[*console.Error](err)
		if (e == nil) != (c.status == "") || e != nil && e.Status() != c.status {
			t.Errorf("%s: got %v, want %q", c.typ, err, c.status)
		}
		mu.Lock()
		last := ids[len(ids)-1]
		mu.Unlock()
		if strings.Contains(last, ";i") != c.again {
			t.Errorf("%s, idempotent %v: sent as %s", c.typ, c.again, last)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, _ := errors.AsType[*console.Error](b.Fire(ctx, console.Request{Type: "fib"})); e == nil || e.Exit != console.ExitInterrupted {
		t.Errorf("canceled: %v", e)
	}
}
