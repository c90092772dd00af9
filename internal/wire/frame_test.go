package wire

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wantBreach fails the test unless err is a breach for that reason.
func wantBreach(t testing.TB, err error, reason string) {
	t.Helper()
	b, ok := errors.AsType[*Breach](err)
	if !ok || b.Reason != reason {
		t.Errorf("got %v, want a breach: %s", err, reason)
	}
}

func TestFrameDecoderIsStrict(t *testing.T) {
	tests := []struct{ name, bytes, reason string }{
		{"kind 7", "\x70", UnknownKind},
		{"kind 8 on a stream", "\x80\x01", UnknownKind},
		{"kind 15 on a stream", "\xff\x01", UnknownKind},
		{"SETTINGS with END", "\x01", BadFlags},
		{"CREDIT with META", "\x42", BadFlags},
		{"PING with MORE", "\x58", BadFlags},
		{"ERROR with END", "\x31", BadFlags},
		{"GOAWAY with END", "\x61", BadFlags},
		{"OPEN with END and MORE", "\x19", BadFlags},
		{"DATA with END and MORE", "\x2f", BadFlags},
		{"SETTINGS on a stream", "\x00\x01", WrongStream},
		{"PING on a stream", "\x50\x01", WrongStream},
		{"GOAWAY on a stream", "\x60\xff\x7f", WrongStream},
		{"OPEN on stream 0", "\x10\x00", WrongStream},
		{"DATA on stream 0", "\x20\x00", WrongStream},
		{"ERROR on stream 0", "\x30\x00", WrongStream},
		{"CREDIT on stream 0", "\x40\x00", WrongStream},
		{"stream 2^31", "\x20\x80\x80\x80\x80\x08", WrongStream},
		{"stream of six bytes", "\x20\x81\x82\x83\x84\x85", WrongStream},
		{"long form of stream 1", "\x20\x81\x00", BadVarint},
		{"long form of stream 0", "\x50\x80\x00", BadVarint},
		{"long form of length 2", "\x20\x01\x82\x00", BadVarint},
		{"length 64 KiB and 1", "\x20\x01\x81\x80\x04", FrameTooLarge},
		{"length of four bytes", "\x20\x01\x81\x82\x83", FrameTooLarge},
		{"unknown kind, too long", "\x90\x00\x81\x80\x04", FrameTooLarge},
		{"PING of 9 bytes", "\x50\x00\x09", BadControl},
		{"empty fragment", "\x28\x01\x00", BadFlags},
		{"empty, and compressed", "\x25\x01\x00", BadFlags},
		{"empty, with metadata", "\x23\x01\x00", BadFlags},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ping := string(AppendFrame(nil, KindPing, 0, 0, nil))
			frames, err := readFrames([]byte(ping+tt.bytes), 1)
			if wantBreach(t, err, tt.reason); len(frames) != 1 {
				t.Errorf("%d frames before it, want 1", len(frames))
			}
			// No sooner than the byte that shows it.
			if _, err := readFrames([]byte(ping+tt.bytes[:len(tt.bytes)-1]), 1); err != nil {
				t.Errorf("one byte less: %v", err)
			}
		})
	}
}

func TestFrameDecoderTakesTheLargest(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), MaxFrame)
	b := AppendFrame(nil, KindData, FlagEnd, MaxStreamID, payload)
	if len(b) != maxHeader+MaxFrame {
		t.Fatalf("%d bytes, want %d", len(b), maxHeader+MaxFrame)
	}
	for _, chunk := range []int{1000, 7, len(b)} {
		var d FrameDecoder
		for rest := b; len(rest) > 0; {
			n := copy(d.Space(), rest[:min(chunk, len(rest))])
			d.Fed(n)
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
			if _, ok, err := d.Next(); ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		f, ok, err := d.Next()
		if !ok || err != nil || f.Stream != MaxStreamID || !bytes.Equal(f.Payload, payload) || !bytes.Equal(d.Raw(f), b) {
			t.Fatalf("chunks of %d: stream %d, %d bytes, ok %v, error %v", chunk, f.Stream, len(f.Payload), ok, err)
		}
		if len(d.buf) > maxHeader+MaxFrame {
			t.Errorf("%d bytes held for one frame", len(d.buf))
		}
		if n := len(d.Space()); n != readSize {
			t.Errorf("%d bytes held after a large frame, want %d", n, readSize)
		}
		if d.Release(); d.buf != nil {
			t.Error("an empty decoder keeps a buffer")
		}
	}
}

func TestFrameMemoryComesWithTheBytes(t *testing.T) {
	var d FrameDecoder
	d.Fed(copy(d.Space(), AppendHeader(nil, KindData, 0, 1, MaxFrame)))
	for range 100 {
		if _, ok, err := d.Next(); ok || err != nil {
			t.Fatal(ok, err)
		}
		d.Fed(copy(d.Space(), "a"))
	}
	if len(d.buf) > readSize {
		t.Errorf("%d bytes held for 104 that came", len(d.buf))
	}
	if d.Release(); d.buf == nil {
		t.Error("half a frame was thrown away")
	}
}

// drawFrame draws any frame that the decoder has to take.
func drawFrame(rt *rapid.T) Frame {
	f := Frame{Kind: Kind(rapid.SampledFrom([]int{0, 1, 2, 2, 2, 3, 4, 5, 6, 8, 15}).Draw(rt, "kind"))}
	most := 300
	switch f.Kind {
	case KindOpen, KindData:
		f.Flags = Flags(rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14}).Draw(rt, "flags"))
	case KindError:
		f.Flags = Flags(rapid.SampledFrom([]int{0, 8}).Draw(rt, "flags"))
	case KindPing:
		f.Flags, most = Flags(rapid.IntRange(0, 1).Draw(rt, "flags")), MaxPing
	case 8, 15:
		f.Flags = Flags(rapid.IntRange(0, 15).Draw(rt, "flags"))
	}
	if KindOpen <= f.Kind && f.Kind <= KindCredit {
		f.Stream = rapid.Uint32Range(1, MaxStreamID).Draw(rt, "stream")
	}
	least := 0
	if f.Kind == KindData && f.Flags > FlagEnd {
		least = 1
	}
	f.Payload = rapid.SliceOfN(rapid.Byte(), least, most).Draw(rt, "payload")
	return f
}

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var stream []byte
		sent := rapid.SliceOfN(rapid.Custom(drawFrame), 1, 8).Draw(rt, "frames")
		for i, f := range sent {
			at := len(stream)
			stream = AppendFrame(stream, f.Kind, f.Flags, f.Stream, f.Payload)
			sent[i].Size = len(stream) - at
		}
		got, err := readFrames(stream, rapid.IntRange(1, 70).Draw(rt, "chunk"))
		if err != nil || len(got) != len(sent) {
			rt.Fatalf("%d frames of %d, %v", len(got), len(sent), err)
		}
		for i, f := range got {
			w := sent[i]
			if f.Kind != w.Kind || f.Flags != w.Flags || f.Stream != w.Stream || f.Size != w.Size || !bytes.Equal(f.Payload, w.Payload) {
				rt.Fatalf("frame %d: got %+v, want %+v", i, f, w)
			}
		}
	})
}

func TestVarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 300, 16383, 16384, MaxStreamID, 1 << 32, 1<<63 - 1, 1 << 63, math.MaxUint64} {
		b := AppendVarint(nil, v)
		if got, n := Varint(append(b, 0xFF)); got != v || n != len(b) || sizeVarint(v) != n {
			t.Errorf("%d: read %d in %d bytes, counted %d, want %d bytes", v, got, n, sizeVarint(v), len(b))
		}
		for i := range b {
			if _, n := Varint(b[:i]); n != 0 {
				t.Errorf("%d: the first %d bytes read as %d", v, i, n)
			}
		}
	}
	long := strings.Repeat("\x80", 9)
	for _, b := range []string{"\x80\x00", "\x81\x80\x00", long + "\x00", long + "\x02", long + "\x80", long + "\x80\x01"} {
		if v, n := Varint([]byte(b)); n >= 0 {
			t.Errorf("%x reads as %d in %d bytes", b, v, n)
		}
	}
}

func FuzzVarint(f *testing.F) {
	f.Add([]byte{0x80, 0x80, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n := Varint(b)
		if n > 0 && !bytes.Equal(AppendVarint(nil, v), b[:n]) {
			t.Fatalf("%x is %d, which is written %x", b[:n], v, AppendVarint(nil, v))
		}
		if n == 0 && len(b) >= 10 || n > 10 {
			t.Fatalf("%x: %d bytes", b, n)
		}
	})
}

func FuzzFrameDecoder(f *testing.F) {
	for _, frame := range goldens2(f) {
		f.Add(frame, 1)
		f.Add(append(bytes.Clone(frame), frame...), 7)
	}
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		whole, wholeErr := readFrames(b, len(b))
		cut, cutErr := readFrames(b, max(1, chunk%97))
		if (wholeErr == nil) != (cutErr == nil) || len(whole) != len(cut) || wholeErr != nil && wholeErr.Error() != cutErr.Error() {
			t.Fatalf("cut otherwise, read otherwise: %d frames and %v, %d and %v", len(whole), wholeErr, len(cut), cutErr)
		}
		var back []byte
		for i, f := range whole {
			if f.Size != cut[i].Size || !bytes.Equal(f.Payload, cut[i].Payload) {
				t.Fatalf("frame %d: %+v and %+v", i, f, cut[i])
			}
			back = AppendFrame(back, f.Kind, f.Flags, f.Stream, f.Payload)
		}
		if !bytes.HasPrefix(b, back) {
			t.Fatalf("%x was read as what is written %x", b, back)
		}
	})
}

// One hundred thousand spoiled inputs: every one is cut into frames or refused, none panics, and none takes memory that it did not send.
func TestMutatedFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var seeds [][]byte
	for _, frame := range goldens2(t) {
		seeds = append(seeds, frame)
	}
	refused := 0
	for range 100_000 {
		b := append(bytes.Clone(seeds[r.IntN(len(seeds))]), seeds[r.IntN(len(seeds))]...)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		var d FrameDecoder
		for rest, err := b, error(nil); len(rest) > 0 && err == nil; {
			n := copy(d.Space(), rest[:min(1+r.IntN(64), len(rest))])
			d.Fed(n)
			rest = rest[n:]
			for ok := true; ok && err == nil; {
				var f Frame
				if f, ok, err = d.Next(); ok {
					err = readAll(f)
				}
			}
			if err != nil {
				refused++
			}
		}
		if len(d.buf) > readSize {
			t.Fatalf("%d bytes held for %d: %x", len(d.buf), len(b), b)
		}
	}
	if refused < 10_000 {
		t.Errorf("only %d of 100000 were refused: the spoiling does not spoil", refused)
	}
}

// readAll reads a frame's payload as its kind says.
func readAll(f Frame) (err error) {
	rest := f.Payload
	switch f.Kind {
	case KindSettings:
		_, err = ParseSettings(rest)
	case KindError:
		_, err = ParseFailure(rest)
	case KindCredit:
		_, err = ParseCredit(rest)
	case KindGoAway:
		_, err = ParseGoAway(rest)
	case KindOpen:
		_, rest, err = ParseOpen(rest)
	}
	if err == nil && f.Flags&FlagMeta != 0 && (f.Kind == KindOpen || f.Kind == KindData) {
		_, _, err = CutBlock(rest, 8<<10)
	}
	return err
}

func TestNoAllocationPerFrame(t *testing.T) {
	head := OpenHead{Idempotent: true, Timeout: 5e9, Number: 1, Name: []byte("fib")}
	block, err := AppendField(nil, FieldTraceparent, traceText55)
	if err != nil {
		t.Fatal(err)
	}
	block = AppendTiming(block, 1200, 45000)
	var d FrameDecoder
	var payload, out []byte
	once := func() {
		payload = append(AppendBlock(AppendOpen(payload[:0], &head), block), "10"...)
		out = AppendFrame(out[:0], KindOpen, FlagEnd|FlagMeta, 7, payload)
		out = append(AppendHeader(out, KindCredit, 0, 7, 3), "\x80\x80\x02"...)
		d.Fed(copy(d.Space(), out))
		f, ok, err := d.Next()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		h, rest, err := ParseOpen(f.Payload)
		if err != nil || h.Number != 1 {
			t.Fatal(h, err)
		}
		pairs, message, err := CutBlock(rest, 8<<10)
		if err != nil || string(message) != "10" {
			t.Fatal(message, err)
		}
		if queue, _, ok := Timing(pairs); !ok || queue != 1200 {
			t.Fatal(queue, ok)
		}
		f, ok, err = d.Next()
		if n, creditErr := ParseCredit(f.Payload); !ok || err != nil || creditErr != nil || n != 32<<10 {
			t.Fatal(ok, err, n, creditErr)
		}
	}
	once()
	if n := testing.AllocsPerRun(100, once); n > 0 {
		t.Errorf("%v allocations for two frames out and in, want 0", n)
	}
}

func BenchmarkFrameDecode(b *testing.B) {
	frame := AppendFrame(nil, KindData, FlagEnd, 7, []byte("89"))
	batch := bytes.Repeat(frame, readSize/len(frame))
	var d FrameDecoder
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for i := 0; i < b.N; {
		d.Fed(copy(d.Space(), batch))
		for {
			_, ok, err := d.Next()
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			i++
		}
	}
}

func BenchmarkFrameEncode(b *testing.B) {
	head := OpenHead{Timeout: 5e9, Number: 1}
	var payload, out []byte
	b.ReportAllocs()
	for i := range b.N {
		if i%64 == 0 {
			out = out[:0]
		}
		payload = append(AppendOpen(payload[:0], &head), "10"...)
		out = AppendFrame(out, KindOpen, FlagEnd, 7, payload)
	}
}
