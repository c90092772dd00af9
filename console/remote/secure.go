package remote

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// secure brings what a user said about TLS and tokens into a config. as is the name in the client certificate, "" without one. The error is an
// *console.Error.
func secure(config *rpcclient.Config, o console.Security) (as string, err error) {
	if o, err = o.Complete(); err != nil {
		return "", err
	}
	if config.Token, config.TokenPlain = o.Token, o.TokenPlain; !o.TLS {
		return "", nil
	}
	config.TLS = new(tls.Config)
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return "", unusable("--ca", err)
		}
		if config.TLS.RootCAs = x509.NewCertPool(); !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return "", unusable("--ca", errors.New("there is no certificate in "+o.CA))
		}
	}
	if o.Cert == "" {
		return "", nil
	}
	if o.Key == "" {
		o.Key = o.Cert
	}
	pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return "", unusable("--cert "+o.Cert+" --key "+o.Key, err)
	}
	config.TLS.Certificates = []tls.Certificate{pair}
	return nameIn(pair.Leaf), nil
}

func unusable(what string, err error) error {
	return &console.Error{Exit: console.ExitUsage, Message: console.Printable(what + ": " + err.Error()), Cause: err,
		Hint: "PEM files: --ca FILE, --cert FILE --key FILE; rpckids-server --dev-tls DIR makes a set to begin with"}
}

// nameIn is what a server takes for the name of who shows a certificate: see rpcserver.Identity.
func nameIn(cert *x509.Certificate) string {
	switch {
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

// cures are what a user can do about TLS.
var cures = map[rpcclient.TLSProblem]string{
	rpcclient.UnknownAuthority:  "trust who signed it with --ca FILE, the authority's certificate",
	rpcclient.CertificateTime:   "the server needs a new certificate, or this machine's clock is wrong",
	rpcclient.WrongName:         "connect by a name or an address that is in the certificate",
	rpcclient.BadCertificate:    "the server needs another certificate",
	rpcclient.NoClientCert:      "show one with --cert FILE --key FILE, signed by an authority of the server's --client-ca",
	rpcclient.ClientCertRefused: "show one with --cert FILE --key FILE that an authority of the server's --client-ca has signed and that is still valid",
	rpcclient.TLSVersions:       "both sides need TLS 1.2 or later",
	rpcclient.NeedsTLS:          "connect with --tls, and --ca FILE where no public authority signed the server's certificate",
	rpcclient.HasNoTLS:          "leave --tls, --ca, --cert and --key out, or start the server with --tls-cert or --dev-tls",
	rpcclient.NotTLS:            "leave --tls out, or look at the port: rpckids-server --dev-tls DIR speaks TLS",
	rpcclient.OtherTLS:          "the server's log says more",
}

// trusting is an error of a connection that trusts the authorities in the file ca. Where they are not those who signed the server's certificate, it says so: their names may be
// the same.
func trusting(ca string, told *console.Error) *console.Error {
	if why, ok := errors.AsType[*rpcclient.TLSError](told); ok && why.Problem == rpcclient.UnknownAuthority && ca != "" {
		told.Hint = "it is not signed by what --ca " + console.Printable(ca) + " holds: take the authority that this server's certificate was made with"
	}
	return told
}

// tlsCure is the cure for an error that is about TLS.
func tlsCure(e *rpcclient.Error) (exit console.Exit, hint string, ok bool) {
	why, ok := errors.AsType[*rpcclient.TLSError](e)
	if !ok {
		return 0, "", false
	}
	exit = console.ExitConnect
	if e.Kind == rpcclient.ErrProtocol {
		exit = console.ExitConnection
	}
	return exit, cures[why.Problem], true
}
