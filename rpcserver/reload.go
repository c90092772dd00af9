package rpcserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
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
type CertFiles struct {
	cert, key string
	logger    *slog.Logger

	mu     sync.Mutex // protects the fields below
	pair   *tls.Certificate
	seen   [2]stamp // of the files that pair is from
	failed [2]stamp // of those that were no good, once that has been said
	looked time.Time
}

// stamp tells whether a file is another one than before.
type stamp struct {
	changed time.Time
	size    int64
}

// NewCertFiles reads the pair for the first time; then a pair that is no good is an error. A nil logger is silent.
func NewCertFiles(certFile, keyFile string, logger *slog.Logger) (*CertFiles, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &CertFiles{cert: certFile, key: keyFile, logger: logger, looked: time.Now()}
	f.seen = f.stamps()
	var err error
	if f.pair, err = f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// lookEvery is how often the files are looked at.
const lookEvery = time.Second

// GetCertificate is for the field of that name of a tls.Config.
func (f *CertFiles) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		f.lookLocked()
	}
	return f.pair, nil
}

func (f *CertFiles) lookLocked() {
	now := f.stamps()
	if now == f.seen {
		return
	}
	pair, err := f.read() // again at each look until it is good: what is wrong may be this program's files
	if err != nil && now != f.failed {
		f.failed = now
		f.logger.Warn("the certificate on disk cannot be used, the last good one stays", "error", err.Error())
	}
	if err != nil {
		return
	}
	f.pair, f.seen, f.failed = pair, now, [2]stamp{}
	f.logger.Info("the certificate was read again", "file", f.cert, "until", pair.Leaf.NotAfter)
}

func (f *CertFiles) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	return &pair, nil
}

// stamps of files that are not there are zero.
func (f *CertFiles) stamps() (s [2]stamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
