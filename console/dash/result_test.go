package dash

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

const nested = `{"name":"二的十次方","list":[{"a":1,"b":[1,2]},{"a":2,"b":[]}],"deep":{"x":{"y":"needle"}},"end":true}`

// reading is a dashboard with the keyboard in Result, on one reply.
func reading(t testing.TB, reply string, w, h int) *model {
	t.Helper()
	s := newSession(t)
	call(s.Journal(), 1, "echo", `1`, reply, 400*micro, 0)
	m := open(t, s, w, h, Config{})
	settle(m, press(m, "alt+3"))
	return m
}

// typed presses keys and does the work that comes of each.
func typed(m *model, keys ...string) {
	for _, k := range keys {
		settle(m, press(m, k))
	}
	m.dirty = true
}

// inResult are the lines of the pane without its border.
func inResult(m *model) string {
	in := m.layout.frames[atResult].inside()
	var out []string
	for _, l := range m.result.View(in.w, in.h) {
		out = append(out, strings.TrimRight(ansi.Strip(l), " "))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

func TestFold(t *testing.T) {
	for _, tc := range []struct{ keys, want, not string }{
		{"", `"y": "needle"`, "values"},
		{"j j h", `"list": […],  2 values`, `"a": 1`},
		{"j j left right", `"a": 1`, "values"},
		{"j j enter", `2 values`, `"a": 1`},
		{"j j j j h h", `{…},  2 values`, `"a": 1`}, // from a field to its object, and that is folded
		{"J", `"deep": {…},  1 value`, "needle"},
		{"J J", "needle", "values"},
		{"h", `{…}  4 values`, "list"},
		{"G h h", `{…}  4 values`, "list"},
	} {
		m := reading(t, nested, 80, 40)
		press(m, "f")
		typed(m, strings.Fields(tc.keys)...)
		got := inResult(m)
		if !strings.Contains(got, tc.want) || strings.Contains(got, tc.not) {
			t.Errorf("after %q: want %q and not %q in\n%s", tc.keys, tc.want, tc.not, got)
		}
	}
}

func TestLineNumbers(t *testing.T) {
	m := reading(t, `{"a":1,"long":"`+strings.Repeat("x", 3*pieceCap)+`","z":2}`, 80, 24)
	typed(m, "f", "#", "G")
	got := inResult(m)
	if !strings.Contains(got, `4    "z": 2`) || !strings.Contains(got, "5  }") {
		t.Errorf("got\n%s", got)
	}
	typed(m, "#")
	if got := inResult(m); strings.Contains(got, "5  }") {
		t.Errorf("numbers stay:\n%s", got)
	}
}

// A line taller than the pane can be read to its end, and back.
func TestTallLineIsReadToItsEnd(t *testing.T) {
	var long strings.Builder
	for i := range 600 {
		fmt.Fprintf(&long, "word%04d ", i)
	}
	m := reading(t, `{"a":"`+long.String()+`","z":2}`, 60, 24)
	typed(m, "f")
	seen := inResult(m)
	for range 700 {
		typed(m, "j")
		seen += inResult(m)
	}
	seen = strings.NewReplacer("\n", "", " ", "", ">", "").Replace(seen)
	for i := range 600 {
		if w := fmt.Sprintf("ord%04d", i); !strings.Contains(seen, w[1:]) {
			t.Fatalf("%s was never in sight", w)
		}
	}
	if got := inResult(m); !strings.Contains(got, "}") {
		t.Errorf("the end is not in sight:\n%s", got)
	}
	for range 700 {
		typed(m, "k")
	}
	if got := inResult(m); !strings.Contains(got, "word0000") {
		t.Errorf("the start is not in sight:\n%s", got)
	}
}

func TestFilterOfReply(t *testing.T) {
	m := reading(t, nested, 80, 40)
	typed(m, "|")
	for _, r := range ".list[].a" {
		typed(m, string(r))
	}
	if got, want := inResult(m), " | .list[].a\n 1\n 2"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	typed(m, "[")
	if got := inResult(m); !strings.Contains(got, "unexpected") && !strings.Contains(got, "missing") && !strings.Contains(got, "]") {
		t.Errorf("half a filter is not told:\n%s", got)
	}
	typed(m, "backspace", "enter")
	if m.result.Typing() || m.focus != atResult {
		t.Fatal("enter does not end the typing")
	}
	call(m.session.Journal(), 2, "echo", `1`, `{"list":[{"a":77}]}`, 400*micro, 0) // the filter stays for the next reply
	_, cmd := m.Update(tickMsg{})
	settle(m, cmd)
	if got, want := inResult(m), " | .list[].a\n>77"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	typed(m, "|", "esc")
	if got := inResult(m); !strings.Contains(got, `"a": 77`) {
		t.Errorf("the reply is not back:\n%s", got)
	}
}

// What is typed faster than the filter runs ends with the last of it.
func TestFilterTypedFast(t *testing.T) {
	m := reading(t, nested, 80, 40)
	var cmds []func()
	for _, k := range []string{"|", ".", "e", "n", "d"} {
		if cmd := press(m, k); cmd != nil {
			cmds = append(cmds, func() { settle(m, cmd) })
		}
	}
	for _, run := range cmds {
		run()
	}
	if got, want := inResult(m), " | .end\n true"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A filter without an end is stopped, and the screen lives.
func TestFilterWithoutEnd(t *testing.T) {
	m := reading(t, `1`, 80, 24)
	typed(m, "|", "r", "a", "n", "g", "e", "(", "1", "e", "9", ")")
	if got := inResult(m); !strings.Contains(got, "more than") && !strings.Contains(got, "too long") {
		t.Errorf("got\n%s", got)
	}
}

func TestFilterCompletes(t *testing.T) {
	s := newSession(t)
	fill(s.Journal(), false)
	m := open(t, s, 120, 40, Config{})
	typed(m, "alt+3", "|", ".", "c", "tab")
	if got, want := inResult(m), " | .costInNanos\n 28113"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFindInReply(t *testing.T) {
	m := reading(t, nested, 80, 24)
	typed(m, "J", "/", "N", "E", "E", "D")
	if got := inResult(m); !strings.Contains(got, "needle") {
		t.Errorf("what is folded away is not found:\n%s", got)
	}
	typed(m, "enter")
	if got := text(m); !strings.Contains(got, "/NEED 1 of 1") {
		t.Errorf("not told:\n%s", got)
	}
	typed(m, "/", "ctrl+u", `"`, "a", "enter")
	at := m.result.sheet.at
	typed(m, "n")
	if m.result.sheet.at == at || !strings.Contains(text(m), "2 of 2") {
		t.Errorf("n stays at line %d:\n%s", at, text(m))
	}
	typed(m, "N")
	if m.result.sheet.at != at {
		t.Errorf("N goes to line %d, want %d", m.result.sheet.at, at)
	}
	typed(m, "esc")
	if m.result.find.of != nil || m.focus != atResult {
		t.Error("the first esc ends the search")
	}
	typed(m, "esc")
	if m.focus != atPrompt {
		t.Error("the second esc goes to the prompt")
	}
}

func TestFindNothing(t *testing.T) {
	m := reading(t, nested, 80, 24)
	typed(m, "/", "q", "q", "enter", "n", "N")
	if got := text(m); !strings.Contains(got, "/qq not found") {
		t.Errorf("got\n%s", got)
	}
}

// A reply of a megabyte is laid out and searched beside the program, never in Update.
func TestLargeReply(t *testing.T) {
	large := largeReply()
	s := newSession(t)
	call(s.Journal(), 1, "echo", `1`, large, 400*micro, 0)
	cfg := Config{Theme: looks("mono", false)}
	m := newModel(t.Context(), s, cfg)
	_, cmd := m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	if m.result.sheet.doc.json {
		t.Fatal("laid out at once")
	}
	see(t, m, "laying out 1")
	settle(m, cmd)
	typed(m, "alt+3", "end")
	see(t, m, "last one", "of 120 0")
	typed(m, "home", "/", "l", "a", "s", "t", "enter")
	see(t, m, "last one", "/last 1 of 1")
	typed(m, "J")
	see(t, m, "values")
}

// largeReply is a little more than a megabyte of JSON with wide characters.
func largeReply() string {
	return `{"list":[` + strings.Repeat(`{"name":"二的十六次方","n":12345},`, 30_000) + `"last one"]}`
}

func TestDiffKeys(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "d")
	see(t, m, "diff 32 35", "- ", "28977", "+ ", "28113")
	if m.focus != atCalls {
		t.Error("the keyboard left the list")
	}
	typed(m, "k", "k", "k", "k") // the text of the comparison goes when another call is chosen
	if m.result.output != nil {
		t.Error("the comparison stays")
	}
	typed(m, "D")
	see(t, m, "beside which?")
	typed(m, "home", "enter")
	if o := m.result.output; o == nil || o.command != "diff 31 1" {
		t.Errorf("got %+v", o)
	}
	typed(m, "D", "esc")
	if m.calls.beside != 0 || m.focus != atCalls {
		t.Error("esc does not end the choice")
	}
	typed(m, "home", "d")
	see(t, m, "before #1")
	typed(m, "alt+3", "e")
	if m.focus != atPrompt {
		t.Error("e in a comparison does not give its line to the prompt")
	}
}

func TestCopyKeys(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "y")
	see(t, m, "copied the reply of #35")
	typed(m, "Y")
	see(t, m, "copied #35 as a command for a shell")
	if m.calls.number() != 35 || m.session.Journal().Last() != 35 {
		t.Error("copying called something")
	}
	typed(m, "alt+3", "y")
	see(t, m, "copied the reply of #35")
}

// The panes by themselves, so that their pictures stand when something else on the screen changes.
func TestGoldenPanes(t *testing.T) {
	for _, tc := range []struct {
		name string
		keys []string
	}{
		{"result", []string{"alt+3", "j"}},
		{"folded", []string{"alt+3", "f", "#", "j", "j", "h", "G"}},
		{"jq", []string{"alt+3", "|", ".", "d", "e", "e", "p"}},
		{"jqwrong", []string{"alt+3", "|", "d", "e", "e", "p"}},
		{"find", []string{"alt+3", "/", "n", "e", "e", "d"}},
		{"diff", []string{"alt+1", "d", "alt+3"}},
		{"filter", []string{"alt+1", "/", "f", "a", "i", "l", "e", "d"}},
		{"filtered", []string{"alt+1", "/", "s", "l", "o", "w", " ", "4", "0", "0", "u", "s", "enter"}},
		{"misfilter", []string{"alt+1", "/", "s", "l", "o", "w", " ", "4"}},
	} {
		for _, size := range [][2]int{{38, 2}, {78, 8}, {110, 20}} {
			name := fmt.Sprintf("pane-%s-%dx%d", tc.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				s := newSession(t)
				fill(s.Journal(), true)
				call(s.Journal(), 36, "exp", `{"base":2,"exp":16}`, nested, 402*micro, 28000)
				m := open(t, s, 120, 40, Config{})
				typed(m, tc.keys...)
				golden(t, name, paneText(t, m, size[0], size[1]))
			})
		}
	}
}

// paneText is the pane with the keyboard in that size.
func paneText(t *testing.T, m *model, w, h int) string {
	t.Helper()
	p := m.focused()
	if m.focus == atCalls {
		m.calls.load(h)
	} else {
		m.result.load(rect{w: w, h: h})
	}
	lines := p.View(w, h)
	hd := p.Heading(w, h)
	checkScreen(t, strings.Join(lines, "\n"), w, h)
	return ansi.Strip(strings.TrimSpace(hd.name+" "+hd.subject) + " | " + hd.lead + hd.right + "\n" + strings.Join(lines, "\n"))
}

// BenchmarkReadLargeReply is what a key and its frame cost in a reply of a megabyte.
func BenchmarkReadLargeReply(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		for _, key := range []string{"j", "pgdown", "end"} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], key), func(b *testing.B) {
				m := reading(b, largeReply(), size[0], size[1])
				b.SetBytes(int64(len(largeReply())))
				for b.Loop() {
					press(m, key)
					m.View()
				}
			})
		}
	}
	b.Run("oneline", func(b *testing.B) {
		m := reading(b, `{"a":"`+strings.Repeat("二的", 1<<18)+`"}`, 80, 24)
		for b.Loop() {
			press(m, "pgdown")
			m.View()
		}
	})
}

// BenchmarkLayOut is what is done beside the program for it.
func BenchmarkLayOut(b *testing.B) {
	large := json.RawMessage(largeReply())
	b.SetBytes(int64(len(large)))
	for b.Loop() {
		_ = newDocument(large)
	}
}

func TestErrandIsOneAtATime(t *testing.T) {
	s, e, log := &scene{}, &errand{}, ""
	for _, name := range []string{"a", "b", "c"} {
		e.send(s, func() func() { return func() { log += name } })
	}
	for len(s.work) > 0 {
		w := s.work[0]
		s.work = s.work[1:]
		w()()
	}
	if log != "ac" {
		t.Errorf("got %q, want the first and the last", log)
	}
}
