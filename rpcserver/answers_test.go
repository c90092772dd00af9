package rpcserver_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// golden returns the frames that were taken off the wire of the Java programs, by name.
func golden(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../internal/wire/testdata/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, " | "); !strings.HasPrefix(line, "#") && len(f) >= 3 {
			if frames[f[0]], err = hex.DecodeString(f[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return frames
}

func TestGoldenFrames(t *testing.T) {
	frames := golden(t)
	for request, reply := range map[string]string{
		"java-fib-0-request":  "java-fib-0-reply",
		"java-fib-29-request": "java-fib-29-reply",
		"java-cast-fib-6":     "java-cast-fib-6-answer", // no mark on the wire: it is a call
		"short-fib-10":        "short-fib-10-reply",
	} {
		t.Run(request, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, nil, 0).visit()
				p.write(frames[request])
				got := make([]byte, len(frames[reply]))
				n, err := p.nc.Read(got)
				if err != nil || string(got[:n]) != string(frames[reply]) || n == 0 {
					t.Errorf("got %x, %v\nwant %x", got[:n], err, frames[reply])
				}
			})
		})
	}
}

func TestGoldenExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in fake time the loop costs nothing
		p := inMemory(t, nil, 0).visit()
		p.write(golden(t)["short-exp-2-10"])
		p.want(`1 exp_res {"value":1024,"costInNanos":0}`)
	})
}

// TestJavaText sends texts as Java writes them, lengths counted in UTF-16 units, and wants them understood and answered with byte lengths.
func TestJavaText(t *testing.T) {
	frames := golden(t)
	for name, want := range map[string]string{
		"utf8-byte-lengths":         `"你😀"`,
		"utf16-unit-lengths":        `"你😀"`,
		"utf16-unit-lengths-object": `{"问":"答案","n":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				repaired := 0
				h := inMemory(t, &rpcserver.Config{Workers: 1, Observer: &rpcserver.Observer{Repaired: func(_ net.Addr) { repaired++ }}}, 0)
				for _, typ := range []string{"echo_res", "t"} {
					rpcserver.Handle(h.s, typ, func(_ context.Context, v json.RawMessage) (json.RawMessage, error) { return v, nil }, rpcserver.Reply("r"))
				}
				p := h.visit()
				p.write(frames[name])
				p.send("2", "slow", "0") // the next message is in step
				m, _ := p.next()
				if _, payload, _ := strings.Cut(m, " r "); payload != want {
					t.Errorf("got %q, want the payload %s", m, want)
				}
				p.want("2 slow_res 0")
				if want := strings.Count(name, "utf16"); repaired != want || h.s.Stats().Repaired != uint64(want) {
					t.Errorf("repairs: got %d and %d, want %d", repaired, h.s.Stats().Repaired, want)
				}
			})
		})
	}
}

// A Java text that is the last thing on the connection is understood when the peer has closed its side, and when its time is over.
func TestJavaTextCutShort(t *testing.T) {
	for name, closes := range map[string]bool{"end of stream": true, "ten seconds": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, nil, 0).visit()
				frame := wire.AppendMessage(nil, "1", "echo", "\"\xe4\xbd\xa0") // complete as declared, no JSON: the quote may come
				start := time.Now()
				p.write(frame)
				if closes {
					p.closeWrite()
				}
				p.want(`1;e error.invalid_argument: not JSON at byte 4: unexpected end of JSON input {"code":"invalid_argument","message":"not JSON at byte 4: unexpected end of JSON input","details":{"violations":[{"field":"","at":4,"problem":"not JSON: unexpected end of JSON input"}]}}`)
				p.wantEnd()
				if waited := time.Since(start); !closes && waited < 10*time.Second {
					t.Errorf("gave up after %v, want 10s", waited)
				}
			})
		})
	}
}

type limited struct {
	N    int      `json:"n"`
	Name *string  `json:"name"`
	List []int    `json:"list"`
	In   struct{} `json:"in"`
}

func (l *limited) Validate() error {
	if l.N > 5 {
		return fmt.Errorf("n is %d, want at most 5", l.N)
	}
	return nil
}

// wrongCalls is what can be wrong with a call, and its answer.
var wrongCalls = []struct {
	name, typ, payload string
	code, message      string
	violation          *rpcserver.Violation
}{
	{"unknown type", "nope", "1", "not_found", `no service "nope"`, nil},
	{"nearly known type", "fob", "1", "not_found", `no service "fob", did you mean "fib"?`, nil},
	{"reserved type", "!service", "null", "not_found", `no service "!service"`, nil},
	{"type that moves the cursor", "\x1b[2J", "1", "not_found", `no service "\x1b[2J"`, nil},
	{"endless type", strings.Repeat("x", 300), "1", "not_found", `no service "` + strings.Repeat("x", 64) + `..."`, nil},
	{"empty type", "", "1", "not_found", `no service ""`, nil},
	{"not JSON", "fib", "{oops", "invalid_argument", "not JSON at byte 1: invalid character 'o' looking for beginning of object key string", at("", 1, "not JSON: invalid character 'o' looking for beginning of object key string")},
	{"two values", "fib", "1 2", "invalid_argument", "not JSON at byte 2: invalid character '2' after top-level value", at("", 2, "not JSON: invalid character '2' after top-level value")},
	{"two objects", "any", "{} {}", "invalid_argument", "not JSON at byte 3: invalid character '{' after top-level value", at("", 3, "not JSON: invalid character '{' after top-level value")},
	{"wrong type", "fib", `"x"`, "invalid_argument", "at byte 0: want int, got string", at("", 0, "want int, got string")},
	{"fraction", "fib", `1.5`, "invalid_argument", "at byte 0: want int, got number 1.5", at("", 0, "want int, got number 1.5")},
	{"too large", "fib", `92233720368547758070`, "invalid_argument", "at byte 0: want int, got number 92233720368547758070", at("", 0, "want int, got number 92233720368547758070")},
	{"wrong field", "exp", `{"base":2, "exp": "10"}`, "invalid_argument", `field "exp" at byte 18: want int, got string`, at("exp", 18, "want int, got string")},
	{"object in a field", "exp", `{"base":{"a":1},"exp":1}`, "invalid_argument", `field "base" at byte 8: want int, got object`, at("base", 8, "want int, got object")},
	{"null", "fib", `null`, "invalid_argument", "the payload is null, want int", at("", 0, "the payload is null, want int")},
	{"null with space", "fib", " null\n", "invalid_argument", "the payload is null, want int", at("", 1, "the payload is null, want int")},
	{"nothing", "fib", ``, "invalid_argument", "the payload is empty, want int", at("", 0, "the payload is empty, want int")},
	{"null for an object", "exp", `null`, "invalid_argument", "the payload is null, want object", at("", 0, "the payload is null, want object")},
	{"null field", "exp", `{"exp":1, "base": null}`, "invalid_argument", `field "base" at byte 18: want int, got null`, at("base", 18, "want int, got null")},
	{"null in a list", "limited", `{"list":[1,null]}`, "invalid_argument", `field "list[1]" at byte 11: want int, got null`, at("list[1]", 11, "want int, got null")},
	{"not UTF-8", "echo", "\"a\xff\"", "invalid_argument", "byte 2 is not UTF-8", at("", 2, "not UTF-8")},
	{"refused by Validate", "limited", `{"n":6}`, "invalid_argument", "n is 6, want at most 5", nil},
	{"refused by its own Validate", "exp", `{"base":2,"exp":-1}`, "invalid_argument", "exp is -1, want 0 to 1000000", at("exp", 16, "is -1, want 0 to 1000000")},
	{"out of range", "fib", "92", "invalid_argument", "n is 92, want 0 to 91", nil},
	{"handler's error", "broken", "1", "unknown", "no luck", nil},
	{"handler's typed error", "fail", `{"code":"unavailable","message":"gone"}`, "unavailable", "gone", nil},
	{"wrapped typed error", "wrapped", `1`, "aborted", "inner", nil},
	{"nil typed error", "nilerror", `1`, "unknown", "the handler returned a nil error of type *Error", nil},
	{"canceled", "canceled", `1`, "canceled", "context canceled", nil},
	{"panic", "panics", "1", "internal", "service panics failed; its server's log says more", nil},
	{"goroutine ended", "exits", "1", "internal", "service exits failed; its server's log says more", nil},
	{"quick panic", "quickpanics", "1", "internal", "service quickpanics failed; its server's log says more", nil},
	{"reply is no JSON", "notjson", "{", "internal", "the reply is not JSON", nil},
	{"reply is not UTF-8", "notjson", "\"\xff\"", "internal", "the reply is not JSON", nil},
	{"reply cannot be JSON", "func", "1", "internal", "the reply cannot be written as JSON: json: unsupported type: func()", nil},
	{"reply too large", "big", "1048577", "resource_exhausted", "the reply has 1048579 bytes, the limit is 1048576", nil},
}

func at(field string, at int, problem string) *rpcserver.Violation {
	return &rpcserver.Violation{Field: field, At: at, Problem: problem}
}

// TestErrors goes through what can be wrong with a call, once as a peer of ours, whose connection stays, and once as a peer of the
// original, whose one failed call is answered last.
func TestErrors(t *testing.T) {
	for _, test := range wrongCalls {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, nil, 0)
				register(h.s)
				e := rpcserver.Errorf(mustCode(t, test.code), "%s", test.message)
				if test.violation != nil {
					e.Details = rpcserver.Invalid(*test.violation).Details
				}
				text := string(wire.AppendError(nil, e))

				p := h.visit()
				p.send(ours, test.typ, test.payload)
				p.want(answered + " !error " + text)
				p.send(ours+";1", test.typ, test.payload) // one way: no answer, not even an error
				p.send(ours, "fib", "10")
				p.want(answered + " fib_res 89")

				p = h.visit()
				p.send("an id", test.typ, test.payload)
				p.want("an id;e " + wire.ErrorTypeV1(e) + " " + text)
				p.wantEnd()
			})
		})
	}
}

func mustCode(t *testing.T, name string) rpcserver.Code {
	t.Helper()
	code, ok := rpcserver.ParseCode(name)
	if !ok {
		t.Fatalf("no code %q", name)
	}
	return code
}

// register adds services that go wrong.
func register(s *rpcserver.Server) {
	rpcserver.Handle(s, "limited", func(_ context.Context, l limited) (int, error) { return l.N, nil })
	rpcserver.Handle(s, "any", func(_ context.Context, v any) (any, error) { return v, nil })
	rpcserver.Handle(s, "broken", func(context.Context, int) (int, error) { return 0, errors.New("no luck") })
	rpcserver.Handle(s, "wrapped", func(context.Context, int) (int, error) {
		return 0, fmt.Errorf("outer: %w", rpcserver.Errorf(rpcserver.Aborted, "inner"))
	})
	rpcserver.Handle(s, "nilerror", func(context.Context, int) (int, error) {
		var e *rpcserver.Error
		return 0, e
	})
	rpcserver.Handle(s, "canceled", func(context.Context, int) (int, error) { return 0, context.Canceled })
	rpcserver.Handle(s, "panics", func(context.Context, int) (int, error) { panic("secret") })
	rpcserver.Handle(s, "quickpanics", func(context.Context, int) (int, error) { panic("secret") }, rpcserver.Quick())
	rpcserver.Handle(s, "exits", func(context.Context, int) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	rpcserver.Handle(s, "func", func(context.Context, int) (any, error) { return func() {}, nil })
	rpcserver.Handle(s, "big", func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
	s.Service("notjson", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
		return c.Reply(json.RawMessage(c.Payload()))
	}))
}

func TestReplies(t *testing.T) {
	for _, test := range []struct{ typ, payload, want string }{
		{"fib", "91", "fib_res 7540113804746346429"},
		{"fib", " 10 ", "fib_res 89"},
		{"fib", "0", "fib_res 1"},
		{"fib", "1", "fib_res 1"},
		{"echo", ` {"a" : [1, null]}`, `echo_res  {"a" : [1, null]}`},
		{"echo", "null", "echo_res null"},
		{"echo", "", "echo_res null"},
		{"any", "9007199254740993", "any_res 9007199254740993"},
		{"any", `{"n":9223372036854775807}`, `any_res {"n":9223372036854775807}`},
		{"limited", `{"name":null,"list":null,"n":3}`, "limited_res 3"},
		{"int64", "-9223372036854775808", "int64_res -9223372036854775808"},
		{"int64", "-0", "int64_res 0"},
		{"string", `"a<b>&\u00e9"`, `string_res "a<b>&é"`},
		{"string", `"plain"`, `string_res "plain"`},
		{"string", `"line\nbreak"`, `string_res "line\nbreak"`},
		{"nothing", ``, `nothing_res {}`},
		{"nothing", `null`, `nothing_res {}`},
		{"raw", `[1,2]`, `answer null`},
		{"big", `1048574`, "big_res \"" + strings.Repeat("x", 1048574) + `"`},
	} {
		t.Run(test.typ+" "+test.payload, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, nil, 0)
				register(h.s)
				rpcserver.Handle(h.s, "int64", func(_ context.Context, n int64) (int64, error) { return n, nil })
				rpcserver.Handle(h.s, "string", func(_ context.Context, s string) (string, error) { return s, nil })
				rpcserver.Handle(h.s, "nothing", func(_ context.Context, n struct{}) (struct{}, error) { return n, nil })
				h.s.Service("raw", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
					var v []int
					if err := c.Decode(&v); err != nil || len(v) != 2 || c.Service() != "raw" || string(c.Payload()) != "[1,2]" || c.OneWay() {
						return fmt.Errorf("got %v, %v, %q, %q", v, err, c.Service(), c.Payload())
					}
					return nil
				}), rpcserver.Reply("answer"))
				p := h.visit()
				for _, id := range []string{"", "1", strings.Repeat("i", wire.MaxID), ours + ";x", "0123456789ABCDEF;rk2"} { // opaque ids come back as they are
					p.send(id, test.typ, test.payload)
					p.want(id + " " + test.want)
				}
				p.send(ours+";d=1000;t=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01;i", test.typ, test.payload)
				p.want(answered + " " + test.want)
			})
		})
	}
}

func TestOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		got := make(chan string, 10)
		rpcserver.HandleCast(h.s, "note", func(_ context.Context, s string) error {
			got <- s
			return errors.New("nobody hears this")
		})
		p := h.visit()
		p.send("plain", "note", `"a"`)
		p.send("plain", "note", `{"does":"not fit"}`)
		p.send(ours+";1", "note", `"b"`)
		p.send(ours+";1", "fib", "10")
		p.send(ours+";1", "nope", "10")
		p.wantSilence(time.Second)
		p.send(ours, "note", `"not run"`)
		p.want(answered + ` !error {"code":"unimplemented","message":"note is one way and has no answer: cast it","details":{"pattern":"cast"}}`)
		p.send("plain", "fib", "10")
		p.want("plain fib_res 89")
		if a, b := <-got, <-got; a+b != "ab" && a+b != "ba" {
			t.Errorf("got %q and %q, want a and b", a, b)
		}
		if len(got) != 0 {
			t.Errorf("got another: %q", <-got)
		}
	})
}

// The error for a peer of the original comes after its other answers, and what it sent behind the failing call does not run.
func TestLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit()
		p.send("1", "slow", "4000")
		p.write(append(wire.AppendMessage(nil, "2", "nope", "1"), wire.AppendMessage(nil, "3", "fib", "1")...))
		p.want("1 slow_res 4000", `2;e error.not_found: no service "nope" {"code":"not_found","message":"no service \"nope\""}`)
		p.wantEnd()

		p = h.visit()
		start := time.Now()
		p.send("1", "slow", "20000")
		p.send("2", "fail", `{"code":"aborted","message":"a"}`)
		p.want(`2;e error.aborted: a {"code":"aborted","message":"a"}`)
		p.wantEnd()
		if got, want := time.Since(start), 5*time.Second; got < want || got > want+2*time.Second {
			t.Errorf("the last answer came after %v, want %v: other calls have that long", got, want)
		}
		synctest.Wait()
	})
}

// What a peer of the original still sends behind its last answer is taken for a second, then the connection is closed.
func TestLastBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, nil, 0).visit()
		p.send("1", "nope", "1")
		p.want(`1;e error.not_found: no service "nope" {"code":"not_found","message":"no service \"nope\""}`)
		p.wantEnd()
		time.Sleep(900 * time.Millisecond)
		p.send("2", "fib", "1")
		time.Sleep(200 * time.Millisecond)
		if _, err := p.nc.Write([]byte{0}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after a second: got %v, want %v", err, syscall.EPIPE)
		}
	})
}

// A request begins with nothing of the one before it.
func TestNothingIsLeftOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		rpcserver.Handle(h.s, "back", func(_ context.Context, l limited) (limited, error) { return l, nil })
		h.s.Service("silent", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error { return nil }))
		p := h.visit()
		for range 50 {
			p.send("1", "back", `{"n":3,"name":"x","list":[1,2]}`)
			p.want(`1 back_res {"n":3,"name":"x","list":[1,2],"in":{}}`)
			p.send("2", "back", `{}`)
			p.want(`2 back_res {"n":0,"name":null,"list":null,"in":{}}`)
			p.send("3", "silent", "1")
			p.want("3 silent_res null")
		}
	})
}

// A last answer is not destroyed by the reset that closing with unread input would cause.
func TestLastAnswerArrives(t *testing.T) {
	h := onTCP(t, nil)
	for range 20 {
		p := h.visit()
		frames := wire.AppendMessage(nil, "1", "nope", "1")
		for range 10_000 {
			frames = wire.AppendMessage(frames, "2", "fib", "10")
		}
		p.write(frames)
		p.want(`1;e error.not_found: no service "nope" {"code":"not_found","message":"no service \"nope\""}`)
		p.nc.Close()
	}
}
