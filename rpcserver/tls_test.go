package rpcserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// inTLS serves on loopback with a certificate, and has a client of it.
func inTLS(t *testing.T, cfg *rpcserver.Config, change func(*tls.Config)) (h *house, ca *certs.Authority, dial func(...tls.Certificate) (*tls.Conn, error)) {
	t.Helper()
	ca = certs.New(t, "ours")
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}}
	if change != nil {
		cfg.TLS.ClientCAs = ca.Pool()
		change(cfg.TLS)
	}
	h = onTCP(t, cfg)
	return h, ca, func(certs ...tls.Certificate) (*tls.Conn, error) {
		nc, err := h.dial()
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { nc.Close() })
		sec := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: certs, MinVersion: tls.VersionTLS10})
		return sec, sec.Handshake()
	}
}

// HTTPS is open, and knows whose certificate it got; nothing but /healthz is without.
func TestHTTPS(t *testing.T) {
	h, ca, dial := inTLS(t, &rpcserver.Config{RefusePlain: true, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %v %v", rpcserver.Identity(r.Context()), r.TLS != nil, r.TLS != nil && r.TLS.Version >= tls.VersionTLS12)
	})}, func(c *tls.Config) { c.ClientAuth = tls.VerifyClientCertIfGiven })
	for _, name := range []string{"", "ann"} {
		var cert []tls.Certificate
		if name != "" {
			cert = append(cert, ca.Client(t, name, nil))
		}
		nc, err := dial(cert...)
		if err != nil {
			t.Fatal(err)
		}
		b := browseOn(t, nc)
		b.want("/readyz", 200, "ready")
		b.want("/metrics", 200, strings.TrimSpace(name+" true true"))
		nc.Close()
	}
	b := h.browse()
	b.want("/healthz", 200, "ok")
	status, body, answer := b.ask("GET", "/metrics")
	if status != 426 || body != "this port takes TLS alone: use https" || answer.Header.Get("Upgrade") == "" {
		t.Errorf("got %d %q", status, body)
	}
	b.wantEnd()
}

// Whoever speaks plainly to a port that takes TLS alone gets one answer that says so, and no handler runs.
func TestRefusePlain(t *testing.T) {
	e := make(ends, 9)
	h, _, dial := inTLS(t, &rpcserver.Config{RefusePlain: true, Observer: e.observer()}, nil)
	p := h.visit()
	p.send(ours, "fib", "10")
	p.send(ours, "fib", "11")
	p.want(answered + ` !error {"code":"failed_precondition","message":"this port takes TLS alone: connect with TLS","details":{"needs":"tls"}}`)
	p.wantEnd()
	p.nc.Close()
	e.want(t, rpcserver.PlainRefused)

	p = h.visit()
	p.send("1", "fib", "10")
	p.want(`1;e error.failed_precondition: this port takes TLS alone: connect with TLS {"code":"failed_precondition","message":"this port takes TLS alone: connect with TLS","details":{"needs":"tls"}}`)
	p.wantEnd()
	p.nc.Close()
	e.want(t, rpcserver.PlainRefused)

	settings := wire.DefaultSettings()
	v := h.visit2(&settings)
	v.want("GOAWAY 0 0 failed_precondition 0s this port takes TLS alone: connect with TLS")
	v.wantEnd()
	v.nc.Close()
	e.want(t, rpcserver.PlainRefused)

	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	p = &peer{t: t, nc: nc}
	p.send("1", "fib", "10")
	p.want("1 fib_res 89")
	nc.Close()
	e.want(t, rpcserver.PeerClosed)
	if got := h.s.Stats().Refusals[rpcserver.RefusedPlain]; got != 3 {
		t.Errorf("%d refusals are counted, want 3", got)
	}
}

// A handshake that does not come to an end, or comes to none that is good, is one connection's end.
func TestHandshakes(t *testing.T) {
	e := make(ends, 9)
	t.Run("late", func(t *testing.T) {
		h, _, _ := inTLS(t, &rpcserver.Config{HalfMessage: 100 * time.Millisecond, Observer: e.observer()}, nil)
		p := h.visit()
		p.write([]byte{0x16, 3, 1, 2})
		p.wantEnd()
		p.nc.Close()
		e.want(t, rpcserver.HandshakeFailed)
	})
	h, ca, dial := inTLS(t, &rpcserver.Config{Observer: e.observer()}, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	p := h.visit()
	p.write([]byte("\x16\x03\x01\x00\x05nothing at all"))
	io.Copy(io.Discard, p.nc) // an alert
	p.nc.Close()
	e.want(t, rpcserver.HandshakeFailed)

	nc, err := h.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	nc.Close()
	e.want(t, rpcserver.HandshakeFailed)

	sec, err := dial(ca.Client(t, "ann", nil))
	if err != nil {
		t.Fatal(err)
	}
	inner := &peer{t: t, nc: sec}
	inner.write([]byte("\x16\x03\x01")) // TLS inside TLS is none
	inner.wantEnd()
	sec.Close()
	e.want(t, rpcserver.NotOurs)
}

// Shutdown answers what runs inside TLS, says goodbye, and is not held up by a handshake.
func TestDrainInTLS(t *testing.T) {
	h, _, dial := inTLS(t, &rpcserver.Config{}, nil)
	begun, finish := make(chan struct{}), make(chan struct{})
	rpcserver.Handle(h.s, "wait", func(context.Context, struct{}) (int, error) {
		close(begun)
		<-finish
		return 7, nil
	})
	half := h.visit()
	half.write([]byte{0x16, 3, 1})
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, nc: nc}
	p.send("1", "wait", "null")
	<-begun
	nc2, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	b := browseOn(t, nc2)
	b.want("/readyz", 200, "ready")
	done := make(chan error, 1)
	go func() { done <- h.s.Shutdown(t.Context()) }() // received below
	half.wantEnd()
	half.nc.Close()
	b.wantEnd()
	close(finish)
	p.want("1 wait_res 7")
	p.wantEnd()
	nc.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A name in a certificate is found in a fixed order.
func TestIdentityOfCertificates(t *testing.T) {
	h, ca, dial := inTLS(t, &rpcserver.Config{}, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	rpcserver.Handle(h.s, "who", func(ctx context.Context, _ struct{}) (string, error) { return rpcserver.Identity(ctx), nil })
	all := ca.Client(t, "common", withURI("spiffe://here/ann"))
	for _, test := range []struct {
		cert tls.Certificate
		want string
	}{
		{all, `"spiffe://here/ann"`},
		{ca.Client(t, "common", withDNS("ann.here")), `"ann.here"`},
		{ca.Client(t, "common", nil), `"common"`},
		{ca.Client(t, "", nil), `"sha256:`},
	} {
		nc, err := dial(test.cert)
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{t: t, nc: nc}
		p.send("1", "who", "null")
		if got, err := p.next(); err != nil || !strings.HasPrefix(got, "1 who_res "+test.want) {
			t.Errorf("got %s, %v, want %s", got, err, test.want)
		}
		nc.Close()
	}
}

// A session that goes on from an earlier one is still that of the same client.
func TestIdentityOfResumedSessions(t *testing.T) {
	h, ca, _ := inTLS(t, &rpcserver.Config{}, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	rpcserver.Handle(h.s, "who", func(ctx context.Context, _ struct{}) (string, error) { return rpcserver.Identity(ctx), nil })
	cfg := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{ca.Client(t, "ann", nil)}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, resumed := range []bool{false, true} {
		nc, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		sec := tls.Client(nc, cfg)
		p := &peer{t: t, nc: sec}
		p.send("1", "who", "null")
		p.want(`1 who_res "ann"`)
		if got := sec.ConnectionState().DidResume; got != resumed {
			t.Errorf("resumed: got %v, want %v", got, resumed)
		}
		nc.Close()
	}
}

func withURI(text string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, _ := url.Parse(text)
		c.URIs, c.DNSNames = []*url.URL{u}, []string{"second"}
	}
}

func withDNS(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = []string{name} }
}
