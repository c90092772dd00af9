package dash

import (
	"fmt"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// View returns the screen. It is drawn anew only after a message that may have changed it.
func (m *model) View() string {
	if m.dirty || m.cache == "" {
		m.cache, m.dirty = m.draw(), false
	}
	return m.cache
}

func (m *model) draw() string {
	if m.w < 1 || m.h < 1 {
		return ""
	}
	screen := make([]string, m.h)
	if m.layout.shape == tiny {
		m.drawTiny(screen)
	} else {
		m.drawFull(screen)
	}
	x, y := m.drawPrompt(screen)
	if m.overlay != nil {
		x, y = cover(m.theme, screen, m.w, m.overlay)
	}
	for i := range screen {
		if screen[i] == "" {
			screen[i] = blanks(m.w)
		}
	}
	out := strings.Join(screen, "\n")
	m.caret.place(x, y, out == m.cache)
	return out
}

func (m *model) drawTiny(screen []string) {
	if m.layout.status < 0 {
		return
	}
	p := newPage(m.w, 1)
	needs, has := fmt.Sprintf("needs %dx%d", minWidth, minHeight), fmt.Sprintf(", has %dx%d", m.w, m.h)
	if len(needs+has) > m.w {
		has = ""
	}
	p.text(&m.theme.Muted, cut(needs+has, m.w, ""))
	screen[m.layout.status] = p.done()[0]
}

func (m *model) drawFull(screen []string) {
	l := m.layout
	screen[l.status] = m.statusLine(m.w)
	if l.hero >= 0 {
		copy(screen[l.hero:], m.hero(m.w, m.tour.line()))
	}
	if l.keys >= 0 {
		screen[l.keys] = keysLine(m.theme, m.keys(), m.w)
	}
	m.drawPanes(screen)
}

// drawPanes draws every frame that the layout has, bodies first, because a heading may tell what its body found room for.
func (m *model) drawPanes(screen []string) {
	f := frames{theme: m.theme, rects: m.layout.frames, focus: m.focus}
	var bodies [places][]string
	top, bottom := m.h, 0
	for p := atCalls; p < places; p++ {
		r := f.rects[p]
		if r.empty() {
			continue
		}
		in := r.inside()
		bodies[p], f.heads[p] = m.body(p, in)
		top, bottom = min(top, r.y), max(bottom, r.y+r.h)
	}
	if m.layout.shape == single && !m.zoom {
		for p := atCalls; p <= atResult; p++ {
			f.tabs = append(f.tabs, m.paneAt(p).Heading(m.w, 0))
		}
	}
	for y := top; y < bottom; y++ {
		screen[y] = f.row(y, 0, m.w, &bodies)
	}
}

func (m *model) body(p place, in rect) ([]string, heading) {
	idle := m.result.output == nil && m.scene.done.Number == 0
	switch {
	case p == atSide && m.touring():
		return m.tour.view(m.theme, in.w, in.h), m.tour.heading()
	case p == atSide:
		return m.result.factLines(in.w, in.h), heading{name: "Facts", right: m.factsOf()}
	case p == atResult && idle && m.touring() && m.layout.frames[atSide].empty():
		return m.tour.view(m.theme, in.w, in.h), m.paneAt(p).Heading(in.w, in.h)
	}
	pane := m.paneAt(p)
	return pane.View(in.w, in.h), pane.Heading(in.w, in.h)
}

func (m *model) factsOf() string {
	if e := m.scene.done; e.Number > 0 && m.result.output == nil {
		return fmt.Sprintf("#%d", e.Number)
	}
	return ""
}

// drawPrompt draws the line being typed and what is said of it; it returns the cell of the cursor, or -1 when the keyboard is elsewhere.
func (m *model) drawPrompt(screen []string) (x, y int) {
	l := m.layout
	text, cursor := m.prompt.view(m.w)
	screen[l.prompt] = text
	if l.hint >= 0 {
		screen[l.hint] = m.prompt.hint(m.w, m.idle())
	}
	if m.focus != atPrompt {
		return -1, -1
	}
	return cursor, l.prompt
}

// idle is what stands under an empty line.
func (m *model) idle() string {
	switch {
	case m.focus != atPrompt:
		return "esc: back to the prompt"
	case m.totals.Running > 0:
		return "you can type the next command"
	case m.result.output != nil && m.result.more():
		return "alt+3 goes there to scroll, f zooms, esc closes it"
	case m.result.output != nil:
		return "esc closes it"
	case m.shown.Hint != "":
		return console.Printable(m.shown.Hint)
	case m.tour.line() != "":
		return "space types " + console.Printable(m.tour.line()) + ", enter runs it"
	case m.last == 0:
		return "help lists the commands"
	}
	return ""
}

// keys are those of the place that has the keyboard.
func (m *model) keys() []key {
	if m.focus != atPrompt {
		return m.focused().Keys()
	}
	keys := promptKeys
	if m.totals.Running > 0 {
		keys = append([]key{{"ctrl+c", "cancel call", ""}}, keys...)
	}
	if m.tour.line() != "" && m.prompt.empty() {
		keys = append([]key{{"space", "next step", ""}}, keys...)
	}
	return append(keys[:len(keys):len(keys)], key{"alt+1..3", "pane", ""}, key{"ctrl+d", "leave", ""})
}
