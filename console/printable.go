package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden says whether a rune could move the cursor, colour the screen, turn the direction of writing or vanish from sight: control
// characters (C0, C1, DEL), line and paragraph separators, and format characters such as the bidi overrides. The two joiners stay, since
// emoji and several scripts are written with them.
func hidden(r rune) bool {
	if r >= 0x20 && r < 0x7f {
		return false
	}
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r != '\u200c' && r != '\u200d' && unicode.Is(unicode.Cf, r)
}

// clean says whether s needs no escape.
func clean(s string) bool {
	for i, r := range s {
		if hidden(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return false
		}
	}
	return true
}

// escape returns s with each hidden rune, and each byte that is no UTF-8, as escaped writes it; for such a byte r is utf8.RuneError.
func escape(s string, escaped func(r rune, b byte) string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if hidden(r) || r == utf8.RuneError && n == 1 {
			b.WriteString(escaped(r, s[0]))
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// Printable returns s with everything that could harm a terminal or deceive a reader shown as an escape: "\x1b", "\n", "\u202e", "\xff" for
// a byte that is no UTF-8. Every text that comes from a peer or a file passes through it before it is shown.
func Printable(s string) string {
	return escape(s, func(r rune, b byte) string {
		switch {
		case r == '\n':
			return `\n`
		case r == '\t':
			return `\t`
		case r == '\r':
			return `\r`
		case r < 0x80 || r == utf8.RuneError:
			return fmt.Sprintf(`\x%02x`, b)
		case r > 0xffff:
			return fmt.Sprintf(`\U%08x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

// PrintableJSON returns a payload on one line and safe for a terminal. JSON stays the same JSON: what [Printable] would show as an escape
// is written as a \u escape of its string, numbers keep their digits and fields their order. What is no JSON comes out as Printable text.
func PrintableJSON(payload []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, payload) != nil {
		return Printable(string(payload))
	}
	return escape(compact.String(), func(r rune, _ byte) string {
		if r > 0xffff {
			hi, lo := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
		}
		return fmt.Sprintf(`\u%04x`, r) // a byte that is no UTF-8 is U+FFFD, as decoders have it
	})
}
