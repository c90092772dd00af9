package rpcclient_test

import (
	"net"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

// echoServer is as quick as a server can be: it answers every message of a read
// with its own payload in one write. It returns its address.
func echoServer(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { echo(sock) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// echo ends when the client hangs up.
func echo(sock net.Conn) {
	defer sock.Close()
	var d wire.Decoder
	var out []byte
	for {
		n, err := sock.Read(d.Space())
		if err != nil {
			return
		}
		d.Fed(n)
		out = out[:0]
		for {
			m, ok, err := d.Next()
			if err != nil {
				return
			}
			if !ok {
				break
			}
			out = wire.AppendMessage(out, m.ID, m.Type, m.Payload)
		}
		if _, err := sock.Write(out); err != nil {
			return
		}
	}
}
