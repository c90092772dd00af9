package console

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// gatherSlowly is what Gather has to find, asked line by line.
func gatherSlowly(before string, lines []string) (n int, whole bool) {
	for k := range lines {
		if !Incomplete(before + strings.Join(lines[:k+1], " ")) {
			return k + 1, true
		}
	}
	return len(lines), false
}

func TestGather(t *testing.T) {
	piece := rapid.SampledFrom([]string{"call echo [", "{", "}", "]", "1,", `"a":`, `"b c",`, "2", "call fib 10", "rpc x {", "a:int", `"open`, "fib", "--", "| .x", "", " [", `\"`})
	line := rapid.Custom(func(r *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 1, 3).Draw(r, "pieces"), "")
	})
	rapid.Check(t, func(r *rapid.T) {
		before := rapid.SampledFrom([]string{"", "call echo ", "call echo [1, "}).Draw(r, "before")
		lines := append([]string{rapid.SampledFrom([]string{"call echo [", "call exp {", "1", "rpc t {"}).Draw(r, "first")}, rapid.SliceOfN(line, 0, 12).Draw(r, "lines")...)
		n, whole := Gather(before, lines)
		if m, all := gatherSlowly(before, lines); n != m || whole != all {
			r.Fatalf("%q and %q: got %d, %v, want %d, %v", before, lines, n, whole, m, all)
		}
	})
}

// What goes wrong in a long payload of a script ends there; what was read ahead belongs to the commands behind it.
func TestScriptLinesReadAhead(t *testing.T) {
	text := "call echo [\n" + strings.Repeat("1,\n", 700) + "oops\n" + strings.Repeat("2,\n", 500) + "call fib 10\n"
	l := &scriptLines{r: bufio.NewReader(strings.NewReader(text)), open: Incomplete, what: "command"}
	first, at, err := l.command()
	if err != nil || at != 1 || !strings.HasSuffix(first, "1,\noops") {
		t.Fatalf("got %d bytes at line %d that end in %q, %v", len(first), at, first[max(len(first)-10, 0):], err)
	}
	n, last := 0, ""
	for {
		command, line, err := l.command()
		if err == io.EOF {
			break
		}
		if n++; err != nil || line != 702+n {
			t.Fatalf("%q at line %d, %v, want line %d", command, line, err, 702+n)
		}
		last = command
	}
	if n != 501 || last != "call fib 10" {
		t.Errorf("%d commands behind it, the last is %q", n, last)
	}
}

// A payload of many lines is asked about a few times, not once a line.
func BenchmarkGather(b *testing.B) {
	lines := strings.Split("call echo ["+strings.Repeat("1,\n", 20_000)+"1]", "\n")
	for b.Loop() {
		Gather("", lines)
	}
}
