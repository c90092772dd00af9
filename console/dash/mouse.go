package dash

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// clicker is a pane that answers a click.
type clicker interface {
	pane
	// Click answers a click on a row inside the pane.
	Click(y int) wish
}

const wheelStep = 3 // lines that a notch of the wheel scrolls

// toggleMouse takes the mouse from the terminal, or gives it back. While it is ours, the terminal's own selecting of text needs the shift key.
func (m *model) toggleMouse() tea.Cmd {
	m.mouse = !m.mouse
	m.prompt.notice = "the mouse is the terminal's again"
	if m.mouse {
		m.prompt.notice = "mouse on: click chooses, wheel scrolls, shift selects text"
	}
	return m.mouseMode()
}

// mouseMode tells the terminal whose the mouse is.
func (m *model) mouseMode() tea.Cmd {
	if m.mouse {
		return tea.EnableMouseCellMotion
	}
	return tea.DisableMouse
}

// pointed answers the mouse.
func (m *model) pointed(msg tea.MouseMsg) tea.Cmd {
	e := tea.MouseEvent(msg)
	switch {
	case e.Action != tea.MouseActionPress:
		return nil
	case e.IsWheel():
		return m.wheel(e)
	case e.Button != tea.MouseButtonLeft || m.overlay != nil:
		return nil
	}
	m.stay()
	m.prompt.notice = ""
	if e.Y == m.layout.prompt || e.Y == m.layout.hint {
		m.give(atPrompt)
		m.prompt.click(e.X, m.w)
		return nil
	}
	p, r := m.frameAt(e.X, e.Y)
	if r.empty() {
		return nil
	}
	if e.Y == r.y {
		m.give(m.tabAt(p, r, e.X))
		return nil
	}
	m.give(p)
	if c, ok := m.paneAt(p).(clicker); ok && r.inside().holds(e.X, e.Y) {
		return m.do(c.Click(e.Y - r.y - 1))
	}
	return nil
}

// frameAt is the pane at a cell that can have the keyboard. A border that two share belongs to the one below, whose heading stands in it.
func (m *model) frameAt(x, y int) (at place, r rect) {
	for p, f := range m.layout.frames {
		if place(p) != atSide && f.holds(x, y) && (r.empty() || y == f.y) {
			at, r = place(p), f
		}
	}
	return at, r
}

// Click chooses the call of a row.
func (c *calls) Click(y int) wish {
	if n := y - 1; n >= 0 && n < len(c.window) {
		c.choose(c.window[n].Number)
	}
	return wishShow{}
}

// wheel scrolls what is under the pointer, or the box over the screen.
func (m *model) wheel(e tea.MouseEvent) tea.Cmd {
	name, typ := "down", tea.KeyDown
	if e.Button == tea.MouseButtonWheelUp {
		name, typ = "up", tea.KeyUp
	}
	if m.overlay != nil {
		m.overlay.Update(tea.KeyMsg{Type: typ})
		return nil
	}
	p, r := m.frameAt(e.X, e.Y)
	if !r.inside().holds(e.X, e.Y) {
		return nil
	}
	if p != atResult && p != atLog { // a choice shows only where the keyboard is
		m.give(p)
	}
	var cmds []tea.Cmd
	for range wheelStep {
		cmds = append(cmds, m.do(m.paneAt(p).Update(name)))
	}
	return tea.Batch(cmds...)
}

// tabAt is the pane whose name stands in the upper border of a frame at cell x.
func (m *model) tabAt(p place, r rect, x int) place {
	if !m.layout.tabs.of(p) {
		return p
	}
	names := m.names()
	at := r.x + 2
	for q, label := range m.layout.tabs.labels(&names, r.w-3) {
		if at += width(label); x < at {
			return q
		}
	}
	return p
}

// click puts the cursor on the rune at cell x of the line.
func (p *prompt) click(x, w int) {
	label := 1 + width(p.label(w))
	text, _, first := p.edit.window(w - 1 - label)
	p.edit.at = first
	for used := label; strings.TrimSpace(text) != "" && p.edit.at < len(p.edit.text); p.edit.at++ {
		if used += width(string(p.edit.text[p.edit.at])); used > x {
			break
		}
	}
}
