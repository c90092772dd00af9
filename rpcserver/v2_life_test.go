package rpcserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

func TestV2Shutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		busy, idle := h.visit2(nil), h.visit2(nil)
		busy.call("slow", "3000")
		busy.call("ticks", "1000") // would go on for ever, but knows Draining
		sum := busy.begin("sum")
		busy.item(sum, "1")
		synctest.Wait()
		start := time.Now()
		done := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() { done <- h.s.Shutdown(ctx) }() // ends with the calls; received below
		idle.want(warning("1m0s")...)
		idle.heard()
		idle.want("GOAWAY 0 0 ok 1m0s the server stops")
		idle.wantEnd()
		idle.nc.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the idle connection was closed after %v, want at once", waited)
		}
		busy.call("fib", "10") // crosses the warning
		busy.wantInAnyOrder(append(warning("1m0s"), "DATA 2 END", "DATA 4 END 89")...)
		busy.heard()
		busy.want("GOAWAY 0 4 ok 1m0s the server stops")
		id := busy.call("fib", "10") // comes too late
		got, err := busy.next()
		if want := fmt.Sprintf("ERROR %d REFUSED unavailable: ", id); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("got %q, %v; want %q...", got, err, want)
		}
		busy.item(sum, "2") // running ones go on
		busy.end(sum)
		busy.want("DATA 3 END 3", "DATA 1 END 3000")
		busy.wantEnd()
		busy.nc.Close()
		if err := <-done; err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("shut down after %v, want 3s", waited)
		}
		e.want(t, rpcserver.Stopping)
		e.want(t, rpcserver.Stopping)
	})
}

// When the server's patience ends, handlers learn why, and the connection is cut.
func TestV2ShutdownOverdue(t *testing.T) {
	for name, stop := range map[string]func(*rpcserver.Server) error{
		"overdue": func(s *rpcserver.Server) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return s.Shutdown(ctx)
		},
		"close": (*rpcserver.Server).Close,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, nil, 0)
				seen := registerWaits(h.s)
				p, v1 := h.visit2(nil), h.visit()
				p.call("wait", "1")
				p.begin("takes")
				v1.send(ours, "wait", "1")
				synctest.Wait()
				err, cause, why := stop(h.s), rpcserver.ErrDraining, rpcserver.Stopping
				if name == "close" {
					cause, why = rpcserver.ErrServerClosed, rpcserver.Cut
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
				}
				for range 3 {
					if got := <-seen; got.cause != cause {
						t.Errorf("got %v because of %v, want %v", got.err, got.cause, cause)
					}
				}
				v1.wantEnd()
				synctest.Wait()
				if st := h.s.Stats(); st.Open+st.Running+st.Streams != 0 || st.Closed[string(why)] != 2 {
					t.Errorf("stats: got %+v, want nothing left", st)
				}
			})
		})
	}
}

func TestV2Idle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		p := h.visit2(nil)
		p.call("slow", "60000")
		p.want("DATA 1 END 60000")
		start := time.Now()
		go io.Copy(io.Discard, p.nc) // ends when the server has closed
		e.want(t, rpcserver.IdleTooLong)
		if waited := time.Since(start); waited < 59*time.Second || waited > 62*time.Second {
			t.Errorf("closed after %v, want about 60s", waited)
		}
	})
}

func TestServerTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1}, 0)
		set := wire.DefaultSettings()
		set.WantTiming = true
		p := h.visit2(&set)
		p.call("slow", "100")
		p.call("slow", "50")
		p.want("DATA 1 END {server-timing=0 100000000} 100", "DATA 2 END {server-timing=100000000 50000000} 50")
		p.call("fibs", "2")
		p.want("DATA 3 1", "DATA 3 1", "DATA 3 END {server-timing=0 0}")
		p.call("fib", "99") // an ERROR has no metadata
		p.want("ERROR 4 invalid_argument: n is 99, want 0 to 91")
	})
}

func registerMetadata(s *rpcserver.Server) {
	both := func(ctx context.Context) error {
		return errors.Join(rpcserver.SetReplyMetadata(ctx, "head", "1"), rpcserver.SetReplyMetadata(ctx, "both", "head"), rpcserver.SetReplyMetadata(ctx, "head", "2"),
			rpcserver.SetTrailer(ctx, "tail", "3"), rpcserver.SetTrailer(ctx, "both", "tail"))
	}
	rpcserver.Handle(s, "meta", func(ctx context.Context, _ int) (rpcserver.Metadata, error) {
		return rpcserver.MetadataOf(ctx), both(ctx)
	})
	rpcserver.HandleStream(s, "metas", func(ctx context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			err := both(ctx)
			for i := range n {
				yield(i, err)
			}
			if err := rpcserver.SetReplyMetadata(ctx, "late", "1"); (err != nil) != (n > 0) {
				yield(0, fmt.Errorf("late metadata: %v", err))
			}
		}
	})
	rpcserver.Handle(s, "badmeta", func(ctx context.Context, _ int) (string, error) {
		return fmt.Sprint(rpcserver.SetTrailer(ctx, "Upper", "x"), "; ", rpcserver.SetTrailer(ctx, "server-timing", "1 1"), "; ", rpcserver.SetTrailer(ctx, "big", strings.Repeat("x", 8<<10))), nil
	})
}

func TestMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		registerMetadata(h.s)
		p := h.visit2(nil)
		const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		p.call("meta", "1", "traceparent", trace, "user-agent", "test", "my.own_key-1", "v")
		p.want(`DATA 1 END {head=2, tail=3, both=tail} {"my.own_key-1":"v","traceparent":"` + trace + `","user-agent":"test"}`)
		p.call("metas", "2")
		p.want("DATA 2 {head=2, both=head} 0", "DATA 2 1", "DATA 2 END {tail=3, both=tail}")
		p.call("metas", "0")
		p.want("DATA 3 END {head=2, late=1, tail=3, both=tail}")
		p.call("badmeta", "1")
		_, bad := wire.AppendField(nil, "Upper", "")
		want := bad.Error() + `; metadata name "server-timing" is the server's own; metadata big: the caller takes 8192 bytes in all`
		b, _ := json.Marshal(want)
		p.want("DATA 4 END " + string(b))

		v1 := h.visit() // has none, and nothing fails for that
		v1.send(ours+";t="+trace, "meta", "1")
		v1.want(answered + ` meta_res {"traceparent":"` + trace + `"}`)
		v1.send(ours, "meta", "1")
		v1.want(answered + " meta_res {}")

		if err := rpcserver.SetTrailer(t.Context(), "a", "b"); err == nil {
			t.Error("a context that is no handler's was taken")
		}
		if m := rpcserver.MetadataOf(t.Context()); len(m) > 0 {
			t.Errorf("got %v, want nothing", m)
		}
		if rpcserver.Draining(t.Context()) != nil {
			t.Error("a context that is no handler's knows a server")
		}
	})
}

func TestMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemoryBefore(t, func(s *rpcserver.Server, note func(string)) {
			mw := func(name string) rpcserver.Middleware {
				return func(next rpcserver.Handler) rpcserver.Handler {
					return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
						note(fmt.Sprintf("%s %s %s %s", name, c.Protocol(), c.Pattern(), c.Service()))
						if c.Service() == "exp" {
							return rpcserver.Errorf(rpcserver.PermissionDenied, "not today")
						}
						err := next.ServeCall(ctx, c)
						note(fmt.Sprintf("%s done %v", name, err))
						return err
					})
				}
			}
			s.Use(mw("a")).Use(mw("b"))
		})
		p, v1 := h.visit2(nil), h.visit()
		v1.send(ours, "fib", "10")
		v1.want(answered + " fib_res 89")
		h.noted("a v1 call fib", "b v1 call fib", "b done <nil>", "a done <nil>")
		p.call("fibs", "93")
		p.want("ERROR 1 invalid_argument: n is 93, want 0 to 92")
		h.noted("a v2 stream fibs", "b v2 stream fibs", "b done invalid_argument: n is 93, want 0 to 92", "a done invalid_argument: n is 93, want 0 to 92")
		p.call("exp", "1")
		p.want("ERROR 2 permission_denied: not today")
		h.noted("a v2 call exp")
		p.call("!health", "null")
		p.next()
		h.noted("a v2 call !health", "b v2 call !health", "b done <nil>", "a done <nil>")
		defer func() {
			if recover() == nil {
				t.Error("Use after Serve: want a panic")
			}
		}()
		h.s.Use(func(next rpcserver.Handler) rpcserver.Handler { return next })
	})
}

// noting is a house that keeps notes.
type noting struct {
	*house
	mu    sync.Mutex // protects the field below
	notes []string
}

func inMemoryBefore(t *testing.T, before func(*rpcserver.Server, func(string))) *noting {
	n := &noting{}
	n.house = inMemoryWith(t, nil, func(s *rpcserver.Server) {
		before(s, func(text string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.notes = append(n.notes, text)
		})
	})
	return n
}

func (n *noting) noted(want ...string) {
	n.t.Helper()
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := strings.Join(n.notes, "\n"); got != strings.Join(want, "\n") {
		n.t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	n.notes = nil
}

func TestListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p, v1 := h.visit2(nil), h.visit()
		v1.send(ours, "!services", "null")
		_, payload, err := v1.reply()
		if err != nil {
			t.Fatal(err)
		}
		var got []struct {
			Name       string
			ReplyType  string `json:"reply_type"`
			Pattern    string
			Request    json.RawMessage
			Reply      json.RawMessage
			Doc        string
			Example    json.RawMessage
			Idempotent bool
		}
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range got {
			request, err := shape.FromSchema(s.Request)
			if err != nil {
				t.Errorf("%s: %v in %s", s.Name, err, s.Request)
				continue
			}
			reply, err := shape.FromSchema(s.Reply)
			if err != nil {
				t.Errorf("%s: %v in %s", s.Name, err, s.Reply)
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %s %s -> %s %s, as in %s, idempotent %v", s.Pattern, s.Name, request, s.ReplyType, reply, s.Example, s.Idempotent))
			if s.Doc == "" {
				t.Errorf("%s has no line that says what it is for", s.Name)
			}
			if err := request.Check(s.Example); err != nil {
				t.Errorf("%s: its example %s: %v", s.Name, s.Example, err)
			}
		}
		want := []string{
			`bidi chat string -> chat_res string, as in "hello", idempotent false`,
			`call echo any -> echo_res any, as in "hello", idempotent true`,
			`call exp {base:int, exp:int} -> exp_res {costInNanos:int64, value:int64}, as in {"base":2,"exp":10}, idempotent true`,
			`call fail {code:string, message:string} -> fail_res {}, as in {"code":"unavailable","message":"as you wish"}, idempotent true`,
			`call fib int -> fib_res int64, as in 10, idempotent true`,
			`stream fibs int -> fibs_res int64, as in 10, idempotent true`,
			`cast log any ->  any, as in "hi", idempotent false`,
			`call slow int -> slow_res int64, as in 500, idempotent true`,
			`upload sum int64 -> sum_res int64, as in 1, idempotent true`,
			`stream ticks int -> ticks_res {at:string, n:int}, as in 1000, idempotent true`,
		}
		for i, line := range lines {
			lines[i] = strings.ReplaceAll(strings.ReplaceAll(line, "{value:int64, costInNanos:int64}", "{costInNanos:int64, value:int64}"), "{n:int, at:string}", "{at:string, n:int}")
		}
		if !reflect.DeepEqual(lines, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		if !strings.Contains(payload, `{"name":"exp","reply_type":"exp_res","pattern":"call","request":{"type":"object","properties":{"base":{"type":"integer","format":"int"},"exp":{"type":"integer","format":"int"}},"required":["base","exp"]},"reply":`) {
			t.Errorf("exp stands differently in %s", payload)
		}
		p.call("!services", "null")
		if again, err := p.next(); again != "DATA 1 END "+payload {
			t.Errorf("over version 2: got %s, %v", again, err)
		}
		rpcserver.Handle(h.s, "later", func(context.Context, int) (int, error) { return 0, nil })
		p.call("!services", "")
		if again, err := p.next(); !strings.Contains(again, `{"name":"later",`) {
			t.Errorf("a service that came later is not in %s, %v", again, err)
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1}, 0)
		p, v1 := h.visit2(nil), h.visit()
		p.call("slow", "5000")
		p.call("slow", "5000")
		p.begin("sum")
		synctest.Wait()
		time.Sleep(time.Second)
		v1.send(ours, "!health", "null")
		_, payload, err := v1.reply()
		if err != nil {
			t.Fatal(err)
		}
		steady := regexp.MustCompile(`("(?:bytes_in|bytes_out|heap_bytes|goroutines)"):[1-9]\d*|("go":"go)[^"]*`).ReplaceAllString(payload, "$1$2")
		want := `{"status":"serving","connections":2,"v1":1,"v2":1,"running":1,"queued":1,"streams":1,"in_flight":3,"limit":1024,"workers":1,` +
			`"calls":3,"failed":0,"canceled":0,"panics":0,"refused":0,"refusals":{},"accepted":2,"closed":{},"bytes_in","bytes_out","heap_bytes","goroutines",` +
			`"uptime_ms":1000,"name":"rpckids","go":"go","protocols":["v1","v2"]}`
		if steady != want {
			t.Errorf("got\n%s\nwant\n%s", steady, want)
		}
		v1.send(ours, "!nope", "null")
		v1.want(answered + ` !error {"code":"not_found","message":"no service \"!nope\""}`)
	})
}

func TestV2Observer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []rpcserver.CallInfo
		h := inMemory(t, &rpcserver.Config{Observer: &rpcserver.Observer{CallDone: func(c rpcserver.CallInfo) {
			mu.Lock()
			defer mu.Unlock()
			c.Peer = nil
			got = append(got, c)
		}}}, 0)
		p := h.visit2(nil)
		const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		p.call("slow", "100", "traceparent", trace)
		p.want("DATA 1 END 100")
		id := p.open(0, wire.OpenHead{}, "chat", `"a"`)
		p.item(id, `"b"`)
		p.want(`DATA 2 "you said: a"`, `DATA 2 "you said: b"`)
		p.end(id)
		p.want(`DATA 2 "goodbye"`, "DATA 2 END")
		p.call("nope", "1")
		p.next()
		p.open(wire.FlagEnd, wire.OpenHead{OneWay: true}, "log", `"x"`)
		synctest.Wait()
		want := []rpcserver.CallInfo{
			{Service: "slow", Pattern: "call", Protocol: "v2", Trace: trace, Ran: true, BytesIn: 31, BytesOut: 3, Handler: 100 * time.Millisecond},
			{Service: "chat", Pattern: "bidi", Protocol: "v2", Ran: true, BytesIn: 6, BytesOut: 35, ItemsIn: 2, ItemsOut: 3},
			{Protocol: "v2", Code: rpcserver.NotFound, BytesIn: 1},
			{Service: "log", Pattern: "cast", Protocol: "v2", OneWay: true, Ran: true, BytesIn: 3},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}

func TestV2Log(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == "peer" {
				return slog.Attr{}
			}
			return a
		}}))
		h := inMemory(t, &rpcserver.Config{Logger: logger}, 0)
		synctest.Wait()
		p := h.visit2(nil)
		p.call("fib", "10")
		p.want("DATA 1 END 89")
		p.call("\x1b[2J", "1", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		p.next()
		p.call("fib", "10", "request-id", "mine\a")
		p.next()
		p.write([]byte("\x70\x00\x00"))
		io.Copy(io.Discard, p.nc)
		p.nc.Close()
		synctest.Wait()
		h.s.Close()
		want := []string{
			`msg="connection comes" event=conn_opened`,
			`msg="read a message" event=message request_id=1 service=fib bytes=2`,
			`msg="read a message" event=message request_id=2 service=\x1b[2J bytes=`,
			`msg="a call failed" event=call_failed request_id=2 code=not_found error="no service \"\\x1b[2J\"" protocol=v2 took=0s trace=4bf92f3577b34da6a3ce929d0e0e4736`,
			`msg="read a message" event=message request_id=mine\a service=fib bytes=`,
			`msg="connection leaves" event=conn_closed reason="unknown kind" protocol=v2`,
		}
		got := out.lines()[1:]
		if len(got) != len(want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("got %s, want %s...", got[i], want[i])
			}
		}
	})
}

// TestV2Allocations counts what one call costs the whole process, over a real socket, with a peer that allocates nothing.
func TestV2Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, test := range []struct {
		name, typ, payload, reply string
		timeout                   time.Duration
		most                      float64
	}{
		{"int, worker", "fib", "20", "10946", 0, 1},
		{"int, quick", "quick", "20", "10946", 0, 1},
		{"int with a deadline", "fib", "20", "10946", 5 * time.Second, 1},
		{"string", "echo", `"hello, hello, hello, hello"`, `"hello, hello, hello, hello"`, 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := onTCP(t, nil)
			h.s.Service("quick", rpcserver.Func(func(context.Context, int) (int64, error) { return 10946, nil }), rpcserver.Quick())
			p := h.visit2(nil)
			p.nc.SetReadDeadline(time.Time{})
			head := wire.OpenHead{Number: 1, Name: []byte(test.typ), Timeout: test.timeout}
			id := uint32(0)
			request, want, got := make([]byte, 0, 100), make([]byte, 0, 100), make([]byte, 100)
			open := make([]byte, 0, 100)
			once := func() {
				id++
				open = append(wire.AppendOpen(open[:0], &head), test.payload...)
				head.Name = nil
				request = wire.AppendFrame(request[:0], wire.KindOpen, wire.FlagEnd, id, open)
				p.nc.Write(request)
				want = append(wire.AppendHeader(want[:0], wire.KindData, wire.FlagEnd, id, len(test.reply)), test.reply...)
				if _, err := io.ReadFull(p.nc, got[:len(want)]); err != nil || string(got[:len(want)]) != string(want) {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
			}
			once()
			if allocs := testing.AllocsPerRun(2000, once); allocs > test.most {
				t.Errorf("allocations per call: got %v, want at most %v", allocs, test.most)
			}
		})
	}
}
