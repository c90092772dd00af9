package rpcclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// TLSProblem says what two ends that cannot agree about TLS do not agree about.
type TLSProblem string

// The problems of a [TLSError].
const (
	UnknownAuthority  TLSProblem = "unknown authority"     // who signed the server's certificate is not trusted here: see tls.Config.RootCAs
	CertificateTime   TLSProblem = "certificate expired"   // the server's certificate is expired, or not valid yet
	WrongName         TLSProblem = "wrong name"            // the server's certificate is for other names
	BadCertificate    TLSProblem = "bad certificate"       // something else is wrong with it
	NoClientCert      TLSProblem = "no client certificate" // the server wants one: see tls.Config.Certificates
	ClientCertRefused TLSProblem = "client certificate"    // it does not take ours
	TLSVersions       TLSProblem = "TLS versions"          // there is none in common
	NeedsTLS          TLSProblem = "TLS needed"            // the server takes TLS alone, and Config.TLS is nil
	HasNoTLS          TLSProblem = "no TLS"                // the server is one of ours and has no TLS
	NotTLS            TLSProblem = "not TLS"               // something listens there that speaks no TLS
	OtherTLS          TLSProblem = "TLS failed"            // see Err
)

// TLSError is in the chain of an [Error] whose reason is TLS; errors.As finds it.
// Its kind is ErrConnect, or ErrProtocol where something else than an rpckids
// server listens. No call has run.
type TLSError struct {
	Problem TLSProblem
	Err     error // what crypto/tls said, or nil
}

// Error returns the problem, and what crypto/tls said.
func (e *TLSError) Error() string {
	if e.Err == nil {
		return string(e.Problem)
	}
	return string(e.Problem) + ": " + printable(e.Err.Error(), 200)
}

// Unwrap returns Err.
func (e *TLSError) Unwrap() error { return e.Err }

// verdictTime is how long a server may take, after a handshake in which it asked
// for a client certificate, to say what it thinks of it.
const verdictTime = time.Second

// clientTLS returns a copy of the Config's that takes no version below 1.2, and
// remembers sessions so that later connections begin faster.
func clientTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return c
}

// secure makes a fresh socket into a TLS connection, if there is to be one. host
// is whose certificate is wanted, "" for the host in server. On an error, a
// *failure, the socket is closed.
func (c *Config) secure(ctx context.Context, sock net.Conn, server, host string) (net.Conn, error) {
	if c.TLS == nil {
		return sock, nil
	}
	h := handshake{Config: c, server: server}
	cfg := c.TLS.Clone()
	cfg.ServerName = c.certified(server, host)
	h.watch(cfg)
	sec := socket.DialTLS(sock, cfg, c.WriteStall)
	err := sec.HandshakeContext(ctx)
	if err == nil && h.asked && sec.ConnectionState().Version >= tls.VersionTLS13 { // before, it said so in the handshake
		wait, cancel := context.WithTimeout(ctx, verdictTime)
		defer cancel()
		err = sec.Verdict(wait)
	}
	if err == nil {
		return sec, nil
	}
	sock.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	f := h.failed(err, sec.First())
	c.Logger.Warn("no TLS", "server", server, "cause", printable(f.Error(), 200))
	return nil, f
}

// tlsVersion is the version that a connection speaks, "" for a plain one.
func tlsVersion(sock net.Conn) string {
	if sec, ok := sock.(*socket.Secure); ok {
		return tls.VersionName(sec.ConnectionState().Version)
	}
	return ""
}

// alertBytes begin what a server of TLS says to whom it does not understand.
const alertBytes = "\x15\x03"

// beganTLS reports whether a breach is that a server began so.
func beganTLS(b *wire.Breach) bool {
	return b.Reason == wire.BadMagic && strings.Contains(b.Detail, `"\x15\x03`)
}

// certified is the name that a server's certificate has to have, "" without TLS.
func (c *Config) certified(server, host string) string {
	switch {
	case c.TLS == nil:
		return ""
	case c.TLS.ServerName != "":
		return c.TLS.ServerName
	case host != "":
		return host
	case strings.HasPrefix(server, "unix://"):
		return "localhost"
	}
	name, _, err := net.SplitHostPort(strings.TrimPrefix(server, "rpckids://"))
	if err != nil || name == "" { // :8888
		return "localhost"
	}
	return name
}

// handshake is what is noted of one.
type handshake struct {
	*Config
	server  string
	asked   bool // the server wanted a client certificate
	offered bool // it got one
}

// watch notes what the server asks for and what it gets, which is what it would
// get without.
func (h *handshake) watch(cfg *tls.Config) {
	choose := cfg.GetClientCertificate
	if choose == nil {
		choose = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for i := range cfg.Certificates {
				if info.SupportsCertificate(&cfg.Certificates[i]) == nil {
					return &cfg.Certificates[i], nil
				}
			}
			return new(tls.Certificate), nil
		}
	}
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := choose(info)
		h.asked, h.offered = true, err == nil && cert != nil && len(cert.Certificate) > 0
		return cert, err
	}
}

// failed says in plain words why a handshake came to nothing. first is what the
// server said before it was taken for TLS.
func (h *handshake) failed(err error, first []byte) *failure {
	if f := h.serverCert(err); f != nil {
		return f
	}
	if f := h.alerted(err); f != nil {
		return f
	}
	_, alien := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(ErrConnect, Unavailable, &TLSError{OtherTLS, err}, "cannot connect: no end of the TLS handshake within %v", h.DialTimeout)
	case errors.Is(err, context.Canceled):
		return errClosed
	case alien && strings.HasPrefix(string(first), wire.Magic):
		return tlsFail(HasNoTLS, err, "this server has no TLS")
	case alien && strings.HasPrefix(string(first), "HTTP/"):
		return notTLS(err, "the server speaks HTTP and not TLS")
	case alien:
		return notTLS(err, fmt.Sprintf("what listens there does not speak TLS, it says %q", first[:min(len(first), 32)]))
	case isVersion(err):
		return tlsFail(TLSVersions, err, "no version of TLS in common: here it is "+versions(h.TLS))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return notTLS(err, "the server hung up during the TLS handshake, it may not speak TLS")
	}
	return tlsFail(OtherTLS, err, "no TLS: "+lossReason(err))
}

// serverCert is the failure of a certificate that does not convince us.
func (h *handshake) serverCert(err error) *failure {
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return tlsFail(WrongName, err, fmt.Sprintf("the server's certificate is for %s, not for %s", printable(names(e.Certificate), 200), printable(e.Host, 100)))
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return tlsFail(CertificateTime, err, "the server's certificate "+outOfTime(e.Cert))
		}
		return tlsFail(BadCertificate, err, "the server's certificate is no good: "+printable(e.Error(), 200))
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		by := ""
		if e.Cert != nil && e.Cert.Issuer.String() != "" {
			by = ", " + printable(e.Cert.Issuer.String(), 100)
		}
		return tlsFail(UnknownAuthority, err, "who signed the server's certificate"+by+", is not trusted here")
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return tlsFail(BadCertificate, err, "the server's certificate is no good: "+printable(e.Err.Error(), 200))
	}
	return nil
}

// The alerts of a server that are about our certificate, by their numbers in RFC 8446.
var certAlerts = []tls.AlertError{42, 43, 44, 45, 46, 48, 49}

const (
	alertFailure  tls.AlertError = 40 // what TLS 1.2 has for a certificate that is missing
	alertVersion  tls.AlertError = 70
	alertRequired tls.AlertError = 116
)

// alerted is the failure of a handshake that the server ended, for a certificate.
func (h *handshake) alerted(err error) *failure {
	says := alertOf(err)
	if says == "" || !h.asked {
		return nil
	}
	missing := says == alertRequired.Error() || says == alertFailure.Error() && !h.offered
	about := slices.ContainsFunc(certAlerts, func(a tls.AlertError) bool { return a.Error() == says })
	switch {
	case !about && !missing:
		return nil
	case h.offered:
		return tlsFail(ClientCertRefused, err, "the server does not take our client certificate: "+strings.TrimPrefix(says, "tls: "))
	case len(h.TLS.Certificates) > 0 || h.TLS.GetClientCertificate != nil:
		return tlsFail(ClientCertRefused, err, "the server takes client certificates of other authorities than that of ours")
	}
	return tlsFail(NoClientCert, err, "the server wants a client certificate")
}

// alertOf returns what a server's alert says, or "".
func alertOf(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return e.Err.Error()
	}
	return ""
}

func isVersion(err error) bool {
	return alertOf(err) == alertVersion.Error() || strings.Contains(err.Error(), "unsupported protocol version")
}

func versions(c *tls.Config) string {
	most := c.MaxVersion
	if most == 0 {
		most = tls.VersionTLS13
	}
	if most <= c.MinVersion {
		return tls.VersionName(c.MinVersion)
	}
	return tls.VersionName(c.MinVersion) + " to " + tls.VersionName(most)
}

// names are those of a certificate.
func names(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	if len(all) > 5 {
		all = append(all[:5], "...")
	}
	return strings.Join(all, ", ")
}

func outOfTime(c *x509.Certificate) string {
	const form = "2006-01-02 15:04 MST"
	if time.Now().Before(c.NotBefore) {
		return "is not valid before " + c.NotBefore.UTC().Format(form)
	}
	return "expired at " + c.NotAfter.UTC().Format(form)
}

func tlsFail(p TLSProblem, err error, message string) *failure {
	return fail(ErrConnect, Unavailable, &TLSError{p, err}, "%s", message)
}

func notTLS(err error, message string) *failure {
	return fail(ErrProtocol, Unavailable, &TLSError{NotTLS, err}, "%s", message)
}

// needsTLS is the failure of a plain connection to a server that takes TLS alone.
func needsTLS() *failure { return tlsFail(NeedsTLS, nil, "the server takes TLS alone") }

// wantsTLS reports whether an error, of a call or of a whole connection, says so.
func wantsTLS(err error) bool {
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Code == FailedPrecondition
}
