package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestControlFramesAreStrict(t *testing.T) {
	failure := func(b []byte) error { _, err := ParseFailure(b); return err }
	credit := func(b []byte) error { _, err := ParseCredit(b); return err }
	goaway := func(b []byte) error { _, err := ParseGoAway(b); return err }
	tests := []struct {
		name   string
		parse  func([]byte) error
		bytes  string
		reason string
	}{
		{"ERROR without a code", failure, "", BadControl},
		{"retry-after cut short", failure, "\x05\x80", BadControl},
		{"retry-after in a long form", failure, "\x05\x80\x00", BadControl},
		{"retry-after of 2^31 ms", failure, "\x05\x80\x80\x80\x80\x08", BadControl},
		{"text cut short", failure, "\x05\x00\x03no", BadControl},
		{"text of 2^40 bytes", failure, "\x05\x00\x80\x80\x80\x80\x80\x20no", BadControl},
		{"CREDIT without a number", credit, "", BadControl},
		{"CREDIT of 0", credit, "\x00", BadControl},
		{"CREDIT in a long form", credit, "\x80\x00", BadControl},
		{"CREDIT and more", credit, "\x01\x01", BadControl},
		{"CREDIT of 2^31", credit, "\x80\x80\x80\x80\x08", CreditOverflow},
		{"CREDIT of 2^62", credit, "\x80\x80\x80\x80\x80\x80\x80\x80\x40", CreditOverflow},
		{"CREDIT beyond 64 bits", credit, strings.Repeat("\x80", 9) + "\x02", BadControl},
		{"empty GOAWAY", goaway, "", BadControl},
		{"GOAWAY without a code", goaway, "\x05", BadControl},
		{"GOAWAY without a time", goaway, "\x05\x00", BadControl},
		{"last stream 2^31", goaway, "\x80\x80\x80\x80\x08\x00\x00", BadControl},
		{"last stream in a long form", goaway, "\x81\x00\x00\x00", BadControl},
		{"time of 2^31 ms", goaway, "\x05\x00\x80\x80\x80\x80\x08", BadControl},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantBreach(t, tt.parse([]byte(tt.bytes)), tt.reason) })
	}
}

func drawFailure(rt *rapid.T) *Error {
	e := &Error{
		Code:       Code(rapid.IntRange(1, 16).Draw(rt, "code")),
		Message:    rapid.StringN(0, -1, maxFailureText).Draw(rt, "message"),
		RetryAfter: time.Duration(rapid.IntRange(0, maxNumber).Draw(rt, "ms")) * time.Millisecond,
	}
	if rapid.Bool().Draw(rt, "details") {
		b, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.Int()).Draw(rt, "object"))
		if err != nil {
			rt.Fatal(err)
		}
		e.Details = b
	}
	return e
}

func TestFailureRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawFailure(rt)
		if got, err := ParseFailure(AppendFailure(nil, want)); err != nil || !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestFailureOfStrangers(t *testing.T) {
	for _, b := range []string{"\x00", "\x11", "\xff\x00\x00"} {
		if e, err := ParseFailure([]byte(b)); err != nil || e.Code != UnknownError || e.Message != "" {
			t.Errorf("%x: got %+v, %v; want the code unknown", b, e, err)
		}
	}
	if e, err := ParseFailure([]byte("\x05\x00\x02a\xff{oops")); err != nil || e.Message != "a\uFFFD" || e.Details != nil {
		t.Errorf("got %+v, %v; want mended text and no details", e, err)
	}
	payload := []byte("\x05\x00\x00{}")
	e, err := ParseFailure(payload)
	if clear(payload); err != nil || string(e.Details) != "{}" {
		t.Errorf("details %q share the decoder's memory, %v", e.Details, err)
	}
}

// Whatever an error holds, its frame can be sent.
func TestFailureFitsAFrame(t *testing.T) {
	big := json.RawMessage(`"` + strings.Repeat("d", MaxFrame) + `"`)
	text := strings.Repeat("é", MaxFrame)
	b := AppendFailure([]byte("before"), &Error{Code: Internal, Message: text, Details: big})
	e, err := ParseFailure(b[len("before"):])
	if err != nil || len(b) > MaxFrame || e.Details != nil || e.Message != text[:maxFailureText] {
		t.Errorf("%d bytes, %d of text, %d of details, %v", len(b), len(e.Message), len(e.Details), err)
	}
	fits := big[:MaxFrame-3]
	fits[len(fits)-1] = '"'
	if b := AppendFailure(nil, &Error{Code: Internal, Details: fits}); len(b) != MaxFrame {
		t.Errorf("details that just fit: %d bytes, want %d", len(b), MaxFrame)
	}
	if got := AppendFailure(nil, &Error{Details: json.RawMessage("{oops")}); !bytes.Equal(got, []byte{byte(UnknownError)}) {
		t.Errorf("no code and broken details: got %x", got)
	}
}

func TestGoAwayRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := Farewell{
			Last: rapid.Uint32Range(0, MaxStreamID).Draw(rt, "last"),
			Code: Code(rapid.IntRange(0, 16).Draw(rt, "code")),
			Left: time.Duration(rapid.IntRange(0, maxNumber).Draw(rt, "ms")) * time.Millisecond,
			Text: rapid.StringN(0, -1, maxFarewellText).Draw(rt, "text"),
		}
		if got, err := ParseGoAway(AppendGoAway(nil, &want)); err != nil || got != want {
			rt.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestCreditRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.IntRange(1, maxNumber).Draw(rt, "credit")
		if got, err := ParseCredit(AppendCredit(nil, want)); err != nil || got != want {
			rt.Fatalf("got %d, %v; want %d", got, err, want)
		}
	})
}

func FuzzFailure(f *testing.F) {
	for _, name := range []string{"error", "error-details", "error-refused", "cancel"} {
		f.Add(goldens2(f)[name][3:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxFrame {
			return
		}
		e, err := ParseFailure(b)
		if err != nil {
			return
		}
		if e.Code == OK || e.Code > Unauthenticated || e.RetryAfter < 0 {
			t.Fatalf("%x reads as %+v", b, e)
		}
		again, err := ParseFailure(AppendFailure(nil, e))
		if err != nil || again.Code != e.Code || again.RetryAfter != e.RetryAfter {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
		if len(e.Message) <= maxFailureText && (again.Message != e.Message || !bytes.Equal(again.Details, e.Details)) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}

func FuzzGoAway(f *testing.F) {
	for _, name := range []string{"goaway", "goaway-text"} {
		f.Add(goldens2(f)[name][3:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGoAway(b)
		if err != nil {
			return
		}
		if g.Last > MaxStreamID || g.Left < 0 || g.Code > Unauthenticated {
			t.Fatalf("%x reads as %+v", b, g)
		}
		again, err := ParseGoAway(AppendGoAway(nil, &g))
		if len(g.Text) > maxFarewellText {
			g.Text = cutText(g.Text, maxFarewellText)
		}
		if err != nil || again != g {
			t.Fatalf("%+v became %+v, %v", g, again, err)
		}
	})
}
