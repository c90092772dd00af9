package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestErrorRoundTrip(t *testing.T) {
	for _, e := range []*Error{
		{Code: NotFound, Message: "no service fob"},
		{Code: ResourceExhausted, Message: "busy", RetryAfter: 250 * time.Millisecond},
		{Code: InvalidArgument, Message: `文字 and "quotes"`, Details: json.RawMessage(`{"field":"exp","at":15}`)},
	} {
		got, ok := ParseError(AppendError(nil, e))
		if !ok || !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v %v, want %+v", got, ok, e)
		}
	}
}

func TestErrorJSONIsThatOfTheSpecification(t *testing.T) {
	got := string(AppendError(nil, &Error{Code: NotFound, Message: "gone", RetryAfter: 250 * time.Millisecond}))
	if want := `{"code":"not_found","message":"gone","retry_after_ms":250}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(AppendError(nil, &Error{Code: Internal, Details: json.RawMessage("{oops")})); got != `{"code":"internal","message":""}` {
		t.Errorf("details that are no JSON: got %s", got)
	}
}

func TestNegativeRetryAfterIsNotSent(t *testing.T) {
	if got, want := string(AppendError(nil, &Error{Code: Internal, RetryAfter: -time.Second})), `{"code":"internal","message":""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseErrorOfStrangers(t *testing.T) {
	for _, p := range []string{"", "null", "1", `{"message":"x"}`, `{"code":5}`, `{"code":"internal"`} {
		if e, ok := ParseError([]byte(p)); ok {
			t.Errorf("%q was taken for the error %v", p, e)
		}
	}
	for _, code := range []string{"new_code", "ok"} {
		e, ok := ParseError([]byte(`{"code":"` + code + `","message":"m","retry_after_ms":-7}`))
		if !ok || e.Code != UnknownError || e.RetryAfter != 0 {
			t.Errorf("%s: got %+v %v", code, e, ok)
		}
	}
}

func TestErrorTypeV1IsOneShortLine(t *testing.T) {
	if got, want := ErrorTypeV1(&Error{Code: Internal, Message: "a\x1b[2Jb\xff\u202e"}), "error.internal: a?[2Jb?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := ErrorTypeV1(&Error{Code: InvalidArgument, Message: "a\nb\tc " + strings.Repeat("字", 400)})
	if !strings.HasPrefix(got, "error.invalid_argument: a b c 字") || len(got) > 250 || strings.ContainsAny(got, "\n\t\uFFFD") {
		t.Errorf("got %q", got)
	}
}

func TestCodes(t *testing.T) {
	for c := OK; c <= Unauthenticated; c++ {
		if got, ok := ParseCode(c.String()); !ok || got != c {
			t.Errorf("code %d is %q, which is code %d", c, c, got)
		}
	}
	if got := Code(99).String(); got != "unknown" {
		t.Errorf("code 99: got %q", got)
	}
}

func FuzzParseError(f *testing.F) {
	f.Add([]byte(`{"code":"not_found","message":"x","retry_after_ms":5,"details":{"a":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := ParseError(b)
		if !ok {
			return
		}
		again, ok := ParseError(AppendError(nil, e))
		if !ok || again.Code != e.Code || again.Message != e.Message || again.RetryAfter != e.RetryAfter {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}

func TestSniff(t *testing.T) {
	tests := map[byte]Protocol{0x00: V1, 0xFF: V2, 0x16: TLS, 'G': HTTP, 'P': HTTP, 'H': HTTP, 'D': HTTP, 'C': HTTP, 'O': HTTP, 'T': HTTP, 0x01: Unknown, 'S': Unknown, 0x80: Unknown}
	for b, want := range tests {
		if got := Sniff(b); got != want {
			t.Errorf("%#x: got %v, want %v", b, got, want)
		}
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(byte(0))
	f.Fuzz(func(t *testing.T, b byte) {
		if Sniff(b).String() == "" {
			t.Fatalf("%#x has no name", b)
		}
	})
}

func TestViolations(t *testing.T) {
	want := []FieldProblem{{Field: "exp", At: 9, Problem: `want int, got "x"`}, {Problem: "empty"}}
	details := ViolationDetails(want)
	if got, w := string(details), `{"violations":[{"field":"exp","at":9,"problem":"want int, got \"x\""},{"field":"","at":0,"problem":"empty"}]}`; got != w {
		t.Errorf("got %s, want %s", got, w)
	}
	if got := Violations(details); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ViolationDetails(nil); got != nil {
		t.Errorf("no problems: got %s", got)
	}
	for _, details := range []string{"", "null", "7", `{"pattern":"stream"}`, `{"violations":7}`, `{"violations":[{"at":"x"}]}`} {
		if got := Violations(json.RawMessage(details)); got != nil {
			t.Errorf("%q: got %+v", details, got)
		}
	}
}
