package rpcserver_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// TestV2Bytes has the bytes of docs/PROTOCOL.md on the wire, the magic in pieces as well.
func TestV2Bytes(t *testing.T) {
	for _, size := range []int{100, 1, 3, 5} {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, nil, 0).stranger()
			in := unhex(t, "FF524B32 000000 11010B 008827 0001 03666962 3130")
			for len(in) > 0 {
				n := min(size, len(in))
				p.write(in[:n])
				in = in[n:]
				synctest.Wait()
			}
			p.greeted()
			p.wantBytes("210102 3839")
			p.write(unhex(t, "110206 008827 01 3130"))
			p.wantBytes("210202 3839")
			p.write(unhex(t, "500000"))
			p.wantBytes("510000")
		})
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *peer2) wantBytes(text string) {
	p.t.Helper()
	f, err := p.nextFrame()
	if err != nil {
		p.t.Fatal(err)
	}
	if got, want := p.dec.Raw(f), unhex(p.t, text); string(got) != string(want) {
		p.t.Fatalf("got %x\nwant %x", got, want)
	}
}

// The magic alone is answered with the server's SETTINGS: that is how a client asks what a server speaks.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{MaxMessage: 2 << 20, Window: 1 << 17, MaxStreams: 7}, 0)
		p := h.stranger()
		p.write([]byte(wire.Magic))
		magic := make([]byte, len(wire.Magic))
		if _, err := io.ReadFull(p.nc, magic); err != nil || string(magic) != wire.Magic {
			t.Fatalf("got %q, %v; want the magic", magic, err)
		}
		f, err := p.nextFrame()
		if err != nil {
			t.Fatal(err)
		}
		set, err := wire.ParseSettings(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if set.MaxMessage != 2<<20 || set.Window != 1<<17 || set.MaxStreams != 7 || set.Name != "rpckids" || fmt.Sprint(set.Codecs, set.Algorithms) != "[0 4] [1]" {
			t.Errorf("got %+v", set)
		}
		p.nc.Close()
	})
}

// TestV2Errors goes through what can be wrong with a call. The connection stays, and its other calls are answered.
func TestV2Errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		register(h.s)
		p := h.visit2(nil)
		for _, test := range wrongCalls {
			id := p.call(test.typ, test.payload)
			want := fmt.Sprintf("ERROR %d %s: %s", id, test.code, test.message)
			if test.violation != nil {
				want += " " + string(rpcserver.Invalid(*test.violation).Details)
			}
			p.want(want)
			p.open(wire.FlagEnd, wire.OpenHead{OneWay: true}, test.typ, test.payload) // no answer, not even an error
			id = p.call("fib", "10")
			p.want(fmt.Sprintf("DATA %d END 89", id))
		}
	})
}

func TestV2Openings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		registerBytes(h.s)
		p := h.visit2(nil)
		for _, test := range []struct {
			head          wire.OpenHead
			flags         wire.Flags
			name, payload string
			want          string
		}{
			{wire.OpenHead{}, 1, "fib", "10", "DATA # END 89"},
			{wire.OpenHead{}, 0, "fib", "10", "DATA # END 89"}, // the server's END finishes the stream
			{wire.OpenHead{NoMessage: true}, 1, "fib", "", `ERROR # unimplemented: fib is a call, whose request comes with the opening {"pattern":"call"}`},
			{wire.OpenHead{NoMessage: true}, 0, "fibs", "", `ERROR # unimplemented: fibs is a stream, whose request comes with the opening {"pattern":"stream"}`},
			{wire.OpenHead{}, 1, "log", `"x"`, `ERROR # unimplemented: log is one way and has no answer: cast it {"pattern":"cast"}`},
			{wire.OpenHead{Codec: 3}, 1, "fib", "10", "ERROR # unimplemented: no codec has the number 3"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "fib", "10", "ERROR # invalid_argument: the service speaks JSON: call it with that codec"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "fibs", "10", "ERROR # invalid_argument: the service speaks JSON: call it with that codec"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "chat", "10", "ERROR # invalid_argument: the service speaks JSON: call it with that codec"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "json", "10", "ERROR # invalid_argument: the service speaks JSON: call it with that codec"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "reverse", "\x00\xffab", "DATA # END ba\xff\x00"},
			{wire.OpenHead{}, 1, "reverse", `"AAEC"`, `DATA # END "AgEA"`},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "echo", `{"a" : 1}`, `DATA # END {"a" : 1}`},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "echo", `{"a" : `, "ERROR # invalid_argument: the service takes JSON, and the raw payload is none"},
			{wire.OpenHead{Codec: wire.CodecRaw}, 1, "length", "\xff\xff", "DATA # END 2"},
		} {
			id := p.open(test.flags, test.head, test.name, test.payload)
			p.want(strings.ReplaceAll(test.want, "#", fmt.Sprint(id)))
		}
		p.last++
		p.frame(wire.KindOpen, wire.FlagEnd, p.last, []byte{0, 0, 77, '1'})
		p.want(fmt.Sprintf("ERROR %d not_found: no service has the number 77 here", p.last))
		p.open(wire.FlagEnd, wire.OpenHead{OneWay: true}, "fibs", "10") // cannot be cast, and wants no answer
		id := p.call("named", "1")
		p.want(fmt.Sprintf("DATA %d END {reply-type=other} 1", id))
		id = p.call("nothing", "1")
		p.want(fmt.Sprintf("DATA %d END null", id))
	})
}

// registerBytes adds services of bytes.
func registerBytes(s *rpcserver.Server) {
	rpcserver.Handle(s, "reverse", func(_ context.Context, b []byte) ([]byte, error) {
		for i := range len(b) / 2 {
			b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
		}
		return b, nil
	})
	s.Service("length", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error {
		var b []byte
		if err := c.Decode(&b); err != nil || c.Codec() != rpcserver.Raw || c.Protocol() != "v2" {
			return fmt.Errorf("got %v, %v, %v", c.Codec(), c.Protocol(), err)
		}
		return c.Reply([]byte(fmt.Sprint(len(b))))
	}))
	s.Service("json", rpcserver.HandlerFunc(func(_ context.Context, c *rpcserver.Call) error { return c.Reply(1) }))
	s.Service("nothing", rpcserver.HandlerFunc(func(context.Context, *rpcserver.Call) error { return nil }))
	rpcserver.Handle(s, "named", func(_ context.Context, n int) (int, error) { return n, nil }, rpcserver.Reply("other"))
}

func TestV2QueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 1, Queue: 1}, 0)
		p := h.visit2(nil)
		var in []byte
		for range 4 {
			in = p.opening(in, wire.FlagEnd, wire.OpenHead{}, "slow", "100")
		}
		in = p.opening(in, wire.FlagEnd, wire.OpenHead{}, "fib", "10") // quick: it has no queue
		in = p.opening(in, wire.FlagEnd, wire.OpenHead{}, "fibs", "1") // nor has a stream
		p.write(in)
		p.wantInAnyOrder("ERROR 3 REFUSED resource_exhausted: 1 call waits already again in 100ms", "ERROR 4 REFUSED resource_exhausted: 1 call waits already again in 100ms",
			"DATA 5 END 89", "DATA 6 1", "DATA 6 END")
		p.want("DATA 1 END 100", "DATA 2 END 100")
		if st := h.s.Stats(); st.Refused != 2 {
			t.Errorf("refused: got %d, want 2", st.Refused)
		}
	})
}

// TestFigures11Breaches has peers that break the rules of version 2. Each is cut, for a reason that is counted, and its neighbour is not disturbed.
func TestFigures11Breaches(t *testing.T) {
	head := wire.Magic + "\x00\x00\x00"
	openFib := "\x11\x01\x0B\x00\x88\x27\x00\x01\x03fib10"
	openSum := "\x10\x01\x08\x40\x00\x00\x00\x03sum"
	for _, test := range []struct{ name, in, why string }{
		{"half the magic", "\xFFRK3", wire.BadMagic},
		{"no SETTINGS", wire.Magic + openFib, wire.NoSettings},
		{"SETTINGS twice", head + "\x00\x00\x00", wire.SecondSettings},
		{"bad SETTINGS", wire.Magic + "\x00\x00\x03\x02\x01\x01", wire.BadSettings},
		{"DATA on stream 0", head + "\x20\x00\x01x", wire.WrongStream},
		{"a reused stream id", head + openFib + openFib, wire.StreamReused},
		{"DATA for a stream never opened", head + "\x20\x05\x01x", wire.StreamUnknown},
		{"CREDIT for a stream never opened", head + "\x40\x05\x01\x01", wire.StreamUnknown},
		{"CREDIT that overflows", head + openSum + "\x40\x01\x05\xff\xff\xff\xff\x07", wire.CreditOverflow},
		{"unknown kind", head + "\x70\x00\x00", wire.UnknownKind},
		{"unknown kind on a stream", head + "\x80\x01\x00", wire.UnknownKind},
		{"metadata over 8 KiB", head + "\x13\x01\x0b\x00\x00\x00\x00\x03fib\x81\x40x", wire.MetadataTooLarge},
		{"bad metadata", head + "\x13\x01\x0c\x00\x00\x00\x00\x03fib\x02\x01\x00x", wire.BadMetadata},
		{"a frame over 64 KiB", head + "\x20\x01\x81\x80\x04", wire.FrameTooLarge},
		{"a varint that is too long", head + "\x20\x81\x00\x00", wire.BadVarint},
		{"flags that there are not", head + "\x51\x01\x00", wire.WrongStream},
		{"a flag that CREDIT has not", head + openSum + "\x41\x01\x01\x01", wire.BadFlags},
		{"bad OPEN", head + "\x11\x01\x01\x80", wire.BadOpen},
		{"more than the window", head + openSum + strings.Repeat("\x20\x01\x80\x80\x01"+strings.Repeat("1", 16<<10), 70), wire.WindowExceeded},
		{"more than a message", head + openSum + strings.Repeat("\x28\x01\x80\x80\x01"+strings.Repeat("1", 16<<10), 65), wire.MessageTooLarge},
		{"pings", head + strings.Repeat("\x50\x00\x00", 40), wire.PingFlood},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := make(ends, 9)
				h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
				gate := make(chan struct{})
				defer close(gate)
				rpcserver.HandleUpload(h.s, "sum2", func(context.Context, iter.Seq2[int, error]) (int, error) { <-gate; return 0, nil })
				neighbour := h.visit2(nil)
				neighbour.call("slow", "5000")
				p := h.stranger()
				in := test.in
				if test.why == wire.WindowExceeded { // whoever adds up takes the window's bytes
					in = strings.ReplaceAll(in, "\x08\x40\x00\x00\x00\x03sum", "\x09\x40\x00\x00\x00\x04sum2")
				}
				go io.Copy(io.Discard, p.nc) // ends when the server has closed
				p.nc.Write([]byte(in))       // fails when it has closed before
				began := time.Now()
				e.want(t, rpcserver.Reason(test.why))
				synctest.Wait()
				verdict(t, test.name+", ms until it is cut", int(time.Since(began).Milliseconds()), 1000)
				if st := h.s.Stats(); st.Closed[test.why] != 1 || st.Open != 1 {
					t.Errorf("stats: got %+v", st)
				}
				neighbour.want("DATA 1 END 5000")
			})
		})
	}
}

// Kinds from 8 on, on stream 0, are for later versions and are passed over.
func TestLaterKindsArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, nil, 0).visit2(nil)
		p.write([]byte("\x80\x00\x02hi\xf3\x00\x00"))
		p.call("fib", "10")
		p.want("DATA 1 END 89")
	})
}

// A caller that opens and cancels in a rush is cut.
func TestRapidReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		registerWaits(h.s)
		p := h.visit2(nil)
		go io.Copy(io.Discard, p.nc) // ends when the server has closed
		var in []byte
		for range 1500 {
			in = p.opening(in[:0], wire.FlagEnd, wire.OpenHead{}, "wait", "1")
			if _, err := p.nc.Write(wire.AppendFrame(in, wire.KindError, 0, p.last, []byte{1})); err != nil {
				break
			}
		}
		e.want(t, wire.RapidReset)
	})
}

// With version 2 switched off the server says so in the ids of its answers.
func TestV1Only(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{V1Only: true}, 0)
		p := h.visit()
		p.send(ours, "fib", "10")
		p.want("0123456789abcdef!1 fib_res 89")
	})
}

// A peer that reads nothing makes its calls wait, not the workers; when it reads, all are answered.
func TestV2PeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &rpcserver.Config{Workers: 2}, 64<<10)
		rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return strings.Repeat("x", 500_000), nil })
		p := h.visit2(nil)
		const n = 50
		for range n {
			p.call("big", "1")
		}
		synctest.Wait()
		other := h.visit2(nil)
		other.call("slow", "1")
		other.want("DATA 1 END 1")
		done := 0
		for done < n {
			f, err := p.nextFrame()
			if err != nil {
				t.Fatal(err, h.s.Stats())
			}
			if f.Flags&wire.FlagEnd != 0 {
				done++
			}
		}
	})
}

// Calls that wait for a peer to read end with its connection, and are counted.
func TestV2ParkedCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		o := &rpcserver.Observer{CallDone: func(rpcserver.CallInfo) { done.Add(1) }}
		h := inMemory(t, &rpcserver.Config{Workers: 1, Observer: o}, 64<<10)
		rpcserver.Handle(h.s, "big", func(context.Context, int) (string, error) { return strings.Repeat("x", 15_000), nil })
		p := h.visit2(nil)
		const n = 500
		for range n {
			p.call("big", "1")
		}
		synctest.Wait()
		if st := h.s.Stats(); st.Queued+st.Running != 0 || st.Calls != n {
			t.Errorf("stats: got %+v, want all taken off the queue", st)
		}
		p.nc.Close()
		synctest.Wait()
		if st := h.s.Stats(); done.Load() != n || st.Canceled+st.Failed == 0 || st.Open+st.Queued+st.Running != 0 {
			t.Errorf("%d calls are done, want %d; stats: %+v", done.Load(), n, st)
		}
	})
}

// One that never reads is cut in the end, for a reason of its own.
func TestV2Stall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 64<<10)
		rpcserver.HandleStream(h.s, "flood", func(context.Context, int) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for yield(strings.Repeat("x", 10_000), nil) {
				}
			}
		})
		p := h.visit2(nil)
		id := p.call("flood", "1")
		p.frame(wire.KindCredit, 0, id, wire.AppendCredit(nil, 1<<30))
		e.want(t, rpcserver.Stalled)
		synctest.Wait()
		if st := h.s.Stats(); st.Streams != 0 || st.Closed["peer does not read"] != 1 {
			t.Errorf("stats: got %+v, want nothing running", st)
		}
	})
}

func TestV2Compression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		rpcserver.Handle(h.s, "big", func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
		set := wire.DefaultSettings()
		set.Algorithms = []wire.AlgorithmID{wire.Deflate}
		p := h.visit2(&set)
		p.call("big", "100000")
		f, err := p.nextFrame()
		if err != nil || f.Flags&wire.FlagCompressed == 0 || len(f.Payload) > 1000 {
			t.Fatalf("got %v with %d bytes, %v; want a few, compressed", f.Flags, len(f.Payload), err)
		}
		deflate, _ := wire.AlgorithmOf(wire.Deflate)
		if b, err := deflate.Decompress(f.Payload[1:], 1<<20); err != nil || len(b) != 100_002 {
			t.Errorf("got %d bytes, %v", len(b), err)
		}
		p = h.visit2(nil) // says nothing of compression, and gets none
		p.call("big", "2000")
		p.want(`DATA 1 END "` + strings.Repeat("x", 2000) + `"`)
	})
}

// A reply that is more than the peer takes fails its call alone, and is counted as a failure.
func TestV2PeerTakesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, nil, 0)
		set := wire.DefaultSettings()
		set.MaxMessage = 1000
		p := h.visit2(&set)
		p.call("echo", `"`+strings.Repeat("x", 2000)+`"`)
		got, err := p.next()
		if err != nil || !strings.HasPrefix(got, "ERROR 1 resource_exhausted: ") {
			t.Errorf("got %q, %v; want resource_exhausted", got, err)
		}
		p.call("fib", "10")
		p.want("DATA 2 END 89")
		if st := h.s.Stats(); st.Failed != 1 {
			t.Errorf("failed: got %d, want 1", st.Failed)
		}
	})
}
