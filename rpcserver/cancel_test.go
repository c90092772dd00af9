package rpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// ended is how a handler's context ended.
type ended struct{ err, cause error }

// registerWaits adds services that wait for the end of their context and say how it came.
func registerWaits(s *rpcserver.Server) <-chan ended {
	seen := make(chan ended, 2000)
	note := func(ctx context.Context) error {
		<-ctx.Done()
		seen <- ended{ctx.Err(), context.Cause(ctx)}
		return ctx.Err()
	}
	rpcserver.Handle(s, "wait", func(ctx context.Context, _ int) (int, error) { return 0, note(ctx) })
	rpcserver.HandleStream(s, "waits", func(ctx context.Context, _ int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := 0; yield(i, nil); i++ {
				time.Sleep(time.Millisecond)
			}
			note(ctx)
		}
	})
	rpcserver.HandleUpload(s, "takes", func(ctx context.Context, items iter.Seq2[int, error]) (n int, err error) {
		for _, err = range items {
			n++
		}
		seen <- ended{err, context.Cause(ctx)}
		return n, err
	})
	return seen
}

func wantEnded(t *testing.T, seen <-chan ended, err, cause error) {
	t.Helper()
	if got := <-seen; !errors.Is(got.err, err) || !errors.Is(got.cause, cause) {
		t.Errorf("the context ended with %v because of %v, want %v because of %v", got.err, got.cause, err, cause)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		seen := registerWaits(h.s)
		p := h.visit2(nil)
		id := p.call("wait", "1")
		synctest.Wait()
		p.cancel(id)
		wantEnded(t, seen, context.Canceled, rpcserver.ErrCanceledByPeer)

		id = p.call("waits", "1")
		p.want("DATA 2 0", "DATA 2 1")
		p.cancel(id)
		wantEnded(t, seen, context.Canceled, rpcserver.ErrCanceledByPeer)

		id = p.begin("takes")
		p.item(id, "1")
		synctest.Wait()
		p.cancel(id)
		wantEnded(t, seen, rpcserver.ErrCanceledByPeer, rpcserver.ErrCanceledByPeer)

		synctest.Wait()
		p.frame(wire.KindPing, 0, 0, []byte("x"))
		for got := ""; got != "PING 0 END x"; got, _ = p.next() {
			if got != "" && !strings.HasPrefix(got, "DATA 2 ") {
				t.Errorf("got %q, want nothing but items on their way", got)
			}
		}
		if st := h.s.Stats(); st.Canceled != 3 || st.Failed != 0 || st.Running+st.Streams != 0 {
			t.Errorf("stats: got %+v, want three cancelled and nothing running", st)
		}
	})
}

func TestDeadlineReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		seen := registerWaits(h.s)
		start := time.Now()
		p := h.visit2(nil)
		p.open(wire.FlagEnd, wire.OpenHead{Timeout: 100 * time.Millisecond}, "slow", "10000")
		p.want("ERROR 1 deadline_exceeded: the deadline passed while the handler ran")
		id := p.open(0, wire.OpenHead{Timeout: 100 * time.Millisecond, NoMessage: true}, "takes", "")
		p.item(id, "1")
		wantEnded(t, seen, context.DeadlineExceeded, context.DeadlineExceeded)
		p.want("ERROR 2 deadline_exceeded: the deadline passed while the handler ran")

		v1 := h.visit() // the mark of version 1 says the same
		v1.send(ours+";d=100", "slow", "10000")
		v1.want(answered + ` !error {"code":"deadline_exceeded","message":"the deadline passed while the handler ran"}`)
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("took %v, want 300ms", took)
		}
	})
}

func TestLostConnectionEndsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		seen := registerWaits(h.s)
		p := h.visit2(nil)
		p.call("wait", "1")
		id := p.begin("takes")
		p.item(id, "1")
		synctest.Wait()
		p.nc.Close()
		for range 2 {
			got := <-seen
			if got.cause == nil || got.cause.Error() != "the caller's connection has ended: peer closed" {
				t.Errorf("got %v because of %v", got.err, got.cause)
			}
		}
		synctest.Wait()
		if st := h.s.Stats(); st.Open+st.Running+st.Streams != 0 || st.Closed["peer closed"] != 1 {
			t.Errorf("stats: got %+v, want nothing left", st)
		}
	})
}

// A cancelled call keeps its place until its handler has returned.
func TestCancelledKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{MaxStreams: 1}, 0)
		gate := make(chan struct{})
		rpcserver.Handle(h.s, "deaf", func(context.Context, int) (int, error) {
			<-gate
			return 1, nil
		})
		p := h.visit2(nil)
		id := p.call("deaf", "1")
		synctest.Wait()
		p.cancel(id)
		id = p.call("fib", "10")
		got, err := p.next()
		if want := fmt.Sprintf("ERROR %d REFUSED resource_exhausted: ", id); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("got %q, %v; want %q...", got, err, want)
		}
		close(gate)
		synctest.Wait()
		id = p.call("fib", "10")
		p.want(fmt.Sprintf("DATA %d END 89", id))
	})
}

// TestBrokenOff cancels many streams midway, slower than the rules forbid, and many calls. Nothing of them is left.
func TestBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		seen := registerWaits(h.s)
		p := h.visit2(nil)
		go io.Copy(io.Discard, p.nc) // ends when the connection is closed
		const n = 1000
		for i := range n {
			id := p.call([]string{"waits", "wait"}[i%2], "1")
			time.Sleep(2 * time.Millisecond)
			p.cancel(id)
		}
		for range n {
			wantEnded(t, seen, context.Canceled, rpcserver.ErrCanceledByPeer)
		}
		synctest.Wait()
		if st := h.s.Stats(); st.Canceled != n || st.Running+st.Streams+st.Queued != 0 || st.Open != 1 {
			t.Errorf("stats: got %+v, want %d cancelled and nothing running", st, n)
		}
		p.nc.Close()
	})
}
