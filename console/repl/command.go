package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/rpckids/rpckids/console"
)

// command asks for a command, which may take several lines, and returns it; a paste may hold several commands. A ctrl+c or ctrl+d in
// the middle of one clears it and is no error: then there is no command.
func (r *REPL) command() (commands []string, err error) {
	before := ""
	for {
		prompt := continuation
		if before == "" {
			prompt = console.Printable(r.session.Prompt()) + "> "
		}
		text := r.text
		r.text = ""
		line, external, err := r.lines.Line(context.Background(), ask{prompt: prompt, before: before, text: text, past: r.session.History().Lines()})
		started := before != "" || line != ""
		switch {
		case err != nil && started && (errors.Is(err, errInterrupt) || errors.Is(err, io.EOF)):
			return nil, nil
		case err != nil:
			return nil, err
		case external:
			r.text, err = r.editExternally(before + r.pastes.expand(line))
			if err != nil {
				r.say("error: " + console.Printable(err.Error()))
			}
			return nil, nil
		}
		commands, before = split(before + r.pastes.expand(line))
		if before == "" {
			return commands, nil
		}
		if len(commands) > 0 {
			// The end of a paste is not a command yet. What came before it runs, the rest is left on the line.
			r.text = console.OneLine(before)
			return commands, nil
		}
	}
}

// split cuts a text into commands: one a line, or more lines where JSON goes on. rest is a command that the text ends within,
// with a newline after it, "" when there is none.
func split(text string) (commands []string, rest string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\r")
	}
	for len(lines) > 0 {
		n, whole := console.Gather("", lines)
		command := strings.Join(lines[:n], "\n")
		if !whole {
			return commands, command + "\n"
		}
		if lines = lines[n:]; strings.TrimSpace(command) != "" {
			commands = append(commands, command)
		}
	}
	return commands, ""
}

// runAll runs commands until one wants something of the face, or one is interrupted.
func (r *REPL) runAll(ctx context.Context, commands []string) console.Next {
	for i, c := range commands {
		if len(commands) > 1 { // pasted: show what each outcome belongs to
			prompt := console.Printable(r.session.Prompt()) + "> "
			_, _ = fmt.Fprintln(r.out, r.style.as(Prompt, prompt)+visible(console.Hushed(console.OneLine(c))))
		}
		next, interrupted := r.run(ctx, c)
		if next != console.Stay {
			return next
		}
		if left := len(commands) - i - 1; interrupted && left > 0 {
			r.say(fmt.Sprintf("%d more pasted lines do not run", left))
			break
		}
	}
	return console.Stay
}

// run runs one command; ctrl+c cancels it.
func (r *REPL) run(ctx context.Context, command string) (next console.Next, interrupted bool) {
	r.asked = time.Time{}
	r.session.History().Add(command)
	running, cancel, stop := r.interruptible(ctx)
	defer stop()
	items := r.printer(true)
	questions := &questions{repl: r, cancel: cancel}
	talk := items.Talk()
	talk.Line = questions.line
	result, err := r.session.ExecTalk(running, command, talk)
	if interrupted = running.Err() != nil; interrupted && !questions.interrupted {
		_, _ = fmt.Fprintln(r.out) // the terminal has written ^C
	}
	out := r.printer(result.Entry != nil)
	if result.Bench != nil {
		out.Out = dresser{r.lines, r.style.report}
		if result.Bench.Interrupted {
			err = nil // it was asked for, and the report says so
		}
	}
	out.Print(r.clip(result), err)
	switch result.Next {
	case console.Clear:
		if !r.cfg.plain() {
			_, _ = io.WriteString(r.out, clearScreen)
		}
		return console.Stay, interrupted
	case console.OpenREPL:
		return console.Stay, interrupted
	}
	return result.Next, interrupted
}

// interruptible returns a context that ctrl+c or cancel ends, until stop. A ctrl+c since the line was entered counts.
func (r *REPL) interruptible(ctx context.Context) (running context.Context, cancel, stop func()) {
	running, cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // ends with stop, which waits for it
		defer close(ended)
		select {
		case <-r.interrupts:
			cancel()
		case <-running.Done():
		}
	}()
	return running, cancel, func() {
		cancel()
		<-ended
	}
}

// forget drops an interrupt that came too late for its command.
func (r *REPL) forget() {
	select {
	case <-r.interrupts:
	default:
	}
}

// printer writes items and outcomes: a value as it is but for its look, everything beside it quietly.
func (r *REPL) printer(value bool) *console.Printer {
	look := func(line string) string { return line }
	if value {
		look = r.style.value
	}
	return &console.Printer{
		Out: dresser{r.lines, look}, Err: dresser{r.lines, r.style.aside},
		ASCII: r.cfg.ASCII || r.session.Setting("box") == "ascii", Terminal: true, Live: r.size(),
	}
}

// size tells how large the terminal is; nil where what was written cannot be written over.
func (r *REPL) size() func() (columns, rows int) {
	if r.cfg.plain() {
		return nil
	}
	return func() (int, int) {
		if cols, rows, err := term.GetSize(int(r.out.Fd())); err == nil && cols > 0 && rows > 0 {
			return cols, rows
		}
		return 80, 24
	}
}
