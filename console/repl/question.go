package repl

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// questions asks for the items of one command.
type questions struct {
	repl        *REPL
	cancel      func()   // ends the command
	past        []string // what was entered
	waiting     []string // pasted lines that come one by one
	greeted     bool
	interrupted bool // by a key
}

// line is a console.Talk's Line.
func (q *questions) line(ctx context.Context, question console.Question) (string, error) {
	q.complain(question.Refused)
	if !q.greeted {
		q.greeted = true
		q.repl.say("one item a line; ctrl+d or a dot ends, ctrl+c cancels")
	}
	prompt := question.Prompt + "> "
	if question.Before != "" {
		prompt = continuation
	}
	if len(q.waiting) > 0 && question.Refused == nil {
		return q.next(prompt), nil
	}
	q.waiting = nil // what follows a line that is wrong may be wrong, too
	text := question.Text
	if q.repl.cfg.plain() { // what stands there could not be changed
		text = ""
	}
	line, _, err := q.repl.lines.Line(ctx, ask{prompt: prompt, before: question.Before, text: text, past: q.past, item: question.Type})
	switch {
	case errors.Is(err, errInterrupt):
		q.interrupted = true
		q.cancel()
		return "", context.Canceled
	case err != nil:
		return "", err
	}
	line = q.repl.pastes.expand(line)
	q.past = append(q.past, console.OneLine(line))
	if strings.Contains(line, "\n") {
		q.waiting = strings.Split(line, "\n")
		return q.next(prompt), nil
	}
	return line, nil
}

// next takes the next pasted line and shows it behind its prompt, as if it had been typed.
func (q *questions) next(prompt string) string {
	line := q.waiting[0]
	q.waiting = q.waiting[1:]
	_, _ = io.WriteString(q.repl.lines, q.repl.style.as(Prompt, prompt)+visible(line)+"\n")
	return line
}

// complain says why a line was not taken.
func (q *questions) complain(e *console.Error) {
	if e != nil {
		q.repl.printer(false).PrintError(e)
	}
}
