package rpcclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Integers and plain strings are written and read by hand, about ten times
// faster than encoding/json does it; everything else goes through encoding/json.

// appendJSON appends v as JSON. A nil v is null; json.RawMessage is checked and
// taken as it is.
func appendJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case string:
		if isPlain(v) {
			dst = append(dst, '"')
			dst = append(dst, v...)
			return append(dst, '"'), nil
		}
	case json.RawMessage:
		return appendRaw(dst, v)
	}
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false) // the bytes are looked at by people
	if err := enc.Encode(v); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func appendRaw(dst []byte, raw json.RawMessage) ([]byte, error) {
	if raw == nil {
		return append(dst, "null"...), nil
	}
	if err := checkJSON(raw); err != nil {
		return dst, err
	}
	return append(dst, raw...), nil
}

// checkJSON says what is wrong with raw as JSON in UTF-8.
func checkJSON(raw []byte) error {
	if json.Valid(raw) {
		if !utf8.Valid(raw) {
			return errors.New("not UTF-8")
		}
		return nil
	}
	var v json.RawMessage
	err := json.Unmarshal(raw, &v)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON: %s at byte %d", printable(e.Error(), 100), e.Offset)
	}
	return fmt.Errorf("not JSON: %w", err)
}

// isPlain reports whether s is a JSON string once quotes are put around it.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// decode reads a reply as T. The common types never reach the heap.
func decode[T any](raw []byte) (T, error) {
	var v T
	if decodeFast(raw, any(&v)) {
		return v, nil
	}
	return decodeSlow[T](raw)
}

// decodeFast fills the target if it is one of the common types and raw is
// written in the common way; false says nothing about raw.
func decodeFast(raw []byte, target any) bool {
	switch p := target.(type) {
	case *int64:
		n, ok := parseInt(raw)
		*p = n
		return ok
	case *int:
		n, ok := parseInt(raw)
		*p = int(n)
		return ok && n >= math.MinInt && n <= math.MaxInt
	case *json.RawMessage:
		if checkJSON(raw) != nil {
			return false
		}
		*p = append(json.RawMessage{}, bytes.TrimSpace(raw)...)
		return true
	case *string:
		if n := len(raw); n >= 2 && raw[0] == '"' && raw[n-1] == '"' {
			*p = string(raw[1 : n-1])
			return isPlain(*p)
		}
	}
	return false
}

// parseInt reads a JSON integer of at most 18 digits, with nothing around it.
func parseInt(raw []byte) (n int64, ok bool) {
	digits := raw
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, true
}

func decodeSlow[T any](raw []byte) (T, error) {
	var v, zero T
	if err := decodeInto(raw, reflect.TypeFor[T](), &v); err != nil {
		return zero, err
	}
	return v, nil
}

// decodeInto reads raw into target, a pointer to a t. A number that lands in an
// interface becomes a json.Number, so that no integer loses digits.
func decodeInto(raw []byte, t reflect.Type, target any) error {
	if err := checkJSON(raw); err != nil {
		return err
	}
	if string(bytes.TrimSpace(raw)) == "null" && !takesNull(t) {
		return fmt.Errorf("null, and %v has no null", t)
	}
	if !holdsInterface(t) {
		return explain(json.Unmarshal(raw, target), t)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return explain(dec.Decode(target), t)
}

// explain puts encoding/json's complaint into the words of a reply.
func explain(err error, t reflect.Type) error {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	where := ""
	if e.Field != "" {
		where = fmt.Sprintf("field %q ", e.Field)
	}
	return fmt.Errorf("%sat byte %d is a %s, want %v", where, e.Offset, printable(e.Value, 60), e.Type)
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// takesNull reports whether a t can tell null from its zero value, or has no
// value at all.
func takesNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	case reflect.Struct:
		return t.NumField() == 0 || reflect.PointerTo(t).Implements(unmarshaler)
	}
	return reflect.PointerTo(t).Implements(unmarshaler)
}

// interfaces remembers holdsInterface per type: reflect.Type -> bool.
var interfaces sync.Map

// holdsInterface reports whether a value of type t may hold an interface
// somewhere inside.
func holdsInterface(t reflect.Type) bool {
	if known, ok := interfaces.Load(t); ok {
		return known.(bool)
	}
	found := searchInterface(t, map[reflect.Type]bool{})
	interfaces.Store(t, found)
	return found
}

func searchInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return searchInterface(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if searchInterface(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
