package dash

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// A value that begins at the right edge goes on in the next row and is not lost, whatever the width.
func TestNoPartOfALineIsLost(t *testing.T) {
	for _, src := range []string{`{"key":"value","二的十":"六次方"}`, `{"a":12345678901234567890}`} {
		var want strings.Builder
		for _, r := range src {
			if !strings.ContainsRune(" \n", r) {
				want.WriteRune(r)
			}
		}
		for w := 12; w < 40; w++ {
			d, all := newDocument(json.RawMessage(src)), ""
			for n := range d.lines {
				for _, l := range d.rows(mono(), n, drawing{width: w - 2}) {
					all += string(l.b)
				}
			}
			got := strings.NewReplacer(" ", "", "\x1b[1m", "", "\x1b[0m", "", "\x1b[m", "").Replace(all)
			if got != want.String() {
				t.Errorf("%d cells: got %q, want %q", w, got, want.String())
			}
		}
	}
}

func TestCutFillsItsCells(t *testing.T) {
	for _, tc := range []struct {
		s    string
		w    int
		mark string
		want string
	}{{"payload", 5, "", "paylo"}, {"payload", 5, "…", "payl…"}, {"二的十六", 5, "", "二的"}, {"abc", 3, "…", "abc"}} {
		if got := cut(tc.s, tc.w, tc.mark); got != tc.want {
			t.Errorf("cut(%q, %d, %q) = %q, want %q", tc.s, tc.w, tc.mark, got, tc.want)
		}
	}
}

// The end of a text whose lines take several rows each can be reached.
func TestScrollReachesTheEnd(t *testing.T) {
	m := open(t, newSession(t), 60, 16, Config{})
	long := strings.Repeat(strings.Repeat("words of a long line ", 8)+"\n", 6) + "THE END"
	m.Update(doneMsg{line: "help", result: console.Result{Text: long}})
	press(m, "alt+3", "end")
	if got := text(m); !strings.Contains(got, "THE END") {
		t.Errorf("the end is out of reach:\n%s", got)
	}
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 60})
	if m.result.sheet.top != 0 {
		t.Errorf("all fits, but it stands at line %d", m.result.sheet.top)
	}
}

// Where one pane is shown at a time, the reason of a failure is not hidden behind another pane.
func TestFailureIsSeenInOnePane(t *testing.T) {
	m := open(t, newSession(t), 60, 16, Config{})
	press(m, "alt+1", "esc")
	m.Update(doneMsg{line: "connect x", err: &console.Error{Exit: console.ExitConnect, Message: "nobody listens"}})
	if got := text(m); !strings.Contains(got, "nobody listens") {
		t.Errorf("not told:\n%s", got)
	}
}

// The end of the offer to leave takes no other notice with it, and any other key ends it.
func TestOfferTakesOnlyItself(t *testing.T) {
	m := filled(t)
	press(m, "ctrl+c", "ctrl+l")
	if strings.Contains(text(m), "again") {
		t.Errorf("ctrl+l leaves an offer that is over")
	}
	m.prompt.notice = "theme is dark"
	m.Update(calmMsg{})
	if m.prompt.notice != "theme is dark" {
		t.Errorf("the notice became %q", m.prompt.notice)
	}
}

// A terminal that became too small for panes has a prompt that can be typed at.
func TestTinyHasThePrompt(t *testing.T) {
	m := filled(t)
	press(m, "alt+1", "up")
	m.Update(tea.WindowSizeMsg{Width: 30, Height: 4})
	press(m, "s")
	if m.focus != atPrompt || m.prompt.edit.String() != "s" {
		t.Errorf("the keyboard is at %d, the line is %q", m.focus, m.prompt.edit.String())
	}
	press(m, "ctrl+o", "t")
	if m.prompt.edit.String() != "st" {
		t.Errorf("after ctrl+o the line is %q", m.prompt.edit.String())
	}
}

// An entry that lost its bytes to newer ones says so; it does not claim to have got null, and no half of it is put into the prompt.
func TestDroppedEntry(t *testing.T) {
	s := newSession(t)
	j := s.Journal()
	call(j, 0, "echo", `"x"`, strings.Repeat("1", 33<<20), 400*micro, 0)
	call(j, 1, "echo", `"y"`, strings.Repeat("1", 33<<20), 400*micro, 0)
	m := open(t, s, 80, 24, Config{})
	press(m, "alt+1", "home")
	if got := text(m); !strings.Contains(got, notKept) || strings.Contains(got, "null") || strings.Contains(got, "nothing sent") {
		t.Errorf("got\n%s", got)
	}
	if press(m, "e"); !m.prompt.empty() {
		t.Errorf("edit put %q there", m.prompt.edit.String())
	}
}

// Percentiles stay for half a second while calls arrive; the count does not.
func TestPercentilesRest(t *testing.T) {
	s := newSession(t)
	now := noon
	m := open(t, s, 80, 24, Config{})
	m.clock = func() time.Time { return now }
	for i := range 7 {
		call(s.Journal(), i, "fib", "1", "1", time.Duration(100*(i+1))*micro, 0)
		m.Update(tickMsg{})
		if i == 0 {
			continue // the first call of a type is shown at once, and so is the second
		}
		if m.timings.figures.Calls == i+1 != (i == 1 || i == 6) {
			t.Errorf("call %d: the figures are of %d calls", i+1, m.timings.figures.Calls)
		}
		if !strings.Contains(text(m), strconv.Itoa(i+1)+" calls") {
			t.Errorf("call %d is not counted", i+1)
		}
		now = now.Add(figureRest / 5)
	}
}

// Timing follows the call that is chosen in Calls, and the newest when the prompt has the keyboard.
func TestTimingFollowsTheChosenCall(t *testing.T) {
	m := filled(t)
	for _, tc := range []struct{ key, want string }{{"alt+1", "exp"}, {"home", "fib"}, {"alt+2", "fib"}, {"esc", "exp"}} {
		press(m, tc.key)
		if got := m.timings.Heading(30, 10).subject; got != tc.want {
			t.Errorf("after %s Timing is of %q, want %q", tc.key, got, tc.want)
		}
	}
}

func TestLongDurationsKeepTheirUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{17 * time.Minute: "  17min", 5 * time.Hour: "   5 h "} {
		if got := durationCell(d, false); got != want && d < time.Hour || width(got) != durationWidth {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// What is longer than a narrow help goes on below, and how to leave stands there at every size.
func TestHelpInNarrowPlaces(t *testing.T) {
	m := open(t, newSession(t), 40, 10, Config{})
	press(m, "alt+1", "?")
	if got := text(m); !strings.Contains(got, "esc closes") || !strings.Contains(got, "diff with the one") {
		t.Errorf("help says\n%s", got)
	}
	press(m, "pgdown")
	if got := text(m); !strings.Contains(got, "another") {
		t.Errorf("a page down help says\n%s", got)
	}
}

// The last row of an event has the mark of a cut only where something is missing.
func TestLogEventThatJustFits(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{})
	e := console.Event{Number: 1, At: noon, Text: "one two three four five six"}
	for h, want := range map[int]bool{1: true, 2: false, 3: false} {
		rows := m.log.event(&e, 30, h)
		if got := strings.Contains(string(rows[len(rows)-1].b), m.theme.Mark.Cut); got != want {
			t.Errorf("in %d rows: cut is %v, want %v: %q", h, got, want, rows[len(rows)-1].b)
		}
	}
}
