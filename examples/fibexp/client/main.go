// The client of the original article: twenty calls of fib, twenty of exp.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rpckids/rpckids/rpcclient"
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

func run(addr string) error {
	ctx := context.Background()
	c, err := rpcclient.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Register("fib_res", int64(0)).Register("exp_res", ExpResponse{})
	for i := range 20 {
		n, err := c.Send(ctx, "fib", i) // by registered reply types, as in the original
		if err != nil {
			return err
		}
		fmt.Printf("fib(%d) = %d\n", i, n)
	}
	for i := range 20 {
		res, err := rpcclient.Call[ExpResponse](ctx, c, "exp", ExpRequest{Base: 2, Exp: i}) // typed, nothing to register
		if err != nil {
			return err
		}
		fmt.Printf("exp2(%d) = %d cost=%dns\n", i, res.Value, res.CostInNanos)
	}
	return nil
}

func main() {
	addr := "localhost:8888"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	if err := run(addr); err != nil {
		log.Fatal(err)
	}
}
