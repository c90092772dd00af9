package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcclient"
)

// What --dev-tls makes is good for TLS both ways, is for its owner alone, and is made again only where it is no good any more.
func TestDevFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "tls")
	f, err := makeDevFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, f.ca.key: 0o600, f.server.key: 0o600, f.client.key: 0o600, f.ca.cert: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
	load := func(p pair) *x509.Certificate {
		t.Helper()
		c, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	pool := x509.NewCertPool()
	pool.AddCert(load(f.ca))
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := load(f.server).Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Error(err)
		}
	}
	if _, err := load(f.client).Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	serials := func() string {
		return fmt.Sprint(load(f.ca).SerialNumber, load(f.server).SerialNumber, load(f.client).SerialNumber)
	}
	again := func() {
		t.Helper()
		if _, err := makeDevFiles(dir); err != nil {
			t.Fatal(err)
		}
	}
	before := serials()
	if again(); serials() != before {
		t.Error("good certificates were made again")
	}
	ca, err := tls.LoadX509KeyPair(f.ca.cert, f.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	old := leaf("rpckids-server", x509.ExtKeyUsageServerAuth)
	old.NotAfter = time.Now().Add(time.Hour)
	if _, err := f.make(f.server, old, &ca); err != nil {
		t.Fatal(err)
	}
	again()
	was, is := strings.Fields(before), strings.Fields(serials())
	if is[0] != was[0] || is[1] == was[1] || is[2] != was[2] || !lasts(load(f.server)) {
		t.Errorf("an old server certificate: had %v, have %v", was, is)
	}
	if _, err := makeDevFiles(f.ca.cert); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// /metrics moves with the calls that are made; without --http and TLS it is closed.
func TestMetricsOnThePort(t *testing.T) {
	get := func(port, path string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	s := start(t, "--addr", "localhost:0", "--http")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	s.call(port, "fib", "10")
	if status, text := get(port, "/metrics"); status != 200 || !strings.Contains(text, `rpckids_server_calls_total{code="ok",method="fib",pattern="call",protocol="v1"} 1`) {
		t.Errorf("got %d\n%s", status, text)
	}
	if status, text := get(port, "/readyz"); status != 200 {
		t.Errorf("got %d %s", status, text)
	}
	s.stop(exitOK)
	s = start(t, "--addr", "localhost:0")
	port = s.lines.await(`^server started @ localhost:(\d+)`)[1]
	if status, text := get(port, "/metrics"); status != 403 || !strings.Contains(text, "--http") {
		t.Errorf("got %d %s", status, text)
	}
	if status, text := get(port, "/healthz"); status != 200 || text != "ok\n" {
		t.Errorf("got %d %q", status, text)
	}
	s.stop(exitOK)
}

// What is wrong about certificates, tokens and their files ends the command with one line for the cause and one for the cure. Neither shows a token, and
// none of it starts a server that is more open than was asked for.
func TestSecureMistakes(t *testing.T) {
	const secret = "not-for-the-terminal"
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f, err := makeDevFiles(filepath.Join(dir, "tls"))
	if err == nil {
		_, err = makeDevFiles(dir) // else the log says that they were made
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args        []string
		code        int
		cause, cure string
	}{
		{[]string{"--tls-cert", f.server.cert}, exitUsage, "--tls-cert and --tls-key go together", "--help"},
		{[]string{"--tls-cert", f.server.cert, "--tls-key", f.client.key}, exitError, "private key does not match", "--dev-tls DIR"},
		{[]string{"--tls-cert", "nowhere", "--tls-key", "nowhere"}, exitError, "no such file", "--dev-tls DIR"},
		{[]string{"--tls-cert", file("junk", "junk"), "--tls-key", f.server.key}, exitError, "failed to find any PEM data", "--dev-tls DIR"},
		{[]string{"--dev-tls", dir, "--tls-cert", "a", "--tls-key", "b"}, exitUsage, "--dev-tls brings a certificate of its own", "--help"},
		{[]string{"--dev-tls", file("afile", "")}, exitError, "not a directory", "--dev-tls ./tls"},
		{[]string{"--client-ca", f.ca.cert}, exitUsage, "--client-ca needs TLS", "--help"},
		{[]string{"--dev-tls", dir, "--client-ca", file("none.pem", "")}, exitError, "none.pem: there is no certificate in it", "authorities"},
		{[]string{"--dev-tls", dir, "--client-ca", "nowhere"}, exitError, "no such file", "authorities"},
		{[]string{"--refuse-plain"}, exitUsage, "--refuse-plain needs TLS", "--help"},
		{[]string{"--dev-tls", dir, "--refuse-plain", "--http"}, exitUsage, "one of the two", "--help"},
		{[]string{"--token", secret}, exitUsage, "--token: want NAME=TOKEN", "--help"},
		{[]string{"--token", "a=" + secret, "--token", "b=" + secret}, exitUsage, "two names have the same token", "--help"},
		{[]string{"--token", "a=two " + secret}, exitUsage, "visible ASCII", "--help"},
		{[]string{"--token-file", "nowhere"}, exitError, "no such file", "NAME=TOKEN"},
		{[]string{"--token-file", dir}, exitError, "is a directory", "NAME=TOKEN"},
		{[]string{"--token-file", file("empty", "# nobody yet\n\n")}, exitError, "there is no token in", "NAME=TOKEN"},
		{[]string{"--token-file", file("words", "# names\nalice "+secret+"\n")}, exitUsage, "words, line 2: want NAME=TOKEN", "--help"},
		{[]string{"--token-file", file("wide", "a="+strings.Repeat(secret, 1<<12))}, exitError, "a line that is too long", "NAME=TOKEN"},
		{[]string{"--token-file", file("long", "a="+strings.Repeat(secret, 1<<9))}, exitUsage, "at most", "--help"},
		{[]string{"--token-file", ""}, exitUsage, "--token-file is empty: is a variable not set?", "--help"},
		{[]string{"--dev-tls", ""}, exitUsage, "--dev-tls is empty", "--help"},
		{[]string{"--client-ca", ""}, exitUsage, "--client-ca is empty", "--help"},
		{[]string{"--etcd", "", "--name", "demo"}, exitUsage, "--etcd is empty", "--help"},
		{[]string{"--idle", "5"}, exitUsage, `--idle is "5", want a time`, "times have a unit"},
		{[]string{"--addr", ""}, exitUsage, "--addr is empty", "--help"},
	} {
		var out, problems bytes.Buffer
		args := test.args
		if args[0] != "--addr" {
			args = append([]string{"--addr", "localhost:0"}, args...)
		}
		code := run(args, &out, &problems, stopped())
		cause, cure, _ := strings.Cut(problems.String(), "\nhint: ")
		if code != test.code || !strings.Contains(cause, test.cause) || !strings.Contains(cure, test.cure) || strings.Count(problems.String(), "\n") != 2 {
			t.Errorf("%q: exit code %d, want %d; got %q, want %s and %s", test.args, code, test.code, problems.String(), test.cause, test.cure)
		}
		if out.Len() > 0 || strings.Contains(problems.String(), secret) {
			t.Errorf("%q: printed %q and %q", test.args, out.String(), problems.String())
		}
	}
}

// A file of tokens that others may read is warned of, and a name may have two of them: one that goes and one that comes.
func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("alice=old-token-of-hers\nbob=his-token\nalice=new-token-of-hers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		mode os.FileMode
		want string
	}{
		{0o600, ""},
		{0o400, ""},
		{0o640, `warn: the file of tokens is open to others on this machine: it should be its owner's alone, as after chmod 600 file=` + file + " mode=-rw-r-----\n"},
		{0o604, `warn: the file of tokens is open to others on this machine: it should be its owner's alone, as after chmod 600 file=` + file + " mode=-rw----r--\n"},
	} {
		if err := os.Chmod(file, test.mode); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		logger, err := newLogger(&out, "text", "info")
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := (&secure{tokenFile: file}).readTokens(logger)
		if want := map[string]string{"old-token-of-hers": "alice", "his-token": "bob", "new-token-of-hers": "alice"}; err != nil || !maps.Equal(tokens, want) {
			t.Errorf("got %v, %v, want %v", tokens, err, want)
		}
		if got := regexp.MustCompile(" at=.*").ReplaceAllString(out.String(), ""); runtime.GOOS != "windows" && got != test.want {
			t.Errorf("%v: got %q, want %q", test.mode, got, test.want)
		}
	}
}

// Where the log is JSON, what --dev-tls prints is, too; and a certificate that nobody will take is told of.
func TestDevTLSInJSON(t *testing.T) {
	dir := t.TempDir()
	s := start(t, "--addr", "localhost:0", "--log-format", "json", "--dev-tls", dir)
	s.lines.await(`"msg":"connect with","command":"rpckids-console connect localhost:\d+ --tls --ca `)
	s.stop(exitOK)
	for line := range strings.Lines(s.lines.b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	f, err := makeDevFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tls.LoadX509KeyPair(f.ca.cert, f.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	old := leaf("rpckids-server", x509.ExtKeyUsageServerAuth)
	old.NotAfter = time.Now().Add(-time.Minute)
	if _, err := f.make(f.server, old, &ca); err != nil {
		t.Fatal(err)
	}
	s = start(t, "--addr", "localhost:0", "--tls-cert", f.server.cert, "--tls-key", f.server.key)
	s.lines.await(`^warn: the certificate is not valid now, clients will refuse it file=`)
	s.lines.await(`^server started @`)
	s.stop(exitOK)
}

// Who may come in with a client certificate is what the file of --client-ca says when he comes; who is in stays.
func TestClientCAChanges(t *testing.T) {
	dir := t.TempDir()
	was, err := makeDevFiles(filepath.Join(dir, "was"))
	if err != nil {
		t.Fatal(err)
	}
	is, err := makeDevFiles(filepath.Join(dir, "is"))
	if err != nil {
		t.Fatal(err)
	}
	authorities := filepath.Join(dir, "clients.pem")
	put := func(ca pair) {
		t.Helper()
		pem, err := os.ReadFile(ca.cert)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(authorities, pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(was.ca)
	s := start(t, "--addr", "localhost:0", "--dev-tls", filepath.Dir(was.ca.cert), "--client-ca", authorities)
	defer s.stop(exitOK)
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	trusted := x509.NewCertPool()
	ca, err := tls.LoadX509KeyPair(was.ca.cert, was.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AddCert(ca.Leaf)
	client := func(p pair) *rpcclient.Client {
		t.Helper()
		cert, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := rpcclient.New("localhost:"+port, &rpcclient.Config{Protocol: rpcclient.V1, TLS: &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{cert}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	call := func(c *rpcclient.Client) error {
		_, err := rpcclient.Call[int](t.Context(), c, "fib", 10)
		return err
	}
	stays := client(was.client)
	if err := call(stays); err != nil {
		t.Fatal(err)
	}
	if err := call(client(is.client)); err == nil || !strings.Contains(err.Error(), "the server does not take our client certificate: unknown certificate authority") {
		t.Errorf("before: got %v", err)
	}
	put(is.ca)
	for late := time.Now().Add(patience); ; {
		err := call(client(is.client))
		if err == nil {
			break
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
	if err := call(client(was.client)); err == nil || !strings.Contains(err.Error(), "the server does not take our client certificate: unknown certificate authority") {
		t.Errorf("after: got %v", err)
	}
	if err := call(stays); err != nil {
		t.Errorf("the connection that was there: %v", err)
	}
	s.lines.await(`^the file of client authorities was read again file=\S+/clients\.pem certificates=1 `)
}
