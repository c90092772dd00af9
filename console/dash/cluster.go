package dash

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// clusterMarks is how many runes may follow the first one of a character: more than languages write, too few to paint over the rows above and below.
const clusterMarks = 4

// settled returns a printable text of the same width in which what terminals count differently is written plainly: a line that one of them thinks too wide would push
// all that follows to other rows. Of emoji that are joined to one, or coloured, the first stays; a flag is the letters of its country; of a heap of marks the first
// ones stay; and a mark without a letter, which would stand on whatever is written before it, goes.
func settled(s string) string {
	if plainASCII(s) || agreed(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		cluster, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		if cluster == "" {
			break
		}
		s = s[len(cluster):]
		if w := ansi.StringWidth(cluster); w > 0 {
			character(&b, cluster, w)
		}
	}
	return b.String()
}

// agreed says whether a text has only characters of one rune: no marks, joiners or emoji.
func agreed(s string) bool {
	for _, r := range s {
		switch {
		case r < 0x300, r >= 0x2010 && r < 0x20d0, r >= 0x2100 && r < 0x2700, r >= 0x2713 && r <= 0x2718, r >= 0x2800 && r < 0x2900:
		case r >= 0x3001 && r <= 0x3029, r >= 0x3041 && r <= 0x3096, r >= 0x309b && r <= 0x30ff, r >= 0x3400 && r <= 0x9fff, r >= 0xac00 && r <= 0xd7a3:
		case r >= 0xff01 && r <= 0xff60:
		default:
			return false
		}
	}
	return true
}

// character writes a character of w cells. What was kept is measured as a whole: a vowel sign that stands beside its letter widens it, and is no cell to fill.
func character(b *strings.Builder, cluster string, w int) {
	start, more := b.Len(), 0
	for _, r := range cluster {
		first := b.Len() == start
		switch {
		case r >= 0x1f1e6 && r <= 0x1f1ff:
			b.WriteRune('A' + r - 0x1f1e6)
			continue
		case first:
			b.WriteRune(r)
			continue
		case r < 0x1f000 && r != '\u200d' && (r < 0xfe00 || r > 0xfe0f) && r != '\u20e3':
			if more++; more <= clusterMarks {
				b.WriteRune(r)
			}
			continue
		}
		break // an emoji that joins, or its colour
	}
	b.WriteString(blanks(w - ansi.StringWidth(b.String()[start:])))
}
