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
	for _, protocol := range []string{"v1", "v2"} {
		for _, quick := range []bool{false, true} {
			for _, n := range []int{1, 16, 64, 256} {
				b.Run(fmt.Sprintf("%s/quick=%v/at once=%d", protocol, quick, n), func(b *testing.B) { benchmarkCalls(b, protocol, quick, n) })
			}
		}
	}
}

func benchmarkCalls(b *testing.B, protocol string, quick bool, n int) {
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
	flight := flightV1
	if protocol == "v2" {
		flight = flightV2(b, nc)
	}
	var frames []byte
	answers := make([]byte, 64*n)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += n {
		var size int
		frames, size = flight(frames[:0], n)
		if _, err := nc.Write(frames); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, answers[:size]); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// flightV1 appends n calls and returns the size of their answers.
func flightV1(dst []byte, n int) ([]byte, int) {
	for range n {
		dst = wire.AppendMessage(dst, "0123456789abcdef;rk2", "fib", "20")
	}
	const head, reply = "0123456789abcdef!2fib_res", "10946"
	return dst, n * (12 + len(head) + len(reply))
}

// flightV2 says hello and returns the same for version 2, whose stream ids grow.
func flightV2(b *testing.B, nc net.Conn) func(dst []byte, n int) ([]byte, int) {
	if _, err := nc.Write([]byte(wire.Magic + "\x00\x00\x00")); err != nil {
		b.Fatal(err)
	}
	var dec wire.FrameDecoder
	if _, err := io.ReadFull(nc, make([]byte, len(wire.Magic))); err != nil {
		b.Fatal(err)
	}
	for {
		if _, ok, err := dec.Next(); ok {
			break
		} else if err != nil {
			b.Fatal(err)
		}
		k, err := nc.Read(dec.Space())
		if err != nil {
			b.Fatal(err)
		}
		dec.Fed(k)
	}
	id, head := uint32(0), wire.OpenHead{Number: 1, Name: []byte("fib")}
	var open, answer []byte
	return func(dst []byte, n int) ([]byte, int) {
		size := 0
		for range n {
			id++
			open = append(wire.AppendOpen(open[:0], &head), "20"...)
			head.Name = nil
			dst = wire.AppendFrame(dst, wire.KindOpen, wire.FlagEnd, id, open)
			answer = wire.AppendHeader(answer[:0], wire.KindData, wire.FlagEnd, id, len("10946"))
			size += len(answer) + len("10946")
		}
		return dst, size
	}
}
