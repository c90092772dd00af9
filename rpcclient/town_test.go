package rpcclient_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
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
