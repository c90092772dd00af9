package rpcserver_test

import (
	"bufio"
	"context"
	"encoding/json"
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

// browser asks over HTTP, on one connection as long as that lasts.
type browser struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func (h *house) browse() *browser {
	h.t.Helper()
	return browseOn(h.t, h.visit().nc)
}

func browseOn(t *testing.T, nc net.Conn) *browser {
	nc.SetDeadline(time.Now().Add(patience))
	return &browser{t, nc, bufio.NewReader(nc)}
}

func (b *browser) ask(method, path string, header ...string) (status int, body string, answer *http.Response) {
	b.t.Helper()
	fmt.Fprintf(b.nc, "%s %s HTTP/1.1\r\nHost: here\r\n%s\r\n", method, path, strings.Join(append(header, ""), "\r\n"))
	answer, err := http.ReadResponse(b.r, &http.Request{Method: method})
	if err != nil {
		b.t.Fatalf("%s: %v", path, err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text)), answer
}

func (b *browser) want(path string, status int, begins string) {
	b.t.Helper()
	if got, body, _ := b.ask("GET", path); got != status || !strings.HasPrefix(body, begins) {
		b.t.Errorf("%s: got %d %.200q, want %d %q", path, got, body, status, begins)
	}
}

// wantEnd says that the server must close now.
func (b *browser) wantEnd() {
	b.t.Helper()
	if n, err := io.Copy(io.Discard, b.r); n > 0 || err != nil {
		b.t.Errorf("%d bytes more came, %v", n, err)
	}
}

// Without TLS only /healthz is open; HTTPPlain opens the rest; what RefusePlain leaves is /healthz.
func TestHTTP(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("no\x1b")
		}
		fmt.Fprintf(w, "page %s", r.URL.Path)
	})
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		b := h.browse()
		b.want("/healthz", 200, "ok")
		b.want("/readyz", 403, "this port speaks rpckids; of HTTP only /healthz is open without TLS")
		b.want("/services", 403, "this port")
		b.want("/healthz", 200, "ok") // on the same connection still
		if status, _, answer := b.ask("POST", "/healthz"); status != 405 || answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST: got %d", status)
		}
		if status, body, answer := b.ask("HEAD", "/healthz"); status != 200 || body != "" || answer.ContentLength != 3 {
			t.Errorf("HEAD: got %d, %q, %d bytes", status, body, answer.ContentLength)
		}
		b.nc.Close()
		e.want(t, rpcserver.WasHTTP)
		synctest.Wait() // it is counted out after that is told
		if got := h.s.Stats().Open; got != 0 {
			t.Errorf("%d connections are open", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, HTTP: page}, 0)
		b := h.browse()
		b.want("/readyz", 200, "ready")
		b.want("/other", 200, "page /other")
		_, body, answer := b.ask("GET", "/services")
		var list []struct{ Name, Pattern string }
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) < 5 || list[0].Name != "chat" || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v, %.200s", err, body)
		}
		h.s.SetReady(false)
		b.want("/readyz", 503, "draining")
		h.s.SetReady(true)
		b.want("/readyz", 200, "ready")
		fmt.Fprint(b.nc, "GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
		b.wantEnd()
		if got := h.s.Stats().Panics; got != 1 {
			t.Errorf("%d panics are counted", got)
		}
		p := h.visit() // and the rest of the port goes on
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		h.browse().want("/x", 200, "page /x")
	})
}

// Every method of HTTP gets an answer of HTTP, also as the first thing that a connection says.
func TestHTTPMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 99)
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, Observer: e.observer()}, 0)
		for _, test := range []struct {
			method, path string
			status       int
		}{
			{http.MethodGet, "/healthz", 200}, {http.MethodHead, "/healthz", 200}, {http.MethodPost, "/healthz", 405}, {http.MethodPut, "/healthz", 405},
			{http.MethodPatch, "/healthz", 405}, {http.MethodDelete, "/healthz", 405}, {http.MethodConnect, "/healthz", 405}, {http.MethodOptions, "/healthz", 405},
			{http.MethodTrace, "/healthz", 405}, {http.MethodDelete, "/services", 405}, {http.MethodOptions, "*", 405}, {http.MethodConnect, "here:443", 405},
			{http.MethodDelete, "/nothing", 404}, {"DANCE", "/healthz", 405},
		} {
			b := h.browse()
			if status, _, answer := b.ask(test.method, test.path); status != test.status || (answer.Header.Get("Allow") == "GET, HEAD") != (status == 405) {
				t.Errorf("%s %s: got %d, Allow %q, want %d", test.method, test.path, status, answer.Header.Get("Allow"), test.status)
			}
			b.nc.Close()
			e.want(t, rpcserver.WasHTTP)
		}
	})
}

// A request has a time and a size, and so has a connection without one.
func TestHTTPLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		b := h.browse()
		start := time.Now()
		fmt.Fprint(b.nc, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
		b.wantEnd()
		near(t, start, 10*time.Second)
		e.want(t, rpcserver.WasHTTP)
		b = h.browse()
		b.want("/healthz", 200, "ok")
		start = time.Now()
		b.nc.SetDeadline(time.Time{})
		b.wantEnd()
		near(t, start, 60*time.Second)
		e.want(t, rpcserver.WasHTTP)
		b = h.browse()
		b.nc.SetDeadline(time.Time{})
		fmt.Fprintf(b.nc, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 40_000))
		answer, err := http.ReadResponse(b.r, nil)
		if err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Fatalf("got %v, %v", answer, err)
		}
		b.nc.Close()
		e.want(t, rpcserver.WasHTTP)
	})
}

// Shutdown closes idle connections of HTTP at once and lets requests finish; Close cuts them.
func TestHTTPDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{}, 2)
		finish := make(chan struct{})
		var causes []error
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun <- struct{}{}
			select {
			case <-finish:
				io.WriteString(w, "done")
			case <-r.Context().Done():
				causes = append(causes, context.Cause(r.Context()))
			}
		})}, 0)
		idle, busy, fresh := h.browse(), h.browse(), h.visit()
		idle.want("/healthz", 200, "ok")
		fmt.Fprint(busy.nc, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		fresh.write([]byte("G"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- h.s.Shutdown(ctx) }() // received below
		idle.wantEnd()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Shutdown did not wait: %v", err)
		default:
		}
		close(finish)
		answer, err := http.ReadResponse(busy.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(answer.Body); string(text) != "done" || !answer.Close {
			t.Errorf("got %q, and the connection stays: %v", text, !answer.Close)
		}
		busy.wantEnd()
		if err := <-done; err != nil { // when the one that has sent a byte has had its 10 s
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		ended := make(chan error, 1)
		h := inMemory(t, &rpcserver.Config{HTTPPlain: true, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			ended <- context.Cause(r.Context())
		})}, 0)
		b := h.browse()
		fmt.Fprint(b.nc, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		h.s.Close()
		if err := <-ended; err == nil {
			t.Error("the request's context did not end")
		}
	})
}
