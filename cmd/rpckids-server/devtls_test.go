package main

import (
	"bytes"
	"crypto/tls"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// contents returns what the files of a folder hold.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(b)
	}
	return all
}

// TestDevFilesThatAreThere starts the command on a folder that has a set of --dev-tls and to which something was done: it takes what is good, makes again
// what it may and says so, and else refuses and touches nothing. No key is ever another one afterwards.
func TestDevFilesThatAreThere(t *testing.T) {
	remove := func(names ...string) func(*devFiles, string) error {
		return func(_ *devFiles, dir string) (err error) {
			for _, name := range names {
				if err == nil {
					err = os.Remove(filepath.Join(dir, name))
				}
			}
			return err
		}
	}
	ends := func(in time.Duration, of ...string) func(*devFiles, string) error {
		return func(f *devFiles, _ string) error {
			for _, name := range of {
				ca, err := tls.LoadX509KeyPair(f.ca.cert, f.ca.key)
				if err != nil {
					return err
				}
				p, like, signer := f.ca, authority(), (*tls.Certificate)(nil)
				if name == "server" {
					p, like, signer = f.server, f.like(f.server), &ca
				}
				like.NotAfter = time.Now().Add(in)
				if _, err := f.make(p, like, signer); err != nil {
					return err
				}
			}
			return nil
		}
	}
	// foreign puts files of another authority there.
	foreign := func(names ...string) func(*devFiles, string) error {
		return func(_ *devFiles, dir string) error {
			was := devAuthorityName
			devAuthorityName.CommonName = "somebody"
			defer func() { devAuthorityName = was }()
			theirs := filepath.Join(dir, "theirs")
			if _, err := makeDevFiles(theirs); err != nil {
				return err
			}
			for _, name := range names {
				if err := os.Rename(filepath.Join(theirs, name), filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			return os.RemoveAll(theirs)
		}
	}
	all := []string{"ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"}
	then := func(steps ...func(*devFiles, string) error) func(*devFiles, string) error {
		return func(f *devFiles, dir string) (err error) {
			for _, step := range steps {
				if err == nil {
					err = step(f, dir)
				}
			}
			return err
		}
	}
	for _, test := range []struct {
		name    string
		done    func(f *devFiles, dir string) error
		says    string   // in the log
		made    []string // again
		refused string
	}{
		{name: "nothing", done: remove()},
		{name: "the authority's key is elsewhere", done: remove("ca-key.pem")},
		{name: "all gone", done: remove(all...), says: "certificates were made folder=", made: all},
		{name: "no client", done: remove("client.pem", "client-key.pem"), says: "warn: certificates were made again folder=", made: []string{"client.pem", "client-key.pem"}},
		{name: "no key of the client", done: remove("client-key.pem"), says: "warn: certificates were made again folder=", made: []string{"client.pem", "client-key.pem"}},
		{name: "the server's ends soon", done: ends(time.Hour, "server"), says: "warn: certificates were made again folder=", made: []string{"server.pem"}},
		{name: "the authority's ends soon", done: ends(time.Hour, "ca"), says: "warn: certificates were made again folder=", made: []string{"ca.pem"}},
		{name: "no authority", done: remove("ca.pem", "ca-key.pem"), says: "warn: there was no authority: a new one was made, and certificates of an earlier one are good no more folder=",
			made: []string{"ca.pem", "ca-key.pem", "server.pem", "client.pem"}},
		{name: "no certificate of the authority", done: remove("ca.pem"), refused: "holds ca-key.pem that"},
		{name: "a damaged one", done: func(f *devFiles, _ string) error { return os.WriteFile(f.ca.cert, []byte("junk"), 0o600) }, refused: "holds ca.pem, ca-key.pem that"},
		{name: "an empty key", done: func(f *devFiles, _ string) error { return os.Truncate(f.server.key, 0) }, refused: "holds server-key.pem that"},
		{name: "nothing to sign with", done: then(ends(time.Hour, "server"), remove("ca-key.pem")), refused: "ca-key.pem is missing, and what is missing or ends soon has to be signed with it"},
		{name: "somebody's", done: then(remove(all...), foreign("ca.pem", "server.pem", "server-key.pem")), refused: "holds ca.pem, server.pem, server-key.pem that"},
		{name: "somebody's whole set", done: then(remove(all...), foreign(all...))},
		{name: "somebody's server", done: foreign("server.pem", "server-key.pem"), refused: "holds server.pem, server-key.pem that"},
		{name: "somebody's key", done: foreign("server-key.pem"), refused: "holds server-key.pem that"},
		{name: "somebody's key alone", done: then(remove("server.pem"), foreign("server-key.pem")), refused: "holds server-key.pem that"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := makeDevFiles(dir)
			if err == nil {
				err = test.done(f, dir)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			if test.refused != "" {
				var out, problems bytes.Buffer
				code := run([]string{"--addr", "localhost:0", "--dev-tls", dir}, &out, &problems, stopped())
				if got := problems.String(); code != exitError || !strings.Contains(got, test.refused) || !strings.Contains(got, "\nhint: ") || strings.Count(got, "\n") != 2 {
					t.Errorf("exit code %d; got %s", code, got)
				}
			} else {
				s := start(t, "--addr", "localhost:0", "--dev-tls", dir)
				s.lines.await(`^connect with: `)
				s.stop(exitOK)
				if test.says != "" && !strings.HasPrefix(s.lines.b.String(), test.says) || test.says == "" && strings.Contains(s.lines.b.String(), "made") {
					t.Errorf("got %s, want %q", s.lines.b.String(), test.says)
				}
			}
			after := contents(t, dir)
			for _, name := range slices.Sorted(maps.Keys(before)) {
				changed := before[name] != after[name]
				if changed != (before[name] != "" && slices.Contains(test.made, name)) || changed && strings.HasSuffix(name, "-key.pem") {
					t.Errorf("%s: changed %v", name, changed)
				}
			}
			for _, name := range test.made {
				if after[name] == "" {
					t.Errorf("%s was not made", name)
				}
			}
			if want := len(before); test.refused != "" && len(after) != want {
				t.Errorf("%d files became %d", want, len(after))
			}
		})
	}
}

// Of two programs that make the same files at once the one that is later changes nothing.
func TestKeyIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	f, err := makeDevFiles(dir)
	if err == nil {
		err = os.WriteFile(f.server.key, []byte("another's"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	ca, err := tls.LoadX509KeyPair(f.ca.cert, f.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.make(f.server, f.like(f.server), &ca); err == nil || !strings.Contains(err.Error(), "another program has just made "+f.server.key) {
		t.Errorf("got %v", err)
	}
	if after := contents(t, dir); !maps.Equal(after, before) {
		t.Errorf("got %q, want %q", after, before)
	}
}
