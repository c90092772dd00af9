//go:build unix

package repl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

func (fake) trace() console.Trace {
	return console.Trace{Attempts: 1, RTT: time.Millisecond, Client: time.Microsecond, Wait: 999 * time.Microsecond, Out: make([]byte, 14), In: make([]byte, 50)}
}

func (f fake) Stream(ctx context.Context, r console.Request, item func(json.RawMessage) error) (console.Reply, error) {
	for n := range 42 {
		if err := item(json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))); err != nil {
			return console.Reply{Trace: f.trace()}, err
		}
	}
	if r.Type == "ticks" {
		<-ctx.Done()
	}
	return console.Reply{Trace: f.trace()}, ctx.Err()
}

func (f fake) Upload(ctx context.Context, r console.Request, items iter.Seq2[json.RawMessage, error]) (console.Reply, error) {
	var all []string
	for v, err := range items {
		if err != nil {
			return console.Reply{Trace: f.trace()}, err
		}
		all = append(all, string(v))
	}
	return console.Reply{Type: "join_res", Payload: json.RawMessage("[" + strings.Join(all, ",") + "]"), Trace: f.trace()}, nil
}

func (f fake) Bidi(ctx context.Context, r console.Request, items iter.Seq2[json.RawMessage, error], item func(json.RawMessage) error) (console.Reply, error) {
	got := make(chan json.RawMessage)
	failed := make(chan error, 1)
	go func() { // ends with its items
		defer close(got)
		for v, err := range items {
			if err != nil {
				failed <- err
				return
			}
			got <- v
		}
	}()
	for v := range got {
		if err := item(json.RawMessage(fmt.Sprintf(`{"you":%s}`, v))); err != nil {
			return console.Reply{}, err
		}
		if string(v) == `"over"` { // the server ends it while the person may be typing
			if err := item(json.RawMessage(`"the end"`)); err != nil {
				return console.Reply{}, err
			}
			time.AfterFunc(50*time.Millisecond, r.Ended)
			for range got {
			}
			return console.Reply{Trace: f.trace()}, nil
		}
	}
	select {
	case err := <-failed:
		return console.Reply{Trace: f.trace()}, err
	default:
		return console.Reply{Trace: f.trace()}, nil
	}
}

func (fake) Peers() []console.Peer { return nil }

// answers counts how often the server said how it is.
var answers atomic.Int32

func (fake) Health(context.Context) (console.Health, error) {
	return console.Health{Server: "127.0.0.1:8888", Status: "serving", Name: fmt.Sprintf("answer %d", answers.Add(1))}, nil
}

func (fake) Fire(ctx context.Context, r console.Request) error {
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (fake) Services(context.Context) ([]console.Service, error) {
	whole, text := json.RawMessage(`{"type":"integer"}`), json.RawMessage(`{"type":"string"}`)
	return []console.Service{
		{Name: "ticks", Pattern: "stream", ReplyType: "ticks_res"}, {Name: "few", Pattern: "stream", ReplyType: "few_res"},
		{Name: "join", Pattern: "upload", Request: whole, ReplyType: "join_res"},
		{Name: "chat", Pattern: "bidi", Request: text, ReplyType: "chat_res"},
	}, nil
}

// Items stand on lines of their own as they come; ctrl+c ends an endless stream and says how far it came.
func TestStream(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 60})
	s.Type("call ticks<enter>")
	s.Wait("{\"n\":41}\n")
	s.Type("<ctrl+c>")
	s.Wait("stopped after 42 items")
	ready(s, "")
	s.Type("clear<enter>")
	s.Gone("stopped")
	s.Type("call few<enter>")
	s.Wait("{\"n\":40}\n{\"n\":41}\n#2 few ok")
	ready(s, "")
	quit(t, s)
}

// The prompt takes the items of an upload; one that is wrong comes back to be mended, and ctrl+d ends them.
func TestUpload(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 40})
	s.Type("upload join<enter>")
	onRow(s, "join 1> ")
	s.Wait("ctrl+c cancels")
	s.Type("1<enter>")
	onRow(s, "join 2> ")
	s.Type("\"x\"<enter>")
	s.Wait(`join wants int64, got the string "x"`)
	onRow(s, `join 2> "x"`)
	s.Type("<ctrl+u>2<enter>")
	onRow(s, "join 3> ")
	s.Type("<up>")
	onRow(s, "join 3> 2")
	s.Type("<ctrl+u><ctrl+d>")
	s.Wait("[1,2]\n#1 join_res ok")
	ready(s, "")
	s.Type("join<enter>") // a type by itself; a dot ends, too
	onRow(s, "join 1> ")
	s.Type("\x1b[200~7\n8\n9\x1b[201~<enter>")
	onRow(s, "join 4> ")
	s.Type(".<enter>")
	s.Wait("[7,8,9]")
	ready(s, "")
	s.Type("join<enter>")
	onRow(s, "join 1> ")
	s.Type("1<enter>")
	onRow(s, "join 2> ")
	s.Type("<ctrl+c>")
	s.Wait("stopped after 1 item sent")
	ready(s, "")
	s.Type("call fib 10<enter>")
	s.Wait("\n89\n")
	ready(s, "")
	quit(t, s)
}

// What comes back stands above the line being typed, and when the server ends the chat the prompt is the console's again.
func TestChat(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 40})
	s.Type("chat chat<enter>")
	onRow(s, "chat 1> ")
	s.Type("hello there<enter>")
	s.Wait(`{"you":"hello there"}`)
	onRow(s, "chat 2> ")
	s.Type("over<enter>")
	s.Wait(`"the end"`)
	onRow(s, "chat 3> ")
	s.Type("half a li")
	s.Wait("#1 chat ok")
	ready(s, "")
	s.Type("call fib 10<enter>")
	s.Wait("\n89\n")
	ready(s, "")
	quit(t, s)
}

func TestChatOnPlainTerminal(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 40}, "TERM=dumb")
	s.Type("upload join<enter>")
	s.Wait("join 1>")
	s.Type("1<enter>")
	s.Wait("join 2>")
	s.Type("x<enter>")
	s.Wait("is not JSON")
	s.Type("2<enter>")
	s.Wait("join 3>")
	s.Type("<ctrl+d>")
	s.Wait("[1,2]")
	ready(s, "")
	s.Type("chat chat<enter>")
	s.Wait("chat 1>")
	s.Type("over<enter>")
	s.Wait("#2 chat ok")
	ready(s, "")
	s.Type("quit<enter>")
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.Picture())
	}
}
