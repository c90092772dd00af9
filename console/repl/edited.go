package repl

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"

	"github.com/chzyer/readline"
	"golang.org/x/term"
)

const (
	pasteOn  = "\x1b[?2004h" // pastes come in brackets
	pasteOff = "\x1b[?2004l"

	// readline is told that no line ever reaches the right edge: the screen does the wrapping.
	endless = 1 << 20
	recall  = 1000 // lines of the history that the arrows reach; search reaches all
)

// editedReader asks for lines with readline.
type editedReader struct {
	rl      *readline.Instance
	repl    *REPL
	screen  *screen
	editor  *editor
	restore *readline.State
}

func newEditedReader(r *REPL, input *input) (*editedReader, error) {
	size := func() (cols, rows int) {
		cols, rows, err := term.GetSize(int(r.out.Fd()))
		if err != nil || cols < 1 || rows < 1 {
			return 80, 24
		}
		return cols, rows
	}
	scr := newScreen(r.out, size, r.style)
	e := &editedReader{repl: r, screen: scr, editor: &editor{session: r.session, screen: scr}}
	rl, err := readline.NewEx(&readline.Config{
		Stdin: newKeys(input, r.pastes), Stdout: scr, Stderr: scr, Painter: scr,
		Listener: e.editor, FuncFilterInputRune: e.editor.key,
		FuncMakeRaw: e.raw, FuncExitRaw: e.cooked,
		FuncIsTerminal: func() bool { return true }, ForceUseInteractive: true,
		FuncGetWidth: func() int { return endless }, FuncOnWidthChanged: func(func()) {},
		DisableAutoSaveHistory: true, HistoryLimit: recall,
		EOFPrompt: "\n", // its way to say none
	})
	if err != nil {
		return nil, err
	}
	e.rl, e.editor.out, e.editor.kick = rl, rl.Stdout(), rl.Terminal.KickRead
	return e, nil
}

// raw readies the terminal for a line.
func (e *editedReader) raw() error {
	state, err := readline.MakeRaw(int(e.repl.in.Fd()))
	if err != nil {
		return err
	}
	e.restore = state
	e.repl.forget() // from now on ctrl+c is a key
	_, err = io.WriteString(e.repl.out, pasteOn)
	return err
}

// cooked gives the terminal back, also when it was never taken.
func (e *editedReader) cooked() error {
	if e.restore == nil {
		return nil
	}
	e.screen.Finish()
	_, _ = io.WriteString(e.repl.out, pasteOff)
	err := readline.Restore(int(e.repl.in.Fd()), e.restore)
	e.restore = nil
	return err
}

func (e *editedReader) Line(ctx context.Context, a ask) (line string, edit bool, err error) {
	e.editor.reset(a.before, a.item)
	e.screen.SetPrompt(a.prompt)
	e.recall(a.past)
	if a.text != "" {
		e.screen.Mute(true) // it would be drawn on a terminal that still echoes
		e.rl.Operation.SetBuffer(a.text)
		e.screen.Mute(false)
	}
	stop := e.follow()
	defer stop()
	settle := e.wakeable(ctx)
	line, err = e.rl.Readline()
	if lost := settle(); lost != nil && err == nil {
		err = lost
	}
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, readline.ErrInterrupt)):
		err = ctx.Err()
	case errors.Is(err, readline.ErrInterrupt):
		err = errInterrupt
	}
	return line, e.editor.external && err == nil, err
}

// wakeable lets the end of ctx end the line, until settle.
func (e *editedReader) wakeable(ctx context.Context) (settle func() error) {
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // its end is waited for by settle
		defer close(woken)
		e.repl.input.Wake()
	})
	return func() error {
		if !stop() {
			<-woken
		}
		return e.repl.input.Settle()
	}
}

func (e *editedReader) Write(lines []byte) (int, error) { return e.screen.Above(lines) }

// recall makes readline's history those lines. It is made anew for each line: other faces add lines too, and readline would
// go on from the line that was last recalled.
func (e *editedReader) recall(lines []string) {
	e.rl.ResetHistory()
	for _, line := range lines[max(len(lines)-recall, 0):] {
		_ = e.rl.SaveHistory(line) // fails only where there is a file
	}
}

// follow draws the line anew when the terminal gets another size, until stop.
func (e *editedReader) follow() (stop func()) {
	resized := make(chan os.Signal, 1)
	notifyResize(resized)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop, which waits for it
		defer close(ended)
		for {
			select {
			case <-resized:
				e.rl.Refresh()
			case <-end:
				return
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(end)
		<-ended
	}
}

// Close ends readline's goroutines. The input must be canceled. Instance.Close would wait for a key, and leave a goroutine behind.
func (e *editedReader) Close() error {
	return errors.Join(e.rl.Terminal.Close(), e.rl.Config.Stdin.Close())
}
