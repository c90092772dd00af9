//go:build unix

package screen

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
)

// Text is what the screen shows: one line per row, without the blanks at its end.
func (s *Screen) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.rowsLocked(), "\n")
}

// Row is one row of the screen, counted from 0; "" outside it.
func (s *Screen) Row(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= s.em.Height() {
		return ""
	}
	return s.rowLocked(i)
}

// Cursor is the cursor's column and row, counted from 0.
func (s *Screen) Cursor() (x, y int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.em.CursorPosition()
	return p.X, p.Y
}

// CursorVisible reports whether the program shows the cursor.
func (s *Screen) CursorVisible() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visible
}

// AltScreen reports whether the program is on the alternate screen, as full-screen programs are.
func (s *Screen) AltScreen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.em.IsAltScreen()
}

// Raw is a copy of all bytes that the program wrote.
func (s *Screen) Raw() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.raw.Bytes())
}

// Picture is the screen in a frame with the cursor's place, for messages.
func (s *Screen) Picture() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	edge := "+" + strings.Repeat("-", s.em.Width()) + "+\n"
	b.WriteString(edge)
	for _, row := range s.rowsLocked() {
		fmt.Fprintf(&b, "|%s\n", row)
	}
	p := s.em.CursorPosition()
	fmt.Fprintf(&b, "%scursor at column %d, row %d; %d bytes of output", edge, p.X, p.Y, s.raw.Len())
	return b.String()
}

// Wait waits until the screen shows text.
func (s *Screen) Wait(text string) {
	s.t.Helper()
	s.Until(fmt.Sprintf("%q on the screen", text), func() bool { return strings.Contains(s.Text(), text) })
}

// Gone waits until the screen does not show text.
func (s *Screen) Gone(text string) {
	s.t.Helper()
	s.Until(fmt.Sprintf("no %q on the screen", text), func() bool { return !strings.Contains(s.Text(), text) })
}

// WaitRaw waits until the program has written text at least n times, wherever on the screen, also as an escape sequence.
func (s *Screen) WaitRaw(text string, n int) {
	s.t.Helper()
	s.Until(fmt.Sprintf("%q %d times in the output", text, n), func() bool {
		return bytes.Count(s.Raw(), []byte(text)) >= n
	})
}

// WaitCursor waits until the cursor is at that column and row.
func (s *Screen) WaitCursor(x, y int) {
	s.t.Helper()
	s.Until(fmt.Sprintf("the cursor at column %d, row %d", x, y), func() bool {
		cx, cy := s.Cursor()
		return cx == x && cy == y
	})
}

// Until waits until ok is true and fails the test, naming what was waited for, when the program has ended or hangs
// without that. It asks after each output of the program, and now and then for what shows in no output.
func (s *Screen) Until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		changed := s.change()
		over := false
		select {
		case <-s.read:
			over = true
		default:
		}
		if ok() {
			return
		}
		if over {
			s.t.Fatalf("want %s, but the program ended with code %d; the screen is\n%s", what, s.Exit(), s.Picture())
		}
		select {
		case <-changed:
		case <-s.read:
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("want %s; the screen is\n%s", what, s.Picture())
		}
	}
}

// change is closed with the next output.
func (s *Screen) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Screen) rowsLocked() []string {
	rows := make([]string, s.em.Height())
	for y := range rows {
		rows[y] = s.rowLocked(y)
	}
	return rows
}

func (s *Screen) rowLocked(y int) string {
	return join(s.em.Width(), func(x int) *uv.Cell { return s.em.CellAt(x, y) })
}

// join is the text of a row of cells. The second cell of a wide character has width 0 and no text of its own.
func join(width int, cell func(x int) *uv.Cell) string {
	var b strings.Builder
	for x := range width {
		switch c := cell(x); {
		case c == nil:
			b.WriteByte(' ')
		case c.Width > 0:
			b.WriteString(c.Content)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
