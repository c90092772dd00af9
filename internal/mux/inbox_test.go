package mux

import "testing"

// A message in fragments takes less than twice what has come of it, and the largest one not a byte more than it has.
func TestInboxGrows(t *testing.T) {
	for _, most := range []int{1 << 10, 1<<20 + 8193, 16<<20 + 1} {
		for _, piece := range []int{1, 100, 16 << 10, 60 << 10} {
			var b inbox
			for left := most; left > 0; left -= piece {
				b.add(make([]byte, min(piece, left)), most)
				if room, n := cap(b.buf), len(b.buf); room >= 2*n || room > most {
					t.Fatalf("room for %d bytes after %d of %d in pieces of %d", room, n, most, piece)
				}
				if piece == 1 && len(b.buf) == 1<<12 { // enough
					break
				}
			}
		}
	}
	// Beyond one message it doubles: many small ones that nobody takes.
	var b inbox
	grown := 0
	for before := 0; len(b.buf) < 1<<20; before = cap(b.buf) {
		b.add(make([]byte, 100), 1000)
		if cap(b.buf) != before {
			grown++
		}
	}
	if grown > 20 {
		t.Errorf("grew %d times up to 1 MiB", grown)
	}
}
