package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/prom"
)

// secure is what the command line says about TLS, about who may call, and about HTTP.
type secure struct {
	cert, key, clientCA string
	dev                 string // folder of --dev-tls
	tokens              []string
	tokenFile           string
	refusePlain, http   bool

	files   *devFiles     // of --dev-tls
	metrics *prom.Metrics // nil where nobody could read them
}

func (s *secure) flags(f *pflag.FlagSet) {
	f.StringVar(&s.cert, "tls-cert", "", "PEM `FILE` with the server's certificate: TLS on the same port; read again when it changes")
	f.StringVar(&s.key, "tls-key", "", "PEM `FILE` with its key")
	f.StringVar(&s.clientCA, "client-ca", "", "PEM `FILE` with the authorities of client certificates: mutual TLS, nobody comes in over TLS without one; read again when it changes")
	f.StringVar(&s.dev, "dev-tls", "", "make an authority, a server's and a client's certificate in `DIR`, use them, and print how to connect")
	f.BoolVar(&s.refusePlain, "refuse-plain", false, "turn away whoever does not speak TLS")
	f.StringArrayVar(&s.tokens, "token", nil, "`NAME=TOKEN` that lets NAME in; others on this machine can see it: --token-file is safer. May be repeated")
	f.StringVar(&s.tokenFile, "token-file", "", "`FILE` with a line NAME=TOKEN for each that may come in")
	f.BoolVar(&s.http, "http", false, "open /readyz, /services and /metrics without TLS, too; /healthz always is open")
}

// setupError is something about the files of the command line that a person can mend.
type setupError struct{ cause, cure string }

func (e *setupError) Error() string { return e.cause }

// apply brings the flags into the Config.
func (s *secure) apply(c *rpcserver.Config, logger *slog.Logger) error {
	if err := s.check(); err != nil {
		return usageError{err}
	}
	if err := s.prepare(logger); err != nil {
		return err
	}
	c.RefusePlain, c.HTTPPlain = s.refusePlain, s.http
	if s.cert != "" {
		pair, err := rpcserver.NewCertFiles(s.cert, s.key, logger)
		if err != nil {
			return &setupError{printable(err.Error()), "rpckids-server --dev-tls DIR makes a pair that works"}
		}
		s.warn(pair, logger)
		if c.TLS, err = s.clients(&tls.Config{GetCertificate: pair.GetCertificate}, logger); err != nil {
			return err
		}
	}
	if c.TLS != nil || s.http {
		s.metrics = prom.New(prometheus.NewRegistry())
		c.Observer = rpcserver.Observers(c.Observer, s.metrics.Observer())
		c.HTTP = s.pages()
	}
	tokens, err := s.readTokens(logger)
	if err != nil || len(tokens) == 0 {
		return err
	}
	if c.Auth, err = rpcserver.StaticTokens(tokens); err != nil {
		return usageError{err}
	}
	if c.TLS == nil {
		logger.Warn("tokens travel in the clear without TLS")
	}
	return nil
}

// warn tells of a certificate that nobody will take.
func (s *secure) warn(pair *rpcserver.CertFiles, logger *slog.Logger) {
	cert, err := pair.GetCertificate(nil)
	if now := time.Now(); err == nil && cert.Leaf != nil && (now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter)) {
		logger.Warn("the certificate is not valid now, clients will refuse it", "file", s.cert, "from", cert.Leaf.NotBefore, "until", cert.Leaf.NotAfter)
	}
}

// pages answers HTTP beyond what the server does itself.
func (s *secure) pages() http.Handler {
	pages := http.NewServeMux()
	pages.Handle("/metrics", s.metrics.Handler())
	pages.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "here are /healthz, /readyz, /services and /metrics; the rest of this port speaks rpckids", http.StatusNotFound)
	})
	return pages
}

func (s *secure) check() error {
	switch {
	case s.dev != "" && (s.cert != "" || s.key != ""):
		return errors.New("--dev-tls brings a certificate of its own, without --tls-cert and --tls-key")
	case (s.cert == "") != (s.key == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case s.cert == "" && s.dev == "" && s.clientCA != "":
		return errors.New("--client-ca needs TLS: --tls-cert and --tls-key, or --dev-tls")
	case s.cert == "" && s.dev == "" && s.refusePlain:
		return errors.New("--refuse-plain needs TLS: --tls-cert and --tls-key, or --dev-tls")
	case s.refusePlain && s.http:
		return errors.New("--http opens pages without TLS, and --refuse-plain closes them: one of the two")
	}
	return nil
}

// prepare makes what --dev-tls needs, and says so.
func (s *secure) prepare(logger *slog.Logger) (err error) {
	if s.dev == "" {
		return nil
	}
	s.files, err = makeDevFiles(s.dev)
	if _, told := errors.AsType[*setupError](err); told {
		return err
	}
	if err != nil {
		return &setupError{"--dev-tls: " + printable(err.Error()), "name a folder that can be written, as in --dev-tls ./tls"}
	}
	s.cert, s.key = s.files.server.cert, s.files.server.key
	what := []any{"folder", s.dev, "files", strings.Join(s.files.made, " ")}
	switch {
	case len(s.files.made) == 0:
	case s.files.orphan:
		logger.Warn("there was no authority: a new one was made, and certificates of an earlier one are good no more", what...)
	case s.files.again:
		logger.Warn("certificates were made again", what...)
	default:
		logger.Info("certificates were made", what...)
	}
	return nil
}

// clients adds who may show a client certificate, and who has to. The authority of --dev-tls is taken, and asks for nothing.
func (s *secure) clients(c *tls.Config, logger *slog.Logger) (*tls.Config, error) {
	file, need := s.clientCA, tls.RequireAndVerifyClientCert
	if file == "" && s.files != nil {
		file, need = s.files.ca.cert, tls.VerifyClientCertIfGiven
	}
	if file == "" {
		return c, nil
	}
	authorities, err := rpcserver.NewCAFile(file, logger)
	if err != nil {
		return nil, &setupError{"--client-ca: " + printable(err.Error()), "it names a PEM file with the certificates of the authorities"}
	}
	c.ClientAuth = need
	return authorities.Follow(c), nil
}

const tokenCure = "it names a file with lines NAME=TOKEN; empty lines and those that begin with # are left out"

// readTokens returns the names by token. No error of it shows a token.
func (s *secure) readTokens(logger *slog.Logger) (map[string]string, error) {
	lines := s.tokens
	from := make([]string, len(lines))
	for i := range from {
		from[i] = "--token"
	}
	if s.tokenFile != "" {
		file, err := os.Open(s.tokenFile)
		if err != nil {
			return nil, &setupError{"--token-file: " + printable(err.Error()), tokenCure}
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // where modes say nothing
			logger.Warn("the file of tokens is open to others on this machine: it should be its owner's alone, as after chmod 600", "file", s.tokenFile, "mode", info.Mode())
		}
		in := bufio.NewScanner(file)
		for n := 1; in.Scan(); n++ {
			if line := strings.TrimSpace(in.Text()); line != "" && line[0] != '#' {
				lines, from = append(lines, line), append(from, fmt.Sprintf("%s, line %d", printable(s.tokenFile), n))
			}
		}
		switch err := in.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return nil, &setupError{"--token-file: " + printable(s.tokenFile) + " has a line that is too long", tokenCure}
		case err != nil:
			return nil, &setupError{"--token-file: " + printable(err.Error()), tokenCure}
		case len(lines) == len(s.tokens): // everybody would be let in
			return nil, &setupError{"--token-file: there is no token in " + printable(s.tokenFile), tokenCure}
		}
	}
	tokens := make(map[string]string, len(lines))
	for i, line := range lines {
		name, token, ok := strings.Cut(line, "=")
		name, token = strings.TrimSpace(name), strings.TrimSpace(token)
		switch _, twice := tokens[token]; {
		case !ok || name == "" || token == "":
			return nil, usageError{fmt.Errorf("%s: want NAME=TOKEN, both not empty", from[i])}
		case twice:
			return nil, usageError{fmt.Errorf("%s: two names have the same token", from[i])}
		}
		tokens[token] = name
	}
	return tokens, nil
}

// collect lets the metrics read what the server counts itself.
func (s *secure) collect(of *rpcserver.Server) {
	if s.metrics != nil {
		s.metrics.Collect(of)
	}
}

// announce tells, once the port is known, the command that connects over the certificates of --dev-tls.
func (s *secure) announce(c *rpcserver.Config, addr string, tell func(command string)) {
	if s.files == nil {
		return
	}
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	c.Observer = rpcserver.Observers(c.Observer, &rpcserver.Observer{Listening: func(at net.Addr) {
		_, port, _ := net.SplitHostPort(at.String())
		tell(s.howTo(net.JoinHostPort(host, port)))
	}})
}

// howTo is that command.
func (s *secure) howTo(addr string) string {
	f := s.files
	words := []string{"rpckids-console connect", word(addr), "--tls --ca", word(f.ca.cert), "--cert", word(f.client.cert), "--key", word(f.client.key)}
	return strings.Join(words, " ")
}

// word quotes what a shell would not take as one word.
func word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,[]", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 && !strings.ContainsAny(s, "[]") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
