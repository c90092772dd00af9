package dash

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

func TestEditor(t *testing.T) {
	for _, tc := range []struct {
		text, keys, want string
		at               int
	}{
		{"call fib", "ctrl+a x", "xcall fib", 1},
		{"call fib", "left left backspace", "call ib", 5},
		{"call fib", "ctrl+w", "call ", 5},
		{"call fib 10", "ctrl+w ctrl+w", "call ", 5},
		{"call fib", "ctrl+u ctrl+y ctrl+y", "call fibcall fib", 16},
		{"call fib", "alt+b ctrl+k", "call ", 5},
		{`{"a":1}`, "home delete", `"a":1}`, 0},
		{"a b", "ctrl+a alt+f alt+d", "a", 1},
		{"二的", "left x", "二x的", 2},
		{"", "backspace delete left right ctrl+w ctrl+k", "", 0},
	} {
		var e editor
		e.set(tc.text)
		for _, k := range strings.Fields(tc.keys) {
			e.key(keyMsg(k))
		}
		if e.String() != tc.want || e.at != tc.at {
			t.Errorf("%q after %s: got %q at %d, want %q at %d", tc.text, tc.keys, e.String(), e.at, tc.want, tc.at)
		}
	}
}

func TestEditorWindow(t *testing.T) {
	for _, line := range []string{"", "call", strings.Repeat("abc", 50), strings.Repeat("二的十六", 40)} {
		var e editor
		e.set(line)
		for at := range e.text {
			e.at = at
			for _, w := range []int{1, 2, 7, 40} {
				text, cursor, _ := e.window(w)
				if width(text) > w || cursor < 0 || cursor > max(w-1, 0) {
					t.Fatalf("%q at %d in %d cells: %q with the cursor in %d", line, at, w, text, cursor)
				}
			}
		}
	}
}

func TestHistoryKeys(t *testing.T) {
	m := filled(t)
	for _, l := range []string{"one", "two"} {
		m.session.History().Add(l)
	}
	press(m, "draft")
	for _, step := range []struct{ key, want string }{{"up", "two"}, {"up", "one"}, {"up", "one"}, {"down", "two"}, {"down", "draft"}, {"down", "draft"}} {
		if press(m, step.key); m.prompt.edit.String() != step.want {
			t.Errorf("%s: got %q, want %q", step.key, m.prompt.edit.String(), step.want)
		}
	}
}

func TestPaste(t *testing.T) {
	for _, tc := range []struct {
		name, before, text, want string
		waiting                  int
	}{
		{"one line", "", "call fib 10", "call fib 10", 0},
		{"json over lines", "", "call exp {\r\n  \"base\":2,\n  \"exp\":10\n}\n", `call exp {   "base":2,   "exp":10 }`, 0},
		{"json into a line", "call exp ", "{\n\"base\":2}", `call exp { "base":2}`, 0},
		{"several commands", "", "# a script\ncall fib 1\n\ncall exp {\n}\nstatus\n", "call fib 1", 2},
		{"control characters", "", "call \x1b[31mfib\x07 1", "call [31mfib 1", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := filled(t)
			m.prompt.set(tc.before)
			_, cmd := m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(tc.text), Paste: true})
			if cmd != nil || m.session.Journal().Last() != 35 {
				t.Errorf("a paste ran something")
			}
			if got := m.prompt.edit.String(); got != tc.want || len(m.prompt.waiting) != tc.waiting {
				t.Errorf("got %q and %d waiting, want %q and %d", got, len(m.prompt.waiting), tc.want, tc.waiting)
			}
		})
	}
}

// TestPastedLinesFollow sees that the lines after the first come up one by one, each run by its own enter, and that ctrl+c drops them.
func TestPastedLinesFollow(t *testing.T) {
	m := filled(t)
	m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("call fib 1\ncall fib 2\ncall fib 3"), Paste: true})
	settle(m, press(m, "enter"))
	if got := m.prompt.edit.String(); got != "call fib 2" || m.session.Journal().Last() != 36 {
		t.Errorf("after the first enter: %q, #%d", got, m.session.Journal().Last())
	}
	press(m, "ctrl+c")
	if !m.prompt.empty() || len(m.prompt.waiting) > 0 {
		t.Errorf("ctrl+c left %q and %d waiting", m.prompt.edit.String(), len(m.prompt.waiting))
	}
}

func TestComplete(t *testing.T) {
	m := filled(t)
	press(m, "disc", "tab")
	if got := strings.TrimSpace(m.prompt.edit.String()); got != "disconnect" {
		t.Errorf("one way to go on: got %q", got)
	}
	m = filled(t)
	press(m, "call f", "tab")
	first := m.prompt.edit.String()
	if len(m.prompt.choice.items) > 1 {
		press(m, "tab")
		second := m.prompt.edit.String()
		press(m, "shift+tab", "tab")
		if second == first || m.prompt.edit.String() != second {
			t.Errorf("tab went from %q to %q and back to %q", first, second, m.prompt.edit.String())
		}
	}
	if !strings.HasPrefix(m.prompt.edit.String(), "call f") {
		t.Errorf("completion replaced the line: %q", m.prompt.edit.String())
	}
}

func TestReplaceKeepsWhatFollows(t *testing.T) {
	m := filled(t)
	m.prompt.set("cal fib 10")
	m.prompt.edit.at = 3
	m.prompt.replace(0, "call")
	if got := m.prompt.edit.String(); got != "call fib 10" || m.prompt.edit.at != 4 {
		t.Errorf("got %q at %d", got, m.prompt.edit.at)
	}
}

func TestLiveHint(t *testing.T) {
	m := filled(t)
	press(m, `call exp {"base":2,"exp":10}`)
	if m.prompt.verdict.State != console.HintGood || !strings.Contains(text(m), "✓ exp") {
		t.Errorf("a right line: %+v\n%s", m.prompt.verdict, text(m))
	}
}

// TestCursor sees the terminal's cursor on the cell being typed at, and nowhere while a pane has the keyboard.
func TestCursor(t *testing.T) {
	m := filled(t)
	m.View()
	start := m.caret.x
	press(m, "二的", "left")
	m.View()
	if m.caret.x != start+2 || m.caret.y != m.layout.prompt {
		t.Errorf("got %d, %d; want %d, %d", m.caret.x, m.caret.y, start+2, m.layout.prompt)
	}
	press(m, "alt+1")
	if m.View(); m.caret.x >= 0 {
		t.Errorf("the cursor shows while a pane has the keyboard")
	}
}

// A payload of twenty thousand lines is looked at a few times, not once a line: that took fourteen seconds.
func TestPasteOfManyLines(t *testing.T) {
	m := open(t, newSession(t), 120, 40, Config{})
	lines := 20_000
	m.Update(tea.KeyMsg{Type: tea.KeyRunes, Paste: true, Runes: []rune("call echo [" + strings.Repeat("1,\n", lines) + "1]\ncall fib 10")})
	if got := m.prompt.edit.String(); len(got) != len("call echo [")+3*lines+len("1]") || !strings.HasSuffix(got, "1, 1]") || len(m.prompt.waiting) != 1 || m.prompt.waiting[0] != "call fib 10" {
		t.Errorf("got %d bytes and %q to come", len(got), m.prompt.waiting)
	}
}
