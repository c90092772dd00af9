package dash

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// isQuit says whether a command ends the program.
func isQuit(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, quit := cmd().(tea.QuitMsg)
	return quit
}

func filled(t *testing.T) *model {
	t.Helper()
	s := newSession(t)
	fill(s.Journal(), false)
	return open(t, s, 80, 24, Config{})
}

func TestFocus(t *testing.T) {
	for _, tc := range []struct {
		keys  string
		focus place
	}{
		{"alt+1", atCalls}, {"alt+2", atTiming}, {"alt+3", atResult}, {"alt+4", atWire}, {"alt+5", atLog},
		{"ctrl+o", atCalls}, {"ctrl+o ctrl+o", atTiming}, {"ctrl+o ctrl+o ctrl+o ctrl+o ctrl+o ctrl+o", atPrompt},
		{"alt+1 tab", atTiming}, {"alt+3 tab", atWire}, {"alt+5 tab", atCalls}, {"alt+1 shift+tab", atLog}, {"alt+3 shift+tab", atTiming},
		{"alt+1 esc", atPrompt}, {"alt+1 enter", atResult}, {"alt+1 e", atPrompt}, {"alt+1 ?", atCalls},
	} {
		m := filled(t)
		press(m, strings.Fields(tc.keys)...)
		if m.focus != tc.focus {
			t.Errorf("after %s: got the keyboard at %d, want %d", tc.keys, m.focus, tc.focus)
		}
	}
}

func TestCallsKeys(t *testing.T) {
	for _, tc := range []struct {
		keys  string
		shown int // the entry in the hero
	}{
		{"", 35}, {"up", 34}, {"k k", 33}, {"up up down", 34}, {"home", 1}, {"home end", 35}, {"home j", 2}, {"pgup", 29}, {"up down down down", 35},
	} {
		m := filled(t)
		press(m, append([]string{"alt+1"}, strings.Fields(tc.keys)...)...)
		if m.shown.Number != tc.shown {
			t.Errorf("after %q: got #%d, want #%d", tc.keys, m.shown.Number, tc.shown)
		}
	}
}

// TestListStands sees that a list which was scrolled stays where it is while calls arrive, and says how many are new.
func TestListStands(t *testing.T) {
	m := filled(t)
	press(m, "alt+1", "up", "up")
	call(m.session.Journal(), 40, "fib", "1", "1", 300*micro, 0)
	m.Update(tickMsg{})
	if m.shown.Number != 33 || !strings.Contains(text(m), "#33, 3 newer") {
		t.Errorf("got #%d on:\n%s", m.shown.Number, text(m))
	}
	press(m, "esc")
	if m.shown.Number != 36 {
		t.Errorf("back at the prompt: got #%d, want the newest", m.shown.Number)
	}
}

// TestLettersTogether sees that letters which arrived in one message are keys of their own in a list, and text in the prompt.
func TestLettersTogether(t *testing.T) {
	m := filled(t)
	press(m, "alt+1", "kkk")
	if m.shown.Number != 32 {
		t.Errorf("kkk in the list: got #%d, want #32", m.shown.Number)
	}
	press(m, "esc", "kkk")
	if got := m.prompt.edit.String(); got != "kkk" {
		t.Errorf("kkk at the prompt: got %q", got)
	}
}

func TestEnterRuns(t *testing.T) {
	m := filled(t)
	enter(t, m, "call fib 10")
	e, ok := m.session.Journal().Entry(36)
	if !ok || e.State != console.OK || string(e.Result) != "89" {
		t.Fatalf("got %+v", e)
	}
	if !m.prompt.empty() {
		t.Errorf("the prompt still holds %q", m.prompt.edit.String())
	}
	if lines := m.session.History().Lines(); !slices.Contains(lines, "call fib 10") {
		t.Errorf("history: %q", lines)
	}
}

func TestRerunAndEdit(t *testing.T) {
	m := filled(t)
	press(m, "alt+1", "up", "up", "up") // #32
	settle(m, press(m, "r"))
	if e, _ := m.session.Journal().Entry(36); e.Type != "exp" || string(e.Payload) != `{"base":2,"exp":10}` {
		t.Errorf("rerun made %+v", e)
	}
	press(m, "home", "e")
	if got, want := m.prompt.edit.String(), "call fib 10"; got != want || m.focus != atPrompt {
		t.Errorf("edit put %q there, want %q", got, want)
	}
}

// TestTwoAtOnce sees that a line can be typed and run while another call waits, and that ctrl+c ends that call and nothing else.
func TestTwoAtOnce(t *testing.T) {
	m := filled(t)
	slow := press(m, "call slow 500", "enter")
	done := make(chan tea.Msg)
	go func() { done <- slow() }() // ends when ctrl+c below cancels the call
	waitRunning(t, m.session, 1)
	enter(t, m, "call fib 10")
	if e, _ := m.session.Journal().Entry(37); e.State != console.OK {
		t.Errorf("the second call is %v while the first waits", e.State)
	}
	press(m, "call fib 11", "ctrl+c")
	m.Update(<-done)
	if e, _ := m.session.Journal().Entry(36); e.State != console.Failed || e.Word() != "stopped" {
		t.Errorf("the slow call is %v, %s", e.State, e.Word())
	}
	if got := m.prompt.edit.String(); got != "call fib 11" {
		t.Errorf("the line being typed became %q", got)
	}
}

// waitRunning waits for the journal to say that n calls run.
func waitRunning(t *testing.T, s *console.Session, n int) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for s.Journal().Totals().Running != n {
		select {
		case <-s.Journal().Bell():
		case <-limit:
			t.Fatalf("there are %d running calls, want %d", s.Journal().Totals().Running, n)
		}
	}
}

func TestInterrupt(t *testing.T) {
	m := filled(t)
	press(m, "call", "ctrl+c")
	if !m.prompt.empty() {
		t.Errorf("ctrl+c left %q", m.prompt.edit.String())
	}
	if press(m, "ctrl+c"); !strings.Contains(text(m), "ctrl+c again or ctrl+d to quit") {
		t.Errorf("no offer to leave:\n%s", text(m))
	}
	m.clock = func() time.Time { return noon.Add(patience) }
	if m.Update(calmMsg{}); strings.Contains(text(m), "again") {
		t.Errorf("the offer stays:\n%s", text(m))
	}
	if press(m, "ctrl+c"); m.next == console.Quit {
		t.Errorf("a single ctrl+c after the offer leaves")
	}
	if cmd := press(m, "ctrl+c"); !isQuit(cmd) || m.next != console.Quit {
		t.Errorf("the second ctrl+c does not leave")
	}
}

func TestLeave(t *testing.T) {
	m := filled(t)
	press(m, "abc", "left", "ctrl+d")
	if got := m.prompt.edit.String(); got != "ab" {
		t.Errorf("ctrl+d in a line: got %q", got)
	}
	if cmd := press(filled(t), "ctrl+d"); !isQuit(cmd) {
		t.Errorf("ctrl+d on an empty line does not leave")
	}
	for line, next := range map[string]console.Next{"repl": console.OpenREPL, "quit": console.Quit} {
		m := filled(t)
		_, quit := m.Update(press(m, line, "enter")())
		if !isQuit(quit) || m.next != next {
			t.Errorf("%s: got %v", line, m.next)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct{ line, hint, result string }{
		{`call exp {"base":2}`, "not sent", ""},
		{`call fib {oops`, "not sent", ""},
		{`cal fib 10`, "", "cal"},
	} {
		m := filled(t)
		before := m.session.Journal().Last()
		enter(t, m, tc.line)
		got := text(m)
		lines := strings.Split(got, "\n")
		if hint := lines[m.layout.hint]; !strings.Contains(hint, tc.hint) || !strings.Contains(hint, m.theme.Mark.Caret) {
			t.Errorf("%s: hint %q, want %q", tc.line, hint, tc.hint)
		}
		if !strings.Contains(got, tc.result) || m.session.Journal().Last() != before {
			t.Errorf("%s: sent, or not told:\n%s", tc.line, got)
		}
		if m.prompt.edit.String() != tc.line {
			t.Errorf("%s: the line became %q", tc.line, m.prompt.edit.String())
		}
	}
	m := filled(t)
	enter(t, m, "call fail 1")
	for _, want := range []string{"not found", `no \x1b[31msuch thing`, "services"} {
		if !strings.Contains(text(m), want) {
			t.Errorf("a failing call does not tell %q:\n%s", want, text(m))
		}
	}
}

// TestCaretStandsUnderTheByte sees the caret under the wrong byte, also behind wide characters.
func TestCaretStandsUnderTheByte(t *testing.T) {
	s := newSession(t)
	m := open(t, s, 100, 30, Config{})
	enter(t, m, `call exp {"base":"二的","exp":1}`)
	lines := strings.Split(text(m), "\n")
	prompt, hint := lines[m.layout.prompt], lines[m.layout.hint]
	want := width(prompt[:strings.Index(prompt, `"二的"`)])
	if got := width(hint[:strings.Index(hint, m.theme.Mark.Caret)]); got != want {
		t.Errorf("the caret stands in cell %d, want %d:\n%s\n%s", got, want, prompt, hint)
	}
}

func TestHelpAndSearch(t *testing.T) {
	m := filled(t)
	for _, keys := range [][]string{{"f1"}, {"?"}, {"alt+1", "?"}} {
		press(m, keys...)
		if !strings.Contains(text(m), "f1 Help") {
			t.Errorf("%v opens no help", keys)
		}
		press(m, "esc", "esc")
		if m.overlay != nil || m.focus != atPrompt {
			t.Errorf("esc does not close what %v opened", keys)
		}
	}
	for _, line := range []string{"call fib 10", "call exp 二的", "status"} {
		m.session.History().Add(line)
	}
	press(m, "ctrl+r", "二", "enter")
	if got := m.prompt.edit.String(); got != "call exp 二的" || m.session.Journal().Last() != 35 {
		t.Errorf("search put %q there", got)
	}
	press(m, "ctrl+u", "ctrl+r", "call", "down", "tab")
	if got := m.prompt.edit.String(); got != "call fib 10" {
		t.Errorf("the second find is %q", got)
	}
}

func TestZoom(t *testing.T) {
	m := filled(t)
	press(m, "alt+1", "f")
	if got := text(m); strings.Contains(got, "Result") || !strings.Contains(got, "16 of 35") {
		t.Errorf("not zoomed:\n%s", got)
	}
	press(m, "f")
	if got := text(m); !strings.Contains(got, "3 Result") {
		t.Errorf("still zoomed:\n%s", got)
	}
}

func TestSettingsChangeTheLook(t *testing.T) {
	m := filled(t)
	enter(t, m, "set box ascii")
	if got := text(m); strings.ContainsAny(got, "╭│█✓") {
		t.Errorf("still boxes:\n%s", got)
	}
	enter(t, m, "set box unicode")
	enter(t, m, "set theme dark")
	if got := m.View(); !strings.Contains(got, "38;2;") || !strings.Contains(got, "╭") {
		t.Errorf("no colours with the dark theme")
	}
}

// TestPanicInCommand plants one in a command of the session and one in our own: the first is an error, the second ends the program in order.
func TestPanicInCommand(t *testing.T) {
	m := filled(t)
	enter(t, m, "call panic 1")
	if m.err != nil || !strings.Contains(text(m), "planted") {
		t.Errorf("got %v and\n%s", m.err, text(m))
	}
	_, cmd := m.Update(guarded(func() tea.Msg { panic("ours") })())
	if !isQuit(cmd) || m.err == nil || !strings.Contains(m.err.Error(), "ours") {
		t.Errorf("a panic of ours ended with %v", m.err)
	}
}

// Each ctrl+c takes one more call: the newest that is not being cancelled already.
func TestInterruptTakesOneCallAfterTheOther(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{})
	done := make(chan tea.Msg, 2)
	for range 2 {
		slow := press(m, "call slow 500", "enter")
		go func() { done <- slow() }() // ends when ctrl+c below cancels its call
	}
	waitRunning(t, m.session, 2)
	press(m, "ctrl+c", "ctrl+c")
	for range 2 {
		m.Update(<-done)
	}
	if n := m.session.Journal().Totals(); n.Failed != 0 || n.Running != 0 {
		t.Errorf("got %+v, want both cancelled, which is no failure", n)
	}
	if screen := text(m); strings.Count(screen, "! stopped") < 2 {
		t.Errorf("want both stopped in\n%s", screen)
	}
}

// A line whose brackets are open goes on instead of failing.
func TestLineGoesOn(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{})
	press(m, `call exp {"base":2,`, "enter")
	if !strings.Contains(text(m), "the line goes on") || m.session.Journal().Last() != 0 {
		t.Errorf("enter inside brackets gives\n%s", text(m))
	}
	settle(m, press(m, `"exp":10}`, "enter"))
	if e, _ := m.session.Journal().Entry(1); e.State != console.OK {
		t.Errorf("the whole line is %v: %v", e.State, e.Err)
	}
}

// A mistake is not lost when the next line is being typed already.
func TestMistakeOfAFastTyper(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{})
	cmd := press(m, "cal fib 1", "enter")
	press(m, "call")
	settle(m, cmd)
	if screen := text(m); !strings.Contains(screen, `no command "cal"`) || m.prompt.edit.String() != "call" {
		t.Errorf("got\n%s", screen)
	}
}

func TestWrapKeepsFlagsWhole(t *testing.T) {
	for _, row := range wrap("wait longer with --timeout 30s or --no-check", 20) {
		if strings.HasSuffix(row, "-") || strings.HasPrefix(row, "timeout") {
			t.Errorf("a flag was broken: %q", row)
		}
	}
}

// A line that was refused waits to be mended; typing begins another one instead of going behind it.
func TestRefusedLine(t *testing.T) {
	const wrong = "call exp {\"base\":2}"
	for _, tc := range []struct {
		name, want string
		keys       []string
	}{
		{"typing begins anew", "top 1", []string{"top", " ", "1"}},
		{"one more letter", "top", []string{"t", "o", "p"}},
		{"a space goes on", wrong + " -", []string{" ", "-"}},
		{"an arrow mends", wrong[:len(wrong)-1] + "x}", []string{"left", "x"}},
		{"backspace mends", wrong[:len(wrong)-1], []string{"backspace"}},
		{"end takes it up", wrong + "x", []string{"end", "x"}},
		{"up recalls it", wrong + "x", []string{"t", "ctrl+u", "up", "x"}},
		{"up takes it up", wrong + "x", []string{"up", "x"}},
		{"esc drops it", "", []string{"esc"}},
	} {
		m := open(t, newSession(t), 80, 24, Config{Theme: looks("dark", false)})
		enter(t, m, wrong)
		if got := m.prompt.edit.String(); got != wrong {
			t.Fatalf("the line became %q", got)
		}
		chosen, _ := m.prompt.view(80)
		if !strings.Contains(text(m), "left mend the line") {
			t.Errorf("nothing tells how to mend it:\n%s", text(m))
		}
		press(m, tc.keys...)
		if got := m.prompt.edit.String(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		if m.prompt.set(wrong); true {
			if plain, _ := m.prompt.view(80); plain == chosen {
				t.Errorf("it does not look chosen: %q", chosen)
			}
		}
	}
}

// What cures a mistake is never cut: it goes on in a second row at 80 columns, and in Result where that is not enough.
func TestCuresAreWhole(t *testing.T) {
	for _, tc := range []struct{ line, cure string }{
		{"peer fly 2", "it is one of kill, stop, start, pause, resume, slow, fail"},
		{"peer kill 1 2 3 4", "usage: peer ACTION N [VALUE]"},
		{"peer kill 9", "they count from 1 to 3: peers lists them"},
		{"call fib 3 --zzz 3", "its flags are "},
	} {
		for _, size := range [][2]int{{80, 24}, {80, 12}, {60, 20}, {48, 20}} {
			s, _ := crowd(t, &lab{states: []string{console.LabRunning, console.LabRunning, console.LabRunning}}, three())
			m := open(t, s, size[0], size[1], Config{})
			enter(t, m, tc.line)
			got := strings.Join(strings.Fields(strings.NewReplacer("│", " ").Replace(text(m))), " ")
			if want := m.prompt.refused.Hint; !strings.Contains(want, tc.cure) || !strings.Contains(got, want) {
				t.Errorf("%v %s: %q is not on\n%s", size, tc.line, want, text(m))
			}
			if size[0] == 80 && m.result.output != nil {
				t.Errorf("%v %s: two rows are enough:\n%s", size, tc.line, text(m))
			}
		}
	}
}
