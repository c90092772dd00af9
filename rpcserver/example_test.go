package rpcserver_test

import (
	"context"
	"fmt"
	"log"
	"net"

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
	fmt.Printf("%+v\n", s.Stats())
	// Output: {Open:0 Accepted:0 Calls:0 Failed:0 Refused:0 Panics:0 Repaired:0 Queued:0 Running:0}
}
