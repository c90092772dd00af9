package shape

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxDepth = 10_000 // of nested lists and objects, as encoding/json has it

// Mismatch is the first place where a payload is wrong.
type Mismatch struct {
	At     int    // byte offset in the payload
	Path   string // the place as a path, as ".items[0].name"; "" at the top and for syntax
	Text   string // one line that goes on after the type's name: `needs "exp" (int), missing`; it may quote the payload and is not yet safe for a terminal
	Hint   string // a cure, or ""
	Syntax bool   // it is not JSON at all
	End    bool   // it is right as far as it goes: more text could make it JSON
}

func (m *Mismatch) Error() string { return m.Text }

// Syntax returns the first place where data is not JSON in UTF-8, or nil.
func Syntax(data []byte) *Mismatch {
	s := &scanner{data: data}
	if m := s.value(0); m != nil {
		return m
	}
	if s.next() != 0 || s.at < len(data) {
		return s.fail("more text after the value", "a payload is one value; several go into a list: [1, 2]")
	}
	return nil
}

// scanner walks JSON text. Its methods return the first fault, and leave at behind what they read.
type scanner struct {
	data []byte
	at   int
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) fail(text, hint string) *Mismatch {
	return &Mismatch{At: s.at, Text: "is not JSON: " + text, Hint: hint, Syntax: true, End: s.at >= len(s.data)}
}

func (s *scanner) value(depth int) *Mismatch {
	if depth > maxDepth {
		return s.fail("nested too deep", "")
	}
	switch c := s.next(); {
	case c == 0 && s.at == len(s.data):
		return s.fail("a value is missing", "")
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.list(depth)
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.literal()
}

func (s *scanner) object(depth int) *Mismatch {
	s.at++
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		if s.next() != '"' {
			return s.fail("expected a field's name in quotes", s.nameHint())
		}
		if m := s.str(); m != nil {
			return m
		}
		if s.next() != ':' {
			return s.fail("expected \":\" after the field's name", "")
		}
		s.at++
		if m := s.value(depth + 1); m != nil {
			return m
		}
		if done, m := s.more('}'); done || m != nil {
			return m
		}
	}
}

func (s *scanner) list(depth int) *Mismatch {
	s.at++
	if s.next() == ']' {
		s.at++
		return nil
	}
	for {
		if m := s.value(depth + 1); m != nil {
			return m
		}
		if done, m := s.more(']'); done || m != nil {
			return m
		}
	}
}

// more reads what follows an element: a comma, or the end of its list or object.
func (s *scanner) more(end byte) (done bool, m *Mismatch) {
	switch s.next() {
	case end:
		s.at++
		return true, nil
	case ',':
		comma := s.at
		s.at++
		if s.next() == end {
			s.at = comma
			return false, s.fail("a comma before the end", "JSON wants no comma after the last element")
		}
		return false, nil
	}
	return false, s.fail(fmt.Sprintf("expected \",\" or %q", string(end)), "")
}

func (s *scanner) str() *Mismatch {
	s.at++
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			if m := s.escape(); m != nil {
				return m
			}
		case c < 0x20:
			return s.fail("a control character inside a string", `a line break in a string is written \n, a tab \t`)
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, n := utf8.DecodeRune(s.data[s.at:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("a byte that is no UTF-8", "")
			}
			s.at += n
		}
	}
	return s.fail("the string has no end", "")
}

func (s *scanner) escape() *Mismatch {
	start := s.at
	s.at++
	if s.at == len(s.data) {
		return s.fail("the string has no end", "")
	}
	c := s.data[s.at]
	s.at++
	if c != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
			s.at = start
			return s.fail("an escape that JSON does not know", `a backslash in a string is written \\`)
		}
		return nil
	}
	for range 4 {
		if s.at == len(s.data) {
			return s.fail("the string has no end", "")
		}
		if bytes.IndexByte([]byte("0123456789abcdefABCDEF"), s.data[s.at]) < 0 {
			s.at = start
			return s.fail(`\u wants four hex digits`, "")
		}
		s.at++
	}
	return nil
}

func (s *scanner) digits() (n int) {
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		s.at++
		n++
	}
	return n
}

func (s *scanner) number() *Mismatch {
	if s.data[s.at] == '-' {
		s.at++
	}
	first := s.at
	if s.digits() == 0 {
		return s.fail("a number is missing after the minus", "")
	}
	if s.data[first] == '0' && s.at > first+1 {
		s.at = first
		return s.fail("a number that starts with 0", "")
	}
	if s.at < len(s.data) && s.data[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return s.fail("digits are missing after the point", "")
		}
	}
	if s.at < len(s.data) && (s.data[s.at] == 'e' || s.data[s.at] == 'E') {
		s.at++
		if s.at < len(s.data) && (s.data[s.at] == '+' || s.data[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return s.fail("digits are missing in the exponent", "")
		}
	}
	return nil
}

func (s *scanner) literal() *Mismatch {
	w := s.bare()
	switch w {
	case "true", "false", "null":
		s.at += len(w)
		return nil
	case "":
		return s.fail("expected a value", s.markHint())
	}
	m := s.fail("expected a value", literalHint(w))
	for _, l := range []string{"true", "false", "null"} {
		if strings.HasPrefix(l, w) && s.at+len(w) == len(s.data) {
			m.End = true
		}
	}
	return m
}

// bare is the word at the current place, as people write it who forget the quotes.
func (s *scanner) bare() string {
	end := s.at
	for end < len(s.data) && nameByte(s.data[end]) && end-s.at < 40 {
		end++
	}
	return strings.ToValidUTF8(string(s.data[s.at:end]), "")
}

func literalHint(w string) string {
	switch strings.ToLower(w) {
	case "true", "false", "null":
		return "JSON writes " + strings.ToLower(w)
	case "none", "nil", "undefined":
		return "JSON writes null"
	case "nan", "inf", "infinity":
		return "JSON has no such number"
	}
	return `a text needs quotes: "` + w + `"`
}

func (s *scanner) markHint() string {
	if s.at < len(s.data) {
		switch s.data[s.at] {
		case '\'':
			return "JSON strings have double quotes"
		case '+', '.':
			return "a number starts with a digit or a minus"
		}
	}
	return ""
}

func (s *scanner) nameHint() string {
	if w := s.bare(); w != "" {
		return `names have quotes: "` + w + `"`
	}
	return s.markHint()
}
