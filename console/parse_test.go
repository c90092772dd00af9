package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func TestScan(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "",
		"  # call fib":                       "",
		"call fib 10":                        "call|fib|10",
		"  call\tfib  -1 ":                   "call|fib|-1",
		`call exp {"a b": [1, 2]} --x`:       `call|exp|{"a b": [1, 2]}|--x`,
		`call echo "a \" b" c`:               `call|echo|"a \" b"|c`,
		`call echo {"}": "{ "} x`:            `call|echo|{"}": "{ "}|x`,
		`history it"s me`:                    `history|it"s|me`,
		"rpc x {a:int, b:int}":               "rpc|x|{a:int, b:int}",
		"rpc x struct{A int `json:\"a\"`} y": "rpc|x|struct{A int `json:\"a\"`}|y",
		"call x }{ y":                        "call|x|}{ y<open>",
		`call x "abc`:                        `call|x|"abc<open>`,
		"call x {\n\"a\":1\n}":               "call|x|{\n\"a\":1\n}",
	} {
		var words []string
		for _, w := range scan(line).words {
			if line[w.at:w.end()] != w.text {
				t.Errorf("%q: word %q is not at %d", line, w.text, w.at)
			}
			if w.open {
				w.text += "<open>"
			}
			words = append(words, w.text)
		}
		if got := strings.Join(words, "|"); got != want {
			t.Errorf("scan(%q) = %s, want %s", line, got, want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for line, want := range map[string]bool{
		"call exp {":                true,
		"call exp {\n\"base\":2,":   true,
		"call exp {\n\"base\":2\n}": false,
		"call exp {\"base\":$last,": true,
		`call echo ["}"`:            true,
		"call exp":                  false,
		"call exp {oops":            false,
		"call exp {\"a\":1 \"b\"":   false,
		"call echo \"abc":           false,
		"call echo \"abc\n":         false,
		"rpc exp {base:int,":        true,
		"rpc x struct{\nA int":      true,
		"rpc x struct {":            true,
		"rpc x map[string] {a:":     true,
		"rpc x {a int":              false,
		"rpc x {a:itn,":             false,
		"rpc --of y x {a:int,":      true,
		`history "two words`:        false,
		`history {"base":2`:         false,
		"help [":                    false,
		"{":                         false,
		"# {":                       false,
		"":                          false,
		"call exp {\"a\":$nothing,": false,
		"exp {":                     true,
	} {
		if got := Incomplete(line); got != want {
			t.Errorf("Incomplete(%q) = %v, want %v", line, got, want)
		}
	}
}

// Words that the shell split are taken as they are: a space in one does not make two of it.
func TestExecArgs(t *testing.T) {
	s := connected(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"call", "echo", `{"a": "b c"}`}, `{"a":"b c"}`},
		{[]string{"call", "--timeout", "5s", "echo", `"x y"`}, `"x y"`},
		{[]string{"call", "echo", `"x`, `y"`}, `"x y"`},
		{[]string{"call", "echo", "-1", "--timeout=1s"}, "-1"},
		{[]string{"call", "echo", "--", "-1"}, "-1"},
	} {
		r, err := s.ExecArgs(context.Background(), c.args, Talk{})
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if got := PrintableJSON(r.Entry.Result); got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
	}
	_, err := s.ExecArgs(context.Background(), []string{"call", "echo", "{oops"}, Talk{})
	e, _ := errors.AsType[*Error](err)
	if e == nil || e.Exit != ExitType || e.Caret() != "  call echo {oops\n             ^" {
		t.Errorf("got %v\n%s", err, e.Caret())
	}
	_, err = s.ExecArgs(context.Background(), []string{"call", "echo", ""}, Talk{}) // call echo "$UNSET"
	if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitType || e.Message != "the payload is empty" {
		t.Errorf("an empty word: %v", err)
	}
	if r, err := s.ExecArgs(context.Background(), nil, Talk{}); err != nil || r.Entry != nil {
		t.Errorf("no words: %v, %v", r, err)
	}
}

func TestPayloadFromStdin(t *testing.T) {
	for in, want := range map[string]string{
		"{\"a\":\n1}\n":                   "",
		"{\n  oops}":                      "standard input is not JSON: expected a field's name in quotes (line 2, column 3 of standard input)",
		"":                                "standard input is not JSON: a value is missing (line 1, column 1 of standard input)",
		strings.Repeat("1", maxPayload+1): "standard input is larger than 16 MiB",
	} {
		s := NewSession(Config{Dial: fakeDial, Stdin: strings.NewReader(in)})
		mustExec(t, s, "connect")
		_, err := s.Exec(context.Background(), "call echo -")
		if got := fmt.Sprint(err); got != want && !(err == nil && want == "") {
			t.Errorf("%.20q: %v, want %q", in, err, want)
		}
		s.Close()
	}
}

// A command that is canceled while it reads standard input says so, whatever the reading ended with.
func TestStdinCanceled(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial, Stdin: iotest.ErrReader(errors.New("read canceled"))})
	defer s.Close()
	mustExec(t, s, "connect")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Exec(ctx, "call echo -")
	if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitInterrupted || e.Message != "canceled" {
		t.Errorf("got %v", err)
	}
}

// References cannot make a payload of any size.
func TestExpansionIsBounded(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "call wide --no-check")
	line := "call echo [$last, $last, $last]"
	_, err := s.Exec(t.Context(), line)
	e, _ := errors.AsType[*Error](err)
	if e == nil || e.Exit != ExitType || e.At != strings.LastIndex(line, "$") || e.Message != "the payload is larger than 16 MiB with what stands here" {
		t.Errorf("got %v", err)
	}
	if h := s.Check("call echo [$last, $last]"); h.State != HintNone {
		t.Errorf("judged 12 MiB while typing: %+v", h)
	}
}

func TestTarget(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:8888":       "localhost:8888",
		":9":                   "localhost:9",
		"9":                    "localhost:9",
		"host":                 "host:8888",
		"::1":                  "[::1]:8888",
		"[::1]:9":              "[::1]:9",
		"rpckids://h:1":        "h:1",
		"rpckids://h/":         "h:8888",
		"unix:///run/rpc.sock": "unix:///run/rpc.sock",
		"a:1,b:2":              "a:1,b:2",
		"a,:2":                 "a:8888,localhost:2",
		"h:0":                  "",
		"h:65536":              "",
		"h:http":               "",
		"a:1:2":                "",
		"a:1,":                 "",
		",a:1":                 "",
		"[::1":                 "",
		"[[::1]]":              "",
		"unix:///s,:2":         "unix:///s,localhost:2",
		":2,unix:///s":         "localhost:2,unix:///s",
		"rpckids://h:1,:2":     "h:1,localhost:2",
		":1,rpckids://h":       "localhost:1,h:8888",
		"etcd:///a:1:2":        "etcd:///a:1:2",
		"user@h:1":             "",
	} {
		got, err := parseTarget(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseTarget(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

// A caret stands below what is wrong in a list, not below its beginning.
func TestTargetPlace(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial})
	defer s.Close()
	for _, tt := range []struct{ line, bad, want string }{
		{"connect a:1,b:99999,c:3", "b:99999", `"b:99999" is not an address: a port is a number from 1 to 65535`},
		{"connect rpckids://a:1,b:x", "b:x", `"b:x" is not an address: a port is a number from 1 to 65535`},
		{"connect a:1,b:2:3", "b:2:3", `"b:2:3" is not an address: it has more than one colon`},
		{"connect a:1,,b:2", ",b:2", "an address is missing in the list"},
		{"connect unix:///s,u@b:2", "u@b:2", `"u@b:2" is not an address`},
	} {
		_, err := s.Exec(t.Context(), tt.line)
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.Message != tt.want || e.Line != tt.line || e.At != strings.LastIndex(tt.line, tt.bad) || e.Exit != ExitUsage {
			t.Errorf("%s: got %+v", tt.line, e)
		}
		if h := s.Check(tt.line + " "); h.State != HintBad || h.At != strings.LastIndex(tt.line, tt.bad) {
			t.Errorf("%s while typing: got %+v", tt.line, h)
		}
	}
}

// connected returns a session with a fake server, closed at the end of the test.
func connected(t testing.TB) *Session {
	t.Helper()
	s := NewSession(Config{Dial: fakeDial})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect")
	return s
}

func mustExec(t testing.TB, s *Session, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if _, err := s.Exec(context.Background(), l); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
}
