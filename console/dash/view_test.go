package dash

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// logTime is when an event was logged, which no test can choose; the times of calls have milliseconds.
var logTime = regexp.MustCompile(`\d\d:\d\d:\d\d([ ␛])`)

// golden compares a screen with the one kept under that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	var lines []string
	for _, l := range strings.Split(got, "\n") {
		lines = append(lines, strings.TrimRight(l, " "))
	}
	got = logTime.ReplaceAllString(strings.Join(lines, "\n")+"\n", "12:34:56$1")
	file := filepath.Join("testdata", "screens", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("screen %s differs:\n%s\nwant:\n%s", name, got, want)
	}
}

var goldenSizes = [][2]int{{40, 10}, {80, 24}, {120, 40}, {160, 48}, {200, 60}}

func TestGoldenScreens(t *testing.T) {
	for _, lang := range []string{"english", "chinese"} {
		s := newSession(t)
		fill(s.Journal(), lang == "chinese")
		for _, size := range goldenSizes {
			name := fmt.Sprintf("main-%dx%d-%s", size[0], size[1], lang)
			t.Run(name, func(t *testing.T) {
				m := open(t, s, size[0], size[1], Config{})
				golden(t, name, text(m))
				colour := open(t, s, size[0], size[1], Config{Theme: looks("dark", false)})
				golden(t, name+"-dark", strings.ReplaceAll(colour.View(), "\x1b", "␛"))
			})
		}
	}
}

func TestGoldenStates(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, m *model)
	}{
		{"ascii", func(*testing.T, *model) {}},
		{"running", func(_ *testing.T, m *model) {
			begin(m.session.Journal(), 35)
			m.clock = func() time.Time { return started(35).Add(1200 * time.Millisecond) }
			m.Update(tickMsg{})
		}},
		{"failed", func(_ *testing.T, m *model) { press(m, "alt+1", "up", "up") }},
		{"cast", func(_ *testing.T, m *model) { press(m, "alt+1", "up") }},
		{"caret", func(t *testing.T, m *model) { enter(t, m, `call exp {"base":2}`) }},
		{"output", func(t *testing.T, m *model) { enter(t, m, "rpc") }},
		{"help", func(_ *testing.T, m *model) { press(m, "alt+1", "?") }},
		{"zoom", func(_ *testing.T, m *model) { press(m, "alt+2", "f") }},
		{"wire", func(_ *testing.T, m *model) { press(m, "alt+4", "f", "j", "j", "j") }},
		{"tabs", func(_ *testing.T, m *model) { press(m, "alt+4", "n", "esc") }},
		{"log", func(t *testing.T, m *model) { enter(t, m, "call fail 1"); press(m, "alt+5") }},
		{"palette", func(_ *testing.T, m *model) { press(m, "f2", "reg") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSession(t)
			fill(s.Journal(), true)
			m := open(t, s, 80, 24, Config{Theme: looks("mono", tc.name == "ascii")})
			tc.do(t, m)
			golden(t, tc.name+"-80x24", text(m))
		})
	}
}

func TestGoldenWide(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, m *model)
	}{
		{"wire", func(_ *testing.T, m *model) { press(m, "alt+4", "n", "end") }},
		{"output", func(t *testing.T, m *model) { enter(t, m, "help call") }},
		{"tour", func(t *testing.T, m *model) {
			call(m.session.Journal(), 34, "fib", "10", "89", 398*micro, 0)
			m.Update(tickMsg{})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSession(t)
			cfg := Config{Theme: looks("mono", false)}
			if tc.name == "tour" {
				cfg.Tour = demoTour()
			} else {
				fill(s.Journal(), true)
			}
			m := open(t, s, 160, 48, cfg)
			tc.do(t, m)
			golden(t, tc.name+"-160x48", text(m))
		})
	}
}

// TestScreenFits draws every state over a grid of sizes: as many lines as the terminal has, each exactly as wide.
func TestScreenFits(t *testing.T) {
	empty, full, busy := newSession(t), newSession(t), newSession(t)
	fill(full.Journal(), true)
	fill(busy.Journal(), false)
	begin(busy.Journal(), 35)
	for name, tc := range map[string]struct {
		s    *console.Session
		cfg  Config
		keys []string
	}{
		"empty":   {empty, Config{}, nil},
		"tour":    {empty, Config{Tour: demoTour()}, nil},
		"full":    {full, Config{Theme: looks("dark", false)}, nil},
		"done":    {full, Config{Tour: demoTour()}, []string{"call exp"}},
		"busy":    {busy, Config{Theme: looks("light", true)}, nil},
		"failed":  {full, Config{}, []string{"alt+1", "up", "up"}},
		"result":  {full, Config{}, []string{"alt+3"}},
		"zoom":    {full, Config{}, []string{"alt+2", "f"}},
		"help":    {full, Config{Theme: looks("dark", false)}, []string{"alt+1", "?"}},
		"wire":    {full, Config{}, []string{"alt+4", "j", "j"}},
		"bytes":   {full, Config{Theme: looks("dark", false)}, []string{"alt+4", "f", "end"}},
		"log":     {full, Config{Theme: looks("light", true)}, []string{"alt+5", "home"}},
		"text":    {full, Config{}, []string{"help", "enter"}},
		"mouse":   {full, Config{Theme: looks("dark", false)}, []string{"f6"}},
		"palette": {full, Config{Theme: looks("dark", false)}, []string{"f2", "二"}},
		"choice":  {full, Config{}, []string{"f2", "con", "down"}},
		"search":  {full, Config{}, []string{"ctrl+r", "二的"}},
		"chinese": {full, Config{}, []string{`cast log "二的十六次方，以及更多的说明，以及更多的说明，以及更多的说明"`}},
		"error":   {full, Config{}, []string{"nope", "enter"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, tc.s, 80, 24, tc.cfg)
			for _, k := range tc.keys {
				settle(m, press(m, k))
			}
			for i, w := range []int{1, 2, 5, 12, 20, 39, 40, 41, 47, 59, 60, 69, 79, 80, 81, 99, 119, 139, 140, 163, 210} {
				for j, h := range []int{1, 2, 3, 5, 9, 10, 11, 12, 15, 19, 23, 24, 29, 30, 39, 40, 41, 66} {
					if (i+j)%3 > 0 && !(w == 40 && h == 10 || w == 80 && h == 24 || w == 140 && h == 40) {
						continue // each width meets a third of the heights
					}
					m.Update(tea.WindowSizeMsg{Width: w, Height: h})
					checkScreen(t, m.View(), w, h)
				}
			}
		})
	}
}

func checkScreen(t *testing.T, screen string, w, h int) {
	t.Helper()
	lines := strings.Split(screen, "\n")
	if len(lines) != h {
		t.Fatalf("%dx%d: got %d lines", w, h, len(lines))
	}
	for y, l := range lines {
		if got := ansi.StringWidth(l); got != w {
			t.Fatalf("%dx%d: line %d has %d cells: %q", w, h, y, got, ansi.Strip(l))
		}
	}
}

// TestHostileText plants control characters wherever a server's text reaches the screen.
func TestHostileText(t *testing.T) {
	const evil = "a\x1b]52;c;aGk=\x07b\x9b31mc\u202ed\r\ne\x00"
	s := newSession(t)
	j := s.Journal()
	quoted, _ := json.Marshal(evil)
	e := j.Start(console.Entry{Type: evil, Payload: json.RawMessage(`"` + evil + `"`), Started: noon})
	e.State, e.ReplyType, e.Result, e.Hint = console.OK, evil, quoted, evil
	e.Trace = console.Trace{RequestID: evil, Server: evil, RTT: 400 * micro, Client: micro, Wait: 399 * micro, Protocol: "v1", In: message(evil, evil, evil), Out: []byte(evil)}
	j.Finish(e)
	e = j.Start(console.Entry{Type: evil, Started: noon.Add(time.Second)})
	e.State, e.Err = console.Failed, &console.Error{Exit: console.ExitServer, Code: evil, Message: evil, Hint: evil, Details: json.RawMessage(evil)}
	j.Finish(e)
	for _, size := range goldenSizes {
		for _, keys := range [][]string{nil, {"alt+1", "up"}, {"alt+3"}, {"alt+2"}, {"alt+4", "f"}, {"alt+1", "up", "alt+4", "end"}} {
			m := open(t, s, size[0], size[1], Config{Theme: looks("mono", false)})
			press(m, keys...)
			for _, r := range ansi.Strip(m.View()) {
				if r != '\n' && console.Printable(string(r)) != string(r) {
					t.Fatalf("%v after %v: %q reached the screen", size, keys, r)
				}
			}
			if view := m.View(); strings.Contains(view, "\x1b]") || strings.Contains(view, "\x9b") {
				t.Fatalf("%v after %v: an escape sequence of the server reached the screen", size, keys)
			}
		}
	}
}

// The size may change at any moment, whatever pours in meanwhile.
func TestResizesUnderLoad(t *testing.T) {
	s := newSession(t)
	fill(s.Journal(), true)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		second := time.NewTicker(time.Millisecond)
		defer second.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-second.C:
			}
			for range 5 { // 5 000 in a second
				call(s.Journal(), i%30, []string{"fib", "exp"}[i%2], `{"二":1}`, `{"value":[1,2,3]}`, 300*micro, 0)
			}
		}
	})
	defer wg.Wait()
	defer stop()
	keys := []string{"alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "up", "end", "f", "j", "esc", "f2", "esc", "f1", "esc", "f6", "x", "ctrl+u", "tab", "ctrl+o"}
	r := rand.New(rand.NewPCG(4, 2))
	m := open(t, s, 80, 24, Config{Theme: looks("dark", false)})
	for i := range 200 {
		w, h := 1+r.IntN(200), 1+r.IntN(60)
		m.Update(tea.WindowSizeMsg{Width: w, Height: h})
		checkScreen(t, m.View(), w, h)
		m.Update(tickMsg{})
		settle(m, quietly(press(m, keys[r.IntN(len(keys))])))
		checkScreen(t, m.View(), w, h)
		if t.Failed() {
			t.Fatalf("at resize %d to %dx%d", i, w, h)
		}
	}
}

// quietly leaves out commands to the terminal, which only a program can carry out.
func quietly(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() tea.Msg {
		msg := cmd()
		if strings.HasPrefix(fmt.Sprintf("%T", msg), "tea.") {
			if _, batch := msg.(tea.BatchMsg); !batch {
				return nil
			}
		}
		return msg
	}
}

func TestViewIsCached(t *testing.T) {
	s := newSession(t)
	fill(s.Journal(), false)
	m := open(t, s, 80, 24, Config{})
	first := m.View()
	fill(s.Journal(), true) // nobody told the model
	if got := m.View(); got != first {
		t.Errorf("the screen changed without a message")
	}
	m.Update(tickMsg{})
	if got := m.View(); got == first {
		t.Errorf("the screen did not change with a tick")
	}
}

// TestManyNewTypes sees that columns do not jump with each row, and that a long type name does not push the result out.
func TestLongNames(t *testing.T) {
	s := newSession(t)
	call(s.Journal(), 1, strings.Repeat("long", 30), `1`, `2`, 400*micro, 0)
	m := open(t, s, 80, 24, Config{})
	if got := text(m); !strings.Contains(got, "400 µs ✓ ok") {
		t.Errorf("time and state were pushed out:\n%s", got)
	}
}

func BenchmarkView(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			s := newSession(b)
			for range 10 {
				fill(s.Journal(), true)
			}
			m := open(b, s, size[0], size[1], Config{Theme: looks("dark", false)})
			b.ReportAllocs()
			for b.Loop() {
				m.Update(tickMsg{})
				m.View()
			}
		})
	}
}

func BenchmarkLargeReply(b *testing.B) {
	large := `{"list":[` + strings.Repeat(`{"name":"二的十六次方","n":12345},`, 30_000) + `1]}`
	s := newSession(b)
	call(s.Journal(), 1, "echo", `1`, large, 400*micro, 0)
	m := open(b, s, 80, 24, Config{Theme: looks("dark", false)})
	b.SetBytes(int64(len(large)))
	for b.Loop() {
		m.Update(tickMsg{})
		m.View()
	}
}
