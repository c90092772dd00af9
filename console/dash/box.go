package dash

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// box is a line that is typed inside of a pane: a filter, or what is looked for. Its zero value is closed.
type box struct {
	edit   editor
	open   bool
	before string // what stood there when it was opened
}

// show opens the box on a text.
func (b *box) show(text string) {
	b.open, b.before = true, text
	b.edit.set(text)
}

func (b *box) String() string { return b.edit.String() }

// key edits the line; done says that it was ended, and keep that it was not given up.
func (b *box) key(msg tea.KeyMsg) (done, keep bool) {
	switch msg.String() {
	case "enter", "tab", "shift+tab":
		b.open = false
		return true, true
	case "esc", "ctrl+c", "ctrl+g":
		b.open = false
		return true, false
	}
	if msg.Paste {
		b.edit.insert(msg.Runes)
		return false, true
	}
	b.edit.key(msg)
	return false, true
}

// draw puts the line behind its sign; while it is open the sign is lit and nothing is cut but by the window of the editor.
func (b *box) draw(t *theme.Theme, sign string, w int) *line {
	l := (&line{}).put(&t.Text, " ")
	style := &t.Muted
	if b.open {
		style = &t.Focus
	}
	l.put(style, sign+" ")
	shown, _, _ := b.edit.window(max(w-1-l.w, 1))
	if !b.open {
		shown = cut(console.Printable(b.String()), w-1-l.w, t.Mark.Cut)
	}
	return l.put(&t.Text, shown)
}

// cursor is the cell of the cursor in the row that draw made.
func (b *box) cursor(sign string, w int) int {
	before := 2 + width(sign)
	_, at, _ := b.edit.window(max(w-1-before, 1))
	return min(before+at, max(w-1, 0))
}
