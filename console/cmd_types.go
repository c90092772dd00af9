package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

func typeCommands() []*command {
	return []*command{
		{
			name: "rpc", aliases: []string{"register"}, group: "Types", args: "[TYPE SHAPE]",
			help: "register what a request or a reply looks like",
			long: "`rpc` lists the types, `rpc show T` shows one, `rpc rm T` forgets it. A request is checked against its shape before it is sent, a reply when it comes.\n" +
				"SHAPE is Go's own (`int64`, `string`, `[]T`, `map[string]T`, `*T`, `any`, `struct{...}`), the short form `{name:type, name?:type}`, Java's (`Long`, `List<String>`), or `@FILE` with a JSON Schema: see `help types`.",
			examples: []string{"rpc fib_res int64", "rpc exp {base:int,exp:int}", "rpc exp_res {value:int64,costInNanos:int64} --server-time .costInNanos"},
			flags:    []flag{{"of", "REQUEST", "it is the reply to REQUEST"}, {"server-time", "PATH", "where the reply holds the server's own nanoseconds"}},
			max:      2, rest: true,
			run: runRPC, check: checkRPC, complete: completeRPC,
		},
	}
}

func runRPC(_ context.Context, s *Session, a *args) (Result, error) {
	name, expr := a.word(0), a.word(1)
	switch {
	case name.text == "" || name.text == "list" && expr.text == "":
		return s.listTypes(), nil
	case name.text == "show":
		return s.showType(a, expr)
	case name.text == "rm":
		return s.forgetType(a, expr)
	case expr.text == "":
		return Result{}, a.fault(ExitUsage, expr.at, fmt.Sprintf("rpc %s needs a shape", name.text), "as in: rpc fib_res int64; `rpc show "+name.text+"` shows what is registered")
	}
	t, err := s.parseType(a, readShape)
	if err != nil {
		return Result{}, err
	}
	s.mu.Lock()
	s.types[name.text] = t
	s.mu.Unlock()
	return Result{Text: typeText(name.text, t) + " registered", Notice: true}, nil
}

// maxSchema is how large the file of a JSON Schema may be.
const maxSchema = 1 << 20

// readShape reads the shape of an rpc line, which may name the file of a JSON Schema.
func readShape(a *args, expr word) (*shape.Shape, error) {
	name, ok := strings.CutPrefix(expr.text, "@")
	if !ok {
		return parseShape(a, expr)
	}
	f, err := openFile(name)
	if err != nil {
		return nil, a.fault(ExitUsage, expr.at+1, err.Error(), "")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSchema+1))
	if err == nil && len(data) > maxSchema {
		err = fmt.Errorf("larger than %s", Bytes(maxSchema))
	}
	var sh *shape.Shape
	if err == nil {
		sh, err = shape.FromSchema(data)
	}
	if err != nil {
		return nil, a.fault(ExitUsage, expr.at+1, fmt.Sprintf("%s: %v", name, err), "")
	}
	return sh, nil
}

// parseShape reads the shape of an rpc line without opening a file: a name of one stands for any.
func parseShape(a *args, expr word) (*shape.Shape, error) {
	if strings.HasPrefix(expr.text, "@") {
		return &shape.Shape{}, nil
	}
	sh, err := shape.Parse(expr.text)
	if p, ok := errors.AsType[*shape.ParseError](err); ok {
		return nil, a.fault(ExitUsage, expr.at+p.At, p.Text, p.Hint)
	}
	return sh, err
}

// parseType reads what an rpc line says of its type; read gets its shape.
func (s *Session) parseType(a *args, read func(*args, word) (*shape.Shape, error)) (t registered, err error) {
	name, expr := a.word(0), a.word(1)
	if err := checkType(a, name); err != nil {
		return t, err
	}
	if t.shape, err = read(a, expr); err != nil {
		return t, err
	}
	t.of = a.flags["of"].text
	w, ok := a.flags["server-time"]
	if !ok {
		return t, nil
	}
	path, err := shape.ParsePath(w.text)
	if err != nil {
		p, _ := errors.AsType[*shape.ParseError](err)
		return t, a.fault(ExitUsage, w.at+p.At, p.Text, "as in .costInNanos")
	}
	if at, found := t.shape.At(path); !found || !at.Integer() && at.Kind() != shape.Any {
		return t, a.fault(ExitUsage, w.at, fmt.Sprintf("%s has no whole number at %s", t.shape.Brief(), path), "the server's time is a count of nanoseconds")
	}
	t.serverTime = path
	if len(path) == 0 {
		t.serverTime = shape.Path{}
	}
	return t, nil
}

// typeText is a type with its shape and what is known of it, safe to show.
func typeText(name string, t registered) string {
	text := name + " " + t.shape.String()
	if t.of != "" {
		text += " --of " + t.of
	}
	if t.serverTime != nil {
		text += " --server-time " + t.serverTime.String()
	}
	if t.served {
		return shorten(Printable(text), maxSignature)
	}
	return Printable(text)
}

// maxSignature caps, in cells, how much of a shape stands on a line: a server may have told it.
const maxSignature = 1000

// typeJSON is a registered type as -o json prints it.
type typeJSON struct {
	Kind       string `json:"kind"`
	Type       string `json:"type"`
	Shape      string `json:"shape"`
	Of         string `json:"of,omitempty"`
	ServerTime string `json:"server_time,omitempty"`
	Origin     string `json:"origin,omitempty"`
	Schema     any    `json:"schema,omitempty"`
}

func newTypeJSON(name string, t registered) typeJSON {
	v := typeJSON{Kind: "type", Type: name, Shape: t.shape.String(), Of: t.of}
	if t.serverTime != nil {
		v.ServerTime = t.serverTime.String()
	}
	if t.served {
		v.Origin = "server"
	}
	return v
}

func (s *Session) listTypes() Result {
	types := s.typesNow()
	list := []typeJSON{}
	var t table
	for _, name := range slices.Sorted(maps.Keys(types)) {
		v := newTypeJSON(name, types[name])
		list = append(list, v)
		notes := []string{}
		if v.Of != "" {
			notes = append(notes, "answers "+v.Of)
		}
		if v.ServerTime != "" {
			notes = append(notes, "server time "+v.ServerTime)
		}
		if v.Origin != "" {
			notes = append(notes, "told by the server")
		}
		t.add(name, shapeCell(types[name]), strings.Join(notes, ", "))
	}
	if len(list) == 0 {
		return Result{Text: "no types are registered; as in: rpc fib_res int64", Notice: true, Value: list}
	}
	return Result{Text: t.String(), Value: list}
}

// shapeCell is a shape in a table: what a server told is cut to what can be read.
func shapeCell(t registered) string {
	if t.served {
		return shorten(Printable(t.shape.String()), maxSignature)
	}
	return t.shape.String()
}

// known finds a registered type for show and rm.
func (s *Session) known(a *args, w word) (registered, error) {
	t, ok := s.registered(w.text)
	if ok {
		return t, nil
	}
	names := slices.Sorted(maps.Keys(s.typesNow()))
	hint := "`rpc` lists the types"
	if near := shape.Nearest(w.text, names); near != "" {
		hint = "nearest is " + near
	}
	if w.text == "" {
		return t, a.fault(ExitUsage, w.at, "the name of a type is missing", hint)
	}
	return t, a.fault(ExitUsage, w.at, fmt.Sprintf("no type %q is registered", w.text), hint)
}

func (s *Session) showType(a *args, w word) (Result, error) {
	t, err := s.known(a, w)
	if err != nil {
		return Result{}, err
	}
	v := newTypeJSON(w.text, t)
	v.Schema = t.shape.Schema()
	return Result{Text: "rpc " + typeText(w.text, t) + "\nas in: " + PrintableJSON(t.shape.Sample()), Value: v}, nil
}

func (s *Session) forgetType(a *args, w word) (Result, error) {
	t, err := s.known(a, w)
	if err != nil {
		return Result{}, err
	}
	if t.served {
		return Result{}, a.fault(ExitUsage, w.at, w.text+" is told by the server", "what you register wins: rpc "+w.text+" SHAPE")
	}
	s.mu.Lock()
	delete(s.types, w.text)
	s.mu.Unlock()
	return Result{Text: Printable(w.text + " forgotten"), Notice: true}, nil
}

func checkRPC(s *Session, a *args, typing bool) Hint {
	name, expr := a.word(0), a.word(1)
	if name.text == "" || expr.text == "" {
		return Hint{Text: a.command.usage()}
	}
	if name.text == "show" || name.text == "rm" {
		if _, err := s.known(a, expr); err != nil && !typing {
			return badHint(err)
		}
		return Hint{State: HintGood, Text: a.command.help}
	}
	t, err := s.parseType(a, parseShape)
	switch {
	case err == nil && expr.text[0] == '@':
		return Hint{State: HintGood, Text: Printable("register " + name.text + " by the JSON Schema in " + expr.text[1:])}
	case err == nil:
		return Hint{State: HintGood, Text: "register " + typeText(name.text, t)}
	}
	e := explain(err)
	if typing && (e.At >= len(a.line) || strings.HasPrefix(e.Message, "no type") && !strings.ContainsAny(a.line[e.At:], "}]>, ")) || e.At >= expr.end() && expr.open {
		return Hint{Text: a.command.usage()}
	}
	return badHint(err)
}

func completeRPC(s *Session, a *args, w word) []Offer {
	if len(a.pos) < 2 {
		items := []Offer{{Text: "show ", Help: "show one type"}, {Text: "rm ", Help: "forget a type"}}
		return append(items, s.unregistered()...)
	}
	if n := a.word(0).text; n == "show" || n == "rm" {
		return offersOf(slices.Sorted(maps.Keys(s.typesNow())), "", "")
	}
	if e, ok := s.lastOf(a.word(0).text); ok {
		return []Offer{{Text: shape.Infer(e.Result).String(), Help: "what came last"}}
	}
	return offersOf(shape.Names(), "", "")
}

// unregistered are the reply types that came without being registered.
func (s *Session) unregistered() []Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, t := range s.seen {
		if _, ok := s.types[t.reply]; !ok && t.reply != "" && clean(t.reply) && !strings.ContainsAny(t.reply, " {}[]\"") {
			names = append(names, t.reply)
		}
	}
	slices.Sort(names)
	return offersOf(slices.Compact(names), " ", "seen, not registered")
}

// lastOf returns the newest kept reply of a reply type.
func (s *Session) lastOf(replyType string) (Entry, bool) {
	tail := s.journal.Tail(journalKeep, 0)
	for _, e := range slices.Backward(tail) {
		if e.State == OK && e.ReplyType == replyType && !e.Dropped {
			return e, true
		}
	}
	return Entry{}, false
}
