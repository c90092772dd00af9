package rpcserver

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net"

	"github.com/rpckids/rpckids/internal/socket"
)

// Identity returns who made the call whose handler got ctx, as far as that has been proved: what the Authenticator said, or without one the name in
// the client certificate of mutual TLS. It is empty for a caller that has proved nothing. HTTP handlers of [Config.HTTP] find it in the contexts of their requests.
//
// The name in a certificate is its first URI, as of SPIFFE; else its first DNS name; else its common name; and if it has none of these the fingerprint of
// the certificate, as in "sha256:3f2a...".
func Identity(ctx context.Context) string {
	name, _ := ctx.Value(identityKey{}).(string)
	return name
}

type identityKey struct{}

func withIdentity(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, identityKey{}, name)
}

// passport is what is known of a peer beyond its address. A plain connection of a server without an Authenticator has none.
type passport struct {
	secure bool          // TLS
	waiter socket.Waiter // inside it; nil if every wait is a read
	cert   *x509.Certificate
	name   string // proved; or ""
	denied *Error // why calls without a token of their own are refused; nil: they are not
	doubt  string // what the log says of that
}

// nameIn returns the name in a certificate that was verified.
func nameIn(cert *x509.Certificate) string {
	switch {
	case cert == nil:
		return ""
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName
	}
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// identity is who this connection's calls count against: the name that was proved, else the address without its port, so that many connections
// from one machine are one caller; of an address of IPv6 the first 64 bits count, whose owner has them all. It is the reader's.
func (c *conn) identity() string {
	if c.pass != nil && c.pass.name != "" {
		return c.pass.name
	}
	return addressOf(c.nc.RemoteAddr())
}

// secure reports whether the connection is inside TLS.
func (c *conn) secure() bool { return c.pass != nil && c.pass.secure }

func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	if place, counts := placeOf(a); counts && place.Is6() {
		return place.String() + "/64"
	}
	text := a.String()
	if host, _, err := net.SplitHostPort(text); err == nil {
		return host
	}
	return text // of a unix socket, say
}
