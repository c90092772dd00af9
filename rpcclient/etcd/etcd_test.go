package etcd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcclient/etcd"
	register "github.com/rpckids/rpckids/rpcserver/etcd"
)

var _ rpcclient.Resolver = (*etcd.Resolver)(nil)

// patience is how long a test waits for what must come; no test asserts that something is quick.
const patience = time.Minute

// cluster is a real etcd of one member in this process.
type cluster struct {
	t            *testing.T
	dir          string
	client, peer url.URL
	etcd         *embed.Etcd
}

// freePort returns a port that no outgoing connection takes while the etcd is down.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.N(12000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// The tests wait more than they work, so they run at once; what is left is looked for when all have ended.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftovers(); left != "" {
		fmt.Println("goroutines are left:\n" + left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// start returns an etcd that is ready until the end of the test.
func start(t *testing.T) *cluster {
	t.Helper()
	t.Parallel()
	c := &cluster{t: t, dir: t.TempDir()}
	c.client = url.URL{Scheme: "http", Host: freePort(t)}
	c.peer = url.URL{Scheme: "http", Host: freePort(t)}
	c.up()
	t.Cleanup(func() {
		if c.etcd != nil {
			c.down()
		}
	})
	return c
}

func (c *cluster) up() {
	c.t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = c.dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{c.client}, []url.URL{c.client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{c.peer}, []url.URL{c.peer}
	cfg.InitialCluster = cfg.Name + "=" + c.peer.String()
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.UnsafeNoFsync, cfg.EnableGRPCGateway = true, false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		c.t.Fatal(err)
	case <-time.After(patience):
		c.t.Fatal("etcd does not get ready")
	}
	c.etcd = e
}

func (c *cluster) down() {
	c.etcd.Close()
	c.etcd = nil
}

// dial returns a client of the test's own.
func (c *cluster) dial() *clientv3.Client {
	c.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.client.String()}, Logger: zap.NewNop()})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { client.Close() })
	return client
}

func (c *cluster) target(name string) string { return "etcd://" + c.client.Host + "/" + name }

// register puts an address under the name demo, for as long as the test or until it is withdrawn.
func (c *cluster) register(address string, config register.Config) *register.Registration {
	c.t.Helper()
	config.Endpoints = []string{c.client.String()}
	r, err := register.Register(c.t.Context(), "demo", address, &config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { r.Withdraw(context.Background()) })
	return r
}

// leftovers returns goroutines of ours, and of clients of etcd, that have not ended. The etcd's own may outlive it.
func leftovers() string {
	marks := []string{"rpckids/rpckids/", "etcd/client/v3.", "http2Client", "CallbackSerializer"} // the last two are those of a connection of grpc
	var ours []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		ours = slices.DeleteFunc(strings.Split(string(buf), "\n\n")[1:], func(g string) bool { // the first is this one
			return !slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(g, mark) })
		})
		if len(ours) == 0 {
			break
		}
	}
	return strings.Join(ours, "\n\n")
}

// picture is what a Watch has told so far.
type picture struct {
	mu      sync.Mutex // protects the fields below
	servers []string   // the last list
	err     error      // since that list; nil: none
	heard   []string   // everything
}

func (p *picture) update(servers []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = err; err == nil {
		p.servers = slices.Clone(servers)
	}
	p.heard = append(p.heard, fmt.Sprint(servers, err))
}

func (p *picture) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return strings.Join(p.servers, " ") + "; " + p.err.Error()
	}
	return strings.Join(p.servers, " ")
}

// watch follows a name until the test ends.
func watch(t *testing.T, r *etcd.Resolver, name string) *picture {
	t.Helper()
	p := new(picture)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(ctx, name, p.update) }() // ends with ctx; the cleanup waits
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Watch ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("Watch does not end")
		}
	})
	return p
}

// within waits until a condition holds, and returns how long that took.
func within(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// shows waits for a picture.
func (p *picture) shows(t *testing.T, want string) time.Duration {
	t.Helper()
	began := time.Now()
	for p.String() != want {
		if time.Since(began) > patience {
			t.Fatalf("%q is not shown within %v, but %q", want, patience, p)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// figure prints a line of proof.
func figure(t *testing.T, name string, value, limit time.Duration) {
	t.Helper()
	verdict := "PASS"
	if value > limit {
		verdict = "FAIL"
		t.Errorf("%s took %v, want at most %v", name, value, limit)
	}
	t.Logf("%s %v %v %s", name, value.Round(time.Millisecond), limit, verdict)
}
