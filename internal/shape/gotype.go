package shape

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// OfRequest returns what a Go type accepts when encoding/json reads it and null is refused where the type has none. A field may be left out
// if its type has a null or its tag says omitempty or omitzero. What a type reads by methods of its own is any, or a string for a time and for what reads
// text. A type that holds itself is any where it does.
func OfRequest(t reflect.Type) *Shape { return (&typeReader{}).read(t) }

// OfReply returns what encoding/json writes for a Go type: a field may be missing only if its tag says omitempty or omitzero.
func OfReply(t reflect.Type) *Shape { return (&typeReader{writes: true}).read(t) }

type typeReader struct {
	writes bool // JSON is written, not read
	open   map[reflect.Type]bool
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	numberType = reflect.TypeFor[json.Number]()

	jsonReader = reflect.TypeFor[json.Unmarshaler]()
	jsonWriter = reflect.TypeFor[json.Marshaler]()
	textReader = reflect.TypeFor[encoding.TextUnmarshaler]()
	textWriter = reflect.TypeFor[encoding.TextMarshaler]()
)

func (r *typeReader) read(t reflect.Type) *Shape {
	if t.Kind() == reflect.Pointer {
		return r.pointer(t)
	}
	switch {
	case t == timeType:
		return &Shape{kind: String}
	case t == numberType:
		return &Shape{kind: Float64}
	case r.has(t, r.own()):
		return &Shape{}
	case r.has(t, r.text()):
		return &Shape{kind: String}
	case r.open[t]:
		return &Shape{}
	}
	return r.plain(t)
}

// pointer reads what a pointer points to, and null. The methods may be the pointer's alone.
func (r *typeReader) pointer(t reflect.Type) *Shape {
	s := Shape{}
	switch e := t.Elem(); {
	case e == timeType || !t.Implements(r.own()) && !t.Implements(r.text()):
		s = *r.read(e)
	case !t.Implements(r.own()):
		s.kind = String
	}
	s.null = s.kind != Any
	return &s
}

func (r *typeReader) own() reflect.Type {
	if r.writes {
		return jsonWriter
	}
	return jsonReader
}

func (r *typeReader) text() reflect.Type {
	if r.writes {
		return textWriter
	}
	return textReader
}

// has reports whether encoding/json finds the method; reading, it always has an address to ask.
func (r *typeReader) has(t, method reflect.Type) bool {
	return t.Implements(method) || !r.writes && reflect.PointerTo(t).Implements(method)
}

// scalars are the kinds that say all there is to say.
var scalars = map[reflect.Kind]Kind{
	reflect.Bool: Bool, reflect.String: String, reflect.Float32: Float32, reflect.Float64: Float64,
	reflect.Int: Int, reflect.Int8: Int8, reflect.Int16: Int16, reflect.Int32: Int32, reflect.Int64: Int64,
	reflect.Uint: Uint, reflect.Uint8: Uint8, reflect.Uint16: Uint16, reflect.Uint32: Uint32, reflect.Uint64: Uint64, reflect.Uintptr: Uint64,
}

// plain reads a type that has no methods for JSON.
func (r *typeReader) plain(t reflect.Type) *Shape {
	if k, ok := scalars[t.Kind()]; ok {
		return &Shape{kind: k}
	}
	if r.open == nil {
		r.open = map[reflect.Type]bool{}
	}
	r.open[t] = true
	defer delete(r.open, t)
	switch t.Kind() {
	case reflect.Slice:
		if e := t.Elem(); e.Kind() == reflect.Uint8 && !r.has(e, r.own()) && !r.has(e, r.text()) {
			return &Shape{kind: Bytes, null: true}
		}
		return &Shape{kind: List, null: true, elem: r.read(t.Elem())}
	case reflect.Array:
		return &Shape{kind: List, elem: r.read(t.Elem())}
	case reflect.Map:
		return &Shape{kind: Map, null: true, elem: r.read(t.Elem())}
	case reflect.Struct:
		s := &Shape{kind: Object, fields: r.fields(t)}
		s.null = !r.writes && t.NumField() == 0 // the request of a service that wants to know nothing
		return s
	}
	return &Shape{}
}

// found is a field on its way into an object.
type found struct {
	Field
	depth  int
	tagged bool
	hidden bool // another of the same name stands as near
}

// fields lists what encoding/json sees of a struct: of fields with one name the nearest, then the one with a tag, and none where that
// leaves two.
func (r *typeReader) fields(t reflect.Type) []Field {
	var all []found
	for _, f := range reflect.VisibleFields(t) {
		name, options, tagged := tagOf(f)
		if name == "" || f.Anonymous && !tagged && structOf(f.Type) || behindTag(t, f.Index) {
			continue
		}
		next := found{depth: len(f.Index), tagged: tagged, Field: Field{Name: name, Shape: r.read(f.Type)}}
		if strings.Contains(options, "string,") && quotable(f.Type) {
			next.Shape = &Shape{kind: String, null: next.Shape.null}
		}
		next.Optional = strings.Contains(options, "omitempty,") || strings.Contains(options, "omitzero,") || !r.writes && next.Shape.Nullable()
		all = insert(all, next)
	}
	var fields []Field
	for _, f := range all {
		if !f.hidden {
			fields = append(fields, f.Field)
		}
	}
	return fields
}

func insert(all []found, next found) []found {
	for i, f := range all {
		switch {
		case f.Name != next.Name:
			continue
		case next.depth < f.depth || next.depth == f.depth && next.tagged && !f.tagged:
			all[i] = next
		case next.depth == f.depth && next.tagged == f.tagged:
			all[i].hidden = true
		}
		return all
	}
	return append(all, next)
}

// tagOf returns the name under which JSON knows a field, "" for one it does not see, and the options, each with a comma behind it.
func tagOf(f reflect.StructField) (name, options string, tagged bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() && !(f.Anonymous && structOf(f.Type)) {
		return "", "", false
	}
	name, options, _ = strings.Cut(tag, ",")
	if name != "" {
		return name, options + ",", true
	}
	return f.Name, options + ",", false
}

func structOf(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// behindTag reports whether a promoted field stands inside an embedded struct that JSON sees as a field with a name, or not at all.
func behindTag(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		if tag := t.FieldByIndex(index[:i]).Tag.Get("json"); tag != "" && tag[0] != ',' {
			return true
		}
	}
	return false
}

// quotable types are those whose JSON the option string puts into quotes.
func quotable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	_, ok := scalars[t.Kind()]
	return ok
}

// OpenSchema is [Shape.Schema] for a reader that passes over the fields it does not know.
func (s *Shape) OpenSchema() *jsonschema.Schema { return opened(s.Schema()) }

func opened(j *jsonschema.Schema) *jsonschema.Schema {
	if j.Properties != nil {
		j.AdditionalProperties = nil
	}
	for _, p := range j.Properties {
		opened(p)
	}
	for _, p := range []*jsonschema.Schema{j.Items, j.AdditionalProperties} {
		if p != nil {
			opened(p)
		}
	}
	return j
}
