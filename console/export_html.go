package console

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

var (
	//go:embed page/session.html.tmpl
	pageText string
	//go:embed page/session.css
	pageStyle string
	//go:embed page/session.js
	pageScript string

	pageTemplate = template.Must(template.New("session").Parse(pageText))
)

// page is what the template is filled with. All that peers and people wrote is plain text in it, made Printable; the template escapes it for its place.
type page struct {
	Policy template.HTML // the meta element that forbids the page everything but its own style and script
	Style  template.CSS
	Script template.JS
	Title  string
	Target string
	Head   []fact
	Totals Totals
	Hero   *callView // nil while all run
	Types  []typeView
	Charts []*typeView
	Left   int // types without charts
	Calls  []*callView
	Notes  []string
}

// callView is a call as the page shows it.
type callView struct {
	Number                   int
	Time, Kind, Type, State  string
	Mark, Word               string
	Answer, Glimpse, Value   string // the payload and the reply in a few words
	RTT, Server              string
	Sizes                    string
	Bar                      []barPart
	Facts                    []fact
	Dropped                  bool
	Request, Reply, Details  *textView // nil for nothing
	Items                    *textView
	Sent, Received           []wireLine
	SentBytes, ReceivedBytes string
}

// barPart is a share of a call's time. At and Width are thousandths of the bar.
type barPart struct {
	Class, Name, Text string
	Percent           int
	At, Width         float64
}

// textView is a payload as the page shows it.
type textView struct {
	Title, Note string
	Lines       []keyedLine
}

// keyedLine is a line of indented JSON, or any other line as a value.
type keyedLine struct{ Key, Value string }

// typeView is the timing of a type: its figures, and its charts where there is something to draw.
type typeView struct {
	Name, Calls, Failed string
	AnyFailed           bool
	Figures             []string
	Latency             *latencyChart
	Histogram           *histogramChart
	Percentiles         *percentileChart
}

const chartTypes = 20 // types that get charts; further ones are in the table

func (x *export) html(w io.Writer) error {
	v := page{Style: template.CSS(pageStyle), Script: template.JS(pageScript), Policy: pagePolicy(), Title: "rpckids session", Head: x.head(), Totals: x.totals, Notes: timeNotes}
	if x.link.Target != "" {
		v.Target = shorten(Printable(x.link.Target), 60)
		v.Title += " with " + v.Target
	}
	for i := range x.timings {
		t := newTypeView(&x.timings[i])
		v.Types = append(v.Types, t)
		switch {
		case t.Latency == nil:
		case len(v.Charts) < chartTypes:
			v.Charts = append(v.Charts, &t)
		default:
			v.Left++
		}
	}
	for i := range x.entries {
		c := newCallView(&x.entries[i], x.limit)
		if c.Bar != nil {
			v.Hero = c
		}
		v.Calls = append(v.Calls, c)
	}
	return pageTemplate.Execute(w, v)
}

// pagePolicy lets the page use its own style and script, known by their hashes, and nothing else: no network, no frame, no form, and no script that a text brought.
func pagePolicy() template.HTML {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return template.HTML(fmt.Sprintf(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'" />`, hash(pageStyle), hash(pageScript)))
}

func newCallView(e *Entry, limit int) *callView {
	v := &callView{Number: e.Number, Time: clock(e.Started), Kind: e.Kind.String(), Type: named(e.Type), State: e.State.String(), Mark: stateMarks[e.State], Word: e.Word(),
		RTT: unitCell(rttText(e, false)), Server: unitCell("-"), Bar: bar(e), Facts: facts(e), Dropped: e.Dropped}
	out, in := e.Trace.Sizes()
	if d, known := e.ServerTime(); known {
		v.Server = unitCell(Duration(d, false))
	}
	if e.Payload != nil {
		v.Glimpse = glimpse(e.Payload, 80)
	}
	v.Answer = named(or(e.ReplyType, e.Type))
	switch {
	case e.Err != nil:
		v.Value = e.Err.Message
	case e.Result != nil:
		v.Value = glimpse(e.Result, 120)
	}
	if out > 0 {
		v.Sizes = sizes(e)
	}
	v.Request = newTextView("Request", e.Type, e.Payload, limit)
	if !e.Kind.Streams() {
		v.Reply = newTextView("Reply", e.ReplyType, e.Result, limit)
	}
	if x, note := itemsExcerpt(e, limit); x.Text != "" {
		v.Items = &textView{"Items", note, x.lines()}
	}
	v.Details = newTextView("Details of the error", "", details(e), limit)
	if !e.Dropped {
		v.Sent, v.SentBytes = wireLines(wireRows(e, e.Trace.Out, out, wireShare(limit))), Bytes(out)
		v.Received, v.ReceivedBytes = wireLines(wireRows(e, e.Trace.In, in, wireShare(limit))), Bytes(in)
	}
	return v
}

// unitCell pads the unit of a duration to two cells, so that numbers of a column end in the same place.
func unitCell(duration string) string {
	if _, unit, ok := strings.Cut(duration, " "); ok && len([]rune(unit)) > 1 {
		return duration
	} else if ok {
		return duration + " "
	}
	return duration + "   "
}

// barClasses are the styles of the shares of a bar.
var barClasses = map[string]string{"client": "client", "network": "network", "wait": "network", "first item": "network", "sending": "network", "queue": "queue",
	"handler": "second", "server": "second", "items": "second", "reply": "second"}

const barWidth, barGap, barLeast = 1000, 2, 4

// bar shares the bar among the parts of the round trip: each above zero can be seen, the largest gives what that takes.
func bar(e *Entry) []barPart {
	parts := Parts(*e, false)
	var all float64
	for _, p := range parts {
		all += float64(p.Time)
	}
	if all <= 0 {
		return nil
	}
	list, largest, percent, used := make([]barPart, len(parts)), 0, 100, 0.0
	for i, p := range parts {
		b := barPart{Class: barClasses[p.Name], Name: p.Name, Text: p.Text, Percent: int(100*float64(p.Time)/all + 0.5), Width: barWidth * float64(p.Time) / all}
		if b.Width > 0 {
			b.Width = max(b.Width, barLeast)
		}
		if e.State == Failed && len(e.Trace.In) == 0 && p.Name == "wait" {
			b.Class = "nothing" // time in which nothing came
		}
		if p.Time > parts[largest].Time {
			largest = i
		}
		list[i], used, percent = b, used+b.Width, percent-b.Percent
	}
	list[largest].Width += barWidth - used
	list[largest].Percent += percent
	at := 0.0
	for i := range list {
		list[i].At, at = at, at+list[i].Width
		if i < len(list)-1 {
			list[i].Width = max(list[i].Width-barGap, 0)
		}
	}
	return list
}

func newTextView(title, typ string, payload []byte, limit int) *textView {
	if len(payload) == 0 {
		return nil
	}
	x := newExcerpt(payload, limit)
	return &textView{strings.TrimSpace(title + " " + named(typ)), x.Note(), x.lines()}
}

// lines are the lines of an excerpt, each with its line end.
func (x excerpt) lines() (list []keyedLine) {
	for line := range strings.Lines(x.Text) {
		key, value := "", line
		if x.JSON {
			key, value = cutKey(line)
		}
		list = append(list, keyedLine{key, value})
	}
	return list
}

// cutKey cuts a line of indented JSON behind its key.
func cutKey(line string) (key, value string) {
	start := len(line) - len(strings.TrimLeft(line, " "))
	if start == len(line) || line[start] != '"' {
		return "", line
	}
	for i := start + 1; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			if strings.HasPrefix(line[i+1:], ": ") {
				return line[:i+3], line[i+3:]
			}
			return "", line
		}
	}
	return "", line
}

func newTypeView(t *Timing) typeView {
	v := typeView{Name: named(t.Type), Calls: Count(t.Calls), Failed: Count(t.Failed), AnyFailed: t.Failed > 0, Figures: figures(t)}
	for i := range v.Figures {
		v.Figures[i] = unitCell(v.Figures[i])
	}
	if len(t.Points) > 1 {
		v.Latency = newLatencyChart(t)
		v.Histogram = newHistogramChart(t)
		v.Percentiles = newPercentileChart(t)
	}
	return v
}
