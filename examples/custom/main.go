// Your own service in twenty lines: a server, a client, and an error that crosses the wire.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// Person is what greet wants to know.
type Person struct {
	Name string `json:"name"`
}

// Validate is asked before the handler; what it returns reaches the caller as invalid_argument.
func (p Person) Validate() error {
	if p.Name == "" {
		return errors.New("name is empty")
	}
	return nil
}

func run() error {
	s := rpcserver.New(nil)
	rpcserver.Handle(s, "greet", func(_ context.Context, p Person) (string, error) {
		return "hello " + p.Name, nil
	})
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()

	ctx := context.Background()
	c, err := rpcclient.Dial(ctx, ln.Addr().String())
	if err != nil {
		return err
	}
	greeting, err := rpcclient.Call[string](ctx, c, "greet", Person{Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Println(greeting)

	_, err = rpcclient.Call[string](ctx, c, "greet", Person{})
	if e, ok := errors.AsType[*rpcclient.Error](err); ok {
		fmt.Println(e.Code, "after", e.Attempts, "attempt:", e.Message)
	}

	if err := errors.Join(c.Close(), s.Shutdown(ctx)); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, rpcserver.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
