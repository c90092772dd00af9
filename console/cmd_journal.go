package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const historyShown = 20 // rows of history when nobody says how many

func journalCommands() []*command {
	return []*command{
		{
			name: "history", group: "Journal", args: "[TEXT]",
			help:     "the calls of this session, newest last",
			long:     "TEXT keeps the calls whose type, payload, reply or error holds it. The newest 20 are shown, or all that match.",
			examples: []string{"history", "history exp", "history --failed", "history --slow 10ms"},
			flags:    []flag{{"failed", "", "only those that failed"}, {"slow", "D", "only those that took at least D"}, {"n", "N", "the newest N"}},
			max:      1, rest: true, run: runHistory,
		},
		{
			name: "show", group: "Journal", args: "[NUMBER]",
			help:     "one call in full: request, reply, where its time went",
			examples: []string{"show 128", "show"},
			max:      1, run: runShow, complete: completeNumber,
		},
	}
}

// filter is what history was asked for.
type filter struct {
	text   string
	failed bool
	slow   time.Duration
	newest int
}

func parseFilter(a *args) (f filter, err error) {
	f = filter{text: strings.ToLower(a.word(0).text), failed: a.has("failed"), newest: journalKeep}
	if w, ok := a.flags["slow"]; ok {
		if f.slow, err = parseTimeout(w.text); err != nil {
			return f, a.at(w, err)
		}
	}
	if f.text == "" && !f.failed && f.slow == 0 {
		f.newest = historyShown
	}
	if w, ok := a.flags["n"]; ok {
		if f.newest, err = strconv.Atoi(w.text); err != nil || f.newest < 1 {
			return f, a.fault(ExitUsage, w.at, fmt.Sprintf("%q is not a number of calls", w.text), "as in: history -n 50")
		}
	}
	return f, nil
}

func (f filter) match(e *Entry) bool {
	if f.failed && e.State != Failed || e.Trace.RTT < f.slow {
		return false
	}
	if f.text == "" {
		return true
	}
	hay := e.Type + " " + string(e.Payload) + " " + e.ReplyType + " " + string(e.Result)
	if e.Err != nil {
		hay += " " + e.Err.Message
	}
	return strings.Contains(strings.ToLower(hay), f.text)
}

func runHistory(_ context.Context, s *Session, a *args) (Result, error) {
	f, err := parseFilter(a)
	if err != nil {
		return Result{}, err
	}
	var found []Entry
	for _, e := range s.journal.Tail(journalKeep, 0) {
		if f.match(&e) {
			found = append(found, e)
		}
	}
	if over := len(found) - f.newest; over > 0 {
		found = found[over:]
	}
	list := make([]*callJSON, len(found))
	t := table{right: map[int]bool{0: true, 4: true}}
	t.add("#", "time", "kind", "request", "rtt", "state")
	for i := range found {
		e := &found[i]
		list[i] = newCallJSON(e)
		t.add(strconv.Itoa(e.Number), clock(e.Started), e.Kind.String(), requestText(e), rttText(e, s.ascii()), e.Word())
	}
	if len(found) == 0 {
		return Result{Text: "no such call", Notice: true, Value: list}, nil
	}
	return Result{Text: t.String(), Value: list}, nil
}

// requestText is type and payload in a narrow column.
func requestText(e *Entry) string {
	text := Printable(e.Type)
	switch {
	case e.Dropped:
		text += " (no longer kept)"
	case e.Payload != nil:
		text += " " + glimpse(e.Payload, 44)
	}
	return shorten(text, 44)
}

func rttText(e *Entry, ascii bool) string {
	if e.Trace.RTT <= 0 {
		return "-"
	}
	return Duration(e.Trace.RTT, ascii)
}

func runShow(_ context.Context, s *Session, a *args) (Result, error) {
	e, err := s.number(a, a.word(0))
	if err != nil {
		return Result{}, err
	}
	return Result{Text: describe(&e, s.ascii()), Value: newCallJSON(&e)}, nil
}

// describe is an entry in full.
func describe(e *Entry, ascii bool) string {
	var t table
	t.add(fmt.Sprintf("#%d", e.Number), e.Kind.String()+" "+e.Word())
	t.add("request", callLine(e))
	t.add("sent", sentText(e))
	if e.Trace.RequestID != "" {
		t.add("requestId", e.Trace.RequestID)
	}
	if e.State != Running {
		t.add("time", timeText(e, ascii))
	}
	if len(e.Trace.Out) > 0 {
		t.add("bytes", bytesText(e))
	}
	if e.Trace.Attempts > 1 {
		t.add("attempts", strconv.Itoa(e.Trace.Attempts))
	}
	if e.Err != nil {
		t.add("error", e.Err.Message)
		for _, more := range [][2]string{{"details", glimpse(e.Err.Details, maxMessage)}, {"likely", e.Err.Likely}, {"hint", e.Err.Hint}} {
			if more[1] != "" {
				t.add(more[0], more[1])
			}
		}
	}
	text := t.String()
	switch {
	case e.Dropped:
		text += "\npayload and reply are no longer kept"
	case e.ReplyType != "":
		text += "\nreply " + shorten(Printable(e.ReplyType), maxType) + "\n" + indented(e.Result)
	}
	return text
}

func sentText(e *Entry) string {
	text := clock(e.Started)
	if e.Trace.Server != "" {
		text += " to " + e.Trace.Server
	}
	return text
}

// indented is a payload over several lines, safe for a terminal. One that is nested deeply stays on one line: the space before its lines would be a thousand
// times its size.
func indented(payload []byte) string {
	line := PrintableJSON(payload)
	var b bytes.Buffer
	if depth(payload) > 100 || json.Indent(&b, []byte(line), "", "  ") != nil {
		return line
	}
	return b.String()
}

// depth is how deep the brackets of a payload are nested at most; those in strings count too, which errs on the safe side.
func depth(payload []byte) (deepest int) {
	now := 0
	for _, c := range payload {
		switch c {
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}

func completeNumber(s *Session, _ *args, _ word) []Item {
	var items []Item
	tail := s.journal.Tail(9, 0)
	for i := len(tail) - 1; i >= 0; i-- {
		items = append(items, Item{Text: strconv.Itoa(tail[i].Number), Help: requestText(&tail[i])})
	}
	return items
}
