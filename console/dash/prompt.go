package dash

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

const checkCap = 64 << 10 // longer lines are not judged at each key

// prompt is the line being typed and what is said about it.
type prompt struct {
	*scene
	edit    editor
	lines   []string // the history while going through it, oldest first
	past    int      // how far back; 0: the line being typed
	draft   string   // that line, while looking at older ones
	choice  choice
	verdict console.Hint   // of the line as it stands
	refused *console.Error // of the line that was entered; until the next key
	offered bool           // the line was refused and stands there to be mended: typing begins another one, any other key takes it up
	notice  string         // instead of all that; until the next key
	waiting []string       // pasted lines that come up one by one; never run by themselves

	desk   *desk // where the lines go while a command asks for items; nil: they are commands
	asked  int   // the question that was seen last
	ask    console.Question
	given  []string // items that were typed, for the arrows
	before string   // the command that was being typed when the first question came
}

// sit makes the prompt one for the items of a command, or for commands again.
func (p *prompt) sit(at *desk) {
	if at != p.desk {
		if p.desk == nil {
			p.before = p.edit.String()
			p.set("")
		}
		p.desk, p.asked, p.given, p.waiting = at, 0, nil, nil
		if at == nil {
			p.set(p.before)
			p.before = ""
		}
	}
	if at == nil {
		return
	}
	q, n, _ := at.now()
	if n == p.asked {
		return
	}
	p.ask, p.asked = q, n
	if q.Refused != nil && p.empty() {
		p.waiting = nil
		p.set(q.Text)
		p.refused, p.offered = q.Refused, true
	}
	p.check()
}

// answer gives the line to the command that asks for it.
func (p *prompt) answer() {
	line := p.take()
	if line != "" {
		p.given = append(p.given, line)
	}
	if line == "." && p.ask.Before == "" {
		p.desk.end()
		return
	}
	p.desk.give(line)
}

// choice is a completion with several items.
type choice struct {
	items []console.Offer
	from  int // byte offset in the line
	at    int // the item in the line; -1: only what they have in common
}

// key edits the line, walks the history or completes. It reports whether it knew the key.
func (p *prompt) key(msg tea.KeyMsg) bool {
	p.notice, p.refused = "", nil
	if p.offered && begins(msg) {
		p.set("")
	}
	p.offered = false
	switch name := msg.String(); {
	case msg.Paste:
		p.paste(string(msg.Runes))
	case name == "tab":
		p.complete(1)
		p.check()
		return true
	case name == "shift+tab":
		p.complete(-1)
		p.check()
		return true
	case name == "up" || name == "ctrl+p":
		p.walk(1)
	case name == "down" || name == "ctrl+n":
		p.walk(-1)
	case p.edit.key(msg):
	default:
		return false
	}
	p.choice = choice{}
	p.check()
	return true
}

// begins says whether a key begins a line of its own: a space goes on with the one that is there.
func begins(msg tea.KeyMsg) bool {
	return msg.Paste || msg.Type == tea.KeyRunes && !msg.Alt && len(msg.Runes) > 0 && msg.Runes[0] != ' '
}

// set puts a line into the prompt, ready to be edited.
func (p *prompt) set(line string) {
	p.edit.set(line)
	p.past, p.choice, p.notice, p.refused, p.offered = 0, choice{}, "", nil, false
	p.check()
}

// take empties the prompt and returns what stood there.
func (p *prompt) take() string {
	line := strings.TrimSpace(p.edit.String())
	next := ""
	if len(p.waiting) > 0 {
		next, p.waiting = p.waiting[0], p.waiting[1:]
	}
	p.set(next)
	return line
}

// goesOn reports whether the line ends inside brackets and so cannot be run yet. The prompt has one line: what comes next goes behind it.
func (p *prompt) goesOn() bool {
	line := p.edit.String()
	if p.desk != nil || !console.Incomplete(line) {
		return false
	}
	p.edit.set(line + " ")
	p.check()
	p.notice = "the line goes on: its brackets are still open; ctrl+c clears it"
	return true
}

func (p *prompt) empty() bool { return len(p.edit.text) == 0 }

func (p *prompt) check() {
	p.verdict = console.Hint{}
	switch {
	case len(p.edit.text) == 0 || len(p.edit.text) >= checkCap:
	case p.desk != nil:
		p.verdict = p.session.CheckItem(p.ask.Type, p.ask.Before+p.edit.String())
		p.verdict.At = max(p.verdict.At-len(p.ask.Before), 0)
	default:
		p.verdict = p.session.Check(p.edit.String())
	}
}

// paste inserts text. Its newlines become spaces as long as they stand inside JSON; of several commands the first comes into the line and
// the others follow one by one, each after its own enter.
func (p *prompt) paste(text string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var commands []string
	before := string(p.edit.text[:p.edit.at])
	for lines := strings.Split(text, "\n"); len(lines) > 0; {
		if first := strings.TrimSpace(lines[0]); first == "" || strings.HasPrefix(first, "#") {
			lines = lines[1:]
			continue
		}
		n := 1
		if p.desk == nil {
			n, _ = console.Gather(before, lines)
		}
		commands, lines, before = append(commands, strings.Join(lines[:n], " ")), lines[n:], ""
	}
	if len(commands) == 0 {
		return
	}
	p.edit.insert([]rune(commands[0]))
	p.waiting = append(p.waiting, commands[1:]...)
}

// walk goes n lines back in the history, or forward.
func (p *prompt) walk(n int) {
	if p.past == 0 {
		p.lines, p.draft = p.given, p.edit.String()
		if p.desk == nil {
			p.lines = p.session.History().Lines()
		}
	}
	p.past = min(max(p.past+n, 0), len(p.lines))
	if p.past == 0 {
		p.edit.set(p.draft)
	} else {
		p.edit.set(p.lines[len(p.lines)-p.past])
	}
}

// complete puts in what is sure; when there are several ways to go on, each further tab tries the next.
func (p *prompt) complete(step int) {
	if c := &p.choice; len(c.items) > 1 {
		c.at += step
		switch {
		case c.at >= len(c.items):
			c.at = 0
		case c.at < 0:
			c.at = len(c.items) - 1
		}
		p.replace(c.from, c.items[c.at].Text)
		return
	}
	line, at := p.edit.String(), p.edit.offset()
	found := p.completion(line, at)
	if found.From < 0 || found.From > at || len(found.Offers) == 0 {
		p.notice = "nothing to complete here"
		return
	}
	if len(found.Offers) == 1 {
		p.replace(found.From, found.Offers[0].Text)
		return
	}
	common := found.Offers[0].Text
	for _, it := range found.Offers {
		for !strings.HasPrefix(it.Text, common) {
			common = common[:len(common)-1]
		}
	}
	if common = strings.ToValidUTF8(common, ""); len(common) > at-found.From {
		p.replace(found.From, common)
	}
	p.choice = choice{items: found.Offers, from: found.From, at: -1}
}

func (p *prompt) completion(line string, at int) console.Completion {
	if p.desk == nil {
		return p.session.Complete(line, at)
	}
	c := p.session.CompleteItem(p.ask.Type, p.ask.Before+line, len(p.ask.Before)+at)
	c.From -= len(p.ask.Before)
	return c
}

// replace puts text in the place of what stands between byte offset from and the cursor.
func (p *prompt) replace(from int, text string) {
	line, at := p.edit.String(), p.edit.offset()
	if from > at {
		return
	}
	p.edit.set(line[:from] + text)
	end := p.edit.at
	p.edit.insert([]rune(line[at:]))
	p.edit.at = end
}

// label is what stands before the line: where it goes, or only its sign where there is little room.
func (p *prompt) label(w int) string {
	label := console.Printable(p.session.Prompt()) + "> "
	if p.desk != nil {
		label = p.ask.Prompt + "> "
		if p.ask.Before != "" {
			label = strings.Repeat(".", len(p.ask.Prompt)) + "> "
		}
	}
	if p.desk != nil || w >= 60 && width(label) < w/2 {
		return label
	}
	return "> "
}

// view draws the line and tells the cell of the cursor.
func (p *prompt) view(w int) (text string, cursor int) {
	t := p.theme
	style := &t.Muted
	if p.focus == atPrompt {
		style = &t.Focus
	}
	l := (&line{}).put(&t.Text, " ").put(style, p.label(w))
	shown, cursor, _ := p.edit.window(w - 1 - l.w)
	cursor += l.w
	pg := newPage(w, 1)
	if p.offered {
		l.row = theme.Chosen
	}
	pg.add(l.put(&t.Text, shown))
	return pg.done()[0], min(cursor, w-1)
}
