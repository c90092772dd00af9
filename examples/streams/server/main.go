// The server of the streams example: the three patterns with items, on localhost:8888, or on the address given as the argument.
package main

import (
	"context"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/rpckids/rpckids/rpcserver"
)

// primes answers one number with many: the primes below n, as fast as the caller takes them.
func primes(_ context.Context, n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for p := 2; p < n; p++ {
			if isPrime(p) && !yield(p, nil) {
				return // the caller is gone
			}
		}
	}
}

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// longest takes many lines and answers once.
func longest(_ context.Context, lines iter.Seq2[string, error]) (string, error) {
	best := ""
	for line, err := range lines {
		if err != nil {
			return "", err
		}
		if len(line) > len(best) {
			best = line
		}
	}
	return best, nil
}

// shout answers each line at once.
func shout(_ context.Context, lines iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if !yield(strings.ToUpper(line), err) {
				return
			}
		}
	}
}

func main() {
	addr := "localhost:8888"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	s := rpcserver.New(&rpcserver.Config{Logger: slog.Default()})
	rpcserver.HandleStream(s, "primes", primes, rpcserver.Doc("stream: the primes below n"), rpcserver.Example(100))
	rpcserver.HandleUpload(s, "longest", longest, rpcserver.Doc("upload: the longest of the lines"), rpcserver.Example("a line"))
	rpcserver.HandleBidi(s, "shout", shout, rpcserver.Doc("bidi: every line in capitals"), rpcserver.Example("hello"))
	if err := s.ListenAndServe(addr); err != nil {
		log.Fatal(fmt.Errorf("streams: %w", err))
	}
}
