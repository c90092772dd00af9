package rpcserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
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

// restless runs a test with connections that rest soon, plain ones and those inside TLS.
func restless(t *testing.T, cfg rpcserver.Config, test func(h *house)) {
	soon(t)
	t.Run("plain", func(t *testing.T) { test(onTCP(t, &cfg)) })
	t.Run("TLS", func(t *testing.T) { test(restlessTLS(t, cfg, func(nc net.Conn) net.Conn { return nc })) })
}

func soon(t *testing.T) {
	was := rpcserver.RestAfter(50 * time.Millisecond)
	t.Cleanup(func() { rpcserver.RestAfter(was) })
}

// restlessTLS is onTCP inside TLS; below may look into what goes through the sockets of its peers.
func restlessTLS(t *testing.T, cfg rpcserver.Config, below func(net.Conn) net.Conn) *house {
	t.Helper()
	ca := certs.New(t, "ours")
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}}
	h := onTCP(t, &cfg)
	dial := h.dial
	h.dial = func() (net.Conn, error) {
		nc, err := dial()
		if err != nil {
			return nil, err
		}
		return tls.Client(below(nc), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}), nil
	}
	return h
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
	restless(t, rpcserver.Config{}, func(h *house) {
		t := h.t
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
	})
}

// TestRestCut closes the server under connections that rest.
func TestRestCut(t *testing.T) {
	restless(t, rpcserver.Config{}, func(h *house) {
		t := h.t
		calls := visitors(h)
		for _, call := range calls {
			call()
		}
		await(t, func() bool { return resting() == len(calls) })
		h.s.Close()
		if got := h.s.Stats(); got.Open != 0 || got.Closed[string(rpcserver.Cut)] != uint64(len(calls)) {
			t.Errorf("got %v, want all closed for %q", got, rpcserver.Cut)
		}
	})
}

// TestRestEnds has connections that bring nothing more, or nothing at all, and are closed for it.
func TestRestEnds(t *testing.T) {
	e := make(ends, 9)
	restless(t, rpcserver.Config{Idle: time.Second, Observer: e.observer()}, func(h *house) {
		t := h.t
		for _, call := range visitors(h) {
			call()
		}
		h.stranger()
		for range 3 {
			e.want(t, rpcserver.IdleTooLong)
		}
	})
}

// TestRestHalf has connections that rest, and then bring half a message.
func TestRestHalf(t *testing.T) {
	e := make(ends, 9)
	restless(t, rpcserver.Config{Idle: time.Hour, HalfMessage: 200 * time.Millisecond, Observer: e.observer()}, func(h *house) {
		t := h.t
		p1, p2 := h.stranger(), h.visit2(nil)
		await(t, func() bool { return resting() == 2 })
		p1.nc.Write(wire.AppendMessage(nil, "1", "fib", "10")[:5])
		e.want(t, rpcserver.Half)
		p2.nc.Write([]byte{0x11})
		e.want(t, wire.SlowMessage)
	})
}

// TestRestNot has a call that runs for long: its connection is not idle.
func TestRestNot(t *testing.T) {
	restless(t, rpcserver.Config{}, func(h *house) {
		t := h.t
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
	})
}

// slicer keeps all but the first bytes of a write back when it is told to.
type slicer struct {
	net.Conn
	first int // 0: writes go whole
	back  []byte
}

func (s *slicer) Write(p []byte) (int, error) {
	if s.first == 0 {
		return s.Conn.Write(p)
	}
	s.back = append(s.back, p[s.first:]...)
	_, err := s.Conn.Write(p[:s.first])
	return len(p), err
}

// TestRestWithinRecord wakes a connection with the beginning of what TLS can make anything of, and lets it wait longer for the rest of that than it is
// awake. Two messages that come at once after a rest are both answered.
func TestRestWithinRecord(t *testing.T) {
	soon(t)
	below := new(slicer)
	p := restlessTLS(t, rpcserver.Config{}, func(nc net.Conn) net.Conn {
		below.Conn = nc
		return below
	}).visit()
	for _, first := range []int{1, 4, 6, 20} {
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		await(t, func() bool { return resting() == 1 })
		below.first = first
		p.send("1", "fib", "10")
		time.Sleep(150 * time.Millisecond) // decides nothing: it makes a rest likely
		if _, err := below.Conn.Write(below.back); err != nil {
			t.Fatal(err)
		}
		below.first, below.back = 0, nil
		p.want("1 fib_res 89")
	}
	await(t, func() bool { return resting() == 1 })
	p.write(append(wire.AppendMessage(nil, "1", "fib", "10"), wire.AppendMessage(nil, "2", "fib", "11")...))
	p.send("3", "fib", "12")
	p.want("1 fib_res 89", "2 fib_res 144", "3 fib_res 233")
}
