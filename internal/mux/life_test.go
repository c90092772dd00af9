package mux

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

// wait is a handler that runs until the client cancels.
func wait(s *Stream) {
	over := make(chan error, 1)
	s.OnEnd(func(err error) { over <- err })
	<-over
}

// TestTenThousandStreamsBroken cancels streams midway, in each of the ways a client has, 800 a second: that is no attack.
func TestTenThousandStreamsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"wait": wait, "echo": echoAll, "items": func(s *Stream) {
			for s.Send(context.Background(), bytes200, nil, false) == nil {
			}
		}}}
		e := joinTest(t, nil, m.config())
		before := runtime.NumGoroutine()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for n := range 500 {
					time.Sleep(25 * time.Millisecond)
					method := []string{"wait", "echo", "items"}[n%3]
					s, err := e.client.Open(t.Context(), &Request{Method: method, Payload: []byte("1"), End: method != "echo"})
					if err != nil {
						t.Error(err)
						return
					}
					if method != "wait" {
						if _, err := s.Recv(t.Context()); err != nil {
							t.Error(err)
						}
					}
					if i%2 == 0 {
						s.Cancel(wire.Canceled)
					}
					s.Release()
				}
			})
		}
		wg.Wait()
		m.wg.Wait()
		synctest.Wait()
		for name, s := range map[string]Stats{"client": e.client.Stats(), "server": e.server.Stats()} {
			if s.Streams != 0 || s.Running != 0 || s.Held != 0 || s.Unsent != 0 {
				t.Errorf("%s holds %+v", name, s)
			}
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines, %d before", n, before)
		}
	})
}

// TestRapidReset opens and cancels as fast as it can: handlers never run more than the limit allows, and the client is told to go.
func TestRapidReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		m := &methods{by: map[string]func(*Stream){"wait": func(s *Stream) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			wait(s)
			time.Sleep(time.Minute) // it does not look at its context
		}}}
		cfg := m.config()
		cfg.Settings = wire.DefaultSettings()
		cfg.Settings.MaxStreams = 10
		p := rawServer(t, cfg)
		p.say(hello)
		go func() { // ends when the server closes
			for id := uint32(1); ; id++ {
				b := open(id, wire.FlagEnd, "wait", "")
				if id%3 > 0 { // some of them are refused, and not cancelled
					b = wire.AppendFrame(b, wire.KindError, 0, id, []byte{1})
				}
				if _, err := p.nc.Write(b); err != nil {
					return
				}
			}
		}()
		frames := p.rest()
		last := frames[len(frames)-1]
		if bye, err := wire.ParseGoAway(last.Payload); last.Kind != wire.KindGoAway || err != nil || bye.Code != wire.ResourceExhausted {
			t.Errorf("the last frame is %v %q", last.Kind, last.Payload)
		}
		if b, ok := errors.AsType[*wire.Breach](p.ended()); !ok || b.Reason != wire.RapidReset {
			t.Errorf("it ended with %v", b)
		}
		m.wg.Wait()
		if n := most.Load(); n > 10 {
			t.Errorf("%d handlers ran at once, the limit is 10", n)
		}
	})
}

// TestCancelledStreamKeepsItsSlot until its handler has returned.
func TestCancelledStreamKeepsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"hold": func(s *Stream) { <-free }, "echo": echo}}
		cfg := m.config()
		cfg.Settings = wire.DefaultSettings()
		cfg.Settings.MaxStreams = 2
		e := joinTest(t, nil, cfg)
		<-e.client.Ready()
		for range 2 {
			s, err := e.client.Open(t.Context(), &Request{Method: "hold", End: true})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			s.Release()
		}
		_, err := call(t.Context(), e.client, "echo", []byte("x"))
		if f, ok := errors.AsType[*Failure](err); !ok || !f.Refused || f.Status.Code != wire.ResourceExhausted {
			t.Errorf("a third stream gave %v, want a refusal", err)
		}
		free <- true
		synctest.Wait()
		if got, err := call(t.Context(), e.client, "echo", []byte("x")); string(got) != "x" || err != nil {
			t.Errorf("with a free slot: %q, %v", got, err)
		}
		if s := e.server.Stats(); s.Running != 1 || s.Refused != 1 || s.Canceled != 2 {
			t.Errorf("the server's numbers are %+v", s)
		}
		close(free)
		m.wg.Wait()
	})
}

// TestLineIsFair lets callers wait in line for a slot, in order, bounded by their contexts.
func TestLineIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"step": func(s *Stream) { <-next; echo(s) }}}
		cfg := m.config()
		cfg.Settings = wire.DefaultSettings()
		cfg.Settings.MaxStreams = 1
		e := joinTest(t, nil, cfg)
		<-e.client.Ready()
		var mu sync.Mutex
		var order []string
		for _, name := range []string{"a", "b", "c", "d"} {
			go func() {
				ctx := t.Context()
				if name == "b" {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				}
				_, err := call(ctx, e.client, "step", []byte(name))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name = "-" + name
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		if n := e.client.Stats().Waiting; n != 3 {
			t.Errorf("%d wait in line, want 3", n)
		}
		time.Sleep(2 * time.Second)
		for range 3 {
			next <- true
			synctest.Wait()
		}
		if want := []string{"-b", "a", "c", "d"}; !slices.Equal(order, want) {
			t.Errorf("they came in the order %v, want %v", order, want)
		}
	})
}

// TestGoAway drains a server: what runs goes on, what comes later is refused and may go elsewhere, and both ends close.
func TestGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"step": func(s *Stream) { <-next; echo(s) }}}
		var retired []wire.Farewell
		e := joinTest(t, &Config{Retired: func(f wire.Farewell) { retired = append(retired, f) }}, m.config())
		<-e.client.Ready()
		answers := make(chan string, 1)
		go func() {
			got, err := call(t.Context(), e.client, "step", []byte("runs"))
			if err != nil {
				t.Error(err)
			}
			answers <- string(got)
		}()
		synctest.Wait()
		e.server.GoAway(wire.Farewell{Text: "stopping", Left: time.Minute})
		e.server.GoAway(wire.Farewell{Text: "stopping", Left: time.Minute})
		e.server.CloseWhenIdle()
		synctest.Wait()
		if want := (wire.Farewell{Last: 1, Text: "stopping", Left: time.Minute}); len(retired) != 1 || retired[0] != want {
			t.Errorf("the client was told %+v, want %+v once", retired, want)
		}
		_, err := call(t.Context(), e.client, "step", nil)
		if l, ok := errors.AsType[*Lost](err); !ok || !l.NotProcessed {
			t.Errorf("a new stream gave %v", err)
		}
		next <- true
		if got := <-answers; got != "runs" {
			t.Errorf("the call that ran gave %q", got)
		}
		e.wg.Wait() // by themselves
		for _, err := range []error{e.clientErr, e.serverErr} {
			if end, ok := errors.AsType[*End](err); !ok || end.Reason != Retired && end.Reason != PeerClosed {
				t.Errorf("an end closed with %v", err)
			}
		}
	})
}

// TestGoAwayExcludes fails the streams that a GOAWAY names as never taken, and drops the refusal that comes for one later.
func TestGoAwayExcludes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rawClient(t, nil)
		p.say(hello)
		var list []*Stream
		for range 3 {
			s, err := p.conn.Open(t.Context(), &Request{Method: "a", End: true})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		p.say("60 00 04 01 00 00 78") // GOAWAY 1
		for _, s := range list[1:] {
			if l, ok := errors.AsType[*Lost](recvErr(t, s)); !ok || !l.NotProcessed {
				t.Errorf("stream %d is not safe elsewhere: %v", s.ID(), l)
			}
			s.Release()
		}
		p.say("38 03 01 0E | 21 01 01 31")
		if m, err := list[0].Recv(t.Context()); err != nil || string(m.Payload) != "1" {
			t.Errorf("the stream that runs gave %q, %v", m.Payload, err)
		}
		list[0].Release()
		if n := p.conn.Stats().Late; n != 1 {
			t.Errorf("%d frames were dropped, want 1", n)
		}
	})
}

// TestRefusedWhileDraining is what a server answers to an OPEN that crosses its GOAWAY; that is no rapid reset.
func TestRefusedWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"wait": wait}}
		p := rawServer(t, m.config())
		p.say(hello)
		p.hear(hello)
		p.write(open(1, wire.FlagEnd, "wait", ""))
		synctest.Wait()
		p.conn.GoAway(wire.Farewell{})
		p.hear("60 00 03 01 00 00")
		for id := uint32(2); id < 3000; id++ {
			p.write(open(id, wire.FlagEnd, "wait", ""))
		}
		synctest.Wait()
		p.conn.GoAway(wire.Farewell{})
		p.write(wire.AppendFrame(nil, wire.KindError, 0, 1, []byte{1}))
		synctest.Wait()
		p.conn.CloseWhenIdle()
		frames := p.rest()
		for i, f := range frames[:len(frames)-1] {
			if e, err := wire.ParseFailure(f.Payload); f.Kind != wire.KindError || f.Flags != wire.FlagRefused || err != nil || e.Code != wire.Unavailable {
				t.Fatalf("frame %d is %+v", i, f)
			}
		}
		if bye, _ := wire.ParseGoAway(frames[len(frames)-1].Payload); len(frames) != 2999 || bye.Last != 1 {
			t.Errorf("%d frames, the last one %+v", len(frames), bye)
		}
		if end, ok := errors.AsType[*End](p.ended()); !ok || end.Reason != Retired {
			t.Errorf("it ended with %v", end)
		}
	})
}

// TestIdleServerSaysGoodbye after a minute without a stream and without a byte.
func TestIdleServerSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"echo": echo, "slow": func(s *Stream) { time.Sleep(5 * time.Minute); echo(s) }}}
		cfg := m.config()
		cfg.Idle = time.Minute
		var order []string
		opened := cfg.Opened
		cfg.Ready = func() { order = append(order, "ready") }
		cfg.Opened = func(s *Stream) { order = append(order, "opened"); opened(s) }
		defer func() {
			if len(order) < 2 || order[0] != "ready" || order[1] != "opened" {
				t.Errorf("the server was told %v, want ready before opened", order)
			}
		}()
		var retired wire.Farewell
		e := joinTest(t, &Config{Retired: func(f wire.Farewell) { retired = f }}, cfg)
		if _, err := call(t.Context(), e.client, "slow", []byte("x")); err != nil {
			t.Errorf("a call longer than the idle time: %v", err)
		}
		start := time.Now()
		time.Sleep(40 * time.Second)
		if _, err := e.client.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		e.wg.Wait()
		if got := time.Since(start); got < 100*time.Second || got > 103*time.Second {
			t.Errorf("closed %v after the last stream, want 100 s", got)
		}
		if end, ok := errors.AsType[*End](e.serverErr); !ok || end.Reason != IdleTooLong || retired.Text != IdleTooLong {
			t.Errorf("the server ended with %v and told %+v", e.serverErr, retired)
		}
	})
}

// TestOneFlightAndNothingMore arms the deadlines also when all that ever comes was read before Serve.
func TestOneFlightAndNothingMore(t *testing.T) {
	for _, test := range []struct {
		name, rest string
		want       time.Duration
	}{
		{"idle", "11 01 0B 00 00 00 00 04 65 63 68 6F 31 30", time.Minute},
		{"half", "11 01 0A 00 00 00 00 04 65 63 68", 10 * time.Second},
		{"half a message", "18 01 0B 00 00 00 00 04 65 63 68 6F 31 30", 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &methods{by: map[string]func(*Stream){"echo": echo}}
				cfg := m.config()
				cfg.Idle = time.Minute
				a, b := memnet.Pipe(0)
				defer a.Close()
				c := New(b, role(b, cfg, Server))
				start := time.Now()
				err := c.Serve(bytesOf(t, hello+test.rest))
				if got := time.Since(start); got < test.want || got > test.want+2*time.Second {
					t.Errorf("ended after %v with %v, want %v", got, err, test.want)
				}
				m.wg.Wait()
			})
		})
	}
}

// TestPeerThatReadsNothing is closed when it has taken nothing for the write stall; what is held for it stays within bounds.
func TestPeerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reply := make([]byte, 100_000)
		var failed atomic.Int64
		m := &methods{by: map[string]func(*Stream){"big": func(s *Stream) {
			if s.Finish(reply, nil, false) != nil {
				failed.Add(1)
			}
		}}}
		cfg := m.config()
		cfg.MaxConnMemory = 4 << 20
		cfg.Settings = wire.DefaultSettings()
		cfg.Settings.MaxStreams = 1000
		p := rawServerBuffer(t, cfg, 64<<10)
		start := time.Now()
		p.say(hello)
		for id := uint32(1); id <= 500; id++ {
			p.write(open(id, wire.FlagEnd, "big", ""))
		}
		synctest.Wait()
		if n := p.conn.Stats().Unsent; n > 4<<20 || n < 3<<20 {
			t.Errorf("%d bytes wait, want at most 4 MiB", n)
		}
		if failed.Load() == 0 {
			t.Error("500 replies of 100 kB fit 4 MiB")
		}
		if !p.conn.Crowded() {
			t.Error("it is not crowded")
		}
		if end, ok := errors.AsType[*End](p.ended()); !ok || end.Reason != Stalled {
			t.Errorf("it ended with %v", end)
		}
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("it took %v, want 10s", got)
		}
		m.wg.Wait()
		if n := p.conn.Stats().Running; n != 0 {
			t.Errorf("%d run", n)
		}
	})
}

// TestDrained is called when the peer has read what waited, and only then.
func TestDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := 0
		m := &methods{by: map[string]func(*Stream){"big": func(s *Stream) { s.Finish(make([]byte, 300_000), nil, false) }}}
		cfg := m.config()
		cfg.MaxOutbox = 100_000
		cfg.Drained = func() { drained++ }
		p := rawServerBuffer(t, cfg, 64<<10)
		p.say(hello)
		p.hear(hello)
		for id := range uint32(8) {
			p.write(open(id+1, wire.FlagEnd, "big", ""))
		}
		synctest.Wait()
		m.wg.Wait()
		if !p.conn.Crowded() || drained != 0 {
			t.Errorf("crowded: %v, drained %d times; want true and never", p.conn.Crowded(), drained)
		}
		for n := 0; n < 8*300_000; {
			k, err := p.nc.Read(make([]byte, 100_000))
			if err != nil {
				t.Fatal(err)
			}
			n += k
			synctest.Wait()
		}
		if p.conn.Crowded() || drained != 1 {
			t.Errorf("crowded: %v, drained %d times; want false and once", p.conn.Crowded(), drained)
		}
	})
}

// TestConnectionLost fails what runs, says what never left, and tells the handlers.
func TestConnectionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 1)
		m := &methods{by: map[string]func(*Stream){"wait": func(s *Stream) {
			over := make(chan error, 1)
			s.OnEnd(func(err error) { over <- err })
			told <- <-over
		}}}
		e := joinTest(t, nil, m.config())
		s, err := e.client.Open(t.Context(), &Request{Method: "wait", End: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !s.MayHaveLeft() {
			t.Error("its bytes have left, and it does not say so")
		}
		e.client.nc.Close()
		if l, ok := errors.AsType[*Lost](recvErr(t, s)); !ok || l.NotProcessed {
			t.Errorf("got %v", l)
		}
		s.Release()
		if _, ok := errors.AsType[*Lost](<-told); !ok {
			t.Error("the handler was not told")
		}
		e.wg.Wait()
		_, err = e.client.Open(t.Context(), &Request{Method: "wait"})
		if l, ok := errors.AsType[*Lost](err); !ok || !l.NotProcessed {
			t.Errorf("open on a closed connection: %v", err)
		}
		m.wg.Wait()
	})
}

// TestCloseUnderTraffic closes a server from outside while its reader is busy and first messages are under way.
func TestCloseUnderTraffic(t *testing.T) {
	leaks(t)
	for range 10 {
		m := &methods{by: map[string]func(*Stream){"echo": echo}}
		p := rawServer(t, m.config())
		p.say(hello)
		var wg sync.WaitGroup
		wg.Go(func() { // ends when the server closes
			for id := uint32(1); ; id += 2 {
				b := append(open(id, wire.FlagMore, "echo", "1"), open(id+1, wire.FlagEnd, "echo", "1")...)
				if id > 200 {
					b = append(b, data(id-200, wire.FlagEnd, "2")...)
				}
				if _, err := p.nc.Write(b); err != nil {
					return
				}
			}
		})
		for p.conn.Stats().Streams < 20 && p.conn.reason() == nil { // it may take this for an attack, rightly
			runtime.Gosched()
		}
		p.conn.Close(errOver)
		p.ended()
		m.wg.Wait()
		p.nc.Close()
		wg.Wait()
		if s := p.conn.Stats(); s.Streams != 0 || s.Running != 0 || s.Held != 0 {
			t.Fatalf("it holds %+v", s)
		}
	}
}

// TestNeverLeft is about streams of which no byte was handed to the socket.
func TestNeverLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe(10) // takes no more than the hello
		cfg := role(a, nil, Client)
		c := New(a, cfg)
		c.Start(true)
		served := make(chan error, 1)
		go func() { served <- c.Serve(nil) }()
		var list []*Stream
		for range 4 {
			s, err := c.Open(t.Context(), &Request{Method: "a", Payload: []byte("12"), End: true})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			list = append(list, s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := list[3].Written(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("written: %v", err)
		}
		unsent := c.Stats().Unsent
		list[2].Cancel(wire.Canceled) // names nothing, and stands in the outbox
		if list[2].MayHaveLeft() || c.Stats().Unsent != unsent-8 {
			t.Errorf("a stream that never left is still to go: %d bytes of %d wait", c.Stats().Unsent, unsent)
		}
		list[2].Release()
		if !list[0].MayHaveLeft() || list[3].MayHaveLeft() {
			t.Errorf("left: %v and %v, want true and false", list[0].MayHaveLeft(), list[3].MayHaveLeft())
		}
		b.Close()
		c.Close(errOver)
		for i, s := range list {
			if i == 2 {
				continue
			}
			if l, ok := errors.AsType[*Lost](recvErr(t, s)); !ok || l.NotProcessed != (i > 1) && i != 1 {
				t.Errorf("stream %d: %+v", i, l)
			}
			s.Release()
		}
		<-served
	})
}

// TestCasts have left when Written returns, and nothing comes back for them.
func TestCasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		m := &methods{by: map[string]func(*Stream){"note": func(s *Stream) {
			m, _ := s.First()
			got = append(got, string(m.Payload))
			s.Finish([]byte("unasked"), nil, false)
		}}}
		e := joinTest(t, nil, m.config())
		for _, text := range []string{"a", strings.Repeat("b", 100_000)} {
			s, err := e.client.Open(t.Context(), &Request{Method: "note", Payload: []byte(text), OneWay: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Written(t.Context()); err != nil {
				t.Error(err)
			}
			s.Release()
			synctest.Wait()
		}
		if s, err := e.client.Open(t.Context(), &Request{Method: "nobody", OneWay: true}); err == nil {
			s.Written(t.Context())
			s.Release()
		}
		m.wg.Wait()
		if len(got) != 2 || got[0] != "a" || len(got[1]) != 100_000 {
			t.Errorf("%d casts came", len(got))
		}
		for name, s := range map[string]Stats{"client": e.client.Stats(), "server": e.server.Stats()} {
			if s.Streams != 0 || s.Running != 0 || s.Late != 0 || s.Held != 0 {
				t.Errorf("%s holds %+v", name, s)
			}
		}
	})
}

// TestProbe sends four bytes and waits for the peer's SETTINGS before it says more.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe(0)
		c := New(a, role(a, nil, Client))
		p := &rawPeer{t: t, nc: b, conn: c, err: make(chan error, 1)}
		c.Start(false)
		go func() { p.err <- c.Serve(nil) }()
		defer p.close()
		opened := make(chan error, 1)
		go func() {
			s, err := c.Open(t.Context(), &Request{Method: "a", End: true})
			if err == nil {
				s.Release()
			}
			opened <- err
		}()
		synctest.Wait()
		p.hear("FF 52 4B 32")
		if n := c.Stats().BytesOut; n != 4 {
			t.Errorf("%d bytes went out, want 4", n)
		}
		p.say(hello)
		p.hear("00 00 00 | 11 01 06 00 00 00 01 01 61")
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

// TestFirstFlight opens streams before the server's SETTINGS have come: the window grows when they do, and what is too many is refused.
func TestFirstFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rawClient(t, nil)
		var list []*Stream
		for range 2 {
			s, err := p.conn.Open(t.Context(), &Request{Method: "up", NoMessage: true})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		p.hear(hello + "10 01 07 40 00 00 01 02 75 70 | 10 02 03 40 00 01")
		s := list[0]
		for range 2 { // the second one takes the credit below zero
			if err := s.Send(t.Context(), make([]byte, 60_000), nil, false); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Send(ctx, []byte("x"), nil, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without credit: %v", err)
		}
		p.say("FF 52 4B 32 | 00 00 09 02 03 80 80 08 03 02 80 04") // window 128 KiB, 512 streams
		synctest.Wait()
		if err := s.Send(t.Context(), []byte("x"), nil, true); err != nil {
			t.Error(err)
		}
		p.say("38 02 01 08")
		if f, ok := errors.AsType[*Failure](recvErr(t, list[1])); !ok || !f.Refused {
			t.Errorf("the second stream gave %v", f)
		}
		for _, s := range list {
			s.Release()
		}
	})
}

// TestFinishWithoutCredit keeps a server's last message until there is some.
func TestFinishWithoutCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := make(chan error, 1)
		m := &methods{by: map[string]func(*Stream){"a": func(s *Stream) {
			s.Send(t.Context(), make([]byte, 70_000), nil, false)
			finished <- s.Finish(bytes200, []byte("\x03\x01t"), false)
		}}}
		p := rawServer(t, m.config())
		p.say(hello)
		p.hear(hello)
		p.write(open(1, wire.FlagEnd, "a", ""))
		if err := <-finished; err != nil {
			t.Error(err)
		}
		m.wg.Wait()
		synctest.Wait()
		if s := p.conn.Stats(); s.Streams != 1 || s.Running != 0 {
			t.Errorf("it waits for credit as %+v", s)
		}
		p.say("40 01 03 80 80 02")
		synctest.Wait()
		if s := p.conn.Stats(); s.Streams != 0 || s.Unsent != 0 {
			t.Errorf("with credit it is %+v", s)
		}
		p.nc.SetReadDeadline(time.Now().Add(time.Second))
		b, _ := io.ReadAll(p.nc)
		frames := framesOf(t, b)
		last := frames[len(frames)-1]
		if last.Flags != wire.FlagEnd|wire.FlagMeta || len(last.Payload) != 204 {
			t.Errorf("the last frame is %+v", last)
		}
	})
}

var bytes200 = make([]byte, 200)

// TestHeavyCallsWait has a client open more large calls than a server holds: they wait for each other, small ones pass, nothing is refused.
func TestHeavyCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"echo": echo, "hold": func(s *Stream) { s.First(); <-free; echoNothing(s) }}}
		e := joinTest(t, nil, m.config())
		var wg sync.WaitGroup
		large := make([]byte, 1<<20)
		for range 40 {
			wg.Go(func() {
				if _, err := call(t.Context(), e.client, "hold", large); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if s := e.client.Stats(); s.Streams != 14 || s.Waiting != 26 {
			t.Errorf("%d are open and %d wait, want 14 and 26", s.Streams, s.Waiting)
		}
		if got, err := call(t.Context(), e.client, "echo", []byte("1")); string(got) != "1" || err != nil {
			t.Errorf("a small call gave %q, %v", got, err)
		}
		close(free)
		wg.Wait()
		m.wg.Wait()
		synctest.Wait()
		if c, s := e.client, e.server.Stats(); s.Refused != 0 || s.Held != 0 || c.firsts != 0 || c.line != nil {
			t.Errorf("the server's numbers are %+v; %d bytes are open", s, c.firsts)
		}
	})
}
