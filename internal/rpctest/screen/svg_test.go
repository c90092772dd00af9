//go:build unix

package screen

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

// pictureOf is a picture of what a terminal of 20x4 shows of output.
func pictureOf(t *testing.T, p Paper, output string) string {
	t.Helper()
	s := &Screen{t: t, em: vt.NewEmulator(20, 4)}
	if _, err := s.em.Write([]byte(output)); err != nil {
		t.Fatal(err)
	}
	svg := s.SVG(p, "a <picture>")
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return string(svg)
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestSVG(t *testing.T) {
	for _, tt := range []struct{ name, output, want string }{
		{"size", "", `width="232" height="112" viewBox="0 0 232 112"`},
		{"title", "", `<title>a &lt;picture&gt;</title>`},
		{"text at its column, as wide as its cells", "\x1b[2;3Hone two", `<text x="20" y="35" textLength="70" fill="#d5dbe3">one two</text>`},
		{"two blanks part words", "one  two", `<text x="50" y="15" textLength="30" fill="#d5dbe3">two</text>`},
		{"escapes", "<a&b>", `textLength="50" fill="#d5dbe3">&lt;a&amp;b&gt;</text>`},
		{"a wide character is alone on two cells", "a二b", `<text x="20" y="15" text-anchor="middle" fill="#d5dbe3">二</text>`},
		{"what follows it", "a二b", `<text x="30" y="15" textLength="10" fill="#d5dbe3">b</text>`},
		{"a mark is alone", "✓ ok", `<text x="5" y="15" text-anchor="middle" fill="#d5dbe3">✓</text>`},
		{"colour", "\x1b[38;2;1;2;3mx", `fill="#010203">x</text>`},
		{"bold and italic", "\x1b[1;3mx", `fill="#d5dbe3" font-weight="bold" font-style="italic">x</text>`},
		{"faint is half way to the ground", "\x1b[2;38;2;0;0;0;48;2;100;100;100mx", `fill="#323232">x</text>`},
		{"background", "\x1b[48;2;1;2;3m  \x1b[m ", `<path fill="#010203" d="M0 0h20v20h-20z"/>`},
		{"reverse", "\x1b[7mx", `<path fill="#d5dbe3" d="M0 0h10v20h-10z"/>`},
		{"reverse text", "\x1b[7mx", `fill="#15191f">x</text>`},
		{"underline", "\x1b[4mx", `<path fill="#d5dbe3" d="M0 17h10v1h-10z"/>`},
		{"lines are one path", "╭─╮", `<path fill="none" stroke="#d5dbe3" d="M4.5 20V14.5Q4.5 10.5 8.5 10.5H10M10 10.5H20M24.5 20V14.5Q24.5 10.5 20.5 10.5H20"/>`},
		{"crossing", "┼", `d="M0 10.5H10M4.5 0V20"/>`},
		{"blocks are one rectangle", "███", `<path fill="#d5dbe3" d="M0 0h30v20h-30z"/>`},
		{"an eighth from below", "▁", `d="M0 17.5h10v2.5h-10z"/>`},
		{"three eighths from the left", "▍", `d="M0 0h3.75v20h-3.75z"/>`},
		{"a shade", "\x1b[38;2;200;200;200;48;2;100;100;100m▒", `<path fill="#969696" d="M0 0h10v20h-10z"/>`},
		{"quarters", "▚", `d="M0 0h5v10h-5zM5 10h5v10h-5z"/>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := pictureOf(t, Dark, tt.output); !strings.Contains(got, tt.want) {
				t.Errorf("got\n%s\nwant in it\n%s", got, tt.want)
			}
		})
	}
	if got := pictureOf(t, Light, "x"); !strings.Contains(got, `fill="#ffffff" stroke=`) || !strings.Contains(got, `fill="#1f2328">x`) {
		t.Errorf("light is\n%s", got)
	}
	if got := pictureOf(t, Dark, "\x1b[8msecret"); strings.Contains(got, "secret") {
		t.Errorf("what is concealed shows:\n%s", got)
	}
}

func TestSVGOfEveryShape(t *testing.T) {
	for r := '▀'; r <= '▟'; r++ {
		if got := pictureOf(t, Dark, string(r)); strings.Contains(got, "<text") {
			t.Errorf("%c (%U) is text", r, r)
		}
	}
	for r := range boxes {
		if got := pictureOf(t, Dark, string(r)); strings.Contains(got, "<text") {
			t.Errorf("%c is text", r)
		}
	}
}

func TestSVGShowsTheCursor(t *testing.T) {
	s := &Screen{t: t, em: vt.NewEmulator(20, 4), visible: true}
	fmt.Fprint(s.em, "ab\x1b[1;2H")
	got := string(s.SVG(Dark, ""))
	if !strings.Contains(got, `<path fill="#d5dbe3" d="M10 0h10v20h-10z"/>`) || !strings.Contains(got, `<text x="10" y="15" textLength="10" fill="#15191f">b</text>`) {
		t.Errorf("got\n%s", got)
	}
}
