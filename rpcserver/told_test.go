package rpcserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// logged is what a server logs, as programs read it.
type logged struct {
	t   *testing.T
	out lockedBuffer
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&l.out, nil)) }

// of returns the lines of one event so far.
func (l *logged) of(event string) (lines []map[string]any) {
	l.t.Helper()
	for _, text := range l.out.lines() {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			l.t.Fatalf("%v: %s", err, text)
		}
		if line["event"] == event {
			lines = append(lines, line)
		}
	}
	return lines
}

// fromMany starts a server each of whose connections comes from the address that next says.
func fromMany(t *testing.T, cfg *rpcserver.Config, next func() net.IP) *house {
	t.Helper()
	ln := memnet.Listen()
	from := func() net.Addr { return &net.TCPAddr{IP: next(), Port: 1} }
	return serve(t, rpcserver.New(cfg), &foreign{ln, from}, func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
}

// Whatever is counted as a call is told of as one, also what was refused before anybody had looked at it.
func TestCallDoneForEveryMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // protects done
		done := map[string]int{}
		tell := func(c rpcserver.CallInfo) {
			mu.Lock()
			defer mu.Unlock()
			if c.Peer == nil || c.Protocol != "v2" {
				t.Errorf("told of %+v", c)
			}
			done[c.Service+" "+c.Code.String()]++
		}
		h := inMemory(t, &rpcserver.Config{MaxStreams: 2, MaxMessage: 64 << 10, MaxConnMemory: 64 << 10, Observer: &rpcserver.Observer{CallDone: tell}}, 0)
		g := gate(h.s)
		p, q := h.visit2(nil), h.visit2(nil)
		for range 5 {
			p.call("wait", "1")
		}
		big := `"` + strings.Repeat("x", 15<<10) + `"`
		for range 2 { // the fourth part of the second one is too much
			id := q.open(wire.FlagMore, wire.OpenHead{}, "wait", big)
			for range 2 {
				q.frame(wire.KindData, wire.FlagMore, id, []byte(big))
			}
		}
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- h.s.Shutdown(context.Background()) }() // received below
		time.Sleep(2 * time.Second)                                   // the ping is not answered
		p.call("wait", "1")
		synctest.Wait()
		close(g.gate)
		time.Sleep(time.Second)
		p.nc.Close()
		q.nc.Close()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		sum := 0
		for _, n := range done {
			sum += n
		}
		st := h.s.Stats()
		if done["wait ok"] != 2 || done[" resource_exhausted"] < 4 || done[" unavailable"] != 1 || sum != int(st.Calls) {
			t.Errorf("told of %v, counted %d; refusals %v", done, st.Calls, st.Refusals)
		}
	})
}

// Every panic that is counted is told of, with a name that no service can have where it was none.
func TestPanicsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // protects told
		told := map[string]int{}
		h := inMemory(t, &rpcserver.Config{
			HTTPPlain: true, HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") }),
			Auth: asked(func(c rpcserver.Credentials) (string, error) {
				if c.Token == "bad" {
					panic("no")
				}
				return "ann", nil
			}),
			Observer: &rpcserver.Observer{Panicked: func(name string, value any, stack []byte) {
				mu.Lock()
				defer mu.Unlock()
				told[fmt.Sprint(name, " ", value, " ", len(stack) > 0)]++
			}},
		}, 0)
		rpcserver.Handle(h.s, "fall", func(context.Context, int) (int, error) { panic("no") })
		b := h.browse()
		fmt.Fprint(b.nc, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
		b.wantEnd()
		p := h.visit2(nil)
		for range 2 {
			p.call("fib", "1", "authorization", "bad")
			p.next()
		}
		p.call("fall", "1")
		p.next()
		mu.Lock()
		defer mu.Unlock()
		if want := map[string]int{"!http no true": 1, "!auth no true": 2, "fall no true": 1}; !maps.Equal(told, want) || h.s.Stats().Panics != 4 {
			t.Errorf("told of %v, want %v; %d are counted", told, want, h.s.Stats().Panics)
		}
	})
}

// A call that brings a token of its own is out of the bucket of whom that shows, and if it shows nobody, out of that of whose connection it is.
func TestRateOfTheCallsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, err := rpcserver.StaticTokens(map[string]string{"token-a": "ann", "token-b": "bob", "token-c": "cid", "token-g": "gate"})
		if err != nil {
			t.Fatal(err)
		}
		var c toll
		h := inMemory(t, &rpcserver.Config{Auth: known, Rate: rpcserver.Rate{PerSecond: 0.01, Burst: 2}, Observer: c.observer()}, 0)
		rpcserver.Handle(h.s, "who", func(ctx context.Context, _ int) (string, error) { return rpcserver.Identity(ctx), nil })
		settings := wire.DefaultSettings()
		settings.Authorization = "Bearer token-g"
		p := h.visit2(&settings)
		const tooFast = "ERROR %d REFUSED resource_exhausted: more than 0.01 calls a second again in 1m40s"
		const unknown = "ERROR %d unauthenticated: the token is not known here: was it mistyped, or has it been replaced?"
		for _, test := range []struct{ token, want string }{
			{"token-a", `DATA %d END "ann"`}, {"token-a", `DATA %d END "ann"`}, {"token-a", tooFast},
			{"token-b", `DATA %d END "bob"`}, {"", `DATA %d END "gate"`},
			{"wrong", unknown}, {"", `DATA %d END "gate"`}, {"", tooFast}, {"token-g", tooFast}, {"token-b", `DATA %d END "bob"`}, {"token-b", tooFast},
			{"wrong", unknown}, {"wrong", tooFast}, {"token-c", tooFast}, // after so many guesses a right one is none either
		} {
			var fields []string
			if test.token != "" {
				fields = []string{"authorization", "Bearer " + test.token}
			}
			p.want(fmt.Sprintf(test.want, p.call("who", "1", fields...)))
		}
		c.want(t, h.s, map[string]uint64{rpcserver.RefusedRate: 6, rpcserver.RefusedUnknown: 2})
	})
}

// Whoever tries tokens is seen in the log, whatever way he comes: a line a second for each address, ten for all, and never the token.
func TestTriedTokensAreLogged(t *testing.T) {
	known, err := rpcserver.StaticTokens(map[string]string{"right-token": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	settings := wire.DefaultSettings()
	settings.Authorization = "Bearer wrong-token"
	for name, try := range map[string]func(h *house){
		"of the connection": func(h *house) {
			p := h.visit2(&settings)
			p.call("fib", "1")
			p.next()
		},
		"of the call": func(h *house) {
			p := h.visit2(nil)
			p.call("fib", "1", "authorization", "wrong-token")
			p.next()
		},
		"version 1": func(h *house) {
			p := h.visit()
			p.send(ours, "fib", "1")
			p.next()
		},
		"HTTP": func(h *house) { h.browse().ask("GET", "/services", "Authorization: Bearer wrong-token") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := logged{t: t}
				last := byte(1)
				h := fromMany(t, &rpcserver.Config{Auth: known, HTTPPlain: true, Logger: log.logger()}, func() net.IP { return net.IPv4(192, 0, 2, last) })
				for range 100 {
					try(h)
				}
				time.Sleep(time.Second)
				for last = 1; last < 31; last++ {
					try(h)
				}
				lines := log.of("auth_failed")
				if len(lines) != 11 || lines[0]["level"] != "WARN" || lines[0]["peer"] != "192.0.2.1:1" || lines[0]["error"] == "" || lines[1]["left_out"] != 99.0 || lines[2]["left_out"] != nil {
					t.Errorf("got %d lines: %v", len(lines), lines)
				}
				if got := h.s.Stats().Refusals[rpcserver.RefusedUnknown]; got != 130 {
					t.Errorf("%d are counted, want 130", got)
				}
				if text := strings.Join(log.out.lines(), "\n"); strings.Contains(text, "wrong-token") {
					t.Errorf("the token is in the log:\n%s", text)
				}
			})
		})
	}
}

// A connection that shows nothing, but a token with each call, is nothing to warn of.
func TestTokensOfCallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, err := rpcserver.StaticTokens(map[string]string{"right-token": "ann"})
		if err != nil {
			t.Fatal(err)
		}
		log := logged{t: t}
		h := inMemory(t, &rpcserver.Config{Auth: known, Logger: log.logger()}, 0)
		p := h.visit2(nil)
		p.call("fib", "10", "authorization", "right-token")
		p.want("DATA 1 END 89")
		if lines := log.of("auth_failed"); len(lines) > 0 {
			t.Errorf("got %v", lines)
		}
	})
}

// Failed calls are told of once a second for each address, however many connections bring them, and ten times for all.
func TestFailedCallsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged{t: t}
		last := byte(1)
		h := fromMany(t, &rpcserver.Config{Logger: log.logger(), MaxConnsPerAddr: 1000}, func() net.IP { return net.IPv4(192, 0, 2, last) })
		fail := func() {
			p := h.visit()
			p.send(ours, "nope", "1")
			p.next()
			p.nc.Close()
		}
		for range 300 {
			fail()
		}
		if lines := log.of("call_failed"); len(lines) != 1 {
			t.Errorf("got %d lines, want 1", len(lines))
		}
		time.Sleep(time.Second)
		for last = 1; last < 51; last++ {
			fail()
		}
		lines := log.of("call_failed")
		if len(lines) != 11 || lines[1]["left_out"] != 299.0 || lines[10]["peer"] != "192.0.2.10:1" {
			t.Errorf("got %d lines: %v", len(lines), lines)
		}
		time.Sleep(time.Second)
		fail()
		if lines := log.of("call_failed"); len(lines) != 12 || lines[11]["left_out"] != 40.0 {
			t.Errorf("got %d lines: %v", len(lines), lines)
		}
	})
}

// Every handler can tell where its call comes from, also when the caller's connection has gone.
func TestPeerOfContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		came := make(chan string, 1)
		note := func(ctx context.Context) {
			came <- fmt.Sprint(rpcserver.Peer(ctx), " ", rpcserver.Draining(ctx) != nil)
		}
		h := fromMany(t, &rpcserver.Config{HTTPPlain: true, HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { note(r.Context()) })},
			func() net.IP { return net.IPv4(192, 0, 2, 7) })
		rpcserver.Handle(h.s, "call", func(ctx context.Context, _ int) (int, error) { note(ctx); return 0, nil })
		rpcserver.HandleCast(h.s, "cast", func(ctx context.Context, _ int) error {
			time.Sleep(time.Second)
			note(ctx)
			return ctx.Err()
		})
		rpcserver.HandleUpload(h.s, "upload", func(ctx context.Context, items iter.Seq2[int, error]) (int, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			note(ctx)
			return 0, nil
		})
		for name, call := range map[string]func(){
			"version 1":         func() { h.visit().send("1", "call", "1") },
			"with a deadline":   func() { h.visit().send(ours+";d=5000", "call", "1") },
			"cast of version 1": func() { p := h.visit(); p.send("1", "cast", "1"); p.nc.Close() },
			"version 2":         func() { h.visit2(nil).call("call", "1") },
			"cast of version 2": func() {
				p := h.visit2(nil)
				p.open(wire.FlagEnd, wire.OpenHead{OneWay: true}, "cast", "1")
				p.nc.Close()
			},
			"upload": func() { h.visit2(nil).begin("upload") },
			"HTTP":   func() { h.browse().ask("GET", "/x") },
		} {
			call()
			if got := <-came; got != "192.0.2.7:1 true" {
				t.Errorf("%s: got %s", name, got)
			}
		}
		synctest.Wait()
		if st := h.s.Stats(); st.Failed != 0 {
			t.Errorf("%d failed", st.Failed)
		}
		if got := rpcserver.Peer(t.Context()); got != nil {
			t.Errorf("no handler's: got %v", got)
		}
	})
}

// For programs a request id is text, on whatever version it came.
func TestRequestIDsAreText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged{t: t}
		h := inMemory(t, &rpcserver.Config{Logger: log.logger()}, 0)
		p, q := h.visit(), h.visit2(nil)
		p.send("17", "fib", "1")
		p.next()
		q.call("fib", "1")
		q.next()
		lines := log.of("message")
		if len(lines) != 2 || lines[0]["request_id"] != "17" || lines[1]["request_id"] != "1" {
			t.Errorf("got %v", lines)
		}
	})
}
