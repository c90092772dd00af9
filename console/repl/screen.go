package repl

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// cleaning is what readline writes to take its line off the screen.
var cleaning = regexp.MustCompile(`^\x1b\[J(?:\x1b\[2K\r\x1b\[A)*\x1b\[2K\r$`)

// screen draws the prompt, the line and a footer below it. It stands between readline and the terminal as both its Painter, which
// learns the line, and its Stdout, where it draws that line itself: readline counts characters, a terminal counts cells. What else
// readline writes passes through. Safe for concurrent use.
type screen struct {
	out   io.Writer
	size  func() (cols, rows int)
	style Style

	mu     sync.Mutex // protects the fields below
	prompt string
	line   []rune
	pos    int
	footer []string
	muted  bool
	due    bool // readline has painted and writes next
	erase  bool // readline has cleaned: the next write starts with that
	shown  drawn
}

// drawn is what stands on the terminal: enough to find its first row again, also after the terminal has a new width.
type drawn struct {
	prompt, line string
	pos, cols    int
	row          int // of the caret
}

func newScreen(out io.Writer, size func() (cols, rows int), style Style) *screen {
	return &screen{out: out, size: size, style: style}
}

// Paint learns the line from readline, which shows what Write draws instead.
func (s *screen) Paint(line []rune, pos int) []rune {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line, s.pos, s.due = slices.Clone(line), pos, true
	return nil
}

// Write takes readline's output.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch text := string(b); {
	case s.muted:
		s.due = false
	case s.due:
		s.due = false
		err = s.drawLocked()
	case cleaning.MatchString(text):
		s.erase = true
	case text == "\x1b[H": // ctrl+l
		s.shown, s.erase = drawn{}, false
		_, err = io.WriteString(s.out, "\x1b[H\x1b[2J")
	default:
		_, err = io.WriteString(s.out, s.eraseLocked()+text)
	}
	return len(b), err
}

// Above writes whole lines above the line being edited, or simply where no line is.
func (s *screen) Above(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	drawn := s.shown.cols > 0 || s.erase
	s.erase = s.shown.cols > 0
	if _, err := io.WriteString(s.out, s.eraseLocked()+string(lines)); err != nil || !drawn {
		return len(lines), err
	}
	return len(lines), s.drawLocked()
}

// Finish ends what readline began: a line that it took off the screen goes.
func (s *screen) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, s.eraseLocked()) // a terminal that cannot be written to shows nothing anyway
	s.shown = drawn{}
}

// Mute throws away what readline writes, or ends that.
func (s *screen) Mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = on
}

// SetPrompt changes the prompt of the next drawing.
func (s *screen) SetPrompt(prompt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompt = prompt
}

// SetFooter changes the lines below the line being edited from the next drawing on, and says whether that changes anything.
func (s *screen) SetFooter(lines ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := !slices.Equal(s.footer, lines)
	s.footer = lines
	return changed
}

// Empty says whether nothing stands on the line.
func (s *screen) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.line) == 0
}

// eraseLocked returns what takes the drawn line off the terminal, when that is due.
func (s *screen) eraseLocked() string {
	if !s.erase {
		return ""
	}
	s.erase = false
	row := s.shown.row
	if cols, _ := s.size(); cols != s.shown.cols && s.shown.cols > 0 { // the terminal has broken the rows anew
		caret, _ := flow(s.shown.prompt, s.shown.line, s.shown.pos, cols)
		row = caret.row
	}
	s.shown = drawn{}
	return up(row) + "\r\x1b[J"
}

// drawLocked draws everything in one write, so that nothing flickers.
func (s *screen) drawLocked() error {
	cols, rows := s.size()
	var b strings.Builder
	b.WriteString(s.eraseLocked())
	line, pos, entered := s.line, s.pos, false
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line, pos, entered = line[:n-1], min(pos, n-1), true
	}
	line, pos = window(line, pos, max(rows-3, 1)*cols-ansi.StringWidth(s.prompt))
	caret, end := flow(s.prompt, string(line), pos, cols)
	b.WriteString(s.style.as(Prompt, s.prompt))
	b.WriteString(visible(string(line)))
	if entered {
		b.WriteString("\r\n")
		s.line, s.pos, s.shown = nil, 0, drawn{}
		_, err := io.WriteString(s.out, b.String())
		return err
	}
	if end.col >= cols { // the terminal still waits at the edge: a space takes it to the next row
		b.WriteString(" \r")
		end = end.settle(cols)
	}
	below := s.footerLocked(cols, rows-end.row-2)
	for _, f := range below {
		b.WriteString("\r\n" + f)
	}
	b.WriteString(up(end.row + len(below) - caret.row))
	b.WriteString("\r")
	if caret.col > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", caret.col)
	}
	s.shown = drawn{prompt: s.prompt, line: string(line), pos: pos, cols: cols, row: caret.row}
	_, err := io.WriteString(s.out, b.String())
	return err
}

// footerLocked is the footer cut to the room there is; what is left out is counted.
func (s *screen) footerLocked(cols, rows int) []string {
	lines := s.footer
	if rows <= 0 {
		return nil
	}
	if len(lines) > rows {
		more := len(lines) - rows + 1
		lines = append(slices.Clone(lines[:rows-1]), fmt.Sprintf("and %d more", more))
	}
	below := make([]string, len(lines))
	for i, l := range lines {
		below[i] = s.style.as(Muted, ansi.Truncate(visible(l), cols-1, "…"))
	}
	return below
}

// up moves the cursor up.
func up(rows int) string {
	if rows <= 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", rows)
}
