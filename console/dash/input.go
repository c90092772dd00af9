package dash

import (
	"errors"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// patience is how long the second ctrl+c counts as a wish to leave.
const patience = 2 * time.Second

// neverTyped are the keys that work while a line is typed in a pane, too.
var neverTyped = []string{"f1", "ctrl+l", "ctrl+z"}

// key routes a key to what has the keyboard, after the keys that work everywhere.
func (m *model) key(msg tea.KeyMsg) tea.Cmd {
	if m.overlay != nil {
		w, open := m.overlay.Update(msg)
		if !open {
			m.overlay = nil
		}
		return m.do(w)
	}
	if msg.String() != "ctrl+c" {
		m.stay()
	}
	if m.focus != atPrompt {
		m.prompt.notice = "" // it was of the key before
	}
	if p, ok := m.typist(); ok && !slices.Contains(neverTyped, msg.String()) {
		return m.do(p.Key(msg))
	}
	prefix := m.prefix
	m.prefix = msg.Type == tea.KeyCtrlX
	if m.prefix {
		return nil
	}
	if prefix && msg.Type == tea.KeyCtrlE {
		return m.editExternally()
	}
	if cmd, known := m.everywhere(msg.String()); known {
		return cmd
	}
	if m.focus == atPrompt {
		return m.promptKey(msg)
	}
	if msg.Type == tea.KeyRunes && !msg.Paste && !msg.Alt {
		return m.letters(msg.Runes)
	}
	if msg.Paste {
		m.give(atPrompt)
		m.prompt.key(msg)
		return nil
	}
	return m.paneKey(msg.String())
}

// typist is the pane in which a line is being typed.
func (m *model) typist() (typist, bool) {
	if m.focus == atPrompt {
		return nil, false
	}
	p, ok := m.focused().(typist)
	return p, ok && p.Typing()
}

// letters splits letters that arrived together: each is a key of its own.
func (m *model) letters(runes []rune) tea.Cmd {
	var cmds []tea.Cmd
	for _, r := range runes {
		if m.focus == atPrompt || m.overlay != nil {
			break // an earlier letter went elsewhere; what follows was not meant for it
		}
		if p, ok := m.typist(); ok {
			cmds = append(cmds, m.do(p.Key(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})))
			continue
		}
		cmds = append(cmds, m.paneKey(string(r)))
	}
	return tea.Batch(cmds...)
}

// everywhere answers the keys that work wherever the keyboard is.
func (m *model) everywhere(name string) (cmd tea.Cmd, known bool) {
	switch name {
	case "ctrl+c":
		return m.interrupt(), true
	case "ctrl+d":
		if m.prompt.empty() && m.prompt.desk != nil {
			m.prompt.desk.end()
			m.prompt.sit(m.asking())
			return nil, true
		}
		if m.prompt.empty() {
			m.next = console.Quit
			return tea.Quit, true
		}
		return nil, m.focus != atPrompt
	case "ctrl+l":
		return tea.ClearScreen, true
	case "ctrl+z":
		return tea.Suspend, true
	case "ctrl+r":
		m.overlay = newSearch(m.theme, m.session.History().Lines(), m.prompt.edit.String())
	case "f1":
		m.openHelp()
	case "f2":
		m.overlay = newPalette(m.theme, m.session.Commands())
	case "f6":
		return m.toggleMouse(), true
	case "ctrl+o":
		m.give(m.around(1, atPrompt))
	case "alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7":
		m.give(atCalls + place(name[4]-'1'))
	case "esc":
		m.escape()
	default:
		return nil, false
	}
	return nil, true
}

// around is the next pane, or the one before, of those from first on. Peers and Server are on the way where they have something to tell.
func (m *model) around(step int, first place) place {
	v := view{many: m.stats.Servers > 1, ours: m.stats.Ours}
	p := m.focus
	for {
		switch p += place(step); {
		case p < first:
			p = atServer
		case p > atServer:
			p = first
		}
		if v.offers(p) {
			return p
		}
	}
}

// escape closes what is open in a pane, or goes back to the prompt; there it takes away what stands under the line.
func (m *model) escape() {
	if m.focus != atPrompt {
		if p, ok := m.focused().(closer); ok && p.Close() {
			return
		}
	}
	if m.focus == atPrompt {
		if m.prompt.offered {
			m.prompt.set("")
		}
		if m.result.output != nil && !m.result.measured() {
			m.result.say(m.running()) // the text stood in its place
		} else {
			m.result.say(nil)
		}
		m.prompt.choice, m.prompt.waiting = choice{}, nil
		m.prompt.notice, m.prompt.refused = "", nil
	}
	m.give(atPrompt)
}

// interrupt cancels the newest command that runs, or clears the line, or offers to leave.
func (m *model) interrupt() tea.Cmd {
	for i := len(m.runs) - 1; i >= 0; i-- { // the newest that is not being cancelled already
		if r := &m.runs[i]; !r.cancelled {
			r.cancelled = true
			r.cancel()
			m.prompt.sit(m.asking())
			return nil
		}
	}
	switch {
	case !m.prompt.empty() || len(m.prompt.waiting) > 0:
		m.prompt.waiting = nil
		m.prompt.set("")
		m.give(atPrompt)
	case !m.leaving.IsZero():
		m.next = console.Quit
		return tea.Quit
	default:
		m.leaving = m.clock()
		m.prompt.notice = "ctrl+c again or ctrl+d to quit"
		select {
		case m.offers <- struct{}{}:
		default:
		}
	}
	return nil
}

// stay takes back the offer to leave, if there is one.
func (m *model) stay() {
	if !m.leaving.IsZero() {
		m.leaving, m.prompt.notice = time.Time{}, ""
	}
}

func (m *model) promptKey(msg tea.KeyMsg) tea.Cmd {
	empty := m.prompt.empty()
	switch name := msg.String(); {
	case name == "enter" && m.prompt.desk != nil:
		m.prompt.answer()
		m.prompt.sit(m.asking())
	case name == "enter" && m.prompt.goesOn():
	case name == "enter":
		line := m.prompt.take()
		if line != "" {
			m.session.History().Add(line)
			m.calls.chosen = 0
		}
		return m.exec(line)
	case name == "?" && empty && !msg.Paste:
		m.openHelp()
	case name == " " && empty && !msg.Paste && m.tour.line() != "":
		m.prompt.set(m.tour.line())
	default:
		m.prompt.key(msg)
	}
	return nil
}

func (m *model) paneKey(name string) tea.Cmd {
	switch name {
	case "tab":
		m.give(m.around(1, atCalls))
	case "shift+tab":
		m.give(m.around(-1, atCalls))
	case "f":
		m.zoom = !m.zoom
	case "?":
		m.openHelp()
	default:
		return m.do(m.focused().Update(name))
	}
	return nil
}

// focused is the pane that has the keyboard.
func (m *model) focused() pane { return m.paneAt(m.pane()) }

func (m *model) paneAt(p place) pane {
	switch p {
	case atCalls:
		return &m.calls
	case atTiming:
		return &m.timings
	case atWire:
		return &m.bytes
	case atLog:
		return &m.log
	case atPeers:
		return &m.peers
	case atServer:
		return &m.server
	case atCharts:
		return &m.charts
	}
	return &m.result
}

func (m *model) openHelp() {
	h := &help{theme: m.theme, name: "Prompt", keys: promptKeys}
	if m.focus != atPrompt {
		h.name, h.keys = m.focused().Heading(80, 20).name, m.focused().Keys()
	}
	m.overlay = h
}

// asError makes an error of the session from any error.
func asError(err error) *console.Error {
	var e *console.Error
	if errors.As(err, &e) {
		return e
	}
	return &console.Error{Exit: console.ExitInternal, Message: err.Error()}
}
