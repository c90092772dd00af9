package dash

import (
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// Every character there is, alone and behind a letter, takes as many cells after it was settled as it was counted for.
func TestSettledKeepsWidth(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0x3400 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3 || r >= 0x20000 && r <= 0xdffff || r >= 0xf0000 {
			continue // ideographs, syllables and what is not assigned
		}
		for _, s := range []string{string(r), "1" + string(r) + "L", "\u0939" + string(r) + string(r)} {
			s = console.Printable(s)
			if got, want := ansi.StringWidth(settled(s)), ansi.StringWidth(s); got != want {
				t.Fatalf("%q (%U) takes %d cells and is written as %q of %d", s, r, want, settled(s), got)
			}
		}
	}
}
