package console

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A call that took too long can be made again after `set timeout`; what its own flags said counts again.
func TestRerunKeepsItsTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		mustExec(t, s, "rpc fib_res string", "call fib 1 --no-check", "!1")
		for _, c := range []struct {
			line string
			want time.Duration
		}{{"call hang", 5 * time.Second}, {"set timeout 30s", 0}, {"!!", 30 * time.Second}, {"call hang --timeout 1s", time.Second}, {"!!", time.Second}} {
			start := time.Now()
			if c.want == 0 {
				mustExec(t, s, c.line)
			} else {
				fails(t, s, c.line)
			}
			if took := time.Since(start); took != c.want {
				t.Errorf("%s took %v, want %v", c.line, took, c.want)
			}
		}
		if e := fails(t, s, "call fib 1 --reply other_res"); !strings.Contains(e.Message, "not other_res") {
			t.Errorf("--reply: %v", e)
		}
		if e := fails(t, s, "!!"); !strings.Contains(e.Message, "not other_res") {
			t.Errorf("!! after --reply: %v", e)
		}
	})
}

// What a server says of itself without end is neither shown nor remembered without end.
func TestHugeReplyType(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "call huge")
	if n := len(s.replyOf("huge")) + len(s.hinted); n != 0 {
		t.Errorf("%d bytes of a name are remembered", n)
	}
	mustExec(t, s, "set strict on")
	for _, line := range []string{"call huge", "call huge --reply other"} {
		fails(t, s, line)
		e, _ := s.Journal().Entry(s.Journal().Last())
		if n := len(e.Err.Message); n > 16*maxMessage {
			t.Errorf("%s: the journal keeps a message of %d bytes", line, n)
		}
	}
	r, err := s.Exec(t.Context(), "show 1")
	if err != nil || len(r.Text) > 10_000 {
		t.Errorf("show writes %d bytes, %v", len(r.Text), err)
	}
}

// A reply nested five thousand deep takes 10 KB on one line and 25 MB with one bracket a line.
func TestShowOfADeepReply(t *testing.T) {
	s := connected(t)
	mustExec(t, s, "call deep")
	r, err := s.Exec(t.Context(), "show")
	if err != nil || len(r.Text) > 20_000 || !strings.Contains(r.Text, strings.Repeat("[", 5000)) {
		t.Errorf("show writes %d bytes, %v", len(r.Text), err)
	}
}

func TestShowOfAFailure(t *testing.T) {
	s := connected(t)
	fails(t, s, "call busy")
	r, err := s.Exec(t.Context(), "show")
	if err != nil || !strings.Contains(r.Text, "error      too many calls\ndetails    {\"queue\":1000}\nhint       the server asks") {
		t.Errorf("%v\n%s", err, r.Text)
	}
}

// Version 1 has no errors: what silence may mean is said where it is not known to be something else.
func TestLikely(t *testing.T) {
	for _, c := range []struct {
		target, line, want string
	}{
		{"plain:1", "call hang 1 --timeout 1ms", `it may not know "hang"; a plain v1 server that fails sends no reply`},
		{"plain:1", "call lost", `it may not know "lost"; a plain v1 server that fails may close the connection`},
		{"plain:1", `call slow "x" --no-check --timeout 1ms`, `slow wants int, got the string "x"; a plain v1 server that fails sends no reply`},
		{"plain:1", "call http", ""},
		{"plain:1", "call nope", ""},
		{"plain:1", "call slow {oops", ""},
		{"ours:1", "call hang 1 --timeout 1ms", ""},
		{"ours:1", "call lost", ""},
	} {
		t.Run(c.target+" "+c.line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewSession(Config{Dial: fakeDial})
				defer s.Close()
				mustExec(t, s, "connect "+c.target, "rpc slow int")
				if e := fails(t, s, c.line); e.Likely != c.want {
					t.Errorf("got  %s\nwant %s", e.Likely, c.want)
				}
			})
		})
	}
	s := connected(t)
	if e := fails(t, s, "call stuck --timeout 1ms"); e.Message != "not sent within 1ms" || e.Exit != ExitDeadline {
		t.Errorf("nothing left: %v", e)
	}
	var errs bytes.Buffer
	(&Printer{Err: &errs}).PrintError(&Error{Message: "no reply", Likely: "it is\x1b off", Hint: "switch it on"})
	if got, want := errs.String(), "error: no reply\nlikely: it is\\x1b off\nhint: switch it on\n"; got != want {
		t.Errorf("printed\n%s, want\n%s", got, want)
	}
}

// lossy is a connection that is lost without a word, after so long.
type lossy struct {
	fake
	after    time.Duration
	protocol string
	ours     bool // until it is lost
	lost     bool
}

func (l *lossy) Call(ctx context.Context, r Request) (Reply, error) {
	l.lost = true
	_, err := l.fake.Call(ctx, Request{Type: "lost"})
	e, _ := errors.AsType[*Error](err)
	e.Likely = "it may be full"
	return Reply{Trace: Trace{Attempts: 1, Protocol: l.protocol, RTT: l.after, Wait: l.after, Out: make([]byte, 70)}}, e
}

func (l *lossy) Stats() Stats { return Stats{State: Idle, Ours: l.ours && !l.lost} }

// Who ran for a while was not turned away: where the server is known to be ours, it was stopped.
func TestLikelyOfLost(t *testing.T) {
	const silent = "the server was stopped while this ran, or is a plain v1 server and failed"
	const cut = "the server was stopped, or cut the connection, while this ran"
	for _, c := range []struct {
		backend *lossy
		want    string
	}{
		{&lossy{after: time.Millisecond}, `it may be full, or not know "slow"`},
		{&lossy{after: 2 * time.Second}, silent},
		{&lossy{after: 2 * time.Second, ours: true, protocol: "v1"}, cut},
		{&lossy{after: 2 * time.Second, protocol: "v2"}, cut},
		{&lossy{after: time.Millisecond, protocol: "v2"}, "it may be full"},
	} {
		s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return c.backend, nil }})
		mustExec(t, s, "connect")
		if e := fails(t, s, "call slow 8000"); e.Likely != c.want {
			t.Errorf("after %v, ours %v: got  %s\nwant %s", c.backend.after, c.backend.ours, e.Likely, c.want)
		}
		s.Close()
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
