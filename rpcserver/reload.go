package rpcserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// CertFiles is a certificate and its key in two PEM files, which are read again when they have changed, for new connections:
//
//	pair, err := rpcserver.NewCertFiles("server.pem", "server-key.pem", nil)
//	...
//	config.TLS = &tls.Config{GetCertificate: pair.GetCertificate}
//
// A handshake looks at the files, at most once a second. Files that do not fit together, or cannot be read, leave the last good pair in use, and a line
// in the log; so it does not matter in which order the two are replaced. It is safe for concurrent use.
type CertFiles struct{ pair *onDisk[*tls.Certificate] }

// NewCertFiles reads the pair for the first time; then a pair that is no good is an error. A nil logger is silent.
func NewCertFiles(certFile, keyFile string, logger *slog.Logger) (*CertFiles, error) {
	pair, err := newOnDisk("the certificate", "a certificate and the key that fits it, both as PEM", logger, readPair, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &CertFiles{pair}, nil
}

func readPair(files []string) (*tls.Certificate, slog.Attr, error) {
	pair, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		return nil, slog.Attr{}, fmt.Errorf("certificate %s with key %s: %w", files[0], files[1], err)
	}
	return &pair, slog.Time("until", pair.Leaf.NotAfter), nil
}

// GetCertificate is for the field of that name of a tls.Config.
func (f *CertFiles) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.pair.now(), nil
}

// CAFile is the authorities of client certificates in one PEM file, which is read again when it has changed, for new connections:
//
//	authorities, err := rpcserver.NewCAFile("clients-ca.pem", nil)
//	...
//	config.TLS = authorities.Follow(&tls.Config{GetCertificate: pair.GetCertificate})
//
// A handshake looks at the file, at most once a second. One that cannot be read, or has a certificate that is no good, leaves the last good authorities
// in use, and a line in the log. Connections that are open stay as they are. It is safe for concurrent use.
type CAFile struct{ pool *onDisk[*x509.CertPool] }

// NewCAFile reads the file for the first time; then one that is no good is an error. A nil logger is silent.
func NewCAFile(file string, logger *slog.Logger) (*CAFile, error) {
	pool, err := newOnDisk("the file of client authorities", "the certificates of all authorities, as PEM", logger, readPool, file)
	if err != nil {
		return nil, err
	}
	return &CAFile{pool}, nil
}

// readPool is stricter than the pool's own way: of a file that is being written, or is damaged, it does not take what is left.
func readPool(files []string) (*x509.CertPool, slog.Attr, error) {
	fail := func(err error) (*x509.CertPool, slog.Attr, error) {
		return nil, slog.Attr{}, fmt.Errorf("authorities %s: %w", files[0], err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return fail(err)
	}
	pool, begun, whole := x509.NewCertPool(), bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----")), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fail(err)
		}
		pool.AddCert(cert)
		whole++
	}
	switch {
	case begun == 0:
		return fail(errors.New("there is no certificate in it"))
	case whole != begun:
		return fail(errors.New("a certificate in it is cut short or damaged"))
	}
	return pool, slog.Int("certificates", whole), nil
}

// Follow returns a copy of c whose handshakes take client certificates of the authorities that stand in the file then; a session of an authority that has
// gone from it is not resumed. Where c does not say in ClientAuth who has to show one, everybody has to. It takes the field GetConfigForClient for that.
func (f *CAFile) Follow(c *tls.Config) *tls.Config {
	if c = safeTLS(c); c == nil {
		c = safeTLS(new(tls.Config))
	}
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	followed := c.Clone()
	var last atomic.Pointer[tls.Config] // one for all connections of the same authorities, each of which keeps it
	followed.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool := f.pool.now()
		if now := last.Load(); now != nil && now.ClientCAs == pool {
			return now, nil
		}
		now := c.Clone() // without ticket keys of its own: tickets stay good, and crypto/tls looks for their authorities in ClientCAs
		now.ClientCAs = pool
		last.Store(now)
		return now, nil
	}
	return followed
}

// onDisk is what was read of files, and is read again when they have changed.
type onDisk[T any] struct {
	what, cure string // for the log
	logger     *slog.Logger
	read       func(files []string) (T, slog.Attr, error)
	files      []string

	mu     sync.Mutex // protects the fields below
	good   T
	seen   []stamp // of the files that good is from
	failed []stamp // of those that were no good, once that has been said
	looked time.Time
}

// stamp tells whether a file is another one than before.
type stamp struct {
	changed time.Time
	size    int64
}

func newOnDisk[T any](what, cure string, logger *slog.Logger, read func([]string) (T, slog.Attr, error), files ...string) (*onDisk[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	d := &onDisk[T]{what: what, cure: cure, logger: logger, read: read, files: files, looked: time.Now()}
	d.seen = d.stamps()
	var err error
	if d.good, _, err = read(files); err != nil {
		return nil, err
	}
	return d, nil
}

// lookEvery is how often the files are looked at.
const lookEvery = time.Second

// now returns what is good now.
func (d *onDisk[T]) now() T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.looked) >= lookEvery {
		d.looked = now
		d.lookLocked()
	}
	return d.good
}

func (d *onDisk[T]) lookLocked() {
	now := d.stamps()
	if slices.Equal(now, d.seen) {
		return
	}
	good, about, err := d.read(d.files) // again at each look until it is good: what is wrong may be this program's files
	if err != nil && !slices.Equal(now, d.failed) {
		d.failed = now
		d.logger.Warn(d.what+" on disk cannot be used, the last good one stays", "error", err.Error(), "cure", "put there "+d.cure)
	}
	if err != nil {
		return
	}
	d.good, d.seen, d.failed = good, now, nil
	d.logger.Info(d.what+" was read again", "file", d.files[0], about)
}

// stamps of files that are not there are zero.
func (d *onDisk[T]) stamps() []stamp {
	s := make([]stamp, len(d.files))
	for i, name := range d.files {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
