package dash

import (
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// editor is one line of text with a cursor and the usual keys of a shell. Its zero value is an empty line.
type editor struct {
	text   []rune
	at     int // the cursor stands before this rune
	killed []rune
}

func (e *editor) String() string { return string(e.text) }

// offset is the cursor as a byte offset in the line.
func (e *editor) offset() int { return len(string(e.text[:e.at])) }

// set replaces the line; the cursor goes to its end.
func (e *editor) set(s string) {
	e.text = printableRunes([]rune(s))
	e.at = len(e.text)
}

// insert puts text at the cursor.
func (e *editor) insert(rs []rune) {
	rs = printableRunes(rs)
	text := make([]rune, 0, len(e.text)+len(rs))
	text = append(append(append(text, e.text[:e.at]...), rs...), e.text[e.at:]...)
	e.text, e.at = text, e.at+len(rs)
}

// printableRunes makes white space a space and drops what a terminal would not show as it is.
func printableRunes(rs []rune) []rune {
	out := make([]rune, 0, len(rs))
	for _, r := range rs {
		switch {
		case r >= ' ' && r < 0x7f:
			out = append(out, r)
		case r == '\n' || r == '\t' || r == '\r':
			out = append(out, ' ')
		case console.Printable(string(r)) == string(r):
			out = append(out, r)
		}
	}
	return out
}

// remove takes out the runes from a to b; the cursor goes there.
func (e *editor) remove(a, b int) {
	e.text = append(e.text[:a:a], e.text[b:]...)
	e.at = a
}

// kill removes and keeps for ctrl+y.
func (e *editor) kill(a, b int) {
	if a < b {
		e.killed = append([]rune(nil), e.text[a:b]...)
	}
	e.remove(a, b)
}

// key edits the line; it reports whether it knew the key.
func (e *editor) key(msg tea.KeyMsg) bool {
	if (msg.Type == tea.KeyRunes || msg.Type == tea.KeySpace) && !msg.Alt {
		e.insert(msg.Runes)
		return true
	}
	switch msg.String() {
	case "left", "ctrl+b":
		e.at = e.before()
	case "right", "ctrl+f":
		e.at = e.after()
	case "home", "ctrl+a":
		e.at = 0
	case "end", "ctrl+e":
		e.at = len(e.text)
	case "alt+left", "ctrl+left", "alt+b":
		e.at = e.wordBefore(blank)
	case "alt+right", "ctrl+right", "alt+f":
		e.at = e.wordAfter()
	default:
		return e.cutKey(msg.String())
	}
	return true
}

func (e *editor) cutKey(key string) bool {
	switch key {
	case "backspace", "ctrl+h":
		e.remove(e.before(), e.at)
	case "delete", "ctrl+d":
		e.remove(e.at, e.after())
	case "ctrl+w":
		e.kill(e.wordBefore(unicode.IsSpace), e.at)
	case "alt+backspace":
		e.kill(e.wordBefore(blank), e.at)
	case "alt+d", "alt+delete":
		e.kill(e.at, e.wordAfter())
	case "ctrl+k":
		e.kill(e.at, len(e.text))
	case "ctrl+u":
		e.kill(0, e.at)
	case "ctrl+y":
		e.insert(e.killed)
	default:
		return false
	}
	return true
}

// joins is how far back a character is looked for that the one before the cursor may be part of.
const joins = 64

// before is where the character before the cursor begins, as it is seen: marks and joined signs are one with what they stand on.
func (e *editor) before() int {
	from := e.at - 1
	for from > 0 && e.at-from < joins && e.text[from] >= 0x7f {
		from--
	}
	if from = max(from, 0); e.at-from <= 1 {
		return from
	}
	for {
		n := clusterOf(e.text[from:e.at])
		if from+n >= e.at {
			return from
		}
		from += n
	}
}

// after is where the character behind the cursor ends.
func (e *editor) after() int {
	return e.at + clusterOf(e.text[e.at:min(e.at+joins, len(e.text))])
}

// clusterOf is how many runes the first character of a text has.
func clusterOf(text []rune) int {
	if len(text) < 2 || text[1] < 0x7f {
		return min(len(text), 1)
	}
	first, _ := ansi.FirstGraphemeCluster(string(text), ansi.GraphemeWidth)
	return max(utf8.RuneCountInString(first), 1)
}

// blank says whether a rune lies between words.
func blank(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }

func (e *editor) wordBefore(between func(rune) bool) int {
	i := e.at
	for i > 0 && between(e.text[i-1]) {
		i--
	}
	for i > 0 && !between(e.text[i-1]) {
		i--
	}
	return i
}

func (e *editor) wordAfter() int {
	i := e.at
	for i < len(e.text) && blank(e.text[i]) {
		i++
	}
	for i < len(e.text) && !blank(e.text[i]) {
		i++
	}
	return i
}

// window returns the part of the line that is shown in w cells so that the cursor is among them, the cursor's cell in it, and the index of
// the first rune shown.
func (e *editor) window(w int) (text string, cursor, first int) {
	if w <= 0 {
		return "", 0, e.at
	}
	first = max(e.at-w, 0) // a rune rarely takes less than a cell
	cursor = width(string(e.text[first:e.at]))
	for cursor >= w && first < e.at {
		first++
		cursor = width(string(e.text[first:e.at]))
	}
	return cut(string(e.text[first:min(len(e.text), first+2*w)]), w, ""), cursor, first
}
