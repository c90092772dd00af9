package mux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

// leaks fails the test if it leaves a goroutine behind. A synctest bubble insists by itself.
func leaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// ends are two connections that speak to each other.
type ends struct {
	client, server *Conn
	clientErr      error // of Serve, after close
	serverErr      error
	wg             sync.WaitGroup
}

// join starts both ends over two sockets. nil configurations mean the defaults; the roles are filled in.
func join(a, b net.Conn, client, server *Config) *ends {
	e := &ends{client: New(a, role(a, client, Client)), server: New(b, role(b, server, Server))}
	e.wg.Go(func() { e.serverErr = e.server.Serve(nil) })
	e.client.Start(true)
	e.wg.Go(func() { e.clientErr = e.client.Serve(nil) })
	return e
}

func role(nc net.Conn, cfg *Config, r Role) *Config {
	var d Config
	if cfg != nil {
		d = *cfg
	}
	d.Role = r
	if w, ok := nc.(interface{ TryWrite([]byte) (int, error) }); ok {
		d.TryWrite = w.TryWrite
	}
	return &d
}

// joinTest is join over an in-memory network, until the test ends.
func joinTest(t testing.TB, client, server *Config) *ends {
	t.Helper()
	a, b := memnet.Pipe(0)
	e := join(a, b, client, server)
	t.Cleanup(e.close)
	return e
}

var errOver = errors.New("the test is over")

// close ends both and waits.
func (e *ends) close() {
	e.client.Close(errOver)
	e.server.Close(errOver)
	e.wg.Wait()
}

// methods serves streams by name, each in a goroutine of its own that end waits for.
type methods struct {
	by map[string]func(*Stream)
	wg sync.WaitGroup
}

// config returns a server's configuration that serves them.
func (m *methods) config() *Config {
	return &Config{
		Lookup: func(name []byte) any {
			if f := m.by[string(name)]; f != nil {
				return f
			}
			return nil
		},
		Opened: func(s *Stream) {
			f, _ := s.Method().(func(*Stream))
			if f == nil {
				s.Fail(&wire.Error{Code: wire.NotFound, Message: "no such service"}, false)
				s.Done()
				return
			}
			m.wg.Go(func() {
				defer s.Done()
				f(s)
			})
		},
	}
}

// echo answers the first message with itself.
func echo(s *Stream) {
	m, err := s.First()
	if err == nil {
		s.Finish(m.Payload, nil, false)
	}
}

// echoAll answers every message with itself until the client has sent its last.
func echoAll(s *Stream) {
	for {
		m, err := s.Recv(context.Background())
		if err == io.EOF {
			s.CloseSend()
			return
		}
		if err != nil || s.Send(context.Background(), m.Payload, m.Meta, false) != nil {
			return
		}
	}
}

// call makes a unary call.
func call(ctx context.Context, c *Conn, method string, payload []byte) ([]byte, error) {
	s, err := c.Open(ctx, &Request{Method: method, Payload: payload, End: true})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	m, err := s.Recv(ctx)
	if err != nil {
		return nil, err
	}
	got := bytes.Clone(m.Payload)
	if !m.Last {
		if _, err := s.Recv(ctx); len(got) > 0 || err != io.EOF {
			return nil, errors.New("not the last message")
		}
	}
	return got, nil
}
