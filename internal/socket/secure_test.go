//go:build unix

package socket

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
)

// secured joins two ends of TLS whose handshake is over.
func secured(t *testing.T, stall time.Duration) (server, client *Secure) {
	t.Helper()
	x, y := pair(t)
	ca := certs.New(t, "ca")
	server = ServeTLS(x, nil, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}}, stall)
	client = DialTLS(y, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}, stall)
	t.Cleanup(func() { server.Close(); client.Close() })
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }() // received below
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// A write goes on while the peer takes something now and then, longer than Stall in all, whatever deadline is set.
func TestPatientWrite(t *testing.T) {
	server, client := secured(t, 2*time.Second)
	client.SetWriteDeadline(time.Now().Add(-time.Hour))
	big := bytes.Repeat([]byte("x"), 8<<20)
	wrote := make(chan error, 1)
	go func() {
		_, err := client.Write(big)
		wrote <- err
	}()
	got := make([]byte, 64<<10)
	for n := 0; n < len(big); {
		k, err := server.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// lazy is a socket that has room again after a while, and does not say so to who waits.
type lazy struct {
	net.Conn
	until, room time.Time
}

func (c *lazy) SetWriteDeadline(t time.Time) error {
	c.until = t
	return nil
}

func (c *lazy) Write(p []byte) (n int, err error) {
	if now := time.Now(); !now.Before(c.room) {
		c.room = now.Add(time.Second)
		n = min(len(p), 1000)
	}
	if n < len(p) {
		time.Sleep(time.Until(c.until))
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// A write is made again and again while it waits, so that no peer counts as one that takes nothing because a system is late to tell.
func TestPatientWriteLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Patient{Conn: &lazy{}, Stall: 1500 * time.Millisecond}
		for range 20 {
			if n, err := c.Write(make([]byte, 1000)); n != 1000 || err != nil {
				t.Fatalf("got %d, %v", n, err)
			}
		}
		start := time.Now()
		c.Conn = &lazy{room: start.Add(time.Hour)}
		n, err := c.Write(make([]byte, 20_000))
		if took := time.Since(start); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != c.Stall {
			t.Errorf("got %d, %v after %v", n, err, took)
		}
	})
}

// A peer that takes nothing fails the write after Stall; Close waits for nothing, not even then.
func TestStalledWrite(t *testing.T) {
	_, client := secured(t, 100*time.Millisecond)
	_, err := client.Write(bytes.Repeat([]byte("x"), 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
	client.Close()
}

// Close says goodbye, so that the peer knows that nothing was cut off.
func TestCloseSaysGoodbye(t *testing.T) {
	server, client := secured(t, time.Second)
	if _, err := client.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if got, err := io.ReadAll(server); err != nil || string(got) != "last words" {
		t.Errorf("got %q, %v", got, err)
	}
}

// What was read of a socket already is the beginning of the handshake; what a client got instead of one is kept.
func TestCameAndFirst(t *testing.T) {
	x, y := pair(t)
	ca := certs.New(t, "ca")
	done := make(chan error, 1)
	go func() {
		first := make([]byte, 1)
		io.ReadFull(x, first)
		server := ServeTLS(x, first, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}}, time.Second)
		done <- server.Handshake()
	}()
	if err := DialTLS(y, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}, time.Second).Handshake(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	x, y = pair(t)
	io.WriteString(x, "HTTP/1.1 400 Bad Request\r\n\r\n")
	client := DialTLS(y, &tls.Config{ServerName: "localhost"}, time.Second)
	if err := client.Handshake(); err == nil || !bytes.HasPrefix(client.First(), []byte("HTTP/1.1 400")) {
		t.Errorf("got %v, %q", err, client.First())
	}
}

// A verdict is waited for, and costs nothing that comes later.
func TestVerdict(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		x, y := pair(t)
		ca := certs.New(t, "ca")
		cfg := &tls.Config{Certificates: []tls.Certificate{ca.Server(t, nil)}, ClientAuth: tls.RequestClientCert}
		if refuses {
			cfg.ClientAuth = tls.RequireAnyClientCert
		}
		server := ServeTLS(x, nil, cfg, time.Second)
		done := make(chan error, 1)
		go func() { // received below
			err := server.Handshake()
			if err == nil {
				_, err = server.Write([]byte("later"))
			}
			done <- err
		}()
		client := DialTLS(y, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}, time.Second)
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		err := client.Verdict(t.Context())
		refused := <-done
		if alert, ok := errors.AsType[*net.OpError](err); refuses && (refused == nil || !ok || alert.Op != "remote error") {
			t.Errorf("got %v, %v", err, refused)
		}
		got := make([]byte, 5)
		if !refuses {
			if err != nil && err.Error() != "the server speaks first" { // as it does here, and may have been read with the rest
				t.Errorf("got %v", err)
			}
			if err == nil {
				if _, err := io.ReadFull(client, got); err != nil || string(got) != "later" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		}
		client.Close()
		server.Close()
	}
	server, client := secured(t, time.Second) // whose tickets may have come, or not
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Verdict(ctx); err != nil {
		t.Errorf("got %v", err)
	}
	server.Write([]byte("x"))
	if n, err := client.Read(make([]byte, 1)); n != 1 {
		t.Errorf("got %d bytes, %v", n, err)
	}
}
