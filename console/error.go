package console

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// Exit is the exit code of a program that ends with an error of this kind. docs/COMMANDS.md lists them for users.
type Exit int

const (
	ExitOK          Exit = 0
	ExitInternal    Exit = 1 // our own fault
	ExitUsage       Exit = 2 // unknown command, bad flag
	ExitConnect     Exit = 3 // cannot connect
	ExitConnection  Exit = 4 // connection lost or protocol violated
	ExitDeadline    Exit = 5 // deadline exceeded, ours or the server's
	ExitServer      Exit = 6 // the server reported an error
	ExitType        Exit = 7 // payload or reply does not fit the type
	ExitExpect      Exit = 8 // an expect failed
	ExitBench       Exit = 9 // a bench missed its limit
	ExitInterrupted Exit = 130
)

// Error is what a user sees of a failure: one line with the cause, one with the cure, and a caret where the place is known.
type Error struct {
	Exit       Exit
	Code       string // the status in JSON output: a code's name as "invalid_argument", else see Status
	Message    string // the cause, one line
	Likely     string // what probably lies behind it where only a symptom is known, one line, or ""
	Hint       string // the cure, one line, or ""
	Line       string // what was typed, when At says where it is wrong
	At         int    // byte offset in Line of the first wrong byte; meaningful only when Line is not ""
	RetryAfter time.Duration
	Details    json.RawMessage
	Cause      error // for errors.Is and As; may be nil
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

// Caret returns the typed line and below it a caret under the first wrong byte, each indented by two; "" when the place is unknown. A long line is
// cut around the place. Cells are counted, not bytes, so the caret stands right under Chinese text too.
func (e *Error) Caret() string { return e.CaretWithin(72) }

// CaretWithin is Caret with lines of at most so many cells besides the two they are indented by.
func (e *Error) CaretWithin(most int) string {
	if e.Line == "" {
		return ""
	}
	line := Hushed(e.Line)
	at := min(max(e.At, 0), len(line))
	if text := strings.TrimRight(line[:at], " \t\r\n"); strings.TrimSpace(line[at:]) == "" && strings.Contains(line[len(text):at], "\n") {
		at = len(text) // what is missing at the end is missing after the last thing written
	}
	before, after := line[:at], line[at:]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	after, _, _ = strings.Cut(after, "\n")
	before, after = caretText(before), caretText(after)
	left := most * 2 / 3
	if w := ansi.StringWidth(before); w > left && w+ansi.StringWidth(after) > most {
		before = ansi.TruncateLeft(before, w-left+3, "...")
	}
	w := ansi.StringWidth(before)
	return "  " + before + ansi.Truncate(after, max(most-w, 4), "...") + "\n  " + strings.Repeat(" ", w) + "^"
}

// caretText is a piece of a line as it is shown above a caret.
func caretText(s string) string {
	return Printable(strings.NewReplacer("\t", " ", "\r", "").Replace(s))
}

// Status is the name of the failure in JSON output: the server's code, or one that follows from Exit.
func (e *Error) Status() string {
	if e.Code != "" {
		return e.Code
	}
	switch e.Exit {
	case ExitUsage:
		return "usage"
	case ExitConnect:
		return "unavailable"
	case ExitConnection:
		return "connection_lost"
	case ExitDeadline:
		return "deadline_exceeded"
	case ExitType:
		return "type_mismatch"
	case ExitExpect:
		return "expect_failed"
	case ExitBench:
		return "limit_missed"
	case ExitInterrupted:
		return "canceled"
	case ExitServer:
		return "unknown"
	}
	return "internal"
}

// Word is the failure in one word, for a narrow column.
func (e *Error) Word() string {
	switch e.Exit {
	case ExitDeadline:
		return "timeout"
	case ExitConnect:
		return "refused"
	case ExitConnection:
		return "closed"
	case ExitType:
		return "invalid"
	case ExitInterrupted:
		return "stopped"
	}
	switch e.Code {
	case "invalid_argument":
		return "invalid"
	case "not_found", "unimplemented":
		return "unknown"
	case "resource_exhausted":
		return "busy"
	case "canceled":
		return "stopped"
	}
	return "failed"
}

// maxMessage caps, in cells, what a peer can make us print of an error.
const maxMessage = 400

// present returns err as the *Error that a user sees, with one safe line each of cause and cure; nil stays nil.
func present(err error) error {
	if err == nil {
		return nil
	}
	return explain(err)
}

// explain is present for an error that is there.
func explain(err error) *Error {
	var shown Error
	if e, ok := errors.AsType[*Error](err); ok {
		shown = *e
	} else {
		shown = Error{Exit: ExitInternal, Message: err.Error(), Cause: err}
		switch {
		case errors.Is(err, context.Canceled):
			shown.Exit, shown.Message = ExitInterrupted, "canceled"
		case errors.Is(err, context.DeadlineExceeded):
			shown.Exit, shown.Message = ExitDeadline, "deadline exceeded"
		}
	}
	for _, line := range []*string{&shown.Message, &shown.Likely, &shown.Hint} {
		*line = shorten(Printable(*line), maxMessage)
	}
	return &shown
}

// shorten cuts a text to a number of cells, and to 16 bytes for each: a peer could pile up marks that take no cell.
func shorten(s string, cells int) string {
	if most := 16 * cells; len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return ansi.Truncate(s, cells, "...")
}

// glimpse is the beginning of a payload, cut to a number of cells. However large the payload is, it takes no time that a person could feel.
func glimpse(payload []byte, cells int) string {
	const enough = 4 << 10
	if len(payload) <= enough {
		return shorten(PrintableJSON(payload), cells)
	}
	head := strings.ToValidUTF8(string(payload[:enough]), "") // no JSON any more: it stays as it is but for the space between elements
	return shorten(Printable(strings.Join(strings.Fields(head), " ")), cells)
}
