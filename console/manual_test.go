package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/shape"
)

// What -o json prints is what docs/COMMANDS.md says.
func TestOutputShapes(t *testing.T) {
	s := taught(t)
	var out bytes.Buffer
	p := &Printer{Out: &out, Err: &bytes.Buffer{}, Format: FormatJSON}
	shapes := map[string]string{}
	for line, expr := range otherShapes {
		shapes[strings.TrimSuffix(line, " T")+map[bool]string{true: " exp"}[strings.HasSuffix(line, " T")]] = expr
	}
	for _, line := range []string{"call fib 10", `call exp {"base":2,"exp":10}`, "cast log 1", "call nope", "call busy", "call bad", "call lost", "call hang --timeout 1ms",
		"call evil", "call fib {oops", "call exp {}", "show 1"} {
		shapes[line] = callShape
	}
	for _, line := range []string{"nonsense", "call", "set timeout x", "connect closed:1", "call panic"} {
		shapes[line] = errorShape
	}
	shapes["history"] = "[]" + callShape
	for line, expr := range shapes {
		out.Reset()
		r, err := s.Exec(t.Context(), line)
		if err := p.Print(r, err); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != 1 {
			t.Errorf("%s: %d lines:\n%s", line, got, out.String())
		}
		sh, err := shape.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if m := sh.Check(out.Bytes()); m != nil {
			t.Errorf("%s: %s at byte %d of\n%s", line, m.Text, m.At, out.String())
		}
		var v any
		if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if schema, err := sh.Schema().Resolve(nil); err != nil || schema.Validate(v) != nil {
			t.Errorf("%s: schema %v", line, err)
		}
	}
}

// docs/COMMANDS.md is made of the command table.
func TestManual(t *testing.T) {
	const file = "../docs/COMMANDS.md"
	got := Manual()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("docs/COMMANDS.md is not what the table says (%v): go test ./console -run Manual -update", err)
	}
	for _, c := range builtin() {
		for _, text := range append([]string{c.help, c.usage(), c.long}, c.examples...) {
			if !strings.Contains(got, text) && !strings.Contains(got, text[1:]) {
				t.Errorf("%s: %q is not in the manual", c.name, text)
			}
		}
	}
}

// The examples of the manual are what the console prints, in the order of the manual.
func TestManualExamples(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "rpc exp {base:int,exp:int}", "rpc exp_res {value:int64,costInNanos:int64} --of exp --server-time .costInNanos")
	for _, k := range jsonKinds {
		for _, x := range k.examples {
			var out bytes.Buffer
			r, err := s.Exec(t.Context(), x.line)
			if err := (&Printer{Out: &out, Err: &out, Format: FormatJSON}).Print(r, err); err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), `reset\u001b`, "connection reset by peer")
			if got != x.json {
				t.Errorf("%s prints\n%s\nthe manual says\n%s", x.line, got, x.json)
			}
		}
	}
}

// Outside of code, Markdown would take <String> for a tag and two stars for emphasis.
func TestManualIsMarkdown(t *testing.T) {
	text := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`").ReplaceAllString(Manual(), "")
	for line := range strings.Lines(text) {
		if strings.ContainsAny(line, "<>*`_") {
			t.Errorf("%q", line)
		}
	}
}

// Every row can be explained, is found by all its names, and fits a terminal of 80 columns.
func TestTable(t *testing.T) {
	s := NewSession(Config{})
	defer s.Close()
	names := map[string]bool{}
	for _, c := range builtin() {
		for _, n := range append([]string{c.name}, c.aliases...) {
			if names[n] {
				t.Errorf("two commands are called %s", n)
			}
			names[n] = true
			if s.Help(n) == "" || !strings.HasPrefix(s.Help(n), c.name) {
				t.Errorf("help %s: %q", n, s.Help(n))
			}
		}
		if c.run == nil || c.group == "" || c.help == "" || c.min > c.max {
			t.Errorf("%s: the row is not complete", c.name)
		}
	}
	for _, topic := range append(s.topics(), "", "call", "rpc", "history") {
		for line := range strings.SplitSeq(s.Help(topic), "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("help %s: %d columns: %s", topic, len([]rune(line)), line)
			}
		}
	}
}
