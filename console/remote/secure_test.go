package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/rpcserver"
)

// serving starts a server on loopback that ends with the test.
func serving(t *testing.T, cfg *rpcserver.Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpcserver.New(cfg)
	demo.Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Close below
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return ln.Addr().String()
}

// Each mistake with TLS or a token is told in one line, with its cure in another, and ends the program with the code for it.
func TestMistakesAreTold(t *testing.T) {
	rpctest.Leaks(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca, other := certs.New(t, "ours"), certs.New(t, "other")
	past := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	}
	future := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
	}
	ca.Write(t, in("ca"))
	certs.Write(t, ca.Client(t, "ann", nil), in("ann"), in("ann-key"))
	certs.Write(t, other.Client(t, "eve", nil), in("eve"), in("eve-key"))
	certs.Write(t, ca.Client(t, "old", past), in("old"), in("old-key"))
	server := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	mutual := server(ca.Server(t, nil))
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	auth, err := rpcserver.StaticTokens(map[string]string{"s3cret": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	trust := console.Security{TLS: true, CA: in("ca")}
	with := func(name string) console.Security {
		return console.Security{TLS: true, CA: in("ca"), Cert: in(name), Key: in(name + "-key")}
	}
	for _, test := range []struct {
		name         string
		server       rpcserver.Config
		client       console.Security
		exit         console.Exit
		cause, cures string
	}{
		{"unknown CA", rpcserver.Config{TLS: server(other.Server(t, nil))}, trust, console.ExitConnect, "is not trusted here", "it is not signed by what --ca " + in("ca") + " holds"},
		{"another CA of the same name", rpcserver.Config{TLS: server(certs.New(t, "ours").Server(t, nil))}, trust, console.ExitConnect, "is not trusted here", "it is not signed by what --ca " + in("ca") + " holds"},
		{"no CA", rpcserver.Config{TLS: server(ca.Server(t, nil))}, console.Security{TLS: true}, console.ExitConnect, "is not trusted here", "trust who signed it with --ca FILE"},
		{"a token with a line's end", rpcserver.Config{Auth: auth}, console.Security{Token: "s3cret\n", TokenPlain: true}, console.ExitUsage, "has a line end come along?", "RPCKIDS_TOKEN"},
		{"expired", rpcserver.Config{TLS: server(ca.Server(t, past))}, trust, console.ExitConnect, "the server's certificate expired at ", "a new certificate"},
		{"not yet", rpcserver.Config{TLS: server(ca.Server(t, future))}, trust, console.ExitConnect, "the server's certificate is not valid before ", "clock"},
		{"wrong name", rpcserver.Config{TLS: server(ca.Server(t, func(c *x509.Certificate) { c.IPAddresses = nil }))}, trust, console.ExitConnect, "is for localhost, not for 127.0.0.1", "connect by a name"},
		{"no client certificate", rpcserver.Config{TLS: mutual}, trust, console.ExitConnect, "the server wants a client certificate", "--cert FILE --key FILE"},
		{"wrong client certificate", rpcserver.Config{TLS: mutual}, with("eve"), console.ExitConnect, "other authorities than that of ours", "--client-ca"},
		{"old client certificate", rpcserver.Config{TLS: mutual}, with("old"), console.ExitConnect, "does not take our client certificate: expired certificate", "still valid"},
		{"TLS to plain", rpcserver.Config{}, trust, console.ExitConnect, "this server has no TLS", "leave --tls"},
		{"token in the clear", rpcserver.Config{Auth: auth}, console.Security{Token: "s3cret"}, console.ExitUsage, "a token without TLS", "--token-plain"},
		{"no such file", rpcserver.Config{}, console.Security{TLS: true, CA: in("nothing")}, console.ExitUsage, "--ca: ", "PEM files"},
		{"no certificate in the file", rpcserver.Config{}, console.Security{TLS: true, CA: in("ann-key")}, console.ExitUsage, "there is no certificate in ", "PEM files"},
		{"another's key", rpcserver.Config{}, console.Security{TLS: true, Cert: in("ann"), Key: in("eve-key")}, console.ExitUsage, "private key does not match", "PEM files"},
		{"the key as the token", rpcserver.Config{}, console.Security{TLS: true, Key: in("ann-key")}, console.ExitUsage, "a key without its certificate", "--cert FILE --key FILE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := Dial(t.Context(), serving(t, &test.server), console.DialOptions{Security: test.client})
			if err == nil {
				b.Close()
				t.Fatal("connected")
			}
			told(t, err, test.exit, test.cause, test.cures)
		})
	}
	_, err = Dial(t.Context(), serving(t, &rpcserver.Config{Auth: auth}), console.DialOptions{Protocol: "v1", Security: console.Security{Token: "s3cret", TokenPlain: true}})
	told(t, err, console.ExitUsage, "version 1 carries no token", "--proto auto")
	for _, test := range []struct {
		name   string
		server rpcserver.Config
		client console.DialOptions
		exit   console.Exit
		cause  string
		cures  string
	}{
		{"plain to TLS, v1", rpcserver.Config{TLS: mutual, RefusePlain: true}, console.DialOptions{Protocol: "v1"}, console.ExitConnect, "the server takes TLS alone", "--tls"},
		{"plain to TLS, v2", rpcserver.Config{TLS: mutual, RefusePlain: true}, console.DialOptions{Protocol: "v2"}, console.ExitConnect, "the server takes TLS alone", "--tls"},
		{"no token", rpcserver.Config{TLS: mutual, Auth: auth}, console.DialOptions{}, console.ExitServer, "this server wants to know who calls", "--token"},
		{"wrong token", rpcserver.Config{Auth: auth}, console.DialOptions{Security: console.Security{Token: "no", TokenPlain: true}}, console.ExitServer, "the token is not known here", "--token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := Dial(t.Context(), serving(t, &test.server), test.client)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			_, err = b.Call(t.Context(), console.Request{Type: "fib", Payload: []byte("10")})
			told(t, err, test.exit, test.cause, test.cures)
		})
	}
	b, err := Dial(t.Context(), serving(t, &rpcserver.Config{TLS: mutual, Auth: auth}), console.DialOptions{Security: console.Security{CA: in("ca"), Cert: in("ann"), Key: in("ann-key"), Token: "s3cret"}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Call(t.Context(), console.Request{Type: "fib", Payload: []byte("10")}); err != nil {
		t.Error(err)
	}
	st := b.Stats()
	if got := st.Protection(); got != "TLS 1.3, as ann, with a token" {
		t.Errorf("protected by %q", got)
	}
}

func told(t *testing.T, err error, exit console.Exit, cause, cure string) {
	t.Helper()
	e, ok := errors.AsType[*console.Error](err)
	if !ok || e.Exit != exit || !strings.Contains(e.Message, cause) || !strings.Contains(e.Hint, cure) || strings.Contains(e.Message+e.Hint, "\n") {
		t.Errorf("got  %v, %+v\nwant %d %q, %q", err, e, exit, cause, cure)
	}
}
