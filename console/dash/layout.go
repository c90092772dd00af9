package dash

import (
	"cmp"
	"slices"
)

// place is a part of the screen that can have the keyboard.
type place int

const (
	atPrompt place = iota
	atCalls
	atTiming
	atResult
	atWire
	atLog
	atPeers
	atServer
	atCharts // a page over the whole area of the panes
	atSide   // what stands beside the result: the tour; it never has the keyboard
	places
)

const (
	minWidth, minHeight     = 40, 10 // below it there is only a prompt
	splitWidth, splitHeight = 80, 24 // from it on two panes stand over the result
	wideWidth, wideHeight   = 140, 40
	keysHeight              = 12 // from it on the keys have a line
	airHeight               = 24 // from it on a line after the status is empty
	moreAirHeight           = 30 // from it on another one after the hero
	heroRows                = 3
)

// shape is the kind of layout.
type shape int

const (
	tiny   shape = iota // a prompt and the size that is needed
	single              // one pane at a time
	split               // calls and timing over one of the others
	wide                // five at once
)

// rect is a part of the screen in cells.
type rect struct{ x, y, w, h int }

func (r rect) empty() bool { return r.w <= 0 || r.h <= 0 }

// inside is what a frame leaves free.
func (r rect) inside() rect { return rect{r.x + 1, r.y + 1, max(r.w-2, 0), max(r.h-2, 0)} }

func (r rect) holds(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// layout says where everything stands. Rows are -1 for what is not shown.
type layout struct {
	w, h                             int
	shape                            shape
	status, hero, prompt, hint, keys int
	frames                           [places]rect // outer sizes, borders included; neighbours share a border
	tabs                             tabs
}

// tabs are the panes that take turns in one frame: its border names them, and in is the one that is shown.
type tabs struct {
	in   place
	from []place
}

// turns are the panes from one on that take turns.
func (v *view) turns(first place) (all []place) {
	for p := first; p <= atServer; p++ {
		if v.offers(p) {
			all = append(all, p)
		}
	}
	return all
}

// offers says whether a pane is worth a place: Peers and Server are where they have something to tell, or are asked for.
func (v *view) offers(p place) bool {
	switch p {
	case atPeers:
		return v.many || v.pane == p || v.lower == p || v.middle == p
	case atServer:
		return v.ours || v.pane == p || v.lower == p || v.middle == p
	}
	return true
}

// quiet says whether Calls and Timing have nothing to tell while something else moves.
func (v *view) quiet() bool { return v.live && !v.calls && v.pane != atCalls && v.pane != atTiming }

// of says whether a frame carries them; the zero value is of none.
func (t tabs) of(p place) bool { return t.in != atPrompt && t.in == p }

// view is what a layout depends on besides the size of the terminal.
type view struct {
	pane   place // the pane that is shown where there is room for one
	lower  place // the one that is shown where Result, Wire, Log, Peers and Server take turns
	middle place // the one of Wire, Peers and Server that is shown in the wide layout; atPrompt: Wire
	many   bool  // there are several servers, so that Peers is worth a place
	ours   bool  // the server can tell how it is, so that Server is
	zoom   bool  // show the pane alone
	tour   bool  // the tour wants a frame
	text   bool  // the result is the text of a command, a table more often than not: it wants room
	live   bool  // a bench is shown, or there are servers to watch and no call yet: what moves gets the room of Calls and Timing
	calls  bool  // these have something to tell
	idle   bool  // Result has nothing to tell, and no keyboard
}

// newLayout is pure: the same size and view give the same places.
func newLayout(w, h int, v view) layout {
	l := layout{w: w, h: h, status: -1, hero: -1, prompt: -1, hint: -1, keys: -1}
	if w < minWidth || h < minHeight {
		return l.tiny()
	}
	l.shape = single
	switch {
	case w >= wideWidth && h >= wideHeight:
		l.shape = wide
	case w >= splitWidth && h >= splitHeight:
		l.shape = split
	}
	top := l.rows(v)
	area := rect{0, top, w, l.prompt - top}
	switch {
	case v.zoom || v.pane == atCharts:
		l.frames[v.pane] = area
	case l.shape == single:
		l.frames[v.pane] = area
		l.tabs = tabs{v.pane, v.turns(atCalls)}
	default:
		l.divide(area, v)
	}
	return l
}

func (l layout) tiny() layout {
	if l.w < 1 || l.h < 1 {
		return l
	}
	l.prompt = 0
	if l.h >= 2 {
		l.status, l.prompt = 0, 1
	}
	if l.h >= 3 {
		l.hint = 2
	}
	return l
}

// rows places what has a line of its own and returns the first row of the panes.
func (l *layout) rows(v view) int {
	l.status, l.prompt, l.hint = 0, l.h-2, l.h-1
	if l.h >= keysHeight {
		l.prompt, l.hint, l.keys = l.h-3, l.h-2, l.h-1
	}
	top := 1
	if l.h >= airHeight {
		top++
	}
	if v.zoom || v.pane == atCharts {
		return top
	}
	l.hero = top
	top += heroRows
	if l.h >= moreAirHeight {
		top++
	}
	return top
}

// hints is how many rows the hint may take: it covers the keys when what is wrong needs more than one.
func (l *layout) hints() int {
	if l.keys > 0 {
		return 2
	}
	return 1
}

// divide puts calls and timing over the others.
func (l *layout) divide(a rect, v view) {
	if l.shape == wide && v.live {
		l.enliven(a, v)
		return
	}
	inner := a.h - 3
	lower, left := (inner*46+50)/100, a.w*5/8
	if l.shape == wide {
		lower, left = inner/2, a.w*55/100
	}
	upper := inner - lower
	l.frames[atCalls] = rect{a.x, a.y, left + 1, upper + 2}
	l.frames[atTiming] = rect{a.x + left, a.y, a.w - left, upper + 2}
	below := rect{a.x, a.y + upper + 1, a.w, lower + 2}
	if l.shape == wide {
		l.three(below, v)
		return
	}
	if v.quiet() {
		l.frames[atCalls], l.frames[atTiming], below = rect{}, rect{}, a
	}
	l.tabs = tabs{v.lower, v.turns(atResult)}
	l.frames[v.lower] = below
	if v.tour && !v.text && (v.lower == atResult || v.lower == atPeers) {
		at := max(a.w*38/100, 30)
		if v.lower == atPeers {
			at = a.w / 2 // a table wants more room than a number
		}
		l.frames[v.lower].w = at + 1
		l.frames[atSide] = rect{below.x + at, below.y, below.w - at, below.h}
	}
}

// three puts Result, Wire and Log side by side. Peers and Server take the place of Wire where they were asked for, the tour that of Log. The text of a command takes that of the
// middle one, unless that one has the keyboard.
func (l *layout) three(a rect, v view) {
	left, right := a.w*24/100, a.w*72/100
	l.frames[atResult] = rect{a.x, a.y, left + 1, a.h}
	middle := cmp.Or(v.middle, atWire)
	l.frames[middle] = rect{a.x + left, a.y, right - left + 1, a.h}
	from := slices.DeleteFunc([]place{atWire, atPeers, atServer}, func(p place) bool { return !v.offers(p) })
	if len(from) > 1 {
		l.tabs = tabs{middle, from}
	}
	if v.text && v.pane != middle {
		l.frames[atResult].w, l.frames[middle] = right+1, rect{}
		l.tabs = tabs{atResult, append([]place{atResult}, from...)}
	}
	last := atLog
	if v.tour && !v.text && v.pane != atLog {
		last = atSide
	}
	l.frames[last] = rect{a.x + right, a.y, a.w - right, a.h}
}

// enliven puts what moves on top, beside each other: the servers, or what was asked for in their place, and Result with the bench. What has nothing to tell is left out.
func (l *layout) enliven(a rect, v view) {
	inner := a.h - 3
	lower := inner * 2 / 5
	above := rect{a.x, a.y, a.w, inner - lower + 2}
	below := rect{a.x, a.y + inner - lower + 1, a.w, lower + 2}
	from := slices.DeleteFunc([]place{atWire, atPeers, atServer}, func(p place) bool { return !v.offers(p) })
	left := v.middle
	if left == atWire && v.pane != atWire { // it shows a call
		left = atPrompt
		if v.many {
			left = atPeers
		}
	}
	switch {
	case left == atPrompt:
		l.frames[atResult], l.tabs = above, tabs{atResult, append([]place{atResult}, from...)}
	case v.idle:
		l.frames[left], l.tabs = above, tabs{left, append([]place{atResult}, from...)}
	default:
		half := a.w / 2
		l.frames[left], l.tabs = rect{above.x, above.y, half + 1, above.h}, tabs{left, from}
		l.frames[atResult] = rect{above.x + half, above.y, above.w - half, above.h}
	}
	l.below(below, v)
}

// below puts Calls, Timing and Log side by side, as far as they have something to tell, and the tour.
func (l *layout) below(a rect, v view) {
	var row []place
	if !v.quiet() {
		row = append(row, atCalls, atTiming)
	}
	if len(row) == 0 || !v.tour || v.pane == atLog {
		row = append(row, atLog)
	}
	if v.tour && (len(row) < 3) {
		row = append(row, atSide)
	}
	ends := map[int][]int{1: {100}, 2: {60, 100}, 3: {45, 72, 100}}[len(row)]
	x := 0
	for i, p := range row {
		end := a.w * ends[i] / 100
		l.frames[p] = rect{a.x + x, a.y, end - x + 1, a.h}
		x = end
	}
	l.frames[row[len(row)-1]].w--
}
