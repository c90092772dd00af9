package otel

import (
	"context"
	"errors"
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

	"github.com/rpckids/rpckids/rpcclient"
)

// scope is what the spans say made them.
const scope = "github.com/rpckids/rpckids/rpcclient/otel"

// Config changes how spans are made. nil and the zero value mean the defaults.
type Config struct {
	// Provider makes the spans; nil means otel.GetTracerProvider().
	Provider trace.TracerProvider

	// Propagator writes what the server gets; nil means W3C trace context, whatever
	// the global one is. Others write metadata, which version 1 of the wire does not
	// have, under lower-case names. Nothing longer than 1 KiB is sent.
	Propagator propagation.TextMapPropagator

	// Messages adds the texts of errors to the spans' status, made printable and
	// cut to 300 bytes. Such texts may quote payloads.
	Messages bool
}

// tracer is a Config at work.
type tracer struct {
	trace.Tracer
	propagator propagation.TextMapPropagator
	messages   bool
}

// Middleware makes a span of every call; see the package's words. A nil cfg means
// the defaults.
func Middleware(cfg *Config) rpcclient.Middleware {
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
	return func(next rpcclient.Doer) rpcclient.Doer {
		return func(ctx context.Context, r *rpcclient.Request) error {
			if strings.HasPrefix(r.Type, "!") {
				return next(ctx, r)
			}
			return t.do(ctx, r, next)
		}
	}
}

func (t *tracer) do(ctx context.Context, r *rpcclient.Request, next rpcclient.Doer) (err error) {
	name := strings.ToValidUTF8(r.Type, "?") // an exporter may stumble over what the call itself will be refused for
	ctx, span := t.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.RPCSystemNameKey.String("rpckids"), semconv.RPCMethod(name), attribute.String("rpckids.pattern", string(r.Pattern))))
	returned := false
	defer func() {
		if !returned { // whoever ranges over the items panicked, or left by runtime.Goexit
			span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
			span.SetStatus(codes.Error, "the caller panicked")
		} else if span.IsRecording() {
			t.end(span, r, err)
		}
		span.End()
	}()
	m := carrier{}
	t.propagator.Inject(ctx, m)
	if len(m) > 0 {
		ctx = rpcclient.WithMetadata(ctx, rpcclient.Metadata(m))
	}
	err = next(ctx, r)
	returned = true
	return err
}

func (t *tracer) end(span trace.Span, r *rpcclient.Request, err error) {
	span.SetAttributes(answerer(r)...)
	if err == nil {
		span.SetAttributes(semconv.RPCResponseStatusCode(rpcclient.OK.String()))
		return
	}
	code, kind := rpcclient.UnknownError.String(), rpcclient.ErrMiddleware // as it will arrive
	if e, ok := errors.AsType[*rpcclient.Error](err); ok && e != nil && e.Kind != nil {
		code, kind = e.Code.String(), e.Kind
	}
	class, text := kind.Error(), code+": "+kind.Error()
	if kind == rpcclient.ErrServer {
		class = code
	}
	if t.messages {
		text = printable(err.Error())
	}
	span.SetAttributes(semconv.RPCResponseStatusCode(code), semconv.ErrorTypeKey.String(class))
	span.SetStatus(codes.Error, text)
}

// answerer says whom the last attempt went to.
func answerer(r *rpcclient.Request) []attribute.KeyValue {
	var as []attribute.KeyValue
	if r.Server != "" {
		host, port := r.Server, 0
		if h, p, err := net.SplitHostPort(r.Server); err == nil {
			if n, err := strconv.Atoi(p); err == nil {
				host, port = h, n
			}
		}
		as = append(as, semconv.ServerAddress(strings.TrimPrefix(host, "unix://")))
		if port > 0 {
			as = append(as, semconv.ServerPort(port))
		}
	}
	if r.Protocol != "" {
		as = append(as, semconv.NetworkProtocolName("rpckids"), semconv.NetworkProtocolVersion(strings.TrimPrefix(r.Protocol, "v")))
	}
	if r.Attempts > 1 {
		as = append(as, attribute.Int("rpckids.attempts", r.Attempts))
	}
	return as
}

// mostText is how many bytes of an error's text a span shows.
const mostText = 300

// printable makes a text safe to show: what does not print becomes an escape, and
// it is cut short.
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
