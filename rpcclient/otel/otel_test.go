package otel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcclient/otel"
	"github.com/rpckids/rpckids/rpcserver"
)

const (
	secret = "4711-secret"
	parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func recorder() (*tracetest.InMemoryExporter, api.TracerProvider) {
	spans := tracetest.NewInMemoryExporter()
	return spans, trace.NewTracerProvider(trace.WithSyncer(spans))
}

// only returns the one span that there is.
func only(t *testing.T, spans *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	got := spans.GetSpans()
	if len(got) != 1 {
		t.Fatalf("got %d spans, want 1", len(got))
	}
	if text := fmt.Sprint(got[0].Attributes, got[0].Events, got[0].Status); strings.Contains(text, secret) {
		t.Errorf("the span has what belongs to the payload: %s", text)
	}
	return got[0]
}

func attr(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// through sends a request through the middleware to next.
func through(t *testing.T, cfg *otel.Config, next rpcclient.Doer) error {
	t.Helper()
	return otel.Middleware(cfg)(next)(t.Context(), &rpcclient.Request{Type: "fib", Pattern: rpcclient.PatternCall, Payload: secret})
}

func TestWhoAnswered(t *testing.T) {
	for _, test := range []struct {
		server, protocol              string
		attempts                      int
		address, port, version, tries string
	}{
		{"example.com:8888", "v2", 1, "example.com", "8888", "2", ""},
		{"[::1]:8888", "v1", 3, "::1", "8888", "1", "3"},
		{"unix:///run/rpc.sock", "v2", 1, "/run/rpc.sock", "", "2", ""},
		{"memory:x", "", 0, "memory:x", "", "", ""},
		{"", "", 0, "", "", "", ""},
	} {
		spans, provider := recorder()
		err := through(t, &otel.Config{Provider: provider}, func(_ context.Context, r *rpcclient.Request) error {
			r.Server, r.Protocol, r.Attempts = test.server, test.protocol, test.attempts
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := only(t, spans)
		for key, want := range map[string]string{
			"server.address": test.address, "server.port": test.port, "network.protocol.version": test.version, "rpckids.attempts": test.tries,
			"rpc.response.status_code": "ok", "error.type": "",
		} {
			if got := attr(s, key); got != want {
				t.Errorf("%s: %s: got %q, want %q", test.server, key, got, want)
			}
		}
	}
}

func TestFailures(t *testing.T) {
	failed := func(kind error, code rpcclient.Code) error {
		return &rpcclient.Error{Status: rpcclient.Status{Code: code, Message: secret}, Kind: kind}
	}
	for _, test := range []struct {
		err             error
		code, kind, say string
	}{
		{failed(rpcclient.ErrServer, rpcclient.NotFound), "not_found", "not_found", "not_found: error from the server"},
		{failed(rpcclient.ErrConnectionLost, rpcclient.Unavailable), "unavailable", "connection lost", "unavailable: connection lost"},
		{fmt.Errorf("wrapped: %w", failed(rpcclient.ErrContext, rpcclient.Canceled)), "canceled", "context ended", "canceled: context ended"},
		{errors.New(secret), "unknown", "failed by a middleware", "unknown: failed by a middleware"},
		{(*rpcclient.Error)(nil), "unknown", "failed by a middleware", "unknown: failed by a middleware"},
	} {
		spans, provider := recorder()
		if got := through(t, &otel.Config{Provider: provider}, func(context.Context, *rpcclient.Request) error { return test.err }); got != test.err {
			t.Errorf("the error came back as %v", got)
		}
		s := only(t, spans)
		if got := attr(s, "rpc.response.status_code"); got != test.code {
			t.Errorf("%q: got the code %q", test.say, got)
		}
		if got := attr(s, "error.type"); got != test.kind {
			t.Errorf("%q: got the type %q, want %q", test.say, got, test.kind)
		}
		if s.Status.Code != codes.Error || s.Status.Description != test.say {
			t.Errorf("got the status %v, want %q", s.Status, test.say)
		}
	}
}

// A call that never reached a server has its span, too.
func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans, provider := recorder()
		c, err := rpcclient.New("localhost:1", &rpcclient.Config{
			Use:    []rpcclient.Middleware{otel.Middleware(&otel.Config{Provider: provider})},
			Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody there") },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := rpcclient.Call[int](t.Context(), c, "bad\xffname", 1); err == nil {
			t.Error("no error for a name that is not UTF-8")
		}
		if s := only(t, spans); !utf8.ValidString(s.Name) || !utf8.ValidString(attr(s, "rpc.method")) {
			t.Errorf("got the name %q, which no exporter takes", s.Name)
		}
		spans.Reset()
		if _, err := rpcclient.Call[int](t.Context(), c, "fib", 1); err == nil {
			t.Error("no error from nobody")
		}
		if s := only(t, spans); attr(s, "error.type") != "cannot connect" || s.SpanKind != api.SpanKindClient {
			t.Errorf("got %v %v", s.SpanKind, s.Attributes)
		}
	})
}

// A panic of the consumer ends the span and goes on.
func TestPanic(t *testing.T) {
	spans, provider := recorder()
	func() {
		defer func() {
			if recover() != secret {
				t.Error("the panic did not arrive")
			}
		}()
		through(t, &otel.Config{Provider: provider}, func(context.Context, *rpcclient.Request) error { panic(secret) })
	}()
	if s := only(t, spans); attr(s, "error.type") != "panic" || s.Status.Code != codes.Error {
		t.Errorf("got %v %v", s.Attributes, s.Status)
	}
}

// The caller's own traceparent travels where there is no span, and the span's where there is one; what nobody set is not sent.
func TestWhoseTraceparent(t *testing.T) {
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			var came string
			ln := rpctest.Serve(t, server(&came))
			spans, provider := recorder()
			for _, test := range []struct {
				provider api.TracerProvider
				own      string
				want     func() string
			}{
				{noop.NewTracerProvider(), "", func() string { return "" }},
				{noop.NewTracerProvider(), parent, func() string { return parent }},
				{provider, parent, func() string {
					s := only(t, spans).SpanContext
					return "00-" + s.TraceID().String() + "-" + s.SpanID().String() + "-01"
				}},
			} {
				c := rpctest.Client(t, ln, &rpcclient.Config{Protocol: p, Use: []rpcclient.Middleware{otel.Middleware(&otel.Config{Provider: test.provider})}})
				ctx := t.Context()
				if test.own != "" {
					ctx = rpcclient.WithMetadata(ctx, rpcclient.Metadata{"traceparent": test.own})
				}
				if _, err := rpcclient.Call[int](ctx, c, "fib", 1); err != nil {
					t.Fatal(err)
				}
				if want := test.want(); came != want {
					t.Errorf("%s: got %q, want %q", p, came, want)
				}
			}
		})
	}
}

// server notes the traceparent of the last call.
func server(came *string) *rpcserver.Server {
	return rpcserver.New(nil).Service("fib", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
		*came = c.Trace()
		return c.Reply(1)
	}))
}

// writer is a propagator that writes what it is told.
type writer map[string]string

func (w writer) Inject(_ context.Context, to propagation.TextMapCarrier) {
	for name, value := range w {
		to.Set(name, value)
	}
}
func (w writer) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (w writer) Fields() []string { return nil }

// What cannot be sent, or is so long that it might leave no room for the caller's own metadata, stays behind and fails no call.
func TestWhatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came rpcserver.Metadata
		s := rpcserver.New(nil).Service("fib", rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
			came = rpcserver.MetadataOf(ctx)
			return c.Reply(1)
		}))
		w := writer{"X-Good": "1", "bad name": "2", "": "3", "long": strings.Repeat("x", 2000), strings.Repeat("n", 65): "4", "tracestate": strings.Repeat("x", 1025), "traceparent": "junk"}
		spans, provider := recorder()
		c := rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2, Use: []rpcclient.Middleware{otel.Middleware(&otel.Config{Provider: provider, Propagator: w})}}, nil)
		ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"own": strings.Repeat("o", 6000)})
		if _, err := rpcclient.Call[int](ctx, c, "fib", 1); err != nil {
			t.Fatal(err)
		}
		only(t, spans)
		if len(came) != 2 || came["x-good"] != "1" || len(came["own"]) != 6000 {
			t.Errorf("got %.200q, want x-good and what is the caller's own", came)
		}
	})
}

func TestBuiltInServicesMakeNoSpans(t *testing.T) {
	spans, provider := recorder()
	do := otel.Middleware(&otel.Config{Provider: provider})(func(context.Context, *rpcclient.Request) error { return nil })
	if err := do(t.Context(), &rpcclient.Request{Type: "!health", Pattern: rpcclient.PatternCall}); err != nil {
		t.Fatal(err)
	}
	if got := spans.GetSpans(); len(got) > 0 {
		t.Errorf("got %d spans", len(got))
	}
}

func BenchmarkMiddleware(b *testing.B) {
	for name, sampler := range map[string]trace.Sampler{"sampled": trace.AlwaysSample(), "not": trace.NeverSample()} {
		b.Run(name, func(b *testing.B) {
			do := otel.Middleware(&otel.Config{Provider: trace.NewTracerProvider(trace.WithSampler(sampler))})(func(context.Context, *rpcclient.Request) error { return nil })
			r := &rpcclient.Request{Type: "fib", Pattern: rpcclient.PatternCall}
			b.ReportAllocs()
			for b.Loop() {
				if err := do(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
