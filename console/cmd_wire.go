package console

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

func wireCommands() []*command {
	return []*command{{
		name: "wire", group: "Journal", args: "[NUMBER]", pipe: true,
		help: "the bytes of a call, each under the name of its field",
		long: "Without a number, or with `last`, it is the last call. Each row is an offset, bytes, the same as text, and what they are; a bracket ties a length\n" +
			"to what it measures. An id has one row, and of long payloads the beginning and the last row are shown.",
		examples: []string{"wire 128", "wire last"},
		flags:    []flag{{"width", "N", "bytes in a row, 4 to 32; 16 if it is not given"}},
		max:      1, run: runWire, check: checkWire, complete: completeNumber,
	}}
}

// wireJSON are the bytes of a call as -o json prints them.
type wireJSON struct {
	Kind     string      `json:"kind"`
	Number   int         `json:"number"`
	Protocol string      `json:"protocol"`
	Request  []fieldJSON `json:"request"`
	Reply    []fieldJSON `json:"reply"`
}

// fieldJSON is one field. Hex are its bytes, of a long one the first 4 KiB.
type fieldJSON struct {
	At   int    `json:"at"`
	Len  int    `json:"len"`
	Name string `json:"name"`
	Note string `json:"note,omitempty"`
	Role string `json:"role"`
	Hex  string `json:"hex"`
}

const fieldBytes = 4 << 10

// wireBytes is how many bytes a line wants in a row.
func wireBytes(a *args) (int, error) {
	w, ok := a.flags["width"]
	if !ok {
		return 16, nil
	}
	n, err := strconv.Atoi(w.text)
	if err != nil || n < 4 || n > 32 {
		return 0, a.fault(ExitUsage, w.at, fmt.Sprintf("%q is no width", w.text), "from 4 to 32 bytes stand in a row")
	}
	return n, nil
}

func runWire(_ context.Context, s *Session, a *args) (Result, error) {
	e, err := s.number(a, a.word(0))
	if err != nil {
		return Result{}, err
	}
	width, err := wireBytes(a)
	switch {
	case err != nil:
		return Result{}, err
	case e.Dropped:
		return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("the bytes of #%d are no longer kept", e.Number), "")
	case e.State == Running && len(e.Trace.Out) == 0:
		return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("#%d is still running", e.Number), "its bytes are there when it has ended")
	}
	protocol := or(e.Trace.Protocol, "v1")
	ascii := s.ascii()
	out, in := e.Trace.Sizes()
	text := s.direction("request", "→", ">", out, e.Trace.Out, &e) + "\n" + wireText(WireRows(protocol, e.Trace.Out, width), width, ascii)
	text += "\n\n" + s.direction("reply", "←", "<", in, e.Trace.In, &e) + "\n" + wireText(WireRows(protocol, e.Trace.In, width), width, ascii)
	v := wireJSON{"wire", e.Number, protocol, fieldsJSON(protocol, e.Trace.Out), fieldsJSON(protocol, e.Trace.In)}
	return Result{Text: strings.TrimRight(text, "\n"), Value: v}, nil
}

// direction is the line above the rows of one direction.
func (s *Session) direction(name, arrow, plain string, size int, kept []byte, e *Entry) string {
	if s.ascii() {
		arrow = plain
	}
	text := fmt.Sprintf("%s %s  %s", arrow, name, Bytes(size))
	switch {
	case size == 0:
		text = fmt.Sprintf("%s %s  nothing", arrow, name)
	case size > len(kept):
		text += fmt.Sprintf(", the first %s are kept", Bytes(len(kept)))
	}
	if name == "request" && e.Trace.Protocol != "" {
		text += "  " + e.Trace.Protocol
	}
	return text
}

func fieldsJSON(protocol string, b []byte) []fieldJSON {
	fields := []fieldJSON{}
	parts, _ := wireParts(protocol, b)
	for _, p := range parts {
		fields = append(fields, fieldJSON{p.At, p.Len, p.Name, p.Note, wireRoles[p.Role], hex.EncodeToString(b[p.At : p.At+min(p.Len, fieldBytes)])})
	}
	return fields
}

func checkWire(s *Session, a *args, typing bool) Hint {
	_, err := wireBytes(a)
	if err == nil {
		var e Entry
		if e, err = s.number(a, a.word(0)); err == nil {
			return Hint{State: HintGood, Text: fmt.Sprintf("the bytes of #%d", e.Number)}
		}
	}
	if typing {
		return Hint{Text: a.command.usage()}
	}
	return badHint(err)
}
