package dash

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

// editedMsg brings back what an editor made of the line.
type editedMsg struct {
	text string
	err  error
}

const editedCap = 1 << 20 // bytes taken from an editor

// editExternally gives the terminal to $VISUAL or $EDITOR with the line in a file of its own, and comes back with what the file holds then.
func (m *model) editExternally() tea.Cmd {
	file, err := lineFile(m.prompt.edit.String())
	if err != nil {
		m.prompt.notice = err.Error()
		return nil
	}
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	// The shell splits an editor that comes with options, as "code --wait".
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sh", file)
	cmd.Stdin = os.Stdin
	if f, ok := m.cfg.in().(*os.File); ok {
		cmd.Stdin = f
	}
	if m.caret.File != nil {
		cmd.Stdout, cmd.Stderr = m.caret.File, m.caret.File // the file itself: an editor wants a terminal
	}
	return tea.ExecProcess(cmd, func(err error) tea.Msg {
		defer os.Remove(file)
		if err != nil {
			return editedMsg{err: fmt.Errorf("editor %s: %w", editor, err)}
		}
		b, err := os.ReadFile(file)
		return editedMsg{string(b[:min(len(b), editedCap)]), err}
	})
}

// lineFile writes a line into a file that only this user can read.
func lineFile(line string) (name string, err error) {
	f, err := os.CreateTemp("", "rpckids-*.rpc") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(line + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // nothing more can be done
		return "", err
	}
	return f.Name(), nil
}

// edited puts the text into the prompt as if it were pasted: JSON over several lines becomes one, further commands wait their turn.
func (m *model) edited(msg editedMsg) tea.Cmd {
	m.give(atPrompt)
	if msg.err != nil {
		m.prompt.notice = msg.err.Error()
	} else {
		m.prompt.waiting = nil
		m.prompt.set("")
		m.prompt.paste(strings.TrimSpace(msg.text))
		m.prompt.check()
	}
	return m.awake()
}

// awake takes the terminal back after somebody else had it.
func (m *model) awake() tea.Cmd {
	m.refresh()
	if m.mouse {
		return tea.Sequence(tea.ClearScreen, m.mouseMode())
	}
	return tea.ClearScreen
}
