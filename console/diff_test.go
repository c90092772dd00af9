package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func diffText(a, b Entry) string {
	var lines []string
	for _, l := range DiffEntries(a, b) {
		lines = append(lines, l.String())
	}
	return strings.Join(lines, "\n")
}

func replied(n int, payload, result string) Entry {
	return Entry{Number: n, Type: "exp", Payload: json.RawMessage(payload), State: OK, ReplyType: "exp_res", Result: json.RawMessage(result)}
}

func TestDiffEntries(t *testing.T) {
	list := func(changed int) string {
		var items []string
		for i := range 20 {
			if i == changed {
				i = 99
			}
			items = append(items, fmt.Sprint(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	failed := Entry{Number: 2, Type: "exp", Payload: json.RawMessage("1"), State: Failed, Err: &Error{Exit: ExitServer, Code: "not_found", Message: "no\x1b"}}
	for _, tt := range []struct {
		name string
		a, b Entry
		want string
	}{
		{"equal", replied(1, "1", "2"), replied(2, "1", " 2 "), "reply equal"},
		{"a field", replied(1, "1", `{"value":1,"n":2,"中":3}`), replied(2, "1", `{"value":1,"n":3,"中":3}`),
			"reply\n  exp_res\n  {\n    \"value\": 1,\n-   \"n\": 2,\n+   \"n\": 3,\n    \"中\": 3\n  }"},
		{"context", replied(1, "1", list(-1)), replied(2, "1", list(10)),
			"reply\n  ... 9 equal lines\n    7,\n    8,\n    9,\n-   10,\n+   99,\n    11,\n    12,\n    13,\n  ... 7 equal lines"},
		{"payloads", replied(1, "1", "2"), replied(2, "3", "2"), "request\n  call exp\n- 1\n+ 3\nreply equal"},
		{"states", replied(1, "1", "2"), failed, "state\n- ok\n+ unknown\n+ no\\x1b\nreply\n- exp_res\n- 2"},
		{"both ways", failed, replied(1, "1", "2"), "state\n- unknown\n- no\\x1b\n+ ok\nreply\n+ exp_res\n+ 2"},
		{"escapes", replied(1, "1", "\"\u202e\""), replied(2, "1", `"x"`), "reply\n  exp_res\n- \"\\u202e\"\n+ \"x\""},
	} {
		if tt.b.Err != nil {
			tt.b.Err = explain(tt.b.Err)
		}
		if tt.a.Err != nil {
			tt.a.Err = explain(tt.a.Err)
		}
		if got := diffText(tt.a, tt.b); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// Replies of 30 000 lines, all of them different, are compared in a moment.
func TestDiffOfMuch(t *testing.T) {
	var a, b []string
	for i := range 30_000 {
		a, b = append(a, fmt.Sprintf(`"%06d"`, i)), append(b, fmt.Sprintf(`"%06d"`, 7*i%30_011))
	}
	start := time.Now()
	lines := DiffEntries(replied(1, "1", "["+strings.Join(a, ",")+"]"), replied(2, "1", "["+strings.Join(b, ",")+"]"))
	if took := time.Since(start); len(lines) > diffLines+10 || took > 20*time.Second {
		t.Errorf("%d lines in %v", len(lines), took)
	}
	large := `"` + strings.Repeat("x", diffMost) + `"`
	if got := diffText(replied(1, "1", large), replied(2, "1", `"y"`)); !strings.HasPrefix(got, "reply, compared up to 2.0 MiB\n") {
		t.Errorf("%.100s", got)
	}
}
