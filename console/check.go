package console

import "strings"

// HintState says how far a line being typed is right.
type HintState int

const (
	HintNone HintState = iota // not complete yet, but nothing is wrong so far
	HintGood                  // it would run
	HintBad                   // it would be refused, and Hint.At says where
)

// Hint is the judgement of a line while it is typed. The zero value has nothing to say.
type Hint struct {
	State HintState
	At    int    // for HintBad: byte offset in the line of the first wrong byte
	Text  string // what it will do, as `exp {base:int, exp:int} → exp_res {value, costInNanos}`, or what is wrong, as `needs "exp" (int), missing`; safe for a terminal
}

// maxChecked is the longest line that is judged at each key: beyond it a face would feel slow.
const maxChecked = 64 << 10

// maxExpanded is the same for a payload with its references replaced, which has no more to be typed.
const maxExpanded = 1 << 20

// Check judges a line while it is typed. It does no input or output and changes nothing, so a face may call it at each key.
func (s *Session) Check(line string) Hint {
	if len(line) > maxChecked {
		return Hint{}
	}
	in := scan(line)
	if len(in.words) == 0 {
		return Hint{}
	}
	last := in.words[len(in.words)-1]
	typing := last.end() == len(line)
	a, err := s.bind(in)
	if err != nil {
		return s.checkMisuse(in, a, err.(*misuse), last, typing)
	}
	if h, ok := s.checkFilter(a, typing); ok {
		return h
	}
	if a.command.check != nil {
		h := a.command.check(s, a, typing)
		h.At = min(max(h.At, 0), len(line))
		return h
	}
	return Hint{State: HintGood, Text: a.command.help}
}

// checkMisuse judges a line that does not bind: it may still be on its way to one that does.
func (s *Session) checkMisuse(in *input, a *args, m *misuse, last word, typing bool) Hint {
	switch m.kind {
	case noCommand:
		if len(in.words) == 1 && typing {
			if found := s.commandsLike(last.text); len(found) > 0 {
				return Hint{Text: strings.Join(found, "  ")}
			}
		}
	case noFlag:
		name := strings.TrimLeft(last.text, "-")
		for _, f := range a.command.flags {
			if typing && last.at == m.err.At && strings.HasPrefix(f.name, name) {
				return Hint{Text: f.usage() + "  " + f.help}
			}
		}
	case noValue, tooFew:
		return Hint{Text: a.command.usage()}
	}
	return badHint(m.err)
}

// commandsLike returns the first words that start so: one with its help, several as names.
func (s *Session) commandsLike(prefix string) []string {
	items := s.firstWords(prefix)
	if len(items) == 1 {
		return []string{strings.TrimSpace(items[0].Text) + ": " + items[0].Help}
	}
	var names []string
	for _, i := range items {
		names = append(names, strings.TrimSpace(i.Text))
	}
	return names
}
