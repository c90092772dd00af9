// The client of the streams example: ranges over a stream and breaks off, uploads lines, and talks both ways.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/rpckids/rpckids/rpcclient"
)

func run(addr string) error {
	ctx := context.Background()
	c, err := rpcclient.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()

	for p, err := range rpcclient.Stream[int](ctx, c, "primes", 1_000_000) {
		if err != nil {
			return err
		}
		if p > 20 {
			break // the server's loop ends as well
		}
		fmt.Println("prime:", p)
	}

	lines := rpcclient.Values(slices.Values([]string{"one", "three", "five"}))
	best, err := rpcclient.Upload[string](ctx, c, "longest", lines)
	if err != nil {
		return err
	}
	fmt.Println("longest:", best)

	for loud, err := range rpcclient.Bidi[string](ctx, c, "shout", lines) {
		if err != nil {
			return err
		}
		fmt.Println("shouted:", loud)
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
