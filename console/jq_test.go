package console

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

func joined(values []json.RawMessage) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, " ")
}

func TestFilter(t *testing.T) {
	for _, tt := range []struct{ filter, input, want string }{
		{"", `{"a":1}`, `{"a":1}`},
		{".a", `{"a":9223372036854775807}`, "9223372036854775807"},
		{".a + 1", `{"a":9223372036854775807}`, "9223372036854775808"},
		{".[] | select(. > 9007199254740993)", "[9007199254740993,9007199254740994]", "9007199254740994"},
		{".", "1.10", "1.10"},
		{".", "", "null"},
		{`"\(.n) of 中文"`, `{"n":3}`, `"3 of 中文"`},
		{`"a $128 \("$last") # no"`, "0", `"a $128 $last # no"`},
		{". # $nothing", "1", "1"},
		{`"\("\(1 + (2))")" | . , "$99"`, "0", `"3" "$99"`},
		{"$ENV | length, (env | length)", "0", "0 0"},
		{"halt", "1", ""},
		{"1, halt, 2", "1", "1"},
		{"[limit(3; repeat(1))]", "0", "[1,1,1]"},
	} {
		f, err := CompileFilter(tt.filter)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
			continue
		}
		values, err := f.Run(t.Context(), []byte(tt.input))
		if got := joined(values); got != tt.want || err != nil {
			t.Errorf("%s of %s = %s, %v; want %s", tt.filter, tt.input, got, err, tt.want)
		}
		if f.String() != tt.filter {
			t.Errorf("%q is written %q", tt.filter, f)
		}
	}
}

// What is wrong has its place in what was typed, also behind references, whose names are longer inside.
func TestFilterIsWrong(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "call fib 10")
	for _, tt := range []struct {
		filter, message string
		at              int
	}{
		{".[", "not complete", 2},
		{".a | ]", "unexpected token", 5},
		{`."`, "unterminated", 2},
		{".a | nope", "no nope", 5},
		{".nope | nope", "no nope", 8},
		{"$1 + $1 | ]", "unexpected token", 10},
		{`"\($1)" | $1 | ]`, "unexpected token", 15},
		{"$last + $foo", "no reply is called $foo", 8},
		{"$2", "there is no #2 yet", 0},
		{"input", "no further input", 0},
		{`import "a" as a; .`, "cannot load", 0},
		{`include "/etc/passwd"; .`, "cannot load", 0},
		{"debug", "no debug", 0},
		{"input_filename", "no input_filename", 0},
	} {
		_, err := s.CompileFilter(tt.filter)
		e, _ := errors.AsType[*Error](err)
		switch {
		case tt.at < 0 && err == nil:
		case e == nil || !strings.Contains(e.Message, tt.message) || e.At != tt.at || e.Exit != ExitUsage || e.Line != tt.filter:
			t.Errorf("%s: %+v; want %q at %d", tt.filter, e, tt.message, tt.at)
		}
	}
	if _, err := CompileFilter(". + $last"); err == nil || explain(err).At != 4 {
		t.Errorf("a reference without a session: %+v", err)
	}
}

// However a program behaves, it ends soon, and the process with its memory survives it.
func TestFilterIsBounded(t *testing.T) {
	for _, tt := range []struct{ filter, why string }{
		{"range(1e9)", "1 000 values"},
		{`range(900) | "x" * 2000`, "1.0 MiB"},
		{"def f: f; f", "too long"},
		{"def f: 1 + f; f", "too long"},
		{"reduce range(1e9) as $i (.; [.]) | tojson", "too long"},
		{"[range(1e9)]", "too long"},
		{"reduce range(60) as $i (\"xxxxxxxx\"; . + .)", "memory"},
		{"reduce range(20000) as $i (.; [.])", "nested"},
		{"error(\"\\u001b[31m\")", "failed"},
		{"halt_error", "failed"},
		{`"{" | fromjson`, "failed"},
	} {
		f, err := CompileFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), LiveFilter)
		start := time.Now()
		values, err := f.Run(ctx, []byte(`"0"`))
		cancel()
		if took := time.Since(start); took > 20*LiveFilter {
			t.Errorf("%s took %v", tt.filter, took)
		}
		if err == nil || !strings.Contains(err.Error(), tt.why) && !strings.Contains(err.Error(), "too long") || len(values) > filterValues {
			t.Errorf("%s: %d values, %v; want %s", tt.filter, len(values), err, tt.why)
		}
	}
	f, _ := CompileFilter(".")
	if _, err := f.Run(t.Context(), []byte("{oops")); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("of no JSON: %v", err)
	}
	if _, err := f.Run(t.Context(), []byte("1 2")); err == nil {
		t.Error("two values are no input")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Run(ctx, []byte("1")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{".a", `"\($1)"`, "$last | .[", `"\("\(1)")"`, "# $1\n.", "$call.x", `"\`, "(\"\\(", "$1$2", `. as [$a] | $a`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		filter, err := compileFilter(text)
		if err != nil {
			if e := explain(err); e.At < 0 || e.At > len(text) || e.Line != text {
				t.Errorf("%q: at %d", text, e.At)
			}
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		values, err := filter.Run(ctx, []byte(`{"a":[1,2,{"b":null}]}`))
		for _, v := range values {
			if !json.Valid(v) {
				t.Errorf("%q gives %q", text, v)
			}
		}
		if err != nil && explain(err).Message == "" {
			t.Errorf("%q fails without a word", text)
		}
	})
}

// The live hint and completion of a line with a filter.
func TestFilterWhileTyped(t *testing.T) {
	s := connected(t)
	mustExec(t, s, `call exp {"base":2,"exp":10}`, `call echo {"items":[{"n":1,"a b":2}],"中":3}`)
	for _, tt := range []struct {
		line  string
		state HintState
		at    int
	}{
		{"call fib 10 | .value", HintGood, 0},
		{"call fib 10 |", HintNone, 0},
		{"call fib 10 | ", HintNone, 0},
		{"call fib 10 | .[", HintNone, 0},
		{"call fib 10 | ] ", HintBad, 14},
		{"call fib {oops | .", HintBad, 10},
		{"history | nope | .", HintBad, 10},
		{"cast log 1 | .", HintBad, 11},
		{"expect .value >", HintNone, 0},
		{"expect .value > 1", HintGood, 0},
		{"expect ]", HintBad, 7},
		{"expect $99 .", HintNone, 0},
		{"history slow 1ms", HintGood, 0},
		{"history slow 1x ", HintBad, 13},
	} {
		if h := s.Check(tt.line); h.State != tt.state || tt.state == HintBad && h.At != tt.at {
			t.Errorf("Check(%q) = %+v; want %v at %d", tt.line, h, tt.state, tt.at)
		}
	}
	for _, tt := range []struct{ line, want string }{
		{"call exp 1 | .", "13 .value .costInNanos"},
		{"call exp 1 | .v", "13 .value"},
		{"call exp 1 | [.c", "14 .costInNanos"},
		{"call exp 1 | ([.c", "15 .costInNanos"},
		{"call echo 1 | .", `14 .items[] ."中"`},
		{"call echo 1 | .items[].", `14 .items[].n .items[]."a b"`},
		{"rerun 1 | .v", "10 .value"},
		{"expect .it", "7 .items[]"},
		{"expect .items[0].n", "7 "},
		{"expect $1.v", "8 "},
	} {
		c := s.Complete(tt.line, len(tt.line))
		got := []string{}
		for _, o := range c.Offers {
			got = append(got, o.Text)
		}
		if have := strings.Join(append([]string{strconv.Itoa(c.From)}, got...), " "); have != strings.TrimSpace(tt.want) {
			t.Errorf("Complete(%q) = %s; want %s", tt.line, have, tt.want)
		}
	}
	for line, want := range map[string]bool{"call exp {": true, "call exp {} | {": false, "call exp {} | [": false, "expect {": false, `call echo {"a": | `: false} {
		if got := Incomplete(line); got != want {
			t.Errorf("Incomplete(%q) = %v", line, got)
		}
	}
}
