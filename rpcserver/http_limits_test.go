package rpcserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// wantRefused says that a request must meet a limit, and be told when to come back.
func (b *browser) wantRefused(path string, status int, after, says string, header ...string) {
	b.t.Helper()
	got, body, answer := b.ask("GET", path, header...)
	if got != status || answer.Header.Get("Retry-After") != after || body != says {
		b.t.Errorf("%s: got %d %q after %q, want %d %q after %q", path, got, body, answer.Header.Get("Retry-After"), status, says, after)
	}
}

// A client's requests and calls are out of one bucket, whatever connections they come on. Who asks whether the server is well is always told.
func TestHTTPRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages, told := 0, 0
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, Rate: rpcserver.Rate{PerSecond: 0.4, Burst: 3}, HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			pages++
			io.WriteString(w, "page")
		}), Observer: &rpcserver.Observer{Refused: func(reason string, _ net.Addr) {
			if reason == rpcserver.RefusedRate {
				told++
			}
		}}}, 0)
		const says = "more than 0.4 calls a second"
		b, p := h.browse(), h.visit()
		b.want("/services", 200, "[")
		b.want("/x", 200, "page")
		p.send(ours, "fib", "10")
		p.want(answered + " fib_res 89")
		b.wantRefused("/x", 429, "3", says)
		b.wantRefused("/services", 429, "3", says)
		h.browse().wantRefused("/x", 429, "3", says)
		p.send(ours, "fib", "10")
		if got, err := p.next(); err != nil || !strings.Contains(got, says) {
			t.Errorf("got %s, %v", got, err)
		}
		for range 5 {
			b.want("/healthz", 200, "ok")
			b.want("/readyz", 200, "ready")
		}
		time.Sleep(2500 * time.Millisecond)
		b.want("/x", 200, "page")
		b.wantRefused("/x", 429, "3", says)
		if got := h.s.Stats().Refusals[rpcserver.RefusedRate]; got != 5 || told != 5 || pages != 2 {
			t.Errorf("%d refusals are counted, %d were told, want 5; %d pages, want 2", got, told, pages)
		}
	})
}

// Requests of one connection may be those of many: each token has a bucket, and so has the address of those whose token is wrong.
func TestHTTPRateOfTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, err := rpcserver.StaticTokens(map[string]string{"a-token": "ann", "b-token": "bob"})
		if err != nil {
			t.Fatal(err)
		}
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, Auth: known, Rate: rpcserver.Rate{PerSecond: 1, Burst: 2}}, 0)
		b := h.browse()
		for _, test := range []struct {
			token  string
			status int
		}{{"a-token", 200}, {"b-token", 200}, {"wrong", 401}} {
			header := "Authorization: Bearer " + test.token
			for range 2 {
				if got, body, answer := b.ask("GET", "/services", header); got != test.status || answer.Header.Get("Retry-After") != "" {
					t.Errorf("%s: got %d %.100s, want %d", test.token, got, body, test.status)
				}
			}
			b.wantRefused("/services", 429, "1", "more than 1 call a second", header)
		}
	})
}

// Handlers of HTTP have their places among all that is in flight, and give them back, also when they panic.
func TestHTTPInFlight(t *testing.T) {
	came, finish := make(chan struct{}, 2), make(chan struct{})
	h := onTCP(t, &rpcserver.Config{HTTPPlain: true, MaxInFlight: 2, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("no")
		case "/slow":
			came <- struct{}{}
			<-finish
		}
		fmt.Fprint(w, "page")
	})})
	rpcserver.Handle(h.s, "run", func(context.Context, int) (int, error) { return 1, nil })
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return h.dial() }}}
	t.Cleanup(client.CloseIdleConnections)
	ask := func(path string) (status int, body, after string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://here"+path, nil)
		if err != nil {
			return 0, err.Error(), ""
		}
		answer, err := client.Do(r)
		if err != nil {
			return 0, err.Error(), ""
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return 0, err.Error(), ""
		}
		return answer.StatusCode, strings.TrimSpace(string(text)), answer.Header.Get("Retry-After")
	}
	want := func(path string, status int, says string) {
		t.Helper()
		if got, body, after := ask(path); got != status || !strings.HasPrefix(body, says) || (after == "1") != (status == 503) {
			t.Errorf("%s: got %d %.100q after %q, want %d %q", path, got, body, after, status, says)
		}
	}
	for range 3 {
		if status, body, _ := ask("/panic"); status != 0 {
			t.Errorf("/panic: got %d %s", status, body)
		}
	}
	done := make(chan string, 2)
	for range 2 {
		go func() { // received below
			status, body, _ := ask("/slow")
			done <- fmt.Sprint(status, body)
		}()
		<-came
	}
	if got := h.s.Stats(); got.InFlight != 2 {
		t.Errorf("%d are in flight, want 2", got.InFlight)
	}
	want("/x", 503, "2 calls are in flight")
	want("/services", 200, "[")
	want("/readyz", 200, "ready")
	p := h.visit()
	p.send(ours, "run", "1")
	if got, err := p.next(); err != nil || !strings.Contains(got, "2 calls are in flight") {
		t.Errorf("a call beside them: got %s, %v", got, err)
	}
	close(finish)
	for range 2 {
		if got := <-done; got != "200page" {
			t.Errorf("got %s", got)
		}
	}
	await(t, func() bool { return h.s.Stats().InFlight == 0 }) // their answers may be quicker
	want("/x", 200, "page")
	if got := h.s.Stats().Refusals[rpcserver.RefusedInFlight]; got != 2 {
		t.Errorf("%d refusals are counted, want 2", got)
	}
}
