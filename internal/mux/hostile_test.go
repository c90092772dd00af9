package mux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// TestHostileClients breaks each rule once. The connection is closed with the rule's name; one beside it does not notice.
func TestHostileClients(t *testing.T) {
	long := string(make([]byte, 16<<10))
	tests := []struct {
		name, say, reason string
		frames            [][]byte
	}{
		{name: "magic", say: "FF 52 4B 33", reason: wire.BadMagic},
		{name: "no settings", say: "FF 52 4B 32 50 00 00", reason: wire.NoSettings},
		{name: "settings twice", say: hello + "00 00 00", reason: wire.SecondSettings},
		{name: "small window", say: "FF 52 4B 32 00 00 03 02 01 05", reason: wire.BadSettings},
		{name: "data on stream 0", say: hello + "20 00 01 31", reason: wire.WrongStream},
		{name: "ping on a stream", say: hello + "50 01 00", reason: wire.WrongStream},
		{name: "kind 7", say: hello + "70 00 00", reason: wire.UnknownKind},
		{name: "kind 9 on a stream", say: hello + "90 01 00", reason: wire.UnknownKind},
		{name: "data never opened", say: hello + "20 05 01 31", reason: wire.StreamUnknown},
		{name: "credit never opened", say: hello + "40 05 01 31", reason: wire.StreamUnknown},
		{name: "cancel never opened", say: hello + "30 05 01 01", reason: wire.StreamUnknown},
		{name: "reused", say: hello, frames: [][]byte{open(3, 1, "echo", "1"), open(3, 1, "echo", "1")}, reason: wire.StreamReused},
		{name: "backwards", say: hello, frames: [][]byte{open(3, 1, "echo", "1"), open(2, 1, "echo", "1")}, reason: wire.StreamReused},
		{name: "credit overflow", say: hello, frames: [][]byte{open(1, 0, "wait", "1"), bytesOf(t, "40 01 05 FF FF FF FF 07")}, reason: wire.CreditOverflow},
		{name: "credit of 2^62", say: hello, frames: [][]byte{open(1, 0, "wait", "1"), bytesOf(t, "40 01 09 80 80 80 80 80 80 80 80 40")}, reason: wire.CreditOverflow},
		{name: "no credit", say: hello, frames: [][]byte{open(1, 0, "wait", "1"), bytesOf(t, "40 01 01 00")}, reason: wire.BadControl},
		{name: "refused by a client", say: hello, frames: [][]byte{open(1, 0, "wait", "1"), bytesOf(t, "38 01 01 01")}, reason: wire.WrongRole},
		{name: "metadata too large", say: hello + "12 01 08 00 00 00 00 00 81 40 01", reason: wire.MetadataTooLarge},
		{name: "metadata cut", say: hello + "12 01 07 00 00 00 00 00 05 01", reason: wire.BadMetadata},
		{name: "no method", say: hello + "11 01 02 00 00", reason: wire.BadOpen},
		{name: "a message where none was to be", say: hello + "11 01 06 40 00 00 00 00 31", reason: wire.BadOpen},
		{name: "metadata in a fragment", say: hello, frames: [][]byte{open(1, wire.FlagMore, "echo", "1"), data(1, wire.FlagMeta, "\x02\x03\x00")}, reason: wire.BadFragment},
		{name: "data after end", say: hello, frames: [][]byte{open(1, wire.FlagEnd, "wait", "1"), data(1, 0, "1")}, reason: wire.AfterEnd},
		{name: "message too large", say: hello, frames: append([][]byte{open(1, wire.FlagMore, "echo", "1")},
			slicesRepeat(data(1, wire.FlagMore, long), 64)...), reason: wire.MessageTooLarge},
		{name: "window exceeded", say: hello, frames: append([][]byte{open(1, 0, "wait", "1")}, slicesRepeat(data(1, 0, long), 70)...), reason: wire.WindowExceeded},
		{name: "many small beyond the window", say: hello, frames: append([][]byte{open(1, 0, "wait", "1")},
			slicesRepeat(data(1, 0, "1"), 18000)...), reason: wire.WindowExceeded},
		{name: "ping flood", say: hello + strings.Repeat("50 00 00", 11), reason: wire.PingFlood},
		{name: "frame too large", say: hello + "20 01 81 80 04", reason: wire.FrameTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &methods{by: map[string]func(*Stream){"echo": echo, "wait": wait}}
				neighbour := joinTest(t, nil, m.config())
				p := rawServer(t, m.config())
				go func() {
					p.nc.Write(bytes.Join(append([][]byte{bytesOf(t, test.say)}, test.frames...), nil))
				}()
				err := p.ended()
				if b, ok := errors.AsType[*wire.Breach](err); !ok || b.Reason != test.reason {
					t.Errorf("it ended with %v, want %s", err, test.reason)
				}
				if got, err := call(t.Context(), neighbour.client, "echo", []byte("1")); string(got) != "1" || err != nil {
					t.Errorf("the neighbour's call gave %q, %v", got, err)
				}
				m.wg.Wait()
				if s := p.conn.Stats(); s.Streams != 0 || s.Running != 0 || s.Held != 0 {
					t.Errorf("it holds %+v", s)
				}
			})
		})
	}
}

func slicesRepeat(b []byte, n int) (all [][]byte) {
	for range n {
		all = append(all, b)
	}
	return all
}

// TestHostileServers does the same to a client with one stream open.
func TestHostileServers(t *testing.T) {
	long := string(make([]byte, 16<<10))
	tests := []struct {
		name, say, reason string
		frames            [][]byte
	}{
		{name: "HTTP", say: "48 54 54 50 2F 31 2E 31", reason: wire.BadMagic},
		{name: "no settings", say: "FF 52 4B 32 21 01 01 31", reason: wire.NoSettings},
		{name: "settings twice", say: hello + "00 00 00", reason: wire.SecondSettings},
		{name: "open", say: hello + "11 02 05 00 00 00 00 00", reason: wire.WrongRole},
		{name: "data never opened", say: hello + "20 05 01 31", reason: wire.StreamUnknown},
		{name: "error never opened", say: hello + "30 05 01 01", reason: wire.StreamUnknown},
		{name: "credit overflow", say: hello + "40 01 05 FF FF FF FF 07", reason: wire.CreditOverflow},
		{name: "metadata too large", say: hello + "22 01 03 81 40 01", reason: wire.MetadataTooLarge},
		{name: "message too large", say: hello, frames: slicesRepeat(data(1, wire.FlagMore, long), 65), reason: wire.MessageTooLarge},
		{name: "window exceeded", say: hello, frames: slicesRepeat(data(1, 0, long), 70), reason: wire.WindowExceeded},
		{name: "ping flood", say: hello + strings.Repeat("50 00 00", 11), reason: wire.PingFlood},
		{name: "goaway without a code", say: hello + "60 00 01 01", reason: wire.BadControl},
		{name: "error without a code", say: hello + "30 01 00", reason: wire.BadControl},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := rawClient(t, nil)
				s, err := p.conn.Open(t.Context(), &Request{Method: "a", End: true})
				if err != nil {
					t.Fatal(err)
				}
				p.write(bytes.Join(append([][]byte{bytesOf(t, test.say)}, test.frames...), nil))
				err = p.ended()
				if b, ok := errors.AsType[*wire.Breach](err); !ok || b.Reason != test.reason {
					t.Errorf("it ended with %v, want %s", err, test.reason)
				}
				for err = nil; err == nil; {
					_, err = s.Recv(t.Context())
				}
				if l, ok := errors.AsType[*Lost](err); !ok || l.NotProcessed {
					t.Errorf("the stream ended with %v", err)
				}
				s.Release()
				if s := p.conn.Stats(); s.Streams != 0 || s.Held != 0 {
					t.Errorf("it holds %+v", s)
				}
			})
		})
	}
}

// TestHarmless is what looks odd and is allowed.
func TestHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"echo": echo, "wait": wait}}
		p := rawServer(t, m.config())
		p.say(hello + "80 00 01 31 | FF 00 00") // kinds to come
		p.hear(hello)
		p.write(open(7, 0, "echo", "1")) // a gap before it, and no END
		p.hear("21 07 01 31")
		p.say("20 07 01 31 | 21 07 00 | 40 07 01 01 | 30 07 01 01 | 40 05 01 01") // it has finished
		p.say("11 08 04 00 00 63 31")                                             // a number that was never named
		m.wg.Wait()
		p.say("51 00 01 31") // an answer to no ping
		p.say("60 00 03 00 00 00")
		got := make([]byte, 100)
		synctest.Wait()
		n, _ := p.nc.Read(got)
		frames := framesOf(t, got[:n])
		if len(frames) != 1 || frames[0].Kind != wire.KindError || frames[0].Stream != 8 || frames[0].Payload[0] != byte(wire.NotFound) {
			t.Errorf("heard %+v, want not_found for stream 8", frames)
		}
		if s := p.conn.Stats(); s.Late != 3 || s.Streams != 0 {
			t.Errorf("the numbers are %+v, want 3 late frames", s)
		}
	})
}

// TestMethodNumbers keeps numbers of methods that are served, also from an OPEN that is refused.
func TestMethodNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		cfg := &Config{
			Lookup: func(name []byte) any {
				if name[0] == 'x' {
					return nil
				}
				return string(name)
			},
			Opened: func(s *Stream) {
				names = append(names, fmt.Sprint(s.Method(), "=", s.MethodName()))
				s.Fail(&wire.Error{Code: wire.Aborted}, false)
				s.Done()
			},
		}
		p := rawServer(t, cfg)
		p.say(hello)
		p.say("11 01 06 40 00 00 05 01 61") // 5 is "a"
		p.say("11 02 03 40 00 05")
		p.say("11 03 06 40 00 00 06 01 78") // 6 would be "x", which nobody serves
		p.say("11 04 03 40 00 06")
		p.say("11 05 06 40 00 00 00 01 62") // "b" without a number
		p.say("11 06 06 40 00 00 05 01 62") // now 5 is "b"
		p.say("11 07 03 40 00 05")
		p.say("11 08 06 40 00 00 05 01 78") // and now nothing
		p.say("11 09 03 40 00 05")
		synctest.Wait()
		want := "[a=a a=a <nil>=x <nil>= b=b b=b b=b <nil>=x <nil>=]"
		if got := fmt.Sprint(names); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if n := len(p.conn.methods); n > 6 {
			t.Errorf("%d numbers are kept", n)
		}
	})
}

// TestClientDropsTheNumberOfAnUnknownMethod and keeps the one of a method that has answered.
func TestClientDropsTheNumberOfAnUnknownMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rawClient(t, nil)
		p.hear(hello)
		p.say(hello)
		try := func(method, want, answer string) {
			t.Helper()
			s, err := p.conn.Open(t.Context(), &Request{Method: method, End: true, NoMessage: true})
			if err != nil {
				t.Fatal(err)
			}
			p.hear(want)
			p.say(answer)
			s.Recv(t.Context())
			s.Release()
		}
		try("x", "11 01 06 40 00 00 01 01 78", "30 01 01 05")
		try("x", "11 02 06 40 00 00 00 01 78", "30 02 01 05")
		try("y", "11 03 06 40 00 00 02 01 79", "21 03 01 31")
		try("y", "11 04 03 40 00 02", "30 04 01 05") // the handler's own not_found
		try("y", "11 05 03 40 00 02", "21 05 01 31")
		for i := range 300 { // beyond 255 there are no numbers
			name := fmt.Sprintf("%03d", i)
			number := fmt.Sprintf("%02x", min(i+3, 256))
			if i+3 > 255 {
				number = "00"
			}
			id := fmt.Sprintf("%x", wire.AppendVarint(nil, uint64(i+6)))
			try(name, "11"+id+"08 40 00 00"+number+"03"+fmt.Sprintf("%x", name), "21"+id+"01 31")
		}
	})
}

// TestSlowMessages are closed when half a frame, or a message in fragments, stays behind, also when nothing else wakes the reader.
func TestSlowMessages(t *testing.T) {
	half := append(open(1, wire.FlagMore, "echo", ""), 0x28, 1, 5, '1')
	drip := func(p *rawPeer) {
		p.write(open(1, wire.FlagMore, "echo", ""))
		for range 20 {
			time.Sleep(time.Second)
			if _, err := p.nc.Write(data(1, wire.FlagMore, "1")); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name string
		do   func(p *rawPeer)
		want time.Duration
	}{
		{"half a magic", func(p *rawPeer) { p.say("FF 52") }, 10 * time.Second},
		{"half a frame", func(p *rawPeer) { p.say(hello + "20 07") }, 10 * time.Second},
		{"half a frame after others", func(p *rawPeer) {
			p.say(hello)
			time.Sleep(3 * time.Second)
			p.write(half)
		}, 13 * time.Second},
		{"half a frame, byte by byte", func(p *rawPeer) {
			p.say(hello + "50 00 08")
			for range 7 {
				time.Sleep(2 * time.Second)
				if _, err := p.nc.Write([]byte{1}); err != nil {
					return
				}
			}
		}, 10 * time.Second},
		{"half a message", func(p *rawPeer) { p.say(hello); p.write(open(1, wire.FlagMore, "echo", "1")) }, 10 * time.Second},
		{"half a message, byte by byte", func(p *rawPeer) { p.say(hello); drip(p) }, 10 * time.Second},
		{"half a message among others", func(p *rawPeer) {
			p.say(hello)
			p.write(open(1, wire.FlagMore, "echo", "1"))
			for id := range uint32(30) {
				time.Sleep(time.Second)
				if _, err := p.nc.Write(open(id+2, wire.FlagEnd, "echo", "1")); err != nil {
					return
				}
			}
		}, 10 * time.Second},
		{"half a message that goes on", func(p *rawPeer) {
			p.say(hello)
			p.write(open(1, wire.FlagMore, "echo", "1"))
			for range 4 {
				time.Sleep(8 * time.Second)
				p.write(data(1, wire.FlagMore, string(make([]byte, 16<<10))))
			}
		}, 42 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &methods{by: map[string]func(*Stream){"echo": echo}}
				p := rawServer(t, m.config())
				start := time.Now()
				done := make(chan bool)
				go func() { test.do(p); close(done) }()
				err := p.ended()
				if b, ok := errors.AsType[*wire.Breach](err); !ok || b.Reason != wire.SlowMessage {
					t.Errorf("it ended with %v", err)
				}
				if got := time.Since(start); got < test.want || got > test.want+1100*time.Millisecond { // the farewell takes up to a second
					t.Errorf("it took %v, want %v", got, test.want)
				}
				<-done
				m.wg.Wait()
			})
		})
	}
}

// TestMemoryOfOnePeer fails the stream whose message would cross the limit, and no other.
func TestMemoryOfOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"hold": func(s *Stream) { s.First(); <-free; echoNothing(s) }}}
		cfg := m.config()
		cfg.MaxConnMemory = 1 << 20
		e := joinTest(t, nil, cfg)
		var list []*Stream
		for range 4 {
			s, err := e.client.Open(t.Context(), &Request{Method: "hold", Payload: make([]byte, 300_000), End: true})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
			synctest.Wait()
		}
		if n := e.server.Stats().Held; n > 1<<20 || n < 900_000 {
			t.Errorf("%d bytes are held", n)
		}
		if f, ok := errors.AsType[*Failure](recvErr(t, list[3])); !ok || f.Status.Code != wire.ResourceExhausted || !f.Refused {
			t.Errorf("the fourth gave %v", f)
		}
		close(free)
		for _, s := range list[:3] {
			if _, err := s.Recv(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for _, s := range list {
			s.Release()
		}
		m.wg.Wait()
		synctest.Wait()
		if s := e.server.Stats(); s.Held != 0 || s.Refused != 1 {
			t.Errorf("the numbers are %+v", s)
		}
	})
}

func echoNothing(s *Stream) { s.Finish([]byte("null"), nil, false) }

// TestMemoryOfAServer is the same limit on a client: the stream fails here, and the server is told to stop.
func TestMemoryOfAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		m := &methods{by: map[string]func(*Stream){"echo": echo, "big": func(s *Stream) {
			s.OnEnd(func(err error) { ended <- err })
			for s.Send(t.Context(), make([]byte, 40_000), nil, false) == nil {
			}
		}}}
		e := joinTest(t, &Config{MaxConnMemory: 60_000}, m.config())
		s, err := e.client.Open(t.Context(), &Request{Method: "big", End: true})
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := errors.AsType[*Failure](<-ended); !ok || f.Status.Code != wire.Canceled {
			t.Errorf("the server was told %v", f)
		}
		if f, ok := errors.AsType[*Failure](recvErr(t, s)); !ok || !f.Local || f.Status.Code != wire.ResourceExhausted {
			t.Errorf("the client was told %v", f)
		}
		s.Release()
		if got, err := call(t.Context(), e.client, "echo", []byte("1")); string(got) != "1" || err != nil {
			t.Errorf("the next call gave %q, %v", got, err)
		}
		m.wg.Wait()
	})
}

// TestDeflate sends long messages compressed both ways, and survives one that inflates to more than a message may have.
func TestDeflate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"echo": echo, "all": echoAll}}
		settings := wire.DefaultSettings()
		settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
		server := m.config()
		server.Settings, server.Compress = settings, true
		e := joinTest(t, &Config{Settings: settings, Compress: true}, server)
		<-e.client.Ready()
		want := bytes.Repeat([]byte("a compressible text "), 5000)
		before := e.client.Stats()
		if got, err := call(t.Context(), e.client, "echo", want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		if s := e.client.Stats(); s.BytesOut-before.BytesOut > 2000 || s.BytesIn-before.BytesIn > 2000 {
			t.Errorf("100 kB went as %d bytes and came as %d", s.BytesOut-before.BytesOut, s.BytesIn-before.BytesIn)
		}
		s, err := e.client.Open(t.Context(), &Request{Method: "all", NoMessage: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range [][]byte{want, []byte("short"), bytes.Repeat([]byte("0123456789abcdef"), 60_000)} {
			if err := s.Send(t.Context(), want, []byte("\x03\x01t"), false); err != nil {
				t.Error(err)
			}
			if m, err := s.Recv(t.Context()); err != nil || !bytes.Equal(m.Payload, want) || string(m.Meta) != "\x03\x01t" {
				t.Errorf("got %d bytes, %q, %v", len(m.Payload), m.Meta, err)
			}
		}
		s.CloseSend()
		recvErr(t, s)
		s.Release()
		m.wg.Wait()

		p := rawServer(t, server)
		p.say(hello)
		a, _ := wire.AlgorithmOf(wire.Deflate)
		bomb := append([]byte{byte(wire.Deflate)}, a.Compress(nil, make([]byte, 5<<20))...)
		p.write(open(1, wire.FlagEnd|wire.FlagCompressed, "echo", string(bomb)))
		p.write(open(2, wire.FlagEnd|wire.FlagCompressed, "echo", "\x07abc"))
		p.write(open(3, wire.FlagEnd|wire.FlagCompressed, "echo", "\x01\xff\xff\xff"))
		p.write(open(4, wire.FlagEnd, "echo", "fine"))
		synctest.Wait()
		m.wg.Wait()
		got := make([]byte, 4000)
		n, _ := p.nc.Read(got)
		codes := map[uint32]byte{}
		for _, f := range framesOf(t, got[:n]) {
			if f.Stream > 0 {
				codes[f.Stream] = f.Payload[0]
			}
		}
		if want := map[uint32]byte{1: 8, 2: 12, 3: 3, 4: 'f'}; fmt.Sprint(codes) != fmt.Sprint(want) {
			t.Errorf("answered %v, want %v", codes, want)
		}
	})
}

// TestPing measures, keeps to the pace that the peer allows, and ends with the connection.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := joinTest(t, nil, nil)
		start := time.Now()
		for range 12 {
			if d, err := e.client.Ping(t.Context()); err != nil || d != 0 {
				t.Errorf("got %v, %v", d, err)
			}
		}
		if got := time.Since(start); got != 15*time.Second {
			t.Errorf("12 pings took %v, want 15s: 9 at once, then one per 5 s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.client.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a ping too many: %v", err)
		}
		if _, err := e.server.Ping(t.Context()); err != nil {
			t.Errorf("from the server: %v", err)
		}
		e.client.Close(errOver)
		if _, err := e.client.Ping(t.Context()); !errors.Is(err, errOver) {
			t.Errorf("on a closed connection: %v", err)
		}
	})
}

// TestTrace shows the frames and the instants of a call.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"slow": func(s *Stream) { time.Sleep(time.Second); echo(s) }}}
		e := joinTest(t, nil, m.config())
		start := time.Now()
		var trace Trace
		s, err := e.client.Open(t.Context(), &Request{Method: "slow", Payload: []byte("10"), End: true, Trace: &trace})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(t.Context()); err != nil {
			t.Error(err)
		}
		got := s.TakeTrace()
		s.Release()
		if fmt.Sprintf("%x", got.Out) != "11010b0000000104736c6f773130" {
			t.Errorf("out % x", got.Out)
		}
		if fmt.Sprintf("% x", got.In) != "21 01 02 31 30" || got.Cut || got.BytesIn != 5 || got.BytesOut != 14 {
			t.Errorf("in % x, %d and %d bytes", got.In, got.BytesOut, got.BytesIn)
		}
		if !got.Queued.Equal(start) || !got.Written.Equal(start) || !got.Sent.Equal(start) || got.Received.Sub(start) != time.Second {
			t.Errorf("instants %+v", got)
		}
		big := bytes.Repeat([]byte("x"), 300_000)
		s, _ = e.client.Open(t.Context(), &Request{Method: "slow", Payload: big, End: true, Trace: &trace})
		if m, err := s.Recv(t.Context()); err != nil || len(m.Payload) != len(big) {
			t.Error(err)
		}
		got = s.TakeTrace()
		s.Release()
		if !got.Cut || len(got.Out) > 256<<10 || got.BytesOut < 300_000 || got.BytesIn < 300_000 {
			t.Errorf("of 300 kB %d are kept, cut: %v, %d out, %d in", len(got.Out), got.Cut, got.BytesOut, got.BytesIn)
		}
		m.wg.Wait()
	})
}

// TestMemoryOfWhatIsInflated counts a message as what it has become: many small ones must not become much.
func TestMemoryOfWhatIsInflated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan bool)
		m := &methods{by: map[string]func(*Stream){"all": echoAll, "hold": func(s *Stream) {
			if _, err := s.First(); err == nil {
				<-free
				echoNothing(s)
			}
		}}}
		cfg := m.config()
		cfg.MaxConnMemory = 4 << 20
		cfg.Settings = wire.DefaultSettings()
		cfg.Settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
		e := joinTest(t, &Config{Compress: true}, cfg)
		<-e.client.Ready()
		var wg sync.WaitGroup
		var answered, refused atomic.Int64
		large := make([]byte, 1<<20)
		for range 10 {
			wg.Go(func() {
				_, err := call(t.Context(), e.client, "hold", large)
				if f, ok := errors.AsType[*Failure](err); ok && f.Refused && f.Status.Code == wire.ResourceExhausted {
					refused.Add(1)
				} else if err == nil {
					answered.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := e.server.Stats().Held; n > cfg.MaxConnMemory || n < 3<<20 {
			t.Errorf("%d bytes are held, want at most %d", n, cfg.MaxConnMemory)
		}
		close(free)
		wg.Wait()
		if answered.Load() != 3 || refused.Load() != 7 { // of 4 MiB, each takes 1 MiB and what it came as
			t.Errorf("%d were answered and %d refused, want 3 and 7", answered.Load(), refused.Load())
		}
		s, err := e.client.Open(t.Context(), &Request{Method: "all", NoMessage: true})
		if err != nil {
			t.Fatal(err)
		}
		var sending sync.WaitGroup
		sending.Go(func() { // one after the other they are no more than one
			for range 20 {
				if err := s.Send(t.Context(), large, nil, false); err != nil {
					t.Error(err)
				}
			}
			s.CloseSend()
		})
		n := 0
		for {
			if _, err := s.Recv(t.Context()); err != nil {
				break
			}
			n++
		}
		sending.Wait()
		s.Release()
		m.wg.Wait()
		synctest.Wait()
		if got := e.server.Stats(); n != 20 || got.Held != 0 || got.Running != 0 {
			t.Errorf("%d came back, the server holds %+v", n, got)
		}
	})
}
