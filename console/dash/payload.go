package dash

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/rpckids/rpckids/console"
)

const lineCap = 1024 // bytes of one line that are looked at; no terminal is that wide

// notKept stands for the bytes of an entry that gave their room to newer ones.
const notKept = "its bytes are no longer kept"

// oneLine writes a payload on one line, safe for a terminal; what is beyond lineCap is not looked at.
func oneLine(payload json.RawMessage) string {
	if len(payload) > lineCap {
		return console.Printable(strings.ToValidUTF8(string(payload[:lineCap]), ""))
	}
	if payload == nil {
		return "null"
	}
	return console.PrintableJSON(payload)
}

// reply is the result of an entry on one line.
func reply(e console.Entry) string {
	if e.Dropped {
		return notKept
	}
	return oneLine(e.Result)
}

// onlyValue is what stays of a result when there is room for one value: the first field of an object.
func onlyValue(result json.RawMessage) string {
	if len(result) > lineCap {
		return oneLine(result)
	}
	d := json.NewDecoder(bytes.NewReader(result))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return oneLine(result)
	}
	if _, err := d.Token(); err != nil {
		return oneLine(result)
	}
	var first json.RawMessage
	if d.Decode(&first) != nil {
		return oneLine(result)
	}
	return oneLine(first)
}

// commandLine is the line that does an entry again, as far as it can be seen.
func commandLine(e console.Entry) string {
	s := e.Kind.String() + " " + console.Printable(e.Type)
	if e.Payload != nil {
		s += " " + oneLine(e.Payload)
	}
	return s
}

// editLine is the whole line, to be typed on.
func editLine(e console.Entry) string {
	s := e.Kind.String() + " " + console.Printable(e.Type)
	if e.Payload != nil {
		s += " " + console.PrintableJSON(e.Payload)
	}
	return s
}
