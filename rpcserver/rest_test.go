package rpcserver_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// resting counts the goroutines that wait for an idle connection.
func resting() (n int) {
	b := make([]byte, 1<<20)
	for stack := range bytes.SplitSeq(b[:runtime.Stack(b, true)], []byte("\n\n")) {
		if bytes.Contains(stack, []byte("rpcserver.(*conn).rest(")) && !bytes.Contains(stack, []byte("rpcserver.(*conn).live(")) {
			n++
		}
	}
	return n
}

// restless is onTCP with connections that rest soon.
func restless(t *testing.T, cfg *rpcserver.Config) *house {
	was := rpcserver.RestAfter(50 * time.Millisecond)
	t.Cleanup(func() { rpcserver.RestAfter(was) })
	return onTCP(t, cfg)
}

// visitors are connections of both versions that make a call each time.
func visitors(h *house) (call []func()) {
	p1, p2 := h.visit(), h.visit2(nil)
	return []func(){
		func() {
			p1.send("1", "fib", "10")
			p1.want("1 fib_res 89")
		},
		func() {
			p2.call("fib", "10")
			got, err := p2.next()
			if err != nil || !strings.HasSuffix(got, "END 89") {
				h.t.Errorf("got %s, %v", got, err)
			}
		},
	}
}

// TestRest has connections that are quiet for a while, and then go on, twice.
func TestRest(t *testing.T) {
	h := restless(t, nil)
	calls := visitors(h)
	for range 2 {
		for _, call := range calls {
			call()
		}
		await(t, func() bool { return resting() == len(calls) })
	}
	if err := h.s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := h.s.Stats().Closed; got[string(rpcserver.Stopping)] != uint64(len(calls)) {
		t.Errorf("closed %v, want all for %q", got, rpcserver.Stopping)
	}
}

// TestRestCut closes the server under connections that rest.
func TestRestCut(t *testing.T) {
	h := restless(t, nil)
	calls := visitors(h)
	for _, call := range calls {
		call()
	}
	await(t, func() bool { return resting() == len(calls) })
	h.s.Close()
	if got := h.s.Stats(); got.Open != 0 || got.Closed[string(rpcserver.Cut)] != uint64(len(calls)) {
		t.Errorf("got %v, want all closed for %q", got, rpcserver.Cut)
	}
}

// TestRestEnds has connections that bring nothing more, half a message, or nothing at all, and are closed for it.
func TestRestEnds(t *testing.T) {
	e := make(ends, 9)
	h := restless(t, &rpcserver.Config{Idle: 300 * time.Millisecond, HalfMessage: 200 * time.Millisecond, Observer: e.observer()})
	for _, call := range visitors(h) {
		call()
	}
	h.stranger()
	await(t, func() bool { return resting() == 3 })
	for range 3 {
		e.want(t, rpcserver.IdleTooLong)
	}

	p1, p2 := h.stranger(), h.visit2(nil)
	await(t, func() bool { return resting() == 2 })
	p1.nc.Write(wire.AppendMessage(nil, "1", "fib", "10")[:5])
	e.want(t, rpcserver.Half)
	p2.nc.Write([]byte{0x11})
	e.want(t, wire.SlowMessage)
}

// TestRestNot has a call that runs for long: its connection is not idle.
func TestRestNot(t *testing.T) {
	h := restless(t, nil)
	began, gate := make(chan struct{}, 2), make(chan struct{})
	rpcserver.Handle(h.s, "long", func(context.Context, int) (int, error) {
		began <- struct{}{}
		<-gate
		return 1, nil
	})
	calls := visitors(h)
	p1, p2 := h.visit(), h.visit2(nil)
	p1.send("1", "long", "1")
	p2.call("long", "1")
	<-began
	<-began
	for _, call := range calls {
		call()
	}
	await(t, func() bool { return resting() == len(calls) })
	time.Sleep(200 * time.Millisecond) // longer than a connection without a call is awake
	if n := resting(); n != len(calls) {
		t.Errorf("%d connections rest, want %d", n, len(calls))
	}
	close(gate)
	p1.want("1 long_res 1")
	p2.want("DATA 1 END 1")
	await(t, func() bool { return resting() == len(calls)+2 })
}
