//go:build unix

package screen

import (
	"regexp"
	"strings"
	"time"
)

// keys are the names that Type knows beside ctrl+LETTER and alt+ANYTHING, and what an xterm sends for them.
var keys = map[string]string{
	"enter": "\r", "tab": "\t", "shift+tab": "\x1b[Z", "esc": "\x1b", "space": " ", "backspace": "\x7f", "lt": "<", "gt": ">",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
	"insert": "\x1b[2~", "delete": "\x1b[3~", "pgup": "\x1b[5~", "pgdown": "\x1b[6~",
	"ctrl+up": "\x1b[1;5A", "ctrl+down": "\x1b[1;5B", "ctrl+right": "\x1b[1;5C", "ctrl+left": "\x1b[1;5D",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~",
	"f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
	"ctrl+space": "\x00", "ctrl+@": "\x00", "ctrl+\\": "\x1c", "ctrl+]": "\x1d", "ctrl+_": "\x1f",
}

var keyName = regexp.MustCompile(`<([a-z0-9]+(?:\+[^<>]+)?)>`)

// Type sends keys: text as it is, and names in angle brackets, as in "call fib 10<enter>", "<ctrl+c>", "<f1>", "<alt+1>",
// "<shift+tab>"; "<lt>" is the character <. A name that it does not know fails the test. What it sends arrives at once, as
// quick typing does; "<esc>" must be the last key, since esc and a letter together are alt and that letter: wait for what
// esc does before going on.
func (s *Screen) Type(text string) {
	s.t.Helper()
	s.send(keyName.ReplaceAllStringFunc(text, func(name string) string {
		sent, ok := bytesOf(name[1 : len(name)-1])
		if !ok {
			s.t.Fatalf("unknown key %s", name)
		}
		return sent
	}))
	if strings.Contains(strings.TrimSuffix(text, "<esc>"), "<esc>") {
		s.t.Fatalf("<esc> is not the last key of %q", text)
	}
}

// bytesOf is what the terminal sends for a named key.
func bytesOf(name string) (string, bool) {
	if sent, ok := keys[name]; ok {
		return sent, true
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok && len(rest) == 1 && rest[0] >= 'a' && rest[0] <= 'z' {
		return string(rest[0] & 0x1f), true
	}
	if rest, ok := strings.CutPrefix(name, "alt+"); ok {
		if sent, ok := keys[rest]; ok {
			return "\x1b" + sent, true
		}
		return "\x1b" + rest, len([]rune(rest)) == 1
	}
	return "", false
}

// Paste sends text as a terminal does when its user pastes: newlines become carriage returns, and the whole stands in
// brackets when the program asked for them.
func (s *Screen) Paste(text string) {
	s.t.Helper()
	text = strings.NewReplacer("\r\n", "\r", "\n", "\r").Replace(text)
	raw := string(s.Raw())
	if strings.LastIndex(raw, "\x1b[?2004h") > strings.LastIndex(raw, "\x1b[?2004l") {
		text = "\x1b[200~" + text + "\x1b[201~"
	}
	s.send(text)
}

// TryType is Type for a program that may have ended; what it does not take is nobody's loss.
func (s *Screen) TryType(text string) {
	s.t.Helper()
	sent := keyName.ReplaceAllStringFunc(text, func(name string) string {
		one, _ := bytesOf(name[1 : len(name)-1])
		return one
	})
	_ = s.master.SetWriteDeadline(time.Now().Add(limit))
	_, _ = s.master.WriteString(sent)
}

func (s *Screen) send(text string) {
	s.t.Helper()
	_ = s.master.SetWriteDeadline(time.Now().Add(limit))
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatalf("type %.40q: %v; the screen is\n%s", text, err, s.Picture())
	}
}
