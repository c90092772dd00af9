package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fake is a Backend whose figures are fixed, so that what is printed can be compared.
type fake struct {
	target    string
	state     LinkState
	closed    atomic.Bool
	asked     atomic.Int32 // for its services
	fired     atomic.Int64 // calls for load
	proto     string       // what it was asked to speak
	peers     []Peer       // nil: one
	discovery string
	health    func(n int) (Health, error) // answer n to how it is, from 1; nil: nobody can tell
	asks      atomic.Int32                // for that
	mu        sync.Mutex                  // protects the fields below
	got       []Request
}

func fakeDial(_ context.Context, target string, o DialOptions) (Backend, error) {
	switch {
	case strings.HasPrefix(target, "closed"):
		return nil, errors.New("connection refused")
	case strings.HasPrefix(target, "told"):
		return nil, &Error{Exit: ExitConnection, Message: "not an rpc server\x1b[31m", Hint: "it answered in HTTP"}
	}
	return &fake{target: target, state: Connected, proto: o.Protocol}, nil
}

func (f *fake) note(r Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, r)
}

func (f *fake) requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.got...)
}

func (f *fake) Call(ctx context.Context, r Request) (Reply, error) {
	f.note(r)
	t := Trace{RequestID: "00c0ffee", Server: "127.0.0.1:8888", Attempts: 1, RTT: 398 * time.Microsecond, Client: 21 * time.Microsecond, Wait: 377 * time.Microsecond,
		Out: make([]byte, 70), In: make([]byte, 89)}
	reply := func(typ, payload string) (Reply, error) {
		return Reply{Type: typ, Payload: json.RawMessage(payload), Trace: t}, nil
	}
	if f.modern() {
		t.Protocol, t.Timed, t.Queue, t.Handler = "v2", true, 3*time.Microsecond, 28*time.Microsecond
	}
	fail := func(e *Error) (Reply, error) { return Reply{Trace: t}, e }
	switch r.Type {
	case "fib":
		return reply("fib_res", "89")
	case "exp":
		return reply("exp_res", `{"value":1024, "costInNanos":28113}`)
	case "max":
		return reply("max_res", "9223372036854775807")
	case "echo":
		return reply("echo_res", string(or(string(r.Payload), "null")))
	case "slow", "hang":
		<-ctx.Done()
		t.In, t.RTT, t.Wait = nil, 50*time.Millisecond, 50*time.Millisecond-t.Client
		return Reply{Trace: t}, ctx.Err()
	case "bad":
		return reply("bad_res", "{oops")
	case "evil":
		return reply("evil\x1b[2J_res", "{\"a\":\"\u009b31m\u202e\"}")
	case "stuck":
		<-ctx.Done()
		return Reply{}, ctx.Err()
	case "huge":
		return reply(strings.Repeat("x", 1<<20), "1")
	case "deep":
		return reply("deep_res", strings.Repeat("[", 5000)+strings.Repeat("]", 5000))
	case "wide":
		return reply("wide_res", `"`+strings.Repeat("x", 6<<20)+`"`)
	case "panic":
		panic("boom\x1b[2J")
	case "fibs", "sum", "ticks", "early", "breaks", "none", "unknown_pattern":
		pattern := map[string]string{"sum": "upload", "early": "upload", "unknown_pattern": "ring"}[r.Type]
		return fail(&Error{Exit: ExitServer, Code: "unimplemented", Message: r.Type + " is a stream", Details: json.RawMessage(`{"pattern":"` + or(pattern, "stream") + `"}`)})
	case "picky":
		return fail(&Error{Exit: ExitServer, Code: "invalid_argument", Message: "exp is negative", Details: json.RawMessage(`{"violations":[{"field":"exp","at":` + strconv.Itoa(strings.Index(string(r.Payload), "-")) + `,"problem":"is negative"}]}`)})
	case "busy":
		return fail(&Error{Exit: ExitServer, Code: "resource_exhausted", Message: "too many calls", RetryAfter: 250 * time.Millisecond, Details: json.RawMessage(`{"queue":1000}`)})
	case "lost":
		t.In = nil
		return fail(&Error{Exit: ExitConnection, Message: "connection lost", Hint: "the next call connects again", Cause: fmt.Errorf("read: %w", io.EOF)})
	case "http":
		t.In = nil
		return fail(&Error{Exit: ExitConnection, Message: "the server speaks HTTP"})
	}
	return fail(&Error{Exit: ExitServer, Code: "not_found", Message: "no service " + r.Type})
}

// Fire notes nothing: there are too many.
func (f *fake) Fire(ctx context.Context, r Request) error {
	switch r.Type {
	case "fib", "exp", "busy", "nope":
		f.fired.Add(1)
		time.Sleep(time.Millisecond)
	}
	switch r.Type {
	case "fib", "exp":
		return nil
	case "flaky":
		if f.fired.Add(1)%4 > 0 {
			return nil
		}
		return &Error{Exit: ExitServer, Code: "resource_exhausted", Message: "too many calls\x1b[2J"}
	}
	_, err := (&fake{target: f.target}).Call(ctx, r)
	return err
}

func (f *fake) Cast(_ context.Context, r Request) (Reply, error) {
	f.note(r)
	return Reply{Trace: Trace{RequestID: "00c0ffee", Server: "127.0.0.1:8888", Attempts: 1, RTT: 18 * time.Microsecond, Client: 18 * time.Microsecond, Out: make([]byte, 65)}}, nil
}

func (f *fake) Stats() Stats {
	servers, up := len(f.peers), CountUp(f.peers)
	return Stats{Servers: servers, Up: up, Discovery: f.discovery, Target: f.target, Server: "127.0.0.1:8888", State: f.state, Protocol: map[bool]string{false: "v1", true: "v2"}[f.modern()], Ours: f.modern() || strings.HasPrefix(f.target, "ours"), Attempt: 2, Sent: 124113, Received: 5, Reconnects: 1, LastError: "reset\x1b"}
}

func (f *fake) Peers() []Peer {
	if f.peers != nil {
		return slices.Clone(f.peers)
	}
	return []Peer{{Address: "127.0.0.1:8888", State: PeerUp, Protocol: map[bool]string{false: "v1", true: "v2"}[f.modern()], Conns: 1, Calls: 3, Latency: 377 * time.Microsecond, Share: 1}}
}

func (f *fake) Health(ctx context.Context) (Health, error) {
	n := f.asks.Add(1)
	switch {
	case ctx.Err() != nil:
		return Health{}, ctx.Err()
	case f.health != nil:
		return f.health(int(n))
	}
	return Health{}, &Error{Exit: ExitServer, Code: "unimplemented", Message: "the peer has not shown that it is an rpckids server"}
}

func (f *fake) Close() error { f.closed.Store(true); return nil }

// typed runs lines in a new session and returns all that a person would read.
func typed(s *Session, p *Printer, out *bytes.Buffer, line string) {
	r, err := s.ExecTalk(context.Background(), line, p.Talk())
	_ = p.Print(r, err)
	if r.Next != Stay {
		fmt.Fprintf(out, "(%s)\n", r.Next)
	}
}
