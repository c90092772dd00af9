package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

func copyCommands() []*command {
	return []*command{{
		name: "copy", group: "Journal", args: "[NUMBER]",
		help: "put a reply, or a call as a command, on the clipboard",
		long: "It takes the terminal's own way to the clipboard, so it works over ssh, too. Where there is no terminal the text is printed. Without a number it is\n" +
			"the last call. `--as shell` is a command for a shell, `--as go` a program, `--as payload` the payload that was sent.",
		examples: []string{"copy", "copy 128 --as shell", "copy 128 --as go"},
		flags:    []flag{{"as", "FORM", "json (the reply), payload, shell or go"}},
		max:      1, run: runCopy, check: checkCopy, complete: completeNumber,
	}}
}

// copyJSON is a copy as -o json prints it.
type copyJSON struct {
	Kind   string `json:"kind"`
	Number int    `json:"number"`
	As     string `json:"as"`
	Text   string `json:"text"`
}

// copyForm is what --as says.
func copyForm(a *args) (copied, error) {
	w, ok := a.flags["as"]
	if !ok {
		return copies[0], nil
	}
	if i := slices.IndexFunc(copies, func(c copied) bool { return c.name == w.text }); i >= 0 {
		return copies[i], nil
	}
	var names []string
	for _, c := range copies {
		names = append(names, c.name)
	}
	return copied{}, a.fault(ExitUsage, w.at, fmt.Sprintf("nothing is copied as %q", w.text), "it is one of "+strings.Join(names, ", "))
}

func runCopy(_ context.Context, s *Session, a *args) (Result, error) {
	form, err := copyForm(a)
	if err != nil {
		return Result{}, err
	}
	e, err := s.number(a, a.word(0))
	if err != nil {
		return Result{}, err
	}
	if e.Dropped {
		return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("payload and reply of #%d are no longer kept", e.Number), "")
	}
	text, err := form.text(s, &e)
	switch {
	case err != nil:
		return Result{}, err
	case len(text) > copyMost:
		return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("%s is too much for a clipboard", Bytes(len(text))), fmt.Sprintf("`export session.json %d` writes it into a file", e.Number))
	}
	done := fmt.Sprintf("copied %s of #%d, %s", form.help, e.Number, Bytes(len(text)))
	if form.name == "shell" || form.name == "go" {
		done = fmt.Sprintf("copied #%d as %s, %s", e.Number, form.help, Bytes(len(text)))
	}
	if len(text) > copySafe {
		done += "; some terminals take less"
	}
	return Result{Text: done, Notice: true, Copy: text, Value: copyJSON{"copy", e.Number, form.name, text}}, nil
}

func checkCopy(s *Session, a *args, typing bool) Hint {
	form, err := copyForm(a)
	if err == nil {
		var e Entry
		if e, err = s.number(a, a.word(0)); err == nil {
			return Hint{State: HintGood, Text: fmt.Sprintf("copy #%d: %s", e.Number, form.help)}
		}
	}
	if typing {
		return Hint{Text: a.command.usage()}
	}
	return badHint(err)
}
