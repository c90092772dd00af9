package console

import "context"

// maxValues is how many values stand on one line at most.
const maxValues = 10_000

var streamTimeoutFlag = flag{"timeout", "D", "how long it may take from beginning to end, as 10s; without it, for ever"}

const valuesHelp = "VALUES are JSON, with a space between two of them: `1 2 {\"a\":3}`. `@FILE` and `-` (standard input) give one value a line, or one over several lines. " +
	"Without any the prompt asks for them, one by one: ctrl+d or a line with only a dot ends them, ctrl+c cancels all. Where the service takes text, a line needs no quotes."

func streamCommands() []*command {
	return []*command{
		{
			name: "stream", group: "Calls", args: "TYPE [PAYLOAD]", pipe: true,
			help: "send a request and show the items as they come",
			long: "`call` does so by itself where the server says that a service is a stream; `stream` insists. ctrl+c cancels it on the server, too. The setting timeout\n" +
				"does not count. `$last` is then the last item. See `help streams`.",
			examples: []string{"stream fibs 10", "stream ticks 100 --timeout 3s"},
			flags:    []flag{streamTimeoutFlag, noCheckFlag},
			min:      1, max: 2, rest: true,
			run:   func(ctx context.Context, s *Session, a *args) (Result, error) { return s.send(ctx, a, KindStream) },
			check: checkCall, complete: completeCall,
		},
		{
			name: "upload", group: "Calls", args: "TYPE [VALUES]", pipe: true,
			help:     "send items and wait for the one reply",
			long:     valuesHelp,
			examples: []string{"upload sum 1 2 3", "upload sum @numbers.txt", "upload sum"},
			flags:    []flag{streamTimeoutFlag, noCheckFlag},
			min:      1, max: maxValues,
			run:   func(ctx context.Context, s *Session, a *args) (Result, error) { return s.send(ctx, a, KindUpload) },
			check: checkValues, complete: completeValues,
		},
		{
			name: "chat", group: "Calls", args: "TYPE [VALUES]", pipe: true,
			help:     "send items and show those that come, both at once",
			long:     valuesHelp,
			examples: []string{`chat chat "hello" "how are you?"`, "chat chat"},
			flags:    []flag{streamTimeoutFlag, noCheckFlag},
			min:      1, max: maxValues,
			run:   func(ctx context.Context, s *Session, a *args) (Result, error) { return s.send(ctx, a, KindChat) },
			check: checkValues, complete: completeValues,
		},
	}
}

// checkValues is the live hint of upload and chat.
func checkValues(s *Session, a *args, typing bool) Hint {
	typ := a.word(0)
	if err := checkType(a, typ); err != nil {
		return badHint(err)
	}
	good := Hint{State: HintGood, Text: s.signature(typ.text)}
	open := Hint{Text: good.Text}
	for i, w := range a.pos[1:] {
		last := typing && w.end() == len(a.line)
		if w.text == "-" || w.text[0] == '@' {
			if len(a.pos) > 2 {
				continue
			}
			return good
		}
		v, wrong := s.value(typ.text, w.text, a.has("no-check"))
		if wrong == nil || v != nil {
			continue
		}
		if last && (w.open || i == len(a.pos)-2) && openValue(w.text) {
			return open
		}
		return Hint{State: HintBad, At: w.at + wrong.At, Text: shorten(Printable(wrong.Message), maxMessage)}
	}
	if len(a.pos) < 2 && typing {
		return open
	}
	return good
}

func completeValues(s *Session, a *args, w word) []Offer {
	if len(a.pos) < 2 {
		return completeTypes(s, a, w)
	}
	return s.templates(a.word(0).text, true)
}
