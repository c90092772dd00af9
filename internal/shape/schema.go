package shape

import (
	"bytes"
	"encoding/json"
	"math"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema returns the shape as a JSON Schema that accepts what [Shape.Check] accepts, with two differences that JSON Schema brings: it takes 1.0 for an
// integer, and it counts in floating point, so the limits of 64-bit integers are left to format.
func (s *Shape) Schema() *jsonschema.Schema {
	j := &jsonschema.Schema{}
	switch s.kind {
	case Any:
		return j
	case Bool:
		j.Type = "boolean"
	case String:
		j.Type = "string"
	case Bytes:
		j.Type, j.ContentEncoding = "string", "base64"
		j.Pattern = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`
	case Float32, Float64:
		j.Type, j.Format = "number", s.kind.String()
	case List:
		j.Type, j.Items = "array", s.item().Schema()
	case Map:
		j.Type, j.AdditionalProperties = "object", s.item().Schema()
	case Object:
		s.objectSchema(j)
	default:
		s.integerSchema(j)
	}
	if s.null {
		j.Type, j.Types = "", []string{j.Type, "null"}
	}
	return j
}

func (s *Shape) integerSchema(j *jsonschema.Schema) {
	j.Type, j.Format = "integer", s.kind.String()
	bits := s.kind.bits()
	if s.kind.unsigned() {
		j.Minimum = jsonschema.Ptr(0.0)
		if bits < 64 {
			j.Maximum = jsonschema.Ptr(math.Ldexp(1, bits) - 1)
		}
	} else if bits < 64 {
		j.Minimum, j.Maximum = jsonschema.Ptr(-math.Ldexp(1, bits-1)), jsonschema.Ptr(math.Ldexp(1, bits-1)-1)
	}
}

func (s *Shape) objectSchema(j *jsonschema.Schema) {
	j.Type, j.Properties = "object", map[string]*jsonschema.Schema{}
	j.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	for _, f := range s.fields {
		j.Properties[f.Name] = f.Shape.Schema()
		j.PropertyOrder = append(j.PropertyOrder, f.Name)
		if !f.Optional {
			j.Required = append(j.Required, f.Name)
		}
	}
}

// Sample returns JSON that fits: a template to fill in. Optional fields are left out.
func (s *Shape) Sample() []byte {
	var b bytes.Buffer
	s.sample(&b)
	return b.Bytes()
}

func (s *Shape) sample(b *bytes.Buffer) {
	switch s.kind {
	case Any:
		b.WriteString("null")
	case Bool:
		b.WriteString("false")
	case String, Bytes:
		b.WriteString(`""`)
	case List:
		b.WriteString("[]")
	case Map:
		b.WriteString("{}")
	case Object:
		b.WriteByte('{')
		for _, f := range s.fields {
			if f.Optional {
				continue
			}
			if b.Bytes()[b.Len()-1] != '{' {
				b.WriteByte(',')
			}
			name, _ := json.Marshal(f.Name) // of a string: cannot fail
			b.Write(name)
			b.WriteByte(':')
			f.Shape.sample(b)
		}
		b.WriteByte('}')
	default:
		b.WriteByte('0')
	}
}
