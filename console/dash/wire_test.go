package dash

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// chosenRow is the row of the screen that is chosen in Wire.
func chosenRow(m *model) string {
	in := m.layout.frames[atWire].inside()
	for n, l := range m.bytes.lines {
		if l.field == m.bytes.at && n >= m.bytes.top && n < m.bytes.top+in.h {
			return strings.Split(text(m), "\n")[in.y+n-m.bytes.top]
		}
	}
	return "out of sight"
}

func TestWireKeys(t *testing.T) {
	for _, tc := range []struct{ keys, want string }{
		{"", "╭ length 36"}, {"j", "╰ requestId"}, {"j j j", "╰ type exp"}, {"j k", "╭ length 36"}, {"k", "╭ length 36"}, {"right right", "╭ length 3"},
		{"end", "payload json"}, {"n", "╭ length 36"}, {"n j j j", "╰ type exp_res"}, {"n n j j", "╭ length 3 "}, {"G j", "payload json"}, {"pgdown", "requestId"}, {"pgdown pgdown", "payload json"}, {"pgdown pgup", "╭ length 36"},
	} {
		m := filled(t)
		press(m, append([]string{"alt+4"}, strings.Fields(tc.keys)...)...)
		if got := chosenRow(m); !strings.Contains(got, tc.want) || !strings.HasPrefix(got, "│>") {
			t.Errorf("after %q: got %q, want %q\n%s", tc.keys, got, tc.want, text(m))
		}
	}
}

// The bytes follow the call that is chosen, and the field stays so that two calls can be compared.
func TestWireFollowsTheCall(t *testing.T) {
	m := open(t, fullSession(t), 160, 48, Config{})
	press(m, "alt+4", "j", "j", "j", "alt+1", "home")
	if got := chosenRow(m); !strings.Contains(got, "type fib") || !strings.Contains(text(m), "#1 fib") {
		t.Errorf("got %q in\n%s", got, text(m))
	}
	press(m, "end", "up") // the cast
	if got := text(m); !strings.Contains(got, "a cast has none") {
		t.Errorf("of a cast:\n%s", got)
	}
}

func fullSession(t testing.TB) *console.Session {
	s := newSession(t)
	fill(s.Journal(), false)
	return s
}

// Every byte of a call can be reached and stands under a name, at any width.
func TestWireShowsEveryByte(t *testing.T) {
	payload := `{"list":"` + strings.Repeat("x", 100) + `"}`
	s := newSession(t)
	call(s.Journal(), 0, "exp", payload, `{"value":1}`, 300*micro, 0)
	for w := 40; w <= 220; w += 9 {
		m := open(t, s, w, 40, Config{})
		press(m, "alt+4", "f")
		rows, bytes := 0, 0
		for _, l := range m.bytes.lines {
			if l.field >= 0 {
				rows, bytes = rows+1, bytes+len(l.row.Bytes)+l.row.More
			}
		}
		if want := 51 + len(payload) + 55 + 11; bytes != want {
			t.Errorf("%d wide: %d bytes in %d rows, want %d", w, bytes, rows, want)
		}
		press(m, "end")
		if got := chosenRow(m); got == "out of sight" {
			t.Errorf("%d wide: the last field cannot be reached", w)
		}
	}
}

// A reply of many megabytes costs no more than a small one.
func TestWireOfALargeReply(t *testing.T) {
	s := newSession(t)
	call(s.Journal(), 0, "echo", "1", `"`+strings.Repeat("x", 8<<20)+`"`, 300*micro, 0)
	m := open(t, s, 120, 40, Config{})
	press(m, "alt+4", "f", "end")
	if n := len(m.bytes.lines); n > 100 {
		t.Errorf("%d lines", n)
	}
	if got := text(m); !strings.Contains(got, "MiB more") {
		t.Errorf("got\n%s", got)
	}
}

// A call over version 2: its fields are other ones, and their names longer.
func TestGoldenWireV2(t *testing.T) {
	s := newSession(t)
	e := s.Journal().Start(console.Entry{Type: "exp", Payload: json.RawMessage(`{"base":2,"exp":10}`), Timeout: 5 * time.Second, Started: noon})
	e.State, e.ReplyType, e.Result = console.OK, "exp_res", json.RawMessage(`{"value":1024,"costInNanos":209}`)
	e.Trace = console.Trace{RequestID: "2", Server: "127.0.0.1:8888", Attempts: 1, RTT: 498 * micro, Client: 30 * micro, Wait: 468 * micro, Protocol: "v2",
		Timed: true, Queue: 12324, Handler: 94893,
		Out: append([]byte("\x11\x02\x1c\x00\x88\x27\x00\x02\x03exp"), e.Payload...), In: append([]byte("\x23\x02\x28\x07\x09\x05\xa4\x60\xad\xe5\x05"), e.Result...)}
	s.Journal().Finish(e)
	for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
		m := open(t, s, size[0], size[1], Config{})
		press(m, "alt+4", "f", "n", "j", "j", "j", "j")
		golden(t, fmt.Sprintf("wire-v2-%dx%d", size[0], size[1]), text(m))
	}
}

func TestWireWithoutBytes(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{})
	if press(m, "alt+4", "j", "n", "end", "pgup"); !strings.Contains(text(m), "the bytes of a call stand here") {
		t.Errorf("got\n%s", text(m))
	}
	settle(m, press(m, "r", "y"))
	e := m.session.Journal().Start(console.Entry{Type: "exp", Payload: json.RawMessage("1"), Started: noon})
	m.Update(tickMsg{})
	e.State, e.Err = console.Failed, &console.Error{Exit: console.ExitConnect, Message: "nobody listens"}
	m.session.Journal().Finish(e)
	m.Update(tickMsg{})
	if got := text(m); !strings.Contains(got, "request  nothing") || !strings.Contains(got, "reply  nothing") {
		t.Errorf("got\n%s", got)
	}
	j := m.session.Journal()
	call(j, 0, "echo", `"x"`, strings.Repeat("1", 33<<20), 400*micro, 0)
	call(j, 1, "echo", `"y"`, strings.Repeat("1", 33<<20), 400*micro, 0)
	m.Update(tickMsg{})
	if press(m, "alt+1", "up", "alt+4"); !strings.Contains(text(m), notKept) {
		t.Errorf("got\n%s", text(m))
	}
}

func TestLogTells(t *testing.T) {
	f := &fake{stats: console.Stats{Target: "localhost:8888", Server: "127.0.0.1:8888", State: console.Connected, Protocol: "v1", Since: noon}}
	s := console.NewSession(console.Config{Dial: dialer(f)})
	defer s.Close()
	m := open(t, s, 160, 48, Config{})
	enter(t, m, "connect localhost:8888")
	enter(t, m, "call fail 1")
	enter(t, m, "cal fib")
	m.Update(tickMsg{})
	f.become(func(st *console.Stats) {
		st.State, st.LastError, st.Since = console.Reconnecting, "peer \x1b[31mwent away", noon.Add(time.Minute)
	})
	m.Update(tickMsg{})
	f.become(func(st *console.Stats) { st.State, st.Reconnects, st.Protocol = console.Connected, 1, "v2" })
	m.Update(tickMsg{})
	m.Update(tickMsg{})
	press(m, "alt+5", "f")
	got := text(m)
	for _, want := range []string{"connected to localhost:8888", `✗ #1 fail: no \x1b[31msuch thing`, `✗ cal fib: no command "cal"`, `is lost: peer \x1b[31mwent away`, "14:03:44 ○ the connection",
		"connected again to 127.0.0.1:8888", "speaks protocol v2 now", "6 events"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is told %d times:\n%s", want, strings.Count(got, want), got)
		}
	}
}

// The log stands while somebody reads what is older, and can be read to both ends whatever its lines take.
func TestLogScrolls(t *testing.T) {
	m := open(t, newSession(t), 60, 16, Config{})
	for i := range 600 {
		if _, err := m.session.Exec(t.Context(), fmt.Sprintf("nope%d %s", i, strings.Repeat("word ", i%20))); err == nil {
			t.Fatal("no error")
		}
	}
	m.Update(tickMsg{})
	press(m, "alt+5")
	if !strings.Contains(text(m), "nope599") {
		t.Errorf("the newest is out of sight:\n%s", text(m))
	}
	press(m, "home")
	first := m.session.Log().Tail(1000, 0)[0]
	if got := text(m); len(m.session.Log().Tail(1000, 0)) != 500 || !strings.Contains(got, first.Text[:6]) || !strings.Contains(got, "newer") {
		t.Errorf("the oldest, %q, is out of sight:\n%s", first.Text, got)
	}
	if _, err := m.session.Exec(t.Context(), "another"); err == nil {
		t.Fatal("no error")
	}
	press(m, "pgdown")
	before := strings.SplitN(text(m), "\n", 6)[5]
	for range 5 {
		_, _ = m.session.Exec(t.Context(), "another") // an error
	}
	m.Update(tickMsg{})
	if after := strings.SplitN(text(m), "\n", 6)[5]; after != before {
		t.Errorf("it moved from\n%s\nto\n%s", before, after)
	}
	if press(m, "end"); !strings.Contains(text(m), "another") {
		t.Errorf("the end is out of reach:\n%s", text(m))
	}
}

func TestPalette(t *testing.T) {
	for _, tc := range []struct{ typed, first string }{
		{"connect", "connect"}, {"dc", "disconnect"}, {"dash", "dashboard"}, {"his", "history"}, {"colours", "theme"}, {"types reg", "rpc"}, {"setting change", "set"},
	} {
		m := filled(t)
		press(m, "f2")
		if tc.typed != "" {
			press(m, tc.typed)
		}
		found := m.overlay.(*palette).found
		if len(found) == 0 || found[0].Name != tc.first {
			t.Errorf("%q finds %v, want %s first", tc.typed, found, tc.first)
		}
	}
	m := filled(t)
	settle(m, press(m, "f2", "wire", "tab"))
	if got := m.prompt.edit.String(); got != "wire " || m.overlay != nil {
		t.Errorf("tab put %q there", got)
	}
	press(m, "ctrl+u", "f2", "cast", "enter")
	if got := m.prompt.edit.String(); got != "cast " || m.focus != atPrompt {
		t.Errorf("enter on a command that needs words put %q there", got)
	}
	press(m, "ctrl+u")
	settle(m, press(m, "f2", "status", "enter"))
	if m.result.output == nil || m.result.output.command != "status" {
		t.Errorf("enter did not run status:\n%s", text(m))
	}
	press(m, "f2", "zzz")
	if got := text(m); !strings.Contains(got, "no such command") {
		t.Errorf("got\n%s", got)
	}
	if press(m, "enter", "down", "up", "pgdown"); m.overlay == nil {
		t.Errorf("enter on nothing closes it")
	}
	if press(m, "esc"); m.overlay != nil {
		t.Errorf("esc leaves it open")
	}
}

func click(m *model, x, y int, b tea.MouseButton) tea.Cmd {
	_, cmd := m.Update(tea.MouseMsg{X: x, Y: y, Button: b, Action: tea.MouseActionPress})
	return cmd
}

func TestMouse(t *testing.T) {
	m := filled(t)
	if cmd := press(m, "f6"); cmd == nil || fmt.Sprintf("%T", cmd()) != "tea.enableMouseCellMotionMsg" || !strings.Contains(text(m), "f6 mouse off") {
		t.Errorf("f6 does not take the mouse:\n%s", text(m))
	}
	if _, cmd := m.Update(tea.ResumeMsg{}); cmd == nil || !m.mouse {
		t.Errorf("after a suspension the mouse is lost")
	}
	find := func(what string) (x, y int) {
		for y, l := range strings.Split(text(m), "\n") {
			if i := strings.Index(l, what); i >= 0 {
				return width(l[:i]), y
			}
		}
		t.Fatalf("%q is not on the screen:\n%s", what, text(m))
		return 0, 0
	}
	for _, tc := range []struct {
		on    string
		focus place
	}{{"1 Calls", atCalls}, {"p50", atTiming}, {"4 Wire", atWire}, {"5 Log", atLog}, {"3 Result", atResult}, {"localhost:8888>", atPrompt}} {
		x, y := find(tc.on)
		if click(m, x, y, tea.MouseButtonLeft); m.focus != tc.focus {
			t.Errorf("a click on %s gives the keyboard to %d, want %d", tc.on, m.focus, tc.focus)
		}
	}
	x, y := find("timeout")
	if click(m, x, y, tea.MouseButtonLeft); m.shown.Number != 33 || m.focus != atCalls {
		t.Errorf("a click on the call that failed chooses #%d", m.shown.Number)
	}
	if click(m, x, y, tea.MouseButtonWheelUp); m.shown.Number != 33-wheelStep {
		t.Errorf("the wheel goes to #%d", m.shown.Number)
	}
	press(m, "esc", "call 二的 x")
	x, y = find("的")
	if click(m, x, y, tea.MouseButtonLeft); m.prompt.edit.at != 6 {
		t.Errorf("a click in the line puts the cursor before rune %d, want 6", m.prompt.edit.at)
	}
	press(m, "ctrl+u", "f2")
	if click(m, 40, 12, tea.MouseButtonWheelDown); m.overlay.(*palette).at != 1 {
		t.Errorf("the wheel does not scroll a box")
	}
	press(m, "esc")
	if cmd := press(m, "f6"); fmt.Sprintf("%T", cmd()) != "tea.disableMouseMsg" || m.mouse {
		t.Errorf("f6 does not give the mouse back")
	}
}

// The mouse may be anywhere at any size.
func TestMouseSweep(t *testing.T) {
	m := filled(t)
	for _, size := range [][2]int{{1, 1}, {39, 9}, {40, 10}, {80, 24}, {160, 48}} {
		m.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for y := -1; y <= size[1]; y++ {
			for x := -1; x <= size[0]; x += 3 {
				for _, b := range []tea.MouseButton{tea.MouseButtonLeft, tea.MouseButtonWheelDown, tea.MouseButtonWheelUp} {
					click(m, x, y, b)
				}
			}
			checkScreen(t, m.View(), size[0], size[1])
		}
	}
}

func TestEditorInTheDashboard(t *testing.T) {
	m := filled(t)
	if cmd := press(m, "call exp", "ctrl+x", "ctrl+e"); cmd == nil {
		t.Fatal("ctrl+x ctrl+e opens nothing")
	}
	m.Update(editedMsg{text: "call exp {\n  \"base\": 2,\n  \"exp\": 10\n}\nstatus\n"})
	if got := m.prompt.edit.String(); got != `call exp {   "base": 2,   "exp": 10 }` || len(m.prompt.waiting) != 1 {
		t.Errorf("the line became %q, waiting %q", got, m.prompt.waiting)
	}
	m.Update(editedMsg{err: fmt.Errorf("editor: exit status 1")})
	if got := m.prompt.edit.String(); !strings.HasPrefix(got, "call exp {") || !strings.Contains(text(m), "exit status 1") {
		t.Errorf("a failing editor: %q\n%s", got, text(m))
	}
	press(m, "ctrl+u", "ctrl+x", "a", "ctrl+e")
	if m.prompt.edit.String() != "a" {
		t.Errorf("ctrl+x alone: %q", m.prompt.edit.String())
	}
}

// The terminal's own cursor stands behind what was typed, wherever that is, so that an input method opens its window there.
func TestCaretFollowsTheTyping(t *testing.T) {
	for name, keys := range map[string][]string{
		"prompt": {"esc"}, "history": {"ctrl+r"}, "commands": {"f2"}, "filter": {"alt+1", "/"}, "jq": {"alt+3", "|"}, "find": {"alt+3", "/"},
	} {
		for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
			m := open(t, fullSession(t), size[0], size[1], Config{})
			press(m, append(keys, "二的x", "left")...)
			rows := strings.Split(text(m), "\n")
			x, y := m.caret.x, m.caret.y
			if y < 0 || y >= len(rows) || !strings.HasSuffix(cut(rows[y], x, ""), "二的") || !strings.Contains(rows[y], "二的x") {
				t.Errorf("%s at %v: the cursor stands in cell %d of row %d:\n%s", name, size, x, y, text(m))
			}
		}
	}
	m := filled(t)
	if press(m, "alt+4"); text(m) == "" || m.caret.x >= 0 {
		t.Errorf("in a list the cursor shows in cell %d", m.caret.x)
	}
}

func TestKeysLineLeavesTheHelpItsPlace(t *testing.T) {
	for _, p := range []string{"esc", "alt+1", "alt+2", "alt+3", "alt+4", "alt+5"} {
		m := filled(t)
		press(m, p)
		for w := 40; w < 200; w++ {
			m.Update(tea.WindowSizeMsg{Width: w, Height: 24})
			row := strings.Split(text(m), "\n")[m.layout.keys]
			if !strings.HasSuffix(row, "  f1 help ") {
				t.Fatalf("%s, %d wide: %q", p, w, row)
			}
		}
	}
}
