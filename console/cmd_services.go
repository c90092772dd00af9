package console

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/internal/shape"
)

func serviceCommands() []*command {
	return []*command{{
		name: "services", group: "Types", args: "[TYPE]", pipe: true,
		help: "what the server offers, and what was seen of it",
		long: "An rpckids server lists its services itself: names, shapes, what they are for. Checks, completion and templates then know them without `rpc`.\n" +
			"Of a plain v1 server, which lists nothing, it shows what was registered and what has worked. `services TYPE` tells all of one.",
		examples: []string{"services", "services exp"},
		max:      1, run: runServices, complete: completeTypes,
	}}
}

// serviceJSON is a row of services as -o json prints it. The fields from name to idempotent are the server's own words where it lists its services; they are then all there,
// and null where the service has nothing of the kind.
type serviceJSON struct {
	Kind       string          `json:"kind"`
	Name       string          `json:"name"`
	ReplyType  json.RawMessage `json:"reply_type,omitempty"`
	Pattern    string          `json:"pattern,omitempty"`
	Request    json.RawMessage `json:"request,omitempty"`
	Reply      json.RawMessage `json:"reply,omitempty"`
	Doc        json.RawMessage `json:"doc,omitempty"`
	Example    json.RawMessage `json:"example,omitempty"`
	Idempotent *bool           `json:"idempotent,omitempty"`
	Origin     string          `json:"origin"`
	OK         int             `json:"ok"`
	Cast       int             `json:"cast"`
	Failed     int             `json:"failed"`
}

func runServices(ctx context.Context, s *Session, a *args) (Result, error) {
	if err := s.refresh(ctx); err != nil {
		return Result{}, err
	}
	list := []serviceJSON{}
	names := s.requests()
	one := a.word(0)
	for _, name := range names {
		if one.text == "" || one.text == name {
			list = append(list, s.service(name))
		}
	}
	switch {
	case len(list) == 0 && one.text != "":
		hint := "it may exist all the same: call " + one.text
		if near := shape.Nearest(one.text, names); near != "" {
			hint = "nearest is " + near
		}
		return Result{}, a.fault(ExitUsage, one.at, fmt.Sprintf("nothing is known of %q", one.text), hint)
	case len(list) == 0:
		return Result{Text: "nothing is known yet: a plain server does not tell what it offers; as in: call fib 10", Notice: true, Value: list}, nil
	case one.text != "":
		return Result{Text: s.describeService(list[0], min(a.talk.columns(), 100)), Value: list}, nil
	case len(s.servicesNow()) > 0:
		return Result{Text: s.offer(list, a.talk.columns()), Value: list}, nil
	}
	return Result{Text: s.sightings(list), Value: list}, nil
}

// service is what is known of a request type.
func (s *Session) service(name string) serviceJSON {
	v := serviceJSON{Kind: "service", Name: name, Origin: "seen"}
	n := s.seenType(name)
	v.OK, v.Cast, v.Failed = n.ok, n.sent, n.failed
	if told, ok := s.servicesNow()[name]; ok {
		v.Origin = "server"
		v.ReplyType, v.Doc = textOrNull(told.ReplyType), textOrNull(told.Doc)
		v.Pattern, v.Idempotent = told.Pattern, &told.Idempotent
		v.Request, v.Reply, v.Example = jsonOrNull(told.Request), jsonOrNull(told.Reply), jsonOrNull(told.Example)
		return v
	}
	reply := s.replyOf(name)
	if reply != "" {
		v.ReplyType = textOrNull(reply)
	}
	if n.ok > 0 {
		v.Pattern = map[Kind]string{KindCall: "call", KindStream: "stream", KindUpload: "upload", KindChat: "bidi"}[n.kind]
	}
	if t, ok := s.requestType(name); ok {
		v.Origin, v.Request = "rpc", schemaOf(t.shape)
	}
	if t, ok := s.answerType(reply); ok {
		v.Origin, v.Reply = "rpc", schemaOf(t.shape)
	}
	return v
}

func schemaOf(s *shape.Shape) json.RawMessage {
	schema, _ := json.Marshal(s.Schema()) // of a tree of plain values: cannot fail
	return schema
}

func textOrNull(s string) json.RawMessage {
	if s == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(quoted(s))
}

func jsonOrNull(b json.RawMessage) json.RawMessage {
	if len(b) == 0 || shape.Syntax(b) != nil {
		return json.RawMessage("null")
	}
	return b
}

// offer is the table of what a server lists, in so many columns.
func (s *Session) offer(list []serviceJSON, columns int) string {
	var t table
	told, exchange := s.servicesNow(), "takes"+s.arrow()+"answers"
	names, exchanges := len("service"), ansi.StringWidth(exchange)
	for _, v := range list {
		names, exchanges = max(names, ansi.StringWidth(v.Name)), max(exchanges, ansi.StringWidth(s.exchangeText(v.Name)))
	}
	about := max(columns-names-len("pattern")-exchanges-6, 24)
	t.add("service", "pattern", exchange, "about")
	for _, v := range list {
		doc := told[v.Name].Doc
		if v.Origin != "server" {
			doc = "known by " + v.Origin
		}
		t.add(v.Name, or(v.Pattern, "?"), s.exchangeText(v.Name), shorten(Printable(doc), about))
	}
	return t.String() + "\n`services TYPE` tells all of one"
}

// exchangeText is what a service takes and answers, in short.
func (s *Session) exchangeText(name string) string {
	takes, answers := "?", "nothing"
	if t, ok := s.requestType(name); ok {
		takes = t.shape.Brief()
	}
	if reply := s.replyOf(name); reply != "" {
		answers = reply
		if t, ok := s.answerType(reply); ok {
			answers = t.shape.Brief()
		}
	}
	return shorten(Printable(takes+s.arrow()+answers), 32)
}

// sightings is the table of what was registered and seen where the server lists nothing.
func (s *Session) sightings(list []serviceJSON) string {
	var t table
	t.add("type", "takes", "answers", "seen")
	for _, v := range list {
		takes, answers := "?", s.replyOf(v.Name)
		if r, ok := s.requestType(v.Name); ok {
			takes = r.shape.String()
		}
		if r, ok := s.answerType(answers); ok { // in short: the fields' types are behind rpc
			answers += " " + r.shape.Brief()
		}
		t.add(v.Name, takes, answers, seenText(v))
	}
	return t.String()
}

// describeService is all that is known of one service.
func (s *Session) describeService(v serviceJSON, columns int) string {
	told, served := s.servicesNow()[v.Name]
	kind := s.kindOf(v.Name)
	var t table
	head := or(v.Pattern, "pattern unknown")
	if told.Idempotent {
		head += ", may run twice"
	}
	t.add(v.Name, head)
	if told.Doc != "" {
		t.add("about", told.Doc)
	}
	if r, ok := s.requestType(v.Name); ok {
		t.add("takes", several(kind.gives())+r.shape.String())
	}
	if reply := s.replyOf(v.Name); reply != "" {
		text := reply
		if r, ok := s.answerType(reply); ok {
			text += " " + several(kind.Streams()) + r.shape.String()
		}
		t.add("answers", text)
	}
	if line := s.exampleLine(told); line != "" {
		t.add("as in", line)
	}
	t.add("seen", seenText(v))
	by := "what was seen"
	switch {
	case served:
		by = "the server's list"
	case v.Origin == "rpc":
		by = "rpc"
	}
	t.add("known by", by)
	return wrapLast(t.String(), columns)
}

// wrapLast breaks the lines of a table of two columns below their second column.
func wrapLast(text string, w int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		at := strings.Index(line, "  ")
		for at >= 0 && at < len(line) && line[at] == ' ' {
			at++
		}
		if ansi.StringWidth(line) > w && at > 0 && at < w/2 {
			lines[i] = line[:at] + strings.ReplaceAll(ansi.Wordwrap(line[at:], w-at, ""), "\n", "\n"+strings.Repeat(" ", at))
		}
	}
	return strings.Join(lines, "\n")
}

// exampleLine is the line that calls a service with its example; "" where there is none.
func (s *Session) exampleLine(v Service) string {
	if v.Name == "" {
		return ""
	}
	kind, known := kindOf(v.Pattern)
	if !known {
		return ""
	}
	if kind == KindStream {
		kind = KindCall
	}
	line := kind.String() + " " + v.Name
	t, _ := s.requestType(v.Name)
	switch each := examplesOf(v, t.shape); {
	case v.Example == nil:
	case kind.gives() && len(each) > 0:
		for _, e := range each {
			line += " " + glimpse(e, 60)
		}
	default:
		line += " " + glimpse(v.Example, 200)
	}
	return line
}

// examplesOf are the items of the example of a service that takes several: its elements, where it is a list of them, else itself.
func examplesOf(v Service, takes *shape.Shape) []json.RawMessage {
	if v.Example == nil {
		return nil
	}
	var each []json.RawMessage
	if takes != nil && takes.Kind() != shape.List && json.Unmarshal(v.Example, &each) == nil {
		return each[:min(len(each), 8)]
	}
	return []json.RawMessage{v.Example}
}

func seenText(v serviceJSON) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{v.OK, "ok"}, {v.Cast, "cast"}, {v.Failed, "failed"}} {
		if p.n > 0 {
			parts = append(parts, Count(p.n)+" "+p.word)
		}
	}
	return or(strings.Join(parts, ", "), "-")
}

// or returns a unless it is empty.
func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
