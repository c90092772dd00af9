package mux

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

var seeds = flag.Int("seeds", 6, "how many seeds TestStuckConsumer runs; the long form is 100")

// TestStuckConsumer has 64 streams echo messages of up to 1 MiB over a pipe without a buffer, one of them with a consumer that never
// takes anything: the others finish, and what is held for it is bounded.
func TestStuckConsumer(t *testing.T) {
	leaks(t)
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { stuckConsumer(t, uint64(seed)) })
	}
}

func stuckConsumer(t *testing.T, seed uint64) {
	m := &methods{by: map[string]func(*Stream){"echo": echoAll}}
	server := m.config()
	server.MaxConnMemory = 256 << 20
	client := &Config{MaxConnMemory: 256 << 20}
	a, b := net.Pipe()
	e := join(a, b, client, server)
	defer e.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a deadlock ends, and says so
	defer cancel()

	stuck, err := e.client.Open(ctx, &Request{Method: "echo", NoMessage: true})
	if err != nil {
		t.Fatal(err)
	}
	stuckCtx, unstick := context.WithCancel(ctx)
	var stuckDone, wg sync.WaitGroup
	stuckDone.Go(func() {
		for stuck.Send(stuckCtx, make([]byte, 300_000), nil, false) == nil {
		}
	})
	for i := range 63 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			if err := echoOf(ctx, e.client, r); err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	limit := 64<<10 + 1<<20 + 64<<10
	e.client.mu.Lock()
	held := stuck.inCost + stuck.partCost
	e.client.mu.Unlock()
	if held > limit || held == 0 {
		t.Errorf("%d bytes are held for the stuck consumer, want 1 to %d", held, limit)
	}
	unstick()
	stuckDone.Wait()
	stuck.Release()
	m.wg.Wait()
	if n := e.server.Stats().Streams; n != 0 {
		t.Errorf("%d streams are left on the server", n)
	}
	if n := e.client.Stats().Held; n != 0 {
		t.Errorf("%d bytes are held", n)
	}
}

// echoOf sends a few messages and expects each to come back.
func echoOf(ctx context.Context, c *Conn, r *rand.Rand) error {
	s, err := c.Open(ctx, &Request{Method: "echo", NoMessage: true})
	if err != nil {
		return err
	}
	defer s.Release()
	var sent [][]byte
	for range 2 + r.IntN(3) {
		size := r.IntN(2000)
		if r.IntN(12) == 0 {
			size = r.IntN(1<<20 + 1)
		}
		b := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, size)
		sent = append(sent, b)
	}
	failed := make(chan error, 1)
	go func() { // ends with the last message; waited for below
		for _, b := range sent {
			if err := s.Send(ctx, b, nil, false); err != nil {
				failed <- err
				return
			}
		}
		failed <- s.CloseSend()
	}()
	for i, want := range sent {
		m, err := s.Recv(ctx)
		if err != nil || !bytes.Equal(m.Payload, want) {
			s.Cancel(wire.Canceled)
			<-failed
			return fmt.Errorf("message %d: got %d bytes, %v, want %d", i, len(m.Payload), err, len(want))
		}
	}
	if err := <-failed; err != nil {
		return err
	}
	if _, err := s.Recv(ctx); err != io.EOF {
		return fmt.Errorf("the end: %v", err)
	}
	return nil
}
