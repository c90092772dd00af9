package rpcclient_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/rpcclient"
)

// Of a server that dies it is known when it was lost, also when it is back; of one
// that ends a connection in peace nothing of the kind.
func TestWhenAServerWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		c := w.client()
		if failed, err := load(t, c, time.Second, 10*time.Millisecond); failed > 0 {
			t.Fatal(err)
		}
		for _, p := range c.Peers() {
			if !p.LostAt.IsZero() {
				t.Errorf("%s was lost at %v", p.Address, p.LostAt)
			}
		}
		w.kill("b:1")
		at := time.Now()
		load(t, c, time.Second, 10*time.Millisecond, rpcclient.Idempotent())
		if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerDown || p.LostAt.Sub(at).Abs() > 10*time.Millisecond || p.LastError == nil {
			t.Errorf("killed at %v: %+v", at, p)
		}
		w.start("b:1")
		w.at["c:1"].goAway()
		load(t, c, 3*time.Second, 10*time.Millisecond, rpcclient.Idempotent())
		if p := peerOf(t, c, "b:1"); p.State != rpcclient.PeerUp || p.LostAt.Sub(at).Abs() > 10*time.Millisecond {
			t.Errorf("back, and lost at %v before: %+v", at, p)
		}
		if p := peerOf(t, c, "c:1"); !p.LostAt.IsZero() {
			t.Errorf("one that only wants another connection was lost at %v", p.LostAt)
		}
	})
}

// Whose certificate a server has to show is the name in the target, as its calls
// have it, and not the address that the name stands for.
func TestPeersTellServerNames(t *testing.T) {
	for _, test := range []struct {
		target, name string
		tls          *tls.Config
		want         string
	}{
		{"a.example:1", "", nil, ""},
		{"a.example:1", "", &tls.Config{}, "a.example"},
		{"unix:///tmp/s", "", &tls.Config{}, "localhost"},
		{"10.0.0.1:1,b.example:2", "", &tls.Config{}, "10.0.0.1 b.example"},
		{"10.0.0.1:1,b.example:2", "x.example", &tls.Config{}, "x.example x.example"},
	} {
		cfg := &rpcclient.Config{TLS: test.tls}
		if test.tls != nil {
			test.tls.ServerName = test.name
		}
		c, err := rpcclient.New(test.target, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range c.Peers() {
			names = append(names, p.ServerName)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s, ServerName %q: got %q, want %q", test.target, test.name, got, test.want)
		}
		c.Close()
	}
}

// Of several servers Probe asks one, and tells which: the first that is connected,
// or that can be.
func TestProbeOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		w.kill("a:1")
		c := w.client(func(cfg *rpcclient.Config) { cfg.Protocol = rpcclient.Auto })
		probe := func() (*rpcclient.Trace, error) {
			var tr rpcclient.Trace
			version, err := c.Probe(rpcclient.WithTrace(t.Context(), &tr))
			if version != tr.Protocol {
				t.Errorf("it says %q, its trace %q", version, tr.Protocol)
			}
			return &tr, err
		}
		first, err := probe()
		if err != nil || first.Protocol != "v2" || first.Server != "b:1" && first.Server != "c:1" {
			t.Errorf("got %+v, %v", first, err)
		}
		time.Sleep(time.Second)
		if again, err := probe(); err != nil || again.Protocol != "v2" || again.Server != "b:1" {
			t.Errorf("with both connected: %+v, %v; want the first of the list that is", again, err)
		}
		w.kill("b:1")
		synctest.Wait()
		if other, err := probe(); err != nil || other.Server != "c:1" {
			t.Errorf("with one left: %+v, %v", other, err)
		}
		w.kill("c:1")
		synctest.Wait()
		if _, err := probe(); !errors.Is(err, rpcclient.ErrConnect) {
			t.Errorf("with none left: %v", err)
		}
	})
}
