// What metrics and traces show of two servers that call each other: the spans of one call as a tree, and a page for Prometheus on the
// server's own port.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/rpckids/rpckids/rpcclient"
	clientotel "github.com/rpckids/rpckids/rpcclient/otel"
	"github.com/rpckids/rpckids/rpcserver"
	serverotel "github.com/rpckids/rpckids/rpcserver/otel"
	"github.com/rpckids/rpckids/rpcserver/prom"
)

// spans collects what has ended; a program of yours sends it to a collector instead.
type spans struct{ ended []trace.ReadOnlySpan }

func (s *spans) ExportSpans(_ context.Context, ended []trace.ReadOnlySpan) error {
	s.ended = append(s.ended, ended...)
	return nil
}

func (s *spans) Shutdown(context.Context) error { return nil }

// show prints the spans below one as a tree; the zero id has the roots below it.
func (s *spans) show(below api.SpanID, depth int) {
	for _, span := range s.ended {
		if span.Parent().SpanID() == below {
			fmt.Printf("%s%s (%s)\n", strings.Repeat("  ", depth), span.Name(), span.SpanKind())
			s.show(span.SpanContext().SpanID(), depth+1)
		}
	}
}

// serve starts a server whose calls are counted and become spans.
func serve(m *prom.Metrics, traced rpcserver.Middleware, services func(*rpcserver.Server)) (addr string, stop func() error, err error) {
	pages := http.NewServeMux()
	pages.Handle("/metrics", m.Handler())
	s := rpcserver.New(&rpcserver.Config{Observer: m.Observer(), HTTP: pages, HTTPPlain: true})
	s.Use(traced)
	services(s)
	m.Collect(s)
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	return ln.Addr().String(), func() error {
		err := s.Shutdown(context.Background())
		<-served
		return err
	}, nil
}

func run(ctx context.Context) error {
	var ended spans
	provider := trace.NewTracerProvider(trace.WithSyncer(&ended))
	onServer := serverotel.Middleware(&serverotel.Config{Provider: provider})
	onClient := &rpcclient.Config{Protocol: rpcclient.V2, Use: []rpcclient.Middleware{clientotel.Middleware(&clientotel.Config{Provider: provider})}}
	metrics := prom.New(nil)

	back, stopBack, err := serve(metrics, onServer, func(s *rpcserver.Server) {
		rpcserver.Handle(s, "square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	})
	if err != nil {
		return err
	}
	squares, err := rpcclient.New(back, onClient)
	if err != nil {
		return err
	}
	front, stopFront, err := serve(metrics, onServer, func(s *rpcserver.Server) {
		rpcserver.Handle(s, "sum of squares", func(ctx context.Context, numbers []int) (sum int, err error) {
			for _, n := range numbers {
				square, err := rpcclient.Call[int](ctx, squares, "square", n) // ctx carries the span
				if err != nil {
					return 0, err
				}
				sum += square
			}
			return sum, nil
		})
	})
	if err != nil {
		return err
	}
	c, err := rpcclient.New(front, onClient)
	if err != nil {
		return err
	}
	sum, err := rpcclient.Call[int](ctx, c, "sum of squares", []int{3, 4})
	if err != nil {
		return err
	}
	fmt.Println("sum of squares:", sum)
	if err := page("http://" + front + "/metrics"); err != nil {
		return err
	}
	err = errors.Join(c.Close(), stopFront(), squares.Close(), stopBack())
	ended.show(api.SpanID{}, 0)
	return err
}

// page prints what Prometheus would read of the calls.
func page(url string) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "rpckids_server_calls_total") {
			fmt.Println(lines.Text())
		}
	}
	return lines.Err()
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
