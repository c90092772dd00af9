package console

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/charmbracelet/x/ansi"
)

// After connect the server is asked in the background what it offers; checks, completion and templates know it then.
func TestCatalogueComesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(Config{Dial: fakeDial})
		defer s.Close()
		mustExec(t, s, "connect modern:1")
		synctest.Wait()
		b, _ := s.link()
		if n := b.(*fake).asked.Load(); n != 1 {
			t.Fatalf("asked %d times", n)
		}
		for _, c := range []struct{ line, want string }{
			{"fi", "fib |fibs "},
			{"call ex", "exp "},
			{"call exp ", `{"base":2,"exp":10}|{"base":0,"exp":0}`},
			{`call exp {"base":7,"`, `"exp":`},
			{`call exp {"base":7, `, `"exp":`},
			{`call exp {"b`, `{"base":2,"exp":10}|{"base":0,"exp":0}`},
			{`call exp {"exp":1,"b`, `"base":`},
			{`call exp {"base":7,"exp":1`, ""},
			{`call exp {"base":7,"exp"`, ""},
			{"upload sum ", "1|0|$last"},
			{"services ti", "ticks "},
		} {
			var got []string
			for _, o := range s.Complete(c.line, len(c.line)).Offers {
				if o.Text != "$last" || c.want == "" {
					got = append(got, o.Text)
				}
			}
			if text := strings.Join(got, "|"); text != strings.TrimSuffix(c.want, "|$last") {
				t.Errorf("%s: got %s, want %s", c.line, text, c.want)
			}
		}
		if h := s.Check(`exp {"base":2,"exp":x}`); h.State != HintBad || h.At != 20 {
			t.Errorf("got %+v", h)
		}
		if h := s.Check(`upload sum 1 [`); h.State == HintBad {
			t.Errorf("while it is typed: %+v", h)
		}
		if h := s.Check(`upload sum 1 {} 2`); h.State != HintBad || h.At != 13 {
			t.Errorf("got %+v", h)
		}
		mustExec(t, s, "connect plain:1")
		synctest.Wait()
		if _, ok := s.registered("exp"); ok {
			t.Error("what one server offers is not what the next one does")
		}
	})
}

// shy is a server that lists its services only to those who have seen a reply of its.
type shy struct {
	*fake
	shown atomic.Bool
}

func (w *shy) Stats() Stats { st := w.fake.Stats(); st.Ours = w.shown.Load(); return st }

func (w *shy) Call(ctx context.Context, r Request) (Reply, error) {
	w.shown.Store(true)
	return w.fake.Call(ctx, r)
}

func (w *shy) Services(ctx context.Context) ([]Service, error) {
	if !w.shown.Load() {
		w.asked.Add(1)
		return nil, &Error{Exit: ExitServer, Code: "unimplemented", Message: "not known to be ours"}
	}
	return w.fake.Services(ctx)
}

// A server of ours that speaks version 1 alone shows what it is with its first reply; then it is asked, once.
func TestCatalogueAfterFirstReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &shy{fake: &fake{target: "modern"}}
		s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return w, nil }})
		defer s.Close()
		mustExec(t, s, "connect :1")
		synctest.Wait()
		if _, ok := s.registered("exp"); ok {
			t.Error("told too early")
		}
		mustExec(t, s, "call fib 10", "call fib 10")
		synctest.Wait()
		if _, ok := s.registered("exp"); !ok || w.asked.Load() != 2 {
			t.Errorf("asked %d times, known %v", w.asked.Load(), ok)
		}
		plain := NewSession(Config{Dial: fakeDial})
		defer plain.Close()
		mustExec(t, plain, "connect ours:1", "call fib 1", "call fib 2", "call fib 3")
		synctest.Wait()
		if b, _ := plain.link(); b.(*fake).asked.Load() != 2 {
			t.Errorf("a server that tells nothing was asked %d times", b.(*fake).asked.Load())
		}
	})
}

func TestItemsWhileTyped(t *testing.T) {
	s := modern(t)
	for _, c := range []struct {
		typ, text string
		state     HintState
		at        int
	}{
		{"sum", "", HintNone, 0}, {"sum", "1", HintGood, 0}, {"sum", "[", HintNone, 0}, {"sum", "x", HintBad, 0}, {"sum", `"a"`, HintBad, 0}, {"sum", ".", HintGood, 0},
		{"chat", "any text", HintGood, 0}, {"chat", `"open`, HintNone, 0}, {"nobody", `{"a":`, HintNone, 0}, {"nobody", `{"a":,`, HintBad, 5}, {"sum", "$last", HintNone, 0},
	} {
		if h := s.CheckItem(c.typ, c.text); h.State != c.state || h.At != c.at {
			t.Errorf("%s %s: got %+v", c.typ, c.text, h)
		}
	}
	if c := s.CompleteItem("sum", "", 0); len(c.Offers) != 2 || c.Offers[0].Text != "1" {
		t.Errorf("got %+v", c)
	}
}

// waiting is a server that never answers what it offers.
type waiting struct {
	*fake
	asked chan struct{}
	once  sync.Once
}

func (w *waiting) Services(ctx context.Context) ([]Service, error) {
	w.once.Do(func() { close(w.asked) })
	<-ctx.Done()
	return nil, ctx.Err()
}

// The question for the catalogue holds up nothing, and ends with its connection.
func TestCatalogueNeverComes(t *testing.T) {
	for name, end := range map[string]func(*Session) error{
		"closed":     (*Session).Close,
		"replaced":   func(s *Session) error { _, err := s.Exec(context.Background(), "connect modern:2"); return err },
		"disconnect": func(s *Session) error { _, err := s.Exec(context.Background(), "disconnect"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &waiting{fake: &fake{target: "modern"}, asked: make(chan struct{})}
				first := true
				s := NewSession(Config{Dial: func(ctx context.Context, target string, o DialOptions) (Backend, error) {
					if first {
						first = false
						return w, nil
					}
					return fakeDial(ctx, target, o)
				}})
				mustExec(t, s, "connect :1", "call fib 10")
				<-w.asked
				if err := end(s); err != nil {
					t.Error(err)
				}
				synctest.Wait() // the one that asked has ended, or the bubble would not
				s.Close()
			})
		})
	}
}

// A session of one command asks for the catalogue only when it is to print it.
func TestSingleCommandAsksNothing(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial, Connect: true, Addr: "modern", Protocol: "v2"})
	defer s.Close()
	mustExec(t, s, "call fib 10")
	b, _ := s.link()
	if n := b.(*fake).asked.Load(); n != 0 || b.(*fake).proto != "v2" {
		t.Errorf("asked %d times, spoke %s", n, b.(*fake).proto)
	}
	r, err := s.Exec(t.Context(), "services fib")
	if list, ok := r.Value.([]serviceJSON); err != nil || !ok || len(list) != 1 || list[0].Origin != "server" {
		t.Errorf("got %+v, error %v", r.Value, err)
	}
	none := NewSession(Config{Dial: fakeDial, Connect: true, Addr: "closed"})
	defer none.Close()
	if e := fails(t, none, "services"); e.Exit != ExitConnect {
		t.Errorf("got %v", e)
	}
}

// The table of services is as wide as the face that shows it, and no wider.
func TestServicesWidth(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial})
	defer s.Close()
	mustExec(t, s, "connect modern:1", "services")
	for _, tt := range []struct {
		columns, most int
		whole         bool
	}{{0, 200, true}, {78, 78, false}, {-3, 200, true}, {140, 140, true}} {
		r, err := s.ExecTalk(t.Context(), "services", Talk{Columns: tt.columns})
		if err != nil {
			t.Fatal(err)
		}
		if whole := strings.Contains(r.Text, "what the loop cost on the server"); whole != tt.whole || !strings.Contains(r.Text, "base to the power") {
			t.Errorf("%d columns: got\n%s", tt.columns, r.Text)
		}
		for line := range strings.Lines(r.Text) {
			if w := ansi.StringWidth(line); w > tt.most {
				t.Errorf("%d columns: a line of %d: %s", tt.columns, w, line)
			}
		}
	}
	p := &Printer{Terminal: true, Live: func() (int, int) { return 120, 40 }}
	if got := p.Talk().Columns; got != 118 {
		t.Errorf("a terminal of 120 shows %d columns", got)
	}
	if got := (&Printer{Terminal: true}).Talk().Columns; got != 78 {
		t.Errorf("a terminal of an unknown size shows %d columns", got)
	}
	if got := (&Printer{Live: p.Live}).Talk().Columns; got != 0 {
		t.Errorf("a file shows %d columns", got)
	}
}

// What a server tells is untrusted: it cannot reach the terminal, fill the memory or take the place of what the user registered.
func TestHostileCatalogue(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	deep := strings.Repeat(`{"type":"array","items":`, 5000) + "{}" + strings.Repeat("}", 5000)
	list := []Service{
		{Name: "ok", Pattern: "ring\x1b", Doc: strings.Repeat("\x1b[2J", 1000), Request: raw(deep), Example: raw("{oops")},
		{Name: "wide", Pattern: "call", Request: raw(`{"type":"object","properties":{` + strings.Repeat(`"a`+strings.Repeat("b", 90)+`":{},`, 1) + `"z\u001b[2J":{"type":"string"}}}`), ReplyType: "wide_res"},
		{Name: "call", Pattern: "call"}, {Name: "fib", Pattern: "stream", Request: raw(`"no schema"`)},
		{Name: strings.Repeat("x", maxType+1)}, {Name: "a b"}, {Name: "a\u202eb"}, {Name: "-x"}, {Name: "9"}, {Name: ""}, {Name: "bad_reply", ReplyType: "x\x1b"},
	}
	c := newCatalogue(list)
	if len(c.services) != 4 || c.services["ok"].Pattern != "" || c.services["ok"].Example != nil {
		t.Errorf("got %d services: %+v", len(c.services), c.services["ok"])
	}
	many := make([]Service, 3*typesKeep)
	for i := range many {
		many[i] = Service{Name: "s" + strings.Repeat("i", i%150) + string(rune('a'+i%26)) + strings.Repeat("j", i/150)}
	}
	if n := len(newCatalogue(many).services); n > typesKeep {
		t.Errorf("kept %d", n)
	}
	s := NewSession(Config{Dial: fakeDial})
	defer s.Close()
	mustExec(t, s, "connect plain:1", "rpc fib int")
	s.mu.Lock()
	s.catalogue = c
	s.mu.Unlock()
	for _, line := range []string{"rpc", "services wide", "rpc show wide", "help wide", "history"} {
		r, err := s.Exec(t.Context(), line)
		if strings.ContainsAny(r.Text, "\x1b\u202e") || err != nil {
			t.Errorf("%s: %q %v", line, r.Text, err)
		}
	}
	if text := s.offer([]serviceJSON{s.service("ok"), s.service("wide")}, 78); strings.ContainsAny(text, "\x1b") || len(text) > 2000 {
		t.Errorf("%d bytes: %.200q", len(text), text)
	}
	if got, _ := s.Shape("fib"); got != "int" {
		t.Errorf("fib is %s, want what was registered", got)
	}
	if e := fails(t, s, `call fib "x"`); e.Exit != ExitType {
		t.Errorf("got %v", e)
	}
}

// A place that the server names is shown in the line that was typed, also behind references.
func TestViolations(t *testing.T) {
	s := modern(t)
	mustExec(t, s, "call fib 10") // $1 is 89
	for _, c := range []struct {
		line string
		at   int
	}{
		{`call picky {"base":2,"exp":-1}`, 27},
		{`call picky  { "base" : $1, "exp" : -1 }`, 35},
		{`call picky {"exp":[0]}`, 18}, // the server names the field alone
	} {
		_, err := s.Exec(t.Context(), c.line)
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.Line != c.line || e.At != c.at {
			t.Errorf("%s: got %+v", c.line, e)
		}
	}
	if e := fails(t, s, "!!"); e.Line != "" {
		t.Errorf("nothing was typed, yet %q", e.Line)
	}
}
