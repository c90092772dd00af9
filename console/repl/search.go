package repl

import (
	"strings"
	"unicode/utf8"

	"github.com/chzyer/readline"
)

// search looks for a line of the history while its text is typed, newest first. Letters match in both cases.
type search struct {
	lines []string // oldest first
	query []rune
	at    int // index of the line found; len(lines) while none is
	caret int // in the line found, after the match
	lost  bool
	line  []rune // what stood on the line before, for ctrl+g
	pos   int
}

// find goes from the line before index from, or after it when newer, to the next one that holds the query and differs from the
// one shown. It stays where it is when there is none.
func (s *search) find(from int, newer bool) {
	step := -1
	if newer {
		step = 1
	}
	shown := ""
	if s.at < len(s.lines) && from == s.at {
		shown = s.lines[s.at]
	}
	want := strings.ToLower(string(s.query))
	for i := from + step; i >= 0 && i < len(s.lines); i += step {
		before, _, found := strings.Cut(strings.ToLower(s.lines[i]), want)
		if found && s.lines[i] != shown {
			s.at, s.lost = i, false
			s.caret = min(utf8.RuneCountInString(before)+len(s.query), utf8.RuneCountInString(s.lines[i]))
			return
		}
	}
	s.lost = true
}

// show is the line found with the caret after the match, or what stood there before.
func (s *search) show() ([]rune, int) {
	if s.at >= len(s.lines) {
		return s.line, s.pos
	}
	return []rune(s.lines[s.at]), s.caret
}

func (s *search) footer() string {
	text := "search: " + string(s.query)
	switch {
	case s.lost:
		return text + "   nothing more found   ctrl+g back"
	case len(s.query) == 0:
		return text + "   type a part of a line   ctrl+g back"
	}
	return text + "   ctrl+r older   ctrl+s newer   enter run   ctrl+g back"
}

// startSearch begins a search from the line as it stands.
func (e *editor) startSearch(line []rune, pos int) ([]rune, int) {
	lines := e.session.History().Lines()
	e.search = &search{lines: lines, at: len(lines), line: line, pos: pos}
	return e.found(line, pos)
}

// found shows where the search is.
func (e *editor) found([]rune, int) ([]rune, int) {
	e.screen.SetFooter(e.search.footer())
	return e.search.show()
}

// searching acts on a key while a search runs. When done is false the search is over and the key means what it always does.
func (e *editor) searching(r rune) (_ rune, done bool) {
	s := e.search
	switch {
	case r == readline.CharBckSearch && len(s.query) > 0:
		s.find(s.at, false)
	case r == readline.CharFwdSearch && len(s.query) > 0:
		s.find(s.at, true)
	case r == readline.CharBckSearch || r == readline.CharFwdSearch:
	case r == readline.CharBackspace || r == readline.CharCtrlH:
		s.query, s.at, s.lost = s.query[:max(len(s.query)-1, 0)], len(s.lines), false
		if len(s.query) > 0 {
			s.find(s.at, false)
		}
	case r == readline.CharBell || r == readline.CharInterrupt:
		e.search = nil
		if r == readline.CharInterrupt {
			e.kick() // readline pauses after ctrl+c
		}
		e.pending = func([]rune, int) ([]rune, int) { return s.line, s.pos }
		return readline.CharBell, true
	case r == readline.CharTab:
		e.search = nil
		e.stale = true
		return readline.CharBell, true
	case r >= ' ' && r < keyHelp && known(r):
		s.query = append(s.query, r)
		s.find(min(s.at+1, len(s.lines)), false)
	default:
		e.search = nil
		return r, false
	}
	e.pending = e.found
	return readline.CharBell, true
}
