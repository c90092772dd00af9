package dash

import (
	"iter"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console/theme"
)

// heading is what stands in the border above a pane.
type heading struct {
	number  int    // the pane's key; 0 when it has none
	name    string // "Calls"
	subject string // "exp"
	lead    string // stands before right, and is cut where there is little room: "bench fib 20 -d 10s"
	right   string // position or span: "6 of 128"
}

// leastLead is what a lead needs so that it says anything.
const leastLead = 8

// frames draws the borders of all panes as one net of lines, so that neighbours share theirs.
type frames struct {
	theme *theme.Theme
	rects [places]rect
	heads [places]heading
	tabs  tabs // named in the border of the frame that they share
	names [places]string
	focus place
}

// border draws row y of the net. body is what stands inside the frames of that row, from left to right; it is nil for a row of lines.
func (f *frames) border(y, x0, x1 int) string {
	sides := make([]byte, x1-x0)
	lit := make([]bool, x1-x0)
	for p, r := range f.rects {
		if r.empty() || y < r.y || y >= r.y+r.h {
			continue
		}
		mark(sides, r, y, x0)
		if place(p) == f.focus {
			for x := r.x; x < r.x+r.w; x++ {
				lit[x-x0] = y == r.y || y == r.y+r.h-1 || x == r.x || x == r.x+r.w-1
			}
		}
	}
	l := line{}
	for x := 0; x < len(sides); {
		if head, end := f.headAt(x+x0, y); end > 0 {
			f.head(&l, head, end-x-x0, lit, sides)
			x = end - x0
			continue
		}
		l.put(f.lineStyle(lit[x]), f.theme.Box[sides[x]])
		x++
	}
	return string(l.b)
}

func mark(sides []byte, r rect, y, x0 int) {
	left, right := r.x-x0, r.x+r.w-1-x0
	top, bottom := y == r.y, y == r.y+r.h-1
	if !top {
		sides[left] |= theme.BoxUp
		sides[right] |= theme.BoxUp
	}
	if !bottom {
		sides[left] |= theme.BoxDown
		sides[right] |= theme.BoxDown
	}
	if top || bottom {
		sides[left] |= theme.BoxRight
		sides[right] |= theme.BoxLeft
		for x := left + 1; x < right; x++ {
			sides[x] |= theme.BoxLeft | theme.BoxRight
		}
	}
}

func (f *frames) lineStyle(lit bool) *theme.Style {
	if lit {
		return &f.theme.Accent
	}
	return &f.theme.Border
}

// headAt says whether a heading begins at that cell and where its frame's top border ends for it.
func (f *frames) headAt(x, y int) (p place, end int) {
	for p, r := range f.rects {
		if !r.empty() && y == r.y && x == r.x+2 && r.w > 8 {
			return place(p), r.x + r.w - 1
		}
	}
	return 0, 0
}

// head writes the heading of a pane over w cells of its top border; lit says which cells belong to the pane with the keyboard, sides which lines meet in each.
func (f *frames) head(l *line, p place, w int, lit []bool, sides []byte) {
	t, h, end := f.theme, f.heads[p], l.w+w
	focus := p == f.focus
	name, pad := &t.Text, [2]string{" ", " "}
	if focus {
		name = &t.Title
	}
	if focus && t.Plain {
		pad = [2]string{"[", "]"}
	}
	if f.tabs.of(p) {
		f.tabLine(l, p, pad, w)
	} else {
		label := h.name
		if h.number > 0 && focus {
			label = strconv.Itoa(h.number) + " " + label
		}
		l.put(&t.Text, pad[0])
		if h.number > 0 && !focus {
			l.put(&t.Muted, strconv.Itoa(h.number)+" ")
		}
		l.put(name, cut(label, w-2, t.Mark.Cut)).put(&t.Text, pad[1])
	}
	if room := end - l.w - 3; h.subject != "" && !f.tabs.of(p) && width(h.subject) <= room {
		l.put(&t.Muted, h.subject+" ")
	}
	room := end - l.w - 4 // a line and a space at either side
	if rest := room - width(h.right); rest >= leastLead {
		h.right = cut(h.lead, rest, t.Mark.Cut) + h.right
	}
	right := " " + h.right + " "
	if h.right == "" || width(h.right) > room {
		right = ""
	}
	for l.w < end-width(right)-1 {
		l.put(f.lineStyle(lit[l.w]), t.Box[sides[l.w]])
	}
	l.put(&t.Muted, right)
	for l.w < end {
		l.put(f.lineStyle(lit[l.w]), t.Box[sides[l.w]])
	}
}

// tabLine names the panes that share a frame. Where there is little room, the others are only numbers.
func (f *frames) tabLine(l *line, p place, pad [2]string, w int) {
	t := f.theme
	for q, label := range f.tabs.labels(&f.names, w) {
		switch {
		case q != p:
			l.put(&t.Muted, label)
		case q == f.focus:
			l.put(&t.Text, pad[0]).put(&t.Title, strings.TrimSpace(label)).put(&t.Text, pad[1])
		default:
			l.put(&t.Muted, label[:3]).put(&t.Text, label[3:])
		}
	}
}

// labels are the texts of the tabs in a border of w cells, each with a space around it.
func (t tabs) labels(names *[places]string, w int) iter.Seq2[place, string] {
	all := 0
	for _, q := range t.from {
		all += 4 + width(names[q])
	}
	return func(yield func(place, string) bool) {
		for _, q := range t.from {
			label := " " + strconv.Itoa(int(q)) + " "
			if q == t.in || all+18 <= w {
				label += names[q] + " "
			}
			if !yield(q, label) {
				return
			}
		}
	}
}

// row puts the bodies of the panes of row y between their upright lines.
func (f *frames) row(y, x0, x1 int, bodies *[places][]string) string {
	if f.isBorder(y) {
		return f.border(y, x0, x1)
	}
	t := f.theme
	b := make([]byte, 0, 4*(x1-x0))
	bar := t.Box[theme.BoxUp|theme.BoxDown]
	for x := x0; x < x1; {
		p, r := f.at(x, y)
		if r.empty() {
			b, x = append(b, ' '), x+1
			continue
		}
		lit := p == f.focus || f.focus != atPrompt && f.onEdge(f.rects[f.focus], x, y)
		b = f.lineStyle(lit).Append(b, bar, theme.Ground)
		b = append(b, bodies[p][y-r.y-1]...)
		x = r.x + r.w - 1
		if next, n := f.at(x, y); n.empty() || next == p {
			b = f.lineStyle(p == f.focus).Append(b, bar, theme.Ground)
			x++
		}
	}
	return string(b)
}

func (f *frames) onEdge(r rect, x, y int) bool {
	return !r.empty() && y >= r.y && y < r.y+r.h && (x == r.x || x == r.x+r.w-1)
}

// at returns the frame whose left line stands at that cell.
func (f *frames) at(x, y int) (place, rect) {
	for p, r := range f.rects {
		if !r.empty() && y >= r.y && y < r.y+r.h && x == r.x {
			return place(p), r
		}
	}
	return 0, rect{}
}

func (f *frames) isBorder(y int) bool {
	for _, r := range f.rects {
		if !r.empty() && (y == r.y || y == r.y+r.h-1) {
			return true
		}
	}
	return false
}
