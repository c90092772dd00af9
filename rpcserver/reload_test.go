package rpcserver_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
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
