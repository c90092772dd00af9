package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// export is what a file tells of a session: some of its calls, and how long those of each type took.
type export struct {
	version string // of the program
	link    Stats
	written time.Time
	totals  Totals
	timings []Timing // most calls first
	entries []Entry  // oldest first
	missing int      // entries that were asked for and are no longer kept
	most    int      // bytes of the file
	limit   int      // bytes shown of one payload or reply, or in an object for a program of all together; what is beyond is left out
}

// document is a kind of file.
type document struct {
	name    string
	endings []string
	what    string
	limits  []int // what limit may be: the first with which the file is small enough
	each    bool  // it counts for one payload
	write   func(*export, io.Writer) error
}

const exportMost = 20 << 20 // bytes of a file

var documents = []document{
	{"html", []string{"htm", "xhtml"}, "a page for a browser", []int{64 << 10, 16 << 10, 4 << 10, 1 << 10, 256}, true, (*export).html},
	{"md", []string{"markdown"}, "Markdown for a code host", []int{16 << 10, 4 << 10, 1 << 10, 256}, true, (*export).markdown},
	{"json", nil, "an object for a program", []int{16 << 20, 8 << 20, 2 << 20, 0}, false, (*export).json},
}

// newExport returns the frame of an export of the whole session, without entries.
func (s *Session) newExport() *export {
	st := s.Stats()
	if st.Target == "" {
		_, st.Target = s.link() // of the last connection
	}
	return &export{most: exportMost, version: s.cfg.Version, link: st, written: time.Now(), totals: s.journal.Totals(), timings: s.journal.timings()}
}

const chartPoints = seriesKeep // calls in a chart

// timings returns the timing of each type, most calls first.
func (j *Journal) timings() []Timing {
	j.mu.Lock()
	var names []string
	for name := range j.types {
		names = append(names, name)
	}
	j.mu.Unlock()
	all := make([]Timing, len(names))
	for i, name := range names {
		all[i] = j.Timing(name, chartPoints)
	}
	slices.SortFunc(all, func(a, b Timing) int {
		if a.Calls != b.Calls {
			return b.Calls - a.Calls
		}
		return strings.Compare(a.Type, b.Type)
	})
	return all
}

// retell makes totals and timings those of the entries alone.
func (x *export) retell() {
	j := NewJournal()
	for _, e := range x.entries {
		n := j.Start(e).Number
		if e.State != Running {
			e.Number = n
			j.Finish(e)
		}
	}
	x.totals, x.timings = j.Totals(), j.timings()
}

// render writes a document with payloads as long as the file has room for.
func (x *export) render(ctx context.Context, d *document) ([]byte, error) {
	for _, x.limit = range d.limits {
		if d.each && x.least() > x.most {
			continue
		}
		b := bounded{most: x.most}
		err := d.write(x, &b)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			return b.text.Bytes(), nil
		case !errors.Is(err, errFull):
			return nil, &Error{Exit: ExitInternal, Message: "export: " + err.Error(), Cause: err}
		}
	}
	return nil, &Error{Exit: ExitUsage, Message: "the calls do not fit into a file of " + Bytes(x.most), Hint: fmt.Sprintf("write some of them, as in: export FILE %d-last", x.entries[len(x.entries)/2].Number)}
}

// least is how much text the payloads make at the limit, or more.
func (x *export) least() (n int) {
	for _, e := range x.entries {
		n += min(len(e.Payload), x.limit) + min(len(e.Result), x.limit)
	}
	return n
}

// bounded is a buffer that refuses to get larger than a file may be.
type bounded struct {
	text bytes.Buffer
	most int
}

var errFull = errors.New("the file gets too large")

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > b.most {
		return 0, errFull
	}
	return b.text.Write(p)
}

// excerpt is a payload as text: over several lines where it is JSON and short enough, else its beginning.
type excerpt struct {
	Text string // safe for a terminal, lines end in \n
	JSON bool
	Size int  // bytes of the payload
	Cut  bool // Text is only the beginning
}

func newExcerpt(payload []byte, limit int) excerpt {
	x := excerpt{Size: len(payload), Cut: len(payload) > limit}
	if x.Cut {
		x.Text = printableLines(strings.ToValidUTF8(string(payload[:limit]), ""))
		return x
	}
	if x.JSON = shape.Syntax(payload) == nil; !x.JSON {
		x.Text = printableLines(string(payload))
		return x
	}
	if x.Text = indented(payload); len(x.Text) > 4*limit { // most of it is the space before its lines
		x.Text = PrintableJSON(payload)
	}
	return x
}

// Note says how much of the payload is shown.
func (x excerpt) Note() string {
	if !x.Cut {
		return Bytes(x.Size)
	}
	return "cut, " + Bytes(x.Size) + " in all"
}

// printableLines is Printable for a text whose line ends count.
func printableLines(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(Printable(strings.TrimSuffix(line, "\r")))
	}
	return b.String()
}

// fact is a line about a call: what, and its value.
type fact struct{ Name, Value string }

// facts are the lines about a call that stand nowhere else.
func facts(e *Entry) []fact {
	list := []fact{{"sent", Printable(sentText(e))}}
	add := func(name, value string) {
		if value != "" {
			list = append(list, fact{name, Printable(value)})
		}
	}
	add("requestId", e.Trace.RequestID)
	if out, _ := e.Trace.Sizes(); out > 0 {
		add("bytes", sizes(e))
	}
	add("protocol", e.Trace.Protocol)
	if e.Kind.gives() {
		add("items sent", Count(e.Given))
	}
	if e.Kind.Streams() {
		add("items", Count(e.Items))
	}
	if e.Trace.Attempts > 1 {
		add("attempts", Count(e.Trace.Attempts))
	}
	if e.Err != nil {
		add("error", e.Err.Message)
		add("likely", e.Err.Likely)
		add("hint", e.Err.Hint)
	}
	return list
}

// sizes are the bytes that went and came.
func sizes(e *Entry) string { return strings.Replace(bytesText(e), ">", "→", 1) }

// details are what a server's error carries beside its text.
func details(e *Entry) json.RawMessage {
	if e.Err == nil {
		return nil
	}
	return e.Err.Details
}

// named is a type as it is shown.
func named(typ string) string { return shorten(Printable(typ), 60) }

// marks of the states: a sign for each, so that colour is never all there is.
var stateMarks = [...]string{Running: "…", OK: "✓", Sent: "→", Failed: "✗"}
