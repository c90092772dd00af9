package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect returns a client of a fresh in-memory peer.
func connect(t *testing.T, script peer.Script, change ...func(*rpcclient.Config)) (*rpcclient.Client, *peer.Server) {
	t.Helper()
	ln := memnet.Listen()
	s := peer.Serve(t, ln, script)
	cfg := &rpcclient.Config{Dialer: ln.Dial}
	for _, f := range change {
		f(cfg)
	}
	c, err := rpcclient.New("memory:1", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s
}

// loopback returns a client of a fresh peer on a real socket.
func loopback(t testing.TB, script peer.Script) (*rpcclient.Client, *peer.Server) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := peer.Serve(t, ln, script)
	c, err := rpcclient.Dial(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s
}

type expResponse struct {
	Value       int64 `json:"value"`
	CostInNanos int64 `json:"costInNanos"`
}

func TestCall(t *testing.T) {
	c, _ := loopback(t, peer.Article)
	if got, err := rpcclient.Call[int64](t.Context(), c, "fib", 10); got != 89 || err != nil {
		t.Errorf("fib 10 gave %d, %v; want 89", got, err)
	}
	if got, err := rpcclient.Call[string](t.Context(), c, "echo", "你😀\"\\\n"); got != "你😀\"\\\n" || err != nil {
		t.Errorf("echo gave %q, %v", got, err)
	}
	want := expResponse{1<<63 - 1, -1 << 63}
	if got, err := rpcclient.Call[expResponse](t.Context(), c, "echo", want); got != want || err != nil {
		t.Errorf("echo gave %v, %v; want %v", got, err, want)
	}
	if got, err := rpcclient.Call[any](t.Context(), c, "echo", map[string]any{"n": int64(1<<63 - 1)}); fmt.Sprint(got) != "map[n:9223372036854775807]" || err != nil {
		t.Errorf("echo gave %v, %v", got, err)
	}
	if got, err := c.Invoke(t.Context(), "echo", json.RawMessage(` {"a" : 1}`)); string(got) != ` {"a" : 1}` || err != nil {
		t.Errorf("invoke gave %s, %v", got, err)
	}
	if got, err := c.Invoke(t.Context(), "echo", nil); string(got) != "null" || err != nil {
		t.Errorf("invoke of nil gave %s, %v", got, err)
	}
}

func TestSend(t *testing.T) {
	c, _ := connect(t, peer.Echo)
	c.Register("n_res", int64(0)).Register("exp_res", expResponse{}).Register("any_res", nil)
	for _, test := range []struct {
		typ     string
		payload any
		want    any
	}{
		{"n", 10, int64(10)},
		{"exp", expResponse{1024, 7}, expResponse{1024, 7}},
		{"any", []int{1}, []any{json.Number("1")}},
	} {
		if got, err := c.Send(t.Context(), test.typ, test.payload); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) || err != nil {
			t.Errorf("%s gave %#v, %v; want %#v", test.typ, got, err, test.want)
		}
	}
	_, err := c.Send(t.Context(), "nope", 1)
	if !errors.Is(err, rpcclient.ErrReply) || !strings.Contains(err.Error(), "unrecognized rpc response type=nope_res") {
		t.Errorf("unregistered reply type gave %v", err)
	}
	if got, err := c.Send(t.Context(), "n", 11); got != int64(11) || err != nil {
		t.Errorf("the call after it gave %v, %v", got, err)
	}
}

func TestCast(t *testing.T) {
	c, s := connect(t, peer.Silent)
	for i := range 10 {
		if err := rpcclient.Cast(t.Context(), c, "log", "line "+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	got := s.Messages()
	if len(got) != 10 {
		t.Fatalf("the server got %d casts, want 10", len(got))
	}
	for i, m := range got {
		if want := strconv.Quote("line " + strconv.Itoa(i)); m.Type != "log" || m.Payload != want || !strings.HasSuffix(m.ID, ";rk2;1") {
			t.Errorf("cast %d arrived as %+v", i, m)
		}
	}
}

// Every reply must reach the caller of its request: 64 goroutines with 10 000
// calls each over one connection.
func TestManyCallersOneConnection(t *testing.T) {
	callers, calls := 64, 10_000
	if testing.Short() || raceEnabled {
		calls = 500
	}
	addr := echoServer(t)
	c, err := rpcclient.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range calls {
				want := i*calls + j
				got, err := rpcclient.Call[int](context.Background(), c, "echo", want)
				if err != nil || got != want {
					t.Errorf("caller %d: call %d gave %d, %v; want %d", i, j, got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%.0f calls a second", float64(callers*calls)/time.Since(start).Seconds())
	s := c.Stats()
	if s.Pending != 0 || s.Sent != uint64(callers*calls) || s.Received != s.Sent || s.Dropped.Total() != 0 {
		t.Errorf("stats after %d calls: %+v", callers*calls, s)
	}
	c.Close()
}
