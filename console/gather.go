package console

import "strings"

// Gather says how many of the lines make one command, together with what stands before the first: lines of JSON that is not finished go on, as
// Incomplete says of them joined by spaces. whole is false when the lines end before the command does.
func Gather(before string, lines []string) (n int, whole bool) {
	g := gathering{open: Incomplete, before: before, between: " "}
	for _, line := range lines {
		if n, whole := g.add(line); whole {
			return n, true
		}
	}
	return g.rest()
}

// gathering finds where a text that comes line by line is whole, or wrong, so that no further line could mend it. It takes time in step with the text:
// brackets are followed byte by byte, and open is only asked at lengths that double, and where a line closes something.
type gathering struct {
	open    func(text string) bool // whether another line goes on with that text
	before  string                 // what stands before the first line
	between string                 // lines

	lines       []string
	balance     balance
	size, asked int
	right       int // so many lines are known to be open
}

// add takes the next line. whole says that the text is the first n lines; those behind belong to the next one.
func (g *gathering) add(line string) (n int, whole bool) {
	text := line
	if len(g.lines) == 0 {
		text = g.before + line
	} else {
		text = g.between + line
	}
	g.lines = append(g.lines, line)
	g.size += len(text)
	if g.follow(text) && !g.balance.quoted && g.size < 2*g.asked { // a string that is open has no end: none goes on over a line
		return 0, false
	}
	return g.ask()
}

// rest is the end of the text, where it may not have been asked about yet.
func (g *gathering) rest() (n int, whole bool) {
	if g.right < len(g.lines) {
		return g.ask()
	}
	return len(g.lines), false
}

func (g *gathering) ask() (n int, whole bool) {
	g.asked = g.size
	for _, to := range []int{len(g.lines) - 1, len(g.lines)} { // what was wrong before this line may look right with it
		if to > g.right && !g.goesOn(to) {
			return g.end(to), true
		}
		g.right = to
	}
	return len(g.lines), false
}

// follow reports whether something was open all the time.
func (g *gathering) follow(text string) bool {
	all := g.balance.open()
	for i := range len(text) {
		g.balance.feed(text[i])
		all = all && g.balance.open()
	}
	return all
}

func (g *gathering) goesOn(lines int) bool { return g.open(g.before + g.text(lines)) }

func (g *gathering) text(lines int) string { return strings.Join(g.lines[:lines], g.between) }

// end returns the first number of lines that do not go on; so many do not.
func (g *gathering) end(wrong int) int {
	for g.right+1 < wrong {
		if middle := (g.right + wrong) / 2; g.goesOn(middle) {
			g.right = middle
		} else {
			wrong = middle
		}
	}
	return wrong
}
