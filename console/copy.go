package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-osc52/v2"
)

const (
	copyMost  = 1 << 20   // bytes that go to a clipboard
	copySafe  = 74_994    // what every terminal takes, some take no more
	wordMost  = 100 << 10 // of one word of a shell: systems end at 128 KiB
	copyItems = itemsKeep // of a stream
)

// copied is a form that a call is copied in.
type copied struct {
	name, help string
	text       func(s *Session, e *Entry) (string, error)
}

var copies = []copied{
	{"json", "the reply", (*Session).copyReply},
	{"payload", "the payload", (*Session).copyPayload},
	{"shell", "a command for a shell", (*Session).copyShell},
	{"go", "a Go program", (*Session).copyGo},
}

// copyReply is the reply as JSON; of a stream, its items as a list.
func (s *Session) copyReply(e *Entry) (string, error) {
	if e.Kind.Streams() {
		var list []json.RawMessage
		items, _ := s.journal.Items(e.Number, copyItems)
		for _, it := range items {
			if !it.Given {
				list = append(list, it.Payload)
			}
		}
		return indented(joinedList(list)), nil
	}
	if e.State != OK {
		return "", &Error{Exit: ExitUsage, Message: fmt.Sprintf("#%d has no reply, it is %s", e.Number, e.Word()), Hint: fmt.Sprintf("copy %d --as payload", e.Number)}
	}
	return indented(e.Result), nil
}

func joinedList(list []json.RawMessage) []byte {
	b := []byte{'['}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// copyPayload is what was sent; of an upload each item on a line.
func (s *Session) copyPayload(e *Entry) (string, error) {
	if e.Kind.gives() {
		items, err := s.itemsGiven(e)
		return strings.Join(items, "\n"), err
	}
	return PrintableJSON(orNull(e.Payload)), nil
}

func orNull(payload json.RawMessage) json.RawMessage {
	if payload == nil {
		return json.RawMessage("null")
	}
	return payload
}

// itemsGiven are all items that went.
func (s *Session) itemsGiven(e *Entry) ([]string, error) {
	var lines []string
	items, _ := s.journal.Items(e.Number, 2*itemsKeep)
	for _, it := range items {
		if it.Given {
			lines = append(lines, PrintableJSON(it.Payload))
		}
	}
	if len(lines) < e.Given {
		return lines, &Error{Exit: ExitUsage, Message: fmt.Sprintf("of #%d only the newest items are kept, %s of %s", e.Number, Count(len(lines)), Count(e.Given))}
	}
	return lines, nil
}

// copyShell is the call as a command line for a POSIX shell.
func (s *Session) copyShell(e *Entry) (string, error) {
	if !clean(e.Type) {
		return "", &Error{Exit: ExitUsage, Message: "the name of the type cannot be written in a shell", Hint: fmt.Sprintf("rerun %d calls it again", e.Number)}
	}
	words := append([]string{"rpckids-console", "-a", s.targetOf(e)}, s.optionsNow().Security.flags()...)
	words = append(words, e.Kind.String(), e.Type)
	input := ""
	if e.Kind.gives() {
		items, err := s.itemsGiven(e)
		if err != nil {
			return "", err
		}
		words, input = append(words, "-"), "printf '%s\\n'"
		for _, it := range items {
			input += " " + shellWord(literal(it))
		}
	} else if e.Payload != nil {
		payload := literal(PrintableJSON(e.Payload))
		if len(payload) > wordMost { // printf is part of the shell and has no limit
			payload, input = "-", "printf %s "+shellWord(payload)
		}
		words = append(words, payload)
	}
	words = append(words, e.terms.flags()...)
	if e.Idempotent {
		words = append(words, "--idempotent")
	}
	for i, w := range words {
		words[i] = shellWord(w)
	}
	line := strings.Join(words, " ")
	if input != "" {
		line = input + " | " + line
	}
	return line, nil
}

// flags are the terms as a line has them.
func (t terms) flags() (words []string) {
	if t.own {
		limit := "off"
		if t.timeout > 0 {
			limit = t.timeout.String()
		}
		words = append(words, "--timeout", limit)
	}
	if t.replyType != "" {
		words = append(words, "--reply", t.replyType)
	}
	if t.noCheck {
		words = append(words, "--no-check")
	}
	return words
}

// literal is a payload in which nothing looks like a reference. A $ stands in strings only, and there it can be written as an escape.
func literal(payload string) string { return strings.ReplaceAll(payload, "${", `\u0024{`) }

// shellWord is a word as a POSIX shell reads it back, whatever it holds.
func shellWord(w string) string {
	plain := strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/@%") == ""
	if plain && w != "" {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// targetOf is where a call went.
func (s *Session) targetOf(e *Entry) string {
	_, target := s.link()
	return or(or(target, e.Trace.Server), s.home())
}

// ClipboardSequence is what a terminal takes as "put this on the clipboard" (OSC 52). getenv tells of tmux and screen, which hand it on only in their own
// wrapping. The text is encoded, so whatever it is the terminal does nothing else.
func ClipboardSequence(text string, getenv func(string) string) string {
	plain := osc52.New(text)
	switch {
	case getenv("TMUX") != "": // which of the two it takes is a setting of its own
		return plain.String() + plain.Tmux().String()
	case strings.HasPrefix(getenv("TERM"), "screen"):
		return plain.Screen().String()
	}
	return plain.String()
}
