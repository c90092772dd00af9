package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/term"

	"github.com/rpckids/rpckids/console"
)

const (
	quitWithin   = 2 * time.Second // for the second ctrl+c
	continuation = "  ... "
	clearScreen  = "\x1b[H\x1b[2J\x1b[3J"
)

// Config says where a REPL talks to its user. The zero value is the process's own terminal in its own colours.
type Config struct {
	In, Out *os.File // a terminal; nil: standard input and output
	Style   Style    // nil: DefaultStyle
	Plain   bool     // no escapes at all and no line editing but the terminal's own; so it is too where TERM is "dumb"
	ASCII   bool     // "us" for "µs"
}

func (c Config) in() *os.File {
	if c.In == nil {
		return os.Stdin
	}
	return c.In
}

func (c Config) out() *os.File {
	if c.Out == nil {
		return os.Stdout
	}
	return c.Out
}

func (c Config) plain() bool { return c.Plain || os.Getenv("TERM") == "dumb" }

func (c Config) style() Style {
	switch {
	case c.plain():
		return nil
	case c.Style == nil:
		return DefaultStyle()
	}
	return c.Style
}

// REPL is a session's prompt. Between two calls of Run another face may have the terminal. It is not safe for concurrent use.
type REPL struct {
	session *console.Session
	cfg     Config
	in, out *os.File
	style   Style
	pastes  *pastes

	interrupts chan os.Signal // one slot: two of them mean no more than one

	input   *input // nil until the first Run
	lines   lineReader
	greeted bool
	text    string    // what the next line starts with
	asked   time.Time // of the last ctrl+c on an empty line
}

// lineReader asks for one line: with readline on a terminal that can, without on one that cannot.
type lineReader interface {
	// Line shows a prompt and returns what was entered, without its newline; edit says that the line is to be edited elsewhere. Its error is errInterrupt for ctrl+c, with
	// the line so far, io.EOF for ctrl+d on an empty line, ctx's when that ends, and another when the terminal is gone or reading was canceled.
	Line(ctx context.Context, a ask) (line string, edit bool, err error)
	// Write prints whole lines, above the line that is being asked for if there is one.
	io.Writer
	Close() error
}

// ask is what a line is asked for.
type ask struct {
	prompt string
	before string   // the same command's earlier lines, each with its newline
	text   string   // what the line starts with
	past   []string // lines that the arrows bring back, oldest first
	item   string   // the service that gets the line as an item; "" for a command
}

var errInterrupt = errors.New("interrupted")

// New returns a REPL that has not touched the terminal yet. The session remains the caller's.
func New(s *console.Session, cfg Config) *REPL {
	return &REPL{
		session: s, cfg: cfg, in: cfg.in(), out: cfg.out(), style: cfg.style(), pastes: newPastes(), interrupts: make(chan os.Signal, 1),
	}
}

// Run asks for commands and runs them until one says that another face or the end comes next, the user quits or ctx ends. Its
// error is ctx's cause, or tells that the terminal cannot be used. The terminal is as it was when Run returns. After ctx has ended a REPL can
// only be closed.
func (r *REPL) Run(ctx context.Context) (console.Next, error) {
	if err := r.open(); err != nil {
		return console.Quit, err
	}
	// From here to the end an interrupt ends a call at most, also in the moment after it is done.
	signal.Notify(r.interrupts, os.Interrupt)
	defer signal.Stop(r.interrupts)
	defer context.AfterFunc(ctx, func() { r.input.Cancel() })()
	r.greet()
	for {
		lines, err := r.command()
		switch {
		case ctx.Err() != nil: // readline returns the line so far as if it had been entered
			return console.Quit, context.Cause(ctx)
		case errors.Is(err, errInterrupt):
			if r.quits() {
				return console.Quit, nil
			}
		case errors.Is(err, io.EOF):
			return console.Quit, nil
		case err != nil:
			return console.Quit, fmt.Errorf("read the terminal: %w", err)
		}
		if next := r.runAll(ctx, lines); next != console.Stay {
			return next, nil
		}
		if ctx.Err() != nil {
			return console.Quit, context.Cause(ctx)
		}
	}
}

// open takes the terminal on the first Run.
func (r *REPL) open() error {
	if r.lines != nil {
		return nil
	}
	if !term.IsTerminal(int(r.in.Fd())) || !term.IsTerminal(int(r.out.Fd())) {
		return errors.New("the prompt needs a terminal for its input and output")
	}
	input, err := newInput(r.in)
	if err != nil {
		return fmt.Errorf("open the terminal: %w", err)
	}
	if r.cfg.plain() {
		r.input, r.lines = input, newPlainReader(r, input)
		return nil
	}
	lines, err := newEditedReader(r, input)
	if err != nil {
		_ = input.Close()
		return fmt.Errorf("open the terminal: %w", err)
	}
	r.input, r.lines = input, lines
	return nil
}

// Close ends the REPL and what it started. Run must have returned.
func (r *REPL) Close() error {
	if r.lines == nil {
		return nil
	}
	r.input.Cancel()
	return errors.Join(r.lines.Close(), r.input.Close())
}

// greet says once where the user is.
func (r *REPL) greet() {
	if r.greeted {
		return
	}
	r.greeted = true
	line := "not connected; type connect localhost:8888, or help"
	if st := r.session.Stats(); st.State != console.Disconnected {
		line = "connected to " + console.Printable(st.Target) + "; type help, dashboard or quit"
	}
	r.say(line)
}

// say prints a notice.
func (r *REPL) say(line string) { _, _ = fmt.Fprintln(r.out, r.style.as(Muted, line)) }

// quits says whether a ctrl+c on an empty line is the second one.
func (r *REPL) quits() bool {
	now := time.Now()
	if now.Sub(r.asked) < quitWithin {
		return true
	}
	r.asked = now
	r.say("ctrl+c again or ctrl+d to quit")
	return false
}
