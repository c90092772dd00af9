package console

import (
	"errors"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// callVariable is the name of what a filter sees of the call beside its reply: the object that -o json prints.
const callVariable = "call"

// variable is what a reference is called inside of a filter: $128 is no name of a variable there.
func variable(ref string) string {
	if ref[0] >= '0' && ref[0] <= '9' {
		return "$__" + ref
	}
	return "$" + ref
}

// filterSource is the text of a filter with its references renamed.
type filterSource struct {
	typed, text string
	refs        []string // each once
	shifts      []int    // where in text two bytes were put in
}

// renamed finds the references of a filter: $last, $call and $128. What stands in a string or in a comment is none, but for what is put into a string by \( ).
func renamed(typed string) *filterSource {
	s := &filterSource{typed: typed}
	var b strings.Builder
	from := 0
	var open []int // brackets that are open in each \( ), innermost last
	quoted := false
	for i := 0; i < len(typed); i++ {
		switch c := typed[i]; {
		case quoted && c == '\\' && strings.HasPrefix(typed[i+1:], "("):
			open, quoted, i = append(open, 0), false, i+1
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#':
			for i+1 < len(typed) && typed[i+1] != '\n' {
				i++
			}
		case c == '(' && len(open) > 0:
			open[len(open)-1]++
		case c == ')' && len(open) > 0:
			if open[len(open)-1]--; open[len(open)-1] < 0 {
				open, quoted = open[:len(open)-1], true
			}
		case c == '$':
			if end := s.reference(i + 1); end > 0 {
				b.WriteString(typed[from:i] + variable(typed[i+1:end]))
				if len(variable(typed[i+1:end])) > end-i {
					s.shifts = append(s.shifts, b.Len())
				}
				from, i = end, end-1
			}
		}
	}
	b.WriteString(typed[from:])
	if s.text = b.String(); strings.TrimSpace(s.text) == "" {
		s.text = "."
	}
	return s
}

// reference notes the reference whose name begins at i and returns where it ends; 0 for another variable.
func (s *filterSource) reference(i int) (end int) {
	for end = i; end < len(s.typed) && nameByte(s.typed[end]); end++ {
	}
	name := s.typed[i:end]
	number := name != "" && strings.Trim(name, "0123456789") == "" && len(name) < 10
	if name != "last" && name != callVariable && !number {
		return 0
	}
	if !slices.Contains(s.refs, name) {
		s.refs = append(s.refs, name)
	}
	return end
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// place is the place in the typed text of one in the renamed text.
func (s *filterSource) place(at int) int {
	less := 0
	for _, end := range s.shifts {
		if end <= at {
			less += 2
		}
	}
	return at - less
}

// misfilter tells what the compiler found wrong, and where.
func (s *filterSource) misfilter(err error) *Error {
	text := strings.TrimPrefix(err.Error(), "gojq: ")
	if p, ok := errors.AsType[*gojq.ParseError](err); ok {
		at := s.place(p.Offset - len(p.Token))
		if text == "unexpected EOF" {
			text, at = "it is not complete", len(s.typed)
		}
		return misfilter(s.typed, at, "the filter is not jq: "+text, "as in .value or .items[] | select(.n > 3) | .name")
	}
	_, name, missing := strings.Cut(text, "not defined: ")
	name, _, _ = strings.Cut(name, "/")
	if missing && name[0] == '$' {
		return misfilter(s.typed, strings.Index(s.typed, name), "no reply is called "+name, "$last is the last reply, $128 the reply of call 128, $call what is known of the call")
	}
	at := 0
	switch {
	case missing:
		at, text = s.name(name), "jq here has no "+name
	case strings.Contains(text, "input(s)/0"):
		at, text = max(s.name("input"), s.name("inputs")), "it has no further input"
	}
	return misfilter(s.typed, at, "the filter cannot run: "+text, "")
}

// name finds a function's name as a word of its own.
func (s *filterSource) name(name string) int {
	for from := 0; ; {
		at := strings.Index(s.typed[from:], name)
		if at < 0 {
			return 0
		}
		at += from
		end := at + len(name)
		if (at == 0 || !nameByte(s.typed[at-1]) && s.typed[at-1] != '.') && (end == len(s.typed) || !nameByte(s.typed[end])) {
			return at
		}
		from = end
	}
}
