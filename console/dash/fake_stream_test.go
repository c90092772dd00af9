package dash

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/rpckids/rpckids/console"
)

func (f *fake) Stream(ctx context.Context, r console.Request, item func(json.RawMessage) error) (console.Reply, error) {
	rep := console.Reply{Type: r.Type + "_res", Trace: f.trace(r)}
	rep.Trace.In = make([]byte, 59)
	n := 10
	if r.Type == "flood" {
		n = 50_000
	}
	begun := time.Now()
	for i := range n {
		if r.Type != "flood" {
			time.Sleep(120 * time.Microsecond)
			rep.Trace.RTT = time.Since(begun)
			rep.Trace.Wait = rep.Trace.RTT - rep.Trace.Client
		}
		if err := item(json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))); err != nil {
			return rep, err
		}
	}
	if r.Type == "ticks" {
		<-ctx.Done()
		rep.Trace.RTT = time.Since(begun)
		rep.Trace.Wait = rep.Trace.RTT - rep.Trace.Client
		return rep, ctx.Err()
	}
	return rep, nil
}

func (f *fake) Upload(_ context.Context, r console.Request, items iter.Seq2[json.RawMessage, error]) (console.Reply, error) {
	rep := console.Reply{Type: r.Type + "_res", Trace: f.trace(r)}
	rep.Trace.In = make([]byte, 59)
	text := "["
	for v, err := range items {
		if err != nil {
			return rep, err
		}
		text += string(v) + " "
	}
	rep.Payload = json.RawMessage(`"` + text + `]"`)
	return rep, nil
}

func (f *fake) Bidi(_ context.Context, r console.Request, items iter.Seq2[json.RawMessage, error], item func(json.RawMessage) error) (console.Reply, error) {
	rep := console.Reply{Type: r.Type + "_res", Trace: f.trace(r)}
	rep.Trace.In = make([]byte, 59)
	for v, err := range items {
		if err != nil {
			return rep, err
		}
		if err := item(json.RawMessage(fmt.Sprintf(`{"you said":%s}`, v))); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func (f *fake) Services(context.Context) ([]console.Service, error) {
	if f.Stats().Protocol != "v2" {
		return nil, &console.Error{Exit: console.ExitServer, Code: "unimplemented", Message: "no listing"}
	}
	whole := json.RawMessage(`{"type":"integer"}`)
	return []console.Service{{Name: "sum", ReplyType: "sum_res", Pattern: "upload", Request: whole, Reply: json.RawMessage(`{}`)}}, nil
}
