package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

func expectCommands() []*command {
	return []*command{{
		name: "expect", group: "Journal", args: "[$NUMBER] JQ",
		help: "fail unless the last reply is as it should be",
		long: "JQ, the rest of the line, runs over the reply of the last call, or of $NUMBER. Each value that it gives must be neither false nor null, and there\n" +
			"must be one; else the exit code is 8. `$call` is the whole call as -o json prints it, with `status` and `error` of one that failed: see `help filters`.",
		examples: []string{"expect .value == 1024", "expect $128 .value > 10", `expect $call.status == "not_found"`},
		min:      1, max: 1, raw: true, run: runExpect, check: checkExpect,
	}}
}

// expectJSON is a fulfilled expectation as -o json prints it.
type expectJSON struct {
	Kind   string            `json:"kind"`
	Number int               `json:"number"`
	Filter string            `json:"filter"`
	Values []json.RawMessage `json:"values"`
}

// expected are the call and the jq of a line.
func (s *Session) expected(a *args) (Entry, word, error) {
	w := a.word(0)
	first, rest, ok := expectNumber(w)
	if !ok {
		first, rest = word{at: w.at}, w
	}
	e, err := s.number(a, first)
	if text := rest.text; err == nil && shape.Syntax([]byte(text)) == nil && strings.IndexByte(`"[{-0123456789`, text[0]) >= 0 {
		err = a.fault(ExitUsage, rest.at, "every reply is as expected here: a value alone is compared with nothing", "as in: expect . == "+glimpse([]byte(text), 60))
	}
	return e, rest, err
}

// expectNumber takes the number off the beginning of "$128 .value > 10". In "$128 > 10" it belongs to the jq.
func expectNumber(w word) (first, rest word, ok bool) {
	name, after, found := strings.Cut(w.text, " ")
	number := strings.TrimPrefix(name, "$")
	if _, err := strconv.Atoi(number); !found || number == name || err != nil && number != "last" {
		return word{}, word{}, false
	}
	text := strings.TrimLeft(after, " \t")
	if text == "" || strings.IndexByte("=!<>+-*/%|?,", text[0]) >= 0 || slices.Contains([]string{"and", "or", "as"}, strings.Fields(text)[0]) {
		return word{}, word{}, false
	}
	return word{text: name, at: w.at}, word{text: text, at: w.end() - len(text)}, true
}

func runExpect(ctx context.Context, s *Session, a *args) (Result, error) {
	e, w, err := s.expected(a)
	if err != nil {
		return Result{}, err
	}
	f, err := s.compile(a, w)
	if err != nil {
		return Result{}, err
	}
	if why := notThere(&e, f); why != nil {
		return Result{}, why
	}
	values, err := f.run(ctx, e.Result, callValue(&e))
	if err != nil {
		return Result{}, err
	}
	for _, v := range values {
		if text := string(v); text == "false" || text == "null" {
			return Result{}, unexpected(&e, fmt.Sprintf("%s is %s", glimpse([]byte(f.String()), 100), text))
		}
	}
	if len(values) == 0 {
		return Result{}, unexpected(&e, glimpse([]byte(f.String()), 100)+" gives nothing")
	}
	return Result{Text: fmt.Sprintf("as expected in #%d: %s", e.Number, glimpse([]byte(f.String()), 100)), Notice: true,
		Value: expectJSON{"expect", e.Number, f.String(), values}}, nil
}

// notThere says why there is nothing to look at; a filter that looks at $call has something.
func notThere(e *Entry, f *Filter) *Error {
	switch {
	case slices.Contains(f.refs, callVariable), e.State == OK:
		return nil
	case e.State == Running:
		return unexpected(e, fmt.Sprintf("#%d is still running", e.Number))
	case e.Err != nil:
		return unexpected(e, fmt.Sprintf("#%d failed: %s", e.Number, e.Err.Message))
	}
	return unexpected(e, fmt.Sprintf("#%d has no reply, it is %s", e.Number, e.Word()))
}

func unexpected(e *Entry, why string) *Error {
	err := &Error{Exit: ExitExpect, Message: "not as expected: " + why}
	if e.State == OK {
		err.Hint = fmt.Sprintf("the reply of #%d is %s", e.Number, glimpse(e.Result, 200))
	}
	return err
}

func checkExpect(s *Session, a *args, typing bool) Hint {
	e, w, err := s.expected(a)
	if err != nil {
		if a.word(0).text == "" || typing {
			return Hint{Text: a.command.usage()}
		}
		return badHint(err)
	}
	return checkJQ(s, a, w, typing, fmt.Sprintf("the reply of #%d must be so", e.Number))
}
