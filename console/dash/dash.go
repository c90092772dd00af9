package dash

import (
	"context"
	"errors"
	"io"
	"os"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/term"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// ErrNoTerminal is returned by [Run] when the output is no terminal.
var ErrNoTerminal = errors.New("the dashboard needs a terminal")

// Config says what a dashboard stands on. The zero value draws on the standard output with the colours of the terminal.
type Config struct {
	In    io.Reader     // keys; nil means standard input
	Out   *os.File      // the terminal; nil means standard output
	Theme theme.Options // the settings "theme" and "box" of the session win over it
	Tour  *console.Tour // shown beside the result until it is done; nil for none
	Try   []string      // lines worth a try after the tour; nil means a few that always work
}

func (c Config) in() io.Reader {
	if c.In != nil {
		return c.In
	}
	return os.Stdin
}

func (c Config) out() *os.File {
	if c.Out != nil {
		return c.Out
	}
	return os.Stdout
}

func (c Config) try() []string {
	if c.Try != nil {
		return c.Try
	}
	return []string{"services", "help call", "repl"}
}

// Run shows the dashboard until the person leaves it and returns what comes next: [console.Quit] or [console.OpenREPL]. The session stays as
// it is; a call that still runs when the prompt is opened runs on and ends at the latest with the session. The terminal is left as it was
// found, also after an error or a panic.
func Run(ctx context.Context, s *console.Session, cfg Config) (console.Next, error) {
	out := cfg.out()
	if !term.IsTerminal(int(out.Fd())) {
		return console.Quit, ErrNoTerminal
	}
	m := newModel(ctx, s, cfg)
	m.caret.File = out
	return m.run(tea.WithInput(cfg.in()), tea.WithOutput(m.caret), tea.WithAltScreen())
}

// screenRate is how often a second Bubble Tea looks for a new screen. It is what an idle dashboard costs, so it is no higher than a key needs.
const screenRate = 30

// run drives the program and its feed until it ends.
func (m *model) run(options ...tea.ProgramOption) (console.Next, error) {
	// Signals end ctx, which is the caller's. Bubble Tea's own handler must not see the same one: it hands its message to a loop that has ended by then, for ever.
	p := tea.NewProgram(m, append(options, tea.WithoutSignalHandler(), tea.WithFPS(screenRate))...)
	// Quit and not tea.WithContext: a program whose context ends closes its input under the goroutine that still reads it.
	defer context.AfterFunc(m.ctx, p.Quit)()
	ctx, stop := context.WithCancel(m.ctx)
	fed := make(chan struct{})
	m.quit = p.Quit
	go func() { // ends when stop is called below
		defer close(fed)
		defer recovered(func(err error) { p.Send(panicMsg{err}) })
		feed(ctx, m.session, watching{m.offers, &m.timings.moves, &m.peers.looked, &m.server.due}, p.Send)
	}()
	_, err := p.Run()
	stop()
	<-fed
	m.server.close()
	switch {
	case m.err != nil:
		return console.Quit, told(m.err)
	case m.ctx.Err() != nil:
		return console.Quit, context.Cause(m.ctx)
	case err != nil:
		return console.Quit, told(err)
	case m.next == console.Stay:
		return console.Quit, nil
	}
	return m.next, nil
}
