package rpcserver

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// typeRules is what a Go type says about the JSON it takes.
type typeRules struct {
	name     string
	nullable bool // null, or nothing at all, is a value of it
	nulls    bool // somewhere inside it is a type that has no null
	dynamic  bool // somewhere inside it is an any
}

// knownRules holds what rulesOf found out, by type; the types of a program are few.
var knownRules sync.Map

func rulesOf(t reflect.Type) typeRules {
	if r, ok := knownRules.Load(t); ok {
		return r.(typeRules)
	}
	seen := map[reflect.Type]bool{}
	r := typeRules{name: typeName(t), nullable: hasNull(t)}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] || ownJSON(t) {
			return
		}
		seen[t] = true
		r.nulls = r.nulls || !hasNull(t)
		switch t.Kind() {
		case reflect.Interface:
			r.dynamic = true
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				walk(t.Field(i).Type)
			}
		}
	}
	walk(t)
	knownRules.Store(t, r)
	return r
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// ownJSON reports whether a type reads its JSON itself: then it also decides about null.
func ownJSON(t reflect.Type) bool {
	return t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler)
}

func hasNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return true
	case reflect.Struct:
		if t.NumField() == 0 { // the request of a service that wants to know nothing
			return true
		}
	}
	return ownJSON(t)
}

// typeName names a type as a caller knows it, who writes JSON and not Go.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Pointer:
		return typeName(t.Elem())
	}
	return t.Kind().String()
}

// findNull looks for a null that encoding/json passed over in silence: where the type has none, a zero would be a lie.
func findNull(payload []byte, t reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	return nullIn(d, payload, t)
}

// nullIn reads one value of type t from d; t is nil where anything goes.
func nullIn(d *json.Decoder, payload []byte, t reflect.Type) error {
	before := d.InputOffset()
	token, err := d.Token()
	if err != nil {
		return nil // it was valid JSON; only a number out of float64's range fails here, and its value is read
	}
	for t != nil && t.Kind() == reflect.Pointer && !ownJSON(t) && token != nil {
		t = t.Elem()
	}
	if t != nil && (ownJSON(t) || t.Kind() == reflect.Interface) {
		t = nil
	}
	switch token {
	case nil:
		if t != nil && !hasNull(t) {
			return misplaced(payload, int(before)+skipped(payload[before:]), "want "+typeName(t)+", got null")
		}
	case json.Delim('{'), json.Delim('['):
		for d.More() {
			name := ""
			if token == json.Delim('{') {
				key, err := d.Token()
				if err != nil {
					return nil
				}
				name, _ = key.(string)
			}
			if err := nullIn(d, payload, inside(t, name)); err != nil {
				return err
			}
		}
		_, err = d.Token()
		if err != nil {
			return nil
		}
	}
	return nil
}

// inside returns the type of an element, or of the field that encoding/json fills from name; nil where anything goes.
func inside(t reflect.Type, name string) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return t.Elem()
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "" {
				tag = f.Name
			}
			if f.IsExported() && strings.EqualFold(tag, name) {
				return f.Type
			}
		}
	}
	return nil
}
