package console

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

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
		{"stops", "set timeout\n\nnonsense\nset timeout\n", false, ExitUsage, "5s\n", "error: line 3: no command \"nonsense\"\n  nonsense\n  ^\nhint: `help` lists the commands; a service is called so: call nonsense\n"},
		{"goes on", "call nope\nset timeout\nxyzzyplugh\n", true, ExitServer, "5s\n", "#1 nope unknown  398 µs  client 21 µs  wait 377 µs  70 B > 89 B\nerror: line 1: not found: no service nope\n" +
			"error: line 3: no command \"xyzzyplugh\"\n  xyzzyplugh\n  ^\nhint: `help` lists the commands; a service is called so: call xyzzyplugh\n"},
		{"ends inside", "call echo {\n\"a\":1\n", false, ExitType, "", "error: line 1: the payload is not JSON: expected \",\" or \"}\"\n  \"a\":1\n       ^\n"},
		{"wrong inside", "call echo {\n  oops\n}\n", false, ExitType, "", "error: line 1: the payload is not JSON: expected a field's name in quotes\n    oops\n    ^\nhint: names have quotes: \"oops\"\n"},
		{"byte order mark", "\ufeffset timeout\n", false, ExitOK, "5s\n", ""},
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
