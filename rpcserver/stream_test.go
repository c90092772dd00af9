package rpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		registerStreams(h.s)
		p := h.visit2(nil)

		p.call("fibs", "5")
		p.want("DATA 1 1", "DATA 1 1", "DATA 1 2", "DATA 1 3", "DATA 1 5", "DATA 1 END")
		p.call("fibs", "0")
		p.want("DATA 2 END")
		p.call("fibs", "93")
		p.want("ERROR 3 invalid_argument: n is 93, want 0 to 92")
		p.call("fibs", `"x"`)
		p.want(`ERROR 4 invalid_argument: at byte 0: want int, got string {"violations":[{"field":"","at":0,"problem":"want int, got string"}]}`)

		id := p.begin("sum")
		for _, n := range []string{"1", "2", "39"} {
			p.item(id, n)
		}
		p.end(id)
		p.want("DATA 5 END 42")
		p.call("sum", "7") // its first item comes with the opening, and is the only one
		p.want("DATA 6 END 7")
		id = p.begin("sum")
		p.end(id)
		p.want("DATA 7 END 0")
		id = p.begin("sum")
		p.item(id, "1")
		p.item(id, "x")
		p.want(`ERROR 8 invalid_argument: item 1: not JSON at byte 0: invalid character 'x' looking for beginning of value {"violations":[{"field":"","at":0,"problem":"not JSON: invalid character 'x' looking for beginning of value"}]}`)
		id = p.begin("sum")
		p.item(id, "9223372036854775807")
		p.item(id, "1")
		p.want("ERROR 9 out_of_range: item 1: 9223372036854775807 and 1 are more than 64 bits hold")

		id = p.open(0, wire.OpenHead{}, "chat", `"hi"`)
		p.want(`DATA 10 "you said: hi"`)
		p.item(id, `"there"`)
		p.want(`DATA 10 "you said: there"`)
		p.end(id)
		p.want(`DATA 10 "goodbye"`, "DATA 10 END")

		id = p.begin("first") // answers after two items, and reads no more
		for range 5 {
			p.item(id, `"x"`)
		}
		p.want("DATA 11 END 2")
		p.call("breaks", "3")
		p.want("DATA 12 0", "DATA 12 1", "DATA 12 2", "ERROR 12 aborted: enough")
		p.call("explodes", "2")
		p.want("DATA 13 0", "DATA 13 1", "ERROR 13 internal: service explodes failed; its server's log says more")
		p.call("toobig", "1")
		p.want("ERROR 14 resource_exhausted: item 0 has 1048579 bytes, the limit is 1048576")
		p.call("untyped", "3")
		p.want(`DATA 15 {reply-type=mine} 0`, "DATA 15 1", "DATA 15 2", "DATA 15 END")
		p.open(wire.FlagEnd, wire.OpenHead{Codec: wire.CodecRaw}, "letters", "abc")
		p.want("DATA 16 a", "DATA 16 b", "DATA 16 c", "DATA 16 END")
		p.call("letters", `"YWI="`)
		p.want(`DATA 17 "YQ=="`, `DATA 17 "Yg=="`, "DATA 17 END")
		p.call("wrongway", "1")
		p.want("DATA 18 END \"internal: service wrongway is a call, which takes no items internal: service wrongway is a call, which gives no items\"")
		if st := h.s.Stats(); st.Panics != 1 || st.Calls != 18 || st.Failed != 7 || st.Canceled != 0 {
			t.Errorf("stats: got %+v", st)
		}
	})
}

// registerStreams adds services with items that go wrong, or are written without Handle.
func registerStreams(s *rpcserver.Server) {
	rpcserver.HandleUpload(s, "first", func(_ context.Context, items iter.Seq2[string, error]) (int, error) {
		n := 0
		for range items { // one in each range
			n++
			break
		}
		for range items {
			n++
			break
		}
		return n, nil
	})
	rpcserver.HandleStream(s, "breaks", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				yield(i, nil)
			}
			if yield(0, rpcserver.Errorf(rpcserver.Aborted, "enough")) {
				panic("an error is the last, and yield says so")
			}
		}
	})
	rpcserver.HandleStream(s, "explodes", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				yield(i, nil)
			}
			panic("boom")
		}
	})
	rpcserver.HandleStream(s, "toobig", func(_ context.Context, n int) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { yield(strings.Repeat("x", 1<<20+1), nil) }
	})
	s.Service("untyped", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
		var n int
		if err := c.Decode(&n); err != nil {
			return err
		}
		for i := range n {
			if err := c.SendRaw(fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		return nil
	}), rpcserver.As(rpcserver.PatternStream), rpcserver.Reply("mine"))
	rpcserver.HandleStream(s, "letters", func(_ context.Context, text []byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for i := range text {
				yield(text[i:i+1], nil)
			}
		}
	})
	s.Service("wrongway", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
		return c.Reply(fmt.Sprint(c.Recv(new(int)), " ", c.Send(1)))
	}))
}

// The handler of a bidi may take items in a goroutine of its own, even in one that outlives it.
func TestItemsOutliveTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		late := make(chan error, 1)
		rpcserver.HandleBidi(h.s, "forgetful", func(_ context.Context, items iter.Seq2[int, error]) iter.Seq2[int, error] {
			got := make(chan int)
			go func() {
				for v, err := range items {
					if err != nil {
						late <- err
						return
					}
					got <- v
				}
			}()
			return func(yield func(int, error) bool) { yield(<-got+1, nil) }
		})
		p := h.visit2(nil)
		id := p.begin("forgetful")
		p.item(id, "1")
		p.want("DATA 1 2", "DATA 1 END")
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

// A peer of version 1 is told what a stream is, and nothing runs.
func TestStreamsOverV1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		p := h.visit()
		for name, one := range map[string]string{"fibs": "a stream", "sum": "an upload", "chat": "a bidi"} {
			_, pattern, _ := strings.Cut(one, " ")
			text := fmt.Sprintf(`{"code":"unimplemented","message":"%s is %s, which version 1 of the wire does not carry","details":{"pattern":"%s"}}`, name, one, pattern)
			p.send(ours, name, "1")
			p.want(answered + " !error " + text)
			plain := h.visit()
			plain.send("x", name, "1")
			plain.want(fmt.Sprintf("x;e error.unimplemented: %s is %s, which version 1 of the wire does not carry %s", name, one, text))
			plain.wantEnd()
		}
		p.send(ours, "fib", "10")
		p.want(answered + " fib_res 89")
		if st := h.s.Stats(); st.Streams != 0 || st.Failed != 6 {
			t.Errorf("stats: got %+v", st)
		}
	})
}
