package remote

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

func (b *backend) Stream(ctx context.Context, r console.Request, item func(json.RawMessage) error) (console.Reply, error) {
	return b.items(ctx, item, func(ctx context.Context) iter.Seq2[json.RawMessage, error] {
		return rpcclient.Stream[json.RawMessage](ctx, b.client, r.Type, r.Payload)
	})
}

func (b *backend) Bidi(ctx context.Context, r console.Request, items iter.Seq2[json.RawMessage, error], item func(json.RawMessage) error) (console.Reply, error) {
	return b.items(ctx, item, func(ctx context.Context) iter.Seq2[json.RawMessage, error] {
		return rpcclient.Bidi[json.RawMessage](ctx, b.client, r.Type, items, ended(r)...)
	})
}

func (b *backend) Upload(ctx context.Context, r console.Request, items iter.Seq2[json.RawMessage, error]) (console.Reply, error) {
	var t rpcclient.Trace
	payload, err := rpcclient.Upload[json.RawMessage](rpcclient.WithTrace(ctx, &t), b.client, r.Type, items, ended(r)...)
	reply := console.Reply{Type: t.ReplyType, Payload: payload, Trace: traceOf(&t)}
	if err != nil {
		return reply, b.explain(ctx, err)
	}
	return reply, nil
}

// items hands over what comes, in order. What item fails of ends the stream and is the error.
func (b *backend) items(ctx context.Context, item func(json.RawMessage) error, begin func(context.Context) iter.Seq2[json.RawMessage, error]) (console.Reply, error) {
	var t rpcclient.Trace
	var failed error
	for payload, err := range begin(rpcclient.WithTrace(ctx, &t)) {
		if err != nil {
			failed = b.explain(ctx, err)
			break
		}
		if failed = item(payload); failed != nil {
			break // which cancels it on the server
		}
	}
	return console.Reply{Type: t.ReplyType, Trace: traceOf(&t)}, failed
}

// ended makes the console's wish to be told into an option.
func ended(r console.Request) []rpcclient.CallOption {
	if r.Ended == nil {
		return nil
	}
	return []rpcclient.CallOption{rpcclient.OnEnd(r.Ended)}
}
