package rpcclient_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcclient"
)

// goldenFrames reads the frames that were taken off the original's wire.
func goldenFrames(t *testing.T) map[string][]byte {
	t.Helper()
	f, err := os.Open("../internal/wire/testdata/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frames := make(map[string][]byte)
	for s := bufio.NewScanner(f); s.Scan(); {
		if cols := strings.Split(s.Text(), " | "); len(cols) == 4 && !strings.HasPrefix(cols[0], "#") {
			if frames[cols[0]], err = hex.DecodeString(cols[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return frames
}

// A client with ids of the user's making sends the very bytes that the Java
// client sent, and understands the very bytes that the Java server answered.
func TestGoldenFrames(t *testing.T) {
	frames := goldenFrames(t)
	for _, test := range []struct {
		request, reply, typ, payload, want string
	}{
		{"java-fib-0-request", "java-fib-0-reply", "fib", "0", "1"},
		{"java-fib-29-request", "java-fib-29-reply", "fib", "29", "832040"},
		{"java-exp-2-0-request", "java-exp-2-0-reply", "exp", `{"base":2,"exp":0}`, `{"costInNanos":140,"value":1}`},
		{"short-fib-10", "short-fib-10-reply", "fib", "10", "89"},
		{"short-exp-2-10", "utf16-unit-lengths", "exp", `{"base":2,"exp":10}`, `"你😀"`},
		{"short-fib-10", "utf16-unit-lengths-object", "fib", "10", `{"问":"答案","n":1}`},
	} {
		t.Run(test.request+" "+test.reply, func(t *testing.T) {
			request, reply := frames[test.request], frames[test.reply]
			if request == nil || reply == nil {
				t.Fatal("no such golden frame")
			}
			id := string(request[4 : 4+int(request[3])])
			c, s := connect(t, func(c *peer.Conn, _ peer.Message) { c.Send(reply) },
				func(cfg *rpcclient.Config) { cfg.RequestID = func() string { return id } })
			got, err := c.Invoke(t.Context(), test.typ, json.RawMessage(test.payload))
			if string(got) != test.want || err != nil {
				t.Errorf("reply %s, %v; want %s", got, err, test.want)
			}
			if sent := s.Conns()[0].Bytes(); string(sent) != string(request) {
				t.Errorf("sent %x, want %x", sent, request)
			}
		})
	}
}

func TestChineseTextGoesOutWithByteLengths(t *testing.T) {
	c, s := connect(t, peer.Echo, func(cfg *rpcclient.Config) { cfg.RequestID = func() string { return "1" } })
	if got, err := rpcclient.Call[string](t.Context(), c, "é", "你😀"); got != "你😀" || err != nil {
		t.Errorf("echo gave %q, %v", got, err)
	}
	if got, want := string(s.Conns()[0].Bytes()), string(peer.Frame("1", "é", `"你😀"`)); got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestRepairsAreCounted(t *testing.T) {
	c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
		frame := peer.Frame(m.ID, "echo_res", `"你😀"`)
		frame[len(frame)-len(`"你😀"`)-1] = 5 // UTF-16 units
		c.Send(append(frame, frame...))
	})
	for range 3 {
		if got, err := rpcclient.Call[string](t.Context(), c, "echo", 1); got != "你😀" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if s := c.Stats(); s.Repairs != 3 {
		t.Errorf("%d repairs, want 3", s.Repairs)
	}
}

func TestRepliesInReverseOrder(t *testing.T) {
	var mu sync.Mutex
	var held []peer.Message
	c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
		mu.Lock()
		defer mu.Unlock()
		if held = append(held, m); len(held) < 100 {
			return
		}
		for i := range held {
			m := held[len(held)-1-i]
			c.Reply(m.ID, "r", m.Payload)
		}
	})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if got, err := rpcclient.Call[int](context.Background(), c, "n", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

// Replies that nobody asked for are dropped, counted by kind, and harm no call.
func TestStrayReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			switch m.Type {
			case "slow":
				time.AfterFunc(time.Second, func() { c.Reply(m.ID, "slow_res", "1") })
				return
			case "log":
				c.Reply(m.ID, "log_res", "1") // as the original answers a cast
				return
			}
			c.Reply("37f3863c-0000-0000-0000-000000000000", "r", "1")
			c.Reply("", "r", "1")
			c.Reply(m.ID+"x", "r", "1")
			c.Reply(m.ID[:16]+"!3", "r", "1")
			c.Reply(m.ID[:8]+"7fffffff;rk2", "r", "1") // one of ours, never sent
			c.Reply(m.ID, "r", m.Payload)
			c.Reply(m.ID, "r", m.Payload)
			c.Reply(m.ID[:16]+"!1", "r", m.Payload)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := rpcclient.Call[int](ctx, c, "slow", 0); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rpcclient.ErrContext) {
			t.Errorf("slow call gave %v, want its deadline", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range 3 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
		}
		for range 2 {
			if err := rpcclient.Cast(t.Context(), c, "log", "x"); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		want := rpcclient.Dropped{Wrong: 15, Late: 1, Repeated: 6, Unasked: 2}
		if got := c.Stats().Dropped; got != want {
			t.Errorf("dropped %+v, want %+v", got, want)
		}
		if got := len(s.Conns()); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
	})
}

func TestStrayRepliesToIDsOfTheUsersMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "log" {
				c.Reply(m.ID, "log_res", "1")
				return
			}
			c.Reply("nobody", "r", "1")
			c.Reply(m.ID, "r", m.Payload)
			c.Reply(m.ID, "r", m.Payload)
		}, func(cfg *rpcclient.Config) {
			cfg.RequestID = func() string { n++; return strconv.Itoa(n) }
		})
		for i := range 100 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
		}
		if err := rpcclient.Cast(t.Context(), c, "log", 1); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want := rpcclient.Dropped{Wrong: 100, Repeated: 100, Unasked: 1}
		if got := c.Stats().Dropped; got != want {
			t.Errorf("dropped %+v, want %+v", got, want)
		}
	})
}

func TestAServerOfOursIsRecognised(t *testing.T) {
	c, _ := connect(t, func(c *peer.Conn, m peer.Message) { c.Reply(m.ID[:16]+"!1", "r", "1") })
	if c.Stats().Ours {
		t.Error("ours before a word was said")
	}
	if _, err := rpcclient.Call[int](t.Context(), c, "n", 1); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); !s.Ours || s.Protocol != "v1" || s.State != rpcclient.Connected {
		t.Errorf("stats %+v, want ours, v1, connected", s)
	}
}

func TestErrorReplies(t *testing.T) {
	const busy = `{"code":"resource_exhausted","message":"busy\u001b[2J","retry_after_ms":250,"details":{"queue":1000}}`
	c, s := connect(t, func(c *peer.Conn, m peer.Message) {
		switch m.Type {
		case "ours":
			c.Reply(m.ID[:16]+"!1", "!error", busy)
		case "plain":
			c.Reply(m.ID+";e", "error.not_found: no service plain", `{"code":"not_found","message":"no service plain"}`)
			c.CloseWrite()
		case "late":
			c.Reply(m.ID, "!error", `{"code":"deadline_exceeded","message":"too late"}`)
		case "odd":
			c.Reply(m.ID[:16]+"!1", "!error", `{"code":"tea","message":"x"}`)
		case "broken":
			c.Reply(m.ID[:16]+"!1", "!error", `oops`)
		default:
			peer.Echo(c, m)
		}
	})
	for _, test := range []struct {
		typ  string
		code rpcclient.Code
		kind error
		text string
	}{
		{"ours", rpcclient.ResourceExhausted, rpcclient.ErrServer, `resource_exhausted: busy\x1b[2J`},
		{"plain", rpcclient.NotFound, rpcclient.ErrServer, "not_found: no service plain"},
		{"late", rpcclient.DeadlineExceeded, rpcclient.ErrServer, "deadline_exceeded: too late"},
		{"odd", rpcclient.UnknownError, rpcclient.ErrServer, "unknown: x"},
		{"broken", rpcclient.Internal, rpcclient.ErrReply, "cannot be read"},
	} {
		_, err := c.Invoke(t.Context(), test.typ, nil)
		e, ok := errors.AsType[*rpcclient.Error](err)
		if !ok || e.Code != test.code || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.text) || e.Attempts != 1 || e.Server == "" {
			t.Errorf("%s gave %#v %v; want %v, %q", test.typ, e, err, test.kind, test.text)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a server's answer is taken for the caller's own deadline", test.typ)
		}
		if test.typ == "ours" && (e.RetryAfter != 250*time.Millisecond || string(e.Details) != `{"queue":1000}`) {
			t.Errorf("retry after %v, details %s", e.RetryAfter, e.Details)
		}
	}
	if got, err := rpcclient.Call[int](t.Context(), c, "n", 1); got != 1 || err != nil {
		t.Errorf("the call after all errors gave %d, %v", got, err)
	}
	if got := len(s.Conns()); got != 2 {
		t.Errorf("%d connections, want 2: only the plain peer's error ends one", got)
	}
}

func TestRepliesThatDoNotFit(t *testing.T) {
	c, _ := connect(t, func(c *peer.Conn, m peer.Message) {
		var reply string
		json.Unmarshal([]byte(m.Payload), &reply)
		c.Reply(m.ID, "r", reply)
	})
	call := func(reply string, f func(string) error) error { return f(reply) }
	asInt := func(p string) error { _, err := rpcclient.Call[int64](t.Context(), c, "x", p); return err }
	asString := func(p string) error { _, err := rpcclient.Call[string](t.Context(), c, "x", p); return err }
	asStruct := func(p string) error { _, err := rpcclient.Call[expResponse](t.Context(), c, "x", p); return err }
	asPointer := func(p string) error { _, err := rpcclient.Call[*int](t.Context(), c, "x", p); return err }
	asNothing := func(p string) error { _, err := rpcclient.Call[struct{}](t.Context(), c, "x", p); return err }
	asRaw := func(p string) error {
		_, err := c.Invoke(t.Context(), "x", json.RawMessage(strconv.Quote(p)))
		return err
	}
	for _, test := range []struct {
		name  string
		as    func(string) error
		reply string
		want  string // part of the error; "" for none
	}{
		{"int", asInt, "-1", ""},
		{"int", asInt, " 12 ", ""},
		{"int", asInt, "9223372036854775807", ""},
		{"int", asInt, "9223372036854775808", "want int64"},
		{"int", asInt, "1.5", "want int64"},
		{"int", asInt, `"1"`, "is a string, want int64"},
		{"int", asInt, "null", "null"},
		{"int", asInt, "", "not JSON"},
		{"int", asInt, "12 13", "not JSON"},
		{"int", asInt, "012", "not JSON"},
		{"int", asInt, "-", "not JSON"},
		{"string", asString, `"a\u0041"`, ""},
		{"string", asString, `"a"b"`, "not JSON"},
		{"string", asString, `1`, "want string"},
		{"struct", asStruct, `{"value":1}`, ""},
		{"struct", asStruct, `null`, "null"},
		{"struct", asStruct, `{"value":"x"}`, `field "value"`},
		{"struct", asStruct, `{"value":1}}`, "not JSON"},
		{"pointer", asPointer, "null", ""},
		{"nothing", asNothing, "null", ""},
		{"raw", asRaw, "{oops", "not JSON"},
		{"raw", asRaw, "[1]", ""},
	} {
		err := call(test.reply, test.as)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s of %q: %v", test.name, test.reply, err)
			}
			continue
		}
		if !errors.Is(err, rpcclient.ErrReply) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %q: error %v, want %q", test.name, test.reply, err, test.want)
		}
	}
	if s := c.Stats(); s.Reconnects != 0 {
		t.Errorf("%d reconnects: a reply of no use must leave the connection alone", s.Reconnects)
	}
}

func TestInvalidUTF8IsNoReply(t *testing.T) {
	c, _ := connect(t, func(c *peer.Conn, m peer.Message) { c.Reply(m.ID, "r", "\"\xff\"") })
	if _, err := c.Invoke(t.Context(), "x", nil); !errors.Is(err, rpcclient.ErrReply) || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("got %v, want a reply that is not UTF-8", err)
	}
}

// After a plain peer's error answer its connection takes no new calls, but waits
// for those that are out, and is closed with the last of them.
func TestConnectionAfterAPlainError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := connect(t, func(c *peer.Conn, m peer.Message) {
			switch m.Type {
			case "fail":
				c.Reply(m.ID+";e", "error.internal: no", `{"code":"internal","message":"no"}`)
			case "slow":
				time.AfterFunc(time.Second, func() { peer.Echo(c, m) })
			case "n":
				peer.Echo(c, m)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := rpcclient.Call[int](t.Context(), c, "slow", 4); got != 4 || err != nil {
				t.Errorf("the slow call gave %d, %v", got, err)
			}
		})
		wg.Go(func() {
			if _, err := rpcclient.Call[int](ctx, c, "silence", 4); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the silent call gave %v", err)
			}
		})
		synctest.Wait()
		if _, err := rpcclient.Call[int](t.Context(), c, "fail", 1); !errors.Is(err, rpcclient.ErrServer) {
			t.Errorf("got %v, want the server's error", err)
		}
		for i := range 3 {
			if got, err := rpcclient.Call[int](t.Context(), c, "n", i); got != i || err != nil {
				t.Errorf("call %d gave %d, %v", i, got, err)
			}
		}
		wg.Wait()
		synctest.Wait()
		if got := len(s.Conns()); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
		if n, err := s.Conns()[0].Write([]byte("x")); err == nil {
			t.Errorf("the first connection still takes bytes (%d) after its last call", n)
		}
	})
}
