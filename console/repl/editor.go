package repl

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/chzyer/readline"

	"github.com/rpckids/rpckids/console"
)

// edit changes a line with its caret.
type edit func(line []rune, pos int) ([]rune, int)

// editor is what the keys do that readline leaves to its program: completion, search, help, delete. Each key passes through
// key, before readline acts on it, and change, after it. Both run in readline's one goroutine, which owns the fields; the
// exceptions are set between two lines.
//
// A key that is ours becomes a bell for readline, which does nothing with it, and a pending edit, which change applies.
// readline must never be told to ignore a key: it would go on reading the terminal when another face has it.
type editor struct {
	session *console.Session
	screen  *screen
	kick    func()    // lets readline read on after a key at which it pauses
	out     io.Writer // prints above the line

	before   string // the rows of the command above this one, each with its newline; set between two lines
	item     string // the service that gets the line as an item, "" for a command; set between two lines
	external bool   // the line was ended to be edited elsewhere; read between two lines

	pending edit
	search  *search
	tabbed  bool // the last key was tab
	stale   bool // the footer on the terminal is not the one that should be there
}

// key is readline's FuncFilterInputRune. r is 0 at the end of the input.
func (e *editor) key(r rune) (rune, bool) {
	e.pending, e.stale = nil, e.screen.SetFooter()
	tabbed := e.tabbed
	e.tabbed = false
	if e.search != nil && r != 0 {
		if r, done := e.searching(r); done {
			return r, true
		}
	}
	switch {
	case r == keyHelp || r == '?' && e.before == "" && e.screen.Empty():
		return e.later(e.help)
	case r == keyDelete:
		return e.later(deleteAt)
	case r == keyEdit:
		e.external = true
		return readline.CharBell, true
	case r == readline.CharTab:
		e.tabbed = true
		return e.later(func(line []rune, pos int) ([]rune, int) { return e.complete(line, pos, tabbed) })
	case r == readline.CharBckSearch || r == readline.CharFwdSearch:
		return e.later(e.startSearch)
	case !known(r):
		return readline.CharBell, true
	}
	return r, true
}

// known says whether readline may have a key: it would write control characters that it does not know into the line, and stop
// the process that started us at ctrl+z.
func known(r rune) bool {
	if r < 0 {
		return r >= readline.MetaBackspace
	}
	return !unicode.IsControl(r) || r <= readline.CharCtrlL || r == readline.CharEnter || r == readline.CharNext || r == readline.CharPrev ||
		r == readline.CharTranspose || r == readline.CharCtrlU || r == readline.CharCtrlW || r == readline.CharCtrlY || r == readline.CharBackspace
}

// later makes f the pending edit.
func (e *editor) later(f edit) (rune, bool) {
	e.pending = f
	return readline.CharBell, true
}

// OnChange is readline's Listener: it applies the pending edit.
func (e *editor) OnChange(line []rune, pos int, key rune) ([]rune, int, bool) {
	switch key {
	case 0, readline.CharEnter, readline.CharCtrlJ, readline.CharInterrupt:
		return nil, 0, false // the line is over, the next may have begun: no field of e may be touched
	case readline.CharDelete:
		return line, pos, len(line) > 0 && e.stale
	case readline.CharBackspace, readline.CharCtrlH:
		line, pos, mended := mend(line, pos)
		return line, pos, mended || e.stale
	}
	if e.pending != nil {
		line, pos = e.pending(line, pos)
		return line, pos, true
	}
	return line, pos, e.stale
}

// reset forgets what belongs to the last line. It is called between two lines.
func (e *editor) reset(before, item string) {
	e.before, e.item, e.external = before, item, false
	e.screen.SetFooter()
}

// help prints the help of the command being typed above the line.
func (e *editor) help(line []rune, pos int) ([]rune, int) {
	topic, _, _ := strings.Cut(strings.TrimSpace(e.before+string(line)), " ")
	if e.item != "" {
		topic = "streams"
	}
	text := e.session.Help(topic)
	if text == "" {
		text = e.session.Help("")
	}
	_, _ = fmt.Fprintln(e.out, strings.TrimRight(text, "\n"))
	return line, pos
}

func deleteAt(line []rune, pos int) ([]rune, int) {
	if pos < len(line) {
		line = append(line[:pos:pos], line[pos+1:]...)
	}
	return line, pos
}

// complete puts the only way to go on, or what all ways have in common, on the line; with the second tab it lists them.
func (e *editor) complete(line []rune, pos int, again bool) ([]rune, int) {
	at := len(string(line[:pos]))
	complete := e.session.Complete
	if e.item != "" {
		complete = func(text string, at int) console.Completion { return e.session.CompleteItem(e.item, text, at) }
	}
	c := complete(e.before+string(line), len(e.before)+at)
	from := c.From - len(e.before)
	if len(c.Offers) == 0 || from < 0 || from > at {
		e.bell()
		return line, pos
	}
	common := c.Offers[0].Text
	for _, item := range c.Offers[1:] {
		common = commonPrefix(common, item.Text)
	}
	typed := string(line[:pos])[from:]
	if len(c.Offers) == 1 && common != typed || len(common) > len(typed) {
		head := append([]rune(string(line[:pos])[:from]), []rune(common)...)
		return append(head[:len(head):len(head)], line[pos:]...), len(head)
	}
	if again && len(c.Offers) > 1 {
		cols, _ := e.screen.size()
		e.screen.SetFooter(list(c.Offers, cols)...)
		return line, pos
	}
	e.bell()
	return line, pos
}

func (e *editor) bell() { _, _ = io.WriteString(e.screen, "\a") }

// commonPrefix returns what two texts start with, in whole characters and without regard to case.
func commonPrefix(a, b string) string {
	ra, rb := []rune(a), []rune(b)
	n := 0
	for n < len(ra) && n < len(rb) && unicode.ToLower(ra[n]) == unicode.ToLower(rb[n]) {
		n++
	}
	return string(ra[:n])
}

// list is the list of ways to go on: one on a line with its help, or in columns when none has help.
func list(items []console.Offer, cols int) []string {
	widest, helped := 0, false
	for _, item := range items {
		widest = max(widest, ansi.StringWidth(item.Text))
		helped = helped || item.Help != ""
	}
	widest = min(widest, max(cols/2, 1))
	perLine := max((cols-1)/(widest+2), 1)
	if helped {
		perLine = 1
	}
	var lines []string
	for i, item := range items {
		text := ansi.Truncate(item.Text, widest, "…")
		text += strings.Repeat(" ", widest-ansi.StringWidth(text)+2) + item.Help
		if i%perLine == 0 {
			lines = append(lines, "")
		}
		lines[len(lines)-1] += text
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
