package console

import (
	"errors"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// word is one word of a command line. Space inside brackets or a leading JSON string does not end a word, so a payload is one word.
type word struct {
	text string
	at   int  // byte offset in the line
	open bool // a bracket or a string in it has no end
}

func (w word) end() int { return w.at + len(w.text) }

// flag says whether the word is a flag: neither "-" alone nor a negative number, which are payloads.
func (w word) flag() bool {
	return len(w.text) > 1 && w.text[0] == '-' && (w.text[1] < '0' || w.text[1] > '9') && w.text[1] != '.'
}

// input is a command line in words.
type input struct {
	line  string
	words []word
}

// scan splits a line into words. A comment and an empty line have none.
func scan(line string) *input {
	in := &input{line: line}
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return in
	}
	for at := 0; ; {
		for at < len(line) && space(line[at]) {
			at++
		}
		if at == len(line) {
			return in
		}
		w := nextWord(line, at)
		in.words = append(in.words, w)
		at = w.end()
	}
}

// scanArgs takes words that are split already. The line that carets point into is made of them.
func scanArgs(args []string) *input {
	in := &input{}
	for _, a := range args {
		if len(in.words) > 0 {
			in.line += " "
		}
		in.words = append(in.words, word{text: a, at: len(in.line)})
		in.line += a
	}
	return in
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func nextWord(line string, at int) word {
	b := balance{quoted: line[at] == '"'}
	i := at
	if b.quoted {
		i++
	}
	for ; i < len(line); i++ {
		if space(line[i]) && !b.open() {
			return word{text: line[at:i], at: at}
		}
		b.feed(line[i])
	}
	return word{text: line[at:], at: at, open: b.open()}
}

// balance counts what is open in a word: brackets, and a string.
type balance struct {
	depth           int
	quoted, escaped bool
}

func (b *balance) open() bool { return b.quoted || b.depth > 0 }

func (b *balance) feed(c byte) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.quoted && c == '\\':
		b.escaped = true
	case c == '"' && b.open():
		b.quoted = !b.quoted
	case b.quoted:
	case c == '{' || c == '[':
		b.depth++
	case (c == '}' || c == ']') && b.depth > 0:
		b.depth--
	}
}

// Incomplete says whether a line ends inside a payload or a type that is right so far, so that another line continues it. What is wrong already is
// not incomplete: no further line could mend it.
func Incomplete(line string) bool {
	in := scan(line)
	if len(in.words) < 2 || !in.words[len(in.words)-1].open || slices.ContainsFunc(in.words[1:], filterWord) {
		return false
	}
	last := in.words[len(in.words)-1]
	switch c := find(builtin(), in.words[0].text); {
	case c == nil: // a type is a command, too
	case c.name == "rpc":
		return shapeOpen(in)
	case c.group != "Calls":
		return false
	}
	x, err := expand(last.text, anyReference)
	if err != nil {
		return false
	}
	m := shape.Syntax(append(x.text, '\n')) // a string that is open has no end: none goes on over a line
	return m != nil && m.End
}

// shapeOpen says whether the shape of an rpc line, from its third word on, is right so far.
func shapeOpen(in *input) bool {
	if len(in.words) < 3 || in.words[1].flag() || in.words[2].flag() {
		return true // it does not stand where it is looked for
	}
	expr := strings.TrimSpace(in.line[in.words[2].at:])
	_, err := shape.Parse(expr)
	p, bad := errors.AsType[*shape.ParseError](err)
	return bad && p.At >= len(expr)
}
