package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// nameServer says that every name has two addresses, and returns its own.
func nameServer(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends when the socket is closed; the cleanup waits
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			if m.Response, m.Additionals = true, nil; q.Type == dnsmessage.TypeA {
				for last := range byte(2) {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
						Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1 + last}},
					})
				}
			}
			if reply, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(reply, from) // who does not get it asks again
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn.LocalAddr().String()
}

// Who asks one of the servers behind a name how it is wants the certificate of that name, as every call does, and not one for its address.
func TestTopOfANameOverTLS(t *testing.T) {
	rpctest.Leaks(t)
	ca := certs.New(t, "ours")
	file := filepath.Join(t.TempDir(), "ca")
	ca.Write(t, file)
	cert := ca.Server(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"servers.test"}, nil })
	server := serving(t, &rpcserver.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, RefusePlain: true})
	dial := Dialer(rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "192.0.2.") {
			address = server
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	s := console.NewSession(console.Config{Dial: dial, Security: console.Security{TLS: true, CA: file}, Script: true})
	defer s.Close()
	for _, line := range []string{"connect dns://" + nameServer(t) + "/servers.test.:8888 --tls --ca " + file, "call fib 10", "top", "top 2", "top 192.0.2.1:8888"} {
		r, err := s.Exec(t.Context(), line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Top != nil && (r.Top.Of != 2 || r.Top.Status != "serving" || line == "top 2" && r.Top.Number != 2) {
			t.Errorf("%s: got %+v", line, r.Top)
		}
	}
	peers := s.Peers()
	if len(peers) != 2 || peers[0].ServerName != "servers.test." || peers[1].Address != "192.0.2.2:8888" {
		t.Errorf("got %+v", peers)
	}
	o := console.DialOptions{Security: console.Security{TLS: true, CA: file}, ServerName: "others.test"}
	if b, err := dial(t.Context(), "192.0.2.1:8888", o); err == nil {
		b.Close()
		t.Error("a server of another name is taken")
	} else {
		told(t, err, console.ExitConnect, "the server's certificate is for servers.test, not for others.test", "connect by a name")
	}
}
