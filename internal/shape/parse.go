package shape

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxNesting = 100 // of a type expression; deeper ones are refused

// ParseError says where a type expression is wrong.
type ParseError struct {
	At   int    // byte offset in the expression
	Text string // one line
	Hint string // a cure, or ""
}

func (e *ParseError) Error() string { return e.Text }

// named holds every type that is one word: Go's own, then those a Java reader knows.
var named = map[string]Kind{
	"any": Any, "bool": Bool, "string": String, "int": Int, "int8": Int8, "int16": Int16, "int32": Int32, "int64": Int64,
	"uint": Uint, "uint8": Uint8, "uint16": Uint16, "uint32": Uint32, "uint64": Uint64, "float32": Float32, "float64": Float64,
	"byte": Uint8, "rune": Int32,
	"Object": Any, "Boolean": Bool, "String": String, "Byte": Int8, "Short": Int16, "Integer": Int32, "Long": Int64, "Float": Float32, "Double": Float64,
	"boolean": Bool, "short": Int16, "long": Int64, "float": Float32, "double": Float64,
}

// Names returns the words that are a type by themselves, sorted; for completion.
func Names() []string { return slices.Sorted(maps.Keys(named)) }

// Parse reads a type expression: Go's own types, the short form {name:type, name?:type} where ? marks an optional field, and Java's names.
// Its error is a *ParseError.
func Parse(expr string) (*Shape, error) {
	if !utf8.ValidString(expr) {
		return nil, &ParseError{Text: "a type expression is UTF-8"}
	}
	p := &parser{src: expr}
	s, err := p.typ(0)
	if err != nil {
		return nil, err
	}
	if p.peek(); p.at < len(expr) {
		return nil, p.fail("unexpected %s after the type", p.token())
	}
	return s, nil
}

type parser struct {
	src string
	at  int
}

// peek skips white space and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.src) {
		return 0
	}
	return p.src[p.at]
}

// take skips the next byte if it is c.
func (p *parser) take(c byte) bool {
	if p.peek() != c || p.at == len(p.src) {
		return false
	}
	p.at++
	return true
}

func (p *parser) word() string {
	p.peek()
	start := p.at
	for p.at < len(p.src) && nameByte(p.src[p.at]) {
		p.at++
	}
	return p.src[start:p.at]
}

// token names what stands at the current place, for an error.
func (p *parser) token() string {
	p.peek()
	start := p.at
	if start == len(p.src) {
		return "the end"
	}
	w := p.word()
	p.at = start
	if w == "" {
		w = p.src[start : start+1]
	}
	return strconv.Quote(w)
}

func (p *parser) fail(format string, args ...any) *ParseError {
	return &ParseError{At: p.at, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) expect(c byte) *ParseError {
	if !p.take(c) {
		return p.fail("expected %q, found %s", string(c), p.token())
	}
	return nil
}

// typ reads one type.
func (p *parser) typ(depth int) (*Shape, error) {
	s, err := p.base(depth)
	for err == nil && p.peek() == '[' { // Java's long[]
		if depth++; depth > maxNesting {
			return nil, p.tooDeep()
		}
		p.at++
		if e := p.expect(']'); e != nil {
			return nil, e
		}
		s = &Shape{kind: List, elem: s}
	}
	return s, err
}

func (p *parser) tooDeep() *ParseError { return p.fail("nested more than %d deep", maxNesting) }

func (p *parser) base(depth int) (*Shape, error) {
	if depth > maxNesting {
		return nil, p.tooDeep()
	}
	switch p.peek() {
	case '*':
		p.at++
		s, err := p.typ(depth + 1)
		if err != nil {
			return nil, err
		}
		t := *s
		t.null = true
		return &t, nil
	case '[':
		p.at++
		if e := p.expect(']'); e != nil {
			e.Hint = "a list is []T"
			return nil, e
		}
		elem, err := p.base(depth + 1)
		if err == nil && elem.kind == Uint8 && !elem.null {
			return &Shape{kind: Bytes}, nil
		}
		return &Shape{kind: List, elem: elem}, err
	case '{':
		p.at++
		return p.object(depth)
	}
	return p.namedType(depth)
}

func (p *parser) namedType(depth int) (*Shape, error) {
	p.peek()
	start := p.at
	w := p.word()
	switch w {
	case "":
		return nil, p.fail("expected a type, found %s", p.token())
	case "map":
		return p.goMap(depth)
	case "struct", "interface":
		return p.braced(w, depth)
	case "List", "Set", "Collection", "ArrayList":
		return p.javaList(depth)
	case "Map", "HashMap":
		return p.javaMap(depth)
	}
	kind, ok := named[w]
	if !ok {
		p.at = start
		e := p.fail("no type %s", strconv.Quote(w))
		if n := Nearest(w, Names()); n != "" {
			e.Hint = "nearest is " + n
		} else {
			e.Hint = "types are int64, string, bool, float64, []T, map[string]T, *T, any, {name:type}"
		}
		return nil, e
	}
	return &Shape{kind: kind}, nil
}

func (p *parser) braced(word string, depth int) (*Shape, error) {
	if e := p.expect('{'); e != nil {
		return nil, e
	}
	if word == "struct" {
		return p.goStruct(depth)
	}
	if e := p.expect('}'); e != nil {
		return nil, e
	}
	return &Shape{}, nil
}

func (p *parser) goMap(depth int) (*Shape, error) {
	if e := p.expect('['); e != nil {
		return nil, e
	}
	return p.mapOf(']', depth, func() (*Shape, error) { return p.base(depth + 1) })
}

func (p *parser) javaMap(depth int) (*Shape, error) {
	if e := p.expect('<'); e != nil {
		return nil, e
	}
	return p.mapOf(',', depth, func() (*Shape, error) { return p.closed(depth) })
}

// mapOf reads a map's key, the byte after it and its values.
func (p *parser) mapOf(after byte, depth int, value func() (*Shape, error)) (*Shape, error) {
	p.peek()
	start := p.at
	key, err := p.typ(depth + 1)
	if err != nil {
		return nil, err
	}
	if key.kind != String || key.null {
		return nil, &ParseError{At: start, Text: "a map's key must be string", Hint: "JSON knows no other keys"}
	}
	if e := p.expect(after); e != nil {
		return nil, e
	}
	elem, err := value()
	return &Shape{kind: Map, elem: elem}, err
}

func (p *parser) javaList(depth int) (*Shape, error) {
	if e := p.expect('<'); e != nil {
		return nil, e
	}
	elem, err := p.closed(depth)
	return &Shape{kind: List, elem: elem}, err
}

// closed reads a type and the > behind it.
func (p *parser) closed(depth int) (*Shape, error) {
	s, err := p.typ(depth + 1)
	if err == nil {
		if e := p.expect('>'); e != nil {
			return nil, e
		}
	}
	return s, err
}

// object reads the fields of the short form after its opening brace.
func (p *parser) object(depth int) (*Shape, error) {
	s := &Shape{kind: Object}
	for !p.take('}') {
		start := p.at
		name, err := p.fieldName()
		if err != nil {
			return nil, err
		}
		optional := p.take('?')
		if !p.take(':') {
			e := p.fail("expected %q after the field's name, found %s", ":", p.token())
			e.Hint = "a field is name:type, as " + name + ":int"
			return nil, e
		}
		t, err := p.typ(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := s.add(Field{name, t, optional}, start); err != nil {
			return nil, err
		}
		if !p.take(',') && p.peek() != '}' {
			return nil, p.fail("expected \",\" or \"}\", found %s", p.token())
		}
	}
	return s, nil
}

func (p *parser) fieldName() (string, error) {
	if p.peek() != '"' {
		if w := p.word(); w != "" {
			return w, nil
		}
		return "", p.fail("expected a field's name, found %s", p.token())
	}
	prefix, err := strconv.QuotedPrefix(p.src[p.at:])
	if err != nil {
		return "", p.fail("the name's quote has no end")
	}
	name, err := strconv.Unquote(prefix)
	if err != nil || !utf8.ValidString(name) {
		return "", p.fail("the name is no string of UTF-8")
	}
	p.at += len(prefix)
	return name, nil
}

func (s *Shape) add(f Field, at int) error {
	if _, twice := s.field(f.Name); twice != nil {
		return &ParseError{At: at, Text: fmt.Sprintf("field %s stands twice", strconv.Quote(f.Name))}
	}
	s.fields = append(s.fields, f)
	return nil
}

// goStruct reads the fields of a Go struct after its opening brace. Names are those of the json tags.
func (p *parser) goStruct(depth int) (*Shape, error) {
	s := &Shape{kind: Object}
	for !p.take('}') {
		p.peek()
		start := p.at
		names := []string{p.word()}
		for p.take(',') {
			names = append(names, p.word())
		}
		if slices.Contains(names, "") {
			return nil, p.fail("expected a field's name, found %s", p.token())
		}
		t, err := p.typ(depth + 1)
		if err != nil {
			return nil, err
		}
		tag, err := p.tag()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if f := tagged(name, t, tag); f.Name != "" {
				if err := s.add(f, start); err != nil {
					return nil, err
				}
			}
		}
		p.take(';') // fields on lines of their own need none
	}
	return s, nil
}

// tag reads a struct tag if one is there.
func (p *parser) tag() (reflect.StructTag, error) {
	if c := p.peek(); c != '`' && c != '"' {
		return "", nil
	}
	prefix, err := strconv.QuotedPrefix(p.src[p.at:])
	if err != nil {
		return "", p.fail("the tag has no end")
	}
	p.at += len(prefix)
	text, _ := strconv.Unquote(prefix) // QuotedPrefix made sure
	return reflect.StructTag(text), nil
}

// tagged is the field as encoding/json sees it; its name is empty when JSON does not show it.
func tagged(name string, t *Shape, tag reflect.StructTag) Field {
	text := tag.Get("json")
	if text == "-" {
		return Field{}
	}
	alias, options, _ := strings.Cut(text, ",")
	f := Field{Name: name, Shape: t}
	if alias != "" {
		f.Name = alias
	}
	for o := range strings.SplitSeq(options, ",") {
		f.Optional = f.Optional || o == "omitempty" || o == "omitzero"
	}
	return f
}
