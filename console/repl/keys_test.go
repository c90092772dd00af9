package repl

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// translate reads what keys makes of an input that comes in chunks.
func translate(t *testing.T, p *pastes, chunks ...string) string {
	t.Helper()
	readers := make([]io.Reader, len(chunks))
	for i, c := range chunks {
		readers[i] = strings.NewReader(c)
	}
	got, err := io.ReadAll(newKeys(io.MultiReader(readers...), p))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestKeys(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"text", "call fib 10\r", "call fib 10\r"},
		{"Chinese", "二的十\r", "二的十\r"},
		{"arrows", "\x1b[A\x1b[B\x1b[C\x1b[D", "\x1b[A\x1b[B\x1b[C\x1b[D"},
		{"arrows in application mode", "\x1bOA\x1bOD", "\x1b[A\x1b[D"},
		{"home and end in three dialects", "\x1b[H\x1b[1~\x1b[7~\x1b[F\x1b[4~\x1b[8~", "\x1b[H\x01\x01\x1b[F\x05\x05"},
		{"delete is not ctrl+d", "\x1b[3~", string(keyDelete)},
		{"help in three dialects", "\x1bOP\x1b[11~\x1b[[A", strings.Repeat(string(keyHelp), 3)},
		{"by words", "\x1b[1;5D\x1b[1;5C\x1bb\x1bf", "\x1bb\x1bf\x1bb\x1bf"},
		{"keys without a meaning here", "a\x1b[5~\x1b[15~\x1b[Z\x1b[1;2P\x1b1\x1bOSb", "ab"},
		{"late answers of a terminal", "a\x1b]11;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:1/2/3\x07\x1b[12;40R\x1bP1$r0m\x1b\\\x1b[?62;c\x1b[Ib", "ab"},
		{"editor", "abc\x18\x05", "abc" + string(keyEdit) + "\r"},
		{"ctrl+x and something else", "\x18a\x05", "a\x05"},
		{"NUL", "a\x00b", "ab"},
		{"esc, enter", "\x1b\r", "\r"},
		{"esc, esc, arrow", "\x1b\x1b[A", "\x1b[A"},
		{"a short paste", "\x1b[200~fib\t10\x1b[201~", "fib 10"},
		{"a paste with a newline at its end", "\x1b[200~call fib 10\r\x1b[201~", "call fib 10"},
		{"control characters in a paste", "\x1b[200~a\x03\x04\x1b[A\x7fb\x1b[201~", "a[Ab"},
		{"keys after a paste", "\x1b[200~x\x1b[201~\r", "x\r"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := translate(t, newPastes(), test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			bytewise, err := io.ReadAll(newKeys(iotest.OneByteReader(strings.NewReader(test.in)), newPastes()))
			if err != nil || string(bytewise) != test.want {
				t.Errorf("byte by byte: got %q, %v, want %q", bytewise, err, test.want)
			}
		})
	}
}

func TestPasteTokens(t *testing.T) {
	p := newPastes()
	lines := strings.Repeat("call fib 1\r", 200)
	long := strings.Repeat("x", 20<<10)
	got := translate(t, p, "a \x1b[200~"+lines+"\x1b[201~", "b \x1b[200~"+long[:100], long[100:]+"\x1b[2", "01~\r")
	if want := "a [paste-1 200 lines]b [paste-2 20 KiB]\r"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	want := "a " + strings.TrimRight(strings.ReplaceAll(lines, "\r", "\n"), "\n") + "b " + long + "\r"
	if text := p.expand(got); text != want {
		t.Errorf("expanded to %d bytes %.50q, want %d bytes", len(text), text, len(want))
	}
	if got, want := p.expand("[paste-9 3 lines]"), "[paste-9 3 lines]"; got != want {
		t.Errorf("a token of no paste becomes %q, want %q", got, want)
	}
}

func TestPastesAreForgotten(t *testing.T) {
	p := newPastes()
	first := p.add("one\ntwo")
	for range pastesKept {
		p.add("more\nlines")
	}
	if got := p.expand(first); got != first {
		t.Errorf("the oldest paste is still there: %q", got)
	}
	if got := len(p.texts); got != pastesKept {
		t.Errorf("%d pastes are kept, want %d", got, pastesKept)
	}
}

func TestMend(t *testing.T) {
	tests := []struct {
		before, after         string
		wantBefore, wantAfter string
	}{
		{"call exp [paste-1 20 KiB", " x", "call exp ", " x"},
		{"二 [paste-12 200 lines", "", "二 ", ""},
		{"[paste-1 20 KiB", "]", "", "]"},
		{"call exp [paste-1 20 KiB]", "", "call exp [paste-1 20 KiB]", ""},
		{"call exp [paste", "", "call exp [paste", ""},
	}
	for _, test := range tests {
		line, pos, _ := mend([]rune(test.before+test.after), len([]rune(test.before)))
		if got, want := string(line[:pos])+"|"+string(line[pos:]), test.wantBefore+"|"+test.wantAfter; got != want {
			t.Errorf("mend(%q) = %q, want %q", test.before+"|"+test.after, got, want)
		}
	}
}

// FuzzKeys: nothing that a terminal sends makes keys panic, pass a NUL or an escape sequence that readline would misread, or
// depend on how the input is cut.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a\x1b[200~b\rc\x1b[201~\x1b[3~\x18\x05"), 3)
	f.Add([]byte("\x1b]11;\x1b\\\x1bO"), 1)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole := translate(t, newPastes(), string(in))
		cut = max(min(cut, len(in)), 0)
		if parts := translate(t, newPastes(), string(in[:cut]), string(in[cut:])); parts != whole && len(in) <= longestAsk {
			t.Errorf("%q cut at %d: %q, want %q", in, cut, parts, whole)
		}
		if strings.ContainsAny(whole, "\x00\x18") {
			t.Errorf("%q becomes %q", in, whole)
		}
	})
}
