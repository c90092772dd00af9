package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// demoClient starts the demo server in memory and returns a client of it. In a
// program of your own this is rpcclient.Dial(ctx, "localhost:8888").
func demoClient(change ...func(*rpcclient.Config)) (c *rpcclient.Client, stop func()) {
	ln := memnet.Listen()
	s := rpcserver.New(nil)
	demo.Register(s)
	served := make(chan error)
	go func() { served <- s.Serve(ln) }()
	cfg := &rpcclient.Config{Dialer: ln.Dial}
	for _, f := range change {
		f(cfg)
	}
	c, err := rpcclient.Dial(context.Background(), "localhost:8888", cfg)
	if err != nil {
		log.Fatal(err)
	}
	return c, func() {
		c.Close()
		s.Close()
		<-served
	}
}

func ExampleCall() {
	c, stop := demoClient()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n, err := rpcclient.Call[int64](ctx, c, "fib", 10)
	fmt.Println(n, err)
	// Output: 89 <nil>
}

func ExampleCast() {
	c, stop := demoClient()
	defer stop()
	fmt.Println(rpcclient.Cast(context.Background(), c, "log", "hello"))
	// Output: <nil>
}

func ExampleClient_Send() {
	c, stop := demoClient()
	defer stop()
	type ExpResponse struct{ Value, CostInNanos int64 }
	c.Register("fib_res", int64(0)).Register("exp_res", ExpResponse{})
	n, _ := c.Send(context.Background(), "fib", 10)
	exp, _ := c.Send(context.Background(), "exp", map[string]int{"base": 2, "exp": 10})
	fmt.Println(n.(int64), exp.(ExpResponse).Value)
	// Output: 89 1024
}

func ExampleClient_Invoke() {
	c, stop := demoClient()
	defer stop()
	raw, err := c.Invoke(context.Background(), "echo", json.RawMessage(`{"any": "JSON"}`))
	fmt.Println(string(raw), err)
	// Output: {"any": "JSON"} <nil>
}

func ExampleClient_Stats() {
	c, stop := demoClient()
	defer stop()
	for range 3 {
		rpcclient.Call[int64](context.Background(), c, "fib", 1)
	}
	s := c.Stats()
	fmt.Println(s.State, s.Sent, s.Received, s.Dropped.Total())
	// Output: connected 3 3 0
}

func ExampleError() {
	c, stop := demoClient()
	defer stop()
	_, err := rpcclient.Call[int64](context.Background(), c, "fib", 92)
	if e, ok := errors.AsType[*rpcclient.Error](err); ok {
		fmt.Println(e.Code, e.Kind == rpcclient.ErrServer, e.Attempts)
	}
	// Output: invalid_argument true 1
}

// A handler that calls another server hands on what that one answered.
func ExampleError_handedOn() {
	upstream, stop := demoClient()
	defer stop()
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "twice", func(ctx context.Context, n int) (int64, error) {
		v, err := rpcclient.Call[int64](ctx, upstream, "fib", n)
		if e, ok := errors.AsType[*rpcclient.Error](err); ok {
			return 0, &e.Status
		}
		return 2 * v, err
	})
	ln := memnet.Listen()
	served := make(chan error)
	go func() { served <- s.Serve(ln) }()
	c, err := rpcclient.New("localhost:8888", &rpcclient.Config{Dialer: ln.Dial})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range []int{10, 92} {
		v, err := rpcclient.Call[int64](context.Background(), c, "twice", n)
		fmt.Println(v, rpcclient.CodeOf(err))
	}
	c.Close()
	s.Close()
	<-served
	// Output:
	// 178 ok
	// 0 invalid_argument
}

func ExampleWithTrace() {
	c, stop := demoClient()
	defer stop()
	var trace rpcclient.Trace
	rpcclient.Call[int64](rpcclient.WithTrace(context.Background(), &trace), c, "fib", 10)
	fmt.Println(trace.ReplyType, len(trace.Out), len(trace.In), trace.Client()+trace.Network() == trace.Done.Sub(trace.Start))
	// Output: fib_res 37 39 true
}

func ExampleIdempotent() {
	c, stop := demoClient()
	defer stop()
	n, err := rpcclient.Call[int64](context.Background(), c, "fib", 10, rpcclient.Idempotent())
	fmt.Println(n, err)
	// Output: 89 <nil>
}

func ExampleStream() {
	c, stop := demoClient()
	defer stop()
	for v, err := range rpcclient.Stream[int64](context.Background(), c, "fibs", 90) {
		if err != nil {
			log.Fatal(err)
		}
		if v > 20 {
			break // cancels it on the server
		}
		fmt.Print(v, " ")
	}
	// Output: 1 1 2 3 5 8 13
}

func ExampleUpload() {
	c, stop := demoClient()
	defer stop()
	numbers := slices.Values([]int64{1, 2, 39})
	sum, err := rpcclient.Upload[int64](context.Background(), c, "sum", rpcclient.Values(numbers))
	fmt.Println(sum, err)
	// Output: 42 <nil>
}

// Items that wait for something end with the call: when its context does, and when
// the server has answered before it has seen them all.
func ExampleOnEnd() {
	c, stop := demoClient()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	readings := make(chan int64) // nobody closes it
	go func() { readings <- 42; cancel() }()
	over := make(chan struct{})
	items := func(yield func(int64, error) bool) {
		for {
			select {
			case v := <-readings:
				if !yield(v, nil) {
					return
				}
			case <-over:
				return
			case <-ctx.Done():
				yield(0, ctx.Err())
				return
			}
		}
	}
	_, err := rpcclient.Upload[int64](ctx, c, "sum", items, rpcclient.OnEnd(func() { close(over) }))
	fmt.Println(rpcclient.CodeOf(err))
	// Output: canceled
}

func ExampleBidi() {
	c, stop := demoClient()
	defer stop()
	lines := slices.Values([]string{"hello"})
	for line, err := range rpcclient.Bidi[string](context.Background(), c, "chat", rpcclient.Values(lines)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line)
		break
	}
	// Output: you said: hello
}

func ExampleMiddleware() {
	timed := func(next rpcclient.Doer) rpcclient.Doer {
		return func(ctx context.Context, r *rpcclient.Request) error {
			start := time.Now()
			err := next(ctx, r)
			fmt.Println(r.Pattern, r.Type, err == nil, time.Since(start) < time.Minute)
			return err
		}
	}
	c, stop := demoClient(func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{timed} })
	defer stop()
	rpcclient.Call[int64](context.Background(), c, "fib", 10)
	rpcclient.Call[int64](context.Background(), c, "fib", 92)
	// Output:
	// call fib true true
	// call fib false true
}

func ExampleClient_Services() {
	c, stop := demoClient()
	defer stop()
	services, err := c.Services(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range services {
		if s.Pattern != rpcclient.PatternCall {
			fmt.Println(s.Name, s.Pattern)
		}
	}
	// Output:
	// chat bidi
	// fibs stream
	// log cast
	// sum upload
	// ticks stream
}
