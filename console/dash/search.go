package dash

import (
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// search is the overlay that finds a line of the history. The line it finds is put into the prompt and never run.
type search struct {
	theme *theme.Theme
	lines []string // newest first, each once
	found []string
	edit  editor
	at    int
}

func newSearch(t *theme.Theme, history []string, text string) *search {
	s := &search{theme: t}
	seen := map[string]bool{}
	for i := len(history) - 1; i >= 0; i-- {
		if !seen[history[i]] {
			seen[history[i]] = true
			s.lines = append(s.lines, history[i])
		}
	}
	s.edit.set(text)
	s.find()
	return s
}

// find looks for lines that hold every word of the text, whatever its case.
func (s *search) find() {
	s.found, s.at = nil, 0
	words := strings.Fields(strings.ToLower(s.edit.String()))
	for _, l := range s.lines {
		low, all := strings.ToLower(l), true
		for _, w := range words {
			all = all && strings.Contains(low, w)
		}
		if all {
			s.found = append(s.found, l)
		}
	}
}

func (s *search) Update(msg tea.KeyMsg) (wish, bool) {
	switch msg.String() {
	case "esc", "ctrl+c", "ctrl+g", "f1":
		return nil, false
	case "enter", "tab":
		if s.at < len(s.found) {
			return wishEdit(s.found[s.at]), false
		}
		return nil, false
	case "down", "ctrl+r", "ctrl+n":
		s.at = min(s.at+1, max(len(s.found)-1, 0))
	case "up", "ctrl+s", "ctrl+p":
		s.at = max(s.at-1, 0)
	default:
		if s.edit.key(msg) {
			s.find()
		}
	}
	return nil, true
}

func (s *search) Box(w, h int) (heading, []*line, int) {
	t := s.theme
	hd := heading{name: "History", right: strconv.Itoa(len(s.found)) + " of " + strconv.Itoa(len(s.lines))}
	rows := min(h-2, 12, max(len(s.lines), 3)) // by all lines, so that the box keeps its size while they are searched
	text, cursor, _ := s.edit.window(w - 12)
	out := []*line{(&line{}).put(&t.Text, " ").put(&t.Focus, "find> ").put(&t.Text, text), {}}
	first := max(s.at-rows+1, 0)
	for i := range max(rows, 0) {
		l := &line{}
		if n := first + i; n < len(s.found) {
			mark := " "
			if n == s.at {
				l.row, mark = theme.Chosen, t.Mark.Row
			}
			l.put(&t.Accent, mark).put(&t.Text, " "+cut(console.Printable(s.found[n]), w-3, t.Mark.Cut)).until(&t.Text, w)
		} else if i == 0 {
			l.put(&t.Muted, s.nothing())
		}
		out = append(out, l)
	}
	return hd, out, 7 + cursor
}

func (s *search) nothing() string {
	if len(s.lines) == 0 {
		return "  nothing was typed yet"
	}
	return "  no such line"
}
