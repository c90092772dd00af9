package console

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// modern says whether the fake is a server of version 2, which lists its services and has streams.
func (f *fake) modern() bool { return strings.HasPrefix(f.target, "modern") }

func (f *fake) trace() Trace {
	t := Trace{RequestID: "7", Server: "127.0.0.1:8888", Attempts: 1, RTT: 398 * time.Microsecond, Client: 21 * time.Microsecond, Wait: 377 * time.Microsecond,
		Out: make([]byte, 14), In: make([]byte, 49), Protocol: "v2"}
	return t
}

// streaming refuses streams as a peer of version 1 does.
func (f *fake) streaming(r Request) error {
	f.note(r)
	if f.modern() {
		return nil
	}
	return &Error{Exit: ExitServer, Code: "unimplemented", Message: "peer speaks v1, which has no streams", Hint: "connect to a server of version 2"}
}

func (f *fake) Stream(ctx context.Context, r Request, item func(json.RawMessage) error) (Reply, error) {
	if err := f.streaming(r); err != nil {
		return Reply{}, err
	}
	reply := Reply{Type: r.Type + "_res", Trace: f.trace()}
	switch r.Type {
	case "fibs":
		n, _ := strconv.Atoi(string(r.Payload))
		a, b := 1, 1
		for range n {
			if err := item(json.RawMessage(strconv.Itoa(a))); err != nil {
				return reply, err
			}
			a, b = b, a+b
		}
		return reply, nil
	case "ticks":
		for n := range 42 {
			if err := item(json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))); err != nil {
				return reply, err
			}
		}
		<-ctx.Done()
		return reply, ctx.Err()
	case "odd":
		for _, text := range []string{`1`, `"two"`} {
			if err := item(json.RawMessage(text)); err != nil {
				return reply, err
			}
		}
	case "breaks":
		_ = item(json.RawMessage(`1`))
		return reply, &Error{Exit: ExitServer, Code: "data_loss", Message: "lost the rest\x1b"}
	case "none":
	default:
		return reply, &Error{Exit: ExitServer, Code: "not_found", Message: "no service " + r.Type}
	}
	return reply, nil
}

func (f *fake) Upload(ctx context.Context, r Request, items iter.Seq2[json.RawMessage, error]) (Reply, error) {
	if err := f.streaming(r); err != nil {
		return Reply{}, err
	}
	reply := Reply{Type: r.Type + "_res", Trace: f.trace()}
	if r.Type == "fib" {
		return reply, &Error{Exit: ExitServer, Code: "unimplemented", Message: "fib is a call", Hint: "look elsewhere", Details: json.RawMessage(`{"pattern":"call"}`)}
	}
	if r.Type == "early" { // answers before it has read all, while its items wait
		done := make(chan error, 1)
		go func() {
			for _, err := range items {
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		r.Ended()
		<-done
		return reply, &Error{Exit: ExitServer, Code: "resource_exhausted", Message: "enough"}
	}
	sum := 0
	for v, err := range items {
		if err != nil {
			return reply, err
		}
		n, _ := strconv.Atoi(string(v))
		sum += n
	}
	reply.Payload = json.RawMessage(strconv.Itoa(sum))
	return reply, nil
}

func (f *fake) Bidi(ctx context.Context, r Request, items iter.Seq2[json.RawMessage, error], item func(json.RawMessage) error) (Reply, error) {
	if err := f.streaming(r); err != nil {
		return Reply{}, err
	}
	reply := Reply{Type: r.Type + "_res", Trace: f.trace()}
	for v, err := range items {
		if err != nil {
			return reply, err
		}
		var text string
		_ = json.Unmarshal(v, &text)
		if err := item(json.RawMessage(quoted("you said: " + text))); err != nil {
			return reply, err
		}
	}
	return reply, item(json.RawMessage(`"goodbye"`))
}

func (f *fake) Services(context.Context) ([]Service, error) {
	f.asked.Add(1)
	if !f.modern() {
		return nil, &Error{Exit: ExitServer, Code: "unimplemented", Message: "the server does not list its services"}
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	whole := raw(`{"type":"integer"}`)
	return []Service{
		{Name: "fib", ReplyType: "fib_res", Pattern: "call", Request: whole, Reply: whole, Doc: "the n-th Fibonacci number", Example: raw("10"), Idempotent: true},
		{Name: "exp", ReplyType: "exp_res", Pattern: "call", Doc: "base to the power of exp, and what the loop cost on the server", Example: raw(`{"base":2,"exp":10}`), Idempotent: true,
			Request: raw(`{"type":"object","properties":{"base":{"type":"integer"},"exp":{"type":"integer"}},"required":["base","exp"],"additionalProperties":false}`),
			Reply:   raw(`{"type":"object","properties":{"value":{"type":"integer"},"costInNanos":{"type":"integer"}},"required":["value","costInNanos"]}`)},
		{Name: "log", Pattern: "cast", Request: raw(`{}`), Doc: "one way\x1b[2J"},
		{Name: "fibs", ReplyType: "fibs_res", Pattern: "stream", Request: whole, Reply: whole, Doc: "the first n numbers", Example: raw("10"), Idempotent: true},
		{Name: "ticks", ReplyType: "ticks_res", Pattern: "stream", Request: whole, Reply: raw(`{"type":"object","properties":{"n":{"type":"integer"}}}`), Example: raw("100")},
		{Name: "odd", ReplyType: "odd_res", Pattern: "stream", Request: raw(`{}`), Reply: whole},
		{Name: "sum", ReplyType: "sum_res", Pattern: "upload", Request: whole, Reply: whole, Doc: "their sum", Example: raw("[1,2,3]")},
		{Name: "chat", ReplyType: "chat_res", Pattern: "bidi", Request: raw(`{"type":"string"}`), Reply: raw(`{"type":"string"}`), Doc: "says it back", Example: raw(`"hello"`)},
		{Name: "no name", Pattern: "call"}, {Name: "\x1b[2J", Pattern: "call"}, {Name: "!services", Pattern: "call"}, // cannot be typed
	}, nil
}
