package dash

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// View returns the screen. It is drawn anew only after a message that may have changed it.
func (m *model) View() string {
	defer recovered(m.failed)
	if m.dirty || m.cache == "" {
		m.cache, m.dirty = m.draw(), false
	}
	return m.cache
}

// failed ends the program with a fault of a frame, which cannot return a command.
func (m *model) failed(err error) {
	m.dirty = false // the last frame stands
	if m.err == nil && m.quit != nil {
		go m.quit() // the program takes it when this frame is done; it ends with the program at the latest
	}
	m.err = err
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
		screen[l.keys] = keysLine(m.theme, m.keys(), m.mouse, m.w)
	}
	m.drawPanes(screen)
}

// drawPanes draws every frame that the layout has, bodies first, because a heading may tell what its body found room for.
func (m *model) drawPanes(screen []string) {
	f := frames{theme: m.theme, rects: m.layout.frames, tabs: m.layout.tabs, focus: m.focus}
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
	f.names = m.names()
	for y := top; y < bottom; y++ {
		screen[y] = f.row(y, 0, m.w, &bodies)
	}
}

// names are those of the panes, for the tabs.
func (m *model) names() (names [places]string) {
	for _, p := range m.layout.tabs.from {
		names[p] = m.paneAt(p).Heading(m.w, 0).name
	}
	return names
}

func (m *model) body(p place, in rect) ([]string, heading) {
	idle := m.result.output == nil && m.scene.done.Number == 0
	switch {
	case p == atSide:
		return m.tour.view(m.theme, in.w, in.h), m.tour.heading()
	case p == atResult && idle && m.touring() && m.layout.frames[atSide].empty():
		return m.tour.view(m.theme, in.w, in.h), m.paneAt(p).Heading(in.w, in.h)
	}
	pane := m.paneAt(p)
	return pane.View(in.w, in.h), pane.Heading(in.w, in.h)
}

// drawPrompt draws the line being typed and what is said of it; it returns the cell of the cursor, or -1 when the keyboard is elsewhere.
func (m *model) drawPrompt(screen []string) (x, y int) {
	l := m.layout
	text, cursor := m.prompt.view(m.w)
	screen[l.prompt] = text
	if l.hint >= 0 {
		lines, _ := m.prompt.hint(m.w, l.hints(), m.idle())
		copy(screen[l.hint:], lines)
	}
	if p, ok := m.typist(); ok {
		in := l.frames[m.focus].inside()
		x, y := p.Cursor(in.w, in.h)
		return in.x + x, in.y + y
	}
	if m.focus != atPrompt {
		return -1, -1
	}
	return cursor, l.prompt
}

// idle is what stands under an empty line.
func (m *model) idle() string {
	if p, ok := m.typist(); ok {
		return p.Hint()
	}
	if m.focus != atPrompt {
		if p, ok := m.focused().(closer); ok && p.Closes() != "" {
			return "esc: " + p.Closes()
		}
		return "esc: back to the prompt"
	}
	switch {
	case m.prompt.desk != nil:
		return "one item a line; ctrl+d ends, ctrl+c cancels"
	case m.bench.Running:
		return "a bench is running; other commands work meanwhile"
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
		return m.paneKeys()
	}
	keys := promptKeys
	if m.prompt.desk != nil {
		keys = askedKeys
	}
	if m.prompt.offered {
		keys = append([]key{{"left", "mend the line", ""}, {"esc", "drop it", ""}}, keys...)
	}
	switch {
	case m.bench.Running:
		keys = append([]key{{"ctrl+c", "stop and report", ""}}, keys...)
	case m.totals.Running > 0:
		keys = append([]key{{"ctrl+c", "cancel call", ""}}, keys...)
	}
	if m.tour.line() != "" && m.prompt.empty() {
		keys = append([]key{{"space", "next step", ""}}, keys...)
	}
	keys = append(keys[:len(keys):len(keys)], key{"alt+1..7", "pane", ""})
	if m.prompt.desk != nil {
		return keys
	}
	return append(keys, key{"ctrl+d", "leave", ""})
}

// paneKeys are those of the pane that has the keyboard; f says what it does there.
func (m *model) paneKeys() []key {
	keys := m.focused().Keys()
	if !m.zoom {
		return keys
	}
	keys = slices.Clone(keys)
	for i, k := range keys {
		if k.keys == "f" {
			keys[i] = key{"f", "unzoom", "all panes again"}
		}
	}
	return keys
}
