package shape

import "strconv"

// maxFields is how many names an object may have before it counts as a map: it is data then, not structure.
const maxFields = 64

// Infer returns the narrowest shape that fits a payload: of a list's elements what they share, null as *T where another value was seen, a map where an
// object has many names. What is not JSON gives any.
func Infer(payload []byte) *Shape {
	if Syntax(payload) != nil {
		return &Shape{}
	}
	w := &walker{scanner: scanner{data: payload}}
	return w.infer()
}

func (w *walker) infer() *Shape {
	switch c := w.next(); c {
	case '{':
		s := &Shape{kind: Object}
		w.each('}', func(int) *Mismatch {
			name, _ := w.key()
			s.learn(name, w.infer())
			return nil
		})
		return s
	case '[':
		s := &Shape{kind: List}
		w.each(']', func(i int) *Mismatch {
			if t := w.infer(); i == 0 {
				s.elem = t
			} else {
				s.elem = unify(s.elem, t)
			}
			return nil
		})
		return s
	default:
		start := w.at
		w.skip()
		return inferScalar(c, string(w.data[start:w.at]))
	}
}

// learn adds what an object was seen to hold; s is still being made.
func (s *Shape) learn(name string, t *Shape) {
	if s.kind == Object && len(s.fields) == maxFields {
		*s = *s.asMap()
	}
	if s.kind == Map {
		s.elem = unify(s.elem, t)
	} else if i, f := s.field(name); f != nil {
		s.fields[i].Shape = unify(f.Shape, t)
	} else {
		s.fields = append(s.fields, Field{Name: name, Shape: t})
	}
}

// asMap returns an object as the map that holds what its fields hold; a map is one already.
func (s *Shape) asMap() *Shape {
	if s.kind == Map {
		return s
	}
	m := &Shape{kind: Map, null: s.null}
	for _, f := range s.fields {
		m.elem = unify(m.elem, f.Shape)
	}
	return m
}

func inferScalar(c byte, text string) *Shape {
	switch c {
	case '"':
		return &Shape{kind: String}
	case 't', 'f':
		return &Shape{kind: Bool}
	case 'n':
		return &Shape{null: true}
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &Shape{kind: Int64}
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return &Shape{kind: Uint64}
	}
	for i := range len(text) {
		if text[i] != '-' && (text[i] < '0' || text[i] > '9') {
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return &Shape{kind: Float64}
			}
		}
	}
	return &Shape{} // a whole number beyond 64 bits: any keeps its digits
}

// unify returns the narrowest shape that fits what fits a or b. A shape of kind Any with null is "only null was seen", and yields to the other.
func unify(a, b *Shape) *Shape {
	if a == nil || b == nil { // an empty list says nothing of its elements
		if a == nil {
			return b
		}
		return a
	}
	if a.kind == Any && a.null {
		a, b = b, a
	}
	if b.kind == Any && b.null {
		t := *a
		t.null = a.kind != Any || a.null
		return &t
	}
	t := &Shape{kind: a.kind, null: a.null || b.null}
	switch {
	case a.kind == Object && b.kind == Object:
		t.fields = unifyFields(a.fields, b)
		if len(t.fields) > maxFields {
			t = t.asMap()
		}
	case (a.kind == Map || a.kind == Object) && (b.kind == Map || b.kind == Object):
		t.kind, t.elem = Map, unify(a.asMap().elem, b.asMap().elem)
	case a.kind == List && b.kind == List:
		t.elem = unify(a.elem, b.elem)
	case a.kind == b.kind:
	case number(a.kind) && number(b.kind) && (a.kind == Float64 || b.kind == Float64):
		t.kind = Float64
	default:
		return &Shape{}
	}
	return t
}

func number(k Kind) bool { return k == Int64 || k == Uint64 || k == Float64 }

func unifyFields(a []Field, b *Shape) []Field {
	var all []Field
	known := map[string]bool{}
	for _, f := range a {
		known[f.Name] = true
		if _, g := b.field(f.Name); g != nil {
			f.Shape, f.Optional = unify(f.Shape, g.Shape), f.Optional || g.Optional
		} else {
			f.Optional = true
		}
		all = append(all, f)
	}
	for _, g := range b.fields {
		if !known[g.Name] {
			g.Optional = true
			all = append(all, g)
		}
	}
	return all
}
