// The server of the original article: fib and exp on localhost:8888, or on the address given as the argument.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// ExpRequest and ExpResponse are the two sides of exp.
type (
	ExpRequest struct {
		Base int `json:"base"`
		Exp  int `json:"exp"`
	}
	ExpResponse struct {
		Value       int64 `json:"value"`
		CostInNanos int64 `json:"costInNanos"`
	}
)

func fib(_ context.Context, n int) (int64, error) {
	if n < 0 || n > 91 {
		return 0, rpcserver.Errorf(rpcserver.InvalidArgument, "fib goes from 0 to 91, got %d", n)
	}
	a, b := int64(1), int64(1)
	for range n {
		a, b = b, a+b
	}
	return a, nil
}

func exp(_ context.Context, r ExpRequest) (ExpResponse, error) {
	if r.Exp < 0 || r.Exp > 1_000_000 {
		return ExpResponse{}, rpcserver.Errorf(rpcserver.InvalidArgument, "exp goes from 0 to 1000000, got %d", r.Exp)
	}
	start, value := time.Now(), int64(1)
	for range r.Exp {
		value *= int64(r.Base)
	}
	return ExpResponse{Value: value, CostInNanos: time.Since(start).Nanoseconds()}, nil
}

func main() {
	addr := "localhost:8888"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	s := rpcserver.New(&rpcserver.Config{Logger: slog.Default()})
	rpcserver.Handle(s, "fib", fib)
	rpcserver.Handle(s, "exp", exp)
	if err := s.ListenAndServe(addr); err != nil {
		log.Fatal(fmt.Errorf("fibexp: %w", err))
	}
}
