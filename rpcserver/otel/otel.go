package otel

import (
	"context"
	"net"
	"strconv"
	"strings"
	"unicode"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/rpckids/rpckids/rpcserver"
)

// scope is what the spans say made them.
const scope = "github.com/rpckids/rpckids/rpcserver/otel"

// Config changes how spans are made. nil and the zero value mean the defaults.
type Config struct {
	// Provider makes the spans; nil means otel.GetTracerProvider().
	Provider trace.TracerProvider
	// Propagator reads what the caller sent; nil means W3C trace context, whatever the global one is. Others read metadata, which version 1 of
	// the wire does not have, under lower-case names, and nothing longer than 1 KiB.
	Propagator propagation.TextMapPropagator
	// Messages adds the texts of errors to the spans' status, made printable and cut to 300 bytes. Such texts may quote what callers sent.
	Messages bool
}

// tracer is a Config at work.
type tracer struct {
	trace.Tracer
	propagator propagation.TextMapPropagator
	messages   bool
}

// Middleware makes a span of every call; see the package's words. A nil cfg means the defaults.
func Middleware(cfg *Config) rpcserver.Middleware {
	var c Config
	if cfg != nil {
		c = *cfg
	}
	if c.Provider == nil {
		c.Provider = otel.GetTracerProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.TraceContext{}
	}
	t := &tracer{c.Provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)), c.Propagator, c.Messages}
	return func(next rpcserver.Handler) rpcserver.Handler {
		return rpcserver.HandlerFunc(func(ctx context.Context, call *rpcserver.Call) error {
			if strings.HasPrefix(call.Service(), "!") {
				return next.ServeCall(ctx, call)
			}
			return t.serve(ctx, call, next)
		})
	}
}

func (t *tracer) serve(ctx context.Context, call *rpcserver.Call, next rpcserver.Handler) (err error) {
	ctx = t.propagator.Extract(ctx, &carrier{ctx: ctx, call: call})
	ctx, span := t.Start(ctx, call.Service(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		semconv.RPCSystemNameKey.String("rpckids"), semconv.RPCMethod(call.Service()), attribute.String("rpckids.pattern", string(call.Pattern()))))
	if !span.IsRecording() {
		defer span.End()
		return next.ServeCall(ctx, call)
	}
	span.SetAttributes(network(call)...)
	returned := false
	defer func() {
		if returned {
			t.end(span, err)
		} else { // a panic, which goes on, or runtime.Goexit
			span.SetAttributes(semconv.RPCResponseStatusCode(rpcserver.Internal.String()), semconv.ErrorTypeKey.String("panic"))
			span.SetStatus(codes.Error, "the handler panicked")
		}
		span.End()
	}()
	err = next.ServeCall(ctx, call)
	returned = true
	return err
}

func (t *tracer) end(span trace.Span, err error) {
	code := rpcserver.CodeOf(err)
	span.SetAttributes(semconv.RPCResponseStatusCode(code.String()))
	if !ours(code) {
		return
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(code.String()))
	text := code.String()
	if t.messages {
		text = printable(err.Error())
	}
	span.SetStatus(codes.Error, text)
}

// ours reports whether a code says that the server failed, rather than its caller.
func ours(c rpcserver.Code) bool {
	switch c {
	case rpcserver.Unknown, rpcserver.DeadlineExceeded, rpcserver.Unimplemented, rpcserver.Internal, rpcserver.Unavailable, rpcserver.DataLoss:
		return true
	}
	return false
}

// network says over what a call came.
func network(call *rpcserver.Call) []attribute.KeyValue {
	peer := call.Peer()
	as := append(make([]attribute.KeyValue, 0, 5),
		semconv.NetworkProtocolName("rpckids"), semconv.NetworkProtocolVersion(strings.TrimPrefix(call.Protocol(), "v")))
	switch a := peer.(type) {
	case *net.TCPAddr:
		return append(as, semconv.NetworkTransportTCP, semconv.NetworkPeerAddress(a.IP.String()), semconv.NetworkPeerPort(a.Port))
	case *net.UnixAddr:
		return append(as, semconv.NetworkTransportUnix, semconv.NetworkPeerAddress(a.Name))
	}
	return append(as, semconv.NetworkPeerAddress(peer.String()))
}

// mostText is how many bytes of an error's text a span shows.
const mostText = 300

// printable makes a text safe to show: what does not print becomes an escape, and it is cut short.
func printable(text string) string {
	if len(text) > mostText {
		text = strings.ToValidUTF8(text[:mostText], "") + "..."
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
