package console

import "strings"

// Gather says how many of the lines make one command, together with what stands before the first: lines of JSON that is not finished go on, as
// Incomplete says of them joined by spaces. whole is false when the lines end before the command does. It takes time in step with the text: whether
// something is open is followed byte by byte, and whether it is still right is only asked at lengths that double, and where a line closes something.
func Gather(before string, lines []string) (n int, whole bool) {
	g := gathering{before: before, lines: lines}
	g.follow(before)
	size, asked := len(before), 0
	for k, line := range lines {
		if k > 0 {
			line = " " + line
		}
		size += len(line)
		if g.follow(line) && !g.open.quoted && size < 2*asked && k+1 < len(lines) { // a string that is open has no end: none goes on over a line
			continue
		}
		asked = size
		for _, to := range []int{k, k + 1} { // what was wrong before this line may look right with it
			if to > g.right && !g.goesOn(to) {
				return g.end(to), true
			}
			g.right = to
		}
	}
	return len(lines), false
}

type gathering struct {
	before string
	lines  []string
	open   balance
	right  int // so many lines are known to be unfinished and not wrong
}

// follow reports whether something was open all the time.
func (g *gathering) follow(text string) bool {
	all := g.open.open()
	for i := range len(text) {
		g.open.feed(text[i])
		all = all && g.open.open()
	}
	return all
}

func (g *gathering) goesOn(lines int) bool {
	return Incomplete(g.before + strings.Join(g.lines[:lines], " "))
}

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
