package shape

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"int64", "int64"},
		{" int ", "int"},
		{"*int", "*int"},
		{"**int", "*int"},
		{"*any", "any"},
		{"[]string", "[]string"},
		{"[][]*float64", "[][]*float64"},
		{"[]byte", "[]byte"},
		{"[]uint8", "[]byte"},
		{"List<byte>", "List<uint8>"},
		{"map[string]int", "map[string]int"},
		{"map[string][]map[string]bool", "map[string][]map[string]bool"},
		{"{}", "{}"},
		{"{base:int, exp:int}", "{base:int, exp:int}"},
		{"{base:int,exp?:int,}", "{base:int, exp?:int}"},
		{`{"a b":int, x-y:any, "名"?:string}`, `{"a b":int, x-y:any, 名?:string}`},
		{"{a:{b:[]{c:*string}}}", "{a:{b:[]{c:*string}}}"},
		{"Long", "int64"},
		{"Integer", "int32"},
		{"long[]", "[]int64"},
		{"List<Map<String,List<Long>>>", "[]map[string][]int64"},
		{"Map<String, Object>", "map[string]any"},
		{"interface{}", "any"},
		{"struct{}", "{}"},
		{"struct{ Value int64 `json:\"value\"`; Cost int64 `json:\"costInNanos,omitempty\"` }", "{value:int64, costInNanos?:int64}"},
		{"struct{\n\tA, B int\n\tC string `json:\"-\"`\n\tD *bool `xml:\"d\"`\n}", "{A:int, B:int, D:*bool}"},
	} {
		s, err := Parse(c.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.in, err)
			continue
		}
		if got := s.String(); got != c.want {
			t.Errorf("Parse(%q) = %s, want %s", c.in, got, c.want)
		}
		if again, err := Parse(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("Parse(%q) = %v, %v; want itself", s.String(), again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		in   string
		at   int
		text string
		hint string
	}{
		{"", 0, "expected a type, found the end", ""},
		{"integer", 0, `no type "integer"`, "nearest is Integer"},
		{"strin", 0, `no type "strin"`, "nearest is string"},
		{"{a:in}", 3, `no type "in"`, "nearest is int"},
		{"int x", 4, `unexpected "x" after the type`, ""},
		{"int\x00", 3, `unexpected "\x00" after the type`, ""},
		{"{a}", 2, `expected ":" after the field's name, found "}"`, "a field is name:type, as a:int"},
		{"{a:int b:int}", 7, `expected "," or "}", found "b"`, ""},
		{"{a:int", 6, `expected "," or "}", found the end`, ""},
		{"{a:int, a:string}", 8, `field "a" stands twice`, ""},
		{"map[int]string", 4, "a map's key must be string", "JSON knows no other keys"},
		{"[int]", 1, `expected "]", found "int"`, "a list is []T"},
		{"List<Long", 9, `expected ">", found the end`, ""},
		{`{"a:int}`, 1, "the name's quote has no end", ""},
		{"\xff", 0, "a type expression is UTF-8", ""},
	} {
		_, err := Parse(c.in)
		e, ok := errors.AsType[*ParseError](err)
		if !ok {
			t.Errorf("Parse(%q): error %v, want a *ParseError", c.in, err)
			continue
		}
		if e.At != c.at || e.Text != c.text || e.Hint != c.hint {
			t.Errorf("Parse(%q):\n got %d %q %q\nwant %d %q %q", c.in, e.At, e.Text, e.Hint, c.at, c.text, c.hint)
		}
	}
}

func TestParseDepth(t *testing.T) {
	for _, part := range []string{"[]", "*", "map[string]", "{a:", "List<", "[", "struct{A "} {
		if _, err := Parse(strings.Repeat(part, 20_000) + "int"); err == nil {
			t.Errorf("%q repeated: no error", part)
		}
	}
	if _, err := Parse("int" + strings.Repeat("[]", 1000)); err == nil {
		t.Error("int[][]...: no error")
	}
}

func TestCheck(t *testing.T) {
	const exp = "{base:int, exp:int}"
	for _, c := range []struct {
		shape, payload string
		at             int // -1: it fits
		text, hint     string
	}{
		{"int", "10", -1, "", ""},
		{"int", "-0", -1, "", ""},
		{"int", ` "10"`, 1, `wants int, got the string "10"`, "numbers have no quotes: 10"},
		{"int", "1.5", 0, "wants int, got 1.5", "a whole number has no point and no exponent"},
		{"int", "1e3", 0, "wants int, got 1e3", "a whole number has no point and no exponent"},
		{"int", "null", 0, "wants int, got null", ""},
		{"*int", "null", -1, "", ""},
		{"int64", "9223372036854775807", -1, "", ""},
		{"int64", "9223372036854775808", 0, "wants int64, got 9223372036854775808, out of range", ""},
		{"int8", "-129", 0, "wants int8, got -129, out of range", ""},
		{"uint64", "18446744073709551615", -1, "", ""},
		{"uint", "-1", 0, "wants uint, got -1, out of range", ""},
		{"float64", "1e999", 0, "wants float64, got 1e999, out of range", ""},
		{"float64", "7", -1, "", ""},
		{"bool", "1", 0, "wants bool, got 1", ""},
		{"string", "10", 0, "wants string, got 10", `a text needs quotes: "10"`},
		{"string", `"\u00e9"`, -1, "", ""},
		{"[]byte", `"aGk="`, -1, "", ""},
		{"[]byte", `"a"`, 0, "wants []byte, got a string that is not base64", ""},
		{"[]int", "[1,2,null]", 5, "wants int at [2], got null", ""},
		{"[]int", "{}", 0, "wants a list, got an object", ""},
		{"map[string]int", `{"a":1,"b c":true}`, 13, `wants int at ["b c"], got true`, ""},
		{exp, `{"base":2,"exp":10}`, -1, "", ""},
		{exp, `{"base":2}`, 9, `needs "exp" (int), missing`, ""},
		{exp, `{ }`, 2, `needs "base" (int), missing`, ""},
		{exp, `{"bas":2,"exp":10}`, 1, `has no field "bas"`, `nearest is "base"`},
		{exp, `{"base":2,"exp":10,"zzzzzz":1}`, 19, `has no field "zzzzzz"`, "its fields are base, exp"},
		{exp, `{"base":"x","exp":1}`, 8, `wants int at .base, got the string "x"`, ""},
		{exp, `{"base":1,"base":2,"exp":1}`, 10, `has "base" twice`, ""},
		{exp, `[1]`, 0, "wants an object, got a list", ""},
		{"{a:[]{b:int}}", `{"a":[{"b":1},{"c":1}]}`, 15, `has no field "c" in .a[1]`, `its fields are b`},
		{"{a:[]{b:int}}", `{"a":[{"b":1},{}]}`, 15, `needs "b" (int) in .a[1], missing`, ""},
		{"{a?:int}", `{}`, -1, "", ""},
		{`{"é":int}`, `{"\u00e9":1}`, -1, "", ""},
		{"any", `{"x":[1,{}]}`, -1, "", ""},
	} {
		s, err := Parse(c.shape)
		if err != nil {
			t.Fatal(err)
		}
		m := s.Check([]byte(c.payload))
		if m == nil {
			m = &Mismatch{At: -1}
		}
		if m.At != c.at || m.Text != c.text || m.Hint != c.hint {
			t.Errorf("%s of %s:\n got %d %q %q\nwant %d %q %q", c.shape, c.payload, m.At, m.Text, m.Hint, c.at, c.text, c.hint)
		}
	}
}

func TestCheckOpen(t *testing.T) {
	s := must(t, "{value:int64}")
	for payload, good := range map[string]bool{
		`{"value":1,"more":{"a":[1]}}`: true,
		`{"more":"x","value":1}`:       true,
		`{"more":1}`:                   false,
		`{"value":"1"}`:                false,
		`{`:                            false,
	} {
		if got := s.CheckOpen([]byte(payload)) == nil; got != good {
			t.Errorf("CheckOpen(%s): good is %v, want %v", payload, got, good)
		}
	}
}

func TestSyntax(t *testing.T) {
	for _, c := range []struct {
		in   string
		at   int
		end  bool
		text string
		hint string
	}{
		{``, 0, true, "a value is missing", ""},
		{`{`, 1, true, "expected a field's name in quotes", ""},
		{`{"a`, 3, true, "the string has no end", ""},
		{`{"a"`, 4, true, `expected ":" after the field's name`, ""},
		{`{"a":1`, 6, true, `expected "," or "}"`, ""},
		{`tru`, 0, true, "expected a value", `a text needs quotes: "tru"`},
		{`-`, 1, true, "a number is missing after the minus", ""},
		{`{oops`, 1, false, "expected a field's name in quotes", `names have quotes: "oops"`},
		{`hello`, 0, false, "expected a value", `a text needs quotes: "hello"`},
		{`True`, 0, false, "expected a value", "JSON writes true"},
		{`{'a':1}`, 1, false, "expected a field's name in quotes", "JSON strings have double quotes"},
		{`[1,]`, 2, false, "a comma before the end", "JSON wants no comma after the last element"},
		{`[1 2]`, 3, false, `expected "," or "]"`, ""},
		{`007`, 0, false, "a number that starts with 0", ""},
		{`+1`, 0, false, "expected a value", "a number starts with a digit or a minus"},
		{`1 2`, 2, false, "more text after the value", "a payload is one value; several go into a list: [1, 2]"},
		{"\"a\nb\"", 2, false, "a control character inside a string", `a line break in a string is written \n, a tab \t`},
		{`"\x"`, 1, false, "an escape that JSON does not know", `a backslash in a string is written \\`},
		{"\"\xff\"", 1, false, "a byte that is no UTF-8", ""},
	} {
		m := Syntax([]byte(c.in))
		if m == nil {
			t.Errorf("Syntax(%q) found nothing", c.in)
			continue
		}
		if m.At != c.at || m.End != c.end || m.Text != "is not JSON: "+c.text || m.Hint != c.hint {
			t.Errorf("Syntax(%q):\n got %d %v %q %q\nwant %d %v %q %q", c.in, m.At, m.End, m.Text, m.Hint, c.at, c.end, c.text, c.hint)
		}
	}
}

func TestInfer(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"89", "int64"},
		{"18446744073709551615", "uint64"},
		{"99999999999999999999", "any"},
		{"1.5", "float64"},
		{"null", "any"},
		{`{"value":1024,"costInNanos":28113}`, "{value:int64, costInNanos:int64}"},
		{"[]", "[]any"},
		{"[1,2.5]", "[]float64"},
		{"[1,null]", "[]*int64"},
		{"[null,{}]", "[]*{}"},
		{`[1,"a"]`, "[]any"},
		{`[1,"a",null,2]`, "[]any"},
		{"[[],[1]]", "[][]int64"},
		{`[{"a":1},{"a":null,"b":"x"}]`, "[]{a:*int64, b?:string}"},
		{"oops", "any"},
	} {
		if got := Infer([]byte(c.in)).String(); got != c.want {
			t.Errorf("Infer(%s) = %s, want %s", c.in, got, c.want)
		}
	}
}

// An object of very many names is a map, and is judged in time that grows with its size alone.
func TestInferLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString(`[{"a":1},{`)
	for i := range 100_000 {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	b.WriteString(`"last":null}]`)
	s := Infer([]byte(b.String()))
	if got, want := s.String(), "[]map[string]*int64"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if m := s.Check([]byte(b.String())); m != nil {
		t.Errorf("it does not fit: %s", m.Text)
	}
}

func TestPath(t *testing.T) {
	const payload = `{"a":{"b":[10,{"c d":"x"}]},"a b":null,"n":9223372036854775807,"n2":1,"n2":2}`
	for _, c := range []struct{ path, canon, want string }{
		{".", ".", payload},
		{".a.b[0]", ".a.b[0]", "10"},
		{"a.b[1]", ".a.b[1]", `{"c d":"x"}`},
		{`.a["b"][1]["c d"]`, `.a.b[1]["c d"]`, `"x"`},
		{`["a b"]`, `["a b"]`, "null"},
		{".n", ".n", "9223372036854775807"},
		{".n2", ".n2", "2"},
		{".a.b[2]", ".a.b[2]", ""},
		{".a.x", ".a.x", ""},
		{".n.x", ".n.x", ""},
		{".a[0]", ".a[0]", ""},
	} {
		p, err := ParsePath(c.path)
		if err != nil {
			t.Errorf("ParsePath(%q): %v", c.path, err)
			continue
		}
		got, ok := p.Lookup([]byte(payload))
		if p.String() != c.canon || string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %s is %s, %v; want %s is %s", c.path, p, got, ok, c.canon, c.want)
		}
	}
	for _, bad := range []string{"..", "a..b", "a[", "a[-1]", "a[x]", "a]", "a b", `["x]`} {
		if p, err := ParsePath(bad); err == nil {
			t.Errorf("ParsePath(%q) = %v, want an error", bad, p)
		}
	}
	s := must(t, "{a:{b:[]{c:int64}}, m:map[string]string}")
	for path, want := range map[string]string{".a.b[0].c": "int64", ".m.x": "string", ".a.x": "", ".": s.String()} {
		p, _ := ParsePath(path)
		got := ""
		if at, ok := s.At(p); ok {
			got = at.String()
		}
		if got != want {
			t.Errorf("At(%s) = %q, want %q", path, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"call", "cast", "connect", "disconnect", "history", "help", "copy", "?"}
	for typed, want := range map[string]string{"nope": "", "cal": "call", "clal": "call", "CALL": "call", "conect": "connect", "xyzzy": "", "": "", "x": "", "hepl": "help"} {
		if got := Nearest(typed, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func must(t testing.TB, expr string) *Shape {
	t.Helper()
	s, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shapes draws any shape whose limits JSON Schema can express.
func shapes(depth int) *rapid.Generator[*Shape] {
	return rapid.Custom(func(t *rapid.T) *Shape {
		kinds := []Kind{Any, Bool, String, Bytes, Int8, Uint8, Int16, Uint32, Int32, Float64, Int64}
		if depth > 0 {
			kinds = append(kinds, List, Map, Object, Object, Object)
		}
		s := &Shape{kind: rapid.SampledFrom(kinds).Draw(t, "kind"), null: rapid.Bool().Draw(t, "null")}
		switch s.kind {
		case List, Map:
			s.elem = shapes(depth-1).Draw(t, "elem")
		case Object:
			for i := range rapid.IntRange(0, 3).Draw(t, "fields") {
				s.fields = append(s.fields, Field{fmt.Sprintf("f%d", i), shapes(depth-1).Draw(t, "field"), rapid.Bool().Draw(t, "optional")})
			}
		}
		return s
	})
}

// payloads draws JSON near to what shapes accept: every integer in it is exact in floating point.
func payloads(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		choice := rapid.IntRange(0, 9).Draw(t, "form")
		if depth == 0 {
			choice %= 6
		}
		switch choice {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.SampledFrom([]string{"", "aGk=", "x", "名"}).Draw(t, "string")
		case 3:
			return rapid.SampledFrom([]float64{0.5, -2.25}).Draw(t, "float")
		case 4, 5:
			return rapid.SampledFrom([]int{0, -1, 127, 128, -128, -129, 255, 256, 1 << 31, 1<<32 - 1, 1 << 32, 7}).Draw(t, "int")
		case 6:
			return rapid.SliceOfN(payloads(depth-1), 0, 3).Draw(t, "list")
		}
		m := map[string]any{}
		for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
			m[fmt.Sprintf("f%d", i)] = payloads(depth-1).Draw(t, "field")
		}
		return m
	})
}

// A shape and its schema accept the same payloads, canonical form reads back, samples and inferred shapes fit.
func TestSchemaAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shapes(3).Draw(t, "shape")
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%s reads back as %v, %v", s, again, err)
		}
		r, err := s.Schema().Resolve(nil)
		if err != nil {
			t.Fatalf("%s: schema: %v", s, err)
		}
		if m := s.Check(s.Sample()); m != nil {
			t.Fatalf("%s: sample %s %s", s, s.Sample(), m.Text)
		}
		long, err := json.Marshal(s.Schema())
		if err != nil {
			t.Fatal(err)
		}
		read, err := FromSchema(long)
		if err != nil || sorted(read).String() != sorted(s).String() {
			t.Fatalf("%s comes back from its schema as %v, %v", s, read, err)
		}
		value := payloads(3).Draw(t, "payload")
		raw, _ := json.Marshal(value)
		agree(t, s, r, raw)
		agree(t, s, r, s.Sample())
		if m := Infer(raw).Check(raw); m != nil {
			t.Fatalf("Infer(%s) = %s, but it %s", raw, Infer(raw), m.Text)
		}
	})
}

// sorted is s with the fields of all objects in the order of their names.
func sorted(s *Shape) *Shape {
	if s == nil {
		return nil
	}
	c := *s
	c.elem, c.fields = sorted(s.elem), slices.Clone(s.fields)
	for i := range c.fields {
		c.fields[i].Shape = sorted(c.fields[i].Shape)
	}
	slices.SortFunc(c.fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return &c
}

// A few lines of JSON Schema can stand for more types than any memory holds.
func TestSchemaBomb(t *testing.T) {
	var defs []string
	for i := range 40 {
		defs = append(defs, fmt.Sprintf(`"d%d":{"type":"object","properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"$ref":"#/$defs/d%d"}}}`, i, i+1, i+1))
	}
	defs = append(defs, `"d40":{"type":"integer"}`)
	_, err := FromSchema([]byte(`{"$ref":"#/$defs/d0","$defs":{` + strings.Join(defs, ",") + `}}`))
	if err == nil || !strings.Contains(err.Error(), "larger than 10000 schemas") {
		t.Errorf("got %v", err)
	}
}

func TestFromSchema(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`true`, "any"},
		{`{}`, "any"},
		{`{"type":"integer"}`, "int64"},
		{`{"type":"integer","format":"int32"}`, "int32"},
		{`{"type":["string","null"]}`, "*string"},
		{`{"type":["string","integer"]}`, "any"},
		{`{"anyOf":[{"type":"number"},{"type":"null"}]}`, "*float64"},
		{`{"type":"object"}`, "map[string]any"},
		{`{"type":"object","additionalProperties":{"type":"boolean"}}`, "map[string]bool"},
		{`{"type":"object","required":["z"],"properties":{"a":{"type":"string","pattern":"x"},"z":{"enum":[1]}}}`, "{z:any, a?:string}"},
		{`{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","required":["next"],"properties":{"next":{"$ref":"#/$defs/n"}}}}}`, "{next:any}"},
		{`{"type":"array","items":{"$ref":"#/definitions/p"},"definitions":{"p":{"type":"integer","format":"uint8"}}}`, "List<uint8>"},
	} {
		s, err := FromSchema([]byte(c.schema))
		if err != nil || s.String() != c.want {
			t.Errorf("%s: %v, %v; want %s", c.schema, s, err, c.want)
		}
	}
	deep := strings.Repeat(`{"type":"array","items":`, 200) + "{}" + strings.Repeat("}", 200)
	for _, bad := range []string{"", "[", `{"type":"decimal"}`, `{"$ref":"#/$defs/x"}`, `{"$ref":"http://example.com"}`, deep} {
		if s, err := FromSchema([]byte(bad)); err == nil {
			t.Errorf("%.40s: %s, want an error", bad, s)
		}
	}
}

func agree(t *rapid.T, s *Shape, r *jsonschema.Resolved, raw []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	m, err := s.Check(raw), r.Validate(v)
	if (m == nil) != (err == nil) {
		t.Fatalf("%s of %s: shape says %v, schema says %v", s, raw, m, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"int", "{a:int, b?:*string}", "map[string][]byte", "struct{A int `json:\"a\"`}", "List<Map<String,Long>>", `{"\x00":int}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := Parse(expr)
		if err != nil {
			e, ok := errors.AsType[*ParseError](err)
			if !ok || e.At < 0 || e.At > len(expr) {
				t.Fatalf("Parse(%q): %#v", expr, err)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: %s reads back as %v, %v", expr, s, again, err)
		}
		if m := s.Check(s.Sample()); m != nil {
			t.Fatalf("%q: sample %s %s", expr, s.Sample(), m.Text)
		}
		_ = s.Brief()
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("{base:int, exp:int}", []byte(`{"base":2,"exp":10}`))
	f.Add("[]map[string]*float32", []byte(`[{"a":1e3},{"\u0061":null}]`))
	f.Add("any", []byte(`"\ud800"`))
	f.Fuzz(func(t *testing.T, expr string, payload []byte) {
		m := Syntax(payload)
		if good := json.Valid(payload) && utf8.Valid(payload); good != (m == nil) {
			t.Fatalf("Syntax(%q) = %v, but valid is %v", payload, m, good)
		}
		if m != nil && (m.At < 0 || m.At > len(payload)) {
			t.Fatalf("Syntax(%q) at %d", payload, m.At)
		}
		s, err := Parse(expr)
		if err != nil {
			return
		}
		closed, open := s.Check(payload), s.CheckOpen(payload)
		if closed == nil && open != nil {
			t.Fatalf("%s of %q: open refuses what closed accepts: %s", s, payload, open.Text)
		}
		for _, m := range []*Mismatch{closed, open} {
			if m != nil && (m.At < 0 || m.At > len(payload) || m.Text == "") {
				t.Fatalf("%s of %q: %#v", s, payload, m)
			}
		}
		if m == nil {
			if k := Infer(payload); k.CheckOpen(payload) != nil {
				t.Fatalf("Infer(%q) = %s does not fit", payload, k)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	s := must(b, "{base:int, exp:int}")
	payload := []byte(`{"base":2,"exp":10}`)
	for b.Loop() {
		s.Check(payload)
	}
}
