package mux

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/wire"
)

// TestProvokedResets has a client that never cancels, but makes the server break its streams off: that is no way around the limit on cancels.
func TestProvokedResets(t *testing.T) {
	bomb := open(1, wire.FlagEnd|wire.FlagCompressed, "echo", "\x01\xff\xff\xff") // cannot be inflated
	for _, test := range []struct {
		name   string
		stream func(id uint32) []byte
	}{
		{"inflating", func(id uint32) []byte { return open(id, wire.FlagEnd|wire.FlagCompressed, "echo", "\x01\xff\xff\xff") }},
		{"algorithm", func(id uint32) []byte { return open(id, wire.FlagEnd|wire.FlagCompressed, "echo", "\x07abc") }},
		{"memory", func(id uint32) []byte { return open(id, wire.FlagEnd, "echo", string(make([]byte, 2000))) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var refused, running, most atomic.Int64
				m := &methods{by: map[string]func(*Stream){"echo": func(s *Stream) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					if msg, err := s.First(); err == nil {
						s.Finish(msg.Payload, nil, false)
					}
				}}}
				cfg := m.config()
				cfg.Settings = wire.DefaultSettings()
				cfg.Settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
				if test.name == "memory" {
					cfg.MaxConnMemory = 1000
				}
				cfg.Refused = func(why Refusal, streams int) {
					if why != RefusedMemory {
						t.Errorf("refused because of %d", why)
					}
					refused.Add(int64(streams))
				}
				cfg.Traffic = new(Traffic)
				p := rawServer(t, cfg)
				go io.Copy(io.Discard, p.nc) // ends when the server has closed
				p.say(hello)
				sent := uint32(0)
				for sent < 5*resetLimit {
					sent++
					if _, err := p.nc.Write(test.stream(sent)); err != nil {
						break
					}
					if sent%50 == 0 {
						synctest.Wait()
						if p.conn.reason() != nil {
							break
						}
					}
				}
				p.nc.Close()
				if b, ok := errors.AsType[*wire.Breach](p.ended()); !ok || b.Reason != wire.RapidReset {
					t.Errorf("after %d streams the connection ended by %v, want a rapid reset", sent, b)
				}
				if sent > 2*resetLimit {
					t.Errorf("%d streams were taken, want hardly more than %d", sent, resetLimit)
				}
				m.wg.Wait()
				if running.Load() != 0 || most.Load() > int64(cfg.Settings.MaxStreams) {
					t.Errorf("%d handlers are left, %d ran at once", running.Load(), most.Load())
				}
				if n := refused.Load(); (n > 0) != (test.name == "memory") {
					t.Errorf("%d were refused", n)
				}
				if in, out := cfg.Traffic.In.Load(), cfg.Traffic.Out.Load(); in < uint64(resetLimit*len(bomb)) || out == 0 {
					t.Errorf("traffic: %d in, %d out", in, out)
				}
			})
		})
	}
}
