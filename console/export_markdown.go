package console

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// markdown writes the export for a code host: nothing in it depends on HTML, and no text of a peer is taken for markup.
func (x *export) markdown(w io.Writer) error {
	m := &markdown{w: w}
	m.printf("# rpckids session\n\n")
	for _, f := range x.head() {
		m.printf("* %s: %s\n", f.Name, code(f.Value))
	}
	m.printf("* calls: %s running, %s ok, %s failed, %s cast\n", Count(x.totals.Running), Count(x.totals.OK), Count(x.totals.Failed), Count(x.totals.Sent))
	if len(x.timings) > 0 {
		m.printf("\n## Timing\n\n")
		m.timings(x.timings)
	}
	m.printf("\n## Calls\n\n")
	m.calls(x.entries)
	for i := range x.entries {
		m.call(&x.entries[i], x.limit)
	}
	m.printf("\n## Where the time goes\n\n%s\n", strings.Join(timeNotes, "\n"))
	return m.err
}

// head is the export in a few lines.
func (x *export) head() []fact {
	list := []fact{{"written", x.written.Format("2006-01-02 15:04:05 -07:00")}}
	if x.link.Target != "" {
		list = append(list, fact{"server", shorten(Printable(serverText(x.link)), 120)})
	}
	if x.version != "" {
		list = append(list, fact{"console", Printable(x.version)})
	}
	if x.missing > 0 {
		list = append(list, fact{"left out", calls(x.missing) + " no longer kept"})
	}
	return list
}

// timeNotes explain the times; a document prints them below.
var timeNotes = []string{
	"Client is encoding, decoding and queueing in the caller's process. Wait is from the first byte written to the last byte read.",
	"Where the server measured itself, queue is the wait for its turn there and handler its work; server is what a field of the reply says. Network is wait without these.",
	"Of a stream: until the first item came, and the items; of an upload: until the last item had gone, and the wait for the reply. Percentiles are of good calls.",
}

// markdown is a writer that remembers its first error.
type markdown struct {
	w   io.Writer
	err error
}

func (m *markdown) printf(format string, values ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, values...)
	}
}

// row writes a row of a table.
func (m *markdown) row(cells ...string) { m.printf("| %s |\n", strings.Join(cells, " | ")) }

func (m *markdown) timings(all []Timing) {
	m.row("type", "calls", "failed", "min", "p50", "p90", "p95", "p99", "max", "server p50")
	m.row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:")
	for _, t := range all {
		cells := []string{code(named(t.Type)), Count(t.Calls), Count(t.Failed)}
		m.row(append(cells, figures(&t)...)...)
	}
}

// figures are the durations of a type: min, p50, p90, p95, p99, max and the server's own p50, "-" for what is not known.
func figures(t *Timing) []string {
	texts := []string{"-", "-", "-", "-", "-", "-", "-"}
	if t.Max > 0 {
		for i, d := range []time.Duration{t.Min, t.P50, t.P90, t.P95, t.P99, t.Max} {
			texts[i] = Duration(d, false)
		}
	}
	if t.HasServer {
		texts[6] = Duration(t.ServerP50, false)
	}
	return texts
}

func (m *markdown) calls(entries []Entry) {
	m.row("#", "time", "kind", "type", "payload", "rtt", "where it went", "state")
	m.row("--:", "---", "---", "---", "---", "--:", "---", "---")
	for i := range entries {
		e := &entries[i]
		payload := ""
		if e.Payload != nil {
			payload = code(glimpse(e.Payload, 44))
		}
		var parts []string
		for _, p := range Parts(*e, false) {
			parts = append(parts, p.Name+" "+p.Text)
		}
		m.row(fmt.Sprintf("[%d](#call-%d)", e.Number, e.Number), clock(e.Started), e.Kind.String(), code(named(e.Type)), payload, rttText(e, false), strings.Join(parts, ", "), stateMarks[e.State]+" "+e.Word())
	}
}

// call writes one call in full.
func (m *markdown) call(e *Entry, limit int) {
	m.printf("\n### Call %d\n\n%s %s, %s", e.Number, e.Kind, code(named(e.Type)), e.Word())
	if e.State != Running {
		m.printf(", %s", timeText(e, false))
	}
	m.printf("\n\n")
	for _, f := range facts(e) {
		m.printf("* %s: %s\n", f.Name, code(f.Value))
	}
	if e.Dropped {
		m.printf("\nPayload, reply and bytes are no longer kept.\n")
		return
	}
	m.excerpt("Request", "", e.Payload, limit)
	if !e.Kind.Streams() { // its result is its newest item
		m.excerpt("Reply", e.ReplyType, e.Result, limit)
	}
	if x, note := itemsExcerpt(e, limit); x.Text != "" {
		m.printf("\nItems, %s:\n", note)
		m.fence("text", x.Text)
	}
	m.excerpt("Details of the error", "", details(e), limit)
	out, in := e.Trace.Sizes()
	m.wire("Bytes sent", out, wireRows(e, e.Trace.Out, out, wireShare(limit)))
	m.wire("Bytes received", in, wireRows(e, e.Trace.In, in, wireShare(limit)))
}

func (m *markdown) excerpt(title, typ string, payload []byte, limit int) {
	if len(payload) == 0 {
		return
	}
	if typ != "" {
		title += " " + code(named(typ))
	}
	x, info := newExcerpt(payload, limit), "text"
	if x.JSON {
		info = "json"
	}
	m.printf("\n%s, %s:\n", title, x.Note())
	m.fence(info, x.Text)
}

func (m *markdown) wire(title string, size int, rows []WireRow) {
	if len(rows) > 0 {
		m.printf("\n%s, %s:\n", title, Bytes(size))
		m.fence("text", wireText(rows, wireWidth, false))
	}
}

// fence writes a block of code whose fence is longer than any run of backquotes in the text.
func (m *markdown) fence(info, text string) {
	ticks := strings.Repeat("`", max(longestRun(text, '`')+1, 3))
	m.printf("\n%s%s\n%s\n%s\n", ticks, info, text, ticks)
}

// code is a text as a code span, in which Markdown sees no markup; it may stand in a cell of a table. There a bar would end the cell even inside of a span, and
// how a backslash before it is read differs between hosts, so it is written as JSON may write it.
func code(text string) string {
	text = strings.ReplaceAll(text, "|", `\u007c`)
	if strings.TrimSpace(text) == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if text[0] == '`' || text[len(text)-1] == '`' || text[0] == ' ' && text[len(text)-1] == ' ' || text[len(text)-1] == '\\' {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// longestRun is the length of the longest run of c in s.
func longestRun(s string, c byte) (longest int) {
	run := 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
