package remote

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcserver"
)

// serve runs the demo services and returns their address.
func serve(t *testing.T) (addr string, s *rpcserver.Server) {
	t.Helper()
	s = rpcserver.New(nil)
	demo.Register(s)
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return ln.Addr().String(), s
}

func speaking(t *testing.T, addr, protocol string) console.Backend {
	t.Helper()
	b, err := Dial(t.Context(), addr, console.DialOptions{Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// texts are items of JSON.
func texts(items ...string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for _, it := range items {
			if !yield(json.RawMessage(it), nil) {
				return
			}
		}
	}
}

func TestStreams(t *testing.T) {
	rpctest.Leaks(t)
	addr, _ := serve(t)
	for _, protocol := range []string{"", "auto", "v2"} {
		b := speaking(t, addr, protocol)
		var got []string
		item := func(raw json.RawMessage) error { got = append(got, string(raw)); return nil }
		r, err := b.Stream(t.Context(), console.Request{Type: "fibs", Payload: json.RawMessage("5")}, item)
		if err != nil || strings.Join(got, " ") != "1 1 2 3 5" || r.Payload != nil || r.Type != "fibs_res" {
			t.Errorf("%s: got %v, %+v, error %v", protocol, got, r, err)
		}
		if tr := r.Trace; tr.Protocol != "v2" || tr.Client+tr.Wait != tr.RTT || tr.Queue+tr.Handler > tr.Wait {
			t.Errorf("%s: got trace %+v", protocol, tr)
		}
		if out, in := r.Trace.Sizes(); out == 0 || in == 0 {
			t.Errorf("%s: %d bytes out, %d in", protocol, out, in)
		}
		r, err = b.Upload(t.Context(), console.Request{Type: "sum"}, texts("1", "2", "3"))
		if err != nil || string(r.Payload) != "6" || r.Type != "sum_res" {
			t.Errorf("%s: got %+v, error %v", protocol, r, err)
		}
		got = nil
		if _, err = b.Bidi(t.Context(), console.Request{Type: "chat"}, texts(`"a"`, `"b"`), item); err != nil || len(got) != 3 || got[1] != `"you said: b"` {
			t.Errorf("%s: got %v, error %v", protocol, got, err)
		}
		r, err = b.Call(t.Context(), console.Request{Type: "fib", Payload: json.RawMessage("10")})
		if err != nil || string(r.Payload) != "89" || r.Trace.Protocol != "v2" || !r.Trace.Timed {
			t.Errorf("%s: after streams a call got %+v, error %v", protocol, r, err)
		}
	}
}

// What the console fails of ends the stream, on the server too, and is what it gets back.
func TestStreamsGivenUp(t *testing.T) {
	rpctest.Leaks(t)
	addr, s := serve(t)
	b := speaking(t, addr, "")
	full := &console.Error{Exit: console.ExitInternal, Message: "disk full"}
	n := 0
	_, err := b.Stream(t.Context(), console.Request{Type: "ticks", Payload: json.RawMessage("10")}, func(json.RawMessage) error {
		if n++; n == 3 {
			return full
		}
		return nil
	})
	if err != error(full) || n != 3 {
		t.Errorf("got %v after %d items", err, n)
	}
	bad := &console.Error{Exit: console.ExitType, Message: "line 2 is no number"}
	_, err = b.Upload(t.Context(), console.Request{Type: "sum"}, func(yield func(json.RawMessage, error) bool) {
		_ = yield(json.RawMessage("1"), nil) && yield(nil, bad)
	})
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Exit != console.ExitType || e.Message != bad.Message {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = b.Stream(ctx, console.Request{Type: "ticks", Payload: json.RawMessage("10")}, func(json.RawMessage) error { cancel(); return nil })
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Exit != console.ExitInterrupted {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.Stream(ctx, console.Request{Type: "ticks", Payload: json.RawMessage("10")}, func(json.RawMessage) error { return nil })
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Exit != console.ExitDeadline {
		t.Errorf("deadline: %v", err)
	}
	_, err = b.Upload(t.Context(), console.Request{Type: "nope"}, texts("1"))
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Exit != console.ExitServer || e.Code != "not_found" {
		t.Errorf("got %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Stats().Streams > 0; { // a server takes a moment to hear of it
		if time.Now().After(deadline) {
			t.Fatalf("%d streams run on", s.Stats().Streams)
		}
		time.Sleep(time.Millisecond)
	}
}

// When the server ends a chat, what its items wait for is woken.
func TestEnded(t *testing.T) {
	rpctest.Leaks(t)
	addr, _ := serve(t)
	b := speaking(t, addr, "")
	over := make(chan struct{})
	r := console.Request{Type: "sum", Ended: func() { close(over) }}
	_, err := b.Upload(t.Context(), r, func(yield func(json.RawMessage, error) bool) {
		if yield(json.RawMessage(`"no number"`), nil) {
			<-over // as a person at a prompt would
			yield(nil, context.Canceled)
		}
	})
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Code != "invalid_argument" {
		t.Errorf("got %v", err)
	}
}

func TestServices(t *testing.T) {
	rpctest.Leaks(t)
	addr, _ := serve(t)
	for _, protocol := range []string{"", "v2"} {
		list, err := speaking(t, addr, protocol).Services(t.Context())
		if err != nil || len(list) < 10 {
			t.Fatalf("%q: %d services, error %v", protocol, len(list), err)
		}
		for _, v := range list {
			if v.Name == "log" && (v.Pattern != "cast") || v.Name == "fibs" && (v.Pattern != "stream" || string(v.Example) != "10" || v.Doc == "" || !v.Idempotent) {
				t.Errorf("%q: got %+v", protocol, v)
			}
		}
	}
	b := speaking(t, addr, "")
	if _, err := b.Services(t.Context()); err != nil || b.Stats().Protocol != "v2" || !b.Stats().Ours {
		t.Errorf("after the listing: %+v, error %v", b.Stats(), err)
	}
}

// A server of version 1 has no streams and no listing, and is told nothing that it does not know.
func TestPlainServer(t *testing.T) {
	rpctest.Leaks(t)
	addr, _ := serve(t)
	unimplemented := func(name string, err error, hint string) {
		t.Helper()
		e, ok := errors.AsType[*console.Error](err)
		if !ok || e.Exit != console.ExitServer || e.Status() != "unimplemented" || !strings.Contains(e.Hint, hint) {
			t.Errorf("%s: got %v, hint %q", name, err, e.Hint)
		}
	}
	none := func(json.RawMessage) error { return nil }
	only := speaking(t, addr, "v1")
	_, err := only.Stream(t.Context(), console.Request{Type: "fibs"}, none)
	unimplemented("told to speak v1", err, "--proto auto")
	if e, _ := errors.AsType[*console.Error](err); e.Message != "peer speaks v1, which has no streams" {
		t.Errorf("got %q", e.Message)
	}
	_, err = only.Call(t.Context(), console.Request{Type: "fibs", Payload: json.RawMessage("3")})
	unimplemented("a call of a stream", err, "")
	if e, _ := errors.AsType[*console.Error](err); string(e.Details) != `{"pattern":"stream"}` {
		t.Errorf("got details %s", e.Details)
	}
	ln := listen(t)
	peer.ServeMagic(t, ln, peer.HangUp, peer.CloseAtOnce)
	_, err = speaking(t, ln.Addr().String(), "v2").Call(t.Context(), console.Request{Type: "fib"})
	if e, ok := errors.AsType[*console.Error](err); !ok || e.Exit != console.ExitConnection || !strings.Contains(e.Hint, "--proto auto") {
		t.Errorf("told to speak v2: got %v, hint %q", err, e.Hint)
	}
	plain := connect(t, ln.Addr().String())
	_, err = plain.Stream(t.Context(), console.Request{Type: "fibs"}, none)
	unimplemented("a plain server", err, "call and cast")
	_, err = plain.Upload(t.Context(), console.Request{Type: "sum"}, texts("1"))
	unimplemented("an upload to it", err, "call and cast")
	_, err = plain.Services(t.Context())
	unimplemented("its services", err, "")
}
