package theme

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// attr is how a role looks without colour.
type attr int

const (
	plain attr = iota
	bold
	faint
	reverse
	boldReverse
)

// painter makes styles for one terminal.
type painter struct {
	renderer *lipgloss.Renderer
	profile  termenv.Profile
	palette  *palette // nil: attributes only
	plain    bool     // not even those
}

func (p painter) theme() *Theme {
	c := p.palette
	if c == nil {
		c = &palette{}
	}
	return &Theme{
		Text:   p.style(tone{}, false, plain),
		Strong: p.style(tone{}, true, bold),
		Muted:  p.style(c.muted, false, plain),
		Border: p.style(c.border, false, faint),
		Accent: p.style(c.accent, false, bold),
		Focus:  p.style(c.accent, true, bold),
		Title:  p.style(c.accent, true, reverse),
		Fill:   p.style(c.fill, false, plain),
		OK:     p.style(c.ok, false, plain),
		Fail:   p.style(c.fail, false, bold),
		Alarm:  p.style(c.fail, true, bold),
		Warn:   p.style(c.warn, false, bold),
		Second: p.style(c.second, false, plain),
		Queue:  p.style(c.queue, false, bold),
		Client: p.style(c.client, false, plain),
		Chip:   p.chip(),
	}
}

// style makes one role in its three forms: on the background, in a quiet chosen row, in the chosen row of the pane with the keyboard.
func (p painter) style(c tone, strong bool, mono attr) Style {
	if p.plain {
		return Style{}
	}
	s := p.renderer.NewStyle()
	if p.palette == nil {
		s = p.attributes(s, mono)
		return newStyle(s, s, s.Reverse(true))
	}
	if c != (tone{}) {
		s = s.Foreground(c.color())
	}
	s = s.Bold(strong)
	if p.profile == termenv.ANSI {
		row := s.Bold(true)
		return newStyle(s, row, row)
	}
	row := s.Background(p.palette.tint.color())
	if c == (tone{}) { // the terminal's own colour may be none that shows on the tint, when it is not known to be dark or light
		row = row.Foreground(p.palette.onTint.color())
	}
	return newStyle(s, row, row)
}

func (p painter) attributes(s lipgloss.Style, a attr) lipgloss.Style {
	return s.Bold(a == bold || a == boldReverse).Faint(a == faint).Reverse(a == reverse || a == boldReverse)
}

func (p painter) chip() Style {
	if p.palette == nil {
		return p.style(tone{}, true, boldReverse)
	}
	s := p.renderer.NewStyle().Bold(true).Foreground(p.palette.onChip.color()).Background(p.palette.accent.color())
	return newStyle(s, s, s)
}
