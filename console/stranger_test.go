package console

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A server of ours lists its types: nobody is told to register them by hand, also where the list was not asked for.
func TestNoHintWhereTheServerLists(t *testing.T) {
	for target, want := range map[string]string{"ours:1": "", "modern:1": "", "plain:1": "rpc fib_res int64"} {
		s := NewSession(Config{Dial: fakeDial, Script: true})
		mustExec(t, s, "connect "+target)
		r, err := s.Exec(t.Context(), "call fib 10")
		if err != nil || r.Entry.Hint != want {
			t.Errorf("%s: got hint %q, error %v, want %q", target, r.Entry.Hint, err, want)
		}
		s.Close()
	}
}

// distant is a server that is reached only after a while; its times begin then.
type distant struct{ *fake }

func (d distant) Stream(_ context.Context, _ Request, item func(json.RawMessage) error) (Reply, error) {
	time.Sleep(time.Second)
	began := time.Now()
	time.Sleep(time.Second)
	err := item(json.RawMessage("1"))
	return Reply{Type: "fibs_res", Trace: Trace{Start: began, RTT: time.Since(began), Client: time.Since(began)}}, err
}

// The round trip and the first item are counted from the same instant.
func TestOneZeroPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(Config{Dial: func(ctx context.Context, target string, o DialOptions) (Backend, error) {
			b, err := fakeDial(ctx, target, o)
			return distant{b.(*fake)}, err
		}})
		defer s.Close()
		mustExec(t, s, "connect modern:1")
		r, err := s.Exec(t.Context(), "stream fibs 1")
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Entry.FirstAfter(); got != time.Second || got > r.Entry.Trace.RTT {
			t.Errorf("the first item took %v of %v, want 1s", got, r.Entry.Trace.RTT)
		}
	})
}

// A service of another pattern says what to type, whichever command it was.
func TestPatternHint(t *testing.T) {
	s := modern(t)
	if e := fails(t, s, "upload fib 1 2"); e.Hint != "as in: call fib PAYLOAD" {
		t.Errorf("got hint %q", e.Hint)
	}
}

// Behind a command stand only the services that it can serve.
func TestCompleteByPattern(t *testing.T) {
	s := modern(t)
	for command, want := range map[string]string{"upload ": "sum", "chat ": "chat", "stream ": "fibs odd ticks", "call ": "chat exp fib fibs odd sum ticks",
		"cast ": "chat exp fib fibs log odd sum ticks", "services l": "log"} {
		var got []string
		for _, o := range s.Complete(command, len(command)).Offers {
			got = append(got, strings.TrimSpace(o.Text))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %s", command, got, want)
		}
	}
}

// A value alone would be as expected for every reply.
func TestExpectComparesSomething(t *testing.T) {
	s := modern(t)
	mustExec(t, s, "call fib 10", "expect . == 89", "expect true and . == 89")
	for _, line := range []string{"expect 89", "expect 90", `expect "x"`, "expect $1 90", `expect {"a":1}`} {
		if e := fails(t, s, line); e.Exit != ExitUsage || !strings.Contains(e.Hint, "expect . == ") {
			t.Errorf("%s: got %v, hint %q", line, e, e.Hint)
		}
	}
}

// Once from a shell, status says what the server speaks: it asks.
func TestStatusAsks(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial, Connect: true, Addr: "modern:1"})
	defer s.Close()
	mustExec(t, s, "status")
	if b, _ := s.link(); b.(*fake).asked.Load() != 1 {
		t.Errorf("the server was asked %d times, want once", b.(*fake).asked.Load())
	}
}

// What is missing or too much is named as a person would see it.
func TestUsageMistakes(t *testing.T) {
	s := modern(t)
	for line, want := range map[string]string{"expect": "expect needs JQ", "upload": "upload needs TYPE", "export": "export needs FILE"} {
		if e := fails(t, s, line); e.Message != want {
			t.Errorf("%s: got %q, want %q", line, e.Message, want)
		}
	}
	if e := fails(t, s, "xfibxy 10"); !strings.Contains(e.Hint, "call xfibxy") {
		t.Errorf("got hint %q", e.Hint)
	}
	if e := fails(t, s, "."); strings.Contains(e.Hint, "call") {
		t.Errorf("got hint %q", e.Hint)
	}
	_, err := s.ExecArgs(t.Context(), []string{"call", "fib 10"}, Talk{})
	if e := explain(err); !strings.HasSuffix(e.Hint, ": call fib '10'") || e.Caret() != "  call fib 10\n          ^" {
		t.Errorf("got %v, hint %q, caret\n%s", e, e.Hint, e.Caret())
	}
}
