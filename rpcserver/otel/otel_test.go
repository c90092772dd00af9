package otel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
	clientotel "github.com/rpckids/rpckids/rpcclient/otel"
	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/otel"
)

// secret stands in payloads and in errors, and never in a span.
const secret = "4711-secret"

// world is two servers: the first calls the second for whatever it is called for. All their spans end up in one place.
type world struct {
	t        *testing.T
	spans    *tracetest.InMemoryExporter
	provider *trace.TracerProvider
	client   *rpcclient.Client // of the first server
	front    *memnet.Listener
	baggage  string // as the second server saw it
}

func newWorld(t *testing.T, p rpcclient.Protocol, opts ...trace.TracerProviderOption) *world {
	t.Helper()
	w := &world{t: t, spans: tracetest.NewInMemoryExporter()}
	w.provider = trace.NewTracerProvider(append(opts, trace.WithSyncer(w.spans))...)
	back := rpctest.Client(t, rpctest.Serve(t, w.server(w.backServices)), w.config(p))
	w.front = rpctest.Serve(t, w.server(func(s *rpcserver.Server) { relays(s, back) }))
	w.client = rpctest.Client(t, w.front, w.config(p))
	return w
}

var both = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func (w *world) config(p rpcclient.Protocol) *rpcclient.Config {
	return &rpcclient.Config{Protocol: p, Use: []rpcclient.Middleware{clientotel.Middleware(&clientotel.Config{Provider: w.provider, Propagator: both})}}
}

func (w *world) server(services func(*rpcserver.Server)) *rpcserver.Server {
	s := rpcserver.New(nil)
	s.Use(otel.Middleware(&otel.Config{Provider: w.provider, Propagator: both}))
	services(s)
	return s
}

func (w *world) backServices(s *rpcserver.Server) {
	rpcserver.Handle(s, "echo", func(ctx context.Context, text string) (string, error) {
		w.baggage = baggage.FromContext(ctx).String()
		return text, nil
	})
	rpcserver.Handle(s, "absent", func(context.Context, string) (string, error) {
		return "", rpcserver.Errorf(rpcserver.NotFound, "no %s", secret)
	})
	rpcserver.Handle(s, "broken", func(context.Context, string) (string, error) { return "", errors.New(secret) })
	rpcserver.Handle(s, "panics", func(context.Context, string) (string, error) { panic(secret) })
	rpcserver.HandleCast(s, "log", func(context.Context, string) error { return nil })
	rpcserver.HandleStream(s, "count", func(_ context.Context, text string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for yield(text, nil) && text != secret {
			}
		}
	})
	rpcserver.HandleUpload(s, "last", func(_ context.Context, items iter.Seq2[string, error]) (last string, err error) {
		for item, err := range items {
			if last = item; err != nil {
				return "", err
			}
		}
		return last, nil
	})
	rpcserver.HandleBidi(s, "chat", func(_ context.Context, items iter.Seq2[string, error]) iter.Seq2[string, error] { return items })
}

// relays adds services that do what back does, under names with "relay-" before them.
func relays(s *rpcserver.Server, back *rpcclient.Client) {
	for _, name := range []string{"echo", "absent", "broken", "panics"} {
		rpcserver.Handle(s, "relay-"+name, func(ctx context.Context, text string) (string, error) {
			reply, err := rpcclient.Call[string](ctx, back, name, text)
			if e, ok := errors.AsType[*rpcclient.Error](err); ok {
				return "", &e.Status
			}
			return reply, err
		})
	}
	rpcserver.HandleCast(s, "relay-log", func(ctx context.Context, text string) error { return rpcclient.Cast(ctx, back, "log", text) })
	rpcserver.HandleStream(s, "relay-count", func(ctx context.Context, text string) iter.Seq2[string, error] {
		return rpcclient.Stream[string](ctx, back, "count", text)
	})
	rpcserver.HandleUpload(s, "relay-last", func(ctx context.Context, items iter.Seq2[string, error]) (string, error) {
		return rpcclient.Upload[string](ctx, back, "last", items)
	})
	rpcserver.HandleBidi(s, "relay-chat", func(ctx context.Context, items iter.Seq2[string, error]) iter.Seq2[string, error] {
		return rpcclient.Bidi[string](ctx, back, "chat", items)
	})
}

// call calls one of the services in the way it wants to be called.
func (w *world) call(ctx context.Context, name string) error {
	items := rpcclient.Values(slices.Values([]string{secret}))
	switch strings.TrimPrefix(name, "relay-") {
	case "log":
		return rpcclient.Cast(ctx, w.client, name, secret)
	case "count":
		for _, err := range rpcclient.Stream[string](ctx, w.client, name, secret) {
			if err != nil {
				return err
			}
		}
		return nil
	case "last":
		_, err := rpcclient.Upload[string](ctx, w.client, name, items)
		return err
	case "chat":
		for _, err := range rpcclient.Bidi[string](ctx, w.client, name, items) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	_, err := rpcclient.Call[string](ctx, w.client, name, secret)
	return err
}

// ended returns the spans that have ended, the earliest started first, once nothing moves any more.
func (w *world) ended() tracetest.SpanStubs {
	w.t.Helper()
	synctest.Wait()
	spans := w.spans.GetSpans()
	for _, s := range spans {
		if text := fmt.Sprint(s.Name, s.Attributes, s.Events, s.Status.Description); strings.Contains(text, secret) {
			w.t.Errorf("the span has what belongs to the payload: %s", text)
		}
	}
	return spans
}

// chain returns the spans from the one without a parent among them down to the last; each has to have one child.
func chain(t *testing.T, spans tracetest.SpanStubs) tracetest.SpanStubs {
	t.Helper()
	children := map[api.SpanID]tracetest.SpanStubs{}
	for _, s := range spans {
		if s.SpanContext.TraceID() != spans[0].SpanContext.TraceID() {
			t.Errorf("%s is in another trace", s.Name)
		}
		children[s.Parent.SpanID()] = append(children[s.Parent.SpanID()], s)
	}
	var line tracetest.SpanStubs
	for at := (api.SpanID{}); len(children[at]) > 0; {
		if n := len(children[at]); n != 1 {
			t.Fatalf("%d spans have the parent %s, want 1", n, at)
		}
		line = append(line, children[at][0])
		at = children[at][0].SpanContext.SpanID()
	}
	return line
}

func attr(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// The tree over two hops arrives whole, over both versions of the wire, for every pattern.
func TestTreeOverTwoHops(t *testing.T) {
	patterns := map[string]string{"echo": "call", "log": "cast", "count": "stream", "last": "upload", "chat": "bidi"}
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		for name, pattern := range patterns {
			if p == rpcclient.V1 && pattern != "call" && pattern != "cast" {
				continue // which version 1 does not carry
			}
			t.Run(p.String()+" "+pattern, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, p)
					ctx, root := w.provider.Tracer("test").Start(t.Context(), "root")
					if err := w.call(ctx, "relay-"+name); err != nil {
						t.Fatal(err)
					}
					synctest.Wait() // casts
					root.End()
					got := chain(t, w.ended())
					if len(got) != 5 {
						t.Fatalf("got %d spans in line, want 5: %v", len(got), got)
					}
					for i, s := range got[1:] {
						wantName, wantKind := "relay-"+name, api.SpanKindClient
						if i >= 2 {
							wantName = name
						}
						if i%2 == 1 {
							wantKind = api.SpanKindServer
						}
						if s.Name != wantName || s.SpanKind != wantKind || s.Parent.IsRemote() != (wantKind == api.SpanKindServer) {
							t.Errorf("span %d: got %s %s, remote parent %v; want %s %s", i, s.SpanKind, s.Name, s.Parent.IsRemote(), wantKind, wantName)
						}
						for key, want := range map[string]string{
							"rpc.system.name": "rpckids", "rpc.method": wantName, "rpckids.pattern": pattern, "rpc.response.status_code": "ok", "error.type": "",
							"network.protocol.name": "rpckids", "network.protocol.version": strings.TrimPrefix(p.String(), "v"),
						} {
							if got := attr(s, key); got != want {
								t.Errorf("span %d: %s: got %q, want %q", i, key, got, want)
							}
						}
						if s.Status.Code != codes.Unset || len(s.Events) > 0 {
							t.Errorf("span %d: got %v, %v; want neither status nor events", i, s.Status, s.Events)
						}
					}
				})
			})
		}
	}
}

// What an error makes of a span depends on whose fault it is; its text stays out.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name, code           string
		serverType, server   string // error.type and status of the second server's span
		clientType, received string // of the second client's
	}{
		{"absent", "not_found", "", "", "not_found", "not_found: error from the server"},
		{"broken", "unknown", "unknown", "unknown", "unknown", "unknown: error from the server"},
		{"panics", "internal", "panic", "the handler panicked", "internal", "internal: error from the server"},
	} {
		for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			t.Run(p.String()+" "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, p)
					if err := w.call(t.Context(), "relay-"+test.name); err == nil {
						t.Fatal("no error")
					}
					spans := chain(t, w.ended())
					if len(spans) != 4 {
						t.Fatalf("got %d spans in line, want 4", len(spans))
					}
					for i, want := range []struct{ errorType, status string }{2: {test.clientType, test.received}, 3: {test.serverType, test.server}} {
						if i < 2 {
							continue
						}
						s, wantCode := spans[i], codes.Unset
						if want.status != "" {
							wantCode = codes.Error
						}
						if got := attr(s, "rpc.response.status_code"); got != test.code {
							t.Errorf("%s: got the code %q, want %q", s.SpanKind, got, test.code)
						}
						if got := attr(s, "error.type"); got != want.errorType || s.Status.Code != wantCode || s.Status.Description != want.status {
							t.Errorf("%s: got %q, %v; want %q, %q", s.SpanKind, got, s.Status, want.errorType, want.status)
						}
					}
				})
			})
		}
	}
}

// The texts of errors are there for those who ask, printable and short.
func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		provider := trace.NewTracerProvider(trace.WithSyncer(spans))
		s := rpcserver.New(nil)
		s.Use(otel.Middleware(&otel.Config{Provider: provider, Messages: true}))
		c := rpctest.PairOf(t, s, &rpcclient.Config{Use: []rpcclient.Middleware{clientotel.Middleware(&clientotel.Config{Provider: provider, Messages: true})}}, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "broken", func(context.Context, int) (int, error) {
				return 0, errors.New("no \"disk\" \x1b[31m" + strings.Repeat("x", 1000))
			})
		})
		if _, err := rpcclient.Call[int](t.Context(), c, "broken", 1); err == nil {
			t.Fatal("no error")
		}
		for _, s := range spans.GetSpans() {
			d := s.Status.Description
			if !strings.Contains(d, `no "disk" \x1b[31mxxx`) || strings.ContainsRune(d, 0x1b) || len(d) > 320 {
				t.Errorf("%s: got %q", s.SpanKind, d)
			}
		}
	})
}

// A consumer that leaves a stream has not failed, and neither has the server.
func TestLeavingAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rpcclient.V2)
		for range rpcclient.Stream[string](t.Context(), w.client, "relay-count", "endless") {
			break
		}
		spans := chain(t, w.ended())
		if len(spans) != 4 {
			t.Fatalf("got %d spans in line, want 4", len(spans))
		}
		for i, want := range []string{"ok", "canceled", "canceled", "canceled"} {
			if got := attr(spans[i], "rpc.response.status_code"); got != want && got != "ok" {
				t.Errorf("span %d: got the code %q, want %q or ok", i, got, want)
			}
		}
		if s := spans[1].Status; s.Code != codes.Unset {
			t.Errorf("the server's span has the status %v", s)
		}
	})
}

// The first hop decides: a span that is not sampled makes no others, whatever the servers think themselves.
func TestSampledFlag(t *testing.T) {
	for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, p, trace.WithSampler(trace.ParentBased(trace.AlwaysSample())))
			no := api.NewSpanContext(api.SpanContextConfig{TraceID: api.TraceID{1}, SpanID: api.SpanID{2}, Remote: true})
			if err := w.call(api.ContextWithRemoteSpanContext(t.Context(), no), "relay-echo"); err != nil {
				t.Fatal(err)
			}
			if got := w.ended(); len(got) > 0 {
				t.Errorf("%s: %d spans of a trace that is not sampled", p, len(got))
			}
			yes := no.WithTraceFlags(api.FlagsSampled)
			if err := w.call(api.ContextWithRemoteSpanContext(t.Context(), yes), "relay-echo"); err != nil {
				t.Fatal(err)
			}
			got := w.ended()
			if len(got) != 4 {
				t.Errorf("%s: %d spans of a trace that is sampled, want 4", p, len(got))
			}
			for _, s := range got {
				if s.SpanContext.TraceID() != (api.TraceID{1}) {
					t.Errorf("%s %s: is in the trace %s", p, s.Name, s.SpanContext.TraceID())
				}
			}
		})
	}
}

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

// bare is a client without spans, which sends what it is told.
func (w *world) bare(p rpcclient.Protocol) *rpcclient.Client {
	return rpctest.Client(w.t, w.front, &rpcclient.Config{Protocol: p})
}

// What cannot be a parent starts a trace, and the call is served as if nothing had been sent.
func TestHostileTraceparent(t *testing.T) {
	for text, trusted := range map[string]bool{
		"00-" + traceID + "-" + spanID + "-01":                  true,
		"00-" + traceID + "-" + spanID + "-ff":                  false, // flags that version 00 does not have
		"ff-" + traceID + "-" + spanID + "-01":                  false,
		"00-" + strings.Repeat("0", 32) + "-" + spanID + "-01":  false,
		"00-" + traceID + "-" + strings.Repeat("0", 16) + "-01": false,
	} {
		for _, p := range []rpcclient.Protocol{rpcclient.V1, rpcclient.V2} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, p)
				ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"traceparent": text})
				if got, err := rpcclient.Call[string](ctx, w.bare(p), "relay-echo", "x"); got != "x" || err != nil {
					t.Errorf("%s: %s: %q, %v", p, text, got, err)
				}
				spans := w.ended()
				if len(spans) != 3 {
					t.Fatalf("%s: %s: %d spans, want 3", p, text, len(spans))
				}
				for _, s := range spans {
					if s.SpanContext.TraceID() != spans[0].SpanContext.TraceID() || (s.SpanContext.TraceID().String() == traceID) != trusted {
						t.Errorf("%s: %s: the trace is %s", p, text, s.SpanContext.TraceID())
					}
				}
			})
		}
	}
}

// Malformed bytes on version 1 make a request id that means nothing.
func TestMalformedMark(t *testing.T) {
	for _, tail := range []string{";t=", ";t=junk", ";t=" + strings.Repeat("4", 900), ";t=00-" + strings.ToUpper(traceID) + "-" + spanID + "-01", ";t=00-" + traceID + "-" + spanID + "-01;t=00"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, rpcclient.V1)
			nc, err := w.front.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			message, at := wire.Begin(nil, []byte("0123456789abcdef;rk2"+tail), []byte("relay-echo"))
			if _, err := nc.Write(wire.End(append(message, `"x"`...), at)); err != nil {
				t.Fatal(err)
			}
			expectEcho(t, nc)
			spans := chain(t, w.ended())
			if len(spans) != 3 || spans[0].SpanContext.TraceID().String() == traceID {
				t.Errorf("%.30q: got %v, want a trace of three spans of its own", tail, spans)
			}
		})
	}
}

// expectEcho reads until the payload of the answer has come.
func expectEcho(t *testing.T, nc net.Conn) {
	t.Helper()
	nc.SetReadDeadline(time.Now().Add(time.Minute))
	var all []byte
	b := make([]byte, 4096)
	for !strings.HasSuffix(string(all), `"x"`) {
		n, err := nc.Read(b)
		if all = append(all, b[:n]...); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = errors.New("no answer for a minute")
			}
			t.Fatalf("got %q, %v", all, err)
		}
	}
}

// A trace's state goes along over version 2, unless it is so long that the next call would have no room for what it wants to say itself.
func TestTracestate(t *testing.T) {
	var long []string
	for i := range 30 {
		long = append(long, fmt.Sprintf("k%d=%s", i, strings.Repeat("v", 200)))
	}
	for _, test := range []struct{ sent, want string }{
		{"a=1,b=2", "a=1,b=2"},
		{"", ""},
		{"not a state", ""},
		{"a=\x1b", ""},
		{strings.Join(long, ","), ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, rpcclient.V2)
			ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"traceparent": "00-" + traceID + "-" + spanID + "-01", "tracestate": test.sent})
			if _, err := rpcclient.Call[string](ctx, w.bare(rpcclient.V2), "relay-echo", "x"); err != nil {
				t.Fatal(err)
			}
			spans := w.ended()
			if len(spans) != 3 {
				t.Fatalf("got %d spans, want 3", len(spans))
			}
			for _, s := range spans {
				if got := s.SpanContext.TraceState().String(); got != test.want || s.SpanContext.TraceID().String() != traceID {
					t.Errorf("%.20q: %s %s: got the state %.20q in %s, want %q in the caller's trace", test.sent, s.SpanKind, s.Name, got, s.SpanContext.TraceID(), test.want)
				}
			}
		})
	}
}

// Another propagator's words travel as metadata, in lower case; version 1 leaves them behind.
func TestBaggage(t *testing.T) {
	for p, want := range map[rpcclient.Protocol]string{rpcclient.V1: "", rpcclient.V2: "tenant=t1"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, p)
			member, err := baggage.NewMember("tenant", "t1")
			if err != nil {
				t.Fatal(err)
			}
			bag, err := baggage.New(member)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.call(baggage.ContextWithBaggage(t.Context(), bag), "relay-echo"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if w.baggage != want {
				t.Errorf("%s: the second server got %q, want %q", p, w.baggage, want)
			}
		})
	}
}

// Health checks and listings are no news.
func TestBuiltInServicesMakeNoSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rpcclient.V2)
		if _, err := w.client.Invoke(t.Context(), "!health", nil); err != nil {
			t.Fatal(err)
		}
		if got := w.ended(); len(got) > 0 {
			t.Errorf("got %d spans", len(got))
		}
	})
}

func BenchmarkCall(b *testing.B) {
	for _, test := range []struct {
		name    string
		sampler trace.Sampler // nil: no middleware
	}{{"without", nil}, {"not sampled", trace.NeverSample()}, {"sampled", trace.AlwaysSample()}} {
		b.Run(test.name, func(b *testing.B) {
			s := rpcserver.New(nil)
			if test.sampler != nil {
				s.Use(otel.Middleware(&otel.Config{Provider: trace.NewTracerProvider(trace.WithSampler(test.sampler))}))
			}
			c := rpctest.PairOf(b, s, &rpcclient.Config{Protocol: rpcclient.V2}, func(s *rpcserver.Server) {
				rpcserver.Handle(s, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, rpcserver.Quick())
			})
			ctx := rpcclient.WithMetadata(b.Context(), rpcclient.Metadata{"traceparent": "00-" + traceID + "-" + spanID + "-01"})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rpcclient.Call[int](ctx, c, "double", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
