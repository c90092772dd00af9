package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/shape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A running call holds up nobody, its context cancels it alone, and the session's timeout ends it.
func TestRunningCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := s.Exec(ctx, "call hang"); done <- err }()
		synctest.Wait()
		mustExec(t, s, "call fib 10")
		if e, _ := s.Journal().Entry(1); e.State != Running || e.Timeout != 5*time.Second {
			t.Errorf("#1 is %s with %v", e.Word(), e.Timeout)
		}
		cancel()
		if e, _ := errors.AsType[*Error](<-done); e == nil || e.Exit != ExitInterrupted {
			t.Errorf("canceled: %v", e)
		}
		start := time.Now()
		_, err := s.Exec(t.Context(), "call hang")
		if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitDeadline || e.Message != "no reply within 5s" || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// Close ends what runs, waits for it, and closes the connection; afterwards nothing runs any more.
func TestCloseWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		backend, _ := s.link()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				_, err := s.Exec(context.Background(), []string{"call hang --timeout off", "cast log 1", "connect :1", "call fib 1", "status", "rpc a int"}[i%6])
				if e, _ := errors.AsType[*Error](err); err != nil && e.Exit != ExitInterrupted && e.Exit != ExitConnect {
					t.Errorf("%v", err)
				}
			})
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := s.Journal().Totals().Running; n != 0 {
			t.Errorf("%d calls still count as running", n)
		}
		if !backend.(*fake).closed.Load() {
			t.Error("the connection is open")
		}
		if _, err := s.Exec(context.Background(), "status"); err == nil || err.Error() != "the session is closed" {
			t.Errorf("after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	s := connected(t)
	_, err := s.Exec(context.Background(), "call panic")
	if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitInternal {
		t.Fatalf("got %v", err)
	}
	if e, _ := s.Journal().Entry(1); e.State != Failed || e.Err == nil {
		t.Errorf("#1 is %s", e.Word())
	}
	mustExec(t, s, "call fib 10")
}

func TestReplacedConnectionIsClosed(t *testing.T) {
	s := connected(t)
	first, _ := s.link()
	mustExec(t, s, "connect other:1")
	if !first.(*fake).closed.Load() {
		t.Error("connect left the old connection open")
	}
	if _, err := s.Exec(context.Background(), "connect closed:1"); err == nil {
		t.Error("no error")
	}
	if got, want := s.Prompt(), "other:1"; got != want {
		t.Errorf("a failed connect changed the prompt to %q, want %q", got, want)
	}
}

func TestPrompt(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial})
	defer s.Close()
	if got, want := s.Prompt(), "(not connected)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	mustExec(t, s, "connect")
	b, _ := s.link()
	for state, want := range map[LinkState]string{Connected: "localhost:8888", Idle: "localhost:8888 (idle, will reconnect)",
		Reconnecting: "localhost:8888 (reconnecting 2)", Disconnected: "localhost:8888 (not connected)"} {
		b.(*fake).state = state
		if got := s.Prompt(); got != want {
			t.Errorf("%s: got %q, want %q", state, got, want)
		}
	}
}

// What goes out is what was typed, byte for byte, with references replaced.
func TestSentPayloads(t *testing.T) {
	s := connected(t)
	file := filepath.Join(t.TempDir(), "p.json")
	if err := os.WriteFile(file, []byte("{\"a\": \"$last\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"call log", ""},
		{"call max", ""},
		{`call echo { "a": 1 }`, `{ "a": 1 }`},
		{"call echo 9223372036854775807", "9223372036854775807"},
		{"call echo @" + file, "{\"a\": \"$last\"}\n"},
		{`call echo {"n":$2,"s":"<${2}>"}`, `{"n":9223372036854775807,"s":"<9223372036854775807>"}`},
		{`call echo "a\"$last"`, `"a\"$last"`},
		{`call echo ["${last}"]`, `["a\"$last"]`},
		{`cast log "二"`, `"二"`},
	} {
		_, _ = s.Exec(context.Background(), c.line)
		b, _ := s.link()
		got := b.(*fake).requests()
		if p := string(got[len(got)-1].Payload); p != c.want {
			t.Errorf("%s sent %s, want %s", c.line, p, c.want)
		}
	}
}

// A session that may connect by itself does so at its first call, and only then.
func TestConnectsByItself(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial, Connect: true, Addr: ":77"})
	defer s.Close()
	mustExec(t, s, "status", "call fib 10")
	if got, want := s.Prompt(), "localhost:77"; got != want {
		t.Errorf("connected to %q, want %q", got, want)
	}
	mustExec(t, s, "disconnect")
	_, err := s.Exec(context.Background(), "call fib 10")
	if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitConnect {
		t.Errorf("after disconnect: %v", err)
	}
}

func TestSchemaFile(t *testing.T) {
	s := connected(t)
	dir := t.TempDir()
	mustExec(t, s, "rpc user {name:string, age?:*int8, tags:[]string}")
	r, err := s.Exec(t.Context(), "rpc show user")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := json.Marshal(r.Value.(typeJSON).Schema)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json")
	if err := errors.Join(os.WriteFile(good, schema, 0o600), os.WriteFile(bad, []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	mustExec(t, s, "rpc again @"+good)
	if got, _ := s.Shape("again"); got != "{name:string, tags:[]string, age?:*int8}" {
		t.Errorf("from the schema: %s", got)
	}
	for _, file := range []string{bad, dir, filepath.Join(dir, "none")} {
		_, err := s.Exec(t.Context(), "rpc x @"+file)
		if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitUsage || e.At != 7 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if h := s.Check("rpc x @/no/such/file"); h.State != HintGood {
		t.Errorf("a hint opens no file: %+v", h)
	}
}

func TestStartSettings(t *testing.T) {
	s := NewSession(Config{Settings: map[string]Setting{"timeout": {"2s", "env"}, "theme": {"purple", "flag"}, "nothing": {"x", "flag"}}})
	defer s.Close()
	for name, want := range map[string]string{"timeout": "2s", "theme": "auto", "nothing": "", "box": "auto"} {
		if got := s.Setting(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	mustExec(t, s, "set timeout off", "unset timeout")
	if got := s.settingOf("timeout"); got != (Setting{"2s", "env"}) {
		t.Errorf("unset gave %+v", got)
	}
	if s.timeout() != 2*time.Second {
		t.Errorf("the limit is %v", s.timeout())
	}
}

func TestServerTimeField(t *testing.T) {
	s := taught(t)
	for typ, want := range map[string]string{"exp": "costInNanos", "exp_res": "costInNanos", "fib": "", "nothing": ""} {
		if got := s.ServerTimeField(typ); got != want {
			t.Errorf("of %s: %q, want %q", typ, got, want)
		}
	}
	if got, ok := s.Shape("exp"); !ok || got != "{base:int, exp:int}" {
		t.Errorf("Shape(exp) = %q, %v", got, ok)
	}
}

func TestRunScript(t *testing.T) {
	for _, c := range []struct {
		name, script string
		keepGoing    bool
		exit         Exit
		out, errs    string
	}{
		{"readme", "rpc fib_res int64\ncall fib 10\ncast log \"hi\"\n", false, ExitOK, "89\n",
			"fib_res int64 registered\n#1 fib_res ok  398 µs  client 21 µs  wait 377 µs  70 B > 89 B\n#2 log sent  18.0 µs  65 B, no reply expected\n"},
		{"no last newline", "# start\r\n\r\n  set timeout\r\nset timeout", false, ExitOK, "5s\n5s\n", ""},
		{"several lines", "set timeout 1s\ncall echo {\n \"a\":\n 1}\nset timeout\n", false, ExitOK, "{\"a\":1}\n1s\n",
			"timeout is 1s\n#1 echo_res ok  398 µs  client 21 µs  wait 377 µs  70 B > 89 B\nhint: rpc echo_res {a:int64}\n"},
		{"stops", "set timeout\n\nnonsense\nset timeout\n", false, ExitUsage, "5s\n", "error: line 3: no command \"nonsense\"\n  nonsense\n  ^\nhint: `help` lists the commands\n"},
		{"goes on", "call nope\nset timeout\nxyzzyplugh\n", true, ExitServer, "5s\n", "#1 nope unknown  398 µs  client 21 µs  wait 377 µs  70 B > 89 B\nerror: line 1: not found: no service nope\n" +
			"error: line 3: no command \"xyzzyplugh\"\n  xyzzyplugh\n  ^\nhint: `help` lists the commands\n"},
		{"ends inside", "call echo {\n\"a\":1\n", false, ExitType, "", "error: line 1: the payload is not JSON: expected \",\" or \"}\"\n  \"a\":1\n       ^\n"},
		{"wrong inside", "call echo {\n  oops\n}\n", false, ExitType, "", "error: line 1: the payload is not JSON: expected a field's name in quotes\n    oops\n    ^\nhint: names have quotes: \"oops\"\n"},
		{"quits", "quit\nnonsense\n", false, ExitOK, "", ""},
		{"needs a terminal", "dashboard\n", false, ExitUsage, "", "error: line 1: dashboard needs a terminal\n"},
		{"too long", "call echo \"" + strings.Repeat("x", maxLine) + "\"\nset timeout\n", true, ExitUsage, "", "error: line 1: a command is longer than 4.0 MiB\nhint: put the payload into a file: call TYPE @FILE\n"},
		{"no end", "call echo [" + strings.Repeat(strings.Repeat("1234,", 20)+"\n", maxLine/101+1), false, ExitUsage, "", "error: line 1: a command is longer than 4.0 MiB\nhint: put the payload into a file: call TYPE @FILE\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			s := connected(t)
			exit := RunScript(t.Context(), s, strings.NewReader(c.script), &Printer{Out: &out, Err: &errs}, c.keepGoing)
			if exit != c.exit || out.String() != c.out || errs.String() != c.errs {
				t.Errorf("exit %d, want %d\n--- out\n%s--- want\n%s--- err\n%s--- want\n%s", exit, c.exit, out.String(), c.out, errs.String(), c.errs)
			}
		})
	}
}

func TestScriptEnds(t *testing.T) {
	s := connected(t)
	p := &Printer{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
	if got := RunScript(t.Context(), s, iotest.ErrReader(errors.New("disk on fire")), p, true); got != ExitInternal {
		t.Errorf("unreadable: exit %d", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := RunScript(ctx, s, strings.NewReader("status\n"), p, true); got != ExitInterrupted {
		t.Errorf("canceled: exit %d", got)
	}
	closed := &Printer{Out: brokenPipe{}, Err: &bytes.Buffer{}}
	if got := RunScript(t.Context(), s, strings.NewReader("status\nstatus\n"), closed, true); got != ExitInternal {
		t.Errorf("nobody reads: exit %d", got)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

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

func TestHistoryInMemory(t *testing.T) {
	var kept []string
	fail := false
	h := NewHistory([]string{"old"}, func(line string) error {
		if fail {
			return errors.New("disk full")
		}
		kept = append(kept, line)
		return nil
	})
	h.Add("status")
	h.Add("status")
	h.Add("connect x --token t")
	fail = true
	h.Add("help")
	h.Add("quit")
	if got, want := fmt.Sprint(h.Lines()), "[old status connect x --token t help quit]"; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
	if got := fmt.Sprint(kept); got != "[status]" || h.Err() == nil {
		t.Errorf("kept %s, error %v", got, h.Err())
	}
	for i := range 3 * historyKeep {
		h.Add(fmt.Sprint(i))
	}
	if got := len(h.Lines()); got >= 2*historyKeep || got < historyKeep {
		t.Errorf("%d lines in memory", got)
	}
}

func TestErrorWords(t *testing.T) {
	for _, c := range []struct {
		e            Error
		status, word string
	}{
		{Error{Exit: ExitServer, Code: "not_found"}, "not_found", "unknown"},
		{Error{Exit: ExitServer}, "unknown", "failed"},
		{Error{Exit: ExitDeadline}, "deadline_exceeded", "timeout"},
		{Error{Exit: ExitConnect}, "unavailable", "refused"},
		{Error{Exit: ExitConnection}, "connection_lost", "closed"},
		{Error{Exit: ExitType}, "type_mismatch", "invalid"},
		{Error{Exit: ExitInterrupted}, "canceled", "canceled"},
		{Error{Exit: ExitUsage}, "usage", "failed"},
		{Error{Exit: ExitServer, Code: "resource_exhausted"}, "resource_exhausted", "busy"},
		{Error{Exit: ExitInternal}, "internal", "failed"},
	} {
		if got, word := c.e.Status(), c.e.Word(); got != c.status || word != c.word {
			t.Errorf("%+v: %s, %s; want %s, %s", c.e, got, word, c.status, c.word)
		}
	}
}
