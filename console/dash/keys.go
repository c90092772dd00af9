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
	{"f2", "commands", ""},
	{"up down", "", "older, newer lines"},
	{"ctrl+a ctrl+e", "", "start, end of line"},
	{"ctrl+w ctrl+u", "", "cut word, to the start"},
	{"ctrl+k ctrl+y", "", "cut to end, put back"},
	{"ctrl+x ctrl+e", "", "edit in $EDITOR"},
}

// askedKeys are those of the prompt while a command asks for items.
var askedKeys = []key{
	{"enter", "send", "send the item"},
	{"ctrl+d", "end", "no more items"},
	{"tab", "complete", ""},
	{"up down", "", "older, newer items"},
}

// everywhereKeys are the keys that always work.
var everywhereKeys = []key{
	{"esc", "", "back to the prompt"},
	{"ctrl+o", "", "next pane"},
	{"alt+1..7", "pane", "pane by number"},
	{"f2", "", "find a command"},
	{"f6", "", "mouse on, off"},
	{"ctrl+r", "", "search the history"},
	{"ctrl+c", "cancel call", "cancel newest call"},
	{"ctrl+l", "", "draw anew"},
	{"ctrl+z", "", "suspend"},
	{"ctrl+d", "", "leave"},
}

// keysLine draws the keys of the place that has the keyboard, and at the right end the help and, while the mouse is ours, how to give it back. What does not fit
// is left out whole.
func keysLine(t *theme.Theme, keys []key, mouse bool, w int) string {
	l := (&line{}).put(&t.Text, " ")
	end := (&line{}).put(&t.Accent, "f1").put(&t.Muted, " help")
	if mouse {
		end = (&line{}).put(&t.Accent, "f6").put(&t.Muted, " mouse off   ").put(&t.Accent, "f1").put(&t.Muted, " help")
	}
	for _, k := range keys {
		if k.short == "" {
			continue
		}
		need := width(k.keys) + 1 + width(k.short)
		if l.w+need > w-1-end.w-3 {
			break
		}
		l.put(&t.Accent, k.keys).put(&t.Muted, " "+k.short).put(&t.Text, "   ")
	}
	l.until(&t.Text, w-1-end.w)
	l.b, l.w = append(l.b, end.b...), l.w+end.w
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
		{"At the prompt of an upload or a chat", askedKeys},
		{"In Calls", (&calls{scene: s}).Keys()},
		{"In Timing", (&timing{scene: s}).Keys()},
		{"In Result", (&result{scene: s}).Keys()},
		{"In Wire", (&wire{scene: s}).Keys()},
		{"In Log", (&logbook{scene: s}).Keys()},
		{"In Peers", (&peers{scene: s}).Keys()},
		{"In Server", (&server{scene: s}).Keys()},
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
