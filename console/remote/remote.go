package remote

import (
	"context"
	"encoding/json"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// Dial connects to a target and returns when the connection is up. Whoever dialed closes the backend.
func Dial(ctx context.Context, target string, o console.DialOptions) (console.Backend, error) {
	return Dialer(rpcclient.Config{})(ctx, target, o)
}

// Dialer returns a Dial for connections with a config of the program's own: resolvers, say.
func Dialer(base rpcclient.Config) console.Dialer {
	return func(ctx context.Context, target string, o console.DialOptions) (console.Backend, error) {
		config := base
		config.Protocol, config.ServerTiming = protocols[o.Protocol], true
		as, err := secure(&config, o.Security)
		if err != nil {
			return nil, err
		}
		if config.Token != "" && config.Protocol == rpcclient.V1 {
			return nil, &console.Error{Exit: console.ExitUsage, Message: "version 1 carries no token",
				Hint: "--proto auto, or a client certificate with --cert and --key in place of --token and RPCKIDS_TOKEN"}
		}
		if config.TLS != nil {
			config.TLS.ServerName = o.ServerName
		}
		client, err := rpcclient.Dial(ctx, target, &config)
		if err != nil {
			return nil, trusting(o.Security.CA, explain(err))
		}
		return &backend{client, o.Protocol, as, o.Security.CA, config.Token != ""}, nil
	}
}

// protocols are what console.DialOptions may name; "" is auto.
var protocols = map[string]rpcclient.Protocol{"v1": rpcclient.V1, "v2": rpcclient.V2}

// backend is a console.Backend over one client.
type backend struct {
	client   *rpcclient.Client
	protocol string // as it was asked for
	as       string // the name in the client certificate, or ""
	ca       string // the file with the authorities that are trusted; "" for the system's
	token    bool   // one is sent
}

func (b *backend) Call(ctx context.Context, r console.Request) (console.Reply, error) {
	var t rpcclient.Trace
	var opts []rpcclient.CallOption
	if r.Idempotent {
		opts = append(opts, rpcclient.Idempotent())
	}
	payload, err := b.client.Invoke(rpcclient.WithTrace(ctx, &t), r.Type, r.Payload, opts...)
	reply := console.Reply{Type: t.ReplyType, Payload: payload, Trace: traceOf(&t)}
	if err == nil {
		return reply, nil
	}
	told := b.explain(ctx, err)
	if told.Exit == console.ExitDeadline && t.Received.IsZero() && b.client.Stats().Received == 0 {
		told.Hint = "nothing has ever come from there: is it an rpckids server?"
	}
	return reply, told
}

func (b *backend) Cast(ctx context.Context, r console.Request) (console.Reply, error) {
	var t rpcclient.Trace
	err := rpcclient.Cast(rpcclient.WithTrace(ctx, &t), b.client, r.Type, r.Payload)
	reply := console.Reply{Trace: traceOf(&t)}
	if err != nil {
		return reply, b.explain(ctx, err)
	}
	return reply, nil
}

func (b *backend) Services(ctx context.Context) ([]console.Service, error) {
	list, err := b.client.Services(ctx)
	if err != nil {
		return nil, b.explain(ctx, err)
	}
	services := make([]console.Service, len(list))
	for i, v := range list {
		services[i] = console.Service{Name: v.Name, ReplyType: v.ReplyType, Pattern: string(v.Pattern), Request: known(v.Request), Reply: known(v.Reply),
			Doc: v.Doc, Example: known(v.Example), Idempotent: v.Idempotent}
	}
	return services, nil
}

// known is nil for a JSON null.
func known(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (b *backend) Close() error { return b.client.Close() }

func (b *backend) Stats() console.Stats {
	s := b.client.Stats()
	c := console.Stats{
		Target:     s.Target,
		Server:     s.Remote,
		State:      linkState(s),
		Protocol:   s.Protocol,
		TLS:        s.TLS,
		As:         b.as,
		Token:      b.token,
		Ours:       s.Ours,
		Attempt:    s.Attempt,
		Since:      s.Since,
		Sent:       s.Sent,
		Received:   s.Received,
		Dropped:    s.Dropped.Total(),
		Reconnects: s.Reconnects,
		Retries:    s.Retries + s.Hedges,
	}
	b.servers(&c, s)
	if s.LastError != nil {
		c.LastError = s.LastError.Error()
	}
	return c
}

func linkState(s rpcclient.Stats) console.LinkState {
	switch s.State {
	case rpcclient.Connected:
		return console.Connected
	case rpcclient.Connecting:
		return console.Reconnecting
	case rpcclient.Idle:
		return console.Idle
	}
	return console.Disconnected
}

// traceOf turns instants into the parts of a call that the console shows. Client and Wait add up to RTT exactly.
func traceOf(t *rpcclient.Trace) console.Trace {
	return console.Trace{
		Start:     t.Start,
		RequestID: t.RequestID,
		Server:    t.Server,
		Attempts:  t.Attempts,
		RTT:       t.Done.Sub(t.Start),
		Client:    t.Client(),
		Wait:      t.Network() + t.Queue + t.Handler,
		Out:       t.Out,
		In:        t.In,
		Protocol:  t.Protocol,
		BytesOut:  t.BytesOut,
		BytesIn:   t.BytesIn,
		Timed:     t.Timed,
		Queue:     t.Queue,
		Handler:   t.Handler,
	}
}
