package dash

import (
	"sort"
	"strconv"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// Update answers the keys of Calls.
func (c *calls) Update(key string) wish {
	switch key {
	case "down", "j":
		c.move(1)
	case "up", "k":
		c.move(-1)
	case "pgdown":
		c.move(max(c.rows, 1))
	case "pgup":
		c.move(-max(c.rows, 1))
	case "home", "g":
		c.choose(1)
	case "end", "G":
		c.choose(c.last)
	case "/":
		c.box.show(c.box.String())
		return nil
	default:
		return c.act(key)
	}
	return wishShow{}
}

func (c *calls) move(n int) {
	if c.filtered() {
		c.choose(c.sieve.step(c.number(), n))
		return
	}
	c.choose(c.number() + n)
}

// choose picks an entry as near to n as there still is.
func (c *calls) choose(n int) {
	if c.last == 0 {
		return
	}
	j := c.session.Journal()
	if c.filtered() {
		c.chosen = c.sieve.nearest(n)
	} else {
		oldest := 1 + sort.Search(c.last-1, func(i int) bool { _, kept := j.Entry(i + 1); return kept })
		c.chosen = min(max(n, oldest), c.last)
	}
	if c.chosen == c.newest() {
		c.chosen = 0
	}
}

func (c *calls) act(key string) wish {
	e, ok := c.session.Journal().Entry(c.number())
	switch {
	case !ok:
		return nil
	case c.beside > 0 && (key == "enter" || key == "d" || key == "D"):
		first := c.beside
		c.beside = 0
		if first == e.Number {
			return nil
		}
		return wishAsk("diff " + strconv.Itoa(first) + " " + strconv.Itoa(e.Number))
	case key == "enter":
		return wishOpen{}
	case key == "D":
		c.beside = e.Number
		c.chosen = e.Number // it stands while another one is chosen
		return nil
	}
	return actOn(c.scene, key, e)
}

// Typing says whether a filter is being typed.
func (c *calls) Typing() bool { return c.box.open }

// Key answers a key while a filter is typed: the list follows each of them.
func (c *calls) Key(msg tea.KeyMsg) wish {
	if done, keep := c.box.key(msg); done && !keep {
		c.box.edit.set("")
	}
	f, err := console.ParseCallFilter(c.box.String())
	c.wrong = err
	if err == nil && f.String() != c.sieve.filter.String() {
		c.sieve.set(f)
		c.chosen, c.bottom = 0, c.last
	}
	return wishShow{}
}

// Cursor is where the next letter of the filter goes.
func (c *calls) Cursor(w, h int) (x, y int) { return c.box.cursor("/", w), max(h-1, 0) }

// Hint says what may be typed.
func (c *calls) Hint() string { return "failed, running, slow 10ms, or a text" }

// Closes says what esc does.
func (c *calls) Closes() string {
	if c.beside > 0 {
		return "compares nothing"
	}
	return ""
}

// Close ends the choice of a call to compare with.
func (c *calls) Close() bool {
	open := c.beside > 0
	c.beside = 0
	return open
}

func (c *calls) Keys() []key {
	m := c.theme.Mark
	switch {
	case c.box.open:
		return []key{{"enter", "keep the filter", "keep the filter"}, {"esc", "drop it", "list all calls again"}, {"failed", "", "only those that failed"}, {"slow 10ms", "", "only those that took so long"}}
	case c.beside > 0:
		return []key{{"j k", "move", "move"}, {"enter", "compare", "compare with this one"}, {"esc", "cancel", "compare nothing"}}
	}
	return []key{
		{"j k", "move", ""},
		{"j k " + m.Up + " " + m.Down, "", "move"},
		{"pgup pgdn", "", "a page up, down"},
		{"home end", "", "oldest, newest"},
		{"enter", "open", "open in Result"},
		{"r", "rerun", "run again"},
		{"e", "edit", "edit, then run"},
		{"d", "diff", "diff with the one before"},
		{"D", "", "diff with another: choose it"},
		{"y", "copy", "copy the reply"},
		{"Y", "", "copy as a command"},
		{"/", "filter", "failed, slow 10ms, text"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}
