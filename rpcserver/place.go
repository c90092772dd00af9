package rpcserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

// Places in a payload: a path, as in items[3].name, for people and programs; a byte, counted from 0, for a caret below the payload.

// places ranges over all values of a payload in their order, each with its path and the byte where it starts, until yield returns
// false. Valid JSON is gone through to its end, anything else as far as it is valid.
func places(payload []byte, yield func(path string, at int) bool) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	walkPlaces(d, payload, "", yield)
}

func walkPlaces(d *json.Decoder, payload []byte, path string, yield func(string, int) bool) (more bool) {
	before := int(d.InputOffset())
	token, err := d.Token()
	if err != nil || !yield(path, before+skipped(payload[before:])) {
		return false
	}
	if token != json.Delim('{') && token != json.Delim('[') {
		return true
	}
	for i := 0; d.More(); i++ {
		inner := inList(path, i)
		if token == json.Delim('{') {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return false
			}
			inner = inObject(path, name)
		}
		if !walkPlaces(d, payload, inner, yield) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

// mostPath bounds a path: below it, places have the path of what they stand in.
const mostPath = 128

func inList(path string, i int) string {
	if len(path) > mostPath {
		return path
	}
	return path + "[" + strconv.Itoa(i) + "]"
}

func inObject(path, name string) string {
	if len(path) > mostPath {
		return path
	}
	name = shown(name, mostShown)
	switch plain := name != "" && strings.IndexFunc(name, isNotPlain) < 0; {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func isNotPlain(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// misplaced makes the error for the value that starts at a byte of the payload.
func misplaced(payload []byte, at int, problem string) *Error {
	field := ""
	places(payload, func(path string, start int) bool {
		if start == at {
			field = path
		}
		return start < at
	})
	where := ""
	if field != "" {
		where = "field " + strconv.Quote(field) + " "
	}
	e := Errorf(InvalidArgument, "%sat byte %d: %s", where, at, problem)
	e.Details = wire.ViolationDetails([]Violation{{Field: field, At: at, Problem: problem}})
	return e
}

// notJSON makes the error for a payload that cannot be read from a byte on.
func notJSON(at int, message, problem string) *Error {
	e := &Error{Code: InvalidArgument, Message: message}
	e.Details = wire.ViolationDetails([]Violation{{At: at, Problem: problem}})
	return e
}

// placed fills in where the fields stand that an error of Validate names.
func placed(payload []byte, e *Error) *Error {
	violations := wire.Violations(e.Details)
	want := map[string][]*Violation{}
	for i := range violations {
		if v := &violations[i]; v.At == 0 && v.Field != "" {
			want[v.Field] = append(want[v.Field], v)
		}
	}
	if len(want) == 0 {
		return e
	}
	places(payload, func(path string, at int) bool {
		for _, v := range want[path] {
			v.At = at
		}
		return true
	})
	c := *e // it may be a variable that all calls return
	c.Details = wire.ViolationDetails(violations)
	return &c
}

// startOf returns where the JSON value starts that encoding/json complained about after having read end bytes.
func startOf(payload []byte, end int64) int {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	for {
		before := d.InputOffset()
		if _, err := d.Token(); err != nil {
			return int(end)
		}
		if d.InputOffset() >= end {
			return int(before) + skipped(payload[before:])
		}
	}
}

// skipped counts what stands between two JSON tokens.
func skipped(b []byte) int { return len(b) - len(bytes.TrimLeft(b, " \t\r\n,:")) }

// misfit says in one line what does not fit, and where.
func misfit(payload []byte, err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := int(max(e.Offset-1, 0))
		if strings.HasPrefix(e.Error(), "unexpected end") {
			at = len(payload)
		}
		return notJSON(at, fmt.Sprintf("not JSON at byte %d: %v", at, e), "not JSON: "+e.Error())
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return misplaced(payload, startOf(payload, e.Offset), "want "+typeName(e.Type)+", got "+shown(e.Value, mostShown))
	}
	if e, ok := errors.AsType[*Error](err); ok && e != nil { // from the request type's own UnmarshalJSON
		return e
	}
	return Errorf(InvalidArgument, "%s", err)
}
