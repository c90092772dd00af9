package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// javaFrame writes a message as the Java original does: lengths in UTF-16 units, text in UTF-8.
func javaFrame(id, typ, payload string) []byte {
	var b []byte
	for _, s := range []string{id, typ, payload} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(utf16.Encode([]rune(s)))))
		b = append(b, s...)
	}
	return b
}

func TestLengthsOutOfRange(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		field string
		n     int64
	}{
		{"negative id", "\xff\xff\xff\xff", "id", -1},
		{"long id", "\x00\x00\x04\x01", "id", 1025},
		{"the magic of version 2", Magic, "id", -11384014},
		{"negative type", "\x00\x00\x00\x00\x80\x00\x00\x00", "type", -1 << 31},
		{"huge payload", "\x00\x00\x00\x011\x00\x00\x00\x01t\x00\x10\x00\x01", "payload", 1<<20 + 1},
		{"HTTP", "GET / HTTP/1.1\r\n", "id", 0x47455420},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			d.Fed(copy(d.Space(), tt.bytes))
			_, ok, err := d.Next()
			var le *LengthError
			if ok || !errors.As(err, &le) || le.Field != tt.field || le.Declared != tt.n {
				t.Fatalf("got ok %v, error %v; want a length error for %s %d", ok, err, tt.field, tt.n)
			}
		})
	}
}

func TestDecoderMaxIsTheOptionNotTheOriginal(t *testing.T) {
	d := Decoder{Max: 10}
	d.Fed(copy(d.Space(), AppendMessage(nil, "1", "t", "12345678901")))
	if _, _, err := d.Next(); err == nil {
		t.Error("11 bytes of payload passed a cap of 10")
	}
}

// A declared length costs nothing: the buffer grows with the bytes that are there.
func TestMemoryComesWithTheBytes(t *testing.T) {
	var d Decoder
	d.Fed(copy(d.Space(), "\x00\x00\x00\x011\x00\x00\x00\x01t\x00\x10\x00\x00\""))
	for range 3 {
		if _, ok, err := d.Next(); ok || err != nil {
			t.Fatal(ok, err)
		}
		d.Fed(copy(d.Space(), "a"))
	}
	if len(d.buf) > readSize {
		t.Errorf("%d bytes held for 18 that came", len(d.buf))
	}
}

func TestLargeBufferGoesBack(t *testing.T) {
	var d Decoder
	frame := AppendMessage(nil, "1", "t", strings.Repeat("1", 1<<20))
	for len(frame) > 0 {
		n := copy(d.Space(), frame)
		d.Fed(n)
		frame = frame[n:]
	}
	if m, ok, err := d.Next(); !ok || err != nil || len(m.Payload) != 1<<20 {
		t.Fatal(ok, err)
	}
	if n := len(d.Space()); n != readSize {
		t.Errorf("%d bytes held after a large message, want %d", n, readSize)
	}
	d.Release()
	if d.buf != nil {
		t.Error("an empty decoder keeps a buffer")
	}
}

// Repair never guesses: where the bytes do not prove UTF-16 units, the declared bytes are the payload and the rest is what follows.
func TestRepairRefuses(t *testing.T) {
	next := string(AppendMessage(nil, "2", "fib", "1"))
	tests := []struct {
		name, declared, rest string
	}{
		{"broken JSON, then a message", `"é`, next},
		{"another control character", `"é`, "\x01\""},
		{"not UTF-8", "\"\xc3\xa9", "\xff\xff\""},
		{"still no JSON after n units", `{é`, `}}}`},
		{"end of stream", `"你`, `你`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := AppendMessage(nil, "1", "t", tt.declared)
			var d Decoder
			d.Fed(copy(d.Space(), string(b)+tt.rest))
			d.GiveUp()
			m, ok, err := d.Next()
			if !ok || err != nil || string(m.Payload) != tt.declared || m.Repaired {
				t.Fatalf("got %q ok %v repaired %v error %v, want %q", m.Payload, ok, m.Repaired, err, tt.declared)
			}
			if d.Buffered() != len(tt.rest) {
				t.Errorf("%d bytes left for what follows, want %d", d.Buffered(), len(tt.rest))
			}
		})
	}
}

func TestRepairWaitsOnlyWhileItMay(t *testing.T) {
	var d Decoder
	whole := javaFrame("1", "t", `"你好"`)
	d.Fed(copy(d.Space(), whole[:len(whole)-1]))
	if _, ok, _ := d.Next(); ok || !d.Repairing() {
		t.Fatalf("ok %v, repairing %v: want to wait", ok, d.Repairing())
	}
	d.Fed(copy(d.Space(), "\x00"))
	m, ok, err := d.Next()
	if !ok || err != nil || m.Repaired || d.Repairing() {
		t.Fatalf("a byte that cannot be text did not end the wait: ok %v error %v", ok, err)
	}
}

// A Java sender's stream of any texts is read as meant, however the bytes are cut.
func TestJavaTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var stream []byte
		var sent []string
		for range rapid.IntRange(1, 4).Draw(rt, "messages") {
			text := rapid.String().Draw(rt, "text")
			var value any = text
			if rapid.Bool().Draw(rt, "object") {
				value = map[string]any{"问": text, "n": 1}
			}
			payload := encodeRaw(value)
			sent = append(sent, payload)
			stream = append(stream, javaFrame("id", "t", payload)...)
		}
		got := decodeAll(t, stream, rapid.IntRange(1, 40).Draw(rt, "chunk"))
		if len(got) != len(sent) {
			rt.Fatalf("%d messages of %d", len(got), len(sent))
		}
		for i, m := range got {
			if string(m.Payload) != sent[i] {
				rt.Fatalf("payload %d: got %q, want %q", i, m.Payload, sent[i])
			}
		}
	})
}

// encodeRaw is JSON as fastjson writes it: text beyond ASCII stands as itself.
func encodeRaw(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.SliceOfN(rapid.Byte(), 0, MaxID).Draw(rt, "id")
		typ := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "type")
		payload := encodeRaw(rapid.String().Draw(rt, "payload"))
		b := AppendMessage(nil, id, typ, payload)
		got := decodeAll(t, append(b, b...), rapid.IntRange(1, 60).Draw(rt, "chunk"))
		if len(got) != 2 || !bytes.Equal(got[1].ID, id) || !bytes.Equal(got[1].Type, typ) || string(got[1].Payload) != payload {
			rt.Fatalf("got %+v", got)
		}
	})
}

// What a hostile peer may cost: a megabyte that waits for its repair is looked at once, not again for each byte that drips in.
func TestRepairKeepsItsPlace(t *testing.T) {
	text := `"` + strings.Repeat("é", 1<<18)
	var d Decoder
	b := javaFrame("1", "t", text+text[1:])
	for b := b[:len(b)/2+100]; len(b) > 0; {
		n := copy(d.Space(), b)
		d.Fed(n)
		b = b[n:]
	}
	if _, ok, _ := d.Next(); ok {
		t.Fatal("half a message was taken for one")
	}
	at := d.repair.at
	d.Fed(copy(d.Space(), "a"))
	if _, ok, _ := d.Next(); ok || d.repair.at != at+1 {
		t.Errorf("looked at %d bytes, want %d", d.repair.at, at+1)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.frame, 1)
		f.Add(append(bytes.Clone(g.frame), g.frame...), 7)
	}
	f.Add(javaFrame("1", "t", `{"问":"答`), 3)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		whole, wholeErr := decodeLoose(b, len(b))
		cut, cutErr := decodeLoose(b, max(1, chunk%97))
		if (wholeErr == nil) != (cutErr == nil) || len(whole) != len(cut) {
			t.Fatalf("cut otherwise, read otherwise: %d messages and %v, %d and %v", len(whole), wholeErr, len(cut), cutErr)
		}
		for i, m := range whole {
			if string(m.Payload) != string(cut[i].Payload) || m.Repaired != cut[i].Repaired {
				t.Fatalf("message %d: %q and %q", i, m.Payload, cut[i].Payload)
			}
			if m.Repaired && (!json.Valid(m.Payload) || !utf8.Valid(m.Payload)) {
				t.Fatalf("repaired to %q", m.Payload)
			}
		}
	})
}

func decodeLoose(b []byte, chunk int) (all []Message, err error) {
	var d Decoder
	drain := func() {
		for err == nil {
			var m Message
			var ok bool
			if m, ok, err = d.Next(); !ok {
				return
			}
			m.Payload = bytes.Clone(m.Payload)
			all = append(all, m)
		}
	}
	for len(b) > 0 && err == nil {
		n := copy(d.Space(), b[:min(chunk, len(b))])
		d.Fed(n)
		b = b[n:]
		drain()
	}
	for err == nil && d.Repairing() {
		d.GiveUp()
		drain()
	}
	return all, err
}

func BenchmarkDecode(b *testing.B) {
	frame := AppendMessage(nil, "0123456789abcdef;rk2;d=5000", "fib", "10")
	batch := bytes.Repeat(frame, readSize/len(frame))
	var d Decoder
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

func BenchmarkEncode(b *testing.B) {
	var out []byte
	b.ReportAllocs()
	for i := range b.N {
		if i%64 == 0 {
			out = out[:0]
		}
		out = AppendMessage(out, "0123456789abcdef;rk2;d=5000", "fib", "10")
	}
}

func TestNoAllocationPerMessage(t *testing.T) {
	frame := AppendMessage(nil, "0123456789abcdef;rk2;d=5000", "fib", "10")
	var d Decoder
	var out []byte
	d.Space()
	if n := testing.AllocsPerRun(100, func() {
		d.Fed(copy(d.Space(), frame))
		m, ok, err := d.Next()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		prefix, _, ok := ParseMark(m.ID)
		if !ok {
			t.Fatal("mark")
		}
		out = AppendReplyID(out[:0], prefix, 1)
		out = AppendMessage(out[:0], "1", "fib_res", m.Payload)
	}); n > 0 {
		t.Errorf("%v allocations per message, want 0", n)
	}
}

// One hundred thousand spoiled inputs: every one is cut into messages or refused, none panics, and none takes memory that it did not send.
func TestMutatedInput(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seeds := goldens(t)
	for range 100_000 {
		b := bytes.Clone(seeds[r.IntN(len(seeds))].frame)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		b = append(b, b[:r.IntN(len(b))]...)
		var d Decoder
		for rest := b; len(rest) > 0; {
			n := copy(d.Space(), rest[:min(1+r.IntN(64), len(rest))])
			d.Fed(n)
			rest = rest[n:]
			if _, _, err := d.Next(); err != nil {
				break
			}
		}
		if len(d.buf) > readSize {
			t.Fatalf("%d bytes held for %d: %x", len(d.buf), len(b), b)
		}
	}
}
