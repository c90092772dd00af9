package repl

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/chzyer/readline"

	"github.com/rpckids/rpckids/console"
)

// fixture is an editor without a terminal. press does what readline does with a key that is the editor's.
type fixture struct {
	*editor
	t      *testing.T
	line   []rune
	pos    int
	kicked int
}

func newFixture(t *testing.T, history ...string) *fixture {
	t.Helper()
	s := console.NewSession(console.Config{History: console.NewHistory(history, nil)})
	scr := newScreen(io.Discard, func() (int, int) { return 80, 24 }, nil)
	f := &fixture{t: t, editor: &editor{session: s, screen: scr, out: io.Discard}}
	f.kick = func() { f.kicked++ }
	t.Cleanup(func() { _ = s.Close() })
	return f
}

// press sends keys; those that are not the editor's are typed at the caret.
func (f *fixture) press(keys ...rune) {
	f.t.Helper()
	for _, k := range keys {
		r, ok := f.key(k)
		if !ok {
			f.t.Fatalf("key %q is swallowed: readline would go on reading", k)
		}
		if r >= ' ' && r != readline.CharBackspace {
			f.line = slices.Insert(f.line, f.pos, r)
			f.pos++
		}
		if line, pos, changed := f.OnChange(slices.Clone(f.line), f.pos, r); changed {
			f.line, f.pos = line, pos
		}
		f.screen.Paint(f.line, f.pos)
	}
}

func (f *fixture) want(line string) {
	f.t.Helper()
	if got := string(f.line[:f.pos]) + "|" + string(f.line[f.pos:]); got != line {
		f.t.Errorf("the line is %q, want %q", got, line)
	}
}

func TestSearch(t *testing.T) {
	f := newFixture(t, "call fib 1", "call exp 2", "status", "call FIB 3", "二的十")
	f.press([]rune("typed")...)
	f.press(readline.CharBckSearch)
	f.want("typed|")
	f.press([]rune("fib")...)
	f.want("call FIB| 3")
	f.press(readline.CharBckSearch)
	f.want("call fib| 1")
	f.press(readline.CharBckSearch)
	f.want("call fib| 1")
	if got := f.screen.footer; len(got) != 1 || !strings.Contains(got[0], "nothing more found") {
		t.Errorf("the footer is %q", got)
	}
	f.press(readline.CharFwdSearch)
	f.want("call FIB| 3")
	f.press(readline.CharBell)
	f.want("typed|")
	if f.search != nil || len(f.screen.footer) != 0 {
		t.Errorf("the search goes on, footer %q", f.screen.footer)
	}
}

func TestSearchKeys(t *testing.T) {
	f := newFixture(t, "call fib 1", "二的十")
	f.press(readline.CharBckSearch, '的')
	f.want("二的|十")
	f.press(readline.CharBackspace, 'f')
	f.want("call f|ib 1")
	f.press('x')
	f.want("call f|ib 1") // not found: it stays
	f.press(readline.CharInterrupt)
	f.want("|")
	if f.kicked != 1 {
		t.Errorf("readline was kicked %d times after ctrl+c, want once", f.kicked)
	}
	f.press(readline.CharBckSearch, '1')
	if r, _ := f.key(readline.CharEnter); r != readline.CharEnter || f.search != nil {
		t.Errorf("enter in a search gives %q, want enter and the search over", r)
	}
	f.want("call fib 1|")
	f.press(readline.CharBckSearch, 'f')
	if r, _ := f.key(readline.CharBackward); r != readline.CharBackward || f.search != nil {
		t.Errorf("an arrow in a search gives %q, want the arrow and the search over", r)
	}
}

func TestSearchInEmptyHistory(t *testing.T) {
	f := newFixture(t)
	f.press(readline.CharBckSearch, 'a', readline.CharBckSearch, readline.CharFwdSearch, readline.CharBackspace, readline.CharBell)
	f.want("|")
}

func TestSearchSkipsRepetitions(t *testing.T) {
	f := newFixture(t, "call a", "call b", "call b2", "call b")
	f.press(readline.CharBckSearch, 'l')
	f.want("cal|l b")
	f.press(readline.CharBckSearch)
	f.want("cal|l b2")
}

func TestKeysOfTheEditor(t *testing.T) {
	tests := []struct {
		name string
		r    rune
		want rune
	}{
		{"letter", 'a', 'a'},
		{"Chinese", '二', '二'},
		{"emoji", '🙂', '🙂'},
		{"ctrl+z would stop the shell", readline.CharCtrlZ, readline.CharBell},
		{"esc", readline.CharEsc, readline.CharBell},
		{"ctrl+o is no character", 15, readline.CharBell},
		{"C1", 0x9b, readline.CharBell},
		{"unknown alt key", readline.MetaTranspose, readline.CharBell},
		{"alt+b", readline.MetaBackward, readline.MetaBackward},
		{"alt+backspace", readline.MetaBackspace, readline.MetaBackspace},
		{"ctrl+w", readline.CharCtrlW, readline.CharCtrlW},
		{"ctrl+d", readline.CharDelete, readline.CharDelete},
		{"enter", readline.CharEnter, readline.CharEnter},
		{"end of input", 0, 0},
	}
	for _, test := range tests {
		if got, ok := newFixture(t).key(test.r); got != test.want || !ok {
			t.Errorf("%s: key(%q) = %q, %t, want %q, true", test.name, test.r, got, ok, test.want)
		}
	}
}

func TestDelete(t *testing.T) {
	f := newFixture(t)
	f.press([]rune("a二b")...)
	f.pos = 1
	f.press(keyDelete)
	f.want("a|b")
	f.pos = 2
	f.press(keyDelete)
	f.want("ab|")
}

func TestQuestionMark(t *testing.T) {
	f := newFixture(t)
	var out strings.Builder
	f.out = &out
	f.press('?')
	f.want("|")
	if out.Len() == 0 {
		t.Error("? on an empty line shows no help")
	}
	f.press('a', '?')
	f.want("a?|")
	f.line, f.pos = nil, 0
	f.reset("call exp {\n", "")
	f.screen.Paint(nil, 0)
	f.press('?')
	f.want("?|")
}

func TestCommonPrefix(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"connect", "copy", "co"}, {"call", "call", "call"}, {"二的", "二十", "二"}, {"a", "b", ""}, {"", "x", ""},
	} {
		if got := commonPrefix(test.a, test.b); got != test.want {
			t.Errorf("commonPrefix(%q, %q) = %q, want %q", test.a, test.b, got, test.want)
		}
	}
}

func TestList(t *testing.T) {
	got := list([]console.Offer{{Text: "call ", Help: "send and wait"}, {Text: "cast ", Help: "send"}}, 40)
	want := []string{"call   send and wait", "cast   send"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = list([]console.Offer{{Text: "exp"}, {Text: "fib"}, {Text: "二的十"}}, 20)
	if want := []string{"exp     fib", "二的十"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStyle(t *testing.T) {
	mark := Style(func(role Role, text string) string { return "<" + text + ">" })
	for _, test := range []struct{ got, want string }{
		{mark.value(`{"a":1,"b":"x:\"y","c":{"d":2}}`), `{<"a":>1,<"b":>"x:\"y",<"c":>{<"d":>2}}`},
		{mark.value(`89`), `89`},
		{mark.value(`["a","b"]`), `["a","b"]`},
		{mark.aside("error: no"), "<error:> no"},
		{mark.aside("   ^"), "<   ^>"},
		{mark.aside("#1 ok"), "<#1 ok>"},
		{Style(nil).aside("error: no"), "error: no"},
		{Style(nil).value(`{"a":1}`), `{"a":1}`},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
