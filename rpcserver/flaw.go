package rpcserver

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

// flaw says what is wrong with a service, behind its name; "" is nothing. It is found out when the service is added, where the mistake is, and not by
// whoever calls.
func (v *service) flaw() string {
	switch h := v.handler.(type) {
	case nil:
		return "has no handler"
	case HandlerFunc:
		if h == nil {
			return "has no handler"
		}
	case describer:
		if h.empty() {
			return "has no handler"
		}
	}
	switch v.pattern {
	case PatternCall, PatternCast, PatternStream, PatternUpload, PatternBidi:
	default:
		return fmt.Sprintf("has the pattern %q, which there is not", v.pattern)
	}
	switch {
	case !carried[json.Unmarshaler, encoding.TextUnmarshaler](v.takes):
		return fmt.Sprintf("takes a %s, which JSON has not", v.takes)
	case !carried[json.Marshaler, encoding.TextMarshaler](v.repays):
		return fmt.Sprintf("answers with a %s, which JSON has not", v.repays)
	}
	if err := v.tryExample(); err != nil {
		return fmt.Sprintf("has an example that cannot be: %v", err)
	}
	return ""
}

// carried reports whether JSON can carry values of a type, as far as the type itself says: one of its methods, or what it is. nil is not known.
func carried[own, text any](t reflect.Type) bool {
	for depth := 0; t != nil && depth < 8; depth++ { // a pointer may point to its own type
		for _, m := range []reflect.Type{reflect.TypeFor[own](), reflect.TypeFor[text]()} {
			if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
				return true
			}
		}
		switch t.Kind() {
		case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
			return false
		case reflect.Pointer:
			t = t.Elem()
			continue
		}
		break
	}
	return true
}

// tryExample reads the example as a request: one that is written by hand may misspell a field, too.
func (v *service) tryExample() error {
	if v.example == nil {
		return nil
	}
	b, err := json.Marshal(v.example)
	if err != nil || v.takes == nil || v.takes == reflect.TypeFor[[]byte]() { // whose callers may send bytes as they are
		return err
	}
	if err := decodeInto(b, reflect.New(v.takes).Interface(), rulesOf(v.takes)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(reflect.New(v.takes).Interface())
}
