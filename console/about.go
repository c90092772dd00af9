package console

import "slices"

// About is what a face tells of a command before it is typed.
type About struct {
	Name, Args, Group string
	Aliases           []string
	Help              string // one line, starts with a small letter
	Example           string // a line that works, "" for none
	Alone             bool   // the name alone is a whole line
}

// Commands lists all commands in the order of help.
func (s *Session) Commands() []About {
	list := make([]About, len(s.commands))
	for i, c := range s.commands {
		list[i] = About{Name: c.name, Args: c.args, Group: c.group, Aliases: slices.Clone(c.aliases), Help: c.help, Alone: c.min == 0}
		if len(c.examples) > 0 {
			list[i].Example = c.examples[0]
		}
	}
	return list
}
