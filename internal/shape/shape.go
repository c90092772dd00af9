package shape

import (
	"strconv"
	"strings"
)

// Kind is the outermost form of a [Shape].
type Kind uint8

const (
	Any Kind = iota
	Bool
	String
	Bytes // a string that holds base64, as Go writes a []byte
	Int
	Int8
	Int16
	Int32
	Int64
	Uint
	Uint8
	Uint16
	Uint32
	Uint64
	Float32
	Float64
	List
	Map
	Object
)

var kindNames = [...]string{"any", "bool", "string", "[]byte", "int", "int8", "int16", "int32", "int64",
	"uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "list", "map", "object"}

// String is the kind as a shape writes it; lists, maps and objects have their plain word.
func (k Kind) String() string { return kindNames[k] }

func (k Kind) signed() bool   { return k >= Int && k <= Int64 }
func (k Kind) unsigned() bool { return k >= Uint && k <= Uint64 }

// bits is the size of a number; int and uint are counted as 64 bits, as on every machine that matters today.
func (k Kind) bits() int {
	switch k {
	case Int8, Uint8:
		return 8
	case Int16, Uint16:
		return 16
	case Int32, Uint32, Float32:
		return 32
	}
	return 64
}

// Shape says what a payload must look like. The zero value is any. A Shape is never changed after it was made, so it may be shared.
type Shape struct {
	kind   Kind
	null   bool    // null is fine too
	elem   *Shape  // of a List or Map; nil means any
	fields []Field // of an Object, in the order written
}

// Field is one field of an object.
type Field struct {
	Name     string
	Shape    *Shape
	Optional bool
}

// Kind returns the outermost form.
func (s *Shape) Kind() Kind { return s.kind }

// Nullable says whether null fits.
func (s *Shape) Nullable() bool { return s.null || s.kind == Any }

// Fields returns the fields of an object in the order written, nil for all else. The slice must not be changed.
func (s *Shape) Fields() []Field { return s.fields }

// Integer says whether the shape is a whole number.
func (s *Shape) Integer() bool { return s.kind.signed() || s.kind.unsigned() }

var anything = &Shape{}

// item is the shape of the elements of a list or map.
func (s *Shape) item() *Shape {
	if s.elem == nil {
		return anything
	}
	return s.elem
}

func (s *Shape) field(name string) (int, *Field) {
	for i := range s.fields {
		if s.fields[i].Name == name {
			return i, &s.fields[i]
		}
	}
	return -1, nil
}

// String writes the shape in its canonical short form, which [Parse] reads back to the same shape.
func (s *Shape) String() string {
	var b strings.Builder
	s.write(&b, true)
	return b.String()
}

// Brief is the shape for a narrow line: of an object only the names of its fields, as {value, costInNanos}.
func (s *Shape) Brief() string {
	var b strings.Builder
	s.write(&b, false)
	return b.String()
}

func (s *Shape) write(b *strings.Builder, types bool) {
	if s.null && s.kind != Any {
		b.WriteByte('*')
	}
	switch s.kind {
	case List:
		if e := s.item(); e.kind == Uint8 && !e.null { // []uint8 would be read as []byte
			b.WriteString("List<uint8>")
			return
		}
		b.WriteString("[]")
		s.item().write(b, types)
	case Map:
		b.WriteString("map[string]")
		s.item().write(b, types)
	case Object:
		s.writeFields(b, types)
	default:
		b.WriteString(s.kind.String())
	}
}

func (s *Shape) writeFields(b *strings.Builder, types bool) {
	b.WriteByte('{')
	for i, f := range s.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		if plainName(f.Name) {
			b.WriteString(f.Name)
		} else {
			b.WriteString(quote(f.Name))
		}
		if f.Optional {
			b.WriteByte('?')
		}
		if types {
			b.WriteByte(':')
			f.Shape.write(b, true)
		}
	}
	b.WriteByte('}')
}

// plainName says whether a field's name can be written without quotes.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !nameByte(name[i]) {
			return false
		}
	}
	return name != ""
}

// nameByte says whether c may stand in a name: what programming languages allow, the hyphen of many JSON names, and all that is not ASCII.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}

func quote(name string) string { return strconv.Quote(name) }

// At returns the shape that stands at a path inside s; ok is false where s has no such place. Below any there is any.
func (s *Shape) At(p Path) (at *Shape, ok bool) {
	for _, step := range p {
		switch {
		case s.kind == Any:
			return anything, true
		case step.list && s.kind == List, !step.list && s.kind == Map:
			s = s.item()
		case !step.list && s.kind == Object:
			_, f := s.field(step.name)
			if f == nil {
				return nil, false
			}
			s = f.Shape
		default:
			return nil, false
		}
	}
	return s, true
}
