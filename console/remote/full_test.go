package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcserver"
)

// once is what a shell gets of one command: its text and its error.
func once(t *testing.T, dial console.Dialer, addr, line string, o console.DialOptions) (text string, e *console.Error) {
	t.Helper()
	s := console.NewSession(console.Config{Dial: dial, Addr: addr, Connect: true, Protocol: o.Protocol, Security: o.Security})
	defer s.Close()
	r, err := s.Exec(t.Context(), line)
	e, _ = errors.AsType[*console.Error](err)
	return r.Text, e
}

// A server that has no room for a connection closes it without a word. Whatever was asked, that is what the user is told, and not that it is another kind of server.
func TestFullServer(t *testing.T) {
	rpctest.Leaks(t)
	addr := serving(t, &rpcserver.Config{MaxConns: 1})
	held, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	seen := func(ctx context.Context, target string, o console.DialOptions) (console.Backend, error) {
		b, err := Dial(ctx, target, o)
		if err == nil {
			until(t, "closed by the server", b, func(_ []console.Peer, st console.Stats) bool { return st.State != console.Connected })
		}
		return b, err
	}
	for _, tt := range []struct{ line, protocol string }{
		{"top", ""}, {"status", ""}, {"services", ""}, {"stream fibs 3", ""}, {"call fib 3", ""}, {"call fib 3", "v1"}, {"call fib 3", "v2"}, {"bench fib 3 -n 2 -c 1", ""}, {"bench fib 3 -n 2 -c 1", "v2"},
	} {
		t.Run(strings.TrimSpace(tt.line+" "+tt.protocol), func(t *testing.T) {
			text, e := once(t, seen, addr, tt.line, console.DialOptions{Protocol: tt.protocol})
			if e == nil || e.Exit != console.ExitConnection || e.Status() != "connection_lost" || !strings.HasPrefix(e.Message, "connection lost: the server ") ||
				!strings.Contains(e.Likely, "it may be full (--max-conns, --max-conns-per-addr)") || e.Hint == "" {
				t.Errorf("got %+v", e)
			}
			if strings.Contains(text, "connection lost: connection lost") {
				t.Errorf("said twice:\n%s", text)
			}
		})
	}
}

// A server that was stopped in the middle of a call had room for it. The console tells it by how long that ran from one that closes at once: both end without a word.
func TestCutCall(t *testing.T) {
	rpctest.Leaks(t)
	for _, protocol := range []string{"v1", "v2"} {
		t.Run(protocol, func(t *testing.T) {
			s := rpcserver.New(nil)
			begun := make(chan struct{})
			rpcserver.Handle(s, "hold", func(ctx context.Context, _ int) (int, error) {
				close(begun)
				<-ctx.Done()
				return 0, ctx.Err()
			})
			ln := listen(t)
			served := make(chan error, 1)
			go func() { served <- s.Serve(ln) }() // ends with Close below
			closed := make(chan struct{})
			go func() { // ends with the call
				defer close(closed)
				<-begun
				s.Close()
			}()
			_, e := once(t, Dial, ln.Addr().String(), "call hold 1 --timeout off", console.DialOptions{Protocol: protocol})
			<-closed
			<-served
			if e == nil || e.Exit != console.ExitConnection || !hungUp(e) || protocol == "v2" && e.Likely != "" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// status, run once, learns whether the server takes calls of ours, and fails where it does not.
func TestStatusAsks(t *testing.T) {
	rpctest.Leaks(t)
	auth, err := rpcserver.StaticTokens(map[string]string{"s3cret": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	addr := serving(t, &rpcserver.Config{Auth: auth})
	with := func(token string) console.DialOptions {
		return console.DialOptions{Security: console.Security{Token: token, TokenPlain: true}}
	}
	text, e := once(t, Dial, addr, "status", with("wrong"))
	if e == nil || e.Exit != console.ExitServer || e.Code != "unauthenticated" || !strings.Contains(e.Hint, "RPCKIDS_TOKEN") || !strings.Contains(text, "connection  connected") {
		t.Errorf("got %+v with\n%s", e, text)
	}
	if text, e = once(t, Dial, addr, "status", with("s3cret")); e != nil || !strings.Contains(text, "an rpckids server") {
		t.Errorf("got %+v with\n%s", e, text)
	}
	ln := listen(t)
	closing := make(chan struct{})
	go func() { // another kind of server: it ends every connection at its first byte; ends with the listener
		defer close(closing)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, 1))
			c.Close()
		}
	}()
	defer func() { ln.Close(); <-closing }()
	if text, e = once(t, Dial, ln.Addr().String(), "status", console.DialOptions{}); e != nil || !strings.Contains(text, "connected") {
		t.Errorf("a plain server: got %+v with\n%s", e, text)
	}
}
