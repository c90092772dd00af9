package rpcserver_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// Whoever has no more in flight than he may is never refused, also if the next call comes the moment that an answer is there.
func TestSteadyPeerIsNeverRefused(t *testing.T) {
	for _, test := range []struct {
		name, service string
		v1            bool
		cfg           func(n int) *rpcserver.Config
	}{
		{"of its connection", "one", false, func(n int) *rpcserver.Config { return &rpcserver.Config{MaxStreams: n, MaxConnInFlight: n} }},
		{"in all", "one", false, func(n int) *rpcserver.Config { return &rpcserver.Config{MaxStreams: n, MaxInFlight: n} }},
		{"in all, streams", "few", false, func(n int) *rpcserver.Config { return &rpcserver.Config{MaxStreams: n, MaxInFlight: n} }},
		{"workers and queue", "one", false, func(n int) *rpcserver.Config {
			return &rpcserver.Config{MaxStreams: n, Workers: n/2 + 1, Queue: n - n/2 - 1}
		}},
		{"v1, of its connection", "one", true, func(n int) *rpcserver.Config { return &rpcserver.Config{MaxConnInFlight: n} }},
		{"v1, in all", "one", true, func(n int) *rpcserver.Config { return &rpcserver.Config{MaxInFlight: n} }},
	} {
		for _, n := range []int{4, 512} {
			t.Run(fmt.Sprintf("%s/%d", test.name, n), func(t *testing.T) {
				h := onTCP(t, test.cfg(n))
				rpcserver.Handle(h.s, "one", func(context.Context, int) (int, error) { return 1, nil })
				rpcserver.HandleStream(h.s, "few", func(context.Context, int) iter.Seq2[int, error] {
					return func(yield func(int, error) bool) { _ = yield(1, nil) && yield(2, nil) }
				})
				calls, refused := of(20_000, 1_000_000), 0
				if test.v1 {
					refused = steady1(t, h.visit(), n, calls)
				} else {
					refused = steady2(t, h.visit2(nil), test.service, n, calls)
				}
				verdict(t, fmt.Sprintf("%d calls, always %d in flight, %s: refused", calls, n, test.name), refused, 0)
				if st := h.s.Stats(); len(st.Refusals) > 0 {
					t.Errorf("refusals: %v", st.Refusals)
				}
			})
		}
	}
}

// steady1 keeps n calls in flight on version 1 and counts what is no reply.
func steady1(t *testing.T, p *peer, n, calls int) (refused int) {
	t.Helper()
	for range n {
		p.send(ours, "one", "1")
	}
	for done := 1; done <= calls; done++ {
		got, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if got != answered+" one_res 1" {
			refused++
		}
		if done <= calls-n {
			p.send(ours, "one", "1")
		}
	}
	return refused
}

// steady2 is steady1 for version 2 and any service that does not take items.
func steady2(t *testing.T, p *peer2, service string, n, calls int) (refused int) {
	t.Helper()
	for range n {
		p.call(service, "1")
	}
	for done := 1; done <= calls; {
		f, err := p.nextFrame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind != wire.KindError && f.Flags&wire.FlagEnd == 0 {
			continue
		}
		if f.Kind == wire.KindError {
			refused++
		}
		if done <= calls-n {
			p.call(service, "1")
		}
		done++
	}
	return refused
}
