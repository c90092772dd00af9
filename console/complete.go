package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// Completion is what could stand at the cursor: each offer replaces line[From:at].
type Completion struct {
	From   int
	Offers []Offer
}

// Offer is one way to go on. Both texts are safe for a terminal.
type Offer struct {
	Text string // what is inserted; ends in a space when another word follows
	Help string // a few words beside it
}

func offersOf(texts []string, after, help string) []Offer {
	items := make([]Offer, len(texts))
	for i, t := range texts {
		items[i] = Offer{Text: t + after, Help: help}
	}
	return items
}

// Complete returns what could stand at byte offset at of the line. It does no input or output.
func (s *Session) Complete(line string, at int) Completion {
	at = min(max(at, 0), len(line))
	line = line[:at]
	if c, ok := s.completeFilter(line); ok {
		return c
	}
	in := scan(line)
	w := word{at: at}
	if n := len(in.words); n > 0 && in.words[n-1].end() == at {
		w = in.words[n-1]
		in.words = in.words[:n-1]
	}
	if len(in.words) == 0 {
		if strings.TrimSpace(line) != w.text { // a comment
			return Completion{From: at}
		}
		return Completion{w.at, s.firstWords(w.text)}
	}
	a, err := s.bind(in)
	if m, ok := err.(*misuse); ok && m.kind != tooFew && m.kind != noValue || a.command == nil {
		return Completion{From: at}
	}
	c := s.completeWord(in, a, w)
	c.Offers = slices.DeleteFunc(c.Offers, func(i Offer) bool { return !clean(i.Text) }) // what cannot be shown cannot be chosen
	return c
}

// completeWord completes a word behind the command; a holds the words before it.
func (s *Session) completeWord(in *input, a *args, w word) Completion {
	last := in.words[len(in.words)-1]
	if f := a.command.flag(strings.TrimLeft(last.text, "-")); f != nil && f.value != "" && last.flag() {
		return Completion{w.at, starting(s.flagValues(f), w.text)}
	}
	if strings.HasPrefix(w.text, "-") {
		var items []Offer
		for _, f := range a.command.flags {
			if !a.has(f.name) {
				items = append(items, Offer{f.dashed() + " ", f.help})
			}
		}
		return Completion{w.at, starting(items, w.text)}
	}
	if from := strings.LastIndexByte(w.text, '$'); from >= 0 && a.command.group == "Calls" {
		return Completion{w.at + from, starting(s.references(), w.text[from:])}
	}
	if a.command.complete == nil || len(a.pos) >= a.command.max && !a.command.rest {
		return Completion{From: w.at}
	}
	a.pos = append(a.pos, w)
	offers := starting(a.command.complete(s, a, w), w.text)
	if len(offers) == 0 && a.command.group == "Calls" && len(a.pos) > 1 {
		if from, names := s.fieldNames(a.word(0).text, w.text); len(names) > 0 {
			return Completion{w.at + from, names}
		}
	}
	return Completion{w.at, offers}
}

// starting keeps the items that start with what was typed, and drops repetitions.
func starting(items []Offer, prefix string) []Offer {
	seen := map[string]bool{}
	return slices.DeleteFunc(items, func(i Offer) bool {
		drop := !strings.HasPrefix(i.Text, prefix) || strings.TrimSpace(i.Text) == prefix || seen[i.Text]
		seen[i.Text] = true
		return drop
	})
}

// firstWords returns the commands and the callable types that start so.
func (s *Session) firstWords(prefix string) []Offer {
	var items []Offer
	for _, c := range s.commands {
		text := c.name
		if c.max > 0 {
			text += " "
		}
		items = append(items, Offer{text, c.help})
		for _, alias := range c.aliases {
			if prefix != "" && !strings.HasPrefix(c.name, prefix) {
				items = append(items, Offer{alias + strings.TrimPrefix(text, c.name), c.help})
			}
		}
	}
	if prefix != "" {
		for _, name := range s.requests() {
			if s.callable(name) && find(s.commands, name) == nil && clean(name) {
				items = append(items, Offer{name + " ", s.signature(name)})
			}
		}
	}
	return starting(items, prefix)
}

func (s *Session) flagValues(f *flag) []Offer {
	switch f.name {
	case "proto":
		return offersOf(protocols, " ", "")
	case "n":
		return offersOf([]string{"1000 ", "100000 "}, "", "")
	case "c":
		return offersOf([]string{"1 ", "16 ", "50 "}, "", "")
	case "d", "warmup":
		return offersOf([]string{"3s ", "10s ", "1m "}, "", "")
	case "rate":
		return offersOf([]string{"100 ", "2000 "}, "", "")
	case "max-p99":
		return offersOf([]string{"1ms ", "10ms ", "100ms "}, "", "")
	case "timeout", "slow":
		return offersOf([]string{"50ms ", "1s ", "10s ", "off "}, "", "")
	case "of":
		return offersOf(s.requests(), " ", "")
	case "reply":
		return offersOf(s.replies(), " ", "")
	case "server-time":
		return []Offer{{".costInNanos ", "a field of the reply"}}
	}
	return nil
}

// replies returns the registered reply types.
func (s *Session) replies() []string {
	var names []string
	for name, t := range s.typesNow() {
		if t.isReply(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// references returns what a $ could stand for: the last replies and the fields of the last one.
func (s *Session) references() []Offer {
	items := []Offer{}
	if e, ok := s.journal.LastReply(); ok && !e.Dropped {
		items = append(items, Offer{"$last", glimpse(e.Result, 40)})
		for _, f := range shape.Infer(e.Result).Fields() {
			if f.Name != "" && strings.IndexFunc(f.Name, func(r rune) bool { return r < 0x80 && !pathByte(byte(r)) }) < 0 {
				items = append(items, Offer{"$last." + f.Name, Printable(f.Shape.Brief())})
			}
		}
	}
	for _, e := range slices.Backward(s.journal.Tail(20, 0)) {
		if e.State == OK && !e.Dropped {
			items = append(items, Offer{"$" + strconv.Itoa(e.Number), glimpse(e.Result, 40)})
		}
	}
	return items
}

// completeTypes offers request types. What the server says the command cannot do is left out.
func completeTypes(s *Session, a *args, _ word) []Offer {
	var items []Offer
	for _, name := range s.requests() {
		if k, told := kindOf(s.servicesNow()[name].Pattern); told && !serves(a.command.name, k) {
			continue
		}
		items = append(items, Offer{name + " ", s.signature(name)})
	}
	return items
}

// serves says whether a command can do what a kind of service wants; call becomes all but a cast.
func serves(command string, k Kind) bool {
	switch command {
	case "call":
		return k != KindCast
	case "stream", "upload", "chat":
		return command == k.String()
	case "bench":
		return k == KindCall
	}
	return true
}

// completeCall completes the type and then the payload of a call: a template of the shape, what was sent before, the last reply.
func completeCall(s *Session, a *args, w word) []Offer {
	if len(a.pos) < 2 {
		return completeTypes(s, a, w)
	}
	if len(a.pos) > 2 {
		return nil
	}
	typ := a.word(0).text
	items := s.templates(typ, s.kindOf(typ).gives())
	for _, e := range slices.Backward(s.journal.Tail(200, 0)) {
		if e.Type == typ && e.Payload != nil && len(e.Payload) <= 200 && len(items) < 8 {
			items = append(items, Offer{PrintableJSON(e.Payload), "sent before"})
		}
	}
	if _, ok := s.journal.LastReply(); ok && w.text == "" {
		items = append(items, Offer{"$last", "the last reply"})
	}
	return items
}
