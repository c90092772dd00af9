package rpcclient_test

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/rpcclient"
)

// Echo is the service of net/rpc's side of the comparison.
type Echo struct{}

// Int returns its argument.
func (Echo) Int(n int, reply *int) error { *reply = n; return nil }

// BenchmarkCall measures one connection with 1 to 256 callers over both versions,
// side by side with net/rpc of the standard library. Only the ratio of one run
// means anything.
func BenchmarkCall(b *testing.B) {
	c, err := rpcclient.Dial(b.Context(), echoServer(b))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	v2 := benchClient(b)
	std := netRPC(b)
	for _, callers := range []int{1, 16, 64, 256} {
		for version, c := range map[string]*rpcclient.Client{"v1": c, "v2": v2} {
			b.Run(fmt.Sprintf("%s/callers=%d", version, callers), func(b *testing.B) {
				share(b, callers, func(n int) error {
					_, err := rpcclient.Call[int](context.Background(), c, "echo", n)
					return err
				})
			})
		}
		b.Run(fmt.Sprintf("netrpc/callers=%d", callers), func(b *testing.B) {
			share(b, callers, func(n int) error {
				var reply int
				return std.Call("Echo.Int", n, &reply)
			})
		})
	}
}

// share divides b.N calls among the callers.
func share(b *testing.B, callers int, call func(n int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range b.N/callers + min(1, max(0, b.N%callers-i)) {
				if err := call(20); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkStream measures items through one stream.
func BenchmarkStream(b *testing.B) {
	s := serveTwin(b, marked)
	c := s.client(b, rpcclient.V2)
	b.ReportAllocs()
	n := 0
	for _, err := range rpcclient.Stream[int](b.Context(), c, "endless", nil) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n > b.N {
			break
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

func netRPC(b *testing.B) *rpc.Client {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if sock, err := ln.Accept(); err == nil {
			s.ServeConn(sock)
		}
	})
	c, err := rpc.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		c.Close()
		ln.Close()
		wg.Wait()
	})
	return c
}
