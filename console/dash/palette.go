package dash

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// palette is the overlay that finds a command by a few letters of it or a word of its help.
type palette struct {
	theme    *theme.Theme
	commands []console.About
	found    []console.About // the best first
	edit     editor
	at       int
}

func newPalette(t *theme.Theme, commands []console.About) *palette {
	o := &palette{theme: t, commands: commands}
	o.find()
	return o
}

// find keeps the commands that every word of the text fits, those that it fits best first and otherwise in the order of help.
func (o *palette) find() {
	o.found, o.at = nil, 0
	words := strings.Fields(strings.ToLower(o.edit.String()))
	rank := map[string]int{}
	for _, c := range o.commands {
		sum, fits := 0, true
		for _, w := range words {
			r := fit(&c, w)
			sum, fits = sum+r, fits && r >= 0
		}
		if fits {
			o.found, rank[c.Name] = append(o.found, c), sum
		}
	}
	slices.SortStableFunc(o.found, func(a, b console.About) int { return rank[a.Name] - rank[b.Name] })
}

// fit says how far a word is from a command: 0 is its name, -1 nowhere near.
func fit(c *console.About, w string) int {
	best := -1
	closer := func(r int) {
		if best < 0 || r < best {
			best = r
		}
	}
	for _, name := range append([]string{c.Name}, c.Aliases...) {
		switch {
		case name == w:
			closer(0)
		case strings.HasPrefix(name, w):
			closer(1)
		case strings.Contains(name, w):
			closer(2)
		case inOrder(name, w):
			closer(4)
		}
	}
	switch help := strings.ToLower(c.Help + " " + c.Group); {
	case strings.HasPrefix(help, w) || strings.Contains(help, " "+w):
		closer(3)
	case strings.Contains(help+strings.ToLower(c.Args+c.Example), w):
		closer(5)
	}
	return best
}

// inOrder says whether a name has the letters of a word in their order: "dc" is in "disconnect".
func inOrder(name, w string) bool {
	rest := []rune(w)
	for _, r := range name {
		if len(rest) > 0 && r == rest[0] {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

func (o *palette) Update(msg tea.KeyMsg) (wish, bool) {
	switch msg.String() {
	case "esc", "ctrl+c", "ctrl+g", "f2":
		return nil, false
	case "enter", "tab":
		if o.at >= len(o.found) {
			return nil, true
		}
		c := o.found[o.at]
		if c.Alone && msg.Type == tea.KeyEnter {
			return wishRun(c.Name), false
		}
		if c.Args != "" {
			return wishEdit(c.Name + " "), false
		}
		return wishEdit(c.Name), false
	case "down", "ctrl+n":
		o.at = min(o.at+1, max(len(o.found)-1, 0))
	case "up", "ctrl+p":
		o.at = max(o.at-1, 0)
	case "pgdown":
		o.at = min(o.at+10, max(len(o.found)-1, 0))
	case "pgup":
		o.at = max(o.at-10, 0)
	default:
		if o.edit.key(msg) {
			o.find()
		}
	}
	return nil, true
}

func (o *palette) Box(w, h int) (heading, []*line, int) {
	t := o.theme
	hd := heading{name: "f2 Commands", right: console.Count(len(o.found)) + " of " + console.Count(len(o.commands))}
	text, cursor, _ := o.edit.window(w - 11)
	out := []*line{(&line{}).put(&t.Text, " ").put(&t.Focus, "find> ").put(&t.Text, text)}
	foot := o.foot(w)
	rows := min(h-2-len(foot), 10, len(o.commands))
	if rows >= 4 {
		out = append(out, &line{})
	}
	first := max(o.at-rows+1, 0)
	for i := range max(rows, 0) {
		l := &line{}
		if n := first + i; n < len(o.found) {
			l = o.row(&o.found[n], n == o.at, w)
		} else if i == 0 {
			l.put(&t.Muted, "  no such command")
		}
		out = append(out, l)
	}
	return hd, append(out, foot...), 7 + cursor
}

// row is a command: its usage and, where there is room, what it does.
func (o *palette) row(c *console.About, chosen bool, w int) *line {
	t, l, mark := o.theme, &line{}, " "
	if chosen {
		l.row, mark = theme.Chosen, t.Mark.Row
	}
	l.put(&t.Accent, mark).put(&t.Text, " ").put(&t.Strong, c.Name)
	const at = 25
	if w >= 50 {
		l.put(&t.Muted, cut(" "+c.Args, at-l.w-1, t.Mark.Cut)).until(&t.Text, at)
		l.put(&t.Text, cut(c.Help, w-at-1, t.Mark.Cut))
	}
	return l.until(&t.Text, w)
}

// foot tells more of the chosen command: what it does where the row has no room for it, a line that works, and what the keys do.
func (o *palette) foot(w int) []*line {
	t := o.theme
	help, example, enter := &line{}, &line{}, &line{}
	if o.at < len(o.found) {
		c := &o.found[o.at]
		if w < 50 {
			help.put(&t.Text, " "+cut(c.Help, w-2, t.Mark.Cut))
		}
		if c.Example != "" {
			example.put(&t.Muted, " as in ").put(&t.Text, cut(c.Example, w-9, t.Mark.Cut))
		}
		does := " to the prompt"
		if c.Alone {
			does = " runs it   "
		}
		enter.put(&t.Accent, " enter").put(&t.Muted, does)
		if c.Alone {
			enter.put(&t.Accent, "tab").put(&t.Muted, " to the prompt")
		}
	}
	return []*line{help, example, enter}
}
