package mux

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// TestChaos has both ends do all they may, in any order and with sizes around every limit, and give up at any moment. Whatever
// happens, neither may break a rule of the other's, and at the end nothing is left.
func TestChaos(t *testing.T) {
	leaks(t)
	nets := []struct {
		name string
		pipe func() (a, b net.Conn)
	}{
		{"buffered", func() (a, b net.Conn) { return memnet.Pipe(0) }},
		{"small buffer", func() (a, b net.Conn) { return memnet.Pipe(100) }},
		{"no buffer", net.Pipe},
		{"sockets", func() (a, b net.Conn) { return sockets(t) }},
	}
	for _, n := range nets {
		t.Run(n.name, func(t *testing.T) { chaos(t, n.pipe) })
	}
}

func chaos(t *testing.T, pipe func() (a, b net.Conn)) {
	var ended, told atomic.Int64
	m := &methods{by: map[string]func(*Stream){}}
	for i := range 4 {
		m.by[fmt.Sprint("m", i)] = func(s *Stream) {
			r := rand.New(rand.NewPCG(uint64(s.ID()), 1))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			s.OnEnd(func(error) { told.Add(1); cancel() })
			var wg sync.WaitGroup
			if r.IntN(2) == 0 { // both at once
				wg.Go(func() {
					for n := r.Int64N(6); n > 0; n-- {
						if _, err := s.Recv(ctx); err != nil {
							return
						}
					}
				})
			}
			act(ctx, s, rand.New(rand.NewPCG(uint64(s.ID()), 2)))
			cancel()
			wg.Wait()
			ended.Add(1)
		}
	}
	settings := wire.DefaultSettings()
	settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
	settings.MaxStreams = 50
	settings.MinPing = time.Millisecond
	server := m.config()
	server.Settings, server.Compress = settings, true
	server.MaxConnMemory, server.MaxOutbox = 4<<20, 100<<10
	a, b := pipe()
	client := &Config{Settings: settings, Compress: true, MaxOutbox: 50 << 10}
	if _, ok := a.(*net.TCPConn); ok {
		client.TryWrite, server.TryWrite = socket.NewWriter(a).TryWrite, socket.NewWriter(b).TryWrite
	}
	e := join(a, b, client, server)
	<-e.client.Ready()
	var wg sync.WaitGroup
	var cancels atomic.Int64
	for i := range 30 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for range 15 {
				if cancels.Add(1) > 200 { // stay below the limit of rapid resets, however fast this runs
					return
				}
				once(t, e.client, r)
			}
		})
	}
	wg.Wait()
	m.wg.Wait()
	if _, err := e.client.Ping(t.Context()); err != nil {
		t.Errorf("the connection has ended: %v; server %v", err, e.server.reason())
	}
	for name, s := range map[string]Stats{"client": e.client.Stats(), "server": e.server.Stats()} {
		if s.Streams != 0 || s.Running != 0 || s.Held != 0 || s.Waiting != 0 {
			t.Errorf("%s holds %+v", name, s)
		}
	}
	for name, c := range map[string]*Conn{"client": e.client, "server": e.server} {
		c.mu.Lock()
		if c.copied != 0 || c.slots != 0 || len(c.slow) != 0 || len(c.ring) != 0 || len(c.credits) != 0 || len(c.watched) != 0 {
			t.Errorf("%s: copied %d, slots %d, slow %d, ring %d, credits %d, watched %d", name, c.copied, c.slots, len(c.slow), len(c.ring), len(c.credits), len(c.watched))
		}
		c.mu.Unlock()
	}
	e.close()
	if e.serverErr != errOver && e.clientErr != errOver {
		t.Errorf("they ended with %v and %v", e.serverErr, e.clientErr)
	}
	t.Logf("%d handlers, %d were told of an end", ended.Load(), told.Load())
}

// once opens a stream, does something with it, and gives it back.
func once(t *testing.T, c *Conn, r *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if r.IntN(5) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
		defer cancel()
	}
	req := &Request{Method: fmt.Sprint("m", r.IntN(5)), Payload: some(r), OneWay: r.IntN(8) == 0, NoMessage: r.IntN(4) == 0, End: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		req.Trace = new(Trace)
	}
	s, err := c.Open(ctx, req)
	if err != nil {
		return
	}
	if req.OneWay {
		s.Written(ctx)
	} else {
		var wg sync.WaitGroup
		if !req.End {
			seed := r.Uint64()
			wg.Go(func() { act(ctx, s, rand.New(rand.NewPCG(seed, 4))) })
		}
		for n := r.IntN(8) - 3; n > 0; n-- {
			if _, err := s.Recv(ctx); err != nil {
				break
			}
		}
		if r.IntN(2) == 0 {
			s.Cancel(wire.Canceled)
		}
		cancel()
		wg.Wait()
	}
	s.TakeTrace()
	s.Release()
}

// act sends some messages and ends, in one of the ways there are.
func act(ctx context.Context, s *Stream, r *rand.Rand) {
	for n := r.IntN(5); n > 0; n-- {
		if s.Send(ctx, some(r), meta(r), false) != nil {
			return
		}
	}
	switch r.IntN(6) {
	case 0:
		s.CloseSend()
	case 1:
		s.Send(ctx, some(r), meta(r), true)
	case 2, 3:
		if s.isServer {
			s.Finish(some(r), meta(r), r.IntN(2) == 0)
		}
	case 4:
		if s.isServer {
			s.Fail(&wire.Error{Code: wire.Aborted, Message: "as it happens"}, false)
		}
	}
}

var sizes = []int{0, 1, 2, 10, 1000, 1100, 16<<10 - 70, 16<<10 - 1, 16 << 10, 16<<10 + 1, 40_000, 64 << 10, 200_000, 1 << 20}

func some(r *rand.Rand) []byte {
	b := make([]byte, sizes[min(r.IntN(len(sizes)), r.IntN(len(sizes)))])
	if r.IntN(2) == 0 {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

func meta(r *rand.Rand) []byte {
	if r.IntN(3) > 0 {
		return nil
	}
	b, _ := wire.AppendField(nil, "some-name", string(make([]byte, r.IntN(8000))))
	return b
}

// TestSmallCallsInterleave puts a small call behind two long messages: it does not wait for them, and they take turns.
func TestSmallCallsInterleave(t *testing.T) {
	a, b := memnet.Pipe(1000)
	leaks(t)
	c := New(a, role(a, nil, Client))
	c.Start(true)
	done := make(chan error)
	go func() { done <- c.Serve(nil) }()
	ctx := t.Context()
	var list []*Stream
	for range 2 {
		s, err := c.Open(ctx, &Request{Method: "big", Payload: make([]byte, 1<<20), End: true})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	s, err := c.Open(ctx, &Request{Method: "small", Payload: []byte("1"), End: true})
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, s)
	b.Write(bytesOf(t, hello))
	var all []byte
	for buf := make([]byte, 64<<10); len(all) < 2<<20+130*5; {
		n, err := b.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, buf[:n]...)
	}
	small, turns, at := 0, 0, 0
	var last uint32
	for _, f := range framesOf(t, all) {
		at += f.Size
		if f.Stream == 3 {
			small = at
		} else if f.Stream != last {
			turns++
			last = f.Stream
		}
	}
	if small == 0 || small > 200_000 {
		t.Errorf("the small call came after %d bytes of 2 MiB", small)
	}
	if turns < 100 {
		t.Errorf("the long messages took %d turns of 130", turns)
	}
	for _, s := range list {
		s.Release()
	}
	c.Close(errOver)
	<-done
	b.Close()
}

// TestLastStreamID retires the connection: the stream that has it runs, and no other comes.
func TestLastStreamID(t *testing.T) {
	leaks(t)
	m := &methods{by: map[string]func(*Stream){"echo": echo}}
	retired := make(chan wire.Farewell, 2)
	a, b := memnet.Pipe(0)
	e := join(a, b, &Config{Retired: func(f wire.Farewell) { retired <- f }}, m.config())
	e.client.mu.Lock()
	e.client.lastID = wire.MaxStreamID - 2
	e.client.mu.Unlock()
	for i := range 2 {
		if got, err := call(t.Context(), e.client, "echo", []byte("1")); string(got) != "1" || err != nil {
			t.Errorf("call %d gave %q, %v", i, got, err)
		}
	}
	if f := <-retired; f.Last != wire.MaxStreamID {
		t.Errorf("retired with %+v", f)
	}
	_, err := e.client.Open(t.Context(), &Request{Method: "echo"})
	if l, ok := err.(*Lost); !ok || !l.NotProcessed {
		t.Errorf("one more gave %v", err)
	}
	e.wg.Wait()
	m.wg.Wait()
}
