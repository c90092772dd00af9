package demo

import (
	"context"
	"iter"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

func registerStreams(s *rpcserver.Server) {
	rpcserver.HandleStream(s, "fibs", fibs, rpcserver.Doc("the first n Fibonacci numbers, n from 0 to 92"),
		rpcserver.Example(10), rpcserver.Idempotent())
	rpcserver.HandleUpload(s, "sum", sum, rpcserver.Doc("adds up the integers that you send"),
		rpcserver.Example(1), rpcserver.Idempotent())
	rpcserver.HandleBidi(s, "chat", chat, rpcserver.Doc("answers every line that you send, and says goodbye"),
		rpcserver.Example("hello"))
	rpcserver.HandleStream(s, "ticks", ticks, rpcserver.Doc("an item every so many milliseconds, 10 at least, until you stop it"),
		rpcserver.Example(1000), rpcserver.Idempotent())
}

func fibs(_ context.Context, n int) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		if n < 0 || n > len(numbers) {
			yield(0, rpcserver.Errorf(rpcserver.InvalidArgument, "n is %d, want 0 to %d", n, len(numbers)))
			return
		}
		for _, f := range numbers[:n] {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func sum(_ context.Context, items iter.Seq2[int64, error]) (total int64, err error) {
	n := 0
	for v, err := range items {
		if err != nil {
			return 0, err
		}
		next := total + v
		if v > 0 && next < total || v < 0 && next > total {
			return 0, rpcserver.Errorf(rpcserver.OutOfRange, "item %d: %d and %d are more than 64 bits hold", n, total, v)
		}
		total = next
		n++
	}
	return total, nil
}

func chat(_ context.Context, lines iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err != nil {
				yield("", err)
				return
			}
			if !yield("you said: "+line, nil) {
				return
			}
		}
		yield("goodbye", nil)
	}
}

// Tick is an item of ticks: its number, from 0, and when it was made, as RFC 3339 with nanoseconds.
type Tick struct {
	N  int       `json:"n"`
	At time.Time `json:"at"`
}

// The pace of ticks in milliseconds.
const (
	leastPace = 10
	mostPace  = 60_000
)

// ticks ends when the caller has had enough, and when the server is about to stop.
func ticks(ctx context.Context, ms int) iter.Seq2[Tick, error] {
	return func(yield func(Tick, error) bool) {
		if ms < leastPace || ms > mostPace {
			yield(Tick{}, rpcserver.Errorf(rpcserver.InvalidArgument, "milliseconds are %d, want %d to %d", ms, leastPace, mostPace))
			return
		}
		pace := time.NewTicker(time.Duration(ms) * time.Millisecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case at := <-pace.C:
				if !yield(Tick{n, at.UTC()}, nil) {
					return
				}
			case <-rpcserver.Draining(ctx):
				return
			case <-ctx.Done():
				yield(Tick{}, context.Cause(ctx))
				return
			}
		}
	}
}
