package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
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
		if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitDeadline || e.Message != "no reply within 5s; the connection is still up" || time.Since(start) != 5*time.Second {
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

// fails runs a line that must fail.
func fails(t *testing.T, s *Session, line string) *Error {
	t.Helper()
	_, err := s.Exec(t.Context(), line)
	e, _ := errors.AsType[*Error](err)
	if e == nil {
		t.Fatalf("%s: no error", line)
	}
	return e
}

// The setting box decides what all texts are written with.
func TestASCII(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "call fib 10")
	for _, c := range []struct{ box, want string }{{"auto", "398 µs"}, {"ascii", "398 us"}, {"unicode", "398 µs"}} {
		mustExec(t, s, "set box "+c.box)
		if r, _ := s.Exec(t.Context(), "history"); !strings.Contains(r.Text, c.want) {
			t.Errorf("box %s: no %q in\n%s", c.box, c.want, r.Text)
		}
	}
}

func TestSmallErrors(t *testing.T) {
	single := NewSession(Config{Dial: fakeDial, Connect: true})
	defer single.Close()
	if e := fails(t, single, "dashboard"); e.Exit != ExitUsage || e.Hint != "rpckids-console connect ADDR opens one" {
		t.Errorf("dashboard run once: %v, %s", e, e.Hint)
	}
	s := connected(t)
	for _, line := range []string{"show #", "show $last", "!!"} {
		if e := fails(t, s, line); e.Message != "there is no call yet" {
			t.Errorf("%s: %v", line, e)
		}
	}
	fails(t, s, "call fib 1 --reply=x\x1b[2J")
	if e, _ := s.Journal().Entry(1); !clean(e.Err.Message) {
		t.Errorf("the journal keeps %q", e.Err.Message)
	}
	mustExec(t, s, "connect other:7", "disconnect")
	if e := fails(t, s, "call fib 1"); e.Hint != "reconnect, or connect ADDR" {
		t.Errorf("after disconnect: %s", e.Hint)
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
	if got, want := fmt.Sprint(h.Lines()), "[old status connect x --token * help quit]"; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
	if got := fmt.Sprint(kept); got != "[status connect x --token *]" || h.Err() == nil {
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
		{Error{Exit: ExitInterrupted}, "canceled", "stopped"},
		{Error{Exit: ExitUsage}, "usage", "failed"},
		{Error{Exit: ExitServer, Code: "resource_exhausted"}, "resource_exhausted", "busy"},
		{Error{Exit: ExitInternal}, "internal", "failed"},
	} {
		if got, word := c.e.Status(), c.e.Word(); got != c.status || word != c.word {
			t.Errorf("%+v: %s, %s; want %s, %s", c.e, got, word, c.status, c.word)
		}
	}
}
