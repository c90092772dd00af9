package shape

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// FromSchema reads a JSON Schema, as [Shape.Schema] writes it or as other tools do. What a shape cannot say, as patterns and enumerations, is left out, so the shape
// may accept more; an object that lists its properties refuses others. A type that holds itself is any where it does.
func FromSchema(data []byte) (*Shape, error) {
	var root jsonschema.Schema
	if err := json.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("not a JSON Schema: %w", err)
	}
	r := &schemaReader{root: &root, left: maxSchemas}
	return r.read(&root, 0)
}

// maxSchemas is how many schemas are read, each as often as it is referred to: thirty definitions that each refer to the next one twice are a thousand million.
const maxSchemas = 10_000

type schemaReader struct {
	root *jsonschema.Schema
	open []string // references being followed
	left int      // of maxSchemas
}

func (r *schemaReader) read(j *jsonschema.Schema, depth int) (*Shape, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested more than %d deep", maxNesting)
	}
	if r.left--; r.left < 0 {
		return nil, fmt.Errorf("larger than %d schemas", maxSchemas)
	}
	if j == nil {
		return &Shape{}, nil
	}
	if j.Ref != "" {
		return r.follow(j.Ref, depth)
	}
	if either := slices.Concat(j.AnyOf, j.OneOf); len(either) > 0 {
		return r.either(either, depth)
	}
	types := j.Types
	if j.Type != "" {
		types = []string{j.Type}
	}
	null := slices.Contains(types, "null")
	types = slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "null" })
	if len(types) != 1 {
		return &Shape{}, nil
	}
	s, err := r.typed(types[0], j, depth)
	if err == nil && s.kind != Any {
		s.null = null
	}
	return s, err
}

// follow reads a reference into the schema's own definitions.
func (r *schemaReader) follow(ref string, depth int) (*Shape, error) {
	name, _ := strings.CutPrefix(ref, "#/$defs/")
	name, _ = strings.CutPrefix(name, "#/definitions/")
	target := r.root.Defs[name]
	if target == nil {
		target = r.root.Definitions[name]
	}
	switch {
	case target == nil:
		return nil, fmt.Errorf("the schema has no definition %q", ref)
	case slices.Contains(r.open, name):
		return &Shape{}, nil
	}
	r.open = append(r.open, name)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	return r.read(target, depth+1)
}

// either reads a choice: of one type and null it is that type, nullable; of anything else it is any.
func (r *schemaReader) either(of []*jsonschema.Schema, depth int) (*Shape, error) {
	rest := slices.DeleteFunc(slices.Clone(of), func(j *jsonschema.Schema) bool { return j != nil && j.Type == "null" })
	if len(rest) != 1 {
		return &Shape{}, nil
	}
	s, err := r.read(rest[0], depth+1)
	if err == nil && s.kind != Any && len(rest) < len(of) {
		s.null = true
	}
	return s, err
}

func (r *schemaReader) typed(name string, j *jsonschema.Schema, depth int) (s *Shape, err error) {
	switch name {
	case "boolean":
		return &Shape{kind: Bool}, nil
	case "string":
		if j.ContentEncoding == "base64" {
			return &Shape{kind: Bytes}, nil
		}
		return &Shape{kind: String}, nil
	case "integer", "number":
		return &Shape{kind: numberKind(name, j.Format)}, nil
	case "array":
		s = &Shape{kind: List}
		s.elem, err = r.read(j.Items, depth+1)
	case "object":
		if j.Properties != nil {
			return r.object(j, depth)
		}
		s = &Shape{kind: Map}
		if closed := j.AdditionalProperties; closed == nil || closed.Not == nil {
			s.elem, err = r.read(closed, depth+1)
		}
	default:
		return nil, fmt.Errorf("JSON Schema has no type %q", name)
	}
	return s, err
}

// numberKind is what a number's format says, else the widest.
func numberKind(name, format string) Kind {
	k, ok := named[format]
	whole := k.signed() || k.unsigned()
	switch {
	case ok && name == "integer" && whole:
		return k
	case name == "integer":
		return Int64
	case ok && (k == Float32 || k == Float64):
		return k
	}
	return Float64
}

func (r *schemaReader) object(j *jsonschema.Schema, depth int) (*Shape, error) {
	s := &Shape{kind: Object}
	names := slices.Sorted(maps.Keys(j.Properties))
	slices.SortStableFunc(names, func(a, b string) int { return rank(j.Required, a) - rank(j.Required, b) })
	for _, name := range names {
		t, err := r.read(j.Properties[name], depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.fields = append(s.fields, Field{Name: name, Shape: t, Optional: !slices.Contains(j.Required, name)})
	}
	return s, nil
}

// rank is the place of a name among those that are required; others come after them.
func rank(required []string, name string) int {
	if i := slices.Index(required, name); i >= 0 {
		return i
	}
	return len(required)
}
