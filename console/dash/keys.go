package dash

import (
	"strings"

	"github.com/rpckids/rpckids/console/theme"
)

// promptKeys are the keys of the prompt.
var promptKeys = []key{
	{"enter", "run", "run the line"},
	{"tab", "complete", "complete, then next"},
	{"ctrl+r", "history", ""},
	{"ctrl+o", "panes", ""},
	{"up down", "", "older, newer lines"},
	{"ctrl+a ctrl+e", "", "start, end of line"},
	{"ctrl+w ctrl+u", "", "cut word, to the start"},
	{"ctrl+k ctrl+y", "", "cut to end, put back"},
}

// everywhereKeys are the keys that always work.
var everywhereKeys = []key{
	{"esc", "", "back to the prompt"},
	{"ctrl+o", "", "next pane"},
	{"alt+1..3", "pane", "pane by number"},
	{"ctrl+r", "", "search the history"},
	{"ctrl+c", "cancel call", "cancel newest call"},
	{"ctrl+l", "", "draw anew"},
	{"ctrl+z", "", "suspend"},
	{"ctrl+d", "", "leave"},
}

// keysLine draws the keys of the place that has the keyboard, and the help at the right end. What does not fit is left out whole.
func keysLine(t *theme.Theme, keys []key, w int) string {
	l := (&line{}).put(&t.Text, " ")
	const help = "f1 help"
	for _, k := range keys {
		if k.short == "" {
			continue
		}
		need := width(k.keys) + 1 + width(k.short)
		if l.w+need > w-1-len(help)-2 {
			break
		}
		l.put(&t.Accent, k.keys).put(&t.Muted, " "+k.short).put(&t.Text, "   ")
	}
	l.until(&t.Text, w-1-len(help)).put(&t.Accent, "f1").put(&t.Muted, " help")
	p := newPage(w, 1)
	p.add(l)
	return p.done()[0]
}

// Keys returns the keys of the dashboard as text for `help keys`, made of the same tables as its own help.
func Keys(ascii bool) string {
	s := &scene{theme: theme.New(theme.Options{NoColor: true, ASCII: ascii})}
	var b strings.Builder
	for _, group := range []struct {
		name string
		keys []key
	}{
		{"At the prompt", promptKeys},
		{"In Calls", (&calls{scene: s}).Keys()},
		{"In Timing", (&timing{scene: s}).Keys()},
		{"In Result", (&result{scene: s}).Keys()},
		{"Everywhere in the dashboard", append([]key{{"f1 ?", "", "help; ? on an empty line"}}, everywhereKeys...)},
	} {
		b.WriteString(group.name + "\n")
		for _, k := range group.keys {
			if k.long != "" {
				b.WriteString("  " + k.keys + blanks(max(16-width(k.keys), 1)) + k.long + "\n")
			}
		}
	}
	return b.String()
}
