package console

import (
	"context"
	"fmt"
)

func watchCommands() []*command {
	return []*command{{
		name: "watch", group: "Journal", args: "[FIELD]",
		help: "keep an eye on a number of a reply",
		long: "FIELD is the type of a reply and a path to a number in it. Its latest 512 values are kept, from now on and from the calls that are still there, with\n" +
			"the smallest, the middle and the largest of them. `watch` lists what is watched, `watch rm FIELD` ends it, `watch rm all` ends all.",
		examples: []string{"watch exp_res.costInNanos", "watch", "watch rm exp_res.costInNanos"},
		max:      2, run: runWatch, check: checkWatch, complete: completeWatch,
	}}
}

// watchJSON is a watched field as -o json prints it.
type watchJSON struct {
	Kind   string   `json:"kind"`
	Field  string   `json:"field"`
	Count  int      `json:"count"`
	Last   *Number  `json:"last,omitempty"`
	Min    *Number  `json:"min,omitempty"`
	Median *Number  `json:"median,omitempty"`
	Max    *Number  `json:"max,omitempty"`
	Values []Number `json:"values"`
}

func runWatch(_ context.Context, s *Session, a *args) (Result, error) {
	field, second := a.word(0), a.word(1)
	switch {
	case field.text == "":
		return s.listWatches(), nil
	case field.text == "rm":
		return s.unwatch(a, second)
	case second.text != "":
		return Result{}, a.fault(ExitUsage, second.at, "watch takes one field", "as in: "+a.command.examples[0])
	}
	for _, w := range s.Watches() {
		if w.Name == Printable(field.text) {
			return Result{Text: w.Name + " is watched already", Notice: true}, nil
		}
	}
	p, err := s.pin(a, field)
	if err != nil {
		return Result{}, err
	}
	text := Printable(p.name) + " is watched"
	if p.count > 0 {
		text += fmt.Sprintf(", with %s so far", countOf(min(p.count, watchKeep), "value"))
	}
	return Result{Text: text, Notice: true}, nil
}

func (s *Session) listWatches() Result {
	list := []watchJSON{}
	t := table{right: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}}
	t.add("field", "n", "last", "min", "median", "max")
	for _, w := range s.Watches() {
		v := watchJSON{Kind: "watch", Field: w.Name, Count: w.Count, Values: []Number{}}
		cells := []string{w.Name, Count(w.Count), "-", "-", "-", "-"}
		for _, sample := range w.Values {
			v.Values = append(v.Values, sample.Value)
		}
		if n := len(w.Values); n > 0 {
			v.Last, v.Min, v.Median, v.Max = &w.Values[n-1].Value, &w.Min, &w.Median, &w.Max
			cells = append(cells[:2], v.Last.String(), v.Min.String(), v.Median.String(), v.Max.String())
		}
		list = append(list, v)
		t.add(cells...)
	}
	if len(list) == 0 {
		return Result{Text: "nothing is watched; as in: watch exp_res.costInNanos", Notice: true, Value: list}
	}
	return Result{Text: t.String(), Value: list}
}

func (s *Session) unwatch(a *args, w word) (Result, error) {
	if w.text == "" {
		return Result{}, a.fault(ExitUsage, w.at, "watch rm needs a field, or all", "`watch` lists what is watched")
	}
	if s.pins.remove(w.text) == 0 && w.text != "all" {
		return Result{}, a.fault(ExitUsage, w.at, fmt.Sprintf("%s is not watched", w.text), "`watch` lists what is")
	}
	return Result{Text: Printable(w.text) + " is no longer watched", Notice: true}, nil
}

func checkWatch(s *Session, a *args, typing bool) Hint {
	w := a.word(0)
	switch {
	case w.text == "" || w.text == "rm":
		return Hint{State: HintGood, Text: a.command.help}
	case a.word(1).text != "":
		return badHint(a.fault(ExitUsage, a.word(1).at, "watch takes one field", ""))
	}
	if _, err := s.parsePin(a, w); err != nil {
		if typing {
			return Hint{Text: a.command.usage()}
		}
		return badHint(err)
	}
	return Hint{State: HintGood, Text: "keep an eye on " + Printable(w.text)}
}

func completeWatch(s *Session, a *args, _ word) []Offer {
	var offers []Offer
	if len(a.pos) > 1 {
		if a.word(0).text == "rm" {
			for _, w := range s.Watches() {
				offers = append(offers, Offer{Text: w.Name})
			}
			offers = append(offers, Offer{Text: "all"})
		}
		return offers
	}
	for _, name := range s.replyTypes() {
		if sh := s.watchable(name); sh != nil {
			for _, path := range numberPaths(sh, "", 50, 3) {
				at, _ := shapeAt(sh, path)
				offers = append(offers, Offer{Text: name + path, Help: at})
			}
		}
	}
	return append(offers, Offer{Text: "rm ", Help: "end a watch"})
}
