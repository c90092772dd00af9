package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// demoClient starts the demo server in memory and returns a client of it. In a
// program of your own this is rpcclient.Dial(ctx, "localhost:8888").
func demoClient() (c *rpcclient.Client, stop func()) {
	ln := memnet.Listen()
	s := rpcserver.New(nil)
	demo.Register(s)
	served := make(chan error)
	go func() { served <- s.Serve(ln) }()
	c, err := rpcclient.Dial(context.Background(), "localhost:8888", &rpcclient.Config{Dialer: ln.Dial})
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
	fmt.Println(s.State, s.Protocol, s.Sent, s.Received, s.Dropped.Total())
	// Output: connected v1 3 3 0
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
