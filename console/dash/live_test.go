package dash

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// under runs a bench of so many seconds and returns when it is half way; end waits for it.
func under(t *testing.T, m *model, line string, half time.Duration) (end func()) {
	t.Helper()
	cmd := m.exec(line)
	done := make(chan tea.Msg, 1)
	go func() { done <- cmd() }() // ends with the bench
	time.Sleep(half + time.Millisecond)
	synctest.Wait()
	m.Update(tickMsg{})
	return func() { m.Update(<-done) }
}

// order says which panes stand in which row of panes, from left to right: "6 3 / 5 9".
func order(m *model) string {
	l, text := m.layout, ""
	for y := range l.h {
		row := ""
		for x := range l.w {
			for p, r := range l.frames {
				if !r.empty() && r.x == x && r.y == y {
					row += string(rune('0'+p)) + " "
				}
			}
		}
		if row != "" {
			text += "/ " + row
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "/ "), " ")
}

// While a bench runs and when it is done it has the room, beside the servers where there are several; the panes of calls are below, if there were any.
func TestBenchTakesTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := func(m *model, when, panes string) {
			t.Helper()
			if got := order(m); got != panes {
				t.Errorf("%s: panes %q, want %q:\n%s", when, got, panes, text(m))
			}
		}
		s := newSession(t)
		m := open(t, s, 160, 48, Config{})
		want(m, "at the start", "1 2 / 3 4 5")
		end := under(t, m, "bench fib 10 -d 10s -c 4", 5*time.Second)
		want(m, "running", "3 / 5")
		if in := m.layout.frames[atResult].inside(); in.w < 150 || in.h < 20 || !strings.Contains(text(m), "calls in a second") {
			t.Errorf("it has %v:\n%s", in, text(m))
		}
		press(m, "alt+1")
		want(m, "Calls were asked for", "3 / 1 2 5")
		press(m, "alt+5", "esc")
		enter(t, m, "call fib 10")
		want(m, "a call was made", "3 / 1 2 5")
		press(m, "alt+4")
		want(m, "Wire was asked for", "4 3 / 1 2 5")
		end()
		press(m, "esc", "esc")
		want(m, "done", "1 2 / 3 4 5")

		list := three()
		s, _ = crowd(t, nil, list)
		m = open(t, s, 160, 48, Config{Tour: &console.Tour{Title: "Servers", Beside: console.BesidePeers, Steps: []console.Step{{Title: "wait", Do: "peers"}}}})
		want(m, "servers", "6 / 5 9")
		end = under(t, m, "bench fib 10 -d 10s -c 4 --no-check", 5*time.Second)
		want(m, "servers under load", "6 3 / 5 9")
		enter(t, m, "rpc fib int")
		enter(t, m, "rpc")
		want(m, "text of a command", "6 3 / 5 9")
		if press(m, "esc"); !m.result.measured() {
			t.Errorf("the bench does not come back:\n%s", text(m))
		}
		m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
		want(m, "small", "6 9")
		end()
	})
}

// The moment's rate and that of the whole run are told apart, and the line of a bench is not cut where there is room.
func TestBenchNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := "bench fib 10 -d 10s -c 4 --max-p99 10s --warmup 100ms"
		m := open(t, newSession(t), 160, 48, Config{})
		enter(t, m, "call fib 10")
		end := under(t, m, line, 5100*time.Millisecond)
		screen := text(m)
		for _, want := range []string{"/s now", "/s over 5 s", line} {
			if !strings.Contains(screen, want) {
				t.Errorf("%q is not on\n%s", want, screen)
			}
		}
		end()
		if screen := text(m); strings.Contains(screen, "/s now") || !strings.Contains(screen, "/s over 10 s") {
			t.Errorf("done:\n%s", screen)
		}
	})
}

// However narrow the pane is, p50 and p99 stay, and no figure touches the border.
func TestBenchPercentilesStay(t *testing.T) {
	for _, rate := range []float64{0, 200} {
		m := open(t, newSession(t), 80, 24, Config{})
		m.bench.Calls, m.bench.Elapsed, m.bench.Limits.Rate = 100, time.Second, rate
		f := console.BenchFigures{Min: micro, P50: 174 * micro, P90: 430 * micro, P95: 1500 * micro, P99: 8590 * micro, P999: 9 * time.Millisecond, Max: time.Second}
		m.bench.Latency, m.bench.Corrected = f, f
		for w := 30; w < 90; w++ {
			p := newPage(w, 4)
			m.result.benchTable(p)
			rows := strings.Join(p.lines, "\n")
			if !strings.Contains(rows, "p50") || !strings.Contains(rows, "p99 ") || !strings.Contains(rows, "174 µs") || !strings.Contains(rows, "8.59 ms") {
				t.Errorf("%d cells, rate %v:\n%s", w, rate, rows)
			}
			for _, l := range p.lines {
				if !strings.HasSuffix(l, " ") {
					t.Errorf("%d cells, rate %v: a figure at the border: %q", w, rate, l)
				}
			}
		}
	}
}

// Why calls failed is told whole where there is room for it, also when none went well.
func TestBenchFailuresAreWhole(t *testing.T) {
	const why = "localhost:18101: cannot connect: connection refused, nothing listens there; the last of three attempts"
	for _, tc := range []struct{ good, h int }{{0, 6}, {10, 15}} {
		m := open(t, newSession(t), 80, 24, Config{})
		m.bench = console.Bench{Type: "fib", Calls: 50 + tc.good, Failed: 50, Elapsed: time.Second, Failures: []console.BenchFailure{{Code: "unavailable", Count: 50, First: why}}}
		m.result.say(&output{bench: true})
		got := strings.Join(strings.Fields(ansi.Strip(strings.Join(m.result.View(76, tc.h), " "))), " ")
		if !strings.Contains(got, "✗ 50 unavailable "+why) {
			t.Errorf("%d lines: got %s", tc.h, got)
		}
	}
}
