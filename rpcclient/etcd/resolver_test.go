package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rpckids/rpckids/rpcclient/etcd"
	register "github.com/rpckids/rpckids/rpcserver/etcd"
)

func TestNames(t *testing.T) {
	shared := etcd.New(&etcd.Config{Client: new(clientv3.Client)})
	elsewhere := etcd.New(&etcd.Config{Endpoints: []string{"nowhere"}})
	for _, test := range []struct {
		resolver    *etcd.Resolver
		name, cause string
	}{
		{etcd.New(nil), "demo", ""},
		{etcd.New(nil), "a.b-c_D9", ""},
		{etcd.New(nil), "//h:2379/demo", ""},
		{etcd.New(nil), "//h1:2379, https:/", "is no name"},
		{etcd.New(nil), "//h1:2379,h2:2379/demo", ""},
		{etcd.New(nil), "//[::1]:2379/demo", ""},
		{shared, "demo", ""},
		{shared, "//h:2379/demo", `this program has its own connection to etcd: leave out "h:2379", as in etcd:///demo`},
		{etcd.New(nil), "", `"" is no name`},
		{etcd.New(nil), "a/b", `"a/b" is no name`},
		{etcd.New(nil), "a\x1bb", `"a\x1bb" is no name`},
		{etcd.New(nil), strings.Repeat("x", 129), "is no name"},
		{etcd.New(nil), "//h:2379/", `"" is no name`},
		{etcd.New(nil), "//h/demo", `"h" is no address of etcd: it is written host:port, http://host:port or https://host:port`},
		{etcd.New(nil), "//h:2379,,/demo", `"" is no address of etcd`},
		{etcd.New(nil), "//u:p@h:2379/demo", `"u:p@h:2379" is no address of etcd`},
		{elsewhere, "demo", `"nowhere" is no address of etcd`},
	} {
		err := test.resolver.Check(test.name)
		if test.cause == "" && err != nil || test.cause != "" && (err == nil || !strings.Contains(err.Error(), test.cause)) {
			t.Errorf("%q gave %v; want %s", test.name, err, test.cause)
		}
		if test.cause == "" {
			continue
		}
		if err := test.resolver.Watch(t.Context(), test.name, func([]string, error) { t.Errorf("%q was told something", test.name) }); err == nil || !strings.Contains(err.Error(), test.cause) {
			t.Errorf("%q watched gave %v; want %s", test.name, err, test.cause)
		}
	}
}

// Servers come, die and leave, and whoever watches hears of it.
func TestServersComeAndGo(t *testing.T) {
	c := start(t)
	p := watch(t, etcd.New(nil), "//"+c.client.Host+"/demo")
	p.shows(t, "; nobody is registered in etcd under /rpckids/demo/")
	a := c.register("a:1", register.Config{})
	p.shows(t, "a:1")
	c.register("b:2", register.Config{})
	p.shows(t, "a:1 b:2")
	began := time.Now()
	c.register("[fd00::1]:3", register.Config{})
	p.shows(t, "[fd00::1]:3 a:1 b:2")
	figure(t, "etcd.third_server_appears", time.Since(began), 2*time.Second)

	if err := a.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
	p.shows(t, "[fd00::1]:3 b:2")
	if err := a.Withdraw(t.Context()); err != nil {
		t.Errorf("the second Withdraw gave %v", err)
	}

	// one that dies does not withdraw: its lease runs out
	raw := c.dial()
	lease, err := raw.Grant(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Put(t.Context(), "/rpckids/demo/dying:4", "{}", clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "[fd00::1]:3 b:2 dying:4")
	took := p.shows(t, "[fd00::1]:3 b:2")
	t.Logf("etcd.lease_over %v", took.Round(time.Millisecond))

	// of another name, and of a name that begins alike
	for _, key := range []string{"/rpckids/demo2/x:1", "/rpckids/dem/x:1", "/other/demo/x:1"} {
		if _, err := raw.Put(t.Context(), key, "{}"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.Put(t.Context(), "/rpckids/demo/unix:///run/x", "{}"); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "/run/x [fd00::1]:3 b:2") // no socket any more: the client leaves it out
}

// A list that became empty is told as an error: the client keeps those it knows.
func TestNobodyIsLeft(t *testing.T) {
	c := start(t)
	p := watch(t, etcd.New(nil), "//"+c.client.Host+"/demo")
	a := c.register("a:1", register.Config{})
	p.shows(t, "a:1")
	a.Withdraw(t.Context())
	p.shows(t, "a:1; nobody is registered in etcd under /rpckids/demo/")
	c.register("b:2", register.Config{})
	p.shows(t, "b:2")
}

// An etcd that goes away says so in plain words, and is followed again when it is back; whoever registered stands there again.
func TestEtcdGoesAway(t *testing.T) {
	c := start(t)
	lost := make(chan error, 10)
	var log strings.Builder
	r := c.register("a:1", register.Config{TTL: 2 * time.Second, Lost: func(err error) { lost <- err }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c.register("b:2", register.Config{})
	p := watch(t, etcd.New(nil), "//"+c.client.Host+"/demo")
	p.shows(t, "a:1 b:2")
	c.down()
	began := time.Now()
	within(t, "told that etcd is away", func() bool { return strings.Contains(p.String(), "a:1 b:2; etcd cannot ") })
	t.Logf("etcd.away_is_told %v", time.Since(began).Round(time.Millisecond))
	since := regexp.MustCompile(`^a:1 b:2; etcd cannot be reached for \d+s: dial tcp`)
	within(t, "told since when", func() bool { return since.MatchString(p.String()) })
	if want := "dial tcp " + c.client.Host + ": connect: connection refused"; !strings.HasSuffix(p.String(), want) {
		t.Errorf("got %q, want %q at the end", p, want)
	}
	select {
	case err := <-lost:
		if e, ok := errors.AsType[*register.Error](err); !ok || e.Kind != register.ErrLost || e.Address != "a:1" || !strings.Contains(e.Error(), "its lease is over") {
			t.Errorf("the lost lease gave %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nobody tells that the lease is lost")
	}
	within(t, "Err says why", func() bool {
		err := r.Err()
		return errors.Is(err, register.ErrLost) && strings.Contains(err.Error(), "etcd cannot be reached")
	})
	c.up()
	began = time.Now()
	p.shows(t, "a:1 b:2")
	t.Logf("etcd.back_is_seen %v", time.Since(began).Round(time.Millisecond))
	within(t, "registered again", func() bool { return r.Err() == nil })
	c.register("c:3", register.Config{})
	p.shows(t, "a:1 b:2 c:3")
	if err := r.Withdraw(t.Context()); err != nil {
		t.Error(err)
	}
	p.shows(t, "b:2 c:3")
	for _, want := range []string{"registered in etcd", "registration in etcd lost", "registered in etcd again", "withdrawn from etcd"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
}

// A lease that somebody ends, and a key that somebody deletes, come again.
func TestLostLease(t *testing.T) {
	c := start(t)
	lost := make(chan error, 10)
	r := c.register("a:1", register.Config{Lost: func(err error) { lost <- err }, TTL: 2 * time.Second})
	p := watch(t, etcd.New(nil), "//"+c.client.Host+"/demo")
	p.shows(t, "a:1")
	raw := c.dial()
	leases, err := raw.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("leases: %v, %v", leases, err)
	}
	if _, err := raw.Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "a:1; nobody is registered in etcd under /rpckids/demo/")
	if err := <-lost; !errors.Is(err, register.ErrLost) || !strings.HasPrefix(err.Error(), `"demo" at "a:1": registration lost: its lease is over`) {
		t.Errorf("told %v", err)
	}
	p.shows(t, "a:1")
	within(t, "Err is nil", func() bool { return r.Err() == nil })

	if _, err := raw.Delete(t.Context(), "/rpckids/demo/a:1"); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "a:1; nobody is registered in etcd under /rpckids/demo/")
	p.shows(t, "a:1")
	if err := <-lost; !errors.Is(err, register.ErrLost) || !strings.HasSuffix(err.Error(), "registration lost: its key was deleted or taken by another process, and is put back") {
		t.Errorf("told %v", err)
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err is %v after the key is back", err)
	}
	if _, err := raw.Put(t.Context(), "/rpckids/demo/a:1", "{}"); err != nil { // without a lease it would stay for ever
		t.Fatal(err)
	}
	<-lost
	r.Withdraw(t.Context())
	p.shows(t, "a:1; nobody is registered in etcd under /rpckids/demo/")
}

// Withdrawing from an etcd that is away does not hold up the end of a server.
func TestWithdrawWithoutEtcd(t *testing.T) {
	c := start(t)
	r := c.register("a:1", register.Config{})
	c.down()
	err := r.Withdraw(t.Context())
	if e, ok := errors.AsType[*register.Error](err); !ok || e.Kind != register.ErrEtcd || !strings.Contains(err.Error(), "etcd cannot be reached") {
		t.Errorf("gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := register.Register(ctx, "demo", "a:1", &register.Config{Endpoints: []string{c.client.String()}}); !errors.Is(err, register.ErrEtcd) {
		t.Errorf("Register with an ended context gave %v", err)
	}
}

// History that etcd has thrown away does not stop the following: there is a new list.
func TestCompaction(t *testing.T) {
	c := start(t)
	raw := c.dial()
	c.register("a:1", register.Config{})
	shared := etcd.New(&etcd.Config{Client: raw})
	p := watch(t, shared, "demo")
	p.shows(t, "a:1")
	c.down() // what happens now is not followed
	c.up()
	other := c.dial()
	var revision int64
	for i := range 20 {
		r, err := other.Put(t.Context(), fmt.Sprintf("/rpckids/demo/n%02d:1", i), "{}")
		if err != nil {
			t.Fatal(err)
		}
		revision = r.Header.Revision
	}
	if _, err := other.Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	within(t, "all are seen", func() bool { return strings.Count(p.String(), ":1") == 21 })
	if _, err := other.Delete(t.Context(), "/rpckids/demo/n", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "a:1")
}

// Nobody can fill a client's memory through etcd.
func TestTooManyServers(t *testing.T) {
	c := start(t)
	raw := c.dial()
	put := func(from, to int) {
		t.Helper()
		for ; from < to; from += 100 {
			var ops []clientv3.Op
			for i := from; i < from+100; i++ {
				ops = append(ops, clientv3.OpPut(fmt.Sprintf("/rpckids/demo/h%05d:1", i), "{}"))
			}
			if _, err := raw.Txn(t.Context()).Then(ops...).Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(0, 900)
	p := watch(t, etcd.New(&etcd.Config{Client: raw}), "demo")
	count := func() int { return strings.Count(p.String(), ":1") }
	within(t, "900", func() bool { return count() == 900 })
	put(900, 1500)
	within(t, "one more than is used", func() bool { return count() == 1001 })
	if _, err := raw.Delete(t.Context(), "/rpckids/demo/h000", clientv3.WithPrefix()); err != nil { // 100 of those that were seen
		t.Fatal(err)
	}
	within(t, "others take their places", func() bool { return strings.HasPrefix(p.String(), "h00100:1 ") && count() == 1001 })
}
