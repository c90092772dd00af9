package dash

import (
	"slices"
	"strconv"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// Update answers the keys of Result.
func (r *result) Update(key string) wish {
	switch {
	case r.lists() && r.listKey(key):
		r.items.fit(r.room())
		return nil
	case r.reads() && r.readKey(key):
		return nil
	}
	switch key {
	case "|":
		return r.openFilter()
	case "#":
		r.sheet.number()
		return nil
	}
	if r.output != nil {
		if key == "e" {
			return wishEdit(r.output.command)
		}
		return nil
	}
	if r.done.Number > 0 {
		return actOn(r.scene, key, r.done)
	}
	return nil
}

// readKey moves, folds and looks around in a document.
func (r *result) readKey(key string) bool {
	s := &r.sheet
	switch key {
	case "down", "j":
		s.move(1)
	case "up", "k":
		s.move(-1)
	case "pgdown", " ":
		s.page(1)
	case "pgup":
		s.page(-1)
	case "home", "g":
		s.at, s.top, s.skip = 0, 0, 0
	case "end", "G":
		s.at = max(s.len()-1, 0)
		s.top, s.skip = s.end()
	case "left", "h":
		s.fold()
	case "right", "l":
		s.unfold()
	case "enter":
		if s.len() > 0 && s.doc.json {
			if s.folded(s.line(s.at)) {
				s.unfold()
			} else {
				s.fold()
			}
		}
	case "J":
		s.foldAll()
	case "/":
		r.find.box.show(r.find.text)
	case "n":
		r.findStep(1)
	case "N":
		r.findStep(-1)
	default:
		return false
	}
	return true
}

func (r *result) findStep(n int) {
	if line := r.find.step(n); line >= 0 {
		r.sheet.open(line)
	}
}

// listKey moves among the items of a stream; enter shows the chosen one in full.
func (r *result) listKey(key string) bool {
	s := &r.items
	page := max(r.room()-1, 1)
	switch key {
	case "down", "j":
		s.choose(s.at() + 1)
	case "up", "k":
		s.choose(s.at() - 1)
	case "pgdown", " ":
		s.choose(s.at() + page)
	case "pgup":
		s.choose(s.at() - page)
	case "home", "g":
		s.choose(0)
	case "end", "G":
		s.choose(len(s.lines) - 1)
	case "enter", "right", "l":
		if at := s.at(); at >= 0 {
			it := s.lines[at]
			s.choose(at)
			r.opened = &it
		}
	default:
		return false
	}
	return true
}

// openFilter gives the filter its row and the keyboard.
func (r *result) openFilter() wish {
	if r.output != nil || r.done.Number == 0 {
		return wishNote("a filter needs a reply")
	}
	r.filter.on = true
	r.filter.box.show(r.filter.text)
	if !r.filtered() {
		r.filter.drop()
		r.filter.box.open = false
		return wishNote("there is no reply to filter")
	}
	return nil
}

// Typing says whether a filter or a text to look for is being typed.
func (r *result) Typing() bool { return r.filter.box.open || r.find.box.open }

// Key answers a key while one is typed.
func (r *result) Key(msg tea.KeyMsg) wish {
	if r.filter.box.open {
		r.filter.key(r.session, r.done.Number, msg)
		return nil
	}
	from := 0
	if r.sheet.len() > 0 {
		from = r.sheet.line(min(r.sheet.at, r.sheet.len()-1))
	}
	done, keep := r.find.box.key(msg)
	switch text := r.find.box.String(); {
	case done && (!keep || text == ""):
		r.find.drop()
	case text != r.find.text:
		r.find.search(r.scene, r.sheet.doc, text, from, r.sheet.open)
	}
	r.sheet.find = r.find.of
	return nil
}

// Cursor is where the next letter goes.
func (r *result) Cursor(w, h int) (x, y int) {
	if r.filter.box.open {
		return r.filter.box.cursor("|", r.to()+1), 0
	}
	return r.find.box.cursor("/", w), max(h-1, 0)
}

// Hint says what may be typed.
func (r *result) Hint() string {
	if r.filter.box.open {
		return "jq over the reply: .field  .list[]  keys  length  map(...)"
	}
	return "enter keeps it; then n is the next one, N the one before"
}

// Closes says what esc does.
func (r *result) Closes() string {
	switch {
	case r.opened != nil && r.output == nil:
		return "back to all items"
	case r.find.of != nil:
		return "ends the search"
	}
	return ""
}

// Close goes back from an item to its stream, and ends a search.
func (r *result) Close() bool {
	switch {
	case r.opened != nil && r.output == nil:
		r.opened = nil
	case r.find.of != nil:
		r.find.drop()
		r.sheet.find = nil
	default:
		return false
	}
	return true
}

// Keys are those that make sense for what is shown.
func (r *result) Keys() []key {
	m := r.theme.Mark
	switch {
	case r.filter.box.open:
		return []key{{"enter", "keep the filter", "keep the filter"}, {"tab", "complete", "complete a field"}, {"esc", "drop it", "show the reply again"}}
	case r.find.box.open:
		return []key{{"enter", "keep", "keep it: n next, N before"}, {"esc", "drop", "end the search"}}
	case r.measured():
		return []key{{"e", "edit", "edit, then run"}, {"f", "zoom", "zoom this pane"}, {"tab", "next pane", ""}, {"esc", "prompt", ""}}
	}
	return []key{
		{"j k", "scroll", ""},
		{"j k " + m.Up + " " + m.Down, "", "line by line"},
		{"pgup pgdn", "page", "a page up, down"},
		{"home end", "", "first, last line"},
		{"h l", "fold", "fold, unfold"},
		{"J", "", "fold, unfold all"},
		{"|", "filter", "filter with jq"},
		{"/", "search", "search; n N next, before"},
		{"r", "rerun", "run again"},
		{"e", "edit", "edit, then run"},
		{"d", "diff", "diff with the one before"},
		{"D", "", "diff with another call"},
		{"y", "copy", "copy the reply"},
		{"Y", "", "copy as a command"},
		{"#", "", "line numbers"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

// actOn answers the keys that do something with a call, in whatever pane: all of them are commands of the language.
func actOn(s *scene, key string, e console.Entry) wish {
	number := strconv.Itoa(e.Number)
	switch key {
	case "r":
		return wishRun("rerun " + number)
	case "e":
		switch {
		case e.Dropped:
			return wishNote("#" + number + ": " + notKept) // half a line would do something else
		case len(e.Payload) > checkCap:
			return wishNote(console.Bytes(len(e.Payload)) + " are too much for a line; `copy " + number + " --as payload` takes them elsewhere")
		}
		return wishEdit(editLine(e))
	case "d":
		if before := s.earlierThan(e); before > 0 {
			return wishAsk("diff " + strconv.Itoa(before) + " " + number)
		}
		return wishNote("no " + e.Kind.String() + " of " + console.Printable(e.Type) + " before #" + number + "; D compares it with another call")
	case "D":
		return wishEdit("diff " + number + " ")
	case "y":
		return wishAsk("copy " + number)
	case "Y":
		return wishAsk("copy " + number + " --as shell")
	}
	return nil
}

// earlierThan is the newest call of the same kind and type before an entry that it can be compared with, a good one where there is any; 0 for none.
func (s *scene) earlierThan(e console.Entry) int {
	if e.Number <= 1 {
		return 0 // the journal takes 0 for the newest
	}
	failed := 0
	for _, b := range slices.Backward(s.session.Journal().Tail(journalHeld, e.Number-1)) {
		switch {
		case b.Type != e.Type || b.Kind != e.Kind || b.State == console.Running || b.Dropped:
		case b.State != console.Failed:
			return b.Number
		case failed == 0:
			failed = b.Number
		}
	}
	return failed
}
