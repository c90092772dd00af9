package rpctest_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// BenchmarkFib measures both libraries together over one connection on loopback.
func BenchmarkFib(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := rpcserver.New(nil)
	demo.Register(s)
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(ln) })
	defer serving.Wait()
	defer s.Close()
	c, err := rpcclient.Dial(b.Context(), ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			b.ReportAllocs()
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					for range b.N/callers + min(1, max(0, b.N%callers-i)) {
						if _, err := rpcclient.Call[int64](context.Background(), c, "fib", 20); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
