package rpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// ends is an Observer that keeps why connections ended.
type ends chan rpcserver.Reason

func (e ends) observer() *rpcserver.Observer {
	return &rpcserver.Observer{ConnClosed: func(_ net.Addr, why rpcserver.Reason) { e <- why }}
}

func (e ends) want(t *testing.T, want rpcserver.Reason) {
	t.Helper()
	if got := <-e; got != want {
		t.Errorf("the connection ended because of %q, want %q", got, want)
	}
}

func near(t *testing.T, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got < want || got > want+time.Second {
		t.Errorf("closed after %v, want %v", got, want)
	}
}

// TestFirstBytes sends what no peer of ours would begin with.
func TestFirstBytes(t *testing.T) {
	frame := func(lengths ...byte) string { return string(lengths) }
	for _, test := range []struct {
		name, bytes, answer string
		why                 rpcserver.Reason
	}{
		{"version 2 switched off", wire.Magic, "", rpcserver.NotOurs},
		{"TLS", "\x16\x03\x01", wire.Magic + "\x00\x00\x00" + "\x60\x00\x2a\x00\x09\x00this server has no TLS: connect without", rpcserver.NoTLS},
		{"SSH", "SSH-2.0-x\r\n", "", rpcserver.NotOurs},
		{"long id", frame(0, 0, 4, 1), "", rpcserver.BadLength},
		{"negative type", frame(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), "", rpcserver.BadLength},
		{"huge type", frame(0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff), "", rpcserver.BadLength},
		{"huge payload", frame(0, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0x10, 0, 1), "", rpcserver.BadLength},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := make(ends, 9)
				h := inMemory(t, &rpcserver.Config{Observer: e.observer(), V1Only: test.bytes == wire.Magic}, 0)
				p := h.visit()
				p.write([]byte(test.bytes))
				got := make([]byte, len(test.answer)+1)
				p.nc.SetReadDeadline(time.Now().Add(patience))
				n, _ := p.nc.Read(got)
				if string(got[:n]) != test.answer {
					t.Errorf("got %q, want %q", got[:n], test.answer)
				}
				p.wantEnd()
				p.nc.Close()
				e.want(t, test.why)
				other := h.visit()
				other.send("1", "fib", "10")
				other.want("1 fib_res 89")
			})
		})
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		p := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0).visit()
		start := time.Now()
		p.wantEnd()
		near(t, start, 60*time.Second)
		p.nc.Close()
		e.want(t, rpcserver.IdleTooLong)
	})
}

// Idle time begins when nothing is in flight any more, and each message begins it anew.
func TestIdleCountsFromTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		rpcserver.Handle(h.s, "nap", func(_ context.Context, s int) (int, error) { time.Sleep(time.Duration(s) * time.Second); return s, nil })
		p := h.visit()
		p.send("1", "nap", "150")
		p.want("1 nap_res 150")
		for range 3 {
			p.wantSilence(59 * time.Second)
			p.send("2", "fib", "10") // answered where it is read
			p.want("2 fib_res 89")
		}
		rpcserver.Handle(h.s, "quicknap", func(context.Context, int) (int, error) { time.Sleep(90 * time.Second); return 1, nil }, rpcserver.Quick())
		p.send("3", "quicknap", "1")
		p.want("3 quicknap_res 1")
		p.wantSilence(59 * time.Second)
		p.send(ours+";1", "nope", "10") // even this is a sign of life
		start := time.Now()
		p.wantEnd()
		near(t, start, 60*time.Second)
	})
}

// On a socket the reader waits without a buffer; its deadline must reach it there too.
func TestIdleOnTCP(t *testing.T) {
	e := make(ends, 9)
	h := onTCP(t, &rpcserver.Config{Observer: e.observer(), Idle: 20 * time.Millisecond})
	p := h.visit()
	p.wantEnd()
	p.nc.Close()
	e.want(t, rpcserver.IdleTooLong)
}

func TestHalfMessageOnTCP(t *testing.T) {
	e := make(ends, 9)
	h := onTCP(t, &rpcserver.Config{Observer: e.observer(), HalfMessage: 20 * time.Millisecond})
	p := h.visit()
	p.write([]byte{0})
	p.wantEnd()
	e.want(t, rpcserver.Half)
}

func TestStallOnTCP(t *testing.T) {
	e := make(ends, 9)
	h := onTCP(t, &rpcserver.Config{Observer: e.observer(), WriteStall: 20 * time.Millisecond})
	rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return strings.Repeat("x", 1<<20-2), nil })
	p := h.visit()
	for range 64 { // more than a kernel holds for one connection
		p.send(ours, "big", "1")
	}
	e.want(t, rpcserver.Stalled)
}

func TestIdleSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, &rpcserver.Config{Idle: -1}, 0).visit()
		p.wantSilence(24 * time.Hour)
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
	})
}

func TestFigures03HalfMessage(t *testing.T) {
	frame := wire.AppendMessage(nil, "1", "fib", "10")
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := make(ends, 9)
			p := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0).visit()
			time.Sleep(59 * time.Second) // as near to the idle limit as can be
			start := time.Now()
			p.write(frame[:5])
			p.wantEnd()
			verdict(t, "half a message, ms until closed", int(time.Since(start).Milliseconds()), 11_000)
			near(t, start, 10*time.Second)
			e.want(t, rpcserver.Half)
		})
	})
	t.Run("drip", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, nil, 0).visit()
			p.write(frame)
			p.want("1 fib_res 89")
			start := time.Now()
			for _, b := range frame {
				if _, err := p.nc.Write([]byte{b}); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			p.wantEnd()
			verdict(t, "a byte a second, ms until closed", int(time.Since(start).Milliseconds()), 11_000)
			near(t, start, 10*time.Second)
		})
	})
	t.Run("in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, nil, 0).visit()
			for range 10 { // each message has its own ten seconds
				p.write(frame[:7])
				time.Sleep(9 * time.Second)
				p.write(append(frame[7:len(frame):len(frame)], frame[:9]...))
				time.Sleep(9 * time.Second)
				p.write(frame[9:])
				p.want("1 fib_res 89", "1 fib_res 89")
			}
		})
	})
}

// A handler that runs in the reader's goroutine must not cost the peer the time of the message behind it.
func TestHalfMessageBehindABusyReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		rpcserver.Handle(h.s, "quick", func(context.Context, int) (int, error) { time.Sleep(30 * time.Second); return 1, nil }, rpcserver.Quick())
		p := h.visit()
		frame := wire.AppendMessage(nil, "2", "fib", "10")
		p.write(append(wire.AppendMessage(nil, "1", "quick", "1"), frame[:3]...))
		time.Sleep(20 * time.Second)
		p.write(frame[3:])
		p.want("1 quick_res 1", "2 fib_res 89")
	})
}

// TestFigures02DeclaredLength has 1000 connections that each declare a payload of 1 MiB and send one byte of it.
func TestFigures02DeclaredLength(t *testing.T) {
	const conns, most = 1000, 16 << 10
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, conns)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		head, _ := wire.Begin(nil, "1", "fib")
		head[len(head)-3] = 0x10
		before := heap()
		start := time.Now()
		peers := make([]*peer, conns)
		for i := range peers {
			peers[i] = h.visit()
			peers[i].write(append(head, 'x'))
		}
		synctest.Wait()
		each := (heap() - before) / conns
		verdict(t, "declared 1 MiB, heap per connection", each, most)
		for range conns {
			e.want(t, rpcserver.Half)
		}
		near(t, start, 10*time.Second)
	})
}

// TestFigures02DeclaredLengthOnTCP is the same over real sockets, where time is real and so the ten seconds are not waited for.
func TestFigures02DeclaredLengthOnTCP(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const conns, most = 400, 16 << 10
	var arrived sync.WaitGroup
	arrived.Add(conns)
	h := onTCP(t, &rpcserver.Config{Observer: &rpcserver.Observer{CallDone: func(rpcserver.CallInfo) { arrived.Done() }}})
	head, _ := wire.Begin(nil, "1", "fib")
	head[len(head)-3] = 0x10
	first := wire.AppendMessage(nil, "1", "log", "1") // shows that the half behind it, sent with it, has been read
	before := heap()
	for range conns {
		h.visit().write(append(append(first, head...), 'x'))
	}
	arrived.Wait()
	verdict(t, "declared 1 MiB, heap per connection on TCP", (heap()-before)/conns, most)
	if got := h.s.Stats().Open; got != conns {
		t.Errorf("%d connections open, want %d", got, conns)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC() // twice: what lay in pools goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A peer that makes errors and does not read them is not read either.
func TestErrorsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		p := h.visit()
		frames := []byte{}
		for range 50_000 {
			frames = wire.AppendMessage(frames, ours, "nope", "1")
		}
		if n, err := p.nc.Write(frames); err == nil {
			t.Errorf("all %d bytes were taken, want the peer to be stopped", n)
		}
		e.want(t, rpcserver.Stalled)
		verdict(t, "calls read while their errors wait", int(h.s.Stats().Calls), 15_000)
	})
}

// The errors of a peer of the original wait for its other calls; however many calls fail, they are held within bounds.
func TestLastAnswersHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1000}, 0)
		gate := make(chan struct{})
		details := []byte(`"` + strings.Repeat("x", 60_000) + `"`)
		rpcserver.Handle(h.s, "bulky", func(context.Context, int) (int, error) {
			<-gate
			return 0, &rpcserver.Error{Code: rpcserver.Aborted, Message: "no", Details: details}
		})
		p := h.visit()
		frames := wire.AppendMessage(nil, "0", "slow", "4000") // keeps the errors waiting
		for range 500 {
			frames = wire.AppendMessage(frames, "1", "bulky", "1")
		}
		before := heap()
		p.write(frames)
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if got := h.s.Stats().Failed; got != 500 {
			t.Errorf("%d calls failed, want 500", got)
		}
		verdict(t, "500 errors of 60 kB that wait, heap", heap()-before, 8<<20)
		p.want("0 slow_res 4000")
		got, err := p.next()
		if !strings.HasPrefix(got, "1;e error.aborted: no {") || err != nil {
			t.Errorf("got %.80q, %v; want an error as the last answer", got, err)
		}
		p.nc.Close()
	})
}

// While the server waits for a peer to take its replies, the time of the half message behind them stands still.
func TestHalfMessageBehindUnreadReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 256<<10)
		big := strings.Repeat("x", 1<<20-2)
		rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return big, nil }, rpcserver.Quick())
		p := h.visit()
		frame := wire.AppendMessage(nil, "2", "fib", "10")
		p.write(append(append(wire.AppendMessage(nil, "1", "big", "1"), wire.AppendMessage(nil, "1", "big", "1")...), frame[:3]...))
		want := 2 * len(wire.AppendMessage(nil, "1", "big_res", `"`+big+`"`))
		b := make([]byte, 256<<10)
		for got := 0; got < want; {
			if got < 512<<10 { // the server reads on once the first of the replies is out
				time.Sleep(8 * time.Second)
			}
			n, err := p.nc.Read(b[:min(len(b), want-got)])
			if got += n; err != nil {
				t.Fatalf("after %d of %d bytes: %v", got, want, err)
			}
		}
		p.write(frame[3:])
		p.want("2 fib_res 89")
	})
}

// A peer that reads slowly, but reads, gets all of its replies.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 4<<10)
		rpcserver.Handle(h.s, "text", func(context.Context, int) (string, error) { return strings.Repeat("x", 10_000), nil })
		p := h.visit()
		const calls = 400 // four times what may wait in the outbox
		done := make(chan struct{})
		go func() { // ends when all is written; received below
			defer close(done)
			for range calls {
				p.send(ours, "text", "1")
			}
		}()
		want := len(wire.AppendMessage(nil, answered, "text_res", `"`+strings.Repeat("x", 10_000)+`"`)) * calls
		b := make([]byte, 4<<10)
		for got := 0; got < want; {
			time.Sleep(9 * time.Second)
			n, err := p.nc.Read(b)
			if got += n; err != nil {
				t.Fatalf("after %d of %d bytes: %v", got, want, err)
			}
		}
		<-done
	})
}

// TestQueueFull has one worker that is busy and a queue of two that is full.
func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, Queue: 2}, 0)
		var running, most atomic.Int32
		gate := make(chan struct{})
		rpcserver.Handle(h.s, "wait", func(_ context.Context, n int) (int, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			<-gate
			return n, nil
		})
		p, q := h.visit(), h.visit()
		for i := range 3 {
			p.send(ours, "wait", fmt.Sprint(i))
			synctest.Wait()
		}
		p.send(ours, "wait", "3")
		p.want(answered + ` !error {"code":"resource_exhausted","message":"2 calls wait already","retry_after_ms":100}`)
		p.send(ours+";1", "wait", "3")
		p.wantSilence(time.Second)
		if got := h.s.Stats().Refused; got != 2 {
			t.Errorf("refused: got %d, want 2", got)
		}
		q.send("plain", "wait", "4") // run by its own reader
		synctest.Wait()
		if got := running.Load(); got != 2 {
			t.Errorf("running: got %d, want the worker and one reader", got)
		}
		q.send("plain", "wait", "5") // not read before that is over
		synctest.Wait()
		if got := h.s.Stats().Calls; got != 6 {
			t.Errorf("messages read: got %d, want 6", got)
		}
		close(gate)
		p.want(answered+" wait_res 0", answered+" wait_res 1", answered+" wait_res 2")
		q.want("plain wait_res 4", "plain wait_res 5")
		if got := most.Load(); got > 2 {
			t.Errorf("at once: got %d, want at most 2", got)
		}
	})
}

func TestWorkersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit()
		start := time.Now()
		for range 32 {
			p.send("1", "slow", "1000")
		}
		time.Sleep(time.Millisecond)
		if st := h.s.Stats(); st.Running != 16 || st.Queued != 16 {
			t.Errorf("got %d running and %d queued, want 16 and 16", st.Running, st.Queued)
		}
		for range 32 {
			p.want("1 slow_res 1000")
		}
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("32 calls of a second by 16 workers took %v, want 2s", got)
		}
	})
}

func TestNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for workers, says := range map[int]string{1: "the worker is busy, and there is no queue", 3: "all 3 workers are busy, and there is no queue"} {
			p := inMemory(t, &rpcserver.Config{Workers: workers, Queue: -1}, 0).visit()
			for range workers {
				p.send(ours, "slow", "1000")
				synctest.Wait()
			}
			p.send(ours, "slow", "1000")
			p.want(answered + ` !error {"code":"resource_exhausted","message":"` + says + `","retry_after_ms":100}`)
			for range workers {
				p.want(answered + " slow_res 1000")
			}
		}
	})
}

// A peer that brings more than it may leave with us is read no further until some of it is done.
func TestRequestsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, MaxMessage: 10_000, MaxConnMemory: 30_000}, 10_100)
		gate := make(chan struct{})
		rpcserver.Handle(h.s, "wait", func(_ context.Context, s string) (int, error) { <-gate; return len(s), nil })
		p := h.visit()
		done := make(chan struct{})
		go func() { // ends when all is written; received below
			defer close(done)
			for range 10 {
				p.send("1", "wait", `"`+strings.Repeat("x", 9_998)+`"`)
			}
		}()
		synctest.Wait()
		if got := h.s.Stats().Calls; got != 4 { // three are 30 003 bytes with their ids, and a fourth may have come with the same read
			if got != 3 {
				t.Errorf("messages read: got %d, want 3 or 4", got)
			}
		}
		close(gate)
		for range 10 {
			p.want("1 wait_res 9998")
		}
		<-done
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1}, 0)
		ran := make(chan time.Duration, 9)
		rpcserver.Handle(h.s, "left", func(ctx context.Context, ms int) (int, error) {
			d, ok := ctx.Deadline()
			if !ok {
				return 0, errors.New("no deadline")
			}
			left := time.Until(d)
			time.Sleep(time.Duration(ms) * time.Millisecond)
			ran <- left
			return 0, ctx.Err()
		})
		const late = answered + ` !error {"code":"deadline_exceeded","message":"the deadline passed while the handler ran"}`
		p := h.visit()
		p.send(ours+";d=100", "left", "99")
		p.want(answered + " left_res 0")
		if got := <-ran; got != 100*time.Millisecond {
			t.Errorf("left: got %v, want 100ms", got)
		}
		p.send(ours+";d=100", "left", "101")
		p.want(late)
		<-ran
		start := time.Now()
		p.send(ours+";d=100", "slow", "1000")
		p.want(late)
		if got := time.Since(start); got != 100*time.Millisecond {
			t.Errorf("slow heeded its deadline after %v, want 100ms", got)
		}
		p.send(ours+";d=5000", "left", "300")
		p.send(ours+";d=200", "left", "0") // waits for the only worker until it is too late
		p.want(answered+" left_res 0", answered+` !error {"code":"deadline_exceeded","message":"the deadline passed before a worker was free"}`)
		<-ran
		if len(ran) != 0 {
			t.Error("a call ran whose deadline had passed in the queue")
		}
	})
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		p := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0).visit()
		p.send("1", "slow", "30000")
		p.closeWrite()
		p.want("1 slow_res 30000")
		p.wantEnd()
		e.want(t, rpcserver.PeerClosed)
	})
}

func TestLostConnectionCancels(t *testing.T) {
	e := make(ends, 9)
	h := onTCP(t, &rpcserver.Config{Observer: e.observer()})
	began, ended := make(chan struct{}), make(chan error, 1)
	rpcserver.Handle(h.s, "wait", func(ctx context.Context, _ int) (int, error) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, ctx.Err()
	})
	p := h.visit()
	p.send("1", "wait", "1")
	<-began
	p.nc.(*net.TCPConn).SetLinger(0) // a reset, as from a process that died
	p.nc.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	e.want(t, rpcserver.Lost)
}

// While the queue is full a reader runs its peer's calls itself. What it has answered before must not wait for them, or for room
// that only its own writing makes.
func TestQuickRepliesBeforeAFullQueue(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
	}{{"small", 1}, {"more than an outbox takes", 600 << 10}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, &rpcserver.Config{Workers: 1, Queue: -1}, 0)
				text := strings.Repeat("x", test.size)
				rpcserver.Handle(h.s, "quick", func(context.Context, int) (string, error) { return text, nil }, rpcserver.Quick())
				other := h.visit()
				other.send("1", "slow", "9000")
				synctest.Wait()

				p := h.visit()
				start := time.Now()
				frames := wire.AppendMessage(nil, "1", "quick", "1")
				frames = wire.AppendMessage(frames, "2", "quick", "1")
				p.write(wire.AppendMessage(frames, "3", "slow", "5000"))
				p.want(`1 quick_res "`+text+`"`, `2 quick_res "`+text+`"`)
				if waited := time.Since(start); waited > 0 {
					t.Errorf("quick replies came after %v, want no time", waited)
				}
				p.want("3 slow_res 5000")
				other.want("1 slow_res 9000")
			})
		})
	}
}
