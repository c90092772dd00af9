package rpcserver_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// Files are looked at once a second, and only a pair that is good is taken.
func TestCertFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	if _, err := rpcserver.NewCertFiles(certFile, keyFile, nil); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("got %v", err)
	}
	first, second, third := certs.New(t, "1"), certs.New(t, "2"), certs.New(t, "3")
	certs.Write(t, first.Server(t, nil), certFile, keyFile)
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f, err := rpcserver.NewCertFiles(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		use := func(want string) {
			t.Helper()
			c, err := f.GetCertificate(nil)
			if err != nil || c.Leaf.Issuer.CommonName != want {
				t.Errorf("got a certificate of %v, %v, want %s", c.Leaf.Issuer, err, want)
			}
		}
		use("1")
		pair := second.Server(t, nil)
		certs.Write(t, pair, certFile, "") // the key is still the old one
		use("1")                           // nobody has looked yet
		time.Sleep(time.Second)
		use("1")
		use("1")
		if got := strings.Count(log.String(), "cannot be used"); got != 1 {
			t.Errorf("%d complaints, want one:\n%s", got, &log)
		}
		certs.Write(t, pair, certFile, keyFile)
		time.Sleep(999 * time.Millisecond)
		use("1")
		time.Sleep(time.Millisecond)
		use("2")
		os.Remove(keyFile)
		time.Sleep(time.Second)
		use("2")
		certs.Write(t, third.Server(t, nil), certFile, keyFile)
		time.Sleep(time.Second)
		use("3")

		// A pair that could not be read is tried again, also when nothing about it shows that it is another one.
		good, when := certs.New(t, "4").Server(t, nil), time.Now().Add(time.Hour)
		certs.Write(t, good, certFile, keyFile)
		key, err := os.ReadFile(keyFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, content := range []string{strings.Repeat("x", len(key)), string(key)} {
			if err := os.WriteFile(keyFile, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{certFile, keyFile} {
				if err := os.Chtimes(name, when, when); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			if content[0] == 'x' {
				use("3")
			}
		}
		use("4")
		if got := strings.Count(log.String(), "read again"); got != 3 {
			t.Errorf("read %d times:\n%s", got, &log)
		}
	})
}

// insider is somebody with a client certificate, who keeps his session tickets and shows his certificate whatever authorities the server names.
func insider(t *testing.T, server, client *certs.Authority, version uint16) *tls.Config {
	cert := client.Client(t, "of "+client.Cert.Subject.CommonName, nil)
	return &tls.Config{RootCAs: server.Pool(), ServerName: "localhost", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
}

// Authorities that change on disk are those of the next connection. What was withdrawn lets nobody in, not by a ticket either; who is in stays.
func TestCAFile(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ca")
			synctest.Test(t, func(t *testing.T) { testCAFile(t, file, version) })
		})
	}
}

func testCAFile(t *testing.T, file string, version uint16) {
	first, second, ca := certs.New(t, "first"), certs.New(t, "second"), certs.New(t, "ours")
	if _, err := rpcserver.NewCAFile(file, nil); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
	first.Write(t, file)
	var log strings.Builder
	authorities, err := rpcserver.NewCAFile(file, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(ends, 99)
	h := inMemory(t, &rpcserver.Config{Observer: ended.observer(), TLS: authorities.Follow(&tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}})}, 0)
	rpcserver.Handle(h.s, "who", func(ctx context.Context, _ struct{}) (string, error) { return rpcserver.Identity(ctx), nil })
	ask := func(p *peer) (string, error) {
		p.write(wire.AppendMessage(nil, "1", "who", "null"))
		return p.next()
	}
	enter := func(as *tls.Config, want string, resumed bool) *peer {
		t.Helper()
		sec := tls.Client(h.visit().nc, as)
		p := &peer{t: t, nc: sec}
		if got, err := ask(p); err != nil || got != fmt.Sprintf("1 who_res %q", want) {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if got := sec.ConnectionState().DidResume; got != resumed {
			t.Errorf("%s: resumed: got %v, want %v", want, got, resumed)
		}
		return p
	}
	refused := func(as *tls.Config, says string) {
		t.Helper()
		sec := tls.Client(h.visit().nc, as)
		err := sec.Handshake()
		if err == nil { // with TLS 1.3 a client hears it later
			_, err = sec.Read(make([]byte, 1))
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
		sec.Close()
		ended.want(t, rpcserver.HandshakeFailed)
	}
	says := func(line string, times int) {
		t.Helper()
		if got := strings.Count(log.String(), line); got != times {
			t.Errorf("%q is there %d times, want %d:\n%s", line, got, times, &log)
		}
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	anna, bert := insider(t, ca, first, version), insider(t, ca, second, version)
	stays := enter(anna, "of first", false)
	enter(anna, "of first", true)
	refused(bert, "unknown certificate authority")
	nobody := insider(t, ca, first, version)
	nobody.GetClientCertificate = nil
	refused(nobody, map[uint16]string{tls.VersionTLS12: "handshake failure", tls.VersionTLS13: "certificate required"}[version])

	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	second.Write(t, file)
	other, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	both := string(good) + string(other)
	for n, bad := range []string{"", "half a file", both[:len(both)-50], strings.Replace(both, "\nMII", "\nMI?", 1)} {
		put(bad)
		enter(anna, "of first", true)
		refused(bert, "unknown certificate authority")
		says("cannot be used, the last good one stays", n+1)
	}
	says("put there the certificates of all authorities", 4)

	second.Write(t, file)
	enter(anna, "of first", true) // nobody has looked yet
	time.Sleep(time.Second)
	refused(anna, "unknown certificate authority")
	enter(bert, "of second", false)
	enter(bert, "of second", true)
	if got, err := ask(stays); err != nil || got != `1 who_res "of first"` {
		t.Errorf("the connection that was there: got %s, %v", got, err)
	}

	put(both)
	enter(insider(t, ca, first, version), "of first", false)
	enter(bert, "of second", true)
	says("read again", 2)
	says("certificates=2", 1)
}
