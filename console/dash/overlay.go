package dash

import (
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// overlay is a box over the screen that has the keyboard while it is open.
type overlay interface {
	// Update answers a key; open is false when the box closes, and then the wish is carried out.
	Update(msg tea.KeyMsg) (w wish, open bool)
	// Box returns its heading and its lines for a screen of that size, and the cell of the cursor in it, or -1.
	Box(w, h int) (hd heading, lines []*line, cursor int)
}

const boxWidth = 76

// cover draws a box over a screen: what is behind loses its colours, the box has a lit outline and an empty column around it. It returns
// the cell of the cursor, or -1.
func cover(t *theme.Theme, screen []string, w int, o overlay) (x, y int) {
	inner := min(boxWidth-2, w-2)
	hd, lines, cursor := o.Box(inner, len(screen)-2)
	box := frames{theme: t, focus: atResult}
	box.rects[atResult] = rect{0, 0, inner + 2, len(lines) + 2}
	box.heads[atResult] = hd
	p := newPage(inner, len(lines))
	for _, l := range lines {
		p.add(l)
	}
	var bodies [places][]string
	bodies[atResult] = p.done()
	left, top := (w-inner-2)/2, max((len(screen)-len(lines)-2)/2, 0)
	for i := range screen {
		screen[i] = ansi.Strip(screen[i])
		if i < top || i >= top+len(lines)+2 {
			screen[i] = t.Border.Render(screen[i])
			continue
		}
		row := box.row(i-top, 0, inner+2, &bodies)
		if left > 0 {
			row = " " + row + " "
		}
		before := exactly(ansi.Cut(screen[i], 0, max(left-1, 0)), max(left-1, 0))
		end := min(left+inner+3, w)
		after := exactly(ansi.Cut(screen[i], end, w), w-end)
		screen[i] = t.Border.Render(before) + row + t.Border.Render(after)
	}
	if cursor < 0 {
		return -1, -1
	}
	return left + 1 + cursor, top + 1
}

// exactly pads a text from which half of a wide character was cut off.
func exactly(s string, w int) string { return s + blanks(w-width(s)) }

// help is the overlay of the keys.
type help struct {
	theme *theme.Theme
	name  string
	keys  []key
	top   int
	rows  int // how many lines it last showed
}

func (o *help) Update(msg tea.KeyMsg) (wish, bool) {
	switch msg.String() {
	case "down", "j":
		o.top++
	case "up", "k":
		o.top = max(o.top-1, 0)
	case "pgdown", " ":
		o.top += max(o.rows-1, 1)
	case "pgup":
		o.top = max(o.top-max(o.rows-1, 1), 0)
	default:
		return nil, false
	}
	return nil, true
}

func (o *help) Box(w, h int) (heading, []*line, int) {
	hd := heading{name: "f1 Help", subject: o.name, right: "esc closes"}
	var all []*line
	var fits bool
	if all, fits = o.twoColumns(w); !fits {
		all = o.oneColumn(w)
	}
	o.top, o.rows = min(o.top, max(len(all)-h, 0)), h
	if more := len(all) - h; more > 0 {
		if at := console.Count(o.top+1) + " of " + console.Count(len(all)) + "  " + hd.right; width(hd.name+o.name+at)+8 <= w {
			hd.right = at // how to leave is worth more than where one is
		}
	}
	return hd, all[o.top:min(o.top+h, len(all))], -1
}

// twoColumns puts the keys of the place beside those that work everywhere, if w cells are enough.
func (o *help) twoColumns(w int) (out []*line, fits bool) {
	t := o.theme
	left, right := o.column(o.keys, 14, w), o.column(everywhereKeys, 9, w)
	at := 2
	for _, l := range left {
		at = max(at, 2+l.w+2)
	}
	for _, l := range right {
		fits = at+l.w < w
		if !fits {
			return nil, false
		}
	}
	out = []*line{{}, (&line{}).put(&t.Text, "  ").put(&t.Strong, "Here").until(&t.Text, at).put(&t.Strong, "Everywhere"), {}}
	for i := range max(len(left), len(right)) {
		l := (&line{}).put(&t.Text, "  ")
		if i < len(left) {
			l.b, l.w = append(l.b, left[i].b...), l.w+left[i].w
		}
		l.until(&t.Text, at)
		if i < len(right) {
			l.b, l.w = append(l.b, right[i].b...), l.w+right[i].w
		}
		out = append(out, l)
	}
	return append(append(out, &line{}), o.marks()...), true
}

func (o *help) oneColumn(w int) []*line {
	t := o.theme
	out := []*line{(&line{}).put(&t.Text, " ").put(&t.Strong, "Here")}
	add := func(keys []key) {
		for _, l := range o.column(keys, 14, w-2) {
			out = append(out, &line{b: append([]byte{' '}, l.b...), w: l.w + 1})
		}
	}
	add(o.keys)
	out = append(out, &line{}, (&line{}).put(&t.Text, " ").put(&t.Strong, "Everywhere"))
	add(everywhereKeys)
	return append(append(out, &line{}), o.marks()...)
}

// column names keys in w cells, with their meaning from cell at on; what is longer goes on below.
func (o *help) column(keys []key, at, w int) (out []*line) {
	t := o.theme
	for _, k := range keys {
		l := (&line{}).put(&t.Accent, k.keys).put(&t.Text, " ")
		for _, text := range wrap(k.long, max(w-at, 8)) {
			out = append(out, l.until(&t.Text, at).put(&t.Text, text))
			l = &line{}
		}
	}
	return out
}

func (o *help) marks() []*line {
	t := o.theme
	m := t.Mark
	l := (&line{}).put(&t.Text, "  ")
	l.put(&t.OK, m.OK).put(&t.Text, " ok   ").put(&t.Fail, m.Fail).put(&t.Text, " failed   ")
	l.put(&t.Muted, m.Sent).put(&t.Text, " sent   ").put(&t.Accent, m.Spinner[0]).put(&t.Text, " running")
	more := (&line{}).put(&t.Text, "  ").put(&t.Accent, "help").put(&t.Muted, " lists the commands")
	more.put(&t.Text, "   ").put(&t.Accent, "set box ascii").put(&t.Muted, " if lines look broken")
	return []*line{(&line{}).put(&t.Text, "  ").put(&t.Strong, "Marks"), l, {}, more, {}}
}
