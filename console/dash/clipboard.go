package dash

import (
	"os"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// clip hands what a command copied to the terminal, between two frames; nil for nothing.
func (m *model) clip(text string) tea.Cmd {
	if text == "" {
		return nil
	}
	sequence := console.ClipboardSequence(text, os.Getenv)
	return func() tea.Msg {
		m.caret.control(sequence)
		return nil
	}
}

// control writes what is no part of a frame.
func (c *caret) control(sequence string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.File != nil {
		_, _ = c.File.WriteString(sequence) // an error shows again with the next frame
	}
}
