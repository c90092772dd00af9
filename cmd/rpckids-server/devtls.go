package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long what --dev-tls makes is good, and how long before its end it is made again.
const (
	devAuthority = 10 * 365 * 24 * time.Hour
	devPair      = 365 * 24 * time.Hour
	devMargin    = 7 * 24 * time.Hour
)

// devAuthorityName is by what a certificate of --dev-tls is known.
var devAuthorityName = pkix.Name{CommonName: "rpckids development", Organization: []string{"rpckids"}}

// devName is the name in the client's certificate of --dev-tls.
const devName = "rpckids-console"

var devHosts = []string{"localhost"}
var devIPs = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}

// pair is a certificate and its key on disk.
type pair struct{ cert, key string }

// devFiles are what --dev-tls makes: an authority of its own, and a server's and a client's certificate that it has signed.
type devFiles struct {
	ca, server, client pair

	made          []string // names of the files that had to be written
	again, orphan bool     // some files were there before; these, but no authority
}

// makeDevFiles makes what is not there in a folder, or is not good for much longer. It overwrites nothing but certificates that it made itself, and never a
// key: a certificate that is made again keeps its key, so that what was handed out stays good. Keys are for their owner alone.
func makeDevFiles(dir string) (*devFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	in := func(name string) pair {
		return pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")}
	}
	f := &devFiles{ca: in("ca"), server: in("server"), client: in("client")}
	ca, strangers, err := f.ca.look()
	if err != nil {
		return nil, err
	}
	f.again = ca.Leaf != nil
	var wanted []pair
	for _, p := range []pair{f.server, f.client} {
		have, others, err := p.look()
		if err != nil {
			return nil, err
		}
		f.again, strangers = f.again || have.Leaf != nil, append(strangers, others...)
		if ca.Leaf == nil || !good(have, ca.Leaf, f.like(p)) {
			wanted = append(wanted, p)
		}
	}
	f.orphan = f.again && ca.Leaf == nil
	signs := lasts(ca.Leaf) && ca.Leaf.IsCA
	switch {
	case signs && len(wanted) == 0: // whoever made them
		return f, nil
	case len(strangers) > 0:
		return nil, &setupError{"--dev-tls: " + printable(dir) + " holds " + strings.Join(strangers, ", ") + " that --dev-tls did not make, or that are damaged",
			"name another folder; files of --dev-tls that are damaged have to be put back, or all of them removed, and it makes new ones"}
	case ca.Leaf != nil && ca.PrivateKey == nil:
		return nil, &setupError{"--dev-tls: " + printable(f.ca.key) + " is missing, and what is missing or ends soon has to be signed with it",
			"put it back, or name another folder, whose certificates will be of another authority"}
	case !signs:
		if ca, err = f.make(f.ca, authority(), nil); err != nil {
			return nil, err
		}
	}
	for _, p := range wanted {
		if _, err := f.make(p, f.like(p), &ca); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// like is what the certificate of a server or a client is made from.
func (f *devFiles) like(p pair) *x509.Certificate {
	if p == f.server {
		return leaf("rpckids-server", x509.ExtKeyUsageServerAuth)
	}
	return leaf(devName, x509.ExtKeyUsageClientAuth)
}

// look returns what there is of a pair: Leaf is nil without a certificate, PrivateKey without a key. Strangers are those of its files that --dev-tls did not
// make: certificates of other authorities, and keys without a certificate of ours that they fit.
func (p pair) look() (have tls.Certificate, strangers []string, err error) {
	cert, noCert := os.ReadFile(p.cert)
	key, noKey := os.ReadFile(p.key)
	for _, err := range []error{noCert, noKey} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return have, nil, err
		}
	}
	var parsed *x509.Certificate
	if block, _ := pem.Decode(cert); block != nil {
		parsed, _ = x509.ParseCertificate(block.Bytes) // nil where it is damaged, and a stranger below
	}
	have, damaged := tls.X509KeyPair(cert, key)
	have.Leaf = parsed
	ours := parsed != nil && parsed.Issuer.String() == devAuthorityName.String()
	if noCert == nil && !ours {
		strangers = append(strangers, filepath.Base(p.cert))
	}
	if noKey == nil && (!ours || damaged != nil) {
		strangers = append(strangers, filepath.Base(p.key))
	}
	return have, strangers, nil
}

func lasts(c *x509.Certificate) bool {
	now := time.Now()
	return c != nil && now.After(c.NotBefore) && now.Add(devMargin).Before(c.NotAfter)
}

// good reports whether a pair can be used as it is.
func good(have tls.Certificate, ca, like *x509.Certificate) bool {
	if have.PrivateKey == nil || !lasts(have.Leaf) || have.Leaf.CheckSignatureFrom(ca) != nil {
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
	c := template(devAuthorityName.CommonName, devAuthority)
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
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: devAuthorityName.Organization},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(good)}
}

// make signs a template, with the pair's key or a new one, and writes what is new. Without a signer it signs itself. A new key is first, so that of two programs
// that make the same pair one fails before it has changed anything.
func (f *devFiles) make(p pair, template *x509.Certificate, signer *tls.Certificate) (made tls.Certificate, err error) {
	kept, _ := tls.LoadX509KeyPair(p.cert, p.key)
	key, keep := kept.PrivateKey.(crypto.Signer)
	if !keep {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return made, err
		}
	}
	parent, by := template, any(key)
	if signer != nil {
		parent, by = signer.Leaf, signer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return made, err
	}
	wrote := []string{filepath.Base(p.cert)}
	if !keep {
		if err := create(p.key, key); err != nil {
			return made, err
		}
		wrote = append(wrote, filepath.Base(p.key))
	}
	if err := replace(p.cert, der); err != nil {
		if !keep {
			os.Remove(p.key) // which is no good alone
		}
		return made, err
	}
	f.made = append(f.made, wrote...)
	return tls.LoadX509KeyPair(p.cert, p.key)
}

// create writes a key, where there is none.
func create(file string, key crypto.Signer) error {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &setupError{"--dev-tls: another program has just made " + printable(file), "start again when it is done"}
	}
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(file)
	}
	return err
}

// replace writes a certificate; the file is whole at every moment.
func replace(file string, der []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // what is left of a failure
	err = f.Chmod(0o644)
	if err == nil {
		err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
