package rpctest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// figure prints a line of the list in docs, and fails the test for one that is out of its limit.
func figure(t *testing.T, name string, value any, limit string, ok bool) {
	t.Helper()
	verdict := "PASS"
	if !ok {
		verdict = "FAIL"
		t.Fail()
	}
	t.Logf("%s %v %s %s", name, value, limit, verdict)
}

// loopback serves s on a port of the loopback interface until the test ends.
func loopback(t *testing.T, s *rpcserver.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Close below, which waits for it
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return ln.Addr().String()
}

// listens answers every connection with the same words until the test ends.
func listens(t *testing.T, says string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				b := make([]byte, 4096)
				nc.Read(b)
				io.WriteString(nc, says)
				nc.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, nc)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func demoServer(cfg *rpcserver.Config) *rpcserver.Server {
	s := rpcserver.New(cfg)
	demo.Register(s)
	return s
}

// tell calls fib and returns what went wrong.
func tell(t *testing.T, addr string, cfg *rpcclient.Config) (e *rpcclient.Error, took time.Duration) {
	t.Helper()
	begin := time.Now()
	c, err := rpcclient.New(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = rpcclient.Call[int](ctx, c, "fib", 10)
	e, _ = errors.AsType[*rpcclient.Error](err)
	return e, time.Since(begin)
}

// TestMistakesWithTLS is figure 13: each mistake has a message, a kind and a type of its own, over both versions.
func TestMistakesWithTLS(t *testing.T) {
	rpctest.Leaks(t)
	ours, other := certs.New(t, "ours"), certs.New(t, "other")
	past := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.Add(-48*time.Hour), c.NotBefore.Add(-24*time.Hour)
	}
	elsewhere := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"example.com"}, nil }
	good := serverTLS(ours.Server(t, nil))
	mutual := good.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ours.Pool()
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	trusting := &tls.Config{RootCAs: ours.Pool()}
	with := func(c tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{c}}
	}
	// A server that names no authorities takes what it gets, and looks at it then.
	blind := good.Clone()
	blind.ClientAuth = tls.RequireAnyClientCert
	blind.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return errors.New("no") }
	newest := good.Clone()
	newest.MinVersion = tls.VersionTLS13
	for _, test := range []struct {
		name    string
		server  *rpcserver.Config
		says    string // instead of a server
		client  *tls.Config
		problem rpcclient.TLSProblem
		kind    error
		message string
	}{
		{name: "unknown CA", server: &rpcserver.Config{TLS: serverTLS(other.Server(t, nil))}, client: trusting,
			problem: rpcclient.UnknownAuthority, kind: rpcclient.ErrConnect, message: "who signed the server's certificate, CN=other, is not trusted here"},
		{name: "expired", server: &rpcserver.Config{TLS: serverTLS(ours.Server(t, past))}, client: trusting,
			problem: rpcclient.CertificateTime, kind: rpcclient.ErrConnect, message: "the server's certificate expired at "},
		{name: "wrong name", server: &rpcserver.Config{TLS: serverTLS(ours.Server(t, elsewhere))}, client: trusting,
			problem: rpcclient.WrongName, kind: rpcclient.ErrConnect, message: "the server's certificate is for example.com, not for 127.0.0.1"},
		{name: "no client certificate", server: &rpcserver.Config{TLS: mutual}, client: trusting,
			problem: rpcclient.NoClientCert, kind: rpcclient.ErrConnect, message: "the server wants a client certificate"},
		{name: "no client certificate, TLS 1.2", server: &rpcserver.Config{TLS: mutual12}, client: trusting,
			problem: rpcclient.NoClientCert, kind: rpcclient.ErrConnect, message: "the server wants a client certificate"},
		{name: "client certificate of another CA", server: &rpcserver.Config{TLS: mutual}, client: with(other.Client(t, "me", nil)),
			problem: rpcclient.ClientCertRefused, kind: rpcclient.ErrConnect, message: "the server takes client certificates of other authorities than that of ours"},
		{name: "client certificate expired", server: &rpcserver.Config{TLS: mutual}, client: with(ours.Client(t, "me", past)),
			problem: rpcclient.ClientCertRefused, kind: rpcclient.ErrConnect, message: "the server does not take our client certificate: expired certificate"},
		{name: "client certificate refused", server: &rpcserver.Config{TLS: blind}, client: with(other.Client(t, "me", nil)),
			problem: rpcclient.ClientCertRefused, kind: rpcclient.ErrConnect, message: "the server does not take our client certificate: bad certificate"},
		{name: "plain to a TLS-only port", server: &rpcserver.Config{TLS: good, RefusePlain: true},
			problem: rpcclient.NeedsTLS, kind: rpcclient.ErrConnect, message: "the server takes TLS alone"},
		{name: "TLS to a plain port", server: &rpcserver.Config{}, client: trusting,
			problem: rpcclient.HasNoTLS, kind: rpcclient.ErrConnect, message: "this server has no TLS"},
		{name: "TLS to HTTP", says: "HTTP/1.1 400 Bad Request\r\n\r\n", client: trusting,
			problem: rpcclient.NotTLS, kind: rpcclient.ErrProtocol, message: "the server speaks HTTP and not TLS"},
		{name: "TLS to something else", says: "SSH-2.0-nothing\r\n", client: trusting,
			problem: rpcclient.NotTLS, kind: rpcclient.ErrProtocol, message: `what listens there does not speak TLS, it says "SSH-2.0-nothing\r\n"`},
		{name: "TLS to one who hangs up", says: "", client: trusting,
			problem: rpcclient.NotTLS, kind: rpcclient.ErrProtocol, message: "the server hung up during the TLS handshake, it may not speak TLS"},
		{name: "plain to a TLS server of others", says: "\x15\x03\x01\x00\x02\x02\x46",
			problem: rpcclient.NeedsTLS, kind: rpcclient.ErrProtocol, message: "the server speaks TLS: "},
		{name: "versions too old", server: &rpcserver.Config{TLS: newest}, client: &tls.Config{RootCAs: ours.Pool(), MaxVersion: tls.VersionTLS12},
			problem: rpcclient.TLSVersions, kind: rpcclient.ErrConnect, message: "no version of TLS in common: here it is TLS 1.2"},
	} {
		for _, protocol := range []rpcclient.Protocol{rpcclient.Auto, rpcclient.V2} {
			t.Run(fmt.Sprintf("%s/%v", test.name, protocol), func(t *testing.T) {
				var addr string
				var ran atomic.Int64
				if test.server != nil {
					s := demoServer(test.server)
					s.Use(func(next rpcserver.Handler) rpcserver.Handler {
						return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
							ran.Add(1)
							return next.ServeCall(ctx, c)
						})
					})
					addr = loopback(t, s)
				} else {
					addr = listens(t, test.says)
				}
				e, took := tell(t, addr, &rpcclient.Config{Protocol: protocol, TLS: test.client})
				if e == nil {
					t.Fatal("the call succeeded")
				}
				why, ok := errors.AsType[*rpcclient.TLSError](e)
				if !ok || why.Problem != test.problem || e.Kind != test.kind || !strings.HasPrefix(e.Message, test.message) || ran.Load() != 0 {
					t.Errorf("got  %q, %v, %v\nwant %q, %v, %v", e.Message, e.Kind, why, test.message, test.kind, test.problem)
				}
				figure(t, "13 typed TLS error within, "+t.Name(), took.Round(time.Millisecond), "1s", took < 10*time.Second) // 1 s on a machine that has nothing else to do
			})
		}
	}
}

// Everything works inside TLS, on both versions, beside plain peers on the same port; and the name in a client's certificate is its identity.
func TestEverythingInsideTLS(t *testing.T) {
	rpctest.Leaks(t)
	ca := certs.New(t, "ours")
	cfg := serverTLS(ca.Server(t, nil))
	cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, ca.Pool()
	s := demoServer(&rpcserver.Config{TLS: cfg})
	rpcserver.Handle(s, "who", func(ctx context.Context, _ struct{}) (string, error) { return rpcserver.Identity(ctx), nil })
	addr := loopback(t, s)
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.Auto, rpcclient.V2} {
		for _, test := range []struct {
			tls *tls.Config
			who string
		}{
			{nil, ""},
			{&tls.Config{RootCAs: ca.Pool()}, ""},
			{&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Client(t, "ann", nil)}}, "ann"},
			{&tls.Config{RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.Client(t, "ann", nil)}}, "ann"},
		} {
			c, err := rpcclient.Dial(t.Context(), addr, &rpcclient.Config{Protocol: protocol, TLS: test.tls})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if got, err := rpcclient.Call[string](t.Context(), c, "who", nil); err != nil || got != test.who {
					t.Errorf("%v: got %q, %v, want %q", protocol, got, err, test.who)
				}
			}
			long := strings.Repeat("x", 300_000) // many records, each way
			if got, err := rpcclient.Call[string](t.Context(), c, "echo", long); err != nil || got != long {
				t.Errorf("%v: %d bytes came back, %v", protocol, len(got), err)
			}
			if protocol != rpcclient.V1 {
				n := 0
				for _, err := range rpcclient.Stream[int64](t.Context(), c, "fibs", 50) {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				if n != 50 {
					t.Errorf("%v: %d items, want 50", protocol, n)
				}
			}
			c.Close()
		}
	}
}

// A certificate that is swapped on disk is used by the next connection; one that is no good is not.
func TestCertificateSwapped(t *testing.T) {
	rpctest.Leaks(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, second := certs.New(t, "first"), certs.New(t, "second")
	certs.Write(t, first.Server(t, nil), certFile, keyFile)
	pair, err := rpcserver.NewCertFiles(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := loopback(t, demoServer(&rpcserver.Config{TLS: &tls.Config{GetCertificate: pair.GetCertificate}}))
	issuer := func() string {
		nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].Issuer.CommonName
	}
	if got := issuer(); got != "first" {
		t.Fatalf("got a certificate of %s", got)
	}
	if err := os.WriteFile(certFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); {
		if got := issuer(); got != "first" {
			t.Fatalf("a broken file: got a certificate of %s", got)
		}
	}
	certs.Write(t, second.Server(t, nil), certFile, keyFile)
	for late := time.Now().Add(20 * time.Second); issuer() != "second"; {
		if time.Now().After(late) {
			t.Fatal("the new certificate is not used")
		}
	}
}

// The secret is a token that must not be seen anywhere.
const secret = "t0ken-Zm9vYmFyYmF6"

// TestTokens is figure 14: no handler runs without a valid token, and no log, error or trace shows it.
func TestTokens(t *testing.T) {
	rpctest.Leaks(t)
	ca := certs.New(t, "ours")
	var log output
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	auth, err := rpcserver.StaticTokens(map[string]string{secret: "ann", secret + "2": "bob"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := serverTLS(ca.Server(t, nil))
	cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, ca.Pool()
	s := demoServer(&rpcserver.Config{TLS: cfg, Auth: auth, Logger: logger, HTTPPlain: true, Authorize: func(ctx context.Context, service string) error {
		if rpcserver.Identity(ctx) == "bob" && service == "fib" {
			return errors.New("bob does not count")
		}
		return nil
	}})
	var ran atomic.Int64
	rpcserver.Handle(s, "who", func(ctx context.Context, _ struct{}) (string, error) {
		ran.Add(1)
		fmt.Fprintln(&log, rpcserver.MetadataOf(ctx))
		return rpcserver.Identity(ctx), nil
	}, rpcserver.Quick())
	addr := loopback(t, s)
	trusting := &tls.Config{RootCAs: ca.Pool()}
	cert := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Client(t, "cleo", nil)}}
	bad, uninvited := "t0ken-wrong", 0
	for _, test := range []struct {
		name   string
		client rpcclient.Config
		own    string // token of the call
		who    string
		code   rpcclient.Code
	}{
		{"token", rpcclient.Config{TLS: trusting, Token: secret}, "", "ann", 0},
		{"token in the clear", rpcclient.Config{Token: secret, TokenPlain: true}, "", "ann", 0},
		{"token of the call", rpcclient.Config{TLS: trusting, Protocol: rpcclient.V2}, secret + "2", "bob", 0},
		{"Bearer", rpcclient.Config{TLS: trusting, Protocol: rpcclient.V2}, "Bearer " + secret, "ann", 0},
		{"token of the call before the connection's", rpcclient.Config{TLS: trusting, Token: secret}, secret + "2", "bob", 0},
		{"certificate over v1", rpcclient.Config{TLS: cert, Protocol: rpcclient.V1}, "", "cleo", 0},
		{"certificate over v2", rpcclient.Config{TLS: cert, Protocol: rpcclient.V2}, "", "cleo", 0},
		{"nothing over v1", rpcclient.Config{TLS: trusting, Protocol: rpcclient.V1}, "", "", rpcclient.Unauthenticated},
		{"nothing over v2", rpcclient.Config{TLS: trusting, Protocol: rpcclient.V2}, "", "", rpcclient.Unauthenticated},
		{"nothing at all", rpcclient.Config{}, "", "", rpcclient.Unauthenticated},
		{"wrong token", rpcclient.Config{TLS: trusting, Token: bad}, "", "", rpcclient.Unauthenticated},
		{"wrong token with a good certificate", rpcclient.Config{TLS: cert, Token: bad}, "", "", rpcclient.Unauthenticated},
		{"wrong token of a call", rpcclient.Config{TLS: trusting, Token: secret}, bad, "", rpcclient.Unauthenticated},
		{"token with a letter more", rpcclient.Config{TLS: trusting, Token: secret + "x"}, "", "", rpcclient.Unauthenticated},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.client.Logger = logger
			c, err := rpcclient.New(addr, &test.client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, service := range []string{"who", "!health", "nothing"} {
				before := ran.Load()
				var trace rpcclient.Trace
				ctx := rpcclient.WithTrace(t.Context(), &trace)
				if test.own != "" {
					ctx = rpcclient.WithMetadata(ctx, rpcclient.Metadata{"authorization": test.own, "other": "seen"})
				}
				got, err := rpcclient.Call[any](ctx, c, service, nil)
				fmt.Fprintln(&log, err)
				log.Write(trace.Out)
				log.Write(trace.In)
				e, _ := errors.AsType[*rpcclient.Error](err)
				switch {
				case test.code != 0:
					if e == nil || e.Code != test.code || e.Kind != rpcclient.ErrServer {
						t.Errorf("%s: got %v, %v, want %v", service, got, err, test.code)
					}
					if n := ran.Load(); n != before {
						uninvited += int(n - before)
						t.Errorf("%s: a handler ran", service)
					}
				case service == "who" && (err != nil || got != test.who):
					t.Errorf("got %v, %v, want %s", got, err, test.who)
				case service == "nothing" && (e == nil || e.Code != rpcclient.NotFound):
					t.Errorf("got %v, %v, want not_found", got, err)
				case service == "!health" && err != nil:
					t.Error(err)
				}
			}
		})
	}
	t.Run("denied", func(t *testing.T) {
		c, err := rpcclient.New(addr, &rpcclient.Config{TLS: trusting, Token: secret + "2", Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = rpcclient.Call[int](t.Context(), c, "fib", 10)
		if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Code != rpcclient.PermissionDenied || e.Message != "bob may not call fib: bob does not count" {
			t.Errorf("got %v", err)
		}
		if got, err := rpcclient.Call[string](t.Context(), c, "echo", "x"); err != nil || got != "x" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	for _, test := range []struct {
		path, header string
		status       int
	}{
		{"/healthz", "", 200},
		{"/readyz", "", 401},
		{"/services", "Bearer " + bad, 401},
		{"/services", "Bearer " + secret, 200},
		{"/readyz", "bearer " + secret, 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", test.header)
		r.Close = true
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		log.Write(body)
		if answer.StatusCode != test.status {
			t.Errorf("%s: got %s, %s, want %d", test.path, answer.Status, body, test.status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	shown := strings.Count(log.String(), secret)
	figure(t, "14 tokens shown in logs, errors and traces", shown, "0", shown == 0)
	figure(t, "14 handlers run without a valid token", uninvited, "0", uninvited == 0)
	if !strings.Contains(log.String(), "seen") {
		t.Error("the traces were not looked at")
	}
}

// output is a log that many write.
type output struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// A Config that would show a token to everybody, or send it where it cannot go, is refused at once, without showing it.
func TestTokenConfig(t *testing.T) {
	for _, cfg := range []rpcclient.Config{
		{Token: secret},
		{Token: secret, TLS: new(tls.Config), Protocol: rpcclient.V1},
		{Token: secret + "\n", TLS: new(tls.Config)},
		{Token: strings.Repeat(secret, 1000), TLS: new(tls.Config)},
	} {
		_, err := rpcclient.New("localhost:1", &cfg)
		if !errors.Is(err, rpcclient.ErrConfig) || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("got %v", err)
		}
	}
	for _, tokens := range []map[string]string{nil, {"": "ann"}, {secret: ""}, {secret + " ": "ann"}, {strings.Repeat(secret, 1000): "ann"}} {
		if _, err := rpcserver.StaticTokens(tokens); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%d tokens: got %v", len(tokens), err)
		}
	}
	shown := fmt.Sprintf("%v %+v %#v %s", rpcserver.Credentials{Token: secret}, rpcserver.Credentials{Token: secret}, rpcserver.Credentials{Token: secret}, &rpcserver.Credentials{Token: secret})
	if strings.Contains(shown, secret) {
		t.Error(shown)
	}
}

// Shutdown answers what runs over TLS, on both versions, and returns.
func TestShutdownInsideTLS(t *testing.T) {
	rpctest.Leaks(t)
	ca := certs.New(t, "ours")
	for _, protocol := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		s := demoServer(&rpcserver.Config{TLS: serverTLS(ca.Server(t, nil)), RefusePlain: true})
		begun, finish := make(chan struct{}), make(chan struct{})
		rpcserver.Handle(s, "wait", func(context.Context, struct{}) (int, error) {
			close(begun)
			<-finish
			return 7, nil
		})
		c, err := rpcclient.Dial(t.Context(), loopback(t, s), &rpcclient.Config{Protocol: protocol, TLS: &tls.Config{RootCAs: ca.Pool()}})
		if err != nil {
			t.Fatal(err)
		}
		type answer struct {
			n   int
			err error
		}
		got := make(chan answer, 1)
		go func() { // received below
			n, err := rpcclient.Call[int](t.Context(), c, "wait", nil)
			got <- answer{n, err}
		}()
		<-begun
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }() // received below
		close(finish)
		if a := <-got; a.n != 7 || a.err != nil {
			t.Errorf("%v: got %d, %v", protocol, a.n, a.err)
		}
		if err := <-done; err != nil {
			t.Errorf("%v: %v", protocol, err)
		}
		c.Close()
	}
}
