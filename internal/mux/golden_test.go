package mux

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// TestGoldenCalls speaks the bytes of docs/PROTOCOL.md with a client.
func TestGoldenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := rawClient(t, nil)
		p.hear(hello)
		p.say(hello)
		<-p.conn.Ready()
		open := func() *Stream {
			s, err := p.conn.Open(t.Context(), &Request{Method: "fib", Payload: []byte("10"), End: true, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		answer := func(s *Stream, bytes, want string) {
			t.Helper()
			p.say(bytes)
			if m, err := s.Recv(t.Context()); err != nil || string(m.Payload) != want || !m.Last {
				t.Errorf("got %q, %v, want %q", m.Payload, err, want)
			}
			s.Release()
		}
		s := open()
		p.hear("11 01 0B | 00 88 27 | 00 01 03 66 69 62 | 31 30")
		answer(s, "21 01 02 38 39", "89")
		s = open()
		p.hear("11 02 06 | 00 88 27 | 01 | 31 30")
		answer(s, "21 02 02 38 39", "89")

		s = open()
		p.hear("11 03 06 | 00 88 27 | 01 | 31 30")
		s.Cancel(wire.Canceled)
		p.hear("30 03 01 01")
		if _, err := s.Recv(t.Context()); err == nil {
			t.Error("a cancelled stream goes on")
		}
		s.Release()

		s = open()
		p.hear("11 04 06 | 00 88 27 | 01 | 31 30")
		p.say("30 04 12 05 00 0F 6E 6F 20 73 75 63 68 20 73 65 72 76 69 63 65")
		if f, ok := errors.AsType[*Failure](recvErr(t, s)); !ok || f.Status.Code != wire.NotFound || f.Status.Message != "no such service" {
			t.Errorf("got %v", f)
		}
		s.Release()
		go p.conn.Ping(t.Context())
		p.hear("50 00 08 00 00 00 00 00 00 00 01")
		p.say("50 00 00")
		p.hear("51 00 00")
		p.say("60 00 04 29 00 90 4E") // nothing is open: that is the end
		if end, ok := errors.AsType[*End](p.ended()); !ok || end.Reason != Retired {
			t.Errorf("it ended with %v", end)
		}
	})
}

func recvErr(t testing.TB, s *Stream) error {
	t.Helper()
	m, err := s.Recv(t.Context())
	if err == nil {
		t.Errorf("got %q, want an error", m.Payload)
	}
	return err
}

// TestGoldenStream speaks them with a server: 1000 small items cost less than 6 KB.
func TestGoldenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"ints": func(s *Stream) {
			for range 1000 {
				if err := s.Send(context.Background(), []byte("144"), nil, false); err != nil {
					t.Error(err)
				}
			}
			s.CloseSend()
		}}}
		p := rawServer(t, m.config())
		p.say("FF 52 4B")
		p.say("32 00 00 00")
		p.hear(hello)
		p.say("11 07 09 | 40 00 | 00 01 04 69 6E 74 73")
		p.say("40 07 03 80 80 02") // the window holds 979 of 67 bytes
		got := make([]byte, 20<<10)
		total := 0
		for items := 0; items <= 1000; {
			n, err := p.nc.Read(got[total:])
			if err != nil {
				t.Fatal(err)
			}
			total += n
			items = len(framesOf(t, got[:total]))
		}
		for i, f := range framesOf(t, got[:total]) {
			if want := "144"; i < 1000 && (string(f.Payload) != want || f.Flags != 0) || i == 1000 && (f.Flags != wire.FlagEnd || len(f.Payload) > 0) {
				t.Fatalf("frame %d is %+v", i, f)
			}
		}
		if total > 6100 {
			t.Errorf("1000 items of 3 bytes took %d bytes", total)
		}
		m.wg.Wait()
	})
}

// TestEmptyMessages shows that an empty message and no message are not the same.
func TestEmptyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		m := &methods{by: map[string]func(*Stream){"a": func(s *Stream) {
			for {
				m, err := s.Recv(t.Context())
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Error(err)
				}
				got = append(got, string(m.Payload)+string(m.Meta))
			}
			s.Finish(nil, []byte("\x03\x01t"), true)
		}}}
		p := rawServer(t, m.config())
		p.say(hello)
		p.hear(hello)
		p.say("11 01 06 | 00 00 00 00 01 61") // OPEN with END holds an empty message
		p.hear("23 01 04 | 03 03 01 74")      // trailers alone
		p.say("11 02 06 | 40 00 00 00 01 61") // none at all
		p.hear("23 02 04 | 03 03 01 74")
		p.say("10 03 06 | 40 00 00 00 01 61 | 20 03 00 | 20 03 01 62 | 21 03 00")
		p.hear("23 03 04 | 03 03 01 74")
		m.wg.Wait()
		want := []string{"", "", "b"}
		if len(got) != len(want) || got[2] != "b" {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
