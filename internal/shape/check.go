package shape

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Check returns the first place where a payload does not fit, or nil. Fields that the shape does not know are refused, so that a typing
// error in a name is found before it is sent.
func (s *Shape) Check(payload []byte) *Mismatch { return s.check(payload, false) }

// CheckOpen is Check for what came from elsewhere: fields the shape does not know are fine, since a server may have learned more.
func (s *Shape) CheckOpen(payload []byte) *Mismatch { return s.check(payload, true) }

func (s *Shape) check(payload []byte, open bool) *Mismatch {
	if m := Syntax(payload); m != nil {
		return m
	}
	w := &walker{scanner: scanner{data: payload}, open: open}
	return w.check(s, nil)
}

// walker checks text that is known to be JSON, so it need not look for faults of syntax.
type walker struct {
	scanner
	open bool
}

// place is where the walker stands, as a list that lives on its stack.
type place struct {
	up    *place
	name  string
	index int // meaningful when name is ""
	list  bool
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.list {
		return p.up.String() + "[" + strconv.Itoa(p.index) + "]"
	}
	return p.up.String() + Path{{name: p.name}}.String()
}

func (w *walker) mismatch(at int, p *place, format string, args ...any) *Mismatch {
	return &Mismatch{At: at, Path: p.String(), Text: fmt.Sprintf(format, args...)}
}

// wants says that the value at offset at is not what s wants.
func (w *walker) wants(s *Shape, at int, p *place, got string) *Mismatch {
	what := s.kind.String()
	switch s.kind {
	case List:
		what = "a list"
	case Map, Object:
		what = "an object"
	}
	if p != nil {
		what += " at " + p.String()
	}
	return w.mismatch(at, p, "wants %s, got %s", what, got)
}

func (w *walker) check(s *Shape, p *place) *Mismatch {
	c, start := w.next(), w.at
	if c == 'n' && s.Nullable() || s.kind == Any {
		w.skip()
		return nil
	}
	switch {
	case s.kind == Object && c == '{':
		return w.object(s, p)
	case s.kind == Map && c == '{':
		return w.mapping(s, p)
	case s.kind == List && c == '[':
		return w.list(s, p)
	}
	w.skip()
	raw := w.data[start:w.at]
	if fits(s.kind, c, raw) {
		return nil
	}
	return w.scalar(s, start, p, c, raw)
}

// fits says whether a value that is no list and no object has the kind k; c is its first byte.
func fits(k Kind, c byte, raw []byte) bool {
	switch k {
	case Bool:
		return c == 't' || c == 'f'
	case String:
		return c == '"'
	}
	var err error
	switch text := string(raw); {
	case k == Bytes && c == '"':
		_, err = base64.StdEncoding.DecodeString(unquote(raw))
	case c != '-' && (c < '0' || c > '9'):
		return false
	case k.signed():
		_, err = strconv.ParseInt(text, 10, k.bits())
	case k.unsigned():
		_, err = strconv.ParseUint(text, 10, k.bits())
	case k == Float32, k == Float64:
		_, err = strconv.ParseFloat(text, k.bits())
	default:
		return false
	}
	return err == nil
}

// scalar explains why fits said no.
func (w *walker) scalar(s *Shape, at int, p *place, c byte, raw []byte) *Mismatch {
	got := describe(c, raw)
	switch {
	case s.kind == Bytes && c == '"':
		got = "a string that is not base64"
	case s.Integer() && (c == '-' || c >= '0' && c <= '9'):
		if strings.ContainsAny(got, ".eE") {
			m := w.wants(s, at, p, got)
			m.Hint = "a whole number has no point and no exponent"
			return m
		}
		got += ", out of range"
	case s.kind >= Float32 && (c == '-' || c >= '0' && c <= '9'):
		got += ", out of range"
	}
	m := w.wants(s, at, p, got)
	if s.Integer() && c == '"' {
		if t := unquote(raw); fits(s.kind, first(t), []byte(t)) {
			m.Hint = "numbers have no quotes: " + t
		}
	}
	if s.kind == String && c != '"' && c != '{' && c != '[' {
		m.Hint = `a text needs quotes: "` + capped(string(raw)) + `"`
	}
	return m
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// describe names a value for an error.
func describe(c byte, raw []byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "the string " + capped(string(raw))
	}
	return capped(string(raw))
}

// capped cuts a text that is quoted in an error.
func capped(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}

// unquote reads a JSON string that is known to be right.
func unquote(raw []byte) string {
	if inner := raw[1 : len(raw)-1]; !strings.Contains(string(inner), `\`) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is a JSON string: cannot fail
	return s
}

// key reads a field's name and the colon.
func (w *walker) key() (name string, at int) {
	w.next()
	at = w.at
	_ = w.str()
	name = unquote(w.data[at:w.at])
	w.next()
	w.at++
	return name, at
}

// each calls element for each element up to the byte end and leaves at behind it; the walker stands on the opening byte.
func (w *walker) each(end byte, element func(i int) *Mismatch) *Mismatch {
	w.at++
	for i := 0; w.next() != end; i++ {
		if w.data[w.at] == ',' {
			w.at++
		}
		if m := element(i); m != nil {
			return m
		}
	}
	w.at++
	return nil
}

func (w *walker) object(s *Shape, p *place) *Mismatch {
	seen := make([]bool, len(s.fields))
	m := w.each('}', func(int) *Mismatch {
		name, at := w.key()
		i, f := s.field(name)
		switch {
		case f == nil && w.open:
			w.next()
			w.skip()
			return nil
		case f == nil:
			return w.unknown(s, name, at, p)
		case seen[i] && !w.open:
			return w.mismatch(at, &place{up: p, name: name}, "has %s twice%s", strconv.Quote(name), in(p))
		}
		seen[i] = true
		return w.check(f.Shape, &place{up: p, name: name})
	})
	if m != nil {
		return m
	}
	for i, f := range s.fields {
		if !seen[i] && !f.Optional {
			return w.mismatch(w.at-1, &place{up: p, name: f.Name}, "needs %s (%s)%s, missing", strconv.Quote(f.Name), f.Shape.Brief(), in(p))
		}
	}
	return nil
}

func (w *walker) unknown(s *Shape, name string, at int, p *place) *Mismatch {
	m := w.mismatch(at, p, "has no field %s%s", strconv.Quote(capped(name)), in(p))
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.Name
	}
	switch near := Nearest(name, names); {
	case near != "":
		m.Hint = "nearest is " + strconv.Quote(near)
	case len(names) == 0:
		m.Hint = "it has no fields at all"
	default:
		m.Hint = "its fields are " + strings.Join(names, ", ")
	}
	return m
}

// in names an inner object in a text; the outermost one needs no name.
func in(p *place) string {
	if p == nil {
		return ""
	}
	return " in " + p.String()
}

func (w *walker) mapping(s *Shape, p *place) *Mismatch {
	return w.each('}', func(int) *Mismatch {
		name, _ := w.key()
		return w.check(s.item(), &place{up: p, name: name})
	})
}

func (w *walker) list(s *Shape, p *place) *Mismatch {
	return w.each(']', func(i int) *Mismatch { return w.check(s.item(), &place{up: p, index: i, list: true}) })
}

// skip moves behind the value at the current place.
func (w *walker) skip() { _ = w.value(0) }
