package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcclient/etcd"
	register "github.com/rpckids/rpckids/rpcserver/etcd"

	"github.com/rpckids/rpckids/rpcserver"
)

var resolvers = map[string]rpcclient.Resolver{"etcd": etcd.New(nil)}

// member is a server that says its own address, and is registered.
type member struct {
	*rpcserver.Server
	address      string
	registration *register.Registration
}

func (c *cluster) serve() *member {
	c.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	m := &member{Server: rpcserver.New(nil), address: ln.Addr().String()}
	rpcserver.Handle(m.Server, "who", func(context.Context, int) (string, error) { return m.address, nil })
	served := make(chan error, 1)
	go func() { served <- m.Serve(ln) }() // ends with Close; the cleanup waits
	c.t.Cleanup(func() {
		m.Close()
		<-served
	})
	m.registration = c.register(m.address, register.Config{})
	return m
}

// traffic calls who, one call after the other and never idempotent, until it is stopped.
type traffic struct {
	client *rpcclient.Client
	stop   func()
	calls  atomic.Int64
	mu     sync.Mutex // protects the fields below
	by     map[string]int
	failed []string
}

func (c *cluster) traffic() *traffic {
	c.t.Helper()
	client, err := rpcclient.Dial(c.t.Context(), c.target("demo"), &rpcclient.Config{Resolvers: resolvers})
	if err != nil {
		c.t.Fatal(err)
	}
	f := &traffic{client: client, by: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() { // ends with stop
			for ctx.Err() == nil {
				who, err := rpcclient.Call[string](context.Background(), client, "who", 1)
				f.calls.Add(1)
				f.mu.Lock()
				if f.by[who]++; err != nil {
					f.failed = append(f.failed, err.Error())
				}
				f.mu.Unlock()
				time.Sleep(time.Millisecond) // a rate that leaves the machine to others
			}
		})
	}
	f.stop = sync.OnceFunc(func() {
		cancel()
		callers.Wait()
		client.Close()
	})
	c.t.Cleanup(f.stop)
	return f
}

// since forgets what was counted.
func (f *traffic) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.by = map[string]int{}
}

func (f *traffic) share(address string) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, n := range f.by {
		sum += n
	}
	return float64(f.by[address]) / float64(max(sum, 1))
}

func (f *traffic) more(t *testing.T, n int64) {
	t.Helper()
	before := f.calls.Load()
	within(t, fmt.Sprintf("%d more calls", n), func() bool { return f.calls.Load() >= before+n })
}

func (f *traffic) none(t *testing.T) {
	t.Helper()
	f.stop()
	verdict := "PASS"
	if len(f.failed) > 0 {
		verdict = "FAIL"
		t.Errorf("%d calls failed, the first with %s", len(f.failed), f.failed[0])
	}
	t.Logf("etcd.failed_calls %d of %d 0 %s", len(f.failed), f.calls.Load(), verdict)
}

// A third server takes its share, one that withdraws loses no call, and with etcd away the calls go on.
func TestCallsThroughEtcd(t *testing.T) {
	c := start(t)
	a, b := c.serve(), c.serve()
	f := c.traffic()
	f.more(t, 200)
	began := time.Now()
	third := c.serve()
	within(t, "a call for the third server", func() bool { return f.share(third.address) > 0 })
	within(t, "its share", func() bool {
		f.forget()
		f.more(t, 300)
		return f.share(third.address) > 0.2
	})
	figure(t, "etcd.third_server_has_its_share", time.Since(began), 2*time.Second)

	// what withdraws before it drains is left in peace
	if err := a.registration.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	f.more(t, 100)
	f.forget()
	f.more(t, 300)
	if share := f.share(a.address); share > 0 {
		t.Errorf("the server that left has %.2f of the calls", share)
	}
	if got := f.client.Stats(); got.Servers != 2 || got.Discovery != "" {
		t.Errorf("%d servers, %q", got.Servers, got.Discovery)
	}

	c.down()
	within(t, "status says that etcd is away", func() bool {
		said := f.client.Stats().Discovery
		return strings.HasPrefix(said, "etcd cannot be reached for ") && strings.HasSuffix(said, ", keeping the last list of 2")
	})
	t.Logf("etcd.away_status %q", f.client.Stats().Discovery)
	f.forget()
	f.more(t, 500)
	for _, m := range []*member{b, third} {
		if share := f.share(m.address); share < 0.1 {
			t.Errorf("without etcd %s has %.2f of the calls", m.address, share)
		}
	}
	c.up()
	within(t, "status says nothing", func() bool { return f.client.Stats().Discovery == "" })
	fourth := c.serve()
	within(t, "a call for the fourth server", func() bool { return f.share(fourth.address) > 0 })
	f.none(t)
}

// What cannot be found is one typed error that names the target and the cause; a client that was not dialed finds it later.
func TestDialErrors(t *testing.T) {
	c := start(t)
	config := &rpcclient.Config{Resolvers: resolvers}
	for _, test := range []struct {
		target, want string
		kind         error
	}{
		{c.target("demo"), c.target("demo") + ": nobody is registered in etcd under /rpckids/demo/", rpcclient.ErrDiscovery},
		{"etcd:///a/b", `bad target "etcd:///a/b": "a/b" is no name`, rpcclient.ErrTarget},
	} {
		_, err := rpcclient.Dial(t.Context(), test.target, config)
		if e, ok := errors.AsType[*rpcclient.Error](err); !ok || !errors.Is(err, test.kind) || !strings.HasPrefix(e.Error(), test.want) {
			t.Errorf("%s gave %v; want %s", test.target, err, test.want)
		}
	}
	client, err := rpcclient.New(c.target("demo"), config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := rpcclient.Call[string](t.Context(), client, "who", 1); !errors.Is(err, rpcclient.ErrDiscovery) {
		t.Errorf("a call to nobody gave %v", err)
	}
	m := c.serve()
	within(t, "a call that is answered", func() bool {
		who, err := rpcclient.Call[string](t.Context(), client, "who", 1)
		return err == nil && who == m.address
	})
	c.down()
	_, err = rpcclient.Dial(t.Context(), c.target("demo"), config)
	if want := c.target("demo") + ": etcd cannot be reached: dial tcp " + c.client.Host + ": connect: connection refused"; !errors.Is(err, rpcclient.ErrDiscovery) || err.Error() != want {
		t.Errorf("without etcd Dial gave %v; want %s", err, want)
	}
	c.up() // so that the server can withdraw
}
