package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// hard are payloads that shells and programs like to get wrong.
var hard = []string{
	`10`, `-1`, `"it's"`, `"'"`, `"a\"b\\c"`, `"$HOME ` + "`id`" + ` $(id) \u0024x"`, `"${last} ${1.x} $5"`, `{"a b":[1,"!!"],"中":"二的十六次方"}`, `" \n\t"`, `"%s %d \\c"`, `""`, `[]`, `"*?~#;&|<>"`,
	"\"\u202e\u009b\"", `"` + strings.Repeat("x'", 70_000) + `"`,
}

// A command that was copied for a shell gives the console the words of the call, whatever its payload is.
func TestCopyShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\nfor a; do case $a in -) cat;; *) printf '%s' \"$a\";; esac; printf '\\n\\1\\n'; done\n"
	if err := os.WriteFile(filepath.Join(dir, "rpckids-console"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	words := func(line string) []string {
		t.Helper()
		c := exec.Command(sh)
		c.Stdin = strings.NewReader(line + "\n") // no argument of a program may be so long
		c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=/home/x"}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%.200s: %v %s", line, err, out)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n\x01\n"), "\n\x01\n")
	}
	s := connected(t)
	for _, payload := range hard {
		number := s.journal.Finish(ok(s.journal.Start(Entry{Type: "echo", Payload: json.RawMessage(payload), Idempotent: true,
			terms: terms{own: true, timeout: 2 * time.Second, replyType: "it's", noCheck: true}}))).Number
		line := copyOf(t, s, fmt.Sprintf("copy %d --as shell", number))
		got := words(line)
		want := []string{"-a", "localhost:8888", "call", "echo", "", "--timeout", "2s", "--reply", "it's", "--no-check", "--idempotent"}
		if len(got) != len(want) {
			t.Fatalf("%.200s gives %d words: %.200q", line, len(got), got)
		}
		for i := range want {
			if i != 4 && got[i] != want[i] {
				t.Errorf("%.200s: word %d is %q, want %q", line, i, got[i], want[i])
			}
		}
		x, err := expand(got[4], s.reply) // as the console reads it
		if err != nil || !sameJSON(x.text, []byte(payload)) {
			t.Errorf("%.200s gives %.200s, %v; want %.200s", line, got[4], err, payload)
		}
	}
	null := s.journal.Finish(ok(s.journal.Start(Entry{Type: "it's"}))).Number
	if got := words(copyOf(t, s, fmt.Sprintf("copy %d --as shell", null))); !slices.Equal(got, []string{"-a", "localhost:8888", "call", "it's"}) {
		t.Errorf("%q", got)
	}
	up := s.journal.Finish(uploaded(s)).Number
	if got := words(copyOf(t, s, fmt.Sprintf("copy %d --as shell", up))); !slices.Equal(got, []string{"-a", "localhost:8888", "upload", "sum", "1\n\"it's \\u0024{last}\"\n"}) {
		t.Errorf("%q", got)
	}
	bad := s.journal.Finish(ok(s.journal.Start(Entry{Type: "x\x1b[2J"}))).Number
	if _, err := s.Exec(t.Context(), fmt.Sprintf("copy %d --as shell", bad)); err == nil {
		t.Error("a type with an escape was copied")
	}
}

func ok(e Entry) Entry {
	e.State = OK
	return e
}

func uploaded(s *Session) Entry {
	e := s.journal.Start(Entry{Type: "sum", Kind: KindUpload, flow: &flow{}})
	for _, v := range []string{"1", `"it's ${last}"`} {
		e.flow.add(json.RawMessage(v), true, time.Now())
	}
	return ok(e)
}

func copyOf(t *testing.T, s *Session, line string) string {
	t.Helper()
	r, err := s.Exec(t.Context(), line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r.Copy
}

func sameJSON(a, b []byte) bool {
	x, err1 := decodeInput(a)
	y, err2 := decodeInput(b)
	return err1 == nil && err2 == nil && fmt.Sprintf("%#v", x) == fmt.Sprintf("%#v", y)
}

// checkedWith type-checks programs against what is compiled of this module.
func checkedWith(t *testing.T) func(name, text string) error {
	t.Helper()
	paths := []string{"context", "crypto/tls", "crypto/x509", "os", "encoding/json", "fmt", "log", "slices", "time", "github.com/rpckids/rpckids/rpcclient"}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, paths...)...).Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	return func(name, text string) error {
		file, err := parser.ParseFile(fset, name, text, parser.AllErrors)
		if err != nil {
			return err
		}
		_, err = (&types.Config{Importer: imports}).Check("main", fset, []*ast.File{file}, nil)
		return err
	}
}

// A program that was copied compiles, whatever was called and whatever came back.
func TestCopyGo(t *testing.T) {
	check := checkedWith(t)
	s := connected(t)
	call := func(payload, result string) Entry {
		return Entry{Type: "x", ReplyType: "x_res", State: OK, Payload: json.RawMessage(payload), Result: json.RawMessage(result), Timeout: 1500 * time.Millisecond}
	}
	entries := []Entry{
		call("1", "89"), call(`{"a":"`+"`"+`"}`, `{"value":1,"costInNanos":2}`), call(`"\u001b"`, `null`), call("[1]", `[{"a":1.5,"a-b":[],"A":true,"中":"x"},{"b":null}]`),
		call("{}", `{"":1}`), call("{}", `{"type":{"func":[[1]],"1x":{"`+"`"+`":1}}}`), call("1", `{"a":1,"A":2,"a_":3}`), call("1", `"text"`), call("1", "true"), call("1", "[]"),
		{Type: "log", Kind: KindCast, State: Sent}, {Type: "it\"s\x00", State: Failed, Err: &Error{}, Idempotent: true}, {Type: "fibs", Kind: KindStream, State: OK, Payload: json.RawMessage("10")},
		{Type: "fibs", Kind: KindStream, State: OK, ReplyType: "fibs_res", Result: json.RawMessage("1"), Timeout: 3 * time.Hour}, {Type: "sum", Kind: KindUpload, flow: &flow{}, State: OK}, {Type: "chat", Kind: KindChat, flow: &flow{}, State: OK},
	}
	for _, expr := range []string{"*{a?:int64, b:*{c:map[string][]byte}, d:[]{}}", "map[string]any", "[]*{x:uint8}", "{a:List<uint8>, b:float32, c:any}", "*string"} {
		sh, err := shape.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("t%d_res", len(entries))
		s.types[name] = registered{shape: sh}
		entries = append(entries, Entry{Type: "t", ReplyType: name, State: OK, Result: json.RawMessage("null")})
	}
	for i, e := range entries {
		if e.flow != nil {
			e.flow.add(json.RawMessage(`{"a":1}`), true, time.Now())
		}
		state, failed := e.State, e.Err
		e = s.journal.Start(e)
		e.State, e.Err = state, failed
		number := s.journal.Finish(e).Number
		text := copyOf(t, s, fmt.Sprintf("copy %d --as go", number))
		if err := check(fmt.Sprintf("%d.go", i), text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		if again, err := format.Source([]byte(text)); err != nil || string(again) != text || !clean(strings.NewReplacer("\n", "", "\t", "").Replace(text)) {
			t.Errorf("not as gofmt writes it, or not printable: %v\n%s", err, text)
		}
	}
}

func TestCopyReply(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial})
	defer s.Close()
	mustExec(t, s, "connect", "call evil")
	s.journal.Finish(ok(s.journal.Start(Entry{Type: "wide", Result: json.RawMessage(`"` + strings.Repeat("x", copyMost) + `"`)})))
	if got := copyOf(t, s, "copy 1"); got != "{\n  \"a\": \"\\u009b31m\\u202e\"\n}" {
		t.Errorf("%q", got)
	}
	if got := copyOf(t, s, "copy 1 --as payload"); got != "null" {
		t.Errorf("%q", got)
	}
	if _, err := s.Exec(context.Background(), "copy 2"); err == nil || !strings.Contains(explain(err).Hint, "export") {
		t.Errorf("1 MiB: %v", err)
	}
	e := s.journal.Start(Entry{Type: "fibs", Kind: KindStream, flow: &flow{}})
	for i := range 3 {
		e.flow.add(json.RawMessage(fmt.Sprint(i)), false, time.Now())
	}
	s.journal.Finish(ok(e))
	if got := copyOf(t, s, "copy"); got != "[\n  0,\n  1,\n  2\n]" {
		t.Errorf("%q", got)
	}
	up := s.journal.Finish(uploaded(s)).Number
	if got := copyOf(t, s, fmt.Sprintf("copy %d --as payload", up)); got != "1\n\"it's ${last}\"" {
		t.Errorf("%q", got)
	}
}

func TestClipboardSequence(t *testing.T) {
	text := "1\x1b]52;c;?\a二"
	plain := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\x07"
	for env, want := range map[string]string{"": plain, "TERM=screen-256color": "\x1bP" + plain + "\x1b\\", "TMUX=x": plain + "\x1bPtmux;\x1b" + plain + "\x1b\\"} {
		name, value, _ := strings.Cut(env, "=")
		got := ClipboardSequence(text, func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		if got != want {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
}
