package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Format is how a [Printer] writes results.
type Format int

const (
	FormatText  Format = iota // for people
	FormatJSON                // one JSON value on one line per command
	FormatJSONL               // as FormatJSON, but a list is one line per element
	FormatRaw                 // a call's payload as it came and nothing else
)

var formatNames = []string{"text", "json", "jsonl", "raw"}

// ParseFormat returns the format of that name. Its error is an *Error.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, &Error{Exit: ExitUsage, Message: fmt.Sprintf("no output format %q", name), Hint: "it is one of " + strings.Join(formatNames, ", ")}
}

// Printer writes results outside of a full screen: for a script or a single command. Values go to Out; lines about calls, notices, hints and errors go to Err, so that
// Out can be piped on. With FormatJSON errors are values too. It is not safe for concurrent use.
type Printer struct {
	Out, Err io.Writer
	Format   Format
	ASCII    bool // "us" for "µs"
	Terminal bool // Out is a terminal: FormatRaw is made printable

	line int // of the script that runs, for errors; 0: none
}

// Print writes what a command gave. The error is that of Out, so that a closed pipe can end a script.
func (p *Printer) Print(r Result, err error) error {
	if p.Format == FormatJSON || p.Format == FormatJSONL {
		return p.printJSON(r, err)
	}
	wrote := p.printText(r)
	if err != nil {
		p.PrintError(err)
	}
	return wrote
}

func (p *Printer) printText(r Result) (err error) {
	e := r.Entry
	switch {
	case e != nil:
		if e.State == OK {
			err = p.value(e)
		}
		if p.Format == FormatRaw {
			return err
		}
		p.note(Summary(*e, p.ASCII))
		if e.Hint != "" {
			p.note("hint: " + e.Hint)
		}
	case r.Text == "":
	case r.Notice:
		p.note(r.Text)
	default:
		_, err = fmt.Fprintln(p.Out, r.Text)
	}
	return err
}

func (p *Printer) value(e *Entry) error {
	text := string(e.Result)
	if p.Format != FormatRaw || p.Terminal {
		text = PrintableJSON(e.Result)
	}
	_, err := fmt.Fprintln(p.Out, text)
	return err
}

// note writes to Err; that it cannot is no reason to stop.
func (p *Printer) note(text string) { _, _ = fmt.Fprintln(p.Err, text) }

// PrintError writes an error for people: what happened, the place where the line is wrong, what probably lies behind it, and its cure.
func (p *Printer) PrintError(err error) {
	e := explain(err)
	message := e.Message
	if e.Exit == ExitServer && e.Code != "" && e.Code != "unknown" {
		message = strings.ReplaceAll(Printable(e.Code), "_", " ") + ": " + message
	}
	if p.line > 0 {
		message = fmt.Sprintf("line %d: %s", p.line, message)
	}
	p.note("error: " + message)
	if c := e.Caret(); c != "" {
		p.note(c)
	}
	if e.Likely != "" {
		p.note("likely: " + e.Likely)
	}
	if e.Hint != "" {
		p.note("hint: " + e.Hint)
	}
}

func (p *Printer) printJSON(r Result, err error) error {
	if err == nil {
		if r.Value == nil && r.Text != "" {
			p.note(r.Text)
			return nil
		}
		return p.values(r.Value)
	}
	e := explain(err)
	v, ok := r.Value.(*callJSON)
	if !ok {
		f := newFaultJSON(e)
		f.Line = p.line
		return p.object(errorJSON{Kind: "error", Status: e.Status(), Error: f})
	}
	failed := *v
	failed.fail(e)
	failed.Error.Line = p.line
	return p.object(&failed)
}

// values writes a command's value; a list is written element by element when there is to be one object per line.
func (p *Printer) values(v any) error {
	if v == nil {
		return nil
	}
	list := reflect.ValueOf(v)
	if p.Format != FormatJSONL || list.Kind() != reflect.Slice {
		return p.object(v)
	}
	for i := range list.Len() {
		if err := p.object(list.Index(i).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// object writes v on one line, safe for a terminal and still the same JSON.
func (p *Printer) object(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return &Error{Exit: ExitInternal, Message: "output: " + err.Error(), Cause: err}
	}
	_, err := fmt.Fprintln(p.Out, PrintableJSON(b.Bytes()))
	return err
}
