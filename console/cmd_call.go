package console

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

var timeoutFlag = flag{"timeout", "D", "how long it may take, as 50ms or 2s; off for no limit"}
var noCheckFlag = flag{"no-check", "", "send what does not fit its shape, and take any reply"}

func callCommands() []*command {
	return []*command{
		{
			name: "call", group: "Calls", args: "TYPE [PAYLOAD]", pipe: true,
			help: "send a request and wait for its reply",
			long: "PAYLOAD is JSON; nothing means null, `@FILE` reads a file, `-` reads standard input. Inside it `$last` is the last reply, `$128` the reply of call 128,\n" +
				"`$128.value` a field of it: see `help payloads`. A known type is a command by itself: `fib 10` is `call fib 10`.\n" +
				"Where the server says that the service is a stream, its items are shown as they come: see `help streams`.",
			examples: []string{"call fib 10", `call exp {"base":2,"exp":10}`, "call slow 500 --timeout 1s"},
			flags: []flag{timeoutFlag, {"reply", "T", "fail unless the reply is of type T"}, noCheckFlag,
				{"idempotent", "", "it may run twice: send it again when the connection is lost"}},
			min: 1, max: 2, rest: true,
			run:   func(ctx context.Context, s *Session, a *args) (Result, error) { return s.send(ctx, a, KindCall) },
			check: checkCall, complete: completeCall,
		},
		{
			name: "cast", group: "Calls", args: "TYPE [PAYLOAD]",
			help:     "send a request that nobody answers",
			long:     "It says how many bytes have left; whether the server did anything with them is not known.",
			examples: []string{`cast log "hi"`},
			flags:    []flag{{"timeout", "D", "how long the bytes may take to leave, as 50ms or 2s; off for no limit"}, {"no-check", "", "send what does not fit its shape"}},
			min:      1, max: 2, rest: true,
			run:   func(ctx context.Context, s *Session, a *args) (Result, error) { return s.send(ctx, a, KindCast) },
			check: checkCall, complete: completeCall,
		},
		{
			name: "rerun", group: "Calls", args: "[NUMBER]", pipe: true,
			help:     "make a call again, with the payload that was sent then",
			long:     "Without a number it is the last one. `!!` is short for `rerun`, `!128` for `rerun 128`. Flags that the call had count again.",
			examples: []string{"rerun 128", "!!", "!128"},
			max:      1, run: runRerun, complete: completeNumber,
		},
	}
}

// send runs the commands that send something. A call of what is known to be a stream is that stream.
func (s *Session) send(ctx context.Context, a *args, kind Kind) (Result, error) {
	typ := a.word(0)
	if k := s.kindOf(typ.text); kind == KindCall && (k.Streams() || k.gives()) {
		kind = k
	}
	o := order{kind: kind, req: Request{Type: typ.text, Idempotent: a.has("idempotent")}, talk: a.talk,
		terms: terms{timeout: s.timeoutOf(kind), replyType: a.flags["reply"].text, noCheck: a.has("no-check")}}
	if err := checkType(a, typ); err != nil {
		return s.refused(kind, typ.text, err)
	}
	if t, ok := a.flags["timeout"]; ok {
		d, err := parseTimeout(t.text)
		if err != nil {
			return s.refused(kind, typ.text, a.at(t, err))
		}
		o.timeout, o.own = d, true
	}
	if err := s.fill(ctx, a, &o); err != nil {
		return s.refused(kind, typ.text, err)
	}
	return s.perform(ctx, o)
}

// fill gives an order what the words after the type say: its payload, or its items.
func (s *Session) fill(ctx context.Context, a *args, o *order) (err error) {
	if o.kind.gives() {
		if err := s.acquaint(ctx); err != nil {
			return err
		}
		o.values, err = s.valuesOf(a, o.noCheck)
		return err
	}
	w := a.word(1)
	x, err := s.payload(ctx, a, w)
	if err == nil && !o.noCheck {
		err = s.fit(a, o.req.Type, w, x)
	}
	if err != nil {
		return err
	}
	o.req.Payload = x.text
	if x.file == "" && x.text != nil {
		o.place = func(at int) (string, int) { return a.line, w.at + x.source(at) }
	}
	return nil
}

// timeoutOf is the time limit of what says nothing of its own: the setting's for a call, none for a stream, whose end nobody knows.
func (s *Session) timeoutOf(k Kind) time.Duration {
	if k.Streams() || k.gives() {
		return 0
	}
	return s.timeout()
}

// checkType refuses what cannot be a type's name, most often a payload without one.
func checkType(a *args, w word) error {
	switch {
	case w.text == "" || strings.ContainsAny(w.text[:1], `{["$@-0123456789`):
		return a.fault(ExitUsage, w.at, fmt.Sprintf("%s needs the name of a type before the payload", a.command.name), "as in: "+a.command.examples[0])
	case strings.ContainsAny(w.text, `{}[]"`):
		at := strings.IndexAny(w.text, `{}[]"`)
		return a.fault(ExitUsage, w.at+at, "the name of a type holds no brackets and no quotes", "a space goes before the payload: "+a.command.name+" "+w.text[:at]+" "+w.text[at:])
	case strings.ContainsAny(w.text, " \t\n"): // the shell's quotes were around too much
		name, rest, _ := strings.Cut(w.text, " ")
		return a.fault(ExitUsage, w.at+strings.IndexAny(w.text, " \t\n"), "the name of a type holds no spaces", "quotes of the shell go around the payload alone: "+a.command.name+" "+name+" '"+rest+"'")
	case w.text[0] == '!':
		return a.fault(ExitUsage, w.at, "names that start with ! are the protocol's own", "")
	}
	return nil
}

// at gives an error the place of a word; a place that it has counts from there.
func (a *args) at(w word, err error) error {
	e := explain(err)
	e.Line, e.At = a.line, w.at+e.At
	return e
}

// number reads the number of an entry; "last", "$last" and nothing mean the newest.
func (s *Session) number(a *args, w word) (Entry, error) {
	n := s.journal.Last()
	switch text := strings.TrimLeft(w.text, "#$"); {
	case text != "" && text != "last":
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return Entry{}, a.fault(ExitUsage, w.at, fmt.Sprintf("%q is not the number of a call", w.text), "`history` lists the calls with their numbers")
		}
	case n == 0:
		return Entry{}, a.fault(ExitUsage, w.at, "there is no call yet", "as in: call fib 10")
	}
	e, ok := s.journal.Entry(n)
	switch {
	case ok:
		return e, nil
	case n > 0 && n <= s.journal.Last():
		return Entry{}, a.fault(ExitUsage, w.at, fmt.Sprintf("#%d is no longer kept", n), fmt.Sprintf("the newest %d are", journalKeep))
	}
	return Entry{}, a.fault(ExitUsage, w.at, fmt.Sprintf("there is no #%d", n), "`history` lists the calls with their numbers")
}

func runRerun(ctx context.Context, s *Session, a *args) (Result, error) {
	e, err := s.number(a, a.word(0))
	if err != nil {
		return Result{}, err
	}
	if e.Dropped {
		return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("the payload of #%d is no longer kept", e.Number), "")
	}
	o := order{kind: e.Kind, req: Request{Type: e.Type, Payload: e.Payload, Idempotent: e.Idempotent}, talk: a.talk, terms: e.terms}
	if !o.own {
		o.timeout = s.timeoutOf(e.Kind) // the setting may have changed since, because the call took longer
	}
	if e.Kind.gives() {
		items, _ := s.journal.Items(e.Number, itemsKeep)
		var again []json.RawMessage
		for _, it := range items {
			if it.Given {
				again = append(again, it.Payload)
			}
		}
		if len(again) < e.Given {
			return Result{}, a.fault(ExitUsage, a.word(0).at, fmt.Sprintf("the items of #%d are no longer kept", e.Number), "")
		}
		o.values = listed(again...)
	}
	return s.perform(ctx, o)
}

// checkCall is the live hint of call and cast.
func checkCall(s *Session, a *args, typing bool) Hint {
	typ, w := a.word(0), a.word(1)
	if err := checkType(a, typ); err != nil {
		return badHint(err)
	}
	if t, ok := a.flags["timeout"]; ok && !(typing && t.end() == len(a.line)) {
		if _, err := parseTimeout(t.text); err != nil {
			return badHint(a.at(t, err))
		}
	}
	good := Hint{State: HintGood, Text: s.signature(typ.text)}
	_, known := s.requestType(typ.text)
	if !known && s.replyOf(typ.text) == "" {
		good.Text = Printable(typ.text) + ": no shape is registered, sent as it is"
	}
	open := Hint{Text: good.Text}
	if k := s.kindOf(typ.text); a.command.name == "call" && k.gives() {
		return checkValues(s, a, typing)
	}
	if len(a.pos) < 2 {
		if s.fit(a, typ.text, w, &expansion{}) != nil && !a.has("no-check") || typing {
			return open
		}
		return good
	}
	typing = typing && w.end() == len(a.line)
	switch {
	case w.text[0] == '@':
		return good // its file is read when the line runs
	case w.text == "-" && typing:
		return open // a negative number begins
	case w.text == "-" && s.cfg.Stdin == nil:
		return badHint(a.noStdin(w))
	case w.text == "-":
		return good
	}
	x, err := expand(w.text, s.reply)
	if err != nil {
		if typing {
			return open
		}
		return badHint(a.badReference(w, err))
	}
	if len(x.text) > maxExpanded {
		return open
	}
	return s.checkPayload(a, x, w, typing, open, good)
}

// checkPayload judges a payload whose references are replaced.
func (s *Session) checkPayload(a *args, x *expansion, w word, typing bool, open, good Hint) Hint {
	bad := func(m *shape.Mismatch) Hint {
		text := m.Text
		if m.Hint != "" {
			text += "; " + m.Hint
		}
		return Hint{State: HintBad, At: w.at + x.source(m.At), Text: shorten(Printable(text), maxMessage)}
	}
	if m := shape.Syntax(x.text); m != nil {
		if m.End && typing {
			return open
		}
		return bad(m)
	}
	if t, ok := s.requestType(a.word(0).text); ok && !a.has("no-check") {
		if m := t.shape.Check(x.text); m != nil {
			return bad(m)
		}
	}
	return good
}

func badHint(err error) Hint {
	e := explain(err)
	text := e.Message
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return Hint{State: HintBad, At: e.At, Text: text}
}

// callLine writes an entry as the line that makes it again.
func callLine(e *Entry) string {
	line := e.Kind.String() + " " + Printable(e.Type)
	if e.Payload != nil {
		line += " " + PrintableJSON(e.Payload)
	}
	return line
}

// clock is how times of day are shown.
func clock(t time.Time) string { return t.Format("15:04:05.000") }
