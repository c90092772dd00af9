package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rpckids/rpckids/internal/shape"
)

const maxPayload = 16 << 20 // of a file or of standard input; servers refuse far less

// payload makes the payload of a call from the word that was typed for it: JSON with references, @FILE, - for standard input, or nothing for null.
// Its text is JSON when there is no error, nil for null.
func (s *Session) payload(ctx context.Context, a *args, w word) (*expansion, error) {
	switch {
	case w.text == "" && len(a.pos) > 1: // from a shell: an empty variable, or quotes that the shell took
		return nil, a.fault(ExitType, w.at, "the payload is empty", `leave it out for null; an empty text is '""'`)
	case w.text == "":
		return &expansion{}, nil
	case w.text == "-" && s.cfg.Stdin == nil:
		return nil, a.noStdin(w)
	case w.text == "-":
		x, err := s.read(a, w, "standard input", s.cfg.Stdin)
		if ctx.Err() != nil { // what was read until then is not the payload
			return nil, context.Cause(ctx)
		}
		return x, err
	case w.text[0] == '@':
		f, err := openFile(w.text[1:])
		if err != nil {
			return nil, a.fault(ExitUsage, w.at+1, err.Error(), "")
		}
		defer f.Close()
		return s.read(a, w, w.text[1:], f)
	}
	x, err := expand(w.text, s.reply)
	if err != nil {
		return nil, a.badReference(w, err)
	}
	if m := shape.Syntax(x.text); m != nil {
		return nil, a.wrong(w, x, "the payload "+m.Text, m)
	}
	return x, nil
}

func (a *args) noStdin(w word) error {
	return a.fault(ExitUsage, w.at, "standard input is not for payloads here", "give the payload itself, or @FILE")
}

// openFile opens a plain file; anything else could block for ever.
func openFile(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return nil, fmt.Errorf("%s: %w", name, p.Err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	return os.Open(name)
}

func (s *Session) read(a *args, w word, name string, r io.Reader) (*expansion, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPayload+1))
	if err != nil {
		return nil, a.fault(ExitUsage, w.at, fmt.Sprintf("reading %s: %v", name, err), "")
	}
	if len(data) > maxPayload {
		return nil, a.fault(ExitUsage, w.at, fmt.Sprintf("%s is larger than %s", name, Bytes(maxPayload)), "")
	}
	x := &expansion{text: data, file: name}
	if m := shape.Syntax(data); m != nil {
		return nil, a.wrong(w, x, name+" "+m.Text, m)
	}
	return x, nil
}

// wrong is an error at a place of a payload: with a caret where it was typed, with line and column where it was read from elsewhere.
func (a *args) wrong(w word, x *expansion, message string, m *shape.Mismatch) *Error {
	if x.file == "" {
		return a.fault(ExitType, w.at+x.source(m.At), message, m.Hint)
	}
	line, column := lineColumn(x.text, m.At)
	return &Error{Exit: ExitType, Message: fmt.Sprintf("%s (line %d, column %d of %s)", message, line, column, x.file), Hint: m.Hint}
}

// lineColumn counts both from 1, columns in bytes.
func lineColumn(data []byte, at int) (line, column int) {
	line, column = 1, 1
	for _, c := range data[:at] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// fit checks a payload against the registered shape of its type. w is the word it was typed as.
func (s *Session) fit(a *args, typ string, w word, x *expansion) error {
	t, ok := s.requestType(typ)
	if !ok {
		return nil
	}
	if x.text == nil {
		if t.shape.Nullable() {
			return nil
		}
		return a.fault(ExitType, len(a.line), fmt.Sprintf("%s needs a payload (%s), missing", typ, t.shape.Brief()),
			fmt.Sprintf("%s %s %s", a.command.name, typ, t.shape.Sample()))
	}
	if m := t.shape.Check(x.text); m != nil {
		return a.wrong(w, x, typ+" "+m.Text, m)
	}
	return nil
}

// fault is an error with its place in the line.
func (a *args) fault(exit Exit, at int, message, hint string) *Error {
	return &Error{Exit: exit, Message: message, Hint: hint, Line: a.line, At: at}
}

func (a *args) badReference(w word, err error) *Error {
	b, ok := errors.AsType[*badReference](err)
	if !ok {
		return a.fault(ExitType, w.at, err.Error(), "")
	}
	return a.fault(ExitType, w.at+b.at, b.text, b.hint)
}
