package wire

import "sync"

// readSize is what a decoder takes to begin with: enough for a batch of small messages, little enough for an idle connection.
const readSize = 8 << 10

var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// readBuffer is the part of a decoder that holds what was read: it grows as bytes arrive, never ahead of them.
type readBuffer struct {
	buf  []byte
	r, w int // buf[r:w] has not been decoded
}

// Fed says that n bytes were put where Space said.
func (b *readBuffer) Fed(n int) { b.w += n }

// Buffered returns how many bytes wait to be decoded: more than zero means half a message.
func (b *readBuffer) Buffered() int { return b.w - b.r }

// Release gives the buffer back if nothing is in it, so that an idle connection holds none. Like Space it ends the life
// of all that was returned so far.
func (b *readBuffer) Release() {
	if b.r == b.w {
		b.free()
		b.buf, b.r, b.w = nil, 0, 0
	}
}

// space returns room for the next read, at least one byte; a buffer that has to grow doubles, up to most.
func (b *readBuffer) space(most int) []byte {
	if b.r == b.w {
		b.r, b.w = 0, 0
		if len(b.buf) > readSize { // one large message has passed: do not hold its memory for the small ones after it
			b.buf = nil
		}
	}
	if b.buf == nil {
		b.buf = buffers.Get().(*[readSize]byte)[:]
	}
	if b.w < len(b.buf) {
		return b.buf[b.w:]
	}
	if b.r > 0 {
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
		return b.buf[b.w:]
	}
	grown := make([]byte, min(2*len(b.buf), most))
	copy(grown, b.buf[:b.w])
	b.free()
	b.buf = grown
	return b.buf[b.w:]
}

func (b *readBuffer) free() {
	if len(b.buf) == readSize {
		buffers.Put((*[readSize]byte)(b.buf))
	}
}
