package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// How long what --dev-tls makes is good, and how long before its end it is made again.
const (
	devAuthority = 10 * 365 * 24 * time.Hour
	devPair      = 365 * 24 * time.Hour
	devMargin    = 7 * 24 * time.Hour
)

// devName is the name in the client's certificate of --dev-tls.
const devName = "rpckids-console"

var devHosts = []string{"localhost"}
var devIPs = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}

// pair is a certificate and its key on disk.
type pair struct{ cert, key string }

// devFiles are what --dev-tls makes: an authority of its own, and a server's and a client's certificate that it has signed.
type devFiles struct{ ca, server, client pair }

// makeDevFiles makes what is not there in a folder, or is not good for much longer. Keys are for their owner alone.
func makeDevFiles(dir string) (*devFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	in := func(name string) pair {
		return pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")}
	}
	f := &devFiles{in("ca"), in("server"), in("client")}
	ca, err := tls.LoadX509KeyPair(f.ca.cert, f.ca.key)
	if err != nil || !lasts(ca.Leaf) || !ca.Leaf.IsCA {
		if ca, err = f.ca.make(authority(), nil); err != nil {
			return nil, err
		}
	}
	for p, template := range map[pair]*x509.Certificate{
		f.server: leaf("rpckids-server", x509.ExtKeyUsageServerAuth),
		f.client: leaf(devName, x509.ExtKeyUsageClientAuth),
	} {
		if p.good(ca.Leaf, template) {
			continue
		}
		if _, err := p.make(template, &ca); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func lasts(c *x509.Certificate) bool {
	now := time.Now()
	return c != nil && now.After(c.NotBefore) && now.Add(devMargin).Before(c.NotAfter)
}

// good reports whether what is on disk can be used as it is.
func (p pair) good(ca, like *x509.Certificate) bool {
	have, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil || !lasts(have.Leaf) || have.Leaf.CheckSignatureFrom(ca) != nil {
		return false
	}
	for _, name := range like.DNSNames {
		if have.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range like.IPAddresses {
		if have.Leaf.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

func authority() *x509.Certificate {
	c := template("rpckids development", devAuthority)
	c.IsCA, c.BasicConstraintsValid, c.MaxPathLenZero = true, true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return c
}

func leaf(name string, usage x509.ExtKeyUsage) *x509.Certificate {
	c := template(name, devPair)
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{usage}
	if usage == x509.ExtKeyUsageServerAuth {
		c.DNSNames, c.IPAddresses = devHosts, devIPs
	}
	return c
}

func template(name string, good time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"rpckids"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(good)}
}

// make signs a template, with a new key, and writes both. Without a signer it signs itself.
func (p pair) make(template *x509.Certificate, signer *tls.Certificate) (made tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return made, err
	}
	parent, by := template, any(key)
	if signer != nil {
		parent, by = signer.Leaf, signer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return made, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return made, err
	}
	if err := replace(p.key, "PRIVATE KEY", secret, 0o600); err != nil {
		return made, err
	}
	if err := replace(p.cert, "CERTIFICATE", der, 0o644); err != nil {
		return made, err
	}
	return tls.LoadX509KeyPair(p.cert, p.key)
}

// replace writes a PEM file that is whole at every moment, and never readable by more than mode says.
func replace(file, kind string, der []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // what is left of a failure
	err = f.Chmod(mode)
	if err == nil {
		err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
