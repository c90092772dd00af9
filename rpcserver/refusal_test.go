package rpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// toll is an Observer that counts what was refused, by reason.
type toll struct {
	mu sync.Mutex // protects by
	by map[string]uint64
}

func (c *toll) observer() *rpcserver.Observer {
	c.by = map[string]uint64{}
	return &rpcserver.Observer{Refused: func(reason string, peer net.Addr) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.by[reason]++
		if peer == nil {
			panic("no peer")
		}
	}}
}

// want compares what was refused with what the counters of the server say, and the observer.
func (c *toll) want(t *testing.T, s *rpcserver.Server, want map[string]uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	st := s.Stats()
	if !maps.Equal(st.Refusals, want) || !maps.Equal(c.by, want) {
		t.Errorf("refusals: got %v, told %v, want %v", st.Refusals, c.by, want)
	}
	calls := uint64(0)
	for why, n := range want {
		if why != rpcserver.RefusedConns && why != rpcserver.RefusedConnsPerAddr {
			calls += n
		}
	}
	if st.Refused != calls {
		t.Errorf("refused calls: got %d, want %d", st.Refused, calls)
	}
}

// gated adds a service whose calls stay until gate is closed, and that counts how many of them run.
type gated struct {
	gate          chan struct{}
	running, most atomic.Int32
}

func gate(s *rpcserver.Server, opts ...rpcserver.Option) *gated {
	g := &gated{gate: make(chan struct{})}
	rpcserver.Handle(s, "wait", func(_ context.Context, n int) (int, error) {
		for now, most := g.running.Add(1), g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
			continue
		}
		defer g.running.Add(-1)
		<-g.gate
		return n, nil
	}, opts...)
	return g
}

// wantInAnyOrder is want for replies of several workers.
func (p *peer) wantInAnyOrder(messages ...string) {
	p.t.Helper()
	var got []string
	for range messages {
		m, err := p.next()
		if err != nil {
			p.t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, m)
	}
	slices.Sort(got)
	slices.Sort(messages)
	if !slices.Equal(got, messages) {
		p.t.Fatalf("got  %q\nwant %q", got, messages)
	}
}

// foreign is a listener whose connections come from the addresses that it is given.
type foreign struct {
	net.Listener
	from func() net.Addr
}

type foreigner struct {
	net.Conn
	addr net.Addr
}

func (f foreigner) RemoteAddr() net.Addr { return f.addr }

func (f *foreign) Accept() (net.Conn, error) {
	nc, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return foreigner{nc, f.from()}, nil
}

func TestMaxConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		var out lockedBuffer
		h := inMemory(t, &rpcserver.Config{MaxConns: 2, Observer: c.observer(), Logger: slog.New(slog.NewTextHandler(&out, nil))}, 0)
		p, q := h.visit(), h.visit2(nil)
		for range 3 {
			h.visit().wantEnd()
		}
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		q.call("fib", "10")
		q.want("DATA 1 END 89")
		p.nc.Close()
		synctest.Wait()
		p = h.visit() // there is room again
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		time.Sleep(time.Second)
		h.visit().wantEnd()
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedConns: 4})
		if st := h.s.Stats(); st.Open != 2 || st.Accepted != 3 || st.OpenV1 != 1 || st.OpenV2 != 1 {
			t.Errorf("stats: got %+v", st)
		}
		lines := ""
		for _, l := range out.lines() {
			if strings.Contains(l, "refused") {
				lines += l[strings.Index(l, "msg="):] + "\n"
			}
		}
		if strings.Count(lines, "\n") != 2 || !strings.Contains(lines, `reason=connections left_out=2`) {
			t.Errorf("logged\n%s\nwant a line a second that says how many were left out", lines)
		}
	})
}

func TestMaxConnsPerAddr(t *testing.T) {
	for _, test := range []struct {
		name, first, second string
		most                int // connections that get in, of 2 from each
	}{
		{"two addresses", "192.0.2.1", "192.0.2.2", 2},
		{"one address", "192.0.2.1", "192.0.2.1", 1},
		{"one address in two forms", "192.0.2.1", "::ffff:192.0.2.1", 1},
		{"one network of IPv6", "2001:db8::1", "2001:db8::2:0:0:1", 1},
		{"two networks of IPv6", "2001:db8::1", "2001:db8:0:1::1", 2},
		{"loopback", "127.0.0.1", "::1", 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c toll
				s := rpcserver.New(&rpcserver.Config{MaxConnsPerAddr: 1, Observer: c.observer()})
				ln := memnet.Listen()
				n := 0
				from := func() net.Addr {
					n++
					return &net.TCPAddr{IP: net.ParseIP([]string{test.first, test.second}[n%2]), Port: n}
				}
				h := serve(t, s, &foreign{ln, from}, func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
				for range 2 { // the second time the places of the first have become free
					var all []*peer
					for range 4 {
						all = append(all, h.visit())
						synctest.Wait()
					}
					if got := s.Stats().Open; got != test.most {
						t.Errorf("open: got %d, want %d", got, test.most)
					}
					for _, p := range all {
						p.nc.Close()
					}
					synctest.Wait()
				}
				want := map[string]uint64{}
				if refused := 2 * (4 - test.most); refused > 0 {
					want[rpcserver.RefusedConnsPerAddr] = uint64(refused)
				}
				c.want(t, s, want)
			})
		})
	}
}

// Handlers that run, and calls that wait, are bounded for all together. Who marks its calls is told; a peer of the original is read no
// further, and served when there is room.
func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		h := inMemory(t, &rpcserver.Config{Workers: 2, MaxInFlight: 4, Observer: c.observer()}, 0)
		g := gate(h.s)
		p, q, r := h.visit2(nil), h.visit(), h.visit()
		p.begin("sum") // a stream counts, too
		synctest.Wait()
		for i := range 3 {
			q.send(ours, "wait", fmt.Sprint(i))
		}
		synctest.Wait()
		p.begin("sum")
		p.call("wait", "9")
		p.want("ERROR 2 REFUSED resource_exhausted: 4 calls are in flight again in 100ms", "ERROR 3 REFUSED resource_exhausted: 4 calls are in flight again in 100ms")
		q.send(ours, "wait", "9")
		q.want(answered + ` !error {"code":"resource_exhausted","message":"4 calls are in flight","retry_after_ms":100}`)
		for i := range 5 {
			r.send("plain", "wait", fmt.Sprint(i))
		}
		q.send(ours, "fib", "10") // quick: needs no place
		q.want(answered + " fib_res 89")
		r.wantSilence(time.Second)
		if st := h.s.Stats(); st.InFlight != 4 || st.Limit != 4 || st.Running != 2 || st.Queued != 1 || st.Streams != 1 {
			t.Errorf("stats: got %+v", st)
		}
		close(g.gate)
		q.wantInAnyOrder(answered+" wait_res 0", answered+" wait_res 1", answered+" wait_res 2")
		r.wantInAnyOrder("plain wait_res 0", "plain wait_res 1", "plain wait_res 2", "plain wait_res 3", "plain wait_res 4")
		if g.most.Load() > 3 {
			t.Errorf("%d at once, want no more than 3 beside the stream", g.most.Load())
		}
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedInFlight: 3})
	})
}

// A call whose caller has given up keeps its place until its handler returns.
func TestCancelledCallsAreInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 8, MaxInFlight: 2}, 0)
		g := gate(h.s)
		p := h.visit2(nil)
		for range 10 {
			id := p.call("wait", "1")
			synctest.Wait()
			p.cancel(id)
			synctest.Wait()
		}
		if st := h.s.Stats(); g.most.Load() != 2 || st.InFlight != 2 || st.Refusals[rpcserver.RefusedInFlight] != 8 {
			t.Errorf("%d ran at once, stats: %+v", g.most.Load(), st)
		}
		close(g.gate)
	})
}

// Connections that end while their calls wait for a place do not keep it, and those that shut down are answered.
func TestWaitingPeersThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		h := inMemory(t, &rpcserver.Config{Workers: 1, MaxInFlight: 1, Observer: &rpcserver.Observer{CallDone: func(rpcserver.CallInfo) { done.Add(1) }}}, 0)
		g := gate(h.s)
		p, q, r := h.visit(), h.visit(), h.visit()
		p.send("1", "wait", "1")
		synctest.Wait()
		q.send("1", "wait", "2")
		synctest.Wait()
		r.send("1", "wait", "3")
		r.closeWrite()
		synctest.Wait()
		cut := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() { cut <- h.s.Shutdown(ctx) }() // received below
		synctest.Wait()
		close(g.gate)
		p.want("1 wait_res 1")
		q.want("1 wait_res 2")
		r.want("1 wait_res 3")
		if err := <-cut; err != nil || done.Load() != 3 {
			t.Errorf("%d calls done, %v", done.Load(), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, MaxInFlight: 1}, 0)
		g := gate(h.s)
		p, q := h.visit(), h.visit()
		p.send("1", "wait", "1")
		synctest.Wait()
		q.send("1", "wait", "2")
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- h.s.Close() }() // received below
		synctest.Wait()
		close(g.gate)
		if err := <-closed; err != nil || g.most.Load() != 1 || h.s.Stats().Calls != 2 {
			t.Errorf("got %v, %d ran, stats: %+v; want the second never run", err, g.most.Load(), h.s.Stats())
		}
	})
}

func TestMaxConnInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		h := inMemory(t, &rpcserver.Config{Workers: 2, MaxConnInFlight: 3, Observer: c.observer()}, 0)
		g := gate(h.s)
		p, q, r, v := h.visit(), h.visit(), h.visit(), h.visit2(nil)
		var in []byte
		for i := range 5 {
			in = wire.AppendMessage(in, ours, "wait", fmt.Sprint(i))
		}
		p.write(in) // all in one read
		full := answered + ` !error {"code":"resource_exhausted","message":"3 calls of this connection are in flight","retry_after_ms":100}`
		p.want(full, full)
		for i := range 5 {
			q.send("plain", "wait", fmt.Sprint(i))
			r.send(ours+";1", "wait", "1") // nobody would learn that it was refused
		}
		for range 4 {
			v.call("wait", "1")
		}
		v.want("ERROR 4 REFUSED resource_exhausted: 3 streams are open on this connection again in 100ms")
		synctest.Wait()
		if st := h.s.Stats(); st.InFlight != 12 {
			t.Errorf("stats: got %+v", st)
		}
		close(g.gate)
		p.wantInAnyOrder(answered+" wait_res 0", answered+" wait_res 1", answered+" wait_res 2")
		q.wantInAnyOrder("plain wait_res 0", "plain wait_res 1", "plain wait_res 2", "plain wait_res 3", "plain wait_res 4")
		r.wantSilence(time.Second)
		if st := h.s.Stats(); st.InFlight != 0 || st.Calls != 19 || st.Failed != 3 {
			t.Errorf("stats: got %+v", st)
		}
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedConnInFlight: 3})
	})
}

// A built-in service that was called with as many calls in flight as the connection may have, by a peer that left much unread, is answered when that is read,
// and not with the next call.
func TestBuiltInBeyondTheConnectionsLimit(t *testing.T) {
	for _, most := range []int{2, 1} {
		synctest.Test(t, func(t *testing.T) {
			h := inMemory(t, &rpcserver.Config{Workers: 1, MaxConnInFlight: most, MaxMessage: 4 << 20}, 64<<10)
			rpcserver.Handle(h.s, "big", func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
			p := h.visit()
			p.dec.Max = 4 << 20
			p.send(ours, "big", "3000000")
			synctest.Wait() // it is answered, and waits to be read
			in := wire.AppendMessage(nil, ours, "slow", "1000")
			for range most - 1 {
				in = wire.AppendMessage(in, ours, "slow", "1000")
			}
			p.write(wire.AppendMessage(in, ours, "!health", "null"))
			got := map[string]int{}
			for range most + 2 {
				head, _, err := p.reply()
				if err != nil {
					t.Fatalf("MaxConnInFlight %d: after %v: %v", most, got, err)
				}
				got[strings.TrimPrefix(head, answered+" ")]++
			}
			if got["big_res"] != 1 || got["slow_res"] != most || got["!health"] != 1 {
				t.Errorf("MaxConnInFlight %d: got %v", most, got)
			}
			for range 2 { // all places are free again
				p.send(ours, "slow", "1")
				p.want(answered + " slow_res 1")
			}
		})
	}
}

// The built-in services answer when nothing else does.
func TestBuiltInServicesAreNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, Queue: -1, MaxInFlight: 1, Adaptive: true, Rate: rpcserver.Rate{PerSecond: 0.01, Burst: 1}}, 0)
		g := gate(h.s)
		p, q := h.visit(), h.visit2(nil)
		p.send(ours, "wait", "1")
		synctest.Wait()
		p.send(ours, "wait", "1")
		q.call("wait", "1")
		p.next()
		q.next()
		for range 10 {
			for _, name := range []string{"!health", "!services"} {
				p.send(ours, name, "null")
				if got, _, err := p.reply(); err != nil || got != answered+" "+name {
					t.Errorf("got %s, %v; want an answer of %s", got, err, name)
				}
				id := q.call(name, "null")
				if got, err := q.next(); err != nil || !strings.HasPrefix(got, fmt.Sprintf("DATA %d", id)) {
					t.Errorf("got %.80s, %v; want an answer of %s", got, err, name)
				}
			}
		}
		close(g.gate)
		p.want(answered + " wait_res 1")
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		h := inMemory(t, &rpcserver.Config{Rate: rpcserver.Rate{PerSecond: 10, Burst: 4}, Observer: c.observer()}, 0)
		p, q, v := h.visit(), h.visit(), h.visit2(nil) // all of one address
		p.send(ours, "fib", "10")
		v.call("fib", "10")
		v.call("nope", "10")
		p.send(ours+";1", "log", `"x"`)
		synctest.Wait()
		p.send(ours, "fib", "10")
		v.call("fib", "10")
		p.want(answered+" fib_res 89", answered+` !error {"code":"resource_exhausted","message":"more than 10 calls a second","retry_after_ms":100}`)
		v.want("DATA 1 END 89", `ERROR 2 not_found: no service "nope"`, "ERROR 3 REFUSED resource_exhausted: more than 10 calls a second again in 100ms")
		start := time.Now()
		for range 10 { // is read as fast as it may call, and no error
			q.send("plain", "fib", "10")
		}
		for range 10 {
			q.want("plain fib_res 89")
		}
		if got := time.Since(start).Round(10 * time.Millisecond); got != time.Second {
			t.Errorf("10 calls of a plain peer took %v, want 1s", got)
		}
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedRate: 2})

		q.send("plain", "slow", "0")
		for range 20 {
			q.send("plain", "fib", "10")
		}
		synctest.Wait()
		start = time.Now()
		if err := h.s.Shutdown(t.Context()); err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("shutdown behind a slow peer: %v after %v; want it to be served at once", err, time.Since(start))
		}
	})
}

// One client's haste does not cost another its calls.
func TestRateOfTwoClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(&rpcserver.Config{Rate: rpcserver.Rate{PerSecond: 1, Burst: 2}})
		ln := memnet.Listen()
		n := 0
		from := func() net.Addr { n++; return &net.TCPAddr{IP: net.IPv4(192, 0, 2, byte(n)), Port: 1} }
		h := serve(t, s, &foreign{ln, from}, func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
		p := h.visit()
		synctest.Wait()
		q := h.visit()
		for range 5 {
			p.send(ours, "fib", "10")
		}
		synctest.Wait()
		q.send(ours, "fib", "10")
		q.want(answered + " fib_res 89")
		if got := s.Stats().Refusals[rpcserver.RefusedRate]; got != 3 {
			t.Errorf("refused: got %d, want 3", got)
		}
	})
}

// Whoever has an address of IPv6 has all that begin with the same 64 bits, and is one client with all of them.
func TestRateOfOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(&rpcserver.Config{Rate: rpcserver.Rate{PerSecond: 0.1, Burst: 2}})
		ln := memnet.Listen()
		n := 0
		from := func() net.Addr {
			n++
			ip := net.ParseIP("2001:db8::1")
			ip[7], ip[15] = byte(n/5), byte(n)
			return &net.TCPAddr{IP: ip, Port: 1}
		}
		h := serve(t, s, &foreign{ln, from}, func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
		for range 9 { // four of one network, and five of the next
			h.visit().send(ours, "fib", "10")
			synctest.Wait()
		}
		if got := s.Stats().Refusals[rpcserver.RefusedRate]; got != 5 {
			t.Errorf("refused: got %d, want all but two of each", got)
		}
	})
}

// Peers of the original are read as fast as the adaptive limit lets their calls in. That they wait is no load, and makes the limit no smaller.
func TestAdaptiveWithPlainPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Adaptive: true}, 0)
		rpcserver.Handle(h.s, "work", func(context.Context, int) (int, error) { time.Sleep(10 * time.Millisecond); return 1, nil })
		const peers, calls = 40, 400
		start := time.Now()
		var wg sync.WaitGroup
		for range peers {
			p := h.visit()
			wg.Go(func() {
				for range calls {
					if _, err := p.nc.Write(wire.AppendMessage(nil, "plain", "work", "1")); err != nil {
						t.Error(err)
						return
					}
				}
			})
			wg.Go(func() {
				for range calls {
					if got, err := p.next(); err != nil || got != "plain work_res 1" {
						t.Errorf("got %q, %v", got, err)
						return
					}
				}
			})
		}
		wg.Wait()
		best := peers * calls / 16 * 10 * time.Millisecond
		atLeast(t, "peers of the original under the adaptive limit, goodput in % of capacity", int(100*best/time.Since(start)), 80)
		if st := h.s.Stats(); st.Limit < 16 || st.Limit > 48 || st.Refused > 0 || st.Failed > 0 {
			t.Errorf("stats: got %+v, want a limit of 16 to 48, and nobody refused", st)
		}
	})
}

// What is told to somebody who is refused is when there may be a place: what is in flight, at the pace of the last replies.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 2, Queue: 8, Idle: -1}, 0)
		p := h.visit()
		var in []byte
		for range 11 {
			in = wire.AppendMessage(in, ours, "slow", "200")
		}
		p.write(in)
		refused := func(ms int) string {
			return answered + fmt.Sprintf(` !error {"code":"resource_exhausted","message":"8 calls wait already","retry_after_ms":%d}`, ms)
		}
		p.want(refused(100)) // nothing is known yet
		for range 2 {
			p.want(answered + " slow_res 200")
		}
		for range 2 {
			p.send(ours, "slow", "200")
		}
		p.send(ours, "slow", "200")
		p.want(refused(1000)) // 10 in flight, 2 in 200 ms
		for range 10 {
			p.want(answered + " slow_res 200")
		}
		time.Sleep(time.Hour) // forgotten
		for range 10 {
			p.send(ours, "slow", "20000")
		}
		p.send(ours, "slow", "1")
		p.want(refused(100))
	})
}

// Panics are counted all, and their stacks logged once a second for each service; the peer learns nothing of them.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		h := inMemory(t, &rpcserver.Config{Logger: slog.New(slog.NewTextHandler(&out, nil))}, 0)
		for _, name := range []string{"one", "two"} {
			rpcserver.Handle(h.s, name, func(context.Context, int) (int, error) { panic("a secret") })
		}
		rpcserver.HandleStream(h.s, "items", func(context.Context, int) iter.Seq2[int, error] { panic("a secret") })
		p, v := h.visit(), h.visit2(nil)
		for range 5 {
			for _, name := range []string{"one", "two"} {
				p.send(ours, name, "1")
				p.want(answered + ` !error {"code":"internal","message":"service ` + name + ` failed; its server's log says more"}`)
			}
		}
		v.call("items", "1")
		v.want("ERROR 1 internal: service items failed; its server's log says more")
		time.Sleep(time.Second)
		p.send(ours, "one", "1")
		p.next()
		synctest.Wait()
		stacks, left := 0, 0
		for _, l := range out.lines() {
			if strings.Contains(l, "a handler panicked") && strings.Contains(l, "refusal_test.go") {
				stacks++
				left += strings.Count(l, "left_out=4")
			}
		}
		if st := h.s.Stats(); stacks != 4 || left != 1 || st.Panics != 12 {
			t.Errorf("%d stacks logged, %d say that 4 were left out, %d counted; want 4, 1 and 12", stacks, left, st.Panics)
		}
	})
}

// crashing makes this program a server whose handler panics.
const crashing = "RPCKIDS_CRASHING_SERVER"

func TestCrashOnPanic(t *testing.T) {
	if os.Getenv(crashing) != "" {
		ln := memnet.Listen()
		s := rpcserver.New(&rpcserver.Config{CrashOnPanic: true})
		rpcserver.Handle(s, "panics", func(context.Context, int) (int, error) { panic("it was meant to") })
		go s.Serve(ln) // ends with the process
		nc, err := ln.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(wire.AppendMessage(nil, "1", "panics", "1"))
		io.Copy(io.Discard, nc)
		t.Fatal("the server has survived")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashOnPanic$")
	cmd.Env = append(os.Environ(), crashing+"=1")
	out, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok || !strings.Contains(string(out), "panic: it was meant to") || !strings.Contains(string(out), "refusal_test.go") {
		t.Errorf("got %v and\n%.2000s\nwant a crash with the handler's stack", err, out)
	}
}

// Calls that metadata makes too large, and memory, meet limits of their own.
func TestMaxMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{MaxMetadata: 100, Observer: e.observer()}, 0)
		p := h.stranger()
		p.write([]byte(wire.Magic + "\x00\x00\x00"))
		p.nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(p.nc, make([]byte, len(wire.Magic))); err != nil {
			t.Fatal(err)
		}
		f, err := p.nextFrame()
		if err != nil {
			t.Fatal(err)
		}
		set, err := wire.ParseSettings(f.Payload)
		if err != nil || set.MaxMetadata != 100 {
			t.Errorf("announced: got %d, %v, want 100", set.MaxMetadata, err)
		}
		p.call("fib", "10", "user-agent", strings.Repeat("x", 80))
		p.want("DATA 1 END 89")
		go io.Copy(io.Discard, p.nc) // ends when the server has closed
		p.call("fib", "10", "user-agent", strings.Repeat("x", 100))
		e.want(t, wire.MetadataTooLarge)
	})
}

func TestRefusedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		h := inMemory(t, &rpcserver.Config{Workers: 1, MaxMessage: 10_000, MaxConnMemory: 30_000, Observer: c.observer()}, 0)
		g := gate(h.s)
		rpcserver.Handle(h.s, "long", func(context.Context, string) (int, error) { <-g.gate; return 1, nil })
		p := h.visit2(nil)
		for range 5 {
			p.call("long", `"`+strings.Repeat("x", 9_000)+`"`)
		}
		full := "REFUSED resource_exhausted: too much memory held for this connection"
		p.want("ERROR 4 "+full, "ERROR 5 "+full)
		close(g.gate)
		p.want("DATA 1 END 1", "DATA 2 END 1", "DATA 3 END 1")
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedMemory: 2})
	})
}

func TestRefusedWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c toll
		h := inMemory(t, &rpcserver.Config{Observer: c.observer()}, 0)
		p := h.visit2(nil)
		p.call("slow", "3000")
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- h.s.Shutdown(t.Context()) }()                     // received below
		p.want(append(warning("0s"), "GOAWAY 0 1 ok 0s the server stops")...) // a second later: the ping is not answered
		p.call("fib", "10")
		p.want("ERROR 2 REFUSED unavailable: this server is stopping", "DATA 1 END 3000")
		p.nc.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedDraining: 1})
	})
}
