package rpcserver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// ours is a request id with our mark, and answered is the id under which it is answered.
const (
	ours     = "0123456789abcdef;rk2"
	answered = "0123456789abcdef!2"
)

// house is a server and the place where peers find it.
type house struct {
	t    *testing.T
	s    *rpcserver.Server
	dial func() (net.Conn, error)
}

// inMemory starts a server that listens in memory, for tests with fake time; buffer is what a connection holds each way, 0 for the default.
func inMemory(t *testing.T, cfg *rpcserver.Config, buffer int) *house {
	t.Helper()
	return inMemoryOf(t, rpcserver.New(cfg), buffer)
}

// inMemoryWith is inMemory for a server that something is done to before it serves.
func inMemoryWith(t *testing.T, cfg *rpcserver.Config, before func(*rpcserver.Server)) *house {
	t.Helper()
	s := rpcserver.New(cfg)
	before(s)
	return inMemoryOf(t, s, 0)
}

func inMemoryOf(t *testing.T, s *rpcserver.Server, buffer int) *house {
	t.Helper()
	ln := memnet.ListenBuffer(buffer)
	return serve(t, s, ln, func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
}

// onTCP starts a server that listens on loopback.
func onTCP(t *testing.T, cfg *rpcserver.Config) *house {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goleak.VerifyNone(t) })
	return serve(t, rpcserver.New(cfg), ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) })
}

func serve(t *testing.T, s *rpcserver.Server, ln net.Listener, dial func() (net.Conn, error)) *house {
	t.Helper()
	demo.Register(s)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ln); !errors.Is(err, rpcserver.ErrServerClosed) {
			t.Errorf("Serve: got %v, want %v", err, rpcserver.ErrServerClosed)
		}
	})
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return &house{t, s, dial}
}

// visit opens a connection.
func (h *house) visit() *peer {
	h.t.Helper()
	nc, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	return &peer{t: h.t, nc: nc}
}

// peer is a client that knows nothing but bytes.
type peer struct {
	t   *testing.T
	nc  net.Conn
	dec wire.Decoder
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

func (p *peer) send(id, typ, payload string) {
	p.t.Helper()
	p.write(wire.AppendMessage(nil, id, typ, payload))
}

func (p *peer) closeWrite() {
	p.t.Helper()
	if err := p.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.t.Fatalf("close write: %v", err)
	}
}

// patience ends a test that would hang otherwise; it decides nothing.
const patience = 5 * time.Minute

// next returns the next message as "id type payload".
func (p *peer) next() (string, error) {
	head, payload, err := p.reply()
	if err != nil {
		return "", err
	}
	return head + " " + payload, nil
}

// reply returns the next message: id and type, and the payload.
func (p *peer) reply() (head, payload string, err error) {
	p.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		m, ok, err := p.dec.Next()
		if err != nil {
			return "", "", err
		}
		if ok {
			return string(m.ID) + " " + string(m.Type), string(m.Payload), nil
		}
		n, err := p.nc.Read(p.dec.Space())
		p.dec.Fed(n)
		if err != nil && n == 0 {
			if p.dec.Buffered() > 0 {
				return "", "", io.ErrUnexpectedEOF
			}
			return "", "", err
		}
	}
}

func (p *peer) want(messages ...string) {
	p.t.Helper()
	for _, want := range messages {
		got, err := p.next()
		if err != nil || got != want {
			p.t.Fatalf("got %.300q, %v\nwant %.300q", got, err, want)
		}
	}
}

// wantEnd says that the server must close now, having said nothing more.
func (p *peer) wantEnd() {
	p.t.Helper()
	if got, err := p.next(); err != io.EOF {
		p.t.Fatalf("got %q, %v; want the connection to end", got, err)
	}
}

// wantSilence says that the server must say nothing for a while, in fake time, and keep the connection.
func (p *peer) wantSilence(d time.Duration) {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(d))
	var b [1]byte
	if n, err := p.nc.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("got %d bytes, %v; want silence", n, err)
	}
}
