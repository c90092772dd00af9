package repl

import (
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// place is a cell of the screen, counted from the first cell of the prompt.
type place struct{ row, col int }

// advance returns the place after a piece of text of that many cells, and where the piece itself starts: a wide character
// that does not fit at the right edge goes to the next row.
func (p place) advance(cells, width int) (start, end place) {
	if p.col+cells > width {
		p = place{p.row + 1, 0}
	}
	return p, place{p.row, p.col + cells}
}

// settle moves a place beyond the right edge to the start of the next row.
func (p place) settle(width int) place {
	if p.col >= width {
		return place{p.row + 1, 0}
	}
	return p
}

// flow lays out a prompt and a line in rows of width cells. It returns where the caret is, before the character at pos, and where
// the text ends; end.col is width when the last row is full. Pieces are grapheme clusters, as the terminal draws them; a caret
// within one stands before it.
func flow(prompt, line string, pos, width int) (caret, end place) {
	for len(prompt) > 0 {
		piece, cells := ansi.FirstGraphemeCluster(prompt, ansi.GraphemeWidth)
		_, end = end.advance(cells, width)
		prompt = prompt[len(piece):]
	}
	found := false
	for at := 0; len(line) > 0; {
		piece, cells := cluster(line)
		start, next := end.advance(cells, width)
		at += len([]rune(piece))
		if at > pos && !found {
			caret, found = start, true
		}
		end, line = next, line[len(piece):]
	}
	if !found {
		caret = end.settle(width)
	}
	return caret, end
}

// cluster returns the first grapheme cluster of a line and its width as [visible] shows it.
func cluster(line string) (piece string, cells int) {
	piece, cells = ansi.FirstGraphemeCluster(line, ansi.GraphemeWidth)
	if shown := console.Printable(piece); shown != piece {
		cells = ansi.StringWidth(shown)
	}
	return piece, cells
}

// visible is what the terminal gets for a line: characters that could harm it are shown as escapes.
func visible(line string) string { return console.Printable(line) }

func runeCells(r rune) int { return ansi.StringWidth(visible(string(r))) }

// window returns the part of a line around pos that fits in the given cells, with … where something is cut, and pos in it.
func window(line []rune, pos, cells int) ([]rune, int) {
	if ansi.StringWidth(visible(string(line))) <= cells {
		return line, pos
	}
	from, used := pos, 2 // two cells for …
	for from > 0 && used < cells/2 {
		from--
		used += runeCells(line[from])
	}
	to := pos
	for to < len(line) && used+runeCells(line[to]) <= cells {
		used += runeCells(line[to])
		to++
	}
	shown := make([]rune, 0, to-from+2)
	if from > 0 {
		shown = append(shown, '…')
	}
	shown = append(shown, line[from:to]...)
	at := pos - from + min(from, 1)
	if to < len(line) {
		shown = append(shown, '…')
	}
	return shown, at
}
