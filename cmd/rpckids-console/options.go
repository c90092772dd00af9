package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/rpckids/rpckids/console"
)

// program is one run of the command: where it reads and writes, and what its own flags say. Flags win over the environment.
type program struct {
	in       *os.File
	out, err *os.File
	env      func(string) string

	addr   string
	output string
	theme  string
	proto  string
	secure console.Security
	inside bool // the server is in this program

	history *console.History // nil: kept in memory
	single  bool             // one command, then the end
	lab     console.Lab      // nil: there is none
}

// flags declares the flags of the console itself, which every command has. Declared again, they keep the values they were given.
func (p *program) flags(f *pflag.FlagSet) {
	f.StringVarP(&p.addr, "addr", "a", or(p.addr, or(p.env("RPCKIDS_ADDR"), console.DefaultAddr)), "server to connect to")
	f.StringVarP(&p.output, "output", "o", or(p.output, or(p.env("RPCKIDS_OUTPUT"), "text")), "how results are written: text, json, jsonl or raw")
	f.StringVar(&p.proto, "proto", or(p.proto, or(p.env("RPCKIDS_PROTO"), "auto")), "what connections speak: auto, v1 or v2")
	p.secureFlags(f)
	f.StringVar(&p.theme, "theme", or(p.theme, or(p.env("RPCKIDS_THEME"), "auto")), "colours: "+strings.Join(console.Themes, ", "))
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

// own takes the console's own flags out of words that belong to a command of the session: they may stand before and after the command
// word, and everything else, negative numbers included, is the command's.
func (p *program) own(args []string) (rest []string, err error) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	p.flags(f)
	f.SetOutput(io.Discard)
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			return append(rest, args[i:]...), nil
		}
		name, _, hasValue := strings.Cut(word, "=")
		flag := f.Lookup(strings.TrimPrefix(name, "--"))
		if !strings.HasPrefix(name, "--") {
			flag = nil
			if strings.HasPrefix(name, "-") && len(name) > 1 {
				flag = f.ShorthandLookup(name[1:2])
				hasValue = hasValue || len(name) > 2
			}
		}
		if flag == nil {
			rest = append(rest, word)
			continue
		}
		one := []string{word}
		if !hasValue && flag.NoOptDefVal == "" && i+1 < len(args) {
			i++
			one = append(one, args[i])
		}
		if err := f.Parse(one); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// printer writes results as -o says.
func (p *program) printer() *console.Printer {
	format, _ := console.ParseFormat(p.output) // a wrong name was refused before, and its refusal is printed as text
	out := &console.Printer{Out: p.out, Err: p.err, Format: format, ASCII: p.ascii(), Terminal: isTerminal(p.out)}
	if isTerminal(p.err) && !p.dumb() {
		out.Live = p.size
	}
	return out
}

// size is that of the terminal that errors go to.
func (p *program) size() (columns, rows int) {
	if w, h, err := term.GetSize(int(p.err.Fd())); err == nil && w > 0 && h > 0 {
		return w, h
	}
	return 80, 24
}

func usage(hint, format string, args ...any) error {
	return &console.Error{Exit: console.ExitUsage, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// settings are the start values that flags and the environment give.
func (p *program) settings() (map[string]console.Setting, error) {
	given := map[string]console.Setting{
		"timeout": {Value: p.env("RPCKIDS_TIMEOUT"), Origin: "env"},
		"theme":   {Value: p.theme, Origin: "flag"},
	}
	if p.theme == p.env("RPCKIDS_THEME") {
		given["theme"] = console.Setting{Value: p.theme, Origin: "env"}
	}
	for name, s := range given {
		if s.Value == "" || s.Value == "auto" {
			delete(given, name)
		} else if err := console.CheckSetting(name, s.Value); err != nil {
			return nil, err
		}
	}
	return given, nil
}

// ascii reports whether the locale says that the terminal shows no UTF-8. No locale at all says nothing, and terminals show UTF-8.
func (p *program) ascii() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(p.env(name)); v != "" {
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return false
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// dumb reports whether the terminal understands no escape sequences.
func (p *program) dumb() bool { return p.env("TERM") == "dumb" }
