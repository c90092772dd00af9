package remote

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// listen opens a loopback port.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// dial connects to a peer that follows a script.
func dial(t *testing.T, script peer.Script) console.Backend {
	t.Helper()
	ln := listen(t)
	peer.Serve(t, ln, script)
	return connect(t, ln.Addr().String())
}

func connect(t *testing.T, addr string) console.Backend {
	t.Helper()
	b, err := Dial(t.Context(), addr, console.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestCallAndCast(t *testing.T) {
	rpctest.Leaks(t)
	s := rpcserver.New(nil)
	demo.Register(s)
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	b := speaking(t, ln.Addr().String(), "v1")

	r, err := b.Call(t.Context(), console.Request{Type: "exp", Payload: json.RawMessage(`{"base":2,"exp":10}`), Idempotent: true})
	if err != nil || r.Type != "exp_res" || !strings.HasPrefix(string(r.Payload), `{"value":1024,"costInNanos":`) {
		t.Fatalf("got %s %s, error %v", r.Type, r.Payload, err)
	}
	if tr := r.Trace; tr.Client+tr.Wait != tr.RTT || tr.Client <= 0 || tr.Wait <= 0 {
		t.Errorf("client %v and wait %v do not make up %v", tr.Client, tr.Wait, tr.RTT)
	}
	if tr := r.Trace; !strings.Contains(string(tr.Out), `"exp":10`) || !strings.Contains(string(tr.In), "exp_res") || !strings.HasSuffix(tr.RequestID, ";i") || tr.Attempts != 1 {
		t.Errorf("got trace %+v", tr)
	}
	r, err = b.Cast(t.Context(), console.Request{Type: "log", Payload: json.RawMessage(`"hi"`)})
	if err != nil || r.Type != "" || len(r.Trace.Out) == 0 || r.Trace.In != nil {
		t.Errorf("cast: got %+v, error %v", r, err)
	}
	if st := b.Stats(); st.State != console.Connected || st.Protocol != "v1" || !st.Ours || st.Sent != 2 || st.Received != 1 {
		t.Errorf("got %+v", st)
	}
	b.Close()
	if st := b.Stats(); st.State != console.Disconnected {
		t.Errorf("closed, yet %v", st.State)
	}
}

// A cause that all servers share is told once.
func TestOneCause(t *testing.T) {
	const head = "cannot connect to any of 3 servers: "
	for text, want := range map[string]string{
		head + "a:1: refused, nobody; b:2: refused, nobody; [::1]:3: refused, nobody": head + "refused, nobody",
		head + "a:1: refused; b:2: refused; and 7 more":                               head + "refused; and 7 more",
		head + "a:1: refused; b:2: no route":                                          head + "a:1: refused; b:2: no route",
		head + "odd":                                                                  head + "odd",
		head:                                                                          head,
		"closed; a:1: refused":                                                        "closed; a:1: refused",
	} {
		if got := oneCause(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// A server that is busy says how long that takes.
func TestBusyCure(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0:                      "the server is busy: try again in a moment",
		250 * time.Millisecond: "the server is busy: try again in 250ms",
		10 * time.Second:       "the server is busy: try again in 10s",
	} {
		e := &rpcclient.Error{Status: rpcclient.Status{Code: rpcclient.ResourceExhausted, RetryAfter: wait}, Kind: rpcclient.ErrServer}
		if exit, hint := cure(e); exit != console.ExitServer || hint != want {
			t.Errorf("%v: got %d %s", wait, exit, hint)
		}
	}
}

// An etcd that is not there wants another cure than one that does not know the name.
func TestEtcdCure(t *testing.T) {
	for _, tt := range []struct{ server, message, want string }{
		{"etcd:///demo", "etcd cannot be reached: refused", "is etcd running there? connect etcd://HOST:PORT/demo says where else it is"},
		{"etcd://10.0.0.1:2379/a/b", "etcd cannot be reached: refused", "is etcd running there? connect etcd://HOST:PORT/a/b says where else it is"},
		{"etcd:///demo", `no server is registered as "demo"`, "rpckids-server --etcd URL --name demo registers one"},
	} {
		if exit, hint := cure(&rpcclient.Error{Status: rpcclient.Status{Message: tt.message}, Kind: rpcclient.ErrDiscovery, Server: tt.server}); exit != console.ExitConnect || hint != tt.want {
			t.Errorf("%s: got %d %s", tt.server, exit, hint)
		}
	}
}

// What a user is told: the exit code, the cause in sight, and a cure where there is one.
func TestFailures(t *testing.T) {
	rpctest.Leaks(t)
	closed := listen(t)
	closed.Close()
	serverError := func(text string) peer.Script {
		return func(c *peer.Conn, m peer.Message) { c.Reply(m.ID, "!error", text) }
	}
	tests := []struct {
		name   string
		addr   string      // dialed, or:
		script peer.Script // how the server answers a call
		cancel error       // how the call's context ends
		exit   console.Exit
		status string
		cause  string
		hint   string
	}{
		{"bad target", "one two", nil, nil, console.ExitUsage, "usage", "one two", "localhost:8888"},
		{"refused", closed.Addr().String(), nil, nil, console.ExitConnect, "unavailable", "refused", "rpckids-server"},
		{"refused by all", closed.Addr().String() + ",unix:///no/such/socket", nil, nil, console.ExitConnect, "unavailable", "cannot connect to any of 2 servers: " + closed.Addr().String() + ": connection refused", "rpckids-server --addr " + closed.Addr().String()},
		{"unknown host", "no..such.host:1", nil, nil, console.ExitConnect, "unavailable", "no..such.host", "check the name"},
		{"another protocol", "", func(c *peer.Conn, _ peer.Message) { c.Send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, nil,
			console.ExitConnection, "connection_lost", "HTTP", "rpckids-server"},
		{"hangs up", "", peer.HangUp, nil, console.ExitConnection, "connection_lost", "closed", "connects again"},
		{"silence", "", peer.Silent, context.DeadlineExceeded, console.ExitDeadline, "deadline_exceeded", "deadline", "ever come"},
		{"canceled", "", peer.Silent, context.Canceled, console.ExitInterrupted, "canceled", "canceled", ""},
		{"server error", "", serverError(`{"code":"not_found","message":"no \u001b[2J"}`), nil, console.ExitServer, "not_found", `no \x1b[2J`, "services"},
		{"busy", "", serverError(`{"code":"resource_exhausted","message":"full","retry_after_ms":250}`), nil, console.ExitServer, "resource_exhausted", "full", "again"},
		{"server's deadline", "", serverError(`{"code":"deadline_exceeded","message":"late"}`), nil, console.ExitDeadline, "deadline_exceeded", "late", "--timeout"},
		{"no JSON", "", func(c *peer.Conn, m peer.Message) { c.Reply(m.ID, "x_res", "{oops") }, nil, console.ExitType, "type_mismatch", "JSON", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			if tt.script == nil {
				_, err = Dial(t.Context(), tt.addr, console.DialOptions{})
			} else {
				ctx, cancel := context.WithCancel(t.Context())
				if tt.cancel != nil {
					stop := time.AfterFunc(20*time.Millisecond, cancel)
					defer stop.Stop()
				}
				if errors.Is(tt.cancel, context.DeadlineExceeded) {
					ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
				}
				defer cancel()
				_, err = dial(t, tt.script).Call(ctx, console.Request{Type: "x"})
			}
			e, ok := errors.AsType[*console.Error](err)
			if !ok {
				t.Fatalf("got %v, want a console.Error", err)
			}
			if e.Exit != tt.exit || e.Status() != tt.status {
				t.Errorf("got exit %d, status %s; want %d, %s", e.Exit, e.Status(), tt.exit, tt.status)
			}
			if !strings.Contains(e.Message, tt.cause) || strings.ContainsAny(e.Message, "\n\x1b") {
				t.Errorf("got %q, want one line with %q", e.Message, tt.cause)
			}
			if !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got hint %q, want %q in it", e.Hint, tt.hint)
			}
		})
	}
}
