package rpcserver

import (
	"encoding/json"
	"strconv"
	"sync"
	"unicode/utf8"
)

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// isPlain reports whether a string is its own JSON, but for the quotes.
func isPlain[S ~string | ~[]byte](s S) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return true
}

// appendRaw trusts a handler's raw JSON no more than a peer's: what is not JSON would put a client out of step.
func appendRaw(dst []byte, raw json.RawMessage) ([]byte, error) {
	if raw == nil {
		return append(dst, "null"...), nil
	}
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return dst, Errorf(Internal, "the reply is not JSON")
	}
	return append(dst, raw...), nil
}

// writer is an encoder and where it writes, kept together for the next value.
type writer struct {
	dst []byte
	enc *json.Encoder
}

func (w *writer) Write(b []byte) (int, error) {
	w.dst = append(w.dst, b...)
	return len(b), nil
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.enc = json.NewEncoder(w)
	w.enc.SetEscapeHTML(false) // nobody puts a payload into a page, and people read them
	return w
}}

func appendAny(dst []byte, v any) ([]byte, error) {
	w := writers.Get().(*writer)
	w.dst = dst
	err := w.enc.Encode(v)
	out := w.dst
	w.dst = nil
	if err != nil {
		return dst, Errorf(Internal, "the reply cannot be written as JSON: %v", err) // the encoder keeps the error: it is not used again
	}
	writers.Put(w)
	return out[:len(out)-1], nil // without Encode's line end
}
