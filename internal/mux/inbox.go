package mux

// item is one message in an inbox.
type item struct {
	size   int32 // bytes in the buffer, metadata included
	meta   int32 // of these, metadata; it comes first
	charge int32 // credit that goes back when it is taken
	flags  itemFlags
}

type itemFlags uint8

const (
	itemLast   itemFlags = 1 << iota // END came with it
	itemNone                         // no message, trailers alone
	itemZipped                       // begins with an algorithm's byte
)

// inbox holds messages back to back: the reader fills one while the consumer empties another, so that taking a message needs
// neither a lock nor a buffer of its own.
type inbox struct {
	buf   []byte
	items []item
	whole int // buf[:whole] belongs to the items, what follows to a message that is under way
}

// add appends bytes of the message under way. Memory doubles as bytes arrive, so that its last size is most, what one message may need: the largest
// one wastes nothing, and a half, a quarter and so on before it are as much again.
func (b *inbox) add(p []byte, most int) {
	if need := len(b.buf) + len(p); need > cap(b.buf) {
		size := max(2*cap(b.buf), need)
		if need <= most {
			for size = most; size/2 >= need; size /= 2 {
				continue
			}
		}
		b.buf = append(make([]byte, 0, size), b.buf...)
	}
	b.buf = append(b.buf, p...)
}

// finish makes the message under way an item.
func (b *inbox) finish(i item) {
	i.size = int32(len(b.buf) - b.whole)
	b.whole = len(b.buf)
	b.items = append(b.items, i)
}

// move gives all items to an empty inbox and keeps the message under way; most is as for add.
func (b *inbox) move(to *inbox, most int) {
	if cap(to.buf) > keepBusy {
		to.buf = nil
	}
	tail := b.buf[b.whole:]
	b.buf, to.buf = to.buf[:0], b.buf[:b.whole]
	b.items, to.items = to.items[:0], b.items
	to.whole, b.whole = b.whole, 0
	b.add(tail, most)
}

// reset empties the inbox; of its memory it keeps what a small call needs.
func (b *inbox) reset() {
	if cap(b.buf) > keepBuffer {
		b.buf = nil
	}
	if cap(b.items) > keepItems {
		b.items = nil
	}
	b.buf, b.items, b.whole = b.buf[:0], b.items[:0], 0
}

const (
	keepBuffer = 16 << 10 // the largest buffer that a stream keeps for the next one
	keepItems  = 256
	keepBusy   = 256 << 10 // the largest that it keeps while it goes on
)
