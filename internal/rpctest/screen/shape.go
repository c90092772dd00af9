//go:build unix

package screen

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"
)

// arms says where a box character has lines: from the middle of its cell up, right, down and left.
type arms struct{ up, right, down, left bool }

// boxes are the light lines of box drawing. The round corners are the square ones, drawn round.
var boxes = map[rune]arms{
	'─': {right: true, left: true}, '│': {up: true, down: true},
	'┌': {right: true, down: true}, '┐': {down: true, left: true}, '└': {up: true, right: true}, '┘': {up: true, left: true},
	'├': {up: true, right: true, down: true}, '┤': {up: true, down: true, left: true},
	'┬': {right: true, down: true, left: true}, '┴': {up: true, right: true, left: true}, '┼': {true, true, true, true},
	'╴': {left: true}, '╵': {up: true}, '╶': {right: true}, '╷': {down: true},
}

// round are the ends of the quarter circle of a round corner, as steps from the middle of the cell.
var round = map[rune]struct{ x, y float64 }{'╭': {1, 1}, '╮': {-1, 1}, '╯': {-1, -1}, '╰': {1, -1}}

// box draws a box character and reports whether it is one. Lines run along whole pixels: half a pixel beside the middle.
func (d *drawing) box(x, y int, r rune, fg color.RGBA) bool {
	left, top := float64(x*cellW), float64(y*cellH)
	midX, midY := left+cellW/2-0.5, top+cellH/2+0.5
	if to, ok := round[r]; ok {
		endX, endY := left, top
		if to.x > 0 {
			endX += cellW
		}
		if to.y > 0 {
			endY += cellH
		}
		const bend = 4
		d.lines.add(hex(fg), fmt.Sprintf("M%s %sV%sQ%s %s %s %sH%s", n(midX), n(endY), n(midY+to.y*bend), n(midX), n(midY), n(midX+to.x*bend), n(midY), n(endX)))
		return true
	}
	a, ok := boxes[r]
	if !ok {
		return false
	}
	if a.left || a.right {
		from, to := midX-0.5, midX+0.5
		if a.left {
			from = left
		}
		if a.right {
			to = left + cellW
		}
		d.lines.add(hex(fg), fmt.Sprintf("M%s %sH%s", n(from), n(midY), n(to)))
	}
	if a.up || a.down {
		from, to := midY-0.5, midY+0.5
		if a.up {
			from = top
		}
		if a.down {
			to = top + cellH
		}
		d.lines.add(hex(fg), fmt.Sprintf("M%s %sV%s", n(midX), n(from), n(to)))
	}
	return true
}

// quadrants has the quarters of U+2596 to U+259F: 1 upper left, 2 upper right, 4 lower left, 8 lower right.
var quadrants = [...]int{4, 8, 1, 13, 9, 7, 11, 2, 6, 14}

// block draws a block character (U+2580 to U+259F) and reports whether it is one.
func (d *drawing) block(x, y int, r rune, fg, bg color.RGBA) bool {
	fill := hex(fg)
	part := func(left, top, w, h float64) bool { // shares of the cell
		d.over.rect(fill, (float64(x)+left)*cellW, (float64(y)+top)*cellH, w*cellW, h*cellH)
		return true
	}
	switch {
	case r == '▀':
		return part(0, 0, 1, 0.5)
	case r >= '▁' && r <= '█': // from below, in eighths
		h := float64(r-'▁'+1) / 8
		return part(0, 1-h, 1, h)
	case r >= '▉' && r <= '▏': // from the left, in eighths
		return part(0, 0, float64('▏'-r+1)/8, 1)
	case r == '▐':
		return part(0.5, 0, 0.5, 1)
	case r >= '░' && r <= '▓':
		fill = hex(mix(bg, fg, float64(r-'░'+1)/4))
		return part(0, 0, 1, 1)
	case r == '▔':
		return part(0, 0, 1, 0.125)
	case r == '▕':
		return part(0.875, 0, 0.125, 1)
	case r >= '▖' && r <= '▟':
		for i := range 4 {
			if quadrants[r-'▖']>>i&1 == 1 {
				part(float64(i%2)/2, float64(i/2)/2, 0.5, 0.5)
			}
		}
		return true
	case r == '■': // in a legend it stands for a block
		return part(0.1, 0.3, 0.8, 0.4)
	}
	return false
}

// paths are shapes by colour, in the order in which the colours came. Among shapes of one kind that order is nothing to see: they lie beside each other.
type paths struct {
	order  []string
	shapes map[string]*shapes
}

// shapes are those of one colour. The last rectangle waits for a neighbour that makes it longer.
type shapes struct {
	d          strings.Builder
	x, y, w, h float64
}

func newPaths() *paths { return &paths{shapes: map[string]*shapes{}} }

func (p *paths) of(colour string) *shapes {
	s := p.shapes[colour]
	if s == nil {
		s = &shapes{}
		p.shapes[colour], p.order = s, append(p.order, colour)
	}
	return s
}

func (p *paths) add(colour, d string) { p.of(colour).d.WriteString(d) }

func (p *paths) rect(colour string, x, y, w, h float64) {
	s := p.of(colour)
	if s.x+s.w == x && s.y == y && s.h == h {
		s.w += w
		return
	}
	s.flush()
	s.x, s.y, s.w, s.h = x, y, w, h
}

func (s *shapes) flush() {
	if s.w > 0 {
		fmt.Fprintf(&s.d, "M%s %sh%sv%sh%sz", n(s.x), n(s.y), n(s.w), n(s.h), n(-s.w))
	}
	s.w = 0
}

// write ends the paths. paint says how one is painted in its colour.
func (p *paths) write(b *strings.Builder, paint string) {
	for _, colour := range p.order {
		s := p.of(colour)
		s.flush()
		fmt.Fprintf(b, `<path `+paint+` d="%s"/>`+"\n", colour, s.d.String())
	}
}

// n is a number as short as it is exact.
func n(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
