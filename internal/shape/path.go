package shape

import (
	"fmt"
	"strconv"
	"strings"
)

// Path leads to a value inside a payload, as .items[0].name does. The empty path is the payload itself.
type Path []step

type step struct {
	name  string
	index int
	list  bool // index counts, else name
}

// String writes the path so that [ParsePath] reads it back; the empty path is ".".
func (p Path) String() string {
	if len(p) == 0 {
		return "."
	}
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.list:
			fmt.Fprintf(&b, "[%d]", s.index)
		case plainName(s.name):
			b.WriteString("." + s.name)
		default:
			b.WriteString("[" + strconv.Quote(s.name) + "]")
		}
	}
	return b.String()
}

// Last is the name of the last field on the way, "" when there is none.
func (p Path) Last() string {
	for i := len(p) - 1; i >= 0; i-- {
		if !p[i].list {
			return p[i].name
		}
	}
	return ""
}

// ParsePath reads a path: .name, [0] and ["any name"], one after the other; the first dot may be left out. Its error is a *ParseError.
func ParsePath(text string) (Path, error) {
	var path Path
	p := &parser{src: text}
	for p.at < len(text) {
		switch c := text[p.at]; {
		case c == '[':
			s, err := p.index()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
			continue
		case c == '.':
			p.at++
			if p.at == len(text) && len(path) == 0 {
				return nil, nil
			}
		case len(path) > 0:
			return nil, p.fail("expected \".\" or \"[\", found %s", p.token())
		}
		start := p.at
		for p.at < len(text) && nameByte(text[p.at]) {
			p.at++
		}
		if start == p.at {
			return nil, p.fail("expected a field's name, found %s", p.token())
		}
		path = append(path, step{name: text[start:p.at]})
	}
	return path, nil
}

func (p *parser) index() (s step, err error) {
	p.at++
	if p.peek() == '"' {
		if s.name, err = p.fieldName(); err != nil {
			return s, err
		}
	} else {
		start := p.at
		w := p.word()
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 {
			p.at = start
			return s, p.fail("expected a number or a name in quotes, found %s", p.token())
		}
		s = step{index: n, list: true}
	}
	if e := p.expect(']'); e != nil {
		return s, e
	}
	return s, nil
}

// Lookup returns the value at the path, as it stands in the payload; ok is false when there is none or the payload is not JSON. Of a name that stands twice it takes the
// last, as decoders do.
func (p Path) Lookup(payload []byte) (value []byte, ok bool) {
	if Syntax(payload) != nil {
		return nil, false
	}
	w := &walker{scanner: scanner{data: payload}}
	w.next()
	start := w.at
	w.skip()
	value = payload[start:w.at]
	for _, s := range p {
		if value, ok = s.of(value); !ok {
			return nil, false
		}
	}
	return value, true
}

// of returns the child of a JSON value that the step leads to.
func (s step) of(value []byte) (child []byte, ok bool) {
	open, end := byte('{'), byte('}')
	if s.list {
		open, end = '[', ']'
	}
	if value[0] != open {
		return nil, false
	}
	w := &walker{scanner: scanner{data: value}}
	w.each(end, func(i int) *Mismatch {
		hit := s.list && i == s.index
		if !s.list {
			name, _ := w.key()
			hit = name == s.name
		}
		w.next()
		start := w.at
		w.skip()
		if hit {
			child, ok = value[start:w.at], true
		}
		return nil
	})
	return child, ok
}
