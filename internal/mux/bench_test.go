package mux

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// inline serves "echo" in the reader, as a handler that its author calls quick.
func inline() *Config {
	return &Config{
		Lookup: func(name []byte) any { return name != nil },
		Opened: func(s *Stream) {
			echo(s)
			s.Done()
		},
	}
}

func TestUnaryCallAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	leaks(t)
	e := joinTest(t, nil, inline())
	r := &Request{Method: "echo", Payload: []byte("20"), End: true}
	ctx := context.Background()
	once := func() {
		s, err := e.client.Open(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := s.Recv(ctx); err != nil || string(m.Payload) != "20" || !m.Last {
			t.Fatalf("got %q, %v", m.Payload, err)
		}
		s.Release()
	}
	once()
	if got := testing.AllocsPerRun(2000, once); got > 1 {
		t.Errorf("%v allocations per call, both sides together; want at most 1", got)
	}
}

func TestStreamItemAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	leaks(t)
	m := &methods{by: map[string]func(*Stream){"count": func(s *Stream) {
		item := []byte("12")
		for s.Send(context.Background(), item, nil, false) == nil {
		}
	}}}
	e := joinTest(t, nil, m.config())
	ctx := context.Background()
	s, err := e.client.Open(ctx, &Request{Method: "count", End: true, NoMessage: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.wg.Wait()
	defer s.Release()
	got := testing.AllocsPerRun(20, func() {
		for range 1000 {
			if _, err := s.Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got > 50 {
		t.Errorf("%v allocations per 1000 items, both sides together; want at most 50", got)
	}
}

// sockets returns both ends of a connection on loopback.
func sockets(b testing.TB) (client, server net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn)
	go func() { // ends with the accept
		c, _ := ln.Accept()
		accepted <- c
	}()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		b.Fatal(err)
	}
	return client, <-accepted
}

func overLoopback(b testing.TB, server *Config) *ends {
	x, y := sockets(b)
	c, s := &Config{TryWrite: socket.NewWriter(x).TryWrite, Settings: server.Settings}, *server
	s.TryWrite = socket.NewWriter(y).TryWrite
	e := join(x, y, c, &s)
	b.Cleanup(e.close)
	return e
}

func BenchmarkUnary(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			e := overLoopback(b, inline())
			b.ReportAllocs()
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					r := &Request{Method: "echo", Payload: []byte("20"), End: true}
					for range b.N/callers + min(1, max(0, b.N%callers-i)) {
						s, err := e.client.Open(context.Background(), r)
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := s.Recv(context.Background()); err != nil {
							b.Error(err)
						}
						s.Release()
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func BenchmarkStream(b *testing.B) {
	for _, test := range []struct{ size, window int }{{2, 64 << 10}, {2, 256 << 10}, {64 << 10, 64 << 10}, {64 << 10, 256 << 10}} {
		b.Run(fmt.Sprintf("item=%d/window=%d", test.size, test.window), func(b *testing.B) {
			item := make([]byte, test.size)
			m := &methods{by: map[string]func(*Stream){"items": func(s *Stream) {
				for range b.N {
					if s.Send(context.Background(), item, nil, false) != nil {
						return
					}
				}
				s.CloseSend()
			}}}
			cfg := m.config()
			cfg.Settings = wire.DefaultSettings()
			cfg.Settings.Window = test.window
			e := overLoopback(b, cfg)
			<-e.client.Ready()
			b.ReportAllocs()
			b.SetBytes(int64(test.size))
			s, err := e.client.Open(context.Background(), &Request{Method: "items", End: true, NoMessage: true})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for err == nil {
				_, err = s.Recv(context.Background())
				n++
			}
			if err != io.EOF || n != b.N+1 {
				b.Errorf("%d items, %v", n, err)
			}
			s.Release()
			m.wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
