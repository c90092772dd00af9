package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// modern returns a session with a server of version 2, whose catalogue is there.
func modern(t testing.TB) *Session {
	t.Helper()
	s := NewSession(Config{Dial: fakeDial})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect modern:1", "services")
	return s
}

// shown collects what a face would show.
type shown struct {
	mu    sync.Mutex
	items []string
	kinds []Kind
}

func (s *shown) item(e Entry, it Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items, s.kinds = append(s.items, string(it.Payload)), append(s.kinds, e.Kind)
	return nil
}

// A call finds out from the server's refusal that its service is a stream, and is that stream, within one entry. It is remembered.
func TestCallTurnsIntoStream(t *testing.T) {
	s := modern(t)
	b, _ := s.link()
	var got shown
	r, err := s.ExecTalk(t.Context(), "call breaks", Talk{Item: got.item})
	if e, _ := errors.AsType[*Error](err); e == nil || e.Code != "data_loss" {
		t.Fatalf("got %v", err)
	}
	if r.Entry.Kind != KindStream || r.Entry.Items != 1 || r.Entry.Number != 1 || s.Journal().Last() != 1 || fmt.Sprint(got.items, got.kinds) != "[1] [stream]" {
		t.Errorf("got %+v with items %v", r.Entry, got.items)
	}
	before := len(b.(*fake).requests())
	_, _ = s.Exec(t.Context(), "call breaks")
	if n := len(b.(*fake).requests()) - before; n != 1 {
		t.Errorf("the second time it was asked %d times", n)
	}
	e := fails(t, s, "call early") // no values and nobody to ask
	if !strings.Contains(e.Hint, "upload early VALUES") {
		t.Errorf("got %v, hint %q", e, e.Hint)
	}
	if e := fails(t, s, "call unknown_pattern"); e.Code != "unimplemented" || e.Hint != "" {
		t.Errorf("got %v", e)
	}
}

// Ending the context says how far the stream came, and the server was told.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modern(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := s.Exec(ctx, "ticks 10"); done <- err }()
		synctest.Wait()
		e, _ := s.Journal().Entry(1)
		if e.State != Running || e.Items != 42 || string(e.Result) != `{"n":41}` || e.FirstItem.IsZero() || e.Timeout != 0 {
			t.Errorf("while it runs: %+v", e)
		}
		items, older := s.Journal().Items(1, 2)
		if len(items) != 2 || older != 40 || string(items[1].Payload) != `{"n":41}` || items[1].Index != 41 {
			t.Errorf("items %+v after %d", items, older)
		}
		cancel()
		if e, _ := errors.AsType[*Error](<-done); e == nil || e.Exit != ExitInterrupted || e.Message != "stopped after 42 items" {
			t.Errorf("canceled: %v", e)
		}
		if e, _ := s.Journal().Entry(1); !e.Stopped() || s.Journal().Totals() != (Totals{}) || len(s.Journal().Timed()) != 0 || strings.Contains(ran(t, s, "history --failed"), "ticks") ||
			!strings.Contains(ran(t, s, "history"), "ticks") {
			t.Errorf("what the user stopped has failed: %+v, %+v", e, s.Journal().Totals())
		}
		if e := fails(t, s, "ticks 10 --timeout 2s"); e.Exit != ExitDeadline || e.Message != "not at its end within 2s, after 42 items" {
			t.Errorf("deadline: %v", e)
		}
		if n := s.Journal().Totals(); n.Failed != 1 {
			t.Errorf("a stream that took too long has not failed: %+v", n)
		}
		go func() { _, err := s.Exec(context.Background(), "ticks 10"); done <- err }()
		synctest.Wait()
		go s.Close()
		if e, _ := errors.AsType[*Error](<-done); e == nil || e.Message != "the session is closed" {
			t.Errorf("closed: %v", e)
		}
		synctest.Wait()
	})
}

// person answers questions from a list of lines.
type person struct {
	lines []string
	asked []Question
	end   error
}

func (p *person) line(_ context.Context, q Question) (string, error) {
	p.asked = append(p.asked, q)
	if len(p.lines) == 0 {
		return "", p.end
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	return line, nil
}

// A person is asked for items, one by one; what is wrong does not go and comes back to be mended.
func TestAsked(t *testing.T) {
	for _, c := range []struct {
		line, lines string
		end         error
		result      string
		prompts     string
		refused     string
	}{
		{"upload sum", "1|2|3", io.EOF, "6", "sum 1,sum 2,sum 3,sum 4", ""},
		{"call sum", "1||  |2|.|9", io.EOF, "3", "sum 1,sum 2,sum 2,sum 2,sum 3", ""},
		{"sum", "x|1|{|}|2", io.EOF, "3", "sum 1,sum 1,sum 2,sum 2,sum 2,sum 3", `sum wants int64, got an object at 0|the value is not JSON: expected a value at 0`},
		{"upload sum", "", io.EOF, "0", "sum 1", ""},
		{"upload other", "[|1,|2]|\"a\nb\"", io.EOF, "0", "other 1,other 1,other 1,other 2,other 2", ""},
	} {
		s := modern(t)
		p := &person{end: c.end}
		if c.lines != "" {
			p.lines = strings.Split(c.lines, "|")
		}
		r, err := s.ExecTalk(t.Context(), c.line, Talk{Line: p.line})
		if err != nil || string(r.Entry.Result) != c.result {
			t.Errorf("%s with %s: got %v, error %v", c.line, c.lines, r.Entry, err)
			continue
		}
		var prompts []string
		for _, q := range p.asked {
			prompts = append(prompts, q.Prompt)
			if q.Refused != nil && !strings.Contains(c.refused, fmt.Sprintf("%s at %d", q.Refused.Message, q.Refused.At)) && c.refused != "" {
				t.Errorf("%s with %s: refused with %q at %d, text %q", c.line, c.lines, q.Refused.Message, q.Refused.At, q.Text)
			}
		}
		if got := strings.Join(prompts, ","); got != c.prompts {
			t.Errorf("%s with %s: asked %s, want %s", c.line, c.lines, got, c.prompts)
		}
	}
}

// Where the service takes text a line is that text.
func TestPlainText(t *testing.T) {
	s := modern(t)
	var got shown
	p := &person{lines: []string{"hello", `"quoted"`, "10", "{", "."}}
	if _, err := s.ExecTalk(t.Context(), "chat chat", Talk{Line: p.line, Item: got.item}); err != nil {
		t.Fatal(err)
	}
	if want := `["you said: hello" "you said: quoted" "you said: 10" "you said: {" "goodbye"]`; fmt.Sprint(got.items) != want {
		t.Errorf("got %v, want %s", got.items, want)
	}
}

// The server may end an upload while a person is asked: the question is taken back.
func TestEndedWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modern(t)
		woken := false
		_, err := s.ExecTalk(t.Context(), "upload early", Talk{Line: func(ctx context.Context, _ Question) (string, error) {
			<-ctx.Done()
			woken = true
			return "", ctx.Err()
		}})
		if e, _ := errors.AsType[*Error](err); e == nil || e.Code != "resource_exhausted" || !woken {
			t.Errorf("got %v, woken %v", err, woken)
		}
	})
}

// Values come from a file or from standard input, one a line or one over several; what is wrong is named by its line and ends the upload.
func TestValuesFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v")
	for _, c := range []struct {
		line, text, result, message string
	}{
		{"upload sum", "1\n\n 2\r\n3", "6", ""},
		{"upload sum", "", "0", ""},
		{"upload other", "[1,\n2]\n{\n}\n", "0", ""},
		{"upload sum", "1\ntwo\n3", "", `the value is not JSON: ? (line 2, column 1 of %)`},
		{"upload sum", "1\n[2,\n\"x\"]\n3", "", `sum wants int64, got a list (line 2, column 1 of %)`},
		{"upload sum", "1 2", "", `the value is not JSON: more text after the value (line 1, column 3 of %)`},
		{"upload sum --no-check", "1\ntrue", "1", ""},
		{"chat chat", "plain text\n\"json\"", "", ""},
	} {
		for _, from := range []string{"@" + file, "-", ""} {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := NewSession(Config{Dial: fakeDial, Stdin: strings.NewReader(c.text)})
			mustExec(t, s, "connect modern:1", "services")
			r, err := s.Exec(t.Context(), strings.TrimSpace(c.line+" "+from))
			name := file
			if !strings.HasPrefix(from, "@") {
				name = "standard input"
			}
			want := strings.ReplaceAll(c.message, "%", name)
			switch {
			case want == "" && (err != nil || c.result != "" && string(r.Entry.Result) != c.result):
				t.Errorf("%s %s with %q: got %+v, error %v", c.line, from, c.text, r.Entry, err)
			case want != "" && (err == nil || !strings.HasSuffix(err.Error(), want[strings.Index(want, "("):]) || explain(err).Exit != ExitType):
				t.Errorf("%s %s with %q: got %v, want %s", c.line, from, c.text, err, want)
			}
			s.Close()
		}
	}
}

// cancelable is standard input on which nothing ever comes.
type cancelable struct{ canceled chan struct{} }

func (c cancelable) Read([]byte) (int, error) { <-c.canceled; return 0, errors.New("read canceled") }
func (c cancelable) Cancel() bool             { close(c.canceled); return true }

// Standard input that says nothing does not hold an upload that is over.
func TestSilentStdin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(Config{Dial: fakeDial, Stdin: cancelable{make(chan struct{})}})
		defer s.Close()
		mustExec(t, s, "connect modern:1")
		if e := fails(t, s, "upload early -"); e.Code != "resource_exhausted" {
			t.Errorf("got %v", e)
		}
	})
}

// A face that cannot show an item ends the stream.
func TestItemCannotBeShown(t *testing.T) {
	s := modern(t)
	for _, format := range []Format{FormatText, FormatJSON, FormatJSONL, FormatRaw} {
		p := &Printer{Out: full{}, Err: io.Discard, Format: format}
		r, err := s.ExecTalk(t.Context(), "fibs 10", p.Talk())
		if e, _ := errors.AsType[*Error](err); e == nil || e.Exit != ExitInternal || r.Entry.Items != 1 {
			t.Errorf("format %d: got %v after %d items", format, err, r.Entry.Items)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// Each item is written at once, and a line of jsonl is whole.
func TestItemsAreFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := modern(t)
		var out locked
		p := &Printer{Out: &out, Err: io.Discard, Format: FormatJSONL}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r, err := s.ExecTalk(ctx, "ticks 100", p.Talk())
			_ = p.Print(r, err)
		}()
		synctest.Wait()
		if got := out.String(); strings.Count(got, "\n") != 42 || !strings.HasPrefix(got, `{"kind":"item","index":0,"result":{"n":0}}`+"\n") {
			t.Errorf("while it runs:\n%s", got)
		}
		cancel()
		<-done
		last := out.String()[strings.LastIndex(strings.TrimSpace(out.String()), "\n")+1:]
		var end struct {
			Kind, Status string
			Items        int
			RTT          *int64 `json:"rtt_ns"`
			Error        struct{ Message string }
		}
		if err := json.Unmarshal([]byte(last), &end); err != nil || end.Kind != "end" || end.Status != "canceled" || end.Items != 42 || end.RTT == nil || end.Error.Message != "stopped after 42 items" {
			t.Errorf("at the end: %s %v", last, err)
		}
	})
}

type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The parts add up to the round trip exactly, whatever two clocks say.
func TestTimedPartsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		tr := Trace{RTT: time.Duration(r.Int64N(1e9) + 1), Timed: true, Queue: time.Duration(r.Int64N(1e9) - 1e8), Handler: time.Duration(r.Int64N(1e9) - 1e8)}
		tr.Client = time.Duration(r.Int64N(int64(tr.RTT)))
		tr.Wait = tr.RTT - tr.Client
		tr.clip()
		var sum time.Duration
		e := Entry{State: OK, Trace: tr}
		for _, p := range Parts(e, false) {
			if p.Time < 0 {
				t.Fatalf("%s of %v in %+v", p.Name, p.Time, tr)
			}
			sum += p.Time
		}
		if sum != tr.RTT || len(Parts(e, false)) != 4 {
			t.Fatalf("parts add up to %v of %+v", sum, tr)
		}
	}
}

// ran is what a line prints that has to go well.
func ran(t *testing.T, s *Session, line string) string {
	t.Helper()
	r, err := s.Exec(t.Context(), line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r.Text
}
