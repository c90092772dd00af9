package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a name server's knowledge, in the process.
type zone struct {
	mu   sync.Mutex // protects the fields below
	ips  []string
	srv  []*net.SRV
	err  error
	slow time.Duration
	asks []time.Time
}

func (z *zone) set(err error, ips ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.err, z.ips = err, ips
}

func (z *zone) begin(ctx context.Context) error {
	z.mu.Lock()
	z.asks = append(z.asks, time.Now())
	slow := z.slow
	z.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return &net.DNSError{Err: "i/o timeout", Name: "x", IsTimeout: true}
	}
	return nil
}

func (z *zone) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := z.begin(ctx); err != nil {
		return nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	var ips []netip.Addr
	for _, ip := range z.ips {
		ips = append(ips, netip.MustParseAddr(ip))
	}
	return ips, z.err
}

func (z *zone) LookupSRV(ctx context.Context, _, _, name string) (string, []*net.SRV, error) {
	if err := z.begin(ctx); err != nil {
		return "", nil, err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	return name, z.srv, z.err
}

// asked takes the times between the lookups so far.
func (z *zone) asked() (pauses []time.Duration) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for i := 1; i < len(z.asks); i++ {
		pauses = append(pauses, z.asks[i].Sub(z.asks[i-1]))
	}
	z.asks = z.asks[max(0, len(z.asks)-1):]
	return pauses
}

// follow watches a dns target over a zone, in a bubble, and keeps what was told last.
func follow(t *testing.T, z *zone, text string) (to *target, last func() string) {
	t.Helper()
	parsed, err := parseTarget(text, &Config{Resolvers: map[string]Resolver{"dns": &dns{z}}})
	if err != nil {
		t.Fatal(err)
	}
	var told atomic.Value
	told.Store("")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { // ends with ctx; the cleanup waits
		ended <- parsed.watch(ctx, func(servers []string, err error) {
			if err != nil {
				told.Store("error: " + err.Error())
				return
			}
			told.Store(strings.Join(servers, " "))
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the watch ended with %v", err)
		}
	})
	synctest.Wait()
	return &parsed, func() string { return told.Load().(string) }
}

func TestDNSKeepsLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{ips: []string{"10.0.0.2", "10.0.0.1", "::ffff:10.0.0.2", "fd00::1"}}
		_, last := follow(t, z, "dns:///x:8888")
		if got, want := last(), "10.0.0.1:8888 10.0.0.2:8888 [fd00::1]:8888"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		z.set(nil, "10.0.0.3", "10.0.0.1")
		time.Sleep(lookupMax)
		synctest.Wait()
		if got, want := last(), "10.0.0.1:8888 10.0.0.3:8888"; got != want {
			t.Errorf("after a change got %q, want %q", got, want)
		}
		time.Sleep(time.Hour)
		pauses, different := z.asked(), map[time.Duration]bool{}
		for _, p := range pauses {
			different[p] = true
			if p < lookupMin || p > lookupMax {
				t.Errorf("looked up after %v", p)
			}
		}
		if len(pauses) < 120 || len(different) < 100 {
			t.Errorf("%d lookups in an hour with %d different pauses", len(pauses), len(different))
		}
	})
}

func TestDNSFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}
		_, last := follow(t, z, "dns:///x:8888")
		if got, want := last(), `error: unknown host "x"`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(5 * time.Minute)
		pauses := z.asked()
		for i, p := range pauses {
			least := min(lookupSoon<<min(i, 10), lookupMin)
			if p < least || p > least*3/2 {
				t.Errorf("lookup %d came after %v, want %v to %v", i, p, least, least*3/2)
			}
		}
		z.set(nil, "10.0.0.1")
		time.Sleep(lookupMin * 3 / 2)
		synctest.Wait()
		if got := last(); got != "10.0.0.1:8888" {
			t.Errorf("once it is known got %q", got)
		}
		z.asked()
		for _, test := range []struct {
			err  error
			want string
		}{
			{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, `error: unknown host "x"`},
			{&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true}, `error: looking up "x": server misbehaving`},
			{nil, `error: the name "x" has no address`},
		} {
			z.set(test.err)
			time.Sleep(lookupMax)
			synctest.Wait()
			if got := last(); got != test.want {
				t.Errorf("%v gave %q, want %q", test.err, got, test.want)
			}
		}
	})
}

func TestDNSLookupIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{slow: time.Hour}
		_, last := follow(t, z, "dns:///x:8888")
		time.Sleep(lookupTime)
		synctest.Wait()
		if got, want := last(), `error: looking up "x": i/o timeout`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A client whose servers are down asks sooner, but does not flood the name server however often it is told.
func TestDNSHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{ips: []string{"10.0.0.1"}}
		to, last := follow(t, z, "dns:///x:8888")
		time.Sleep(5 * time.Second)
		z.set(nil, "10.0.0.2")
		to.hurry()
		synctest.Wait()
		if got := last(); got != "10.0.0.2:8888" {
			t.Errorf("in a hurry got %q", got)
		}
		z.asked()
		for range 6000 { // ten minutes
			to.hurry()
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(z.asked()); n < 30 || n > 45 { // 1, 2, 4, 8 and then 15 s
			t.Errorf("%d lookups in ten minutes of hurry", n)
		}
		time.Sleep(2 * time.Minute) // calm
		z.set(nil, "10.0.0.3")
		to.hurry()
		time.Sleep(lookupSoon)
		synctest.Wait()
		if got := last(); got != "10.0.0.3:8888" {
			t.Errorf("in a hurry after calm got %q", got)
		}
	})
}

func TestDNSServiceRecords(t *testing.T) {
	record := func(host string, port, priority, weight uint16) *net.SRV {
		return &net.SRV{Target: host, Port: port, Priority: priority, Weight: weight}
	}
	none := &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}
	for _, test := range []struct {
		text    string
		records []*net.SRV
		err     error
		want    string
	}{
		{"dns:///_rpckids._tcp.x", []*net.SRV{record("b.x.", 2, 0, 5), record("a.x.", 1, 0, 0), record("b.x.", 2, 0, 0)}, nil, "a.x:1 b.x:2"},
		{"dns:///x", []*net.SRV{record("spare.x.", 9, 20, 0), record("a.x.", 1, 10, 0)}, nil, "a.x:1"},
		{"dns:///x", []*net.SRV{record("a.x.", 1, 10, 0)}, errors.New("some records have invalid names"), "a.x:1"},
		{"dns:///x", []*net.SRV{record(".", 1, 10, 0)}, nil, `error: the name "x" has no SRV records; with a port, as in dns:///name:8888, its addresses are used`},
		{"dns:///x", nil, none, `error: the name "x" has no SRV records; with a port, as in dns:///name:8888, its addresses are used`},
		{"dns:///x", nil, errors.New("burnt down"), `error: burnt down`},
		{"dns:///x", []*net.SRV{record("a.x.", 0, 10, 0)}, nil, `error: "a.x:0": a port is a number from 1 to 65535`},
	} {
		synctest.Test(t, func(t *testing.T) {
			to, last := follow(t, &zone{srv: test.records, err: test.err}, test.text)
			if got := last(); got != test.want || to.host != "" {
				t.Errorf("%s gave %q, host %q; want %q", test.text, got, to.host, test.want)
			}
		})
	}
}

func TestDNSNames(t *testing.T) {
	for _, test := range []struct{ text, server, host, port string }{
		{"dns:///x.example.org:8888", "", "x.example.org", "8888"},
		{"dns:///x.example.org.:8888", "", "x.example.org.", "8888"},
		{"dns:///10.0.0.7:1", "", "10.0.0.7", "1"},
		{"dns:///[::1]:1", "", "::1", "1"},
		{"dns:///_a._tcp.x", "", "_a._tcp.x", ""},
		{"dns://10.0.0.53/x:1", "10.0.0.53:53", "x", "1"},
		{"dns://[::1]/x:1", "[::1]:53", "x", "1"},
		{"dns://ns.x:5353/_a._tcp.x", "ns.x:5353", "_a._tcp.x", ""},
	} {
		to, err := parseTarget(test.text, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		q, err := parseQuestion(to.name)
		host := test.host
		if test.port == "" {
			host = ""
		}
		if want := (question{test.server, test.host, test.port}); err != nil || q != want || to.host != host {
			t.Errorf("%s gave %v, %q, %v; want %v", test.text, q, to.host, err, want)
		}
	}
}

// nameServer answers on loopback and returns its address.
func nameServer(t *testing.T, ips func() []string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends when the socket is closed; the cleanup waits
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := respond(buf[:n], ips()); err == nil {
				conn.WriteTo(reply, peer)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn.LocalAddr().String()
}

func respond(query []byte, ips []string) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, fmt.Errorf("not a query: %w", err)
	}
	q := m.Questions[0]
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	switch {
	case !strings.HasPrefix(q.Name.String(), "_") && len(ips) == 0:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		for _, ip := range ips {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: netip.MustParseAddr(ip).As4()}})
		}
	case q.Type == dnsmessage.TypeSRV:
		for _, host := range []string{"b.test.", "a.test."} {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.SRVResource{Port: 7000, Target: dnsmessage.MustNewName(host)}})
		}
	}
	return m.Pack()
}

// The same over sockets, through the resolver of the standard library.
func TestDNSOverSockets(t *testing.T) {
	var known atomic.Bool
	known.Store(true)
	address := nameServer(t, func() []string {
		if known.Load() {
			return []string{"127.0.0.2", "127.0.0.1"}
		}
		return nil
	})
	for _, test := range []struct {
		text  string
		known bool
		want  string
	}{
		{"dns://" + address + "/servers.test.:8888", true, "127.0.0.1:8888 127.0.0.2:8888"},
		{"dns://" + address + "/_rpckids._tcp.test.", true, "a.test:7000 b.test:7000"},
		{"dns://" + address + "/servers.test.:8888", false, `unknown host "servers.test."`},
	} {
		known.Store(test.known)
		to, err := parseTarget(test.text, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		got := ""
		err = to.watch(ctx, func(servers []string, err error) {
			if got = strings.Join(servers, " "); err != nil {
				got = err.Error()
			}
			cancel()
		})
		if err != nil || !strings.HasSuffix(got, test.want) {
			t.Errorf("%s gave %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}
