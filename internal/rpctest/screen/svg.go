//go:build unix

package screen

import (
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
)

// Paper is what a picture shows of a terminal where the program says nothing: the colours of its own.
type Paper struct{ Text, Ground, Edge color.RGBA }

// The terminals of pictures.
var (
	Dark  = Paper{Text: color.RGBA{0xd5, 0xdb, 0xe3, 0xff}, Ground: color.RGBA{0x15, 0x19, 0x1f, 0xff}, Edge: color.RGBA{0x39, 0x41, 0x4b, 0xff}}
	Light = Paper{Text: color.RGBA{0x1f, 0x23, 0x28, 0xff}, Ground: color.RGBA{0xff, 0xff, 0xff, 0xff}, Edge: color.RGBA{0xc8, 0xcf, 0xd6, 0xff}}
)

// A cell is 10 by 20 pixels. Nothing has to come with the picture: it takes the first of these fonts that its viewer has.
const (
	cellW, cellH   = 10, 20
	margin, radius = 16, 10
	fonts          = "ui-monospace,'SF Mono','JetBrains Mono','Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono','Noto Sans Mono','Liberation Mono'," +
		"'Noto Sans Mono CJK SC','PingFang SC','Microsoft YaHei',monospace"
)

// Pixels is the size of the picture of a terminal.
func Pixels(size Size) (w, h int) {
	size = size.orDefault()
	return size.Cols*cellW + 2*margin, size.Rows*cellH + 2*margin
}

// SVG is a picture of the screen with that title, for a page that shows it as an image: it runs nothing and loads nothing. Each word stands at its column,
// however wide the viewer's font is, and lines and blocks are drawn, so that they meet.
func (s *Screen) SVG(p Paper, title string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &drawing{paper: p, under: newPaths(), over: newPaths(), lines: newPaths()}
	for y := range s.em.Height() {
		for x := range s.em.Width() {
			if c := s.em.CellAt(x, y); c != nil && c.Width > 0 {
				d.cell(x, y, c, s.cursorLocked(x, y))
			} else if c == nil {
				d.flush()
			}
		}
		d.flush()
	}
	w, h := Pixels(Size{Cols: s.em.Width(), Rows: s.em.Height()})
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", escaped(title))
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%d" height="%d" rx="%d" fill="%s" stroke="%s"/>`+"\n", w-1, h-1, radius, hex(p.Ground), hex(p.Edge))
	fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", margin, margin)
	d.under.write(&b, `fill="%s"`)
	d.over.write(&b, `fill="%s"`)
	d.lines.write(&b, `fill="none" stroke="%s"`)
	fmt.Fprintf(&b, `<g font-family="%s" font-size="16.6">`+"\n%s</g>\n</g>\n</svg>\n", fonts, d.text.String())
	return []byte(b.String())
}

// cursorLocked reports whether the cursor is shown on a cell.
func (s *Screen) cursorLocked(x, y int) bool {
	at := s.em.CursorPosition()
	return s.visible && at.X == x && at.Y == y
}

// drawing is a picture under way. Shapes of one colour are one path, which has no seams where they touch, at any scale.
type drawing struct {
	paper Paper
	under *paths // backgrounds
	over  *paths // block characters, underlines
	lines *paths // box characters
	text  strings.Builder
	run   run
}

// run is text of one look on neighbouring cells, not yet written.
type run struct {
	x, y, cols int
	text       string
	look       string
}

// cell draws a character where nothing is drawn yet.
func (d *drawing) cell(x, y int, c *uv.Cell, cursor bool) {
	fg, bg := d.colours(c.Style)
	if cursor {
		fg, bg = bg, fg
	}
	if bg != d.paper.Ground {
		d.under.rect(hex(bg), float64(x*cellW), float64(y*cellH), float64(c.Width*cellW), cellH)
	}
	if c.Style.Attrs&uv.AttrConceal != 0 {
		d.flush()
		return
	}
	if c.Style.Underline != 0 {
		d.over.rect(hex(fg), float64(x*cellW), float64(y*cellH+17), float64(c.Width*cellW), 1)
	}
	if c.Style.Attrs&uv.AttrStrikethrough != 0 {
		d.over.rect(hex(fg), float64(x*cellW), float64(y*cellH+10), float64(c.Width*cellW), 1)
	}
	r, n := utf8.DecodeRuneInString(c.Content)
	alone := n == len(c.Content)
	switch {
	case alone && d.block(x, y, r, fg, bg), alone && d.box(x, y, r, fg):
		d.flush()
	case c.Content == "" || c.Content == " ":
		d.blank(x, y)
	default:
		d.put(x, y, c, look(fg, c.Style))
	}
}

// colours are those of a cell: its own or the terminal's, swapped and halved as its attributes say.
func (d *drawing) colours(s uv.Style) (fg, bg color.RGBA) {
	fg, bg = d.paper.Text, d.paper.Ground
	if s.Fg != nil {
		fg = color.RGBAModel.Convert(s.Fg).(color.RGBA)
	}
	if s.Bg != nil {
		bg = color.RGBAModel.Convert(s.Bg).(color.RGBA)
	}
	if s.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	if s.Attrs&uv.AttrFaint != 0 {
		fg = mix(fg, bg, 0.5)
	}
	return fg, bg
}

// look is what a run has in common.
func look(fg color.RGBA, s uv.Style) string {
	l := fmt.Sprintf(`fill="%s"`, hex(fg))
	if s.Attrs&uv.AttrBold != 0 {
		l += ` font-weight="bold"`
	}
	if s.Attrs&uv.AttrItalic != 0 {
		l += ` font-style="italic"`
	}
	return l
}

// blank lets a run go on over one blank, and ends it at the second.
func (d *drawing) blank(x, y int) {
	if r := &d.run; r.text != "" && r.y == y && r.x+r.cols == x && !strings.HasSuffix(r.text, " ") {
		r.text += " "
		r.cols++
		return
	}
	d.flush()
}

// put adds a character to its run. One that a monospaced font may lack, or have at another width, stands by itself in the middle of its cells.
func (d *drawing) put(x, y int, c *uv.Cell, look string) {
	if r, _ := utf8.DecodeRuneInString(c.Content); c.Width > 1 || r > 0x24f {
		d.flush()
		fmt.Fprintf(&d.text, `<text x="%d" y="%d" text-anchor="middle" %s>%s</text>`+"\n", x*cellW+c.Width*cellW/2, y*cellH+15, look, escaped(c.Content))
		return
	}
	if r := &d.run; r.text == "" || r.look != look || r.y != y || r.x+r.cols != x {
		d.flush()
		d.run = run{x: x, y: y, look: look}
	}
	d.run.text += c.Content
	d.run.cols++
}

// flush writes the run.
func (d *drawing) flush() {
	r := d.run
	d.run = run{}
	text := strings.TrimSuffix(r.text, " ")
	cols := r.cols - (len(r.text) - len(text))
	if text == "" {
		return
	}
	fmt.Fprintf(&d.text, `<text x="%d" y="%d" textLength="%d" %s>%s</text>`+"\n", r.x*cellW, r.y*cellH+15, cols*cellW, r.look, escaped(text))
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// mix is so much of b, and the rest of a.
func mix(a, b color.RGBA, share float64) color.RGBA {
	m := func(a, b uint8) uint8 { return uint8(float64(a)*(1-share) + float64(b)*share + 0.5) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 0xff}
}

// escaped is text as XML has it; what XML cannot hold becomes U+FFFD.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes all
	return b.String()
}
