package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// A reference stands for an earlier reply: $last, $128, $128.value, ${last.items[0]}. In a payload outside of strings it is replaced by the value as it is;
// inside a string only the form with braces counts, so that "costs $5" stays what it says, and the value is written as text. In a string,
// braces that name neither last nor a number stay as they are.

// lookup finds the reply that a reference names: 0 is the last one.
type lookup func(number int) (json.RawMessage, error)

// anyReference stands in for a lookup where only the form of a line matters.
func anyReference(int) (json.RawMessage, error) { return nil, nil }

// expansion is a payload whose references were replaced.
type expansion struct {
	text   []byte
	pieces []piece
	file   string // where it was read from, "" when it was typed
}

// piece says where a piece of the expanded text came from.
type piece struct {
	at, src int
	value   bool // it is the value of the reference at src
}

// source returns the offset in the typed text of an offset in the expanded one.
func (x *expansion) source(at int) int {
	m := piece{}
	for _, n := range x.pieces {
		if n.at > at {
			break
		}
		m = n
	}
	if m.value {
		return m.src
	}
	return m.src + at - m.at
}

// badReference is an error of a reference at offset at in the payload.
type badReference struct {
	at         int
	text, hint string
}

func (b *badReference) Error() string { return b.text }

// expand replaces the references of a payload. Its error is a *badReference.
func expand(text string, find lookup) (*expansion, error) {
	x := &expansion{}
	if strings.IndexByte(text, '$') < 0 {
		x.text = []byte(text)
		return x, nil
	}
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '$' && (!quoted || strings.HasPrefix(text[i:], "${")):
			r, err := parseReference(text, i)
			if err != nil && quoted {
				continue
			}
			if err != nil {
				return nil, err
			}
			value, err := r.value(find)
			if err != nil {
				return nil, err
			}
			if quoted {
				value = asText(value)
			}
			if len(x.text)+len(value) > maxPayload { // a few lines of $last, $last would fill any memory
				return nil, &badReference{i, "the payload is larger than " + Bytes(maxPayload) + " with what stands here", ""}
			}
			x.copy(text, from, i)
			x.pieces = append(x.pieces, piece{at: len(x.text), src: i, value: true})
			x.text = append(x.text, value...)
			from, i = r.end, r.end-1
		}
	}
	x.copy(text, from, len(text))
	return x, nil
}

func (x *expansion) copy(text string, from, to int) {
	x.pieces = append(x.pieces, piece{at: len(x.text), src: from})
	x.text = append(x.text, text[from:to]...)
}

// asText writes a JSON value as the inside of a JSON string.
func asText(value []byte) []byte {
	if len(value) > 0 && value[0] == '"' {
		return value[1 : len(value)-1]
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(value)) // a string: cannot fail
	return b.Bytes()[1 : b.Len()-2]
}

// reference is one reference as it was typed.
type reference struct {
	at, end int // where it stands
	name    string
	number  int // 0: the last reply
	path    shape.Path
}

// parseReference reads the reference at text[at], which is a $.
func parseReference(text string, at int) (r reference, err error) {
	r = reference{at: at}
	start, braces := at+1, strings.HasPrefix(text[at:], "${")
	if braces {
		start++
	}
	i := start
	for i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z' || text[i] == '_') {
		i++
	}
	r.name = text[start:i]
	if r.name != "last" {
		if r.number, err = strconv.Atoi(r.name); err != nil || r.number < 1 {
			return r, &badReference{at, fmt.Sprintf("no reply is called %q", text[at:i]), "$last is the last reply, $128 the reply of call 128, $128.value a field of it"}
		}
	}
	r.end = pathEnd(text, i)
	path, err := shape.ParsePath(text[i:r.end])
	if err != nil {
		return r, &badReference{at, fmt.Sprintf("%s: %v", text[at:r.end], err), "a path is as in $128.items[0].name"}
	}
	r.path = path
	if braces {
		if r.end == len(text) || text[r.end] != '}' {
			return r, &badReference{at, "a reference has no closing brace", "as in ${last.value}"}
		}
		r.end++
	}
	return r, nil
}

// pathEnd returns the end of the path that starts at text[i].
func pathEnd(text string, i int) int {
	for i < len(text) {
		switch {
		case text[i] == '[':
			n := strings.IndexByte(text[i:], ']')
			if n < 0 {
				return len(text)
			}
			i += n + 1
		case text[i] == '.' && i+1 < len(text) && pathByte(text[i+1]):
			for i++; i < len(text) && pathByte(text[i]); i++ {
			}
		default:
			return i
		}
	}
	return i
}

func pathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}

func (r reference) value(find lookup) ([]byte, error) {
	payload, err := find(r.number)
	if err != nil {
		return nil, &badReference{r.at, err.Error(), "`history` lists the calls with their numbers"}
	}
	if payload == nil { // only the form matters
		return []byte("null"), nil
	}
	if len(r.path) == 0 {
		return bytes.TrimSpace(payload), nil // it is JSON: the reply was checked
	}
	value, ok := r.path.Lookup(payload)
	if !ok {
		return nil, &badReference{r.at, fmt.Sprintf("the reply has nothing at %s", r.path), "it is " + glimpse(payload, 60)}
	}
	return value, nil
}

// reply is the lookup of a session.
func (s *Session) reply(number int) (json.RawMessage, error) {
	if number == 0 {
		if e, ok := s.journal.LastReply(); ok {
			return e.Result, nil
		}
		return nil, fmt.Errorf("no call has a reply yet")
	}
	e, ok := s.journal.Entry(number)
	switch {
	case !ok && number <= s.journal.Last():
		return nil, fmt.Errorf("#%d is no longer kept", number)
	case !ok:
		return nil, fmt.Errorf("there is no #%d yet", number)
	case e.Dropped:
		return nil, fmt.Errorf("the reply of #%d is no longer kept", number)
	case e.State == Running:
		return nil, fmt.Errorf("#%d is still running", number)
	case e.State != OK:
		return nil, fmt.Errorf("#%d has no reply, it is %s", number, e.Word())
	}
	return e.Result, nil
}
