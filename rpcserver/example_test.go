package rpcserver_test

import (
	"context"
	"fmt"
	"iter"
	"log"
	"net"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// A server with one service, which stops when its context does.
func Example() {
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "greet", func(ctx context.Context, name string) (string, error) {
		if name == "" {
			return "", rpcserver.Errorf(rpcserver.InvalidArgument, "who are you?")
		}
		return "hello, " + name, nil
	}, rpcserver.Doc("says hello"), rpcserver.Example("kids"))

	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	if err := s.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-served)
	// Output: server closed
}

// The chained form of the original.
func ExampleServer_Service() {
	s := rpcserver.New(&rpcserver.Config{Workers: 4})
	s.Service("double", rpcserver.Func(func(_ context.Context, n int) (int, error) { return 2 * n, nil })).
		Service("log", rpcserver.CastFunc(func(_ context.Context, line string) error { fmt.Println(line); return nil })).
		Service("raw", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error { return c.Reply(len(c.Payload())) }))
	defer s.Close()
	st := s.Stats()
	fmt.Println(st.Open, "connections,", st.Calls, "calls,", st.Failed, "failed")
	// Output: 0 connections, 0 calls, 0 failed
}

// One request, many items: the caller may break off at any time, and then yield returns false.
func ExampleHandleStream() {
	s := rpcserver.New(nil)
	rpcserver.HandleStream(s, "count", func(_ context.Context, to int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range to {
				if !yield(i, nil) {
					return
				}
			}
		}
	}, rpcserver.Doc("counts to n"), rpcserver.Example(10))
}

// Many items, one reply.
func ExampleHandleUpload() {
	s := rpcserver.New(nil)
	rpcserver.HandleUpload(s, "average", func(_ context.Context, items iter.Seq2[float64, error]) (float64, error) {
		n, sum := 0.0, 0.0
		for v, err := range items {
			if err != nil {
				return 0, err // an item that was no number, or a caller that gave up
			}
			n, sum = n+1, sum+v
		}
		if n == 0 {
			return 0, rpcserver.Errorf(rpcserver.InvalidArgument, "no items")
		}
		return sum / n, nil
	})
}

// Middleware sees calls and streams alike.
func ExampleServer_Use() {
	s := rpcserver.New(nil)
	s.Use(func(next rpcserver.Handler) rpcserver.Handler {
		return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
			start := time.Now()
			err := next.ServeCall(ctx, c)
			log.Println(c.Service(), c.Pattern(), time.Since(start), err)
			return err
		})
	})
}
