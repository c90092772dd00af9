package rpcclient_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// rogue is a server that does what its script says. It remembers nothing, so that what a test measures beside it is the client's.
type rogue struct {
	v2     bool
	buffer int // bytes that each direction of a connection holds; 0: 64 KiB

	// script runs for every request, on the connection's own goroutine. Closing the socket ends the conversation.
	script func(sock net.Conn, ask ask)

	wg sync.WaitGroup // the conversations: each ends when the client hangs up. Whoever has closed the client waits
}

// ask names a request: by its id over version 1, over version 2 by its stream.
type ask struct {
	id     string
	stream uint32
}

// hello is a server's first words over version 2.
const hello = wire.Magic + "\x00\x00\x00"

// dial is a Config.Dialer.
func (r *rogue) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := memnet.Pipe(r.buffer)
	r.wg.Go(func() {
		defer theirs.Close()
		if r.v2 {
			r.converse2(theirs)
		} else {
			r.converse1(theirs)
		}
	})
	return ours, nil
}

func (r *rogue) converse1(sock net.Conn) {
	var b [1024]byte
	for {
		var a ask
		for i := range 3 {
			if _, err := io.ReadFull(sock, b[:4]); err != nil {
				return
			}
			text := b[:binary.BigEndian.Uint32(b[:4])]
			if _, err := io.ReadFull(sock, text); err != nil {
				return
			}
			if i == 0 {
				a.id = string(text)
			}
		}
		r.script(sock, a)
	}
}

func (r *rogue) converse2(sock net.Conn) {
	var b [1024]byte
	if _, err := io.ReadFull(sock, b[:len(wire.Magic)]); err != nil {
		return
	}
	var d wire.FrameDecoder
	for {
		n, err := sock.Read(b[:])
		if err != nil {
			return
		}
		for rest := b[:n]; len(rest) > 0; {
			n := copy(d.Space(), rest)
			d.Fed(n)
			rest = rest[n:]
			for {
				f, ok, err := d.Next()
				if err != nil {
					return
				}
				if !ok {
					break
				}
				if f.Kind == wire.KindOpen {
					r.script(sock, ask{stream: f.Stream})
				}
			}
		}
		d.Release() // it holds no buffer while it waits
	}
}

// client returns a client of r, which its test closes.
func (r *rogue) client(t testing.TB, change ...func(*rpcclient.Config)) *rpcclient.Client {
	t.Helper()
	cfg := &rpcclient.Config{Dialer: r.dial, Protocol: rpcclient.V1}
	if r.v2 {
		cfg.Protocol = rpcclient.V2
	}
	for _, f := range change {
		f(cfg)
	}
	c, err := rpcclient.New("memory:1", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say writes what the client may be too wise to take.
func say(sock net.Conn, words string) { _, _ = io.WriteString(sock, words) }
