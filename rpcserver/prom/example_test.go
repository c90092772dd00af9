package prom_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/prom"
)

func Example() {
	metrics := prom.New(prometheus.NewRegistry()) // or nil, for the default registry
	server := rpcserver.New(&rpcserver.Config{Observer: metrics.Observer()})
	metrics.Collect(server)

	rpcserver.Handle(server, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }() // ends with Close, below
	call(ln.Addr().String())
	server.Close()
	<-served

	page := httptest.NewRecorder() // a program of yours has the handler under /metrics: see Config.HTTP of package rpcserver
	metrics.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for lines := bufio.NewScanner(page.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "rpckids_server_calls_total") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// rpckids_server_calls_total{code="invalid_argument",method="double",pattern="call",protocol="v1"} 1
	// rpckids_server_calls_total{code="not_found",method="!unknown",pattern="unknown",protocol="v1"} 1
	// rpckids_server_calls_total{code="ok",method="double",pattern="call",protocol="v1"} 1
}

func call(address string) {
	client, err := rpcclient.New(address, &rpcclient.Config{Protocol: rpcclient.V1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for service, payload := range map[string]any{"double": 21, "treble": 14} {
		_, _ = rpcclient.Call[int](context.Background(), client, service, payload)
	}
	_, _ = rpcclient.Call[int](context.Background(), client, "double", "no number")
}
