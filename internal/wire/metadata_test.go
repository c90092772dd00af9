package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMetadataIsStrict(t *testing.T) {
	trace := strings.Repeat("t", 26)
	tests := []struct{ name, bytes, reason string }{
		{"no total", "", BadMetadata},
		{"total cut short", "\x80", BadMetadata},
		{"total in a long form", "\x80\x00", BadMetadata},
		{"8 KiB and 1, none of it there", "\x81\x40", MetadataTooLarge},
		{"2^62", "\x80\x80\x80\x80\x80\x80\x80\x80\x40", MetadataTooLarge},
		{"less than the total", "\x04\x02\x01", BadMetadata},
		{"key alone", "\x01\x02", BadMetadata},
		{"value cut short", "\x04\x02\x03ab", BadMetadata},
		{"value reaches into the message", "\x02\x02\x01x", BadMetadata},
		{"length of a value in a long form", "\x04\x02\x81\x00a", BadMetadata},
		{"literal key alone", "\x01\x00", BadMetadata},
		{"literal key without a name", "\x03\x00\x00\x00", BadMetadata},
		{"literal key of 65 bytes", "\x44\x00\x41" + strings.Repeat("n", 65) + "\x00", BadMetadata},
		{"upper case", "\x04\x00\x01A\x00", BadMetadata},
		{"a space", "\x04\x00\x01 \x00", BadMetadata},
		{"a literal key that has a number", "\x0a\x00\x07attempt\x00", BadMetadata},
		{"traceparent of 25 bytes", "\x1b\x01\x19" + trace[1:], BadMetadata},
		{"traceparent of 27 bytes", "\x1d\x01\x1b" + trace + "t", BadMetadata},
		{"load of two bytes", "\x04\x07\x02\x01\x01", BadMetadata},
		{"timing of one number", "\x03\x09\x01\x05", BadMetadata},
		{"timing of three numbers", "\x05\x09\x03\x05\x05\x05", BadMetadata},
		{"timing beyond 292 years", "\x0d\x09\x0b" + strings.Repeat("\xff", 9) + "\x01\x00", BadMetadata},
		{"the same key twice", "\x06\x03\x01a\x03\x01b", BadMetadata},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := CutBlock([]byte(tt.bytes), 8<<10)
			wantBreach(t, err, tt.reason)
		})
	}
}

// A block is held against the limit before a pair of it is looked at: this one is broken from its first byte.
func TestMetadataLimitComesFirst(t *testing.T) {
	b := AppendBlock(nil, bytes.Repeat([]byte{0xFF}, 8<<10+1))
	_, _, err := CutBlock(b, 8<<10)
	wantBreach(t, err, MetadataTooLarge)
	_, _, err = CutBlock(b, 8<<10+1)
	wantBreach(t, err, BadMetadata)
	if _, rest, err := CutBlock([]byte("\x00ab"), 0); err != nil || string(rest) != "ab" {
		t.Errorf("an empty block: got %q, %v", rest, err)
	}
}

func TestMetadataKeysToComeAreSkipped(t *testing.T) {
	b := AppendBlock(nil, []byte("\xc8\x03new\x06\x012\x3f\x00"))
	block, _, err := CutBlock(b, 8<<10)
	if got := told(block); err != nil || got != "attempt=2" {
		t.Errorf("got %q, %v", got, err)
	}
}

func told(block []byte) string {
	var all []string
	for name, value := range Fields(block) {
		all = append(all, name+"="+value)
	}
	return strings.Join(all, " ")
}

func TestAppendFieldRefuses(t *testing.T) {
	tests := []struct{ name, value string }{
		{"", "v"}, {"Tenant", "v"}, {"a b", "v"}, {"ä", "v"}, {strings.Repeat("n", 65), "v"},
		{FieldTraceparent, ""}, {FieldTraceparent, strings.ToUpper(traceText55)}, {FieldTraceparent, traceText55 + "0"},
		{FieldTraceparent, strings.Replace(traceText55, "-", "0", 1)},
		{FieldLoad, "256"}, {FieldLoad, "-1"}, {FieldLoad, "07"}, {FieldLoad, ""},
		{FieldTiming, "5"}, {FieldTiming, "5 "}, {FieldTiming, "-5 5"}, {FieldTiming, "5 5 5"}, {FieldTiming, "9223372036854775808 0"},
	}
	for _, tt := range tests {
		if b, err := AppendField([]byte("as it was"), tt.name, tt.value); err == nil || string(b) != "as it was" {
			t.Errorf("%q %q: got %q, %v", tt.name, tt.value, b, err)
		}
	}
}

func TestTiming(t *testing.T) {
	block, err := AppendField(nil, FieldAttempt, "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := Timing(block); ok {
		t.Error("times out of nowhere")
	}
	block = AppendTiming(block, -1, 3*time.Hour)
	if q, h, ok := Timing(block); !ok || q != 0 || h != 3*time.Hour {
		t.Errorf("got %v %v %v", q, h, ok)
	}
	if got, want := told(block), "attempt=2 server-timing=0 10800000000000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// drawField draws a name and a value of the form that the name wants.
func drawField(rt *rapid.T) [2]string {
	name := rapid.OneOf(rapid.StringMatching(`[a-z0-9_.-]{1,64}`), rapid.SampledFrom(fieldNames[1:])).Draw(rt, "name")
	switch name {
	case FieldTraceparent:
		return [2]string{name, rapid.StringMatching(`[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}`).Draw(rt, "trace")}
	case FieldLoad:
		return [2]string{name, fmt.Sprint(rapid.Byte().Draw(rt, "load"))}
	case FieldTiming:
		ns := rapid.Int64Range(0, 1<<63-1)
		return [2]string{name, fmt.Sprint(ns.Draw(rt, "queue"), " ", ns.Draw(rt, "handler"))}
	}
	return [2]string{name, rapid.String().Draw(rt, "value")}
}

func TestMetadataRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fields := rapid.SliceOfNDistinct(rapid.Custom(drawField), 0, 12, func(f [2]string) string { return f[0] }).Draw(rt, "fields")
		var want []byte
		for _, f := range fields {
			var err error
			if want, err = AppendField(want, f[0], f[1]); err != nil {
				rt.Fatal(err)
			}
		}
		block, rest, err := CutBlock(append(AppendBlock(nil, want), "message"...), len(want))
		if err != nil || !bytes.Equal(block, want) || string(rest) != "message" {
			rt.Fatalf("got %x and %q, %v; want %x", block, rest, err, want)
		}
		i := 0
		for name, value := range Fields(block) {
			if fields[i] != [2]string{name, value} {
				rt.Fatalf("field %d: got %q %q, want %q", i, name, value, fields[i])
			}
			i++
		}
		if i != len(fields) {
			rt.Fatalf("%d fields of %d", i, len(fields))
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(goldens2(f)["open-metadata"][7:])
	f.Add(goldens2(f)["fib-reply-timing"][3:])
	f.Add([]byte("\x09\x07\x01\x80\x00\x01a\x02bc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		block, rest, err := CutBlock(b, 8<<10)
		if err != nil {
			return
		}
		if !bytes.Equal(append(AppendBlock(nil, block), rest...), b) || len(block) > 8<<10 {
			t.Fatalf("%x was cut into %x and %x", b, block, rest)
		}
		var back []byte
		for name, value := range Fields(block) {
			if back, err = AppendField(back, name, value); err != nil {
				t.Fatalf("%q=%q was read but cannot be written: %v", name, value, err)
			}
		}
		again, _, err := CutBlock(AppendBlock(nil, back), len(back))
		if err != nil || told(again) != told(block) {
			t.Fatalf("%q became %q, %v", told(block), told(again), err)
		}
	})
}
