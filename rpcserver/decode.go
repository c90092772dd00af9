package rpcserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
)

// validator is what a request type may have, on the value or on the pointer.
type validator interface{ Validate() error }

// decoder reads payloads into one type. What depends on the type alone is found out once.
type decoder[T any] struct {
	rules  typeRules
	direct bool // T itself, a pointer, has Validate
	deep   bool // *T has Validate
}

func newDecoder[T any]() decoder[T] {
	t := reflect.TypeFor[T]()
	v := reflect.TypeFor[validator]()
	direct := t.Kind() == reflect.Pointer && t.Implements(v)
	return decoder[T]{rulesOf(t), direct, !direct && t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(v)}
}

// decode reads payload into *p, which is zero.
func (d *decoder[T]) decode(payload []byte, p *T) error {
	if err := decodeInto(payload, p, d.rules); err != nil {
		return err
	}
	switch {
	case d.deep:
		return asInvalid(payload, any(p).(validator).Validate())
	case d.direct && !reflect.ValueOf(p).Elem().IsNil():
		return asInvalid(payload, any(*p).(validator).Validate())
	}
	return nil
}

func asInvalid(payload []byte, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return placed(payload, e)
	}
	return &Error{Code: InvalidArgument, Message: err.Error()}
}

// decodeAny is decode for a type that is only known now.
func decodeAny(payload []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return Errorf(Internal, "Decode wants a pointer, not %T", v)
	}
	if err := decodeInto(payload, v, rulesOf(t.Elem())); err != nil {
		return err
	}
	if c, ok := v.(validator); ok {
		return asInvalid(payload, c.Validate())
	}
	return nil
}

// decodeInto reads payload into p, a pointer. A plain int, string or raw message takes no detour.
func decodeInto(payload []byte, p any, rules typeRules) error {
	switch p := p.(type) {
	case *int:
		if n, ok := parseInt(payload); ok && int64(int(n)) == n {
			*p = int(n)
			return nil
		}
	case *int64:
		if n, ok := parseInt(payload); ok {
			*p = n
			return nil
		}
	case *string:
		if n := len(payload); n >= 2 && payload[0] == '"' && payload[n-1] == '"' && isPlain(payload[1:n-1]) {
			*p = string(payload[1 : n-1])
			return nil
		}
	}
	return decodeJSON(payload, p, rules)
}

func decodeJSON(payload []byte, p any, rules typeRules) error {
	if !utf8.Valid(payload) {
		at := invalidAt(payload)
		return notJSON(at, fmt.Sprintf("byte %d is not UTF-8", at), "not UTF-8")
	}
	bare := bytes.TrimSpace(payload)
	switch {
	case len(bare) == 0 && rules.nullable:
		return nil
	case len(bare) == 0:
		return Invalid(Violation{Problem: "the payload is empty, want " + rules.name})
	case string(bare) == "null" && !rules.nullable:
		return Invalid(Violation{At: skipped(payload), Problem: "the payload is null, want " + rules.name})
	}
	if raw, ok := p.(*json.RawMessage); ok {
		if json.Valid(payload) {
			*raw = append(json.RawMessage(nil), payload...)
			return nil
		}
	}
	if err := unmarshal(payload, p, rules); err != nil {
		return misfit(payload, err)
	}
	if rules.nulls && bytes.Contains(payload, []byte("null")) {
		return findNull(payload, reflect.TypeOf(p).Elem())
	}
	return nil
}

// unmarshal keeps a number exact also where the type says any: there it becomes a json.Number.
func unmarshal(payload []byte, p any, rules typeRules) error {
	if !rules.dynamic {
		return json.Unmarshal(payload, p)
	}
	if !json.Valid(payload) {
		return json.Unmarshal(payload, new(json.RawMessage)) // for the error; a Decoder stops at the end of the first value
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	return d.Decode(p)
}

// parseInt reads a JSON integer that fits int64. Anything else goes the long way, which finds the words for what is wrong.
func parseInt(b []byte) (n int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var u uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	switch {
	case neg && u <= 1<<63:
		return -int64(u), true // -1<<63 is its own negative
	case !neg && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

func invalidAt(b []byte) int {
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}
