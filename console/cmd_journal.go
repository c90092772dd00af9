package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

const historyShown = 20 // rows of history when nobody says how many

func journalCommands() []*command {
	return []*command{
		{
			name: "history", group: "Journal", args: "[FILTER]", pipe: true,
			help: "the calls of this session, newest last",
			long: "FILTER chooses: `failed`, `running`, `slow 10ms`, or a text that type, payload, reply or error holds; several words must all hold, and quotes make one\n" +
				"text of words. The newest 20 are shown, or all that are chosen.",
			examples: []string{"history", "history exp", "history failed", "history slow 10ms exp", "history | map(.rtt_ns) | max"},
			flags:    []flag{{"failed", "", "only those that failed"}, {"slow", "D", "only those that took at least D"}, {"n", "N", "the newest N"}},
			max:      1, rest: true, run: runHistory, check: checkHistory, complete: completeHistory,
		},
		{
			name: "show", group: "Journal", args: "[NUMBER]", pipe: true,
			help:     "one call in full: request, reply, where its time went",
			examples: []string{"show 128", "show", "show 128 | .result"},
			max:      1, run: runShow, complete: completeNumber,
		},
	}
}

// historyFilter is what history was asked for, and how many of them.
func historyFilter(a *args) (f CallFilter, newest int, err error) {
	if f, err = ParseCallFilter(a.word(0).text); err != nil {
		e := explain(err)
		e.Line, e.At = a.line, a.word(0).at+e.At
		return f, 0, e
	}
	f.Failed = f.Failed || a.has("failed")
	if w, ok := a.flags["slow"]; ok {
		if f.Slow, err = parseTimeout(w.text); err != nil {
			return f, 0, a.at(w, err)
		}
	}
	newest = journalKeep
	if f.All() {
		newest = historyShown
	}
	if w, ok := a.flags["n"]; ok {
		if newest, err = strconv.Atoi(w.text); err != nil || newest < 1 {
			return f, 0, a.fault(ExitUsage, w.at, fmt.Sprintf("%q is not a number of calls", w.text), "as in: history -n 50")
		}
	}
	return f, newest, nil
}

func checkHistory(_ *Session, a *args, typing bool) Hint {
	f, _, err := historyFilter(a)
	switch {
	case err == nil && f.All():
		return Hint{State: HintGood, Text: a.command.help}
	case err == nil:
		return Hint{State: HintGood, Text: "the calls of this session: " + Printable(f.String())}
	case typing:
		return Hint{Text: a.command.usage()}
	}
	return badHint(err)
}

func completeHistory(s *Session, a *args, w word) []Offer {
	offers := []Offer{{Text: "failed ", Help: "only those that failed"}, {Text: "running ", Help: "only those that have not ended"}, {Text: "slow 10ms ", Help: "only those that took at least as long"}}
	return append(offers, completeTypes(s, a, w)...)
}

func runHistory(_ context.Context, s *Session, a *args) (Result, error) {
	f, newest, err := historyFilter(a)
	if err != nil {
		return Result{}, err
	}
	var found []Entry
	for _, e := range s.journal.Tail(journalKeep, 0) {
		if f.Match(&e) {
			found = append(found, e)
		}
	}
	if over := len(found) - newest; over > 0 {
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
	switch {
	case len(found) == 0 && s.journal.Last() == 0:
		return Result{Text: "there is no call yet; as in: call fib 10", Notice: true, Value: list}, nil
	case len(found) == 0:
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
	if e.flow != nil { // how many items is what tells one stream from another
		some := "  " + e.ItemsText()
		return shorten(text, 44-len(some)) + some
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
	text := describe(&e, s.ascii())
	if e.flow != nil && !e.Dropped {
		text += s.itemLines(&e)
	}
	return Result{Text: text, Value: newCallJSON(&e)}, nil
}

const itemsShown = 100 // of an entry by show

// itemLines are the newest items of an entry, those that were sent marked by >.
func (s *Session) itemLines(e *Entry) string {
	items, older := s.journal.Items(e.Number, itemsShown)
	var b strings.Builder
	if older > 0 {
		fmt.Fprintf(&b, "\n  %s before these", countOf(older, "item"))
	}
	for _, it := range items {
		mark := ""
		switch {
		case it.Given:
			mark = "> "
		case e.Kind == KindChat:
			mark = "< "
		}
		b.WriteString("\n  " + mark + glimpse(it.Payload, maxMessage))
	}
	return b.String()
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
	if e.Trace.Protocol != "" {
		t.add("protocol", e.Trace.Protocol)
	}
	if out, _ := e.Trace.Sizes(); out > 0 {
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
	case e.flow != nil && e.Kind.Streams(): // its items follow
	case e.ReplyType != "" || e.State == OK && e.Kind != KindCast:
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

func completeNumber(s *Session, _ *args, _ word) []Offer {
	var items []Offer
	tail := s.journal.Tail(9, 0)
	for i := len(tail) - 1; i >= 0; i-- {
		items = append(items, Offer{Text: strconv.Itoa(tail[i].Number), Help: requestText(&tail[i])})
	}
	return items
}
