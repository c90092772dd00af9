package console

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 ns"},
		{850, "850 ns"},
		{999, "999 ns"},
		{1000, "1.00 µs"},
		{9994, "9.99 µs"},
		{9996, "10.0 µs"},
		{18 * time.Microsecond, "18.0 µs"},
		{99_960, "100 µs"},
		{398 * time.Microsecond, "398 µs"},
		{999_400, "999 µs"},
		{999_500, "1.00 ms"},
		{1020 * time.Microsecond, "1.02 ms"},
		{18600 * time.Microsecond, "18.6 ms"},
		{3010 * time.Millisecond, "3.01 s"},
		{75 * time.Second, "75.0 s"},
		{150 * time.Second, "150 s"},
		{999_600 * time.Millisecond, "17 min"},
		{99*time.Minute + 31*time.Second, "2 h"},
		{1000 * time.Hour, "42 d"},
		{-14 * time.Microsecond, "-14.0 µs"},
	} {
		if got := Duration(c.d, false); got != c.want {
			t.Errorf("Duration(%v) = %q, want %q", c.d, got, c.want)
		}
	}
	if got, want := Duration(398*time.Microsecond, true), "398 us"; got != want {
		t.Errorf("ASCII: %q, want %q", got, want)
	}
	for d := time.Duration(1); d < 900*24*time.Hour; d = d*21/20 + 1 {
		if got := Duration(d, false); ansi.StringWidth(got) > 7 {
			t.Fatalf("Duration(%d) = %q is wider than 7", d, got)
		}
	}
	_ = Duration(math.MinInt64, false)
}

func TestBytesAndCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 70: "70 B", 1023: "1023 B", 1024: "1.0 KiB", 1434: "1.4 KiB", 10 << 10: "10 KiB", 1<<20 - 1: "1.0 MiB", 16 << 20: "16 MiB", 5 << 30: "5.0 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 124113: "124 113", -1234567: "-1 234 567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	us := time.Microsecond
	for _, c := range []struct {
		client, server, rtt time.Duration
		has                 bool
		want                string
	}{
		{21 * us, 28113, 398 * us, true, "398 µs  client 21 µs  network 349 µs  server 28 µs"},
		{21 * us, 0, 398 * us, false, "398 µs  client 21 µs  wait 377 µs"},
		{21 * us, 0, 398 * us, true, "398 µs  client 21 µs  network 377 µs  server 0 ns"},
		{21_400, 28_600, 1_023_000, true, "1.02 ms  client 21 µs  network 970 µs  server 29 µs"},
		{500 * us, 0, 600 * us, false, "600 µs  client 500 µs  wait 100 µs"},
		{0, 0, 3010 * time.Millisecond, false, "3.01 s  client 0 ns  wait 3.01 s"},
		{1, 5 * us, 2 * us, true, "2.00 µs  client 1 ns  wait 2 µs"},
	} {
		e := Entry{State: OK, Server: c.server, HasServer: c.has, Trace: Trace{RTT: c.rtt, Client: c.client, Wait: c.rtt - c.client}}
		if got := timeText(&e, false); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 二, é, 👩‍💻":  "plain, 二, é, 👩‍💻",
		"a\x1b[2Jb":         `a\x1b[2Jb`,
		"a\nb\tc\r":         `a\nb\tc\r`,
		"\x00\x7f":          `\x00\x7f`,
		"\u009b31m":         `\u009b31m`,
		"\u202eabc\u2066":   `\u202eabc\u2066`,
		"\u2028\ufeff":      `\u2028\ufeff`,
		"\xff\xc3":          `\xff\xc3`,
		"\U000e0041":        `\U000e0041`,
		"\ufffd is a rune":  "\ufffd is a rune",
		`\x1b is only text`: `\x1b is only text`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`{ "a" : 1,` + "\n" + ` "b":9223372036854775807}`: `{"a":1,"b":9223372036854775807}`,
		"\"\u009b\u202e\x7f\"":                            `"\u009b\u202e\u007f"`,
		"\"\U000e0041\"":                                  `"\udb40\udc41"`,
		"\"\xff\"":                                        `"\ufffd"`,
		"{oops\x1b":                                       `{oops\x1b`,
		"":                                                "",
	} {
		if got := PrintableJSON([]byte(in)); got != want {
			t.Errorf("PrintableJSON(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff")
	f.Add("{\"a\":\"\u009b\"}")
	f.Fuzz(func(t *testing.T, in string) {
		if out := Printable(in); !clean(out) || !utf8.ValidString(out) {
			t.Fatalf("Printable(%q) = %q", in, out)
		}
		out := PrintableJSON([]byte(in))
		if !clean(out) {
			t.Fatalf("PrintableJSON(%q) = %q", in, out)
		}
		if !json.Valid([]byte(in)) {
			return
		}
		var a, b any
		errA, errB := json.Unmarshal([]byte(in), &a), json.Unmarshal([]byte(out), &b)
		if ja, _ := json.Marshal(a); errA == nil {
			if jb, _ := json.Marshal(b); errB != nil || string(ja) != string(jb) {
				t.Fatalf("PrintableJSON(%q) = %q: other JSON, %v", in, out, errB)
			}
		}
	})
}

func TestCaret(t *testing.T) {
	long := `call echo "` + strings.Repeat("x", 200) + `"`
	for _, c := range []struct {
		line string
		at   int
		want string
	}{
		{"", 0, ""},
		{"call x", 5, "  call x\n       ^"},
		{"call x", 99, "  call x\n        ^"},
		{"call\t{注}x", 9, "  call {注}x\n          ^"},
		{"call {\n  \"注\" oops\n}", 15, "    \"注\" oops\n         ^"},
		{"a\x1bb", 2, "  a\\x1bb\n       ^"},
		{"call echo {\n  \"注\":1\n\n\n", 26, "    \"注\":1\n          ^"},
		{"call ", 5, "  call \n       ^"},
		{long + "z", len(long), "  ..." + strings.Repeat("x", 44) + "\"z\n  " + strings.Repeat(" ", 48) + "^"},
		{long, 11, "  call echo \"" + strings.Repeat("x", 58) + "...\n  " + strings.Repeat(" ", 11) + "^"},
	} {
		if got := (&Error{Line: c.line, At: c.at}).Caret(); got != c.want {
			t.Errorf("caret of %q at %d:\n%s\nwant\n%s", c.line, c.at, got, c.want)
		}
	}
}

// What takes no cell or lies deep is bounded, too.
func TestShorten(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                             "plain",
		"二的十六次方":                            "二的十...",
		"e" + strings.Repeat("\u0301", 999): "e" + strings.Repeat("\u0301", 79) + "...",
	} {
		if got := shorten(in, 10); got != want {
			t.Errorf("shorten(%.20q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`{"a": [1, 2]}`: `{"a":[1,2]}`,
		`["` + strings.Repeat("x", 4090) + "\",\n\"\x1b\u202e二" + strings.Repeat("二", 2000) + `"]`: `["xxxxxxx...`,
		strings.Repeat(" ", 4000) + "[1,\n\t2" + strings.Repeat(" ", 4000) + "]":                   "[1, 2",
		strings.Repeat(" ", 4000) + "\"\u009b31m" + strings.Repeat("二", 2000) + `"`:                `"\u009b31m...`[:9] + "...",
	} {
		if got := glimpse([]byte(in), 12); got != want {
			t.Errorf("glimpse(%.20q) = %q, want %q", in, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"call exp {\n  \"a  b\": 1,\r\n}\n\n": `call exp { "a  b": 1, }`,
		"call\tfib\t10":                       "call fib 10",
		"\n \r\n":                             "",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}
