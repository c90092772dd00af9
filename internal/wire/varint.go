package wire

import (
	"encoding/binary"
	"math"
	"time"
)

// maxNumber is the largest number that version 2 uses for a size, a count or a time in milliseconds.
const maxNumber = math.MaxInt32

// AppendVarint appends v as an unsigned LEB128 number: seven bits to a byte, low ones first, the high bit set on all but the last.
func AppendVarint(dst []byte, v uint64) []byte {
	if v < 0x80 { // most are, and this much is inlined
		return append(dst, byte(v))
	}
	return binary.AppendUvarint(dst, v)
}

// Varint reads the number at the start of b and says how many bytes it takes. n is 0 when more bytes are needed, and negative
// for what AppendVarint never writes: a number that is not in its shortest form, or beyond 64 bits.
func Varint(b []byte) (v uint64, n int) {
	for i, c := range b[:min(len(b), binary.MaxVarintLen64)] {
		v |= uint64(c&0x7F) << (7 * i)
		switch {
		case c < 0x80 && (i > 0 && c == 0 || i == binary.MaxVarintLen64-1 && c > 1):
			return 0, -1
		case c < 0x80:
			return v, i + 1
		}
	}
	if len(b) >= binary.MaxVarintLen64 {
		return 0, -1
	}
	return 0, 0
}

// sizeVarint returns how many bytes AppendVarint takes.
func sizeVarint(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// number reads a varint of at most maxNumber from the start of b.
func number(b []byte) (v int, rest []byte, ok bool) {
	u, n := Varint(b)
	if n <= 0 || u > maxNumber {
		return 0, nil, false
	}
	return int(u), b[n:], true
}

// prefixed reads a varint length and that many bytes from the start of b.
func prefixed(b []byte) (s, rest []byte, ok bool) {
	n, rest, ok := number(b)
	if !ok || n > len(rest) {
		return nil, nil, false
	}
	return rest[:n:n], rest[n:], true
}

// millis is d in whole milliseconds, rounded up, as every time stands on the wire of version 2.
func millis(d time.Duration) uint64 {
	const most = maxNumber * time.Millisecond
	d = min(max(d, 0), most)
	return uint64((d + time.Millisecond - 1) / time.Millisecond)
}
