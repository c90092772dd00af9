package theme

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// Row says what a text stands on.
type Row int

const (
	Ground Row = iota // the terminal's own background
	Quiet             // the chosen row of a list without the keyboard
	Chosen            // the chosen row of the list with the keyboard
	rows
)

// Style turns text into coloured text. It is made once and only joins strings, because a frame has hundreds of pieces. Its zero value
// leaves text as it is.
type Style struct{ on, off [rows]string }

// newStyle keeps the escape sequences that lipgloss writes around a text, one pair for each ground.
func newStyle(ground, quiet, chosen lipgloss.Style) Style {
	var s Style
	for i, l := range []lipgloss.Style{ground, quiet, chosen} {
		s.on[i], s.off[i], _ = strings.Cut(l.Render("x"), "x")
	}
	return s
}

// Append appends the styled text to b. The text must be printable and on one line.
func (s *Style) Append(b []byte, text string, row Row) []byte {
	if text == "" {
		return b
	}
	b = append(b, s.on[row]...)
	b = append(b, text...)
	return append(b, s.off[row]...)
}

// Render returns the styled text on the terminal's own background.
func (s *Style) Render(text string) string { return string(s.Append(nil, text, Ground)) }
