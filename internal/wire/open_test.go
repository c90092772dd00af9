package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOpenIsStrict(t *testing.T) {
	tests := []struct{ name, bytes string }{
		{"empty", ""},
		{"reserved bit", "\x80\x00\x01"},
		{"no timeout", "\x00"},
		{"timeout cut short", "\x00\x80"},
		{"timeout in a long form", "\x00\x81\x00\x01"},
		{"timeout of 2^31 ms", "\x00\x80\x80\x80\x80\x08\x01"},
		{"no method", "\x00\x00"},
		{"no number", "\x00\x00\x00"},
		{"no name", "\x00\x00\x00\x01"},
		{"name cut short", "\x00\x00\x00\x01\x04fib"},
		{"length of the name in a long form", "\x00\x00\x00\x01\x83\x00fib"},
		{"name of 1025 bytes", "\x00\x00\x00\x01\x81\x08" + strings.Repeat("n", 1025)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ParseOpen([]byte(tt.bytes))
			wantBreach(t, err, BadOpen)
		})
	}
}

// What no method and no codec of ours can be is the stream's trouble, not the connection's.
func TestOpenOfTheUnknownIsNoBreach(t *testing.T) {
	for _, b := range []string{"\x0f\x00\xff", "\x00\x00\x00\x00\x00", "\x00\x00\x00\x07\x02\xff\xfe", "\x00\x00\x00\x01\x80\x08" + strings.Repeat("n", MaxName)} {
		if h, rest, err := ParseOpen([]byte(b)); err != nil || len(rest) > 0 {
			t.Errorf("%.20x: got %+v, %x, %v", b, h, rest, err)
		}
	}
}

func TestOpenRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := OpenHead{
			Codec:      CodecID(rapid.IntRange(0, 15).Draw(rt, "codec")),
			OneWay:     rapid.Bool().Draw(rt, "one way"),
			Idempotent: rapid.Bool().Draw(rt, "idempotent"),
			NoMessage:  rapid.Bool().Draw(rt, "no message"),
			Timeout:    time.Duration(rapid.IntRange(0, maxNumber).Draw(rt, "ms")) * time.Millisecond,
			Number:     rapid.Byte().Draw(rt, "number"),
		}
		if want.Number == 0 || rapid.Bool().Draw(rt, "named") {
			want.Name = append([]byte{}, rapid.StringN(0, -1, MaxName).Draw(rt, "name")...)
		}
		message := rapid.SliceOf(rapid.Byte()).Draw(rt, "message")
		got, rest, err := ParseOpen(append(AppendOpen(nil, &want), message...))
		if err != nil || !bytes.Equal(rest, message) {
			rt.Fatalf("message %x, want %x, error %v", rest, message, err)
		}
		if !bytes.Equal(got.Name, want.Name) || (got.Name == nil) != (want.Name == nil) {
			rt.Fatalf("name %q, want %q", got.Name, want.Name)
		}
		if got.Name, want.Name = nil, nil; !equalHeads(got, want) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func equalHeads(a, b OpenHead) bool {
	return a.Codec == b.Codec && a.OneWay == b.OneWay && a.Idempotent == b.Idempotent && a.NoMessage == b.NoMessage &&
		a.Timeout == b.Timeout && a.Number == b.Number && bytes.Equal(a.Name, b.Name)
}

func TestTimesAreRoundedUpAndBounded(t *testing.T) {
	tests := map[time.Duration]uint64{-time.Second: 0, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, 10 * time.Second: 10_000,
		365 * 24 * time.Hour: maxNumber, 1<<63 - 1: maxNumber}
	for d, want := range tests {
		if got := millis(d); got != want {
			t.Errorf("%v: got %d ms, want %d", d, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"fib-first", "fib-second", "fib-unnumbered", "cast", "open-metadata", "open-upload"} {
		f.Add(goldens2(f)[name][3:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := ParseOpen(b)
		if err != nil {
			return
		}
		if back := append(AppendOpen(nil, &h), rest...); !bytes.Equal(back, b) {
			t.Fatalf("%x reads as %+v, which is written %x", b, h, back)
		}
	})
}
