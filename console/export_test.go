package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
	"github.com/rpckids/rpckids/internal/wire"
)

// exportStart is when the first call of a told session was made.
var exportStart = time.Date(2024, 5, 6, 14, 2, 44, 902e6, time.UTC)

// past is a finished call for a journal: its figures follow from its number, so that what is written of it can be compared.
func past(n int, typ, payload, replyType, result string) Entry {
	rtt := time.Duration(380+(n*37)%90) * time.Microsecond
	id := fmt.Sprintf("%08x-34cd-4a29-9f71-6e0b8c1d2f3a", n)
	e := Entry{Kind: KindCall, Type: typ, Started: exportStart.Add(time.Duration(n) * 1500 * time.Millisecond), State: OK, ReplyType: replyType,
		Trace: Trace{RequestID: id, Server: "127.0.0.1:8888", Attempts: 1, RTT: rtt, Client: 21 * time.Microsecond, Wait: rtt - 21*time.Microsecond, Protocol: "v1",
			Out: wire.AppendMessage(nil, id, typ, payload)}}
	if payload != "" {
		e.Payload = json.RawMessage(payload)
	}
	if result != "" {
		e.Result, e.Trace.In = json.RawMessage(result), wire.AppendMessage(nil, id, replyType, result)
	}
	return e
}

func lateCall(n int) Entry {
	e := past(n, "exp", `{"base":"x"}`, "", "")
	e.State, e.Err = Failed, &Error{Exit: ExitDeadline, Message: "no reply within 3s; the connection is still up", Hint: "wait longer with --timeout 30s, or set timeout 30s"}
	e.Trace.RTT, e.Trace.Wait = 3010*time.Millisecond, 3010*time.Millisecond-e.Trace.Client
	return e
}

// told returns a session that made calls: fib and exp in turn, a cast, and one that timed out.
func told(t testing.TB, n int) *Session {
	s := NewSession(Config{Version: "1.2.3"})
	t.Cleanup(func() { s.Close() })
	for i := 1; i <= n; i++ {
		e := past(i, "fib", fmt.Sprint(i%90), "fib_res", fmt.Sprint(i*1000))
		switch {
		case i == 5:
			e = past(i, "log", `"hi"`, "", "")
			e.Kind, e.State, e.Trace.RTT, e.Trace.Wait, e.Trace.Client = KindCast, Sent, 18*time.Microsecond, 0, 18*time.Microsecond
		case i == 7:
			e = lateCall(i)
		case i%2 == 0:
			e = past(i, "exp", `{"base":2,"exp":10,"note":"二的十六次方"}`, "exp_res", `{"value":1024,"costInNanos":28113}`)
			e.Server, e.HasServer = 28113, true
		}
		tell(s, e)
	}
	return s
}

// tell enters a finished call into the journal of a session.
func tell(s *Session, e Entry) {
	e.Number = s.journal.Start(e).Number
	s.journal.Finish(e)
}

func runsExport(ctx context.Context, s *Session, file, rest string) (Result, error) {
	return s.ExecArgs(ctx, append([]string{"export", file}, strings.Fields(rest)...), Talk{})
}

// exported runs an export and returns the file.
func exported(t *testing.T, s *Session, name, rest string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if _, err := runsExport(t.Context(), s, file, rest); err != nil {
		t.Fatalf("export %s %s: %v", name, rest, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExportErrors(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.html")
	if err := os.WriteFile(there, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, empty := told(t, 12), told(t, 0)
	for range journalKeep {
		tell(s, past(99, "fib", "1", "fib_res", "1"))
	}
	for _, c := range []struct {
		s             *Session
		file, rest    string
		message, hint string
	}{
		{s, "session", "", `the name "session" does not say what to write`, "it ends in .html, .md or .json, or --format says it"},
		{s, "session.pdf", "", `the name "session.pdf" does not say what to write`, "it ends in .html, .md or .json, or --format says it"},
		{s, "session.md", "--format pdf", `nothing is written as "pdf"`, "it is one of html, md, json"},
		{s, "there.html", "", "there.html is there already", "--force writes over it; or choose another name"},
		{s, "", "--format md --force", " is a folder", "name a file in it, as "},
		{s, "no/session.md", "", "there is no folder ", "make it first: mkdir -p "},
		{s, "there.html/session.md", "", "cannot write ", "not a directory"},
		{s, "session.md", "x", `"x" is not the number of a call`, "as 128 or 120-128; `history` lists the calls with their numbers"},
		{s, "session.md", "9000", "there is no #9000", "`history` lists the calls with their numbers"},
		{s, "session.md", "900-400", "the range 900-400 is empty", "as in: export FILE 400-900"},
		{s, "session.md", "3", "#3 is no longer kept", "the newest 1000 are"},
		{s, "session.md", "1-12", "#12 is no longer kept", "the newest 1000 are"},
		{empty, "session.md", "", "there is no call yet", "as in: call fib 10"},
	} {
		_, err := runsExport(t.Context(), c.s, filepath.Join(dir, c.file), c.rest)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("export %s %s: %v", c.file, c.rest, err)
			continue
		}
		if e.Exit != ExitUsage || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("export %s %s: %q, hint %q", c.file, c.rest, e.Message, e.Hint)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("there is more than there was: %v", left)
	}
}

// A file is written whole, for its owner alone, and never over another unless that was said.
func TestExportFile(t *testing.T) {
	s, dir := told(t, 8), t.TempDir()
	file := filepath.Join(dir, "session.md")
	run := func(ctx context.Context, rest string) (Result, error) { return runsExport(ctx, s, file, rest) }
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := run(stopped, ""); err == nil {
		t.Error("it was written though it was stopped")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r, err := run(t.Context(), "")
	if want := "wrote " + file + ": 8 calls, "; err != nil || !r.Notice || !strings.HasPrefix(r.Text, want) {
		t.Errorf("got %q (%v), want %q", r.Text, err, want)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %v", info.Mode())
	}
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), ""); err == nil {
		t.Error("it was written over")
	}
	if err := writeWhole(file, []byte("theirs"), false); err == nil { // a file that came while this one was made
		t.Error("a file that came meanwhile was written over")
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("got %q", text)
	}
	if _, err := run(t.Context(), "3 --force"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "### Call 3") || strings.Contains(string(text), "### Call 4") {
		t.Errorf("got %.300s", text)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// Which calls are taken, and what the totals then count.
func TestExportRange(t *testing.T) {
	s := told(t, 12)
	for _, c := range []struct {
		rest        string
		first, last int
		ok, failed  int
	}{
		{"", 1, 12, 10, 1}, {"8", 8, 8, 1, 0}, {"#7", 7, 7, 0, 1}, {"6-8", 6, 8, 2, 1}, {"10-", 10, 12, 3, 0}, {"-2", 1, 2, 2, 0}, {"last", 12, 12, 1, 0}, {"11-last", 11, 12, 2, 0},
	} {
		if strings.HasPrefix(c.rest, "-") {
			c.rest = "-- " + c.rest
		}
		var v struct {
			Totals totalsJSON
			Calls  []struct{ Number int }
		}
		if err := json.Unmarshal([]byte(exported(t, s, "a.json", c.rest)), &v); err != nil {
			t.Fatal(err)
		}
		if n := len(v.Calls); n != c.last-c.first+1 || v.Calls[0].Number != c.first || v.Calls[n-1].Number != c.last || v.Totals.OK != c.ok || v.Totals.Failed != c.failed {
			t.Errorf("export %q: %+v", c.rest, v)
		}
	}
}

// What stands in the file is what the manual says, and of each call what -o json prints.
func TestExportJSON(t *testing.T) {
	s := told(t, 12)
	text := exported(t, s, "a.json", "")
	check(t, sessionShape, []byte(text))
	var v struct{ Calls []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	callFields := strings.TrimSuffix(callShape, "}") + ", " + exportedFields + "}"
	for i, call := range v.Calls {
		check(t, callFields, call)
		want, err := json.Marshal(must(s.Exec(t.Context(), fmt.Sprintf("show %d", i+1))).Value)
		if err != nil {
			t.Fatal(err)
		}
		if head := strings.TrimSuffix(string(want), "}"); !strings.HasPrefix(string(call), head+`,"started":"2024-05-06T14:0`) {
			t.Errorf("got %s\nwant %s", call, want)
		}
	}
	if lines := strings.Count(text, "\n"); lines != len(v.Calls)+2 {
		t.Errorf("%d lines for %d calls", lines, len(v.Calls))
	}
}

func must(r Result, err error) Result {
	if err != nil {
		panic(err)
	}
	return r
}

// check holds JSON against a shape.
func check(t *testing.T, expr string, text []byte) {
	t.Helper()
	sh, err := shape.Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	if m := sh.Check(text); m != nil {
		t.Errorf("%s at byte %d of %.400s", m.Text, m.At, text)
	}
}

// An exported text as it is read on a code host: go test ./console -run ExportMarkdown -update writes it anew.
func TestExportMarkdown(t *testing.T) {
	const file = "testdata/export.md"
	s := told(t, 8)
	x := s.newExport()
	x.written, x.entries, x.limit = exportStart, s.journal.Tail(8, 0), 1<<10
	var got bytes.Buffer
	if err := x.markdown(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v\n--- got ---\n%s\n--- want ---\n%s", err, got.String(), want)
	}
}

func TestCodeSpan(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"fib", "`fib`"}, {"a`b", "``a`b``"}, {"`a", "`` `a ``"}, {"``", "``` `` ```"}, {"a|b", "`a\\u007cb`"}, {`a\`, "` a\\ `"}, {" a ", "`  a  `"}, {"", ""}, {"  ", ""}, {"<b>", "`<b>`"},
	} {
		if got := code(c.text); got != c.want {
			t.Errorf("code(%q): got %s, want %s", c.text, got, c.want)
		}
	}
}

// However much the journal holds, a file stays below its bound, and says what it left out.
func TestExportBounded(t *testing.T) {
	s := NewSession(Config{})
	defer s.Close()
	big := `"` + strings.Repeat(`<& `, 40<<10/3) + `"`
	for i := range 30 {
		e := past(i, "echo", big, "echo_res", big)
		e.Trace.In, e.Trace.Out = nil, e.Trace.Out[:100]
		tell(s, e)
	}
	x := s.newExport()
	if x.most != 20<<20 {
		t.Errorf("a file may have %d bytes", x.most)
	}
	x.most, x.entries = 2200<<10, s.journal.Tail(journalKeep, 0)
	for i, d := range documents {
		text, err := x.render(t.Context(), &documents[i])
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > x.most || len(text) < x.most/16 {
			t.Errorf("%s: %d bytes", d.name, len(text))
		}
		if want := map[string]string{"html": "cut, 40 KiB in all", "md": "cut, 40 KiB in all", "json": `"cut":{"payload":40961,"result":40961}`}[d.name]; !strings.Contains(string(text), want) {
			t.Errorf("%s does not say what was cut", d.name)
		}
	}
	x.most = 20 << 10
	if _, err := x.render(t.Context(), &documents[0]); err == nil || explain(err).Hint != "write some of them, as in: export FILE 16-last" {
		t.Errorf("a file that can hold nothing: %v", err)
	}
}

// flowing is a stream that ended, with items of both directions.
func flowing(n int, payloads ...string) Entry {
	e := past(n, "chat", "", "chat_res", payloads[len(payloads)-1])
	e.Kind, e.Trace.Protocol, e.flow = KindChat, "v2", &flow{}
	e.Trace.Out, e.Trace.In = nil, nil
	for i, p := range payloads {
		e.flow.add([]byte(p), i%2 == 0, e.Started.Add(time.Duration(i)*time.Microsecond))
		e.Trace.Out = wire.AppendFrame(e.Trace.Out, wire.KindData, 0, 3, []byte(p))
	}
	e.Trace.In = e.Trace.Out
	return e
}

func TestExportItems(t *testing.T) {
	s := NewSession(Config{})
	defer s.Close()
	tell(s, flowing(1, `"hi"`, `"you said: hi"`, `"{"`, `"you said: {"`))
	for name, want := range map[string]string{
		"a.html": "→ 1  &#34;{&#34;\n</b><b>← 1  &#34;you said: {&#34;</b>", "a.md": "Items, 4:\n\n```text\n→ 0  \"hi\"\n← 0  \"you said: hi\"\n", "a.json": `"payloads":["hi","{"],"results":["you said: hi","you said: {"]`,
	} {
		if text := exported(t, s, name, ""); !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%.3000s", name, want, text)
		}
	}
	e := flowing(2, `"a"`, `"`+strings.Repeat("b", 100)+`"`, `"c"`, `"d"`)
	if x, note := itemsExcerpt(&e, 20); note != "the newest 2 of 4" || x.Text != "→ 1  \"c\"\n← 1  \"d\"" {
		t.Errorf("got %q, %s", x.Text, note)
	}
}

func TestExportDropped(t *testing.T) {
	s := NewSession(Config{})
	defer s.Close()
	e := past(1, "fib", "10", "fib_res", "89")
	e.drop()
	tell(s, e)
	s.journal.Start(Entry{Kind: KindCall, Type: "slow", Started: exportStart})
	for name, want := range map[string]string{"a.html": "no longer kept", "a.md": "no longer kept", "a.json": `"dropped":true`} {
		text := exported(t, s, name, "")
		if !strings.Contains(text, want) || !strings.Contains(text, "running") {
			t.Errorf("%s: %.2000s", name, text)
		}
	}
	intact(t, exported(t, s, "b.html", ""))
}

// What of the bytes is shown, and that the rest is counted.
func TestExportWire(t *testing.T) {
	v1 := wire.AppendMessage(nil, "1", "fib", `"`+strings.Repeat("x", 40)+`"`)
	v2 := wire.AppendFrame(wire.AppendFrame(nil, wire.KindData, 0, 3, []byte("89")), wire.KindData, wire.FlagEnd, 3, bytes.Repeat([]byte("7"), 40))
	long := wire.AppendMessage(nil, "1", "echo", `"`+strings.Repeat("x", 100_000)+`"`)
	for _, c := range []struct {
		name, protocol string
		frames         []byte
		all            int // bytes there were
		limit          int
		rows           int
		last           string // of the rows
	}{
		{"nothing", "v1", nil, 0, 100, 0, ""},
		{"version 1", "v1", v1, len(v1), 1 << 10, 8, ""},
		{"cut at a limit", "v1", v1, len(v1), 3 * wireWidth, 4, "more 49 B"},
		{"a long payload", "v1", long, len(long), 1 << 20, 5 + 16, ""},
		{"version 2", "v2", v2, len(v2), 1 << 10, 10, ""},
		{"the trace ends within a frame", "v2", v2[:20], 1000, 1 << 10, 8, "more 992 B"},
		{"the trace ends behind a frame", "v2", v2, 1000, 1 << 10, 11, "more 952 B"},
		{"the trace is gone", "v2", nil, 1000, 1 << 10, 1, "more 1000 B"},
	} {
		rows := wireRows(&Entry{Trace: Trace{Protocol: c.protocol}}, c.frames, c.all, c.limit)
		last := ""
		if n := len(rows); n > 0 && len(rows[n-1].Bytes) == 0 {
			last = rows[n-1].Label()
		}
		if len(rows) != c.rows || last != c.last {
			t.Errorf("%s: %d rows, last %q, want %d, %q:\n%s", c.name, len(rows), last, c.rows, c.last, wireText(rows, wireWidth, false))
		}
	}
	line := wireLines(wireRows(&Entry{}, v1, len(v1), 1<<10))[0]
	if want := (wireLine{"length", "0000", "00 00 00 01" + strings.Repeat(" ", 38), "....            ", "╭", "length", "1"}); line != want {
		t.Errorf("got %q, want %q", line, want)
	}
}
