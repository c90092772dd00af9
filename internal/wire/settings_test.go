package wire

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSettingsAreStrict(t *testing.T) {
	tests := []struct{ name, bytes string }{
		{"id cut short", "\x80"},
		{"id in a long form", "\x81\x00\x00"},
		{"no length", "\x01"},
		{"value cut short", "\x08\x05rpc"},
		{"length of 2^40", "\x08\x80\x80\x80\x80\x80\x20"},
		{"a number that is none", "\x01\x00"},
		{"a number in a long form", "\x03\x02\x80\x00"},
		{"a number and more", "\x03\x02\x01\x01"},
		{"a number cut short", "\x03\x01\x80"},
		{"max message 0", "\x01\x01\x00"},
		{"max message 2^31", "\x01\x05\x80\x80\x80\x80\x08"},
		{"window of 64 KiB less 1", "\x02\x03\xff\xff\x03"},
		{"window 2^31", "\x02\x05\x80\x80\x80\x80\x08"},
		{"max streams 2^31", "\x03\x05\x80\x80\x80\x80\x08"},
		{"max metadata 2^62", "\x09\x09\x80\x80\x80\x80\x80\x80\x80\x80\x40"},
		{"min ping 2^31", "\x06\x05\x80\x80\x80\x80\x08"},
		{"no codec", "\x04\x00"},
		{"a codec twice", "\x04\x03\x00\x04\x00"},
		{"an algorithm twice", "\x05\x02\x01\x01"},
		{"timing not 01", "\x0a\x01\x02"},
		{"timing without a value", "\x0a\x00"},
		{"twice the same setting", "\x03\x01\x01\x03\x01\x01"},
		{"twice an unknown one", "\x0b\x00\x0b\x00"},
		{"a name of 257 bytes", "\x08\x81\x02" + strings.Repeat("n", 257)},
		{"a token of 8 KiB and 1", "\x07\x81\x40" + strings.Repeat("t", 8193)},
	}
	for _, tt := range tests {
		_, err := ParseSettings([]byte(tt.bytes))
		if t.Run(tt.name, func(t *testing.T) { wantBreach(t, err, BadSettings) }); err != nil && strings.Contains(err.Error(), "ttt") {
			t.Errorf("%s: the error shows the token: %v", tt.name, err)
		}
	}
}

func TestUnknownSettingsAreSkipped(t *testing.T) {
	b := AppendSettings([]byte("\x0b\x03abc\x80\x01\x00"), &Settings{MaxMessage: 1 << 20, Window: 1 << 20, MaxStreams: 512, MaxMetadata: 8 << 10, MinPing: 5 * time.Second})
	want := DefaultSettings()
	want.Window = 1 << 20
	if got, err := ParseSettings(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestDefaultSettingsTakeNoBytes(t *testing.T) {
	s := DefaultSettings()
	if b := AppendSettings(nil, &s); len(b) > 0 {
		t.Errorf("got %x", b)
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	number := func(least int) *rapid.Generator[int] {
		return rapid.OneOf(rapid.IntRange(least, maxNumber), rapid.IntRange(least, least+300), rapid.Just(maxNumber))
	}
	codec, algorithm := rapid.Map(rapid.Byte(), func(b byte) CodecID { return CodecID(b) }), rapid.Map(rapid.Byte(), func(b byte) AlgorithmID { return AlgorithmID(b) })
	rapid.Check(t, func(rt *rapid.T) {
		want := Settings{
			MaxMessage:    number(1).Draw(rt, "message"),
			Window:        number(MinWindow).Draw(rt, "window"),
			MaxStreams:    number(0).Draw(rt, "streams"),
			MaxMetadata:   number(0).Draw(rt, "metadata"),
			Codecs:        rapid.SliceOfNDistinct(codec, 1, 256, rapid.ID).Draw(rt, "codecs"),
			Algorithms:    rapid.SliceOfNDistinct(algorithm, 0, 256, rapid.ID).Draw(rt, "algorithms"),
			MinPing:       time.Duration(number(0).Draw(rt, "ping")) * time.Millisecond,
			Authorization: rapid.StringN(0, -1, MaxAuthorization).Draw(rt, "authorization"),
			Name:          rapid.StringN(0, -1, MaxPeerName).Draw(rt, "name"),
			WantTiming:    rapid.Bool().Draw(rt, "timing"),
		}
		if len(want.Algorithms) == 0 {
			want.Algorithms = nil
		}
		b := AppendSettings(nil, &want)
		got, err := ParseSettings(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
		if len(b) > MaxFrame {
			rt.Fatalf("%d bytes do not fit a frame", len(b))
		}
	})
}

func FuzzSettings(f *testing.F) {
	for _, name := range []string{"connect", "settings-all"} {
		f.Add(goldens2(f)[name][3:])
	}
	f.Add([]byte("\x02\x03\x80\x80\x08\x0b\x02ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSettings(b)
		if err != nil {
			return
		}
		if s.Window < MinWindow || s.MaxMessage < 1 || s.MaxStreams < 0 || s.MaxMetadata < 0 || s.MinPing < 0 || len(s.Codecs) == 0 {
			t.Fatalf("out of range: %+v", s)
		}
		if len(s.Algorithms) == 0 {
			s.Algorithms = nil
		}
		again, err := ParseSettings(AppendSettings(nil, &s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}
