package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxLine = 4 << 20 // of a script, a command over several lines taken together

// RunScript runs each line of r as a command and prints its result. Lines of JSON that is not finished yet are one command, # starts a comment line,
// and the last line need not end. The first failure stops it, and its exit code is returned; with keepGoing it runs on and returns the first failure's code all
// the same. Errors name their line. quit ends it early, and so does ctx.
func RunScript(ctx context.Context, s *Session, r io.Reader, p *Printer, keepGoing bool) Exit {
	lines := &scriptLines{r: bufio.NewReader(r), open: Incomplete, what: "command"}
	defer func() { p.line = 0 }()
	first := ExitOK
	for ctx.Err() == nil {
		text, at, err := lines.command()
		if ctx.Err() != nil { // while it read; what it has of the line is not the line
			break
		}
		if err == io.EOF {
			return first
		}
		result := Result{}
		if err == nil {
			result, err = s.ExecTalk(ctx, text, p.Talk())
		}
		if err == nil && (result.Next == OpenDashboard || result.Next == OpenREPL) {
			err = &Error{Exit: ExitUsage, Message: fmt.Sprintf("%s needs a terminal", strings.TrimSpace(text))}
		}
		p.line = at
		if lost := p.Print(result, err); lost != nil {
			return ExitInternal
		}
		if err != nil && first == ExitOK {
			first = explain(err).Exit
		}
		if err != nil && (!keepGoing || lines.broken) || result.Next == Quit {
			return first
		}
	}
	if first == ExitOK {
		first = ExitInterrupted
	}
	return first
}

// scriptLines reads the commands of a script, or the values of a file.
type scriptLines struct {
	r      *bufio.Reader
	open   func(text string) bool // whether another line goes on with that text
	what   string                 // for errors: command, value
	line   int
	back   []string // lines that were read and belong to what follows
	broken bool     // what follows cannot be read
}

// command returns the next command and the number of its first line; io.EOF after the last one.
func (l *scriptLines) command() (text string, at int, err error) {
	g := gathering{open: l.open, between: "\n"}
	for {
		line, err := l.next(maxLine - g.size)
		if len(g.lines) == 0 {
			at = l.line
		}
		if err != nil && (err != io.EOF || len(g.lines) == 0) {
			return "", at, err
		}
		n, whole := 0, err == io.EOF
		if whole {
			n, _ = g.rest() // one that is not finished will be refused where it ends
		} else {
			n, whole = g.add(line)
		}
		if whole {
			if ahead := g.lines[n:]; len(ahead) > 0 {
				l.back = append(ahead[:len(ahead):len(ahead)], l.back...)
				l.line -= len(ahead)
			}
			return g.text(n), at, nil
		}
	}
}

func (l *scriptLines) next(limit int) (string, error) {
	if len(l.back) > 0 {
		line := l.back[0]
		l.back = l.back[1:]
		l.line++
		return line, nil
	}
	var b strings.Builder
	for {
		part, err := l.r.ReadSlice('\n')
		if len(part) > 0 || err == nil {
			b.Write(part)
		}
		switch {
		case b.Len() > limit:
			l.line++
			l.broken = true
			return "", &Error{Exit: ExitUsage, Message: fmt.Sprintf("a %s is longer than %s", l.what, Bytes(maxLine)), Hint: "put the payload into a file: call TYPE @FILE"}
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && b.Len() == 0:
			return "", io.EOF
		case err != nil && err != io.EOF:
			l.broken = true
			return "", &Error{Exit: ExitInternal, Message: "reading the " + l.what + "s: " + err.Error(), Cause: err}
		}
		l.line++
		text := strings.TrimRight(b.String(), "\r\n")
		if l.line == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
		}
		return text, nil
	}
}
