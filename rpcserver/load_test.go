package rpcserver_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// TestManyPeers has peers that call without waiting for replies, which come in any order; each must be the right one.
func TestManyPeers(t *testing.T) {
	h := onTCP(t, nil)
	rpcserver.Handle(h.s, "next", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	rpcserver.Handle(h.s, "quick", func(_ context.Context, n int) (int, error) { return n + 1, nil }, rpcserver.Quick())
	var wg sync.WaitGroup
	for i := range 8 {
		p := h.visit()
		service := []string{"next", "quick"}[i%2]
		const calls = 5000
		wg.Go(func() {
			for n := range calls {
				if _, err := p.nc.Write(wire.AppendMessage(nil, fmt.Sprint(n), service, fmt.Sprint(n))); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			seen := map[string]bool{}
			for range calls {
				got, err := p.next()
				var n, value int
				if _, scanErr := fmt.Sscanf(got, "%d "+service+"_res %d", &n, &value); err != nil || scanErr != nil || value != n+1 || seen[got] {
					t.Errorf("got %q, %v, %v", got, err, scanErr)
					p.nc.Close()
					return
				}
				seen[got] = true
			}
		})
	}
	wg.Wait()
}

// TestFigures04MutatedInputs sends frames that were damaged at random, each over a connection of its own.
func TestFigures04MutatedInputs(t *testing.T) {
	inputs := of(50_000, 500_000)
	ln := memnet.Listen()
	s := rpcserver.New(nil)
	register(s)
	rpcserver.Handle(s, "echo", func(_ context.Context, v any) (any, error) { return v, nil })
	rpcserver.Handle(s, "fib", func(_ context.Context, n int) (int, error) { return n, nil }, rpcserver.Quick())
	rpcserver.HandleCast(s, "log", func(_ context.Context, v string) error { return nil })
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(ln) })
	defer goleak.VerifyNone(t)
	defer wg.Wait()
	defer s.Close()

	var corpus [][]byte
	for _, frame := range golden(t) {
		corpus = append(corpus, frame)
	}
	for _, typ := range []string{"fib", "echo", "limited", "log", "wrapped"} {
		for _, payload := range []string{"10", `"\ud83d\ude00你"`, `{"n":1,"list":[1,2],"name":null}`, "null", ""} {
			corpus = append(corpus, wire.AppendMessage(nil, ours+";d=5;i", typ, payload), wire.AppendMessage(nil, ours+";1", typ, payload))
		}
	}
	before, goroutines := heap(), runtime.NumGoroutine()-1 // but the one that accepts
	random := rand.New(rand.NewPCG(1, 2))
	for i := range inputs {
		in := mutate(random, corpus)
		nc, err := ln.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(in) // fails when the server has cut the connection already
		nc.(*memnet.Conn).CloseWrite()
		nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, nc); err != nil {
			t.Fatalf("input %d, %x: %v", i, in, err)
		}
		nc.Close()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	st := s.Stats()
	if st.Open != 0 || st.Accepted != uint64(inputs) || st.Panics != 0 || st.Calls == 0 || st.Failed == 0 {
		t.Errorf("got %+v, want every input accepted, some of them calls, and no panic", st)
	}
	verdict(t, fmt.Sprintf("%d malformed inputs of v1, panics", inputs), int(st.Panics), 0)
	verdict(t, "malformed inputs of v1, heap kept", heap()-before, 1<<20)
	verdict(t, "malformed inputs of v1, goroutines kept", runtime.NumGoroutine()-goroutines, 0)
}

// mutate joins a few frames of the corpus and damages the result, or not.
func mutate(r *rand.Rand, corpus [][]byte) []byte {
	var in []byte
	for range 1 + r.IntN(3) {
		in = append(in, corpus[r.IntN(len(corpus))]...)
	}
	for range r.IntN(4) {
		at := r.IntN(len(in))
		switch r.IntN(5) {
		case 0:
			in[at] ^= 1 << r.IntN(8)
		case 1:
			in[at] = byte(r.Uint32())
		case 2:
			in = append(in[:at], in[min(at+1+r.IntN(8), len(in)):]...)
		case 3:
			in = append(in[:at:at], append([]byte{byte(r.Uint32()), 0, 0xff}, in[at:]...)...)
		case 4:
			in = in[:at+1]
		}
		if len(in) == 0 {
			return []byte{0}
		}
	}
	return in
}

// TestAllocations counts what one call costs the whole process, over a real socket, with a peer that allocates nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, test := range []struct {
		name, id, typ, payload, reply string
		most                          float64
	}{
		{"int, worker", ours, "fib", "20", "10946", 0},
		{"int, quick", ours, "quick", "20", "10946", 0},
		{"int, plain id", "3f2c8c0e-6a54-4d6c-9d0a-6b4d6d2a7b11", "fib", "20", "10946", 0},
		{"int with a deadline", ours + ";d=5000", "fib", "20", "10946", 1},
		{"string", ours, "string", `"hello, hello, hello, hello"`, `"hello, hello, hello, hello"`, 1},
		{"struct", ours, "exp2", `{"base":2,"exp":10}`, `{"value":1024,"cost":5}`, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := onTCP(t, nil)
			h.s.Service("quick", rpcserver.Func(func(context.Context, int) (int64, error) { return 10946, nil }), rpcserver.Quick())
			rpcserver.Handle(h.s, "string", func(_ context.Context, s string) (string, error) { return s, nil })
			rpcserver.Handle(h.s, "exp2", func(_ context.Context, r struct{ Base, Exp int }) (struct {
				Value int64 `json:"value"`
				Cost  int64 `json:"cost"`
			}, error,
			) {
				return struct {
					Value int64 `json:"value"`
					Cost  int64 `json:"cost"`
				}{int64(1) << r.Exp, 5}, nil
			})
			nc, err := h.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			id := test.id
			if _, _, ok := wire.ParseMark([]byte(id)); ok {
				id = answered
			}
			request := wire.AppendMessage(nil, test.id, test.typ, test.payload)
			want := string(wire.AppendMessage(nil, id, test.typ+"_res", test.reply))
			got := make([]byte, len(want))
			allocs := testing.AllocsPerRun(2000, func() {
				nc.Write(request)
				if _, err := io.ReadFull(nc, got); err != nil || string(got) != want {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
			})
			if allocs > test.most {
				t.Errorf("allocations per call: got %v, want at most %v", allocs, test.most)
			}
		})
	}
}

// TestFigures04MutatedFrames is TestFigures04MutatedInputs for version 2.
func TestFigures04MutatedFrames(t *testing.T) {
	inputs := of(50_000, 500_000)
	ln := memnet.Listen()
	s := rpcserver.New(&rpcserver.Config{HalfMessage: time.Hour})
	register(s)
	registerStreams(s)
	registerMetadata(s)
	demo.Register(s)
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(ln) })
	defer goleak.VerifyNone(t)
	defer wg.Wait()
	defer s.Close()

	p := &peer2{t: t}
	var corpus [][]byte
	for _, name := range []string{"fib", "fibs", "sum", "chat", "echo", "log", "metas", "first", "wrapped", "!services"} {
		corpus = append(corpus, p.opening(nil, wire.FlagEnd, wire.OpenHead{}, name, "3", "user-agent", "x"),
			p.opening(nil, 0, wire.OpenHead{NoMessage: true, Timeout: 5 * time.Millisecond}, name, ""),
			p.opening(nil, wire.FlagEnd, wire.OpenHead{OneWay: true, Codec: wire.CodecRaw, Number: 1}, name, `"3"`))
	}
	for id := range p.last {
		for _, payload := range []string{"1", `"x"`, "", "null"} {
			corpus = append(corpus, wire.AppendFrame(nil, wire.KindData, wire.Flags(id%2), id, []byte(payload)))
		}
		corpus = append(corpus, wire.AppendFrame(nil, wire.KindError, 0, id, []byte{1}), wire.AppendFrame(nil, wire.KindCredit, 0, id, []byte{100}))
	}
	before, goroutines := heap(), runtime.NumGoroutine()-1 // but the one that accepts
	random := rand.New(rand.NewPCG(3, 4))
	for i := range inputs {
		in := append([]byte(wire.Magic+"\x00\x00\x00"), mutate(random, corpus)...)
		nc, err := ln.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(in) // fails when the server has cut the connection already
		nc.(*memnet.Conn).CloseWrite()
		nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, nc); err != nil {
			t.Fatalf("input %d, %x: %v", i, in, err)
		}
		nc.Close()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	ended := uint64(0)
	st := s.Stats()
	for _, n := range st.Closed {
		ended += n
	}
	if st.Open+st.Running+st.Streams+st.Queued != 0 || ended != uint64(inputs) || len(st.Closed) < 8 || st.Calls == 0 {
		t.Errorf("got %+v, want every connection ended, for many reasons, and nothing running", st)
	}
	verdict(t, fmt.Sprintf("%d malformed inputs of v2, panics", inputs), int(st.Panics), 0)
	verdict(t, "malformed inputs of v2, heap kept", heap()-before, 1<<20)
	verdict(t, "malformed inputs of v2, goroutines kept", runtime.NumGoroutine()-goroutines, 0)
}
