package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/shape"
)

// command is a row of the command table. Running, help, completion, the live hint and docs/COMMANDS.md all come from it.
type command struct {
	name     string
	aliases  []string
	group    string
	args     string // "TYPE [PAYLOAD]"
	help     string // one line, starts with a small letter
	long     string // paragraphs that help shows below, may be empty
	examples []string
	flags    []flag
	min, max int  // number of positional words
	rest     bool // the last positional takes all words up to the next flag
	pipe     bool // the line may end in a filter
	raw      bool // all that follows the name is one word of jq

	run      func(ctx context.Context, s *Session, a *args) (Result, error)
	check    func(s *Session, a *args, typing bool) Hint // nil: the help line. typing: the last word may go on
	complete func(s *Session, a *args, w word) []Offer   // for the positional word w, which stands at a.pos[len(a.pos)-1]; nil: nothing
}

// flag is a --name of a command.
type flag struct {
	name  string
	value string // what it takes, as "D"; "" when it takes nothing
	help  string
}

// dashed is the flag as it is typed.
func (f flag) dashed() string {
	if len(f.name) == 1 {
		return "-" + f.name
	}
	return "--" + f.name
}

func (f flag) usage() string { return strings.TrimSpace(f.dashed() + " " + f.value) }

func (c *command) usage() string {
	parts := []string{c.name}
	if c.args != "" {
		parts = append(parts, c.args)
	}
	for _, f := range c.flags {
		parts = append(parts, "["+f.usage()+"]")
	}
	return strings.Join(parts, " ")
}

func (c *command) flag(name string) *flag {
	if i := slices.IndexFunc(c.flags, func(f flag) bool { return f.name == name }); i >= 0 {
		return &c.flags[i]
	}
	return nil
}

// builtin is the whole table, in the order of help.
func builtin() []*command {
	return slices.Concat(linkCommands(), peerCommands(), topCommands(), callCommands(), streamCommands(), benchCommands(), typeCommands(), serviceCommands(), journalCommands(), diffCommands(), wireCommands(), watchCommands(), expectCommands(), copyCommands(), exportCommands(), consoleCommands())
}

// find returns the command of that name or alias, nil if there is none.
func find(commands []*command, name string) *command {
	for _, c := range commands {
		if c.name == name || slices.Contains(c.aliases, name) {
			return c
		}
	}
	return nil
}

// args is a command line bound to its command.
type args struct {
	command *command
	line    string
	pos     []word
	flags   map[string]word // by name; the word is the value, or the flag itself if it takes none
	talk    Talk            // of the face that runs the line
	filter  *word           // the jq at its end, nil for none
}

// word returns positional i, an empty word at the end of the line if it was not given.
func (a *args) word(i int) word {
	if i < len(a.pos) {
		return a.pos[i]
	}
	return word{at: len(a.line)}
}

func (a *args) has(flag string) bool { _, ok := a.flags[flag]; return ok }

// misuse is an error of bind: what is wrong with the words of a line. The words bound so far are kept for hints and completion.
type misuse struct {
	kind misuseKind
	err  *Error
}

func (m *misuse) Error() string { return m.err.Message }

func (m *misuse) Unwrap() error { return m.err }

type misuseKind int

const (
	noCommand misuseKind = iota
	noFlag
	noValue // a flag without its value
	tooFew
	tooMany
)

// bind finds the command of a line and sorts its words into positionals and flags. On error the args hold what was understood; the error is a *misuse.
func (s *Session) bind(in *input) (*args, error) {
	a := &args{line: in.line, flags: map[string]word{}}
	words := in.words
	first := words[0]
	switch a.command = find(s.commands, first.text); {
	case a.command != nil:
		words = words[1:]
	case strings.HasPrefix(first.text, "!"):
		a.command = find(s.commands, "rerun")
		words = append([]word{{text: first.text[1:], at: first.at + 1}}, words[1:]...)
		if words[0].text == "!" {
			words[0].text = "last"
		}
	case s.callable(first.text): // a registered type is a short form of its call
		a.command = find(s.commands, "call")
	default:
		return a, s.unknown(a, first)
	}
	words, err := a.cut(words)
	if err != nil {
		return a, err
	}
	if err := a.sort(words); err != nil {
		return a, err
	}
	return a, a.count()
}

func (s *Session) unknown(a *args, w word) error {
	m := a.misuse(noCommand, w.at, fmt.Sprintf("no command %q", w.text), "`help` lists the commands")
	if first, _ := utf8.DecodeRuneInString(w.text); typable(w.text) && unicode.IsLetter(first) {
		m.err.Hint += "; a service is called so: call " + shorten(w.text, 40)
	}
	var names []string
	for _, c := range s.commands {
		names = append(append(names, c.name), c.aliases...)
	}
	for name := range s.typesNow() {
		if s.callable(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	near := shape.Nearest(w.text, names)
	if c := find(s.commands, near); c != nil {
		m.err.Hint = "nearest is " + near
		if len(c.examples) > 0 {
			m.err.Hint += ", as in: " + c.examples[0]
		}
	} else if near != "" {
		m.err.Hint = "nearest is the type " + near
	}
	return m
}

func (a *args) misuse(kind misuseKind, at int, message, hint string) *misuse {
	return &misuse{kind, a.fault(ExitUsage, at, message, hint)}
}

// sort fills pos and flags.
func (a *args) sort(words []word) error {
	plain := a.command.raw // after --, all words are positional
	split := false         // a flag stood between
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w.text == "--" && !plain:
			plain = true
		case w.flag() && !plain:
			taken, err := a.takeFlag(words[i:])
			if err != nil {
				return err
			}
			i, split = i+taken, true
		case a.command.rest && len(a.pos) == a.command.max && !split:
			last := &a.pos[len(a.pos)-1]
			last.text, last.open = a.line[last.at:w.end()], w.open
		case len(a.pos) == a.command.max:
			return a.misuse(tooMany, w.at, fmt.Sprintf("%s takes no more words", a.command.name), "usage: "+a.command.usage())
		default:
			a.pos, split = append(a.pos, w), false
		}
	}
	return nil
}

// takeFlag reads the flag words[0] and says how many further words it took.
func (a *args) takeFlag(words []word) (taken int, err error) {
	w := words[0]
	name, value, given := strings.Cut(strings.TrimLeft(w.text, "-"), "=")
	f := a.command.flag(name)
	switch {
	case f == nil:
		m := a.misuse(noFlag, w.at, fmt.Sprintf("%s has no flag %s", a.command.name, w.text[:len(w.text)-len(value)]), a.command.flagHint(name))
		return 0, m
	case f.value == "" && given:
		return 0, a.misuse(noFlag, w.at, f.dashed()+" takes no value", "usage: "+a.command.usage())
	case f.value == "":
		a.flags[name] = w
	case given:
		a.flags[name] = word{text: value, at: w.end() - len(value)}
	case len(words) < 2:
		return 0, a.misuse(noValue, len(a.line), f.dashed()+" needs a value", f.usage()+"  "+f.help)
	default:
		a.flags[name] = words[1]
		return 1, nil
	}
	return 0, nil
}

func (c *command) flagHint(typed string) string {
	if len(c.flags) == 0 {
		return c.name + " has no flags; a word that starts with - goes after --"
	}
	var names, dashed []string
	for _, f := range c.flags {
		names, dashed = append(names, f.name), append(dashed, f.dashed())
	}
	if near := shape.Nearest(typed, names); near != "" {
		return "nearest is " + c.flag(near).dashed()
	}
	return "its flags are " + strings.Join(dashed, ", ")
}

func (a *args) count() error {
	if len(a.pos) >= a.command.min {
		return nil
	}
	hint := "usage: " + a.command.usage()
	if len(a.command.examples) > 0 {
		hint = "as in: " + a.command.examples[0]
	}
	missing := strings.Fields(a.command.args)[len(a.pos):]
	missing = missing[max(slices.IndexFunc(missing, func(w string) bool { return w[0] != '[' }), 0):]
	return a.misuse(tooFew, len(a.line), fmt.Sprintf("%s needs %s", a.command.name, missing[0]), hint)
}
