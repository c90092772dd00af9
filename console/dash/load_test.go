package dash

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console/theme"
)

// A bench stands in the hero and in Result while it runs and when it is done, ctrl+c ends it with a report, and the calls of the session are as they were.
func TestBenchOnScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession(t)
		m := open(t, s, 80, 24, Config{})
		enter(t, m, "call fib 10")
		done := make(chan any, 1)
		cmd := m.exec("bench fib 10 -d 10s -c 4")
		go func() { done <- cmd() }()
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		m.Update(tickMsg{})
		for _, want := range []string{"bench  fib 10  for 10s, 4 at a time", "/s", " calls  0 failed  p50 1.00 ms  p99 1.00 ms", "5.0 s left  ctrl+c stops",
			"a bench is running", "ctrl+c stop and report", "bench fib 10 -d 10s -c 4", "p99.9"} {
			if !strings.Contains(text(m), want) {
				t.Errorf("half way %q is not on\n%s", want, text(m))
			}
		}
		if row := strings.Split(text(m), "\n")[3]; strings.Count(row, "━") != 39 || strings.Count(row, "┄") != 39 {
			t.Errorf("the bar is %q", row)
		}
		press(m, "ctrl+c")
		m.Update(<-done)
		for _, want := range []string{"! stopped  fib 10", "/s over 5 s", "0 running", "1 ok"} {
			if !strings.Contains(text(m), want) {
				t.Errorf("stopped: %q is not on\n%s", want, text(m))
			}
		}
		press(m, "alt+1", "up")
		if strings.Contains(text(m), "stopped") || !strings.Contains(text(m), "fib_res") {
			t.Errorf("a call that was chosen stands in the hero:\n%s", text(m))
		}
		press(m, "esc", "esc")
		if strings.Contains(text(m), "stopped") {
			t.Errorf("esc closes it:\n%s", text(m))
		}
	})
}

// However small or odd the terminal is, every row has its cells, whatever state a bench is in.
func TestBenchSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, line := range []string{"bench fib 10 -n 200 -c 2", "bench fib 10 -n 200 --max-p99 1us", "bench fib 10 -d 1h -c 3 --warmup 300ms"} {
			s := newSession(t)
			m := open(t, s, 80, 24, Config{})
			cmd := m.exec(line)
			done := make(chan any, 1)
			go func() { done <- cmd() }()
			for _, wait := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 2 * time.Second} {
				time.Sleep(wait)
				synctest.Wait()
				select {
				case msg := <-done:
					m.Update(msg)
				default:
				}
				m.Update(tickMsg{})
				for _, look := range []theme.Options{looks("dark", false), looks("mono", false), looks("light", true)} {
					m.theme = theme.New(look)
					for _, size := range [][2]int{{40, 10}, {60, 16}, {80, 24}, {120, 40}, {160, 48}, {300, 90}} {
						for _, keys := range []string{"esc", "alt+3", "f"} {
							m.w, m.h = size[0], size[1]
							m.refresh()
							press(m, keys)
							for i, row := range strings.Split(text(m), "\n") {
								if w := ansi.StringWidth(row); w != size[0] {
									t.Fatalf("%s, %v, %s: row %d is %d cells wide:\n%s", line, size, look.Name, i, w, text(m))
								}
							}
						}
						press(m, "esc")
					}
				}
			}
			press(m, "ctrl+c")
		}
	})
}

// In the smallest dashboard there is room for two lines: the percentiles and their names.
func TestBenchTiny(t *testing.T) {
	m := open(t, newSession(t), 40, 10, Config{})
	enter(t, m, "bench fib 10 -n 50 -c 5")
	rows := strings.Split(text(m), "\n")
	for i, row := range rows {
		if strings.Contains(row, "p50") && strings.Count(rows[i+1], " ms") >= 3 {
			return
		}
	}
	t.Errorf("no figures below their names:\n%s", text(m))
}

// One that missed its limit says so above its figures.
func TestBenchMissed(t *testing.T) {
	m := open(t, newSession(t), 100, 40, Config{})
	enter(t, m, "bench fib 10 -n 50 -c 5 --max-p99 1us")
	if screen := text(m); !strings.Contains(screen, "✗ p99 is ") || !strings.Contains(screen, "50 calls") {
		t.Errorf("got\n%s", screen)
	}
	enter(t, m, "bench fib 10 -c 0")
	if screen := text(m); !strings.Contains(screen, "-c is a number from 1") {
		t.Errorf("got\n%s", screen)
	}
}
