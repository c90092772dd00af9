package rpctest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// onTCP starts a real server on loopback and returns a client that is connected to it. The caller ends both with stop, which
// waits; afterwards no goroutine may be left.
func onTCP(t *testing.T, protocol rpcclient.Protocol, register func(*rpcserver.Server)) (c *rpcclient.Client, stop func() rpcserver.Stats) {
	t.Helper()
	rpctest.Leaks(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpcserver.New(nil)
	register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Shutdown in stop, which waits for it
	c, err = rpcclient.Dial(t.Context(), ln.Addr().String(), &rpcclient.Config{Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() rpcserver.Stats {
		t.Helper()
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, rpcserver.ErrServerClosed) {
			t.Errorf("serve ended with %v", err)
		}
		return s.Stats()
	}
}

// TestManyCallersOnTCP is 64 goroutines with 10 000 calls each over one connection, for each protocol: every reply matches its request, and no goroutine
// is left after Close and Shutdown. Half of them call a quick service, half one that takes a worker.
func TestManyCallersOnTCP(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol.String(), func(t *testing.T) { manyCallersOnTCP(t, protocol) })
	}
}

// protocols are those under load; Auto is in the middle of a move.
var protocols = []rpcclient.Protocol{rpcclient.V1, rpcclient.Auto, rpcclient.V2}

func manyCallersOnTCP(t *testing.T, protocol rpcclient.Protocol) {
	callers, calls := 64, 10_000
	if raceEnabled {
		calls = 200 // the full number takes the race detector a minute
	}
	c, stop := onTCP(t, protocol, func(s *rpcserver.Server) {
		twice := func(_ context.Context, n int64) (int64, error) { return 2 * n, nil }
		rpcserver.Handle(s, "twice", twice)
		rpcserver.Handle(s, "quick", twice, rpcserver.Quick())
	})
	var wg sync.WaitGroup
	for i := range callers {
		service := []string{"twice", "quick"}[i%2]
		wg.Go(func() {
			for j := range calls {
				n := int64(i*calls + j)
				if got, err := rpcclient.Call[int64](context.Background(), c, service, n); got != 2*n || err != nil {
					t.Errorf("%s %d gave %d, %v", service, n, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	st := c.Stats()
	if st.Sent != uint64(callers*calls) || st.Received != st.Sent || st.Dropped.Total() != 0 || st.Pending != 0 || st.Reconnects != 0 {
		t.Errorf("the client counts %+v, want %d calls over one connection and nothing dropped", st, callers*calls)
	}
	if st := stop(); st.Calls != uint64(callers*calls) || st.Failed != 0 || st.Open != 0 || st.Running != 0 {
		t.Errorf("the server counts %+v, want %d calls and nothing left", st, callers*calls)
	}
}

// TestBuffersAreNotShared has callers that send random bytes of random lengths through every kind of service, and give up at random:
// whoever gets a reply must get his own, to the byte, and a handler's request must not change while it runs. Buffers are used again all
// the time on both sides, so one that is used too early shows here.
func TestBuffersAreNotShared(t *testing.T) {
	seeds, calls := 1, 300
	if raceEnabled {
		calls = 40
	}
	for _, protocol := range protocols {
		for seed := range seeds {
			buffersAreNotShared(t, protocol, uint64(seed), calls)
		}
	}
}

func buffersAreNotShared(t *testing.T, protocol rpcclient.Protocol, seed uint64, calls int) {
	c, stop := onTCP(t, protocol, func(s *rpcserver.Server) {
		demo.Register(s)
		raw := rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
			before := bytes.Clone(c.Payload())
			if len(before)%3 == 0 { // some take so long that others come and go meanwhile
				select {
				case <-time.After(time.Duration(len(before)%7) * time.Millisecond):
				case <-ctx.Done():
				}
			}
			if !bytes.Equal(before, c.Payload()) {
				t.Errorf("a request of %d bytes changed while its handler ran", len(before))
			}
			return c.Reply(json.RawMessage(c.Payload()))
		})
		s.Service("raw", raw)
		s.Service("quickraw", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
			return c.Reply(json.RawMessage(c.Payload()))
		}), rpcserver.Quick())
		s.Service("refuse", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
			return &rpcserver.Error{Code: rpcserver.Aborted, Message: "no", Details: bytes.Clone(c.Payload())}
		}))
		rpcserver.Handle(s, "text", func(_ context.Context, text string) (string, error) { return text, nil })
	})
	var answered, given atomic.Int64
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range calls {
				if exchange(t, c, random) {
					answered.Add(1)
				} else {
					given.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%v, seed %d: %d answered, %d given up; dropped %+v", protocol, seed, answered.Load(), given.Load(), c.Stats().Dropped)
	late := protocol != rpcclient.V1 || c.Stats().Dropped.Late > 0 // over version 2 a cancelled call is seldom answered
	if answered.Load() == 0 || given.Load() == 0 || !late {
		t.Error("want some of each: answered, given up, answered too late")
	}
	if st := c.Stats(); st.Dropped.Wrong+st.Dropped.Repeated+st.Dropped.Unasked != 0 || st.Reconnects != 0 {
		t.Errorf("the client counts %+v, want only late replies and one connection", st)
	}
	stop()
}

// exchange makes one call at random and checks its reply; false means that it gave up before.
func exchange(t *testing.T, c *rpcclient.Client, random *rand.Rand) bool {
	text := randomText(random)
	payload, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if random.IntN(4) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(2000))*time.Microsecond)
		defer cancel()
	}
	var trace rpcclient.Trace
	if random.IntN(4) == 0 {
		ctx = rpcclient.WithTrace(ctx, &trace)
	}
	service := []string{"raw", "quickraw", "refuse", "echo", "text"}[random.IntN(5)]
	var got json.RawMessage
	if service == "text" {
		var back string
		if back, err = rpcclient.Call[string](ctx, c, service, text); err == nil && back != text {
			t.Errorf("text of %d bytes came back as another of %d", len(text), len(back))
		}
		got = payload
	} else {
		got, err = c.Invoke(ctx, service, payload)
	}
	e, failed := errors.AsType[*rpcclient.Error](err)
	switch {
	case failed && (e.Kind == rpcclient.ErrContext || e.Code == rpcclient.DeadlineExceeded):
		return false
	case failed && service == "refuse" && e.Code == rpcclient.Aborted:
		got = e.Details
	case err != nil:
		t.Errorf("%s: %v", service, err)
	}
	if !bytes.Equal(got, payload) {
		t.Errorf("%s of %d bytes gave %d others", service, len(payload), len(got))
	}
	whole := trace.Protocol == "v1" || len(payload) < 16<<10 // longer ones are in fragments
	if trace.In != nil && whole && (!bytes.Contains(trace.Out, payload) || service != "refuse" && service != "text" && !bytes.Contains(trace.In, payload)) {
		t.Errorf("the trace of %s shows other bytes than were exchanged", service)
	}
	return true
}

// randomText is mostly short, sometimes longer than the buffers that are kept, and no part of it looks like another's.
func randomText(random *rand.Rand) string {
	size := []int{8, 100, 1000, 20_000, 60_000}[min(random.IntN(10), random.IntN(10))/2]
	b := make([]byte, random.IntN(size))
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(36)]
	}
	if random.IntN(5) == 0 {
		return string(b) + "你😀"
	}
	return string(b)
}
