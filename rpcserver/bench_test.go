package rpcserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// BenchmarkCalls measures the server alone: the peer sends ready frames, a number of them at once, and counts the bytes that come back.
func BenchmarkCalls(b *testing.B) {
	for _, quick := range []bool{false, true} {
		for _, n := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("quick=%v/at once=%d", quick, n), func(b *testing.B) { benchmarkCalls(b, quick, n) })
		}
	}
}

func benchmarkCalls(b *testing.B, quick bool, n int) {
	s := rpcserver.New(nil)
	var opts []rpcserver.Option
	if quick {
		opts = append(opts, rpcserver.Quick())
	}
	rpcserver.Handle(s, "fib", func(context.Context, int) (int64, error) { return 10946, nil }, opts...)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(ln) })
	defer wg.Wait()
	defer s.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	var frames []byte
	for range n {
		frames = wire.AppendMessage(frames, "0123456789abcdef;rk2", "fib", "20")
	}
	reply := wire.AppendMessage(nil, "0123456789abcdef!1", "fib_res", "10946")
	answers := make([]byte, len(reply)*n)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += n {
		if _, err := nc.Write(frames); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, answers); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
