package demo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house starts a server with the demo's services; dial opens a connection to it.
func house(t *testing.T, register func(*rpcserver.Server)) (dial func() net.Conn) {
	t.Helper()
	s := rpcserver.New(nil)
	register(s)
	ln := memnet.Listen()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ln); !errors.Is(err, rpcserver.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return func() net.Conn {
		t.Helper()
		nc, err := ln.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		return nc
	}
}

// ask sends one call and returns its answer's type and payload.
func ask(nc net.Conn, service, payload string) (string, error) {
	if _, err := nc.Write(wire.AppendMessage(nil, "0123456789abcdef;rk2", service, payload)); err != nil {
		return "", err
	}
	var d wire.Decoder
	for {
		if m, ok, err := d.Next(); ok || err != nil {
			return fmt.Sprintf("%s %s", m.Type, m.Payload), err
		}
		n, err := nc.Read(d.Space())
		if d.Fed(n); err != nil {
			return "", err
		}
	}
}

func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in fake time a loop costs nothing and slow takes none
		nc := house(t, demo.Register)()
		for _, test := range []struct{ service, payload, want string }{
			{"fib", "0", "fib_res 1"},
			{"fib", "1", "fib_res 1"},
			{"fib", "2", "fib_res 2"},
			{"fib", "10", "fib_res 89"},
			{"fib", "91", "fib_res 7540113804746346429"},
			{"fib", "92", `!error {"code":"invalid_argument","message":"n is 92, want 0 to 91"}`},
			{"fib", "-1", `!error {"code":"invalid_argument","message":"n is -1, want 0 to 91"}`},
			{"exp", `{"base":2,"exp":10}`, `exp_res {"value":1024,"costInNanos":0}`},
			{"exp", `{"base":2,"exp":0}`, `exp_res {"value":1,"costInNanos":0}`},
			{"exp", `{"base":-3,"exp":3}`, `exp_res {"value":-27,"costInNanos":0}`},
			{"exp", `{"base":2,"exp":63}`, `exp_res {"value":-9223372036854775808,"costInNanos":0}`},
			{"exp", `{"base":2,"exp":64}`, `exp_res {"value":0,"costInNanos":0}`},
			{"exp", `{"base":3,"exp":1000000}`, fmt.Sprintf(`exp_res {"value":%d,"costInNanos":0}`, power(3, 1_000_000))},
			{"exp", `{"base":2,"exp":1000001}`, `!error {"code":"invalid_argument","message":"exp is 1000001, want 0 to 1000000","details":{"violations":[{"field":"exp","at":16,"problem":"is 1000001, want 0 to 1000000"}]}}`},
			{"exp", `{"base":2,"exp":-1}`, `!error {"code":"invalid_argument","message":"exp is -1, want 0 to 1000000","details":{"violations":[{"field":"exp","at":16,"problem":"is -1, want 0 to 1000000"}]}}`},
			{"echo", ` {"b" : 1, "a":[null,"你😀"]} `, `echo_res  {"b" : 1, "a":[null,"你😀"]} `},
			{"slow", "1500", "slow_res 1500"},
			{"slow", "60001", `!error {"code":"invalid_argument","message":"milliseconds are 60001, want 0 to 60000"}`},
			{"fail", `{"code":"data_loss","message":"it is gone"}`, `!error {"code":"data_loss","message":"it is gone"}`},
			{"fail", `{"code":"ok"}`, `!error {"code":"invalid_argument","message":"code is \"ok\", want the name of an error such as not_found or unavailable","details":{"violations":[{"field":"code","at":8,"problem":"is \"ok\", want the name of an error such as not_found or unavailable"}]}}`},
			{"fail", `{"code":"Nope"}`, `!error {"code":"invalid_argument","message":"code is \"Nope\", want the name of an error such as not_found or unavailable","details":{"violations":[{"field":"code","at":8,"problem":"is \"Nope\", want the name of an error such as not_found or unavailable"}]}}`},
		} {
			if got, err := ask(nc, test.service, test.payload); err != nil || got != test.want {
				t.Errorf("%s %s: got %s, %v\nwant %s", test.service, test.payload, got, err, test.want)
			}
		}
	})
}

// power multiplies in another way than exp does.
func power(base, exp int64) int64 {
	value := int64(1)
	for ; exp > 0; exp >>= 1 {
		if exp&1 == 1 {
			value *= base
		}
		base *= base
	}
	return value
}

// exp measures its own loop: a million multiplications cost something, and less than the whole call.
func TestExpCost(t *testing.T) {
	nc := house(t, demo.Register)()
	start := time.Now()
	got, err := ask(nc, "exp", `{"base":3,"exp":1000000}`)
	whole := time.Since(start)
	var value, cost int64
	if _, scanErr := fmt.Sscanf(got, `exp_res {"value":%d,"costInNanos":%d}`, &value, &cost); err != nil || scanErr != nil || cost <= 0 || cost > whole.Nanoseconds() {
		t.Errorf("got %s, %v, %v; want a cost from 1 to %d ns", got, err, scanErr, whole.Nanoseconds())
	}
}

func TestLog(t *testing.T) {
	lines := make(chan string, 10)
	dial := house(t, func(s *rpcserver.Server) { demo.RegisterLogging(s, func(line string) { lines <- line }) })
	nc := dial()
	var got []string
	for _, payload := range []string{`"hi"`, `{"a":1}`, `7`, `"你"`, `null`} {
		nc.Write(wire.AppendMessage(nil, "0123456789abcdef;rk2;1", "log", payload))
		got = append(got, <-lines)
	}
	if got, want := strings.Join(got, " | "), `hi | {"a":1} | 7 | 你 | null`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A burst of callers corrupts the original's list of numbers; here every answer is right.
func TestBurst(t *testing.T) {
	dial := house(t, demo.Register)
	const peers = 16
	answers := make([]string, peers)
	var wg sync.WaitGroup
	for i := range peers {
		nc := dial()
		wg.Go(func() {
			for n := range 92 {
				got, err := ask(nc, "fib", fmt.Sprint(n))
				if err != nil {
					t.Error(err)
				}
				answers[i] += got + "\n"
			}
		})
	}
	wg.Wait()
	sort.Strings(answers)
	a, b, want := int64(1), int64(1), ""
	for range 92 {
		want += fmt.Sprintf("fib_res %d\n", a)
		a, b = b, a+b
	}
	if answers[0] != want || answers[peers-1] != want {
		t.Errorf("got\n%swant\n%s", answers[0], want)
	}
}

func ExampleRegister() {
	s := rpcserver.New(nil)
	demo.Register(s)
	fmt.Println(s.Shutdown(context.Background()))
	// Output: <nil>
}
