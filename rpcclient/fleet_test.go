package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// town is several servers in memory, behind the names a:1, b:1 and so on.
type town struct {
	t     testing.TB
	names []string

	mu     sync.Mutex // protects the fields below
	at     map[string]*twin
	down   map[string]bool
	frozen map[string]bool
	wires  map[string][]*gated
	dials  map[string]int
}

// build makes a town of n servers with the services of handle, nil for the usual
// ones; over version 1 they echo, or do what the script says.
func build(t testing.TB, n int, handle func(*twin, *mux.Stream), v1 ...peer.Script) *town {
	script := append(v1, marked)[0]
	w := &town{t: t, at: map[string]*twin{}, down: map[string]bool{}, frozen: map[string]bool{}, wires: map[string][]*gated{}, dials: map[string]int{}}
	for i := range n {
		name := string(rune('a'+i)) + ":1"
		w.names = append(w.names, name)
		w.at[name] = serveTwin(t, script, func(s *twin) {
			if handle != nil {
				s.handle = handle
			}
		})
	}
	return w
}

// gated is a socket whose other end can be made to fall silent.
type gated struct {
	*memnet.Conn
	silent atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (g *gated) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.silent.Load() {
		<-g.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (g *gated) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

func (w *town) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dials[address]++
	s, down, frozen := w.at[address], w.down[address], w.frozen[address]
	w.mu.Unlock()
	if s == nil || down {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	sock, err := s.ln.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g := &gated{Conn: sock.(*memnet.Conn), closed: make(chan struct{})}
	g.silent.Store(frozen)
	w.mu.Lock()
	w.wires[address] = append(w.wires[address], g)
	w.mu.Unlock()
	return g, nil
}

// kill ends all connections of a server without a word, and refuses new ones.
func (w *town) kill(name string) {
	w.mu.Lock()
	w.down[name] = true
	wires := w.wires[name]
	w.wires[name] = nil
	w.mu.Unlock()
	for _, g := range wires {
		g.Conn.Close()
	}
}

func (w *town) start(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[name] = false
}

// freeze makes a server say nothing more, on old and new connections; it is still connected to.
func (w *town) freeze(name string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen[name] = on
	for _, g := range w.wires[name] {
		g.silent.Store(on)
	}
}

func (w *town) dialed(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials[name]
}

// client returns a client of all servers that ends with the test.
func (w *town) client(change ...func(*rpcclient.Config)) *rpcclient.Client {
	w.t.Helper()
	cfg := &rpcclient.Config{Dialer: w.dial, Protocol: rpcclient.V2}
	for _, f := range change {
		f(cfg)
	}
	c, err := rpcclient.New(strings.Join(w.names, ","), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// peerOf returns what the client thinks of a server.
func peerOf(t testing.TB, c *rpcclient.Client, name string) rpcclient.Peer {
	t.Helper()
	peers := c.Peers()
	i := slices.IndexFunc(peers, func(p rpcclient.Peer) bool { return p.Address == name })
	if i < 0 {
		t.Fatalf("no peer %s in %+v", name, peers)
	}
	return peers[i]
}

// load calls "echo" every step for d, idempotent, and returns how many failed and why the last one did.
func load(t testing.TB, c *rpcclient.Client, d, step time.Duration, opts ...rpcclient.CallOption) (failed int, last error) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for n := range int(d / step) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if got, err := rpcclient.Call[int](ctx, c, "echo", n, opts...); got != n || err != nil {
				mu.Lock()
				failed, last = failed+1, err
				mu.Unlock()
			}
		})
		time.Sleep(step)
	}
	wg.Wait()
	return failed, last
}

func TestCallsGoToAllServers(t *testing.T) {
	for _, policy := range []rpcclient.Balance{rpcclient.P2C, rpcclient.LeastPending, rpcclient.RoundRobin} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := build(t, 3, nil)
				c := w.client(func(cfg *rpcclient.Config) { cfg.Balance = policy })
				if failed, err := load(t, c, 6*time.Second, 5*time.Millisecond); failed > 0 {
					t.Errorf("%d calls failed, the last with %v", failed, err)
				}
				var total uint64
				share := 0.0
				for _, name := range w.names {
					p := peerOf(t, c, name)
					if p.State != rpcclient.PeerUp || p.Conns != 1 || p.Protocol != "v2" || p.Failures != 0 || p.Pending != 0 {
						t.Errorf("%+v, want it up with one connection and no failures", p)
					}
					if p.Share < 0.2 || p.Share > 0.47 {
						t.Errorf("%s has a share of %.2f, want about a third", name, p.Share)
					}
					total += p.Calls
					share += p.Share
				}
				if s := c.Stats(); total != 1200 || share < 0.99 || share > 1.01 || s.Servers != 3 || s.Conns != 3 || s.State != rpcclient.Connected || s.Retries != 0 {
					t.Errorf("%d calls, shares %v in all, stats %+v", total, share, s)
				}
			})
		})
	}
}

// A server that dies costs no idempotent call, is out at once, and is back soon
// after it is.
func TestServerDiesAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			time.Sleep(20 * time.Millisecond) // so that there is something in flight
			_ = st.Finish(payload, nil, false)
		})
		c := w.client()
		idempotent := rpcclient.Idempotent()
		load(t, c, time.Second, time.Millisecond, idempotent)
		time.AfterFunc(time.Second, func() { w.kill("b:1") })
		if failed, err := load(t, c, 5*time.Second, time.Millisecond, idempotent); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		p := peerOf(t, c, "b:1")
		if p.State != rpcclient.PeerDown || p.Conns != 0 || p.LastError == nil || !strings.Contains(p.LastError.Error(), "connection refused") {
			t.Errorf("the dead server: %+v, want it down", p)
		}
		if s := c.Stats(); s.Retries == 0 || s.Retries > 20 {
			t.Errorf("%d retries, want one for each of the few calls that were on it", s.Retries)
		}
		if got := w.dialed("b:1"); got > 10 {
			t.Errorf("dialed %d times in 4s, want the pauses to grow", got)
		}
		before := p.Calls
		w.start("b:1")
		load(t, c, 3*time.Second, time.Millisecond, idempotent)
		if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerUp || p.Calls == before {
			t.Errorf("3s after it is back: %+v, want it up and called", p)
		}
		load(t, c, 12*time.Second, time.Millisecond, idempotent)
		for _, p := range c.Peers() {
			if p.Share < 0.8/3 || p.Share > 1.2/3 {
				t.Errorf("%s has a share of %.3f, want a third, 20 %% more or less", p.Address, p.Share)
			}
		}
	})
}

// No call waits for a server that is down while another is up.
func TestDeadServersDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		w.kill("a:1")
		dial := w.dial
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "c:1" { // no answer
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, network, address)
			}
		})
		start := time.Now()
		for i := range 50 {
			if got, err := rpcclient.Call[int](t.Context(), c, "echo", i); got != i || err != nil {
				t.Fatalf("call %d gave %d, %v", i, got, err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("50 calls took %v, want none of it to be the dead servers' pauses", got)
		}
		synctest.Wait()
		for name, want := range map[string]rpcclient.PeerState{"a:1": rpcclient.PeerDown, "b:1": rpcclient.PeerUp, "c:1": rpcclient.PeerConnecting} {
			if got := peerOf(t, c, name).State; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	})
}

func TestAllServersDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		for _, name := range w.names {
			w.kill(name)
		}
		c := w.client()
		_, err := rpcclient.Call[int](t.Context(), c, "echo", 1)
		e := kind(t, err, rpcclient.ErrConnect, rpcclient.Unavailable)
		if e.Attempts != 0 || !errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 900 {
			t.Errorf("got %v after %d attempts", err, e.Attempts)
		}
		for _, name := range w.names {
			if !strings.Contains(err.Error(), name+": connection refused, nothing listens there") {
				t.Errorf("%v does not name %s", err, name)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "echo", 1); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no connection to any of 3 servers yet") {
			t.Errorf("a caller that cannot wait got %v", err)
		}
	})
}

// Sixty seconds without any server: no storm while it lasts, and the first call
// succeeds soon after its end.
func TestAllServersDownForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		c := w.client()
		load(t, c, time.Second, 10*time.Millisecond, rpcclient.Idempotent())
		for _, name := range w.names {
			w.kill(name)
		}
		begun := c.Peers()
		var calls, failed atomic.Int64
		var up, success atomic.Int64 // ns since start
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for ctx.Err() == nil {
					ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
					calls.Add(1)
					if _, err := rpcclient.Call[int](ctx, c, "echo", 1, rpcclient.Idempotent()); err != nil {
						failed.Add(1)
					} else {
						success.CompareAndSwap(0, int64(time.Since(start)))
					}
					cancel()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Minute)
		dials := 0
		for _, name := range w.names {
			dials += w.dialed(name)
			w.start(name)
		}
		up.Store(int64(time.Since(start)))
		time.Sleep(3 * time.Second)
		stop()
		wg.Wait()
		attempts := uint64(0)
		for i, p := range c.Peers() {
			attempts += p.Calls - begun[i].Calls
		}
		limit := 1.1*float64(calls.Load()) + 10*63
		figure(t, "attempts_while_all_down", float64(attempts), limit)
		figure(t, "dials_a_second_while_all_down", float64(dials)/60, 6)
		figure(t, "first_success_s", float64(success.Load()-up.Load())/1e9, 2)
		if failed.Load() == 0 || success.Load() == 0 {
			t.Errorf("%d of %d calls failed, first success at %d", failed.Load(), calls.Load(), success.Load())
		}
	})
}

// A server that goes away politely takes no new calls and loses none, of any kind.
func TestServersThatGoAwayLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			if st.MethodName() == "slow" {
				payload := slices.Clone(s.first(st))
				time.Sleep(time.Second)
				_ = st.Finish(payload, nil, false)
				return
			}
			standard(s, st)
		})
		c := w.client()
		var wg sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for i := range 10 { // none of it idempotent
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if got, err := rpcclient.Call[int](t.Context(), c, "slow", n); got != n || err != nil {
						t.Errorf("caller %d: call gave %d, %v", i, got, err)
					}
					if err := rpcclient.Cast(t.Context(), c, "log", n); err != nil {
						t.Errorf("caller %d: cast gave %v", i, err)
					}
					sum := 0
					for v, err := range rpcclient.Stream[int](t.Context(), c, "items", 3) {
						if sum += v; err != nil {
							t.Errorf("caller %d: stream gave %v", i, err)
						}
					}
					if sum != 3 {
						t.Errorf("caller %d: items add up to %d", i, sum)
					}
				}
			})
		}
		for range 4 {
			for _, name := range w.names {
				time.Sleep(1100 * time.Millisecond)
				w.at[name].goAway()
				synctest.Wait()
				if p := peerOf(t, c, name); p.Pending > 0 && p.State != rpcclient.PeerDraining && p.State != rpcclient.PeerConnecting && p.State != rpcclient.PeerUp {
					t.Errorf("a server that goes away is %v", p.State)
				}
			}
		}
		stop()
		wg.Wait()
		if s := c.Stats(); s.LastError != nil {
			t.Errorf("last error %v, want none", s.LastError)
		}
	})
}

// goAway has the server say on all its connections that it takes no new calls.
func (s *twin) goAway() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.GoAway(wire.Farewell{Text: "restarting"})
		c.CloseWhenIdle()
	}
}

// A list that changes: new servers get calls, those that leave finish theirs.
func TestListChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 4, func(s *twin, st *mux.Stream) {
			if st.MethodName() == "slow" {
				payload := slices.Clone(s.first(st))
				time.Sleep(30 * time.Second)
				_ = st.Finish(payload, nil, false)
				return
			}
			standard(s, st)
		})
		r := &lists{news: make(chan []string, 10)}
		c := r.client(t, w)
		r.news <- []string{"a:1", "b:1"}
		load(t, c, time.Second, 10*time.Millisecond)
		var wg sync.WaitGroup
		for i := range 20 { // on both
			wg.Go(func() {
				if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
					t.Errorf("a call on a server that left gave %d, %v", got, err)
				}
			})
		}
		synctest.Wait()
		r.news <- []string{"c:1", "b:1", "d:1"}
		time.Sleep(time.Second)
		left := peerOf(t, c, "a:1")
		if left.State != rpcclient.PeerDraining || left.Pending == 0 || c.Stats().Servers != 3 {
			t.Errorf("the one that left: %+v; stats %+v", left, c.Stats())
		}
		if failed, err := load(t, c, 2*time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		if now := peerOf(t, c, "a:1"); now.Calls != left.Calls {
			t.Errorf("the one that left got %d more calls", now.Calls-left.Calls)
		}
		for _, name := range []string{"c:1", "d:1"} {
			if p := peerOf(t, c, name); p.State != rpcclient.PeerUp || p.Calls < 20 {
				t.Errorf("a new one: %+v", p)
			}
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		if got := len(c.Peers()); got != 3 {
			t.Errorf("%d peers, want the one that left to be forgotten", got)
		}
		r.news <- nil // never to zero
		r.fail <- errors.New("the directory is on fire")
		time.Sleep(time.Second)
		if failed, _ := load(t, c, time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed while the list could not be had", failed)
		}
		if s := c.Stats(); s.Servers != 3 || !strings.Contains(s.Discovery, "on fire") || !strings.Contains(s.Discovery, "keeping the last list of 3") {
			t.Errorf("stats %+v", s)
		}
		r.news <- []string{"d:1"}
		time.Sleep(time.Second)
		if failed, _ := load(t, c, time.Second, 10*time.Millisecond); failed > 0 || c.Stats().Discovery != "" || c.Stats().Servers != 1 {
			t.Errorf("with one server left %d calls failed; stats %+v", failed, c.Stats())
		}
	})
}

// lists is a resolver that says what the test wants.
type lists struct {
	news chan []string
	fail chan error
}

func (l *lists) Watch(ctx context.Context, name string, update func([]string, error)) error {
	for {
		select {
		case servers := <-l.news:
			update(servers, nil)
		case err := <-l.fail:
			update(nil, err)
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *lists) client(t testing.TB, w *town) *rpcclient.Client {
	t.Helper()
	if l.fail == nil {
		l.fail = make(chan error, 1)
	}
	c, err := rpcclient.New("lists:///x", &rpcclient.Config{Dialer: w.dial, Protocol: rpcclient.V2, Resolvers: map[string]rpcclient.Resolver{"lists": l}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A caller waits for the first list as long as it likes, and hears what is wrong with it.
func TestFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, nil)
		l := &lists{news: make(chan []string, 1), fail: make(chan error, 1)}
		c := l.client(t, w)
		if _, err := rpcclient.Call[int](within(t, time.Second), c, "echo", 1); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no servers are known yet") {
			t.Errorf("without a list: %v", err)
		}
		l.fail <- errors.New("no such name")
		_, err := rpcclient.Call[int](t.Context(), c, "echo", 1)
		if e := kind(t, err, rpcclient.ErrDiscovery, rpcclient.Unavailable); e.Server != "lists:///x" || !strings.Contains(e.Message, "no such name") {
			t.Errorf("a list that fails: %v at %q", err, e.Server)
		}
		time.AfterFunc(time.Second, func() { l.news <- []string{"a:1"} })
		time.Sleep(2 * time.Second)
		if got, err := rpcclient.Call[int](t.Context(), c, "echo", 1); got != 1 || err != nil {
			t.Errorf("with a list: %d, %v", got, err)
		}
	})
}

// Lists that nobody should send: too long, double, flapping, and gone before the
// client is.
func TestHostileLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		l := &lists{news: make(chan []string)}
		c := l.client(t, w)
		many := []string{"a:1", "A:1", "a:1", "", "nonsense", "x\x1b[2J:1", "b:0", "unix://relative"}
		for i := range 10_000 {
			many = append(many, fmt.Sprintf("10.%d.%d.%d:7", i>>16, i>>8&255, i&255))
		}
		go func() { l.news <- many }() // ends when the resolver takes it
		if failed, err := load(t, c, 2*time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		if got := c.Stats().Servers; got != 1000 {
			t.Errorf("%d servers, want no more than 1000", got)
		}
		for i := range 1000 { // a:1 stays, the others come and go
			l.news <- []string{"a:1", []string{"b:1", "c:1"}[i%2]}
			if i%10 == 0 {
				if got, err := rpcclient.Call[int](t.Context(), c, "echo", i); got != i || err != nil {
					t.Errorf("call %d gave %d, %v", i, got, err)
				}
			}
			time.Sleep(time.Millisecond)
		}
		if b, c := w.dialed("b:1"), w.dialed("c:1"); b+c > 30 {
			t.Errorf("a second of flapping made %d dials", b+c)
		}
		if got := w.dialed("a:1"); got != 1 {
			t.Errorf("the one that stayed was dialed %d times", got)
		}
		if got := len(c.Peers()); got > 3 {
			t.Errorf("%d peers", got)
		}
	})
}

// The record of a server that is back before its last call has ended goes on.
func TestServerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slowTown(t, 2)
		l := &lists{news: make(chan []string, 1)}
		c := l.client(t, w)
		l.news <- []string{"a:1", "b:1"}
		wave(t, c, 20)
		before := peerOf(t, c, "a:1").Calls
		var wg sync.WaitGroup
		wg.Go(func() { wave(t, c, 20) })
		time.Sleep(500 * time.Millisecond)
		l.news <- []string{"b:1"}
		time.Sleep(200 * time.Millisecond)
		l.news <- []string{"a:1", "b:1"}
		wg.Wait()
		if got := peerOf(t, c, "a:1"); before == 0 || got.Calls <= before || got.State == rpcclient.PeerDraining {
			t.Errorf("it had %d calls, and then %+v", before, got)
		}
	})
}

// Servers that accept and hang up, or answer what is no protocol, cost no call
// while there is a good one, and are not dialed all the time.
func TestBadServersBesideAGoodOne(t *testing.T) {
	for name, script := range map[string]peer.Script{
		"hangs up": peer.HangUp,
		"garbage":  func(c *peer.Conn, m peer.Message) { c.Send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good := serveTwin(t, marked)
				var dials [2]atomic.Int64
				bad := memnet.Listen()
				peer.Serve(t, bad, script)
				c, err := rpcclient.New("good:1,bad:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
					if address == "bad:1" {
						dials[1].Add(1)
						return bad.Dial(ctx, network, address)
					}
					dials[0].Add(1)
					return good.ln.Dial(ctx, network, address)
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if failed, err := load(t, c, 20*time.Second, 10*time.Millisecond, rpcclient.Idempotent()); failed > 0 {
					t.Errorf("%d calls failed, the last with %v", failed, err)
				}
				if got := dials[1].Load(); got > 60 {
					t.Errorf("the bad server was dialed %d times in 20s", got)
				}
				if p := peerOf(t, c, "bad:1"); p.Failures == 0 || p.Calls > 200 {
					t.Errorf("the bad one: %+v", p)
				}
			})
		})
	}
}

// dialer is a Config.Dialer.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// watchDials makes dials take a moment and counts how many there are at once.
func watchDials(dial dialer, mu *sync.Mutex, now, most *int) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		*now++
		*most = max(*most, *now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			*now--
			mu.Unlock()
		}()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return dial(ctx, network, address)
	}
}

// A middleware learns who answered.
func TestRequestTellsWhoAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		w := build(t, 2, nil)
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Use = []rpcclient.Middleware{func(next rpcclient.Doer) rpcclient.Doer {
				return func(ctx context.Context, r *rpcclient.Request) error {
					err := next(ctx, r)
					seen = append(seen, fmt.Sprintf("%s %s %v %d %d", r.Type, r.Protocol, strings.HasPrefix(r.Server, "memory:"), r.Attempts, r.Hedges))
					return err
				}
			}}
		})
		echoOver(t, c, 1)
		_, _ = c.Invoke(t.Context(), "echo", nil)
		_, _ = c.Send(t.Context(), "echo", 1)
		_ = rpcclient.Cast(t.Context(), c, "log", 1)
		for range rpcclient.Stream[int](t.Context(), c, "items", 1) {
		}
		_, _ = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{1})))
		_, _ = rpcclient.Call[int](t.Context(), c, "echo", func() {}) // not sent
		want := []string{"echo v2 true 1 0", "echo v2 true 1 0", "echo v2 true 1 0", "log v2 true 1 0", "items v2 true 1 0", "sum v2 true 1 0", "echo  false 0 0"}
		if !slices.Equal(seen, want) {
			t.Errorf("got  %q\nwant %q", seen, want)
		}
	})
}

// Streams are spread at their beginning, count while they run, and do not make
// their server look slow.
func TestStreamsAreBalanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, func(s *twin, st *mux.Stream) {
			if st.MethodName() != "ticks" {
				standard(s, st)
				return
			}
			s.first(st)
			for i := range 60 {
				_ = st.Send(context.Background(), fmt.Append(nil, i), nil, i == 59)
				time.Sleep(time.Second)
			}
		})
		c := w.client()
		load(t, c, time.Second, 10*time.Millisecond)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				n := 0
				for _, err := range rpcclient.Stream[int](t.Context(), c, "ticks", nil) {
					if n++; err != nil {
						t.Error(err)
					}
				}
				if n != 60 {
					t.Errorf("%d items, want 60", n)
				}
			})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		for _, p := range c.Peers() {
			if p.Pending < 5 || p.Pending > 16 {
				t.Errorf("%s has %d of 30 streams", p.Address, p.Pending)
			}
			if p.Latency > 100*time.Millisecond {
				t.Errorf("%s looks slow because of its streams: %v", p.Address, p.Latency)
			}
		}
		load(t, c, 20*time.Second, 10*time.Millisecond)
		for _, p := range c.Peers() {
			if p.Share < 0.1 || p.Share > 0.6 {
				t.Errorf("%s has a share of %.2f while streams run", p.Address, p.Share)
			}
		}
		wg.Wait()
	})
}

// A server that takes connections and sends every one away at once is not dialed
// as fast as that goes.
func TestServerThatSendsAway(t *testing.T) {
	for _, target := range []string{"a:1", "a:1,b:1"} {
		synctest.Test(t, func(t *testing.T) {
			w := build(t, 2, nil)
			var wg sync.WaitGroup
			var dials atomic.Int64
			c, err := rpcclient.New(target, &rpcclient.Config{Protocol: rpcclient.V2, Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != "a:1" {
					return w.dial(ctx, network, address)
				}
				dials.Add(1)
				ours, theirs := memnet.Pipe(0)
				wg.Go(func() { // ends when the client hangs up: it is in no hurry itself
					defer theirs.Close()
					_, _ = theirs.Write([]byte(wire.Magic + "\x00\x00\x00" + "\x60\x00\x03\x00\x00\x00"))
					_, _ = io.Copy(io.Discard, theirs)
					time.Sleep(10 * time.Second)
				})
				return ours, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			failed, err := load(t, c, 10*time.Second, time.Millisecond)
			if got := dials.Load(); got > 220 {
				t.Errorf("%s: dialed %d times in 10s", target, got)
			}
			if target != "a:1" && failed > 0 {
				t.Errorf("%d calls failed beside a good server: %v", failed, err)
			}
			c.Close()
			wg.Wait()
		})
	}
}
