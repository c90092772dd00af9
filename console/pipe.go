package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// A line may end in a filter: "| .value". It gets the reply of a call, each item of a stream, and of other commands what -o json prints.

// filterWord says whether a filter begins at a word. A | inside of a payload is within brackets or quotes, and so within a word.
func filterWord(w word) bool { return strings.HasPrefix(w.text, "|") }

// cut takes what is jq off the words of a line: the filter at its end, and all that follows a command whose argument is jq.
func (a *args) cut(words []word) ([]word, error) {
	if a.command.raw {
		if len(words) > 0 {
			words = []word{{text: strings.TrimRight(a.line[words[0].at:], " \t\r\n"), at: words[0].at}}
		}
		return words, nil
	}
	i := slices.IndexFunc(words, filterWord)
	if i < 0 {
		return words, nil
	}
	at := words[i].at + 1
	at += len(a.line[at:]) - len(strings.TrimLeft(a.line[at:], " \t\r\n"))
	if !a.command.pipe {
		if words[i].text != "|" {
			return words, nil
		}
		return nil, a.misuse(tooMany, words[i].at, a.command.name+" takes no filter", "see `help filters`")
	}
	a.filter = &word{text: strings.TrimRight(a.line[at:], " \t\r\n"), at: at}
	return words[:i], nil
}

// compile compiles the jq of a word of the line.
func (s *Session) compile(a *args, w word) (*Filter, error) {
	if w.text == "" {
		return nil, a.fault(ExitUsage, w.at, "the filter is missing", "as in: call exp {\"base\":2,\"exp\":10} | .value")
	}
	f, err := s.CompileFilter(w.text)
	if err != nil {
		e := explain(err)
		e.Line, e.At = a.line, w.at+e.At
		return nil, e
	}
	return f, nil
}

// runLine runs a bound line, its filter included. A filter that is wrong keeps the command from running.
func (s *Session) runLine(ctx context.Context, a *args) (Result, error) {
	if a.filter == nil {
		return a.command.run(ctx, s, a)
	}
	f, err := s.compile(a, *a.filter)
	if err != nil {
		return Result{}, err
	}
	a.talk.Item = f.items(ctx, a.talk.Item)
	r, err := a.command.run(ctx, s, a)
	if err != nil || r.Entry != nil && r.Entry.Kind.Streams() && a.talk.Item != nil {
		return r, err
	}
	return f.result(ctx, r)
}

// items shows of each item what the filter makes of it.
func (f *Filter) items(ctx context.Context, show func(Entry, Item) error) func(Entry, Item) error {
	if show == nil {
		return nil
	}
	return func(e Entry, it Item) error {
		values, err := f.Run(ctx, it.Payload)
		for _, v := range values {
			it.Payload = v
			if err := show(e, it); err != nil {
				return err
			}
		}
		return err
	}
}

// result is what a filter makes of the result of a command.
func (f *Filter) result(ctx context.Context, r Result) (Result, error) {
	input, err := []byte(nil), error(nil)
	var call any
	if r.Entry != nil {
		input, call = r.Entry.Result, callValue(r.Entry)
	} else if input, err = json.Marshal(r.Value); err != nil {
		return r, err
	}
	if r.Values, err = f.run(ctx, input, call); err != nil {
		return r, err
	}
	r.Notice, r.Bench = false, nil
	lines := make([]string, len(r.Values))
	for i, v := range r.Values {
		lines[i] = PrintableJSON(v)
	}
	r.Text = strings.Join(lines, "\n")
	if v, ok := r.Value.(*callJSON); ok {
		filtered := *v
		filtered.Result, filtered.Values = nil, r.Values
		r.Value = &filtered
	} else {
		r.Value = r.Values
	}
	return r, nil
}

// callValue is what a filter sees as $call.
func callValue(e *Entry) any {
	text, err := json.Marshal(newCallJSON(e))
	if err != nil {
		return nil
	}
	v, _ := decodeInput(text) // it was just written
	return v
}

// checkFilter judges the filter of a line; ok is false when there is none, or nothing is wrong with it.
func (s *Session) checkFilter(a *args, typing bool) (h Hint, ok bool) {
	if a.filter == nil {
		return Hint{}, false
	}
	_, err := s.compile(a, *a.filter)
	switch {
	case err == nil:
		return Hint{}, false
	case typing && explain(err).At >= len(strings.TrimRight(a.line, " \t\r\n")), a.filter.text == "":
		return Hint{Text: "a filter: jq over " + a.filtered()}, true
	}
	return badHint(err), true
}

// filtered says what the filter of a line gets.
func (a *args) filtered() string {
	if a.command.group == "Calls" {
		return "the reply"
	}
	return "what -o json prints"
}

// completeFilter completes a path in the jq of a line; ok is false when there is none.
func (s *Session) completeFilter(line string) (c Completion, ok bool) {
	in := scan(line)
	if len(in.words) < 2 {
		return Completion{}, false
	}
	a, _ := s.bind(in) // half a line need not be right
	var sh *shape.Shape
	switch {
	case a == nil || a.command == nil:
		return Completion{}, false
	case a.command.raw:
		if e, ok := s.journal.LastReply(); ok && !e.Dropped {
			sh = shape.Infer(e.Result)
		}
	case a.filter == nil:
		return Completion{}, false
	case a.command.name == "rerun":
		if e, err := s.number(a, a.word(0)); err == nil {
			sh = s.replyShape(e.Type)
		}
	case a.command.group == "Calls":
		sh = s.replyShape(a.word(0).text)
	}
	start := len(line)
	for start > 0 && (pathByte(line[start-1]) || strings.IndexByte(".[]", line[start-1]) >= 0) {
		start--
	}
	for strings.HasPrefix(line[start:], "[") { // of a list around the path
		start++
	}
	c.From = start
	if sh != nil && strings.HasPrefix(line[start:], ".") {
		c.Offers = starting(pathOffers(sh, line[start:]), line[start:])
	}
	return c, true
}

// replyShape is the shape of what a request answers: registered, told by the server, or seen last; nil while nothing is known. "" is the last reply.
func (s *Session) replyShape(typ string) *shape.Shape {
	if t, ok := s.answerType(s.replyOf(typ)); ok {
		return t.shape
	}
	for _, e := range slices.Backward(s.journal.Tail(200, 0)) {
		if e.State == OK && !e.Dropped && (e.Type == typ || typ == "") && e.Result != nil {
			return shape.Infer(e.Result)
		}
	}
	return nil
}

// pathOffers are the paths that go on from one that is being typed: its beginning up to the last dot leads to an object. .items[] is any element.
func pathOffers(sh *shape.Shape, typed string) []Offer {
	base := typed[:strings.LastIndexByte(typed, '.')+1]
	path, err := shape.ParsePath(strings.ReplaceAll(strings.TrimSuffix(base, "."), "[]", "[0]"))
	if err != nil {
		return nil
	}
	at, ok := sh.At(path)
	if !ok {
		return nil
	}
	var offers []Offer
	for _, f := range at.Fields() {
		name := base + f.Name
		if strings.IndexFunc(f.Name, func(r rune) bool { return r >= 0x80 || r == '-' || !pathByte(byte(r)) }) >= 0 || f.Name == "" {
			name = base + quoted(f.Name) // jq reads a name in quotes, too
		}
		if f.Shape.Kind() == shape.List {
			name += "[]"
		}
		offers = append(offers, Offer{Text: name, Help: shorten(Printable(f.Shape.Brief()), 40)})
	}
	return offers
}

// checkJQ is the live hint of a command whose argument is jq.
func checkJQ(s *Session, a *args, w word, typing bool, good string) Hint {
	if w.text == "" {
		return Hint{Text: a.command.usage()}
	}
	if _, err := s.compile(a, w); err != nil {
		if typing && explain(err).At >= w.end() {
			return Hint{Text: good}
		}
		return badHint(err)
	}
	return Hint{State: HintGood, Text: fmt.Sprintf("%s: %s", a.command.name, good)}
}
