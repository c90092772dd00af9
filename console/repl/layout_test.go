package repl

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestFlow(t *testing.T) {
	tests := []struct {
		name, prompt, line string
		pos, width         int
		caret, end         place
	}{
		{"empty", "> ", "", 0, 10, place{0, 2}, place{0, 2}},
		{"in the middle", "> ", "abc", 1, 10, place{0, 3}, place{0, 5}},
		{"at the end", "> ", "abc", 3, 10, place{0, 5}, place{0, 5}},
		{"Chinese is two cells wide", "> ", "二的十", 1, 10, place{0, 4}, place{0, 8}},
		{"full-width punctuation", "> ", "，。", 2, 10, place{0, 6}, place{0, 6}},
		{"emoji", "> ", "🙂x", 1, 10, place{0, 4}, place{0, 5}},
		{"a family is one cluster", "> ", "👨‍👩‍👧x", 5, 10, place{0, 4}, place{0, 5}},
		{"inside a cluster", "> ", "👨‍👩‍👧x", 3, 10, place{0, 2}, place{0, 5}},
		{"combining mark", "> ", "e\u0301x", 2, 10, place{0, 3}, place{0, 4}},
		{"a full row", "> ", "12345678", 8, 10, place{1, 0}, place{0, 10}},
		{"before the edge", "> ", "12345678", 7, 10, place{0, 9}, place{0, 10}},
		{"second row", "> ", "123456789", 9, 10, place{1, 1}, place{1, 1}},
		{"a wide character does not fit at the edge", "> ", "1234567二x", 7, 10, place{1, 0}, place{1, 3}},
		{"caret after it", "> ", "1234567二x", 8, 10, place{1, 2}, place{1, 3}},
		{"three rows", "", strings.Repeat("二", 11), 11, 10, place{2, 2}, place{2, 2}},
		{"a prompt longer than a row", "0123456789ab", "x", 1, 10, place{1, 3}, place{1, 3}},
		{"an escape is shown", "> ", "a\u202eb", 2, 20, place{0, 9}, place{0, 10}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			caret, end := flow(test.prompt, test.line, test.pos, test.width)
			if caret != test.caret || end != test.end {
				t.Errorf("flow(%q, %q, %d, %d) = caret %v, end %v, want %v, %v",
					test.prompt, test.line, test.pos, test.width, caret, end, test.caret, test.end)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	line := []rune(strings.Repeat("0123456789", 15) + strings.Repeat("二的", 40))
	for pos := 0; pos <= len(line); pos++ {
		for _, cells := range []int{10, 57, 200} {
			shown, at := window(line, pos, cells)
			if w := ansi.StringWidth(string(shown)); w > cells {
				t.Fatalf("window(%d, %d) is %d cells wide", pos, cells, w)
			}
			if at < 0 || at > len(shown) {
				t.Fatalf("window(%d, %d): caret %d of %d", pos, cells, at, len(shown))
			}
			if pos < len(line) && shown[at] != line[pos] {
				t.Fatalf("window(%d, %d): the caret is before %q, want %q", pos, cells, shown[at], line[pos])
			}
			if (shown[0] == '…') != (string(shown[:1]) != string(line[:1])) {
				t.Fatalf("window(%d, %d) starts with %q", pos, cells, shown[0])
			}
		}
	}
	if shown, at := window([]rune("short"), 3, 10); string(shown) != "short" || at != 3 {
		t.Errorf("a line that fits becomes %q, %d", string(shown), at)
	}
}
