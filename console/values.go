package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// enough is the line that ends the items at a prompt, as ctrl+d does.
const enough = "."

// values are the items of an upload or a chat: words of the line, lines of a file or of standard input, or lines a person is asked for. next returns them
// one by one, checked; its error is io.EOF after the last one.
type values struct {
	next  func(ctx context.Context) (json.RawMessage, error)
	close func() // may be nil
}

// valuesOf makes the values of a line whose words from the second on say where they come from.
func (s *Session) valuesOf(a *args, noCheck bool) (*values, error) {
	typ, w := a.word(0).text, a.word(1)
	switch {
	case len(a.pos) < 2 && a.talk.Line != nil:
		return s.asked(a.talk, typ, noCheck), nil
	case len(a.pos) < 2 && s.cfg.Stdin == nil:
		return nil, a.fault(ExitUsage, len(a.line), fmt.Sprintf("%s needs values", a.command.name), "as in: "+a.command.examples[0]+"; or @FILE with one value a line")
	case len(a.pos) < 2, len(a.pos) == 2 && w.text == "-" && s.cfg.Stdin != nil:
		return s.readValues(typ, "standard input", s.cfg.Stdin, nil, noCheck), nil
	case len(a.pos) == 2 && w.text == "-":
		return nil, a.noStdin(w)
	case len(a.pos) == 2 && strings.HasPrefix(w.text, "@"):
		f, err := openFile(w.text[1:])
		if err != nil {
			return nil, a.fault(ExitUsage, w.at+1, err.Error(), "")
		}
		return s.readValues(typ, w.text[1:], f, func() { _ = f.Close() }, noCheck), nil
	}
	return s.typed(a, typ, noCheck)
}

// typed are the words of the line: all of them are checked before the first one goes.
func (s *Session) typed(a *args, typ string, noCheck bool) (*values, error) {
	var list []json.RawMessage
	for _, w := range a.pos[1:] {
		v, err := s.value(typ, w.text, noCheck)
		if err != nil {
			err.Line, err.At = a.line, w.at+err.At
			return nil, err
		}
		list = append(list, v)
	}
	return listed(list...), nil
}

// listed are values that are there already.
func listed(list ...json.RawMessage) *values {
	return &values{next: func(context.Context) (json.RawMessage, error) {
		if len(list) == 0 {
			return nil, io.EOF
		}
		v := list[0]
		list = list[1:]
		return v, nil
	}}
}

// value makes one item of its text: JSON with references, or the text itself where the service takes text and there are no quotes around it. Its error is at a byte of text.
func (s *Session) value(typ, text string, noCheck bool) (json.RawMessage, *Error) {
	if s.plainText(typ, text) {
		v, _ := json.Marshal(text) // of a string: cannot fail
		return v, nil
	}
	x, err := expand(text, s.reply)
	if err != nil {
		b, _ := errors.AsType[*badReference](err)
		return nil, &Error{Exit: ExitType, Message: b.text, Hint: b.hint, Line: text, At: b.at}
	}
	if m := s.judgeValue(typ, x.text, noCheck); m != nil {
		return nil, &Error{Exit: ExitType, Message: m.Text, Hint: m.Hint, Line: text, At: x.source(m.At)}
	}
	return bytes.TrimSpace(x.text), nil
}

// plainText says whether a line is an item as it is: a service that takes text need not be given quotes.
func (s *Session) plainText(typ, text string) bool {
	t, ok := s.requestType(typ)
	return ok && t.shape.Kind() == shape.String && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, "$")
}

// judgeValue returns the first place where an item is no JSON, or does not fit what the service takes; its Text is a whole sentence.
func (s *Session) judgeValue(typ string, text []byte, noCheck bool) *shape.Mismatch {
	what := typ
	m := shape.Syntax(text)
	if m != nil {
		what = "the value"
	} else if t, ok := s.requestType(typ); ok && !noCheck {
		m = t.shape.Check(text)
	}
	if m == nil {
		return nil
	}
	told := *m
	told.Text = what + " " + m.Text
	return &told
}

// readValues reads a value from each line; one whose brackets are open goes on with the next line, and empty lines are passed over.
func (s *Session) readValues(typ, name string, r io.Reader, close func(), noCheck bool) *values {
	lines := &scriptLines{r: bufio.NewReader(r), what: "value", open: func(text string) bool { return !s.plainText(typ, text) && openValue(text) }}
	return &values{close: close, next: func(ctx context.Context) (json.RawMessage, error) {
		if c, ok := r.(interface{ Cancel() bool }); ok { // a terminal, a pipe: nothing may ever come
			defer context.AfterFunc(ctx, func() { c.Cancel() })()
		}
		for {
			text, at, err := lines.command()
			switch {
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case err != nil:
				return nil, err
			case strings.TrimSpace(text) == "":
				continue
			}
			if !s.plainText(typ, text) {
				if m := s.judgeValue(typ, []byte(text), noCheck); m != nil {
					line, column := lineColumn([]byte(text), m.At)
					return nil, &Error{Exit: ExitType, Message: fmt.Sprintf("%s (line %d, column %d of %s)", m.Text, at+line-1, column, name), Hint: m.Hint}
				}
				return json.RawMessage(strings.TrimSpace(text)), nil
			}
			v, _ := json.Marshal(text) // of a string: cannot fail
			return v, nil
		}
	}}
}

// openValue says whether a value is right as far as it goes, and goes on.
func openValue(text string) bool {
	m := shape.Syntax([]byte(text + "\n")) // a string that is open has no end: none goes on over a line
	return m != nil && m.End && strings.TrimSpace(text) != ""
}

// asked are the lines of a person. A line that is wrong does not go, and is asked for again.
func (s *Session) asked(talk Talk, typ string, noCheck bool) *values {
	n := 0
	q := Question{Type: typ}
	return &values{next: func(ctx context.Context) (json.RawMessage, error) {
		for {
			q.Prompt = fmt.Sprintf("%s %d", shorten(Printable(typ), 30), n+1)
			line, err := talk.Line(ctx, q)
			text := q.Before + line
			q.Refused, q.Text = nil, ""
			switch {
			case err != nil:
				return nil, err
			case q.Before == "" && strings.TrimSpace(line) == enough:
				return nil, io.EOF
			case strings.TrimSpace(text) == "":
				continue
			case !s.plainText(typ, text) && openGoesOn(text, s.reply):
				q.Before = text + "\n"
				continue
			}
			q.Before = ""
			v, wrong := s.value(typ, text, noCheck)
			if wrong == nil {
				n++
				return v, nil
			}
			q.Refused, q.Text = explain(wrong), OneLine(text)
		}
	}}
}

// openGoesOn is openValue for a text with references.
func openGoesOn(text string, find lookup) bool {
	x, err := expand(text, find)
	return err == nil && openValue(string(x.text))
}

// given returns the values as a backend takes them; each is noted as it is taken, and note may end them. The context ends the wait for the next one.
func (v *values) given(ctx context.Context, note func(json.RawMessage)) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for {
			item, err := v.next(ctx)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(nil, err)
				return
			}
			note(item)
			if !yield(item, nil) {
				return
			}
		}
	}
}

// CheckItem judges an item while it is typed, as Check judges a line.
func (s *Session) CheckItem(typ, text string) Hint {
	if len(text) > maxChecked || strings.TrimSpace(text) == "" {
		return Hint{}
	}
	takes := s.takes(typ)
	if strings.TrimSpace(text) == enough {
		return Hint{State: HintGood, Text: "the end"}
	}
	if s.plainText(typ, text) {
		return Hint{State: HintGood, Text: takes}
	}
	x, err := expand(text, s.reply)
	if err != nil || len(x.text) > maxExpanded {
		return Hint{Text: takes}
	}
	m := s.judgeValue(typ, x.text, false)
	switch {
	case m == nil:
		return Hint{State: HintGood, Text: takes}
	case m.End:
		return Hint{Text: takes}
	}
	return Hint{State: HintBad, At: x.source(m.At), Text: shorten(Printable(m.Text), maxMessage)}
}

// takes says what one item of a service is.
func (s *Session) takes(typ string) string {
	if t, ok := s.requestType(typ); ok {
		return shorten(Printable(typ+" takes "+t.shape.String()), maxMessage)
	}
	return shorten(Printable(typ), 60) + ": no shape is known, sent as it is"
}

// CompleteItem is Complete for the line of an item.
func (s *Session) CompleteItem(typ, text string, at int) Completion {
	text = text[:min(max(at, 0), len(text))]
	items := starting(s.templates(typ, true), text)
	from := 0
	if len(items) == 0 {
		from, items = s.fieldNames(typ, text)
	}
	return Completion{from, slices.DeleteFunc(items, func(i Offer) bool { return !clean(i.Text) })}
}
