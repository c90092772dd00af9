package peer

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
)

// judge stands in for the test that a Server watches over.
type judge struct {
	testing.TB
	complaints atomic.Int32
}

func (j *judge) Errorf(string, ...any) { j.complaints.Add(1) }

// The peer notices whatever is not version 1, and nothing else.
func TestPeerIsStrict(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		messages   int
		complaints int32
	}{
		{"a message", string(Frame("1", "fib", "10")), 1, 0},
		{"two in one write", string(Frame("1", "fib", "10")) + string(Frame("", "", "null")), 2, 0},
		{"half a message", "\x00\x00\x00\x011", 0, 0},
		{"negative length", "\xff\xff\xff\xff", 0, 1},
		{"long id", "\x00\x00\x04\x01", 0, 1},
		{"version 2", "\xffRK2", 0, 1},
		{"payload is no JSON", string(Frame("1", "fib", "oops")), 0, 1},
		{"payload is empty", string(Frame("1", "fib", "")), 0, 1},
		{"type is not UTF-8", string(Frame("1", "\xff", "1")), 0, 1},
		{"length counts UTF-16 units", string(append(Frame("1", "t", `"é`), '"')), 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &judge{TB: t}
				ln := memnet.Listen()
				s := Serve(j, ln, Echo)
				c, err := ln.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				c.Write([]byte(test.sent))
				synctest.Wait()
				c.Close()
				s.Close()
				if got := j.complaints.Load(); got != test.complaints || len(s.Messages()) != test.messages {
					t.Errorf("%d complaints, %d messages; want %d and %d", got, len(s.Messages()), test.complaints, test.messages)
				}
				if got := string(s.Conns()[0].Bytes()); got != test.sent[:len(got)] || test.complaints == 0 && len(got) < len(test.sent) {
					t.Errorf("recorded %q, want %q", got, test.sent)
				}
			})
		})
	}
}

// Where the magic may come, it may come at the beginning and nowhere else.
func TestMagic(t *testing.T) {
	fib := string(Frame("1", "fib", "10"))
	for _, test := range []struct {
		magic      Magic
		sent       string
		messages   int
		complaints int32
		open       bool
	}{
		{Stay, magicBytes + "\x00\x00\x00", 0, 0, true},
		{CloseAtOnce, magicBytes, 0, 0, false},
		{StayInStep, magicBytes + fib, 1, 0, true},
		{StayInStep, fib + magicBytes, 1, 1, false},
		{Stay, fib, 1, 0, true},
		{Complain, magicBytes, 0, 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			j := &judge{TB: t}
			ln := memnet.Listen()
			s := ServeMagic(j, ln, Echo, test.magic)
			c, err := ln.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte(test.sent))
			synctest.Wait()
			_, err = c.Write([]byte{0})
			conn := s.Conns()[0]
			if open := err == nil; open != test.open || j.complaints.Load() != test.complaints || len(s.Messages()) != test.messages {
				t.Errorf("%d %q: open %v, %d complaints, %d messages; want %v, %d, %d", test.magic, test.sent, open, j.complaints.Load(), len(s.Messages()), test.open, test.complaints, test.messages)
			}
			if want := test.magic != Complain && test.sent[0] != 0; conn.Magic() != want {
				t.Errorf("%d %q: the magic was seen %v, want %v", test.magic, test.sent, !want, want)
			}
			c.Close()
			s.Close()
		})
	}
}
