package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestCallFilter(t *testing.T) {
	entries := []Entry{
		{Number: 1, Type: "fib", Payload: json.RawMessage("10"), State: OK, ReplyType: "fib_res", Result: json.RawMessage("89"), Trace: Trace{RTT: 2 * time.Millisecond}},
		{Number: 2, Type: "exp", Payload: json.RawMessage(`{"note":"二的 Power"}`), State: Failed, Err: &Error{Exit: ExitDeadline, Message: "No reply within 5s"}, Trace: Trace{RTT: 5 * time.Second}},
		{Number: 3, Type: "log", Kind: KindCast, State: Sent, Trace: Trace{RTT: 20 * time.Microsecond}},
		{Number: 4, Type: "slow", State: Running},
		{Number: 5, Type: "exp", Payload: json.RawMessage(strings.Repeat(" ", searched) + "7"), State: OK, Trace: Trace{RTT: 10 * time.Millisecond}},
	}
	for _, tt := range []struct{ text, want, canonical string }{
		{"", "1 2 3 4 5", ""},
		{"failed", "2", "failed"},
		{"running", "4", "running"},
		{"slow 10ms", "2 5", "slow 10ms"},
		{"  slow   10ms  EXP ", "2 5", "slow 10ms exp"},
		{"slow 10ms failed", "2", "failed slow 10ms"},
		{"slow", "4", "slow"},
		{"slow exp", "", "slow exp"},
		{"EXP", "2 5", "exp"},
		{`"failed"`, "", `"failed"`},
		{`"no reply"`, "2", `"no reply"`},
		{"timeout", "2", "timeout"},
		{"二的", "2", "二的"},
		{"power note", "2", "power note"},
		{"cast", "3", "cast"},
		{"#2", "2", "#2"},
		{"89", "1", "89"},
		{"7", "", "7"}, // it stands too far in
		{"fib exp", "", "fib exp"},
	} {
		f, err := ParseCallFilter(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		var got []string
		for i := range entries {
			if f.Match(&entries[i]) {
				got = append(got, string(rune('0'+entries[i].Number)))
			}
		}
		if have := strings.Join(got, " "); have != tt.want || f.String() != tt.canonical || f.All() != (tt.text == "") {
			t.Errorf("%q takes %s as %q; want %s as %q", tt.text, have, f, tt.want, tt.canonical)
		}
		if again, err := ParseCallFilter(f.String()); err != nil || again.String() != f.String() {
			t.Errorf("%q reads back as %q, %v", f, again, err)
		}
	}
	for text, at := range map[string]int{"slow 1xs": 5, "failed slow 10": 12} {
		if _, err := ParseCallFilter(text); err == nil || explain(err).At != at || explain(err).Line != text {
			t.Errorf("%q: %+v", text, err)
		}
	}
}
