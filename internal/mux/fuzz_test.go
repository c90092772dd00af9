package mux

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

// FuzzPeer feeds a connection, in either role and with streams of all kinds under way, what a peer may send. It must not panic, must
// end, and must leave no stream, no byte and no goroutine: the bubble insists on that.
func FuzzPeer(f *testing.F) {
	seed := func(server bool, frames ...[]byte) {
		all := []byte(wire.Magic + "\x00\x00\x00")
		for _, frame := range frames {
			all = append(all, frame...)
		}
		f.Add(server, byte(7), all)
	}
	seed(true, open(1, wire.FlagEnd, "echo", "10"), open(2, 0, "all", "1"), data(2, 0, "2"), data(2, wire.FlagEnd, ""))
	seed(true, open(1, wire.FlagMore, "echo", "10"), data(1, wire.FlagMore, "11"), data(1, wire.FlagEnd, "12"))
	seed(true, open(1, 0, "wait", "10"), []byte{0x30, 1, 1, 1}, []byte{0x40, 1, 1, 1}, []byte{0x50, 0, 0}, []byte{0x60, 0, 3, 1, 0, 0})
	seed(true, open(3, wire.FlagEnd|wire.FlagCompressed, "all", "\x01\x01\x02\x00\xfd\xff10"), []byte{0x11, 4, 3, 0x40, 0, 1})
	seed(true, []byte{0x13, 1, 11, 0, 0, 0, 1, 4, 'e', 'c', 'h', 'o', 3, 3, 1, 't', '1'})
	seed(false, data(1, wire.FlagEnd, "89"), data(2, 0, "1"), data(2, wire.FlagMeta|wire.FlagEnd, "\x03\x03\x01t"), data(3, wire.FlagMore, "12"))
	seed(false, []byte{0x30, 1, 1, 5}, []byte{0x38, 2, 1, 8}, []byte{0x40, 3, 1, 9}, []byte{0x60, 0, 4, 2, 0, 0, 'x'})
	seed(false, []byte{0x50, 0, 1, 9}, []byte{0x51, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1}, []byte{0x90, 0, 1, 1})
	f.Fuzz(func(t *testing.T, server bool, chunk byte, peer []byte) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pipe(1 << 20)
			m := &methods{by: map[string]func(*Stream){"echo": echo, "all": echoAll, "wait": wait}}
			cfg := m.config()
			cfg.Settings = wire.DefaultSettings()
			cfg.Settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
			cfg.MaxConnMemory = 1 << 20
			cfg.Idle = time.Minute
			cfg.Role = Client
			if server {
				cfg.Role = Server
			}
			cfg.TryWrite = b.TryWrite
			c := New(b, cfg)
			var wg sync.WaitGroup
			if !server {
				c.Start(true)
				openSome(c, &wg)
			}
			wg.Go(func() { c.Serve(nil) })
			for n := int(chunk) + 1; len(peer) > 0; {
				n = min(n, len(peer))
				if _, err := a.Write(peer[:n]); err != nil {
					break
				}
				peer = peer[n:]
			}
			a.CloseWrite()
			wg.Wait()
			m.wg.Wait()
			a.Close()
			if s := c.Stats(); s.Streams != 0 || s.Running != 0 || s.Held != 0 || s.Waiting != 0 {
				t.Errorf("it holds %+v", s)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.copied != 0 || c.slots != 0 || len(c.slow) != 0 || len(c.ring) != 0 || len(c.credits) != 0 {
				t.Errorf("copied %d, slots %d, slow %d, ring %d, credits %d", c.copied, c.slots, len(c.slow), len(c.ring), len(c.credits))
			}
		})
	})
}

// openSome has a client with a call, a stream that comes, one that goes, a cast and a ping under way.
func openSome(c *Conn, wg *sync.WaitGroup) {
	ctx := context.Background()
	for i, r := range []*Request{
		{Method: "a", Payload: []byte("1"), End: true},
		{Method: "b", End: true, NoMessage: true},
		{Method: "c", NoMessage: true},
		{Method: "a", Payload: make([]byte, 100_000), OneWay: true},
	} {
		s, err := c.Open(ctx, r)
		if err != nil {
			continue
		}
		wg.Go(func() {
			defer s.Release()
			switch i {
			case 2:
				for s.Send(ctx, make([]byte, 30_000), []byte("\x03\x01t"), false) == nil {
				}
				fallthrough
			case 0, 1:
				for {
					if _, err := s.Recv(ctx); err != nil {
						return
					}
				}
			default:
				s.Written(ctx)
			}
		})
	}
	wg.Go(func() { c.Ping(ctx) })
}
