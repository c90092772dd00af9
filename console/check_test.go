package console

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// taught returns a session that knows the teaching types and called some.
func taught(t testing.TB) *Session {
	s := connected(t)
	mustExec(t, s, "rpc fib int", "rpc fib_res int64", "rpc exp {base:int,exp:int}", "rpc exp_res {value:int64,costInNanos:int64} --server-time .costInNanos",
		`call exp {"base":2,"exp":10}`, "call max")
	return s
}

func TestCheck(t *testing.T) {
	s := taught(t)
	const exp = "exp {base:int, exp:int} → exp_res {value, costInNanos}"
	for _, c := range []struct {
		line  string
		state HintState
		at    int
		text  string // a part of it
	}{
		{"", HintNone, 0, ""},
		{"# note", HintNone, 0, ""},
		{"c", HintNone, 0, "connect  call  cast  chat  copy  clear"},
		{"cal", HintNone, 0, "call: send a request"},
		{"call", HintNone, 0, "call TYPE [PAYLOAD]"},
		{"callx", HintBad, 0, `no command "callx"; nearest is call`},
		{"callx ", HintBad, 0, `no command "callx"`},
		{"call exp", HintNone, 0, exp},
		{"call exp ", HintNone, 0, exp},
		{"call exp {", HintNone, 0, exp},
		{`call exp {"ba`, HintNone, 0, exp},
		{`call exp {"base":2`, HintNone, 0, exp},
		{`call exp {"base":2,"exp":10}`, HintGood, 0, exp},
		{`exp {"base":2,"exp":10}`, HintGood, 0, exp},
		{`call exp {"base":2}`, HintBad, 18, `needs "exp" (int), missing`},
		{`call exp {"base":2} --no-check`, HintGood, 0, exp},
		{`call exp {"base":2,x`, HintBad, 19, `expected a field's name in quotes; names have quotes: "x"`},
		{`call exp {"base":2,"exp":10} --`, HintGood, 0, ""},
		{`call exp {"base":2,"exp":10} --ti`, HintNone, 0, "--timeout D"},
		{`call exp {"base":2,"exp":10} --tx`, HintBad, 29, "call has no flag --tx"},
		{`call exp {"base":2,"exp":10} --timeout`, HintNone, 0, "call TYPE"},
		{`call exp {"base":2,"exp":10} --timeout 5`, HintGood, 0, exp},
		{`call exp {"base":2,"exp":10} --timeout 5 `, HintBad, 39, `"5" is not a time`},
		{`call exp {"base":$last,"exp":10}`, HintGood, 0, exp},
		{`call exp {"base":$2,"exp":$1.value}`, HintGood, 0, exp},
		{`call exp {"base":$1,"exp":1}`, HintBad, 17, "wants int at .base, got an object"},
		{`call exp {"base":$la`, HintNone, 0, exp},
		{`call exp {"base":$77,"exp":1} `, HintBad, 17, "there is no #77 yet"},
		{"call fib 1", HintGood, 0, "fib int → fib_res int64"},
		{"call fib -", HintNone, 0, ""},
		{"call fib - ", HintBad, 9, "standard input is not for payloads here"},
		{"call fib @no-such-file", HintGood, 0, ""},
		{"call fib tru", HintNone, 0, ""},
		{"call fib true", HintBad, 9, "wants int, got true"},
		{"call max", HintNone, 0, "max → max_res"},
		{"call max ", HintGood, 0, "max → max_res"},
		{"call unknown 1", HintGood, 0, "no shape is registered"},
		{"rpc", HintNone, 0, "rpc [TYPE SHAPE]"},
		{"rpc x in", HintNone, 0, ""},
		{"rpc x int", HintGood, 0, "register x int"},
		{"rpc x inx,", HintBad, 6, `no type "inx"`},
		{"rpc x {a:int", HintNone, 0, ""},
		{"rpc x {a int}", HintBad, 9, `expected ":"`},
		{"set timeout 5s", HintGood, 0, "timeout: how long a call may take"},
		{"set timeout x ", HintBad, 12, "is not a time"},
		{"set timeot 5s", HintBad, 4, "nearest is timeout"},
		{"connect :8888", HintGood, 0, "connect to localhost:8888"},
		{"quit now", HintBad, 5, "takes no more words"},
		{strings.Repeat("x", maxChecked+1), HintNone, 0, ""},
	} {
		h := s.Check(c.line)
		if h.State != c.state || h.At != c.at || !strings.Contains(h.Text, c.text) {
			t.Errorf("Check(%.60q):\n got %d %d %q\nwant %d %d %q", c.line, h.State, h.At, h.Text, c.state, c.at, c.text)
		}
	}
}

func TestComplete(t *testing.T) {
	s := taught(t)
	for _, c := range []struct {
		line  string // | is the cursor, at the end if it is not there
		from  int
		items string // all of them, or the first ones before ...
	}{
		{"", 0, "connect |disconnect|reconnect..."},
		{"ca", 0, "call |cast "},
		{"e", 0, "expect |export |exit|exp "},
		{"call ", 5, "exp |fib |max "},
		{"call e", 5, "exp "},
		{"call e| {}", 5, "exp "},
		{"call exp ", 9, `{"base":0,"exp":0}|{"base":2,"exp":10}|$last`},
		{`call exp {"base":2`, 9, `{"base":2,"exp":10}`},
		{"call exp $", 9, "$last|$2|$1"},
		{`call exp {"base":$1`, 17, ""},
		{`call exp {"base":$l`, 17, "$last"},
		{"call exp --", 9, "--timeout |--reply |--no-check |--idempotent "},
		{"call exp --timeout 1s --", 22, "--reply |--no-check |--idempotent "},
		{"call exp --reply ", 17, "exp_res |fib_res "},
		{"cast exp --r", 9, ""},
		{"rpc ", 4, "show |rm |max_res "},
		{"rpc max_res ", 12, "int64"},
		{"rpc show f", 9, "fib|fib_res"},
		{"rpc x int3", 6, "int32"},
		{"set ", 4, "timeout |strict |box |motion |theme "},
		{"set theme ", 10, "auto|dark|light|mono|high-contrast|colour-blind"},
		{"show ", 5, "2|1"},
		{"help ex", 5, "expect|export|exit-codes"},
		{"connect ", 8, "localhost:8888|-"},
		{"nonsense ", 9, ""},
		{"# c", 3, ""},
	} {
		line, _, found := strings.Cut(c.line, "|")
		rest := line
		if found {
			rest = strings.Replace(c.line, "|", "", 1)
		}
		got := s.Complete(rest, len(line))
		var texts []string
		for _, i := range got.Offers {
			texts = append(texts, i.Text)
		}
		text := strings.Join(texts, "|")
		want, some := strings.CutSuffix(c.items, "...")
		if len(texts) > 0 && got.From != c.from || text != want && !(some && strings.HasPrefix(text, want)) {
			t.Errorf("Complete(%q) = %d %s, want %d %s", c.line, got.From, text, c.from, c.items)
		}
	}
}

// A shape may have names that would turn the direction of writing: they are shown as escapes, beside what is offered too.
func TestTypingIsPrintable(t *testing.T) {
	s := taught(t)
	mustExec(t, s, "rpc odd {a\u202eb:int}", `call echo {"":1,"ok":2}`)
	for _, line := range []string{"call odd ", "odd", "rpc show o", "help o", "call echo $last"} {
		for _, i := range s.Complete(line, len(line)).Offers {
			if !clean(i.Text) || !clean(i.Help) || i.Text == "$last." {
				t.Errorf("Complete(%q) offers %+v", line, i)
			}
		}
	}
	if got := s.Complete("call odd ", 9).Offers; len(got) == 0 {
		t.Error("no template") // the one above must have looked at something
	}
}

// Whatever is typed, judging and completing it neither fails nor points out of the line, and what is offered can be shown.
func FuzzTyping(f *testing.F) {
	for _, line := range []string{`call exp {"base":$last.x[0],"exp":"${2}"}`, "rpc x {a:int, b?:*string} --of y --server-time .a", "!128", "set timeout 5s",
		"call --timeout=5s -- fib -1", "history \"x --slow 1s", "\x00\xff{[\"", "call fib $", "call fib ${last", "connect [::1", "help ?"} {
		f.Add(line, len(line))
	}
	s := taught(f)
	f.Fuzz(func(t *testing.T, line string, at int) {
		h := s.Check(line)
		if h.At < 0 || h.At > len(line) || !clean(h.Text) && utf8.ValidString(h.Text) {
			t.Fatalf("Check(%q) = %+v", line, h)
		}
		c := s.Complete(line, at)
		if c.From < 0 || c.From > len(line) {
			t.Fatalf("Complete(%q, %d) from %d", line, at, c.From)
		}
		if i := slices.IndexFunc(c.Offers, func(i Offer) bool { return !clean(i.Text) || !clean(i.Help) }); i >= 0 {
			t.Fatalf("Complete(%q, %d): %+v", line, at, c.Offers[i])
		}
		in := scan(line)
		for _, w := range in.words {
			if line[w.at:w.end()] != w.text {
				t.Fatalf("scan(%q): %q at %d", line, w.text, w.at)
			}
		}
		_ = Incomplete(line)
		if x, err := expand(line, s.reply); err == nil {
			for i := range x.text {
				if src := x.source(i); src < 0 || src > len(line) {
					t.Fatalf("expand(%q): byte %d comes from %d", line, i, src)
				}
			}
		}
		_ = (&Error{Line: line, At: at}).Caret()
	})
}

func BenchmarkCheck(b *testing.B) {
	s := taught(b)
	for b.Loop() {
		s.Check(`call exp {"base":2,"exp":10}`)
	}
}
