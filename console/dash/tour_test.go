package dash

import (
	"strings"
	"testing"
)

// TestTour walks through the steps with space and enter alone, reading each off the screen.
func TestTour(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{Tour: demoTour(), Try: []string{"help call", "repl"}})
	for i, want := range []string{"step 1 of 3", "step 2 of 3", "step 3 of 3"} {
		screen := text(m)
		if !strings.Contains(screen, want) || !strings.Contains(screen, m.tour.Steps[i].Title) {
			t.Fatalf("step %d is not on the screen:\n%s", i+1, screen)
		}
		settle(m, press(m, " "))
		if got := m.prompt.edit.String(); got != m.tour.Steps[i].Do {
			t.Fatalf("space typed %q, want %q", got, m.tour.Steps[i].Do)
		}
		if m.session.Journal().Last() != i {
			t.Fatalf("space ran the line")
		}
		settle(m, press(m, "enter"))
	}
	screen := text(m)
	for _, want := range []string{"Tour", "done", "That was the tour", "help call", "repl"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the end does not tell %q:\n%s", want, screen)
		}
	}
	settle(m, press(m, " "))
	if got := m.prompt.edit.String(); got != " " {
		t.Errorf("space after the tour typed %q", got)
	}
	press(m, "ctrl+u")
	enter(t, m, "call fib 10")
	if screen = text(m); strings.Contains(screen, "That was the tour") || !strings.Contains(screen, "requestId") {
		t.Errorf("the next call does not bring the facts back:\n%s", screen)
	}
}

// TestTourInAnyOrder does the second step first, and with a line of one's own.
func TestTourInAnyOrder(t *testing.T) {
	m := open(t, newSession(t), 120, 40, Config{Tour: demoTour()})
	enter(t, m, `call exp {"base":7,"exp":2}`)
	if !m.tour.done[1] || m.tour.now() != 0 {
		t.Errorf("done %v, now %d", m.tour.done, m.tour.now())
	}
	if screen := text(m); !strings.Contains(screen, "✓ call exp") || !strings.Contains(screen, "▸ call fib 10") {
		t.Errorf("got\n%s", screen)
	}
	enter(t, m, "call fail 1")
	if m.tour.now() != 0 {
		t.Errorf("a failing call counts")
	}
}

func TestFirstScreenInvites(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{Tour: demoTour()})
	golden(t, "welcome-80x24", text(m))
	golden(t, "welcome-40x10", text(open(t, newSession(t), 40, 10, Config{Tour: demoTour()})))
}

// TestTourIsNotRepeated opens the dashboard again, as after a visit to the prompt: a tour that is done does not come back, another goes on.
func TestTourIsNotRepeated(t *testing.T) {
	s := newSession(t)
	m := open(t, s, 80, 24, Config{Tour: demoTour()})
	enter(t, m, "call fib 10")
	if m = open(t, s, 80, 24, Config{Tour: demoTour()}); m.tour == nil || m.tour.now() != 1 {
		t.Fatalf("the tour does not go on")
	}
	enter(t, m, `call exp {"base":2,"exp":10}`)
	enter(t, m, `cast log "hi"`)
	if m = open(t, s, 80, 24, Config{Tour: demoTour()}); strings.Contains(text(m), "Tour") {
		t.Errorf("the tour comes back:\n%s", text(m))
	}
}

// The text of a command has the whole width; the tour comes back with esc.
func TestOutputBesideTheTour(t *testing.T) {
	m := open(t, newSession(t), 80, 24, Config{Tour: demoTour()})
	enter(t, m, "help call")
	if screen := text(m); strings.Contains(screen, "step 1 of 3") || !strings.Contains(screen, "send a request and wait for its reply") {
		t.Errorf("help does not have the whole width:\n%s", screen)
	}
	press(m, "esc")
	if screen := text(m); !strings.Contains(screen, "step 1 of 3") {
		t.Errorf("esc does not bring the tour back:\n%s", screen)
	}
}
