package dash

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
)

func TestFilterOfCalls(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "/", "f", "a", "i", "l", "e", "d")
	see(t, m, "/failed", "1 of 35")
	if m.shown.Number != 33 {
		t.Errorf("the hero shows #%d, want the one that failed", m.shown.Number)
	}
	typed(m, "enter")
	if m.calls.Typing() {
		t.Error("enter does not end the typing")
	}
	fails(m.session.Journal(), 36)
	call(m.session.Journal(), 37, "exp", `1`, `2`, 400*micro, 0)
	m.Update(tickMsg{})
	see(t, m, "2 of 37")
	if m.shown.Number != 36 {
		t.Errorf("the hero shows #%d, want the newest that failed", m.shown.Number)
	}
	typed(m, "k")
	if m.shown.Number != 33 {
		t.Errorf("k goes to #%d, want #33", m.shown.Number)
	}
	typed(m, "/", "esc")
	see(t, m, "of 37")
	if m.calls.filtered() || m.focus != atCalls {
		t.Error("esc does not drop the filter")
	}
}

func TestFilterThatIsWrong(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "/", "f", "i", "b")
	see(t, m, "/fib", "10 of 35")
	typed(m, " ", "s", "l", "o", "w", " ", "1")
	see(t, m, "slow needs a time", "/fib") // the last good one stays
	typed(m, "0", "m", "s")
	see(t, m, "no such call", "0 of 35")
}

// A running call is looked at until it has ended.
func TestFilterOfRunning(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "/", "r", "u", "n", "n", "i", "n", "g", "enter")
	e := begin(m.session.Journal(), 36)
	m.Update(tickMsg{})
	see(t, m, "1 of 36")
	e.State = console.OK
	m.session.Journal().Finish(e)
	m.Update(tickMsg{})
	see(t, m, "0 of 36")
}

// Over more calls than are kept the filter leaves those that it left one by one.
func TestSieve(t *testing.T) {
	s := newSession(t)
	j := s.Journal()
	m := open(t, s, 80, 24, Config{})
	f, err := console.ParseCallFilter("fib")
	if err != nil {
		t.Fatal(err)
	}
	m.calls.sieve.set(f)
	for i := range 2500 {
		typ := "exp"
		if i%7 == 0 {
			typ = "fib"
		}
		call(j, i%30, typ, fmt.Sprint(i), "1", 400*micro, 0)
		if i%611 == 0 {
			m.Update(tickMsg{})
		}
	}
	m.Update(tickMsg{})
	want := 0
	for _, e := range j.Tail(journalHeld, 0) {
		if e.Type == "fib" {
			want++
		}
	}
	if got := len(m.calls.sieve.found); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// Payloads of megabytes are looked through beside the program.
func TestSieveOfLargePayloads(t *testing.T) {
	s := newSession(t)
	long := `"` + strings.Repeat("x", 300<<10) + `"`
	for i := range 20 {
		call(s.Journal(), i, "echo", long, long, 400*micro, 0)
	}
	m := open(t, s, 80, 24, Config{})
	first := press(m, "alt+1", "/", "e")
	if !m.calls.sieve.behind {
		t.Fatal("looked through at once")
	}
	see(t, m, "looking")
	press(m, "c")
	settle(m, first)
	see(t, m, "/ec", "20 of 20")
}

// BenchmarkFilteredFrame is a frame of a filtered list while 50 000 calls come in a second.
func BenchmarkFilteredFrame(b *testing.B) {
	s := newSession(b)
	m := open(b, s, 120, 40, Config{})
	typed(m, "alt+1", "/", "s", "l", "o", "w", " ", "1", "m", "s", "enter")
	for b.Loop() {
		b.StopTimer()
		for i := range 50_000 / 15 {
			call(s.Journal(), i%30, "exp", `{"base":2,"exp":10}`, `{"value":1024}`, time.Duration(900+i%200)*micro, 0)
		}
		b.StartTimer()
		m.Update(tickMsg{})
		m.View()
	}
}

// A list that is out of sight for a while stands where it stood.
func TestListOutOfSight(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "k", "k")
	before := m.calls.bottom
	typed(m, "alt+3", "f", "f")
	if m.calls.bottom != before || m.calls.number() != 33 {
		t.Errorf("it went from %d to %d", before, m.calls.bottom)
	}
}

// Help is there while a filter is typed, and the filter is there afterwards.
func TestHelpWhileTyping(t *testing.T) {
	m := filled(t)
	typed(m, "alt+1", "/", "f", "i", "b", "f1")
	see(t, m, "f1 Help", "slow 10ms")
	typed(m, "esc", "s")
	see(t, m, "/fibs", "no such call")
}
