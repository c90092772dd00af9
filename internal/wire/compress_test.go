package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func inflate(t testing.TB) Algorithm {
	t.Helper()
	a, ok := AlgorithmOf(Deflate)
	if !ok || a.ID() != Deflate {
		t.Fatal("no deflate")
	}
	return a
}

func TestAlgorithmsToCome(t *testing.T) {
	for _, id := range []AlgorithmID{0, 2, 255} {
		if a, ok := AlgorithmOf(id); ok {
			t.Errorf("algorithm %d is %v", id, a)
		}
	}
}

func TestDeflateRoundTrip(t *testing.T) {
	a := inflate(t)
	rapid.Check(t, func(rt *rapid.T) {
		one := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "bytes")
		want := bytes.Repeat(one, rapid.IntRange(0, 400).Draw(rt, "times"))
		z := a.Compress([]byte("before"), want)
		if string(z[:6]) != "before" {
			rt.Fatalf("what was there before became %q", z[:6])
		}
		got, err := a.Decompress(z[6:], len(want))
		if err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
		}
		if len(want) > 0 {
			if _, err := a.Decompress(z[6:], len(want)-1); !errors.Is(err, ErrInflated) {
				rt.Fatalf("a limit one byte lower: %v", err)
			}
		}
	})
}

func TestDeflateRefuses(t *testing.T) {
	a := inflate(t)
	good := a.Compress(nil, []byte(strings.Repeat("a message ", 50)))
	noise := make([]byte, 40<<10)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	large := a.Compress(nil, noise)
	if len(large) <= smallSource {
		t.Fatalf("%d bytes do not reach the other way of reading", len(large))
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "no deflate": []byte("\xff\xff\xff"), "cut short": good[:len(good)-1], "a byte more": append(bytes.Clone(good), 0),
		"large, cut short": large[:len(large)-1], "large, a byte more": append(bytes.Clone(large), 0), "a zlib header": append([]byte("\x78\x9c"), good...),
	} {
		if got, err := a.Decompress(b, 1<<20); !errors.Is(err, ErrCorrupt) || got != nil {
			t.Errorf("%s: got %d bytes, %v; want %v", name, len(got), err, ErrCorrupt)
		}
	}
}

// bomb returns deflate data for size zero bytes, a multiple of 1 MiB: the blocks of one megabyte, again and again.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return append(bytes.Repeat(b.Bytes(), size>>20), 0x03, 0x00) // and an empty last one
}

// taken returns how many bytes f allocates: no less than what it holds at its peak.
func taken(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// A megabyte that would become a gigabyte costs what one message may cost, and is given up as soon as it is too much.
func TestDeflateBomb(t *testing.T) {
	const limit = 1 << 20
	a := inflate(t)
	large := bomb(t, 1<<30)
	if len(large) < 1<<20-1<<16 || len(large) > 1<<20+1<<16 {
		t.Fatalf("the bomb has %d bytes", len(large))
	}
	small := bomb(t, 8<<20)
	if len(small) > smallSource {
		t.Fatalf("the small bomb has %d bytes", len(small))
	}
	exact := bomb(t, limit)
	noise := make([]byte, limit)
	r := rand.New(rand.NewPCG(7, 8))
	for i := range noise {
		noise[i] = 'a' + byte(r.UintN(16))
	}
	for _, tt := range []struct {
		name string
		b    []byte
		err  error
		most int // bytes beyond b
	}{
		{"1 MiB to 1 GiB", large, ErrInflated, 64 << 10},
		{"8 KiB to 8 MiB", small, ErrInflated, 192 << 10}, // the buffers that grew to 64 KiB, all together
		{"exactly the limit", exact, nil, limit + 192<<10},
		{"a large message, to the limit", a.Compress(nil, noise), nil, limit + 64<<10},
	} {
		for range 2 { // the second time out of the pool, whoever emptied it in between
			var err error
			n := taken(func() { _, err = a.Decompress(tt.b, limit) })
			if !errors.Is(err, tt.err) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.err)
			}
			if n > tt.most {
				t.Errorf("%s: took %d bytes beyond its own %d, want at most %d", tt.name, n, len(tt.b), tt.most)
			}
		}
	}
}

func TestDeflateFromMany(t *testing.T) {
	a := inflate(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 50 {
				want := bytes.Repeat([]byte{byte(i), byte(k), 'x'}, 500*(k+1))
				got, err := a.Decompress(a.Compress(nil, want), len(want))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("caller %d, message %d: %d bytes of %d, %v", i, k, len(got), len(want), err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzInflate(f *testing.F) {
	a := inflate(f)
	f.Add(a.Compress(nil, []byte(strings.Repeat(`{"name":"value"},`, 100))), 1<<20)
	f.Add(bomb(f, 8<<20), 1<<16)
	f.Add([]byte{0x53, 0x4a, 0x24, 0x12, 0x28, 0x01, 0x00}, 42)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = max(limit, 0) % (1 << 21)
		got, err := a.Decompress(b, limit)
		if len(got) > limit || cap(got) > limit || err != nil && got != nil {
			t.Fatalf("%d bytes of at most %d, %v", len(got), limit, err)
		}
		if err != nil {
			return
		}
		again, err := a.Decompress(a.Compress(nil, got), limit)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%d bytes became %d, %v", len(got), len(again), err)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	a := inflate(b)
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		text := []byte(strings.Repeat(`{"id":12345,"name":"a value","done":true},`, size/42+1))[:size]
		z := a.Compress(nil, text)
		b.Run("compress/"+sizeName(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			var out []byte
			for b.Loop() {
				out = a.Compress(out[:0], text)
			}
		})
		b.Run("decompress/"+sizeName(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := a.Decompress(z, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func sizeName(n int) string {
	return map[int]string{1 << 10: "1KiB", 16 << 10: "16KiB", 1 << 20: "1MiB"}[n]
}
