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

	Live func() (columns, rows int) // the size of the terminal that Err is, for what is written over again and again; nil: nothing is

	line int  // of the script that runs, for errors; 0: none
	list bool // FormatJSON has begun the list of a stream's items
	over int  // lines above the cursor that the next picture of a server is written over
	tops int  // pictures of a server that were written
}

// Talk shows items as they come, each in one write: a line of text, with FormatJSONL an object of kind item. FormatJSON begins the one object of the stream, which Print
// ends, so that an endless stream takes no memory.
func (p *Printer) Talk() Talk {
	t := Talk{Item: p.item, Top: p.top, Live: p.Live != nil && p.Terminal && p.Format == FormatText}
	if p.Live != nil {
		t.Bench = p.bench
	}
	if p.Terminal {
		t.Columns = 78
	}
	if p.Terminal && p.Live != nil {
		columns, _ := p.Live()
		t.Columns = columns - 2
	}
	return t
}

// bench writes how far a bench is over what it wrote before, and takes that away at the end.
func (p *Printer) bench(b Bench) {
	line := ""
	if b.Running {
		columns, _ := p.Live()
		line = b.Line(columns-3, p.ASCII) // the terminal may write ^C behind it
	}
	_, _ = io.WriteString(p.Err, "\r\x1b[K"+line) // that it cannot is no reason to stop
}

// top writes how a server is: one object a line, or a table below the one before, or, where the terminal can do it, over that.
func (p *Printer) top(t Top) error {
	var text string
	switch live := p.Live != nil && p.Terminal && p.Format == FormatText; {
	case p.Format == FormatJSON || p.Format == FormatJSONL:
		return p.object(newTopJSON(&t))
	case live:
		text = p.overwrite(&t)
	default:
		text = t.Text(p.ASCII) + "\n"
		if p.tops > 0 {
			text = "\n" + text
		}
	}
	p.tops++
	if _, err := io.WriteString(p.Out, text); err != nil {
		return &Error{Exit: ExitInternal, Message: "the table cannot be written: " + err.Error(), Cause: err}
	}
	return nil
}

// overwrite is what puts a table over the one before; the one that is done is taken away, and stands in the result.
func (p *Printer) overwrite(t *Top) string {
	var b strings.Builder
	if p.over > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.over)
	}
	b.WriteByte('\r')
	p.over = 0
	if !t.Done {
		columns, rows := p.Live()
		lines := t.Lines(columns-1, rows-2, p.ASCII)
		for _, l := range lines {
			b.WriteString("\x1b[K" + l + "\n")
		}
		p.over = len(lines)
	}
	b.WriteString("\x1b[J")
	return b.String()
}

func (p *Printer) item(e Entry, it Item) error {
	var err error
	switch p.Format {
	case FormatJSON:
		lead := ","
		if !p.list {
			lead = listStart(e.Kind)
		}
		p.list = true
		_, err = io.WriteString(p.Out, lead+PrintableJSON(it.Payload))
	case FormatJSONL:
		err = p.object(itemJSON{"item", it.Index, it.Payload})
	default:
		err = p.value(it.Payload)
	}
	if err != nil {
		return &Error{Exit: ExitInternal, Message: "the item cannot be written: " + err.Error(), Cause: err}
	}
	return nil
}

// listStart is the beginning of a stream's one object with FormatJSON, listRest what follows its items.
func listStart(k Kind) string { return `{"kind":"` + k.String() + `","results":[` }

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
		switch {
		case r.Values != nil:
			err = p.each(r.Values)
		case e.State == OK && !e.Kind.Streams(): // items were shown as they came
			err = p.value(e.Result)
		}
		if p.Format == FormatRaw {
			return err
		}
		p.note(Summary(*e, p.ASCII))
		if e.Hint != "" {
			p.note("hint: " + e.Hint)
		}
	case r.Copy != "": // there is no clipboard here
		_, err = fmt.Fprintln(p.Out, strings.TrimSuffix(r.Copy, "\n"))
	case r.Values != nil:
		err = p.each(r.Values)
	case r.Text == "":
	case r.Notice:
		p.note(r.Text)
	default:
		_, err = fmt.Fprintln(p.Out, r.Text)
	}
	return err
}

// each writes the values of a filter.
func (p *Printer) each(values []json.RawMessage) (err error) {
	for _, v := range values {
		if err = p.value(v); err != nil {
			break
		}
	}
	return err
}

func (p *Printer) value(payload json.RawMessage) error {
	text := string(payload)
	if p.Format != FormatRaw || p.Terminal {
		text = PrintableJSON(payload)
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
	v, ok := r.Value.(*callJSON)
	if ok && r.Entry != nil && r.Entry.Kind.Streams() {
		return p.end(r.Entry, *v, err)
	}
	if p.list { // the command did not get to its end
		p.list = false
		_, _ = io.WriteString(p.Out, "]}\n")
	}
	if err == nil {
		if r.Value == nil && r.Text != "" {
			p.note(r.Text)
			return nil
		}
		return p.values(r.Value)
	}
	e := explain(err)
	if b, ok := r.Value.(*benchJSON); ok {
		return p.object(b.failed(e, p.line))
	}
	if !ok {
		f := newFaultJSON(e)
		f.Line = p.line
		return p.object(errorJSON{Kind: "error", Status: e.Status(), Error: f})
	}
	failed := *v
	if k := failed.Kind; p.Format == FormatJSONL && (k == KindStream.String() || k == KindChat.String()) {
		failed.Kind = "end" // one that did not begin ends all the same
	}
	failed.fail(e)
	failed.Error.Line = p.line
	return p.object(&failed)
}

// end writes what is known at the end of a stream.
func (p *Printer) end(e *Entry, v callJSON, err error) error {
	v.Result = nil // the items were written
	if err != nil {
		v.fail(explain(err))
		v.Error.Line = p.line
	}
	if p.Format == FormatJSONL {
		v.Kind = "end"
		return p.object(&v)
	}
	start := listStart(e.Kind)
	if p.list {
		start = ""
	}
	p.list = false
	text, err := compact(&v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Out, start+"],"+strings.TrimPrefix(text, `{"kind":"`+e.Kind.String()+`",`))
	return err
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
	text, err := compact(v)
	if err == nil {
		_, err = io.WriteString(p.Out, text+"\n")
	}
	return err
}

// compact is v as JSON on one line, without the line's end.
func compact(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", &Error{Exit: ExitInternal, Message: "output: " + err.Error(), Cause: err}
	}
	return PrintableJSON(b.Bytes()), nil
}
