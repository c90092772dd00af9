package repl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

// drawing is a screen whose terminal is an emulator.
type drawing struct {
	*screen
	em         *vt.Emulator
	cols, rows int
}

func newDrawing(cols, rows int) *drawing {
	d := &drawing{em: vt.NewEmulator(cols, rows), cols: cols, rows: rows}
	d.screen = newScreen(d.em, func() (int, int) { return d.cols, d.rows }, nil)
	return d
}

// show does what readline does for a line that changed.
func (d *drawing) show(line string, pos int) {
	fmt.Fprint(d.screen, "\x1b[J\x1b[2K\r\x1b[A\x1b[2K\r") // with a wrong count of rows, as for wide characters
	d.Paint([]rune(line), pos)
	fmt.Fprint(d.screen, "what readline would draw")
}

// text is what the terminal shows, without blank rows at its end.
func (d *drawing) text() string {
	rows := strings.Split(d.em.String(), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " \r")
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

func TestDrawing(t *testing.T) {
	d := newDrawing(10, 8)
	fmt.Fprint(d.screen, "output\r\n")
	d.SetPrompt("> ")
	check := func(want string, x, y int) {
		t.Helper()
		if got := d.text(); got != want {
			t.Errorf("the screen shows %q, want %q", got, want)
		}
		if p := d.em.CursorPosition(); p.X != x || p.Y != y {
			t.Errorf("the cursor is at %d, %d, want %d, %d", p.X, p.Y, x, y)
		}
	}
	d.show("", 0)
	check("output\n>", 2, 1)
	d.show("12345678", 8) // exactly one row
	check("output\n> 12345678", 0, 2)
	d.show("12345678二的", 9)
	check("output\n> 12345678\n二的", 2, 2)
	d.show("12345678二的", 0)
	check("output\n> 12345678\n二的", 2, 1)
	d.SetFooter("one", "two is too long for a row")
	d.show("12", 1)
	check("output\n> 12\none\ntwo is t…", 3, 1)
	d.SetFooter("a", "b", "c", "d", "e", "f", "g", "h")
	d.show("12", 1)
	check("output\n> 12\na\nb\nc\nd\ne\nand 3 mo…", 3, 1)
	d.SetFooter()
	fmt.Fprint(d.screen, "\x1b[J\x1b[2K\r") // a notice: readline cleans, writes it, draws again
	fmt.Fprint(d.screen, "notice\r\n")
	d.show("12", 2)
	check("output\nnotice\n> 12", 4, 2)
	d.show("12\n", 3)
	check("output\nnotice\n> 12", 0, 3)
	d.show("next", 0)
	check("output\nnotice\n> 12\n> next", 2, 3)
	fmt.Fprint(d.screen, "\x1b[J\x1b[2K\r")
	d.Finish()
	check("output\nnotice\n> 12", 0, 3)
}

func TestDrawingAfterResize(t *testing.T) {
	d := newDrawing(20, 6)
	d.SetPrompt("> ")
	fmt.Fprint(d.screen, "output\r\n")
	d.show("0123456789", 10)
	// The terminal becomes half as wide and breaks the line in two, as terminals do that keep their text.
	d.em.Resize(10, 6)
	fmt.Fprint(d.em, "\r\n89")
	d.cols = 10
	d.show("0123456789x", 11)
	if got, want := d.text(), "output\n> 01234567\n89x"; got != want {
		t.Errorf("the screen shows %q, want %q", got, want)
	}
}

// TestDrawingEdits edits at random places and compares the terminal with a fresh drawing of the same line.
func TestDrawingEdits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		cols, rows := 8+rng.IntN(30), 4+rng.IntN(10)
		d := newDrawing(cols, rows)
		d.SetPrompt("> ")
		var line []rune
		pos := 0
		for range 40 {
			switch rng.IntN(5) {
			case 0:
				pos = rng.IntN(len(line) + 1)
			case 1:
				line, pos = deleteAt(line, pos)
			case 2:
				d.SetFooter(strings.Repeat("f", rng.IntN(40)))
			default:
				line = append(line[:pos:pos], append([]rune{rune('a' + rng.IntN(26))}, line[pos:]...)...)
				pos++
			}
			d.show(string(line), pos)
			fresh := newDrawing(cols, rows)
			fresh.SetPrompt("> ")
			fresh.SetFooter(d.footer...)
			fresh.show(string(line), pos)
			if got, want := d.text(), fresh.text(); got != want {
				t.Fatalf("%dx%d, %q, caret %d: the screen shows\n%s\nwant\n%s", cols, rows, string(line), pos, got, want)
			}
			if got, want := d.em.CursorPosition(), fresh.em.CursorPosition(); got != want {
				t.Fatalf("%dx%d, %q, caret %d: the cursor is at %v, want %v", cols, rows, string(line), pos, got, want)
			}
		}
	}
}
