package theme

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// shade is a colour for each kind of terminal, on a dark and on a light background.
type shade struct{ dark, light lipgloss.CompleteColor }

func tones(dark, light [3]string) shade {
	return shade{
		dark:  lipgloss.CompleteColor{TrueColor: dark[0], ANSI256: dark[1], ANSI: dark[2]},
		light: lipgloss.CompleteColor{TrueColor: light[0], ANSI256: light[1], ANSI: light[2]},
	}
}

// The palette. Text roles keep a contrast of 5.2:1 on the background and 4.6:1 on the tint; fill, border and client carry no words.
// No words are drawn in ANSI 8 on dark, since some palettes make it the background.
var (
	muted  = tones([3]string{"#96a0ad", "247", "7"}, [3]string{"#59636e", "241", "8"})
	border = tones([3]string{"#454e5a", "239", "8"}, [3]string{"#bcc4cc", "250", "7"})
	accent = tones([3]string{"#4fc3e3", "80", "14"}, [3]string{"#00718f", "24", "6"})
	fill   = tones([3]string{"#2b7a90", "30", "6"}, [3]string{"#7db8c9", "110", "14"})
	good   = tones([3]string{"#7cc47f", "114", "10"}, [3]string{"#1f7a36", "28", "2"})
	fail   = tones([3]string{"#ff7b72", "210", "9"}, [3]string{"#c02535", "160", "1"})
	warn   = tones([3]string{"#e3b455", "179", "11"}, [3]string{"#8a5a00", "94", "3"})
	second = tones([3]string{"#b99bf2", "141", "13"}, [3]string{"#7040b8", "61", "5"})
	client = tones([3]string{"#7f8a98", "244", "8"}, [3]string{"#8a949e", "246", "8"})
	onTint = tones([3]string{"#e6edf3", "255", ""}, [3]string{"#1f2328", "235", ""})
	tint   = tones([3]string{"#232c36", "236", ""}, [3]string{"#e2eef3", "254", ""})
	onChip = tones([3]string{"#08161c", "16", "0"}, [3]string{"#ffffff", "231", "15"})
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
	mono     bool
	plain    bool
}

func (p painter) theme() *Theme {
	return &Theme{
		Text:   p.style(shade{}, false, plain),
		Strong: p.style(shade{}, true, bold),
		Muted:  p.style(muted, false, plain),
		Border: p.style(border, false, faint),
		Accent: p.style(accent, false, bold),
		Focus:  p.style(accent, true, bold),
		Title:  p.style(accent, true, reverse),
		Fill:   p.style(fill, false, plain),
		OK:     p.style(good, false, plain),
		Fail:   p.style(fail, false, bold),
		Alarm:  p.style(fail, true, bold),
		Warn:   p.style(warn, false, bold),
		Second: p.style(second, false, plain),
		Client: p.style(client, false, plain),
		Chip:   p.chip(),
	}
}

// style makes one role in its three forms: on the background, in a quiet chosen row, in the chosen row of the pane with the keyboard.
func (p painter) style(c shade, strong bool, mono attr) Style {
	if p.plain {
		return Style{}
	}
	s := p.renderer.NewStyle()
	if p.mono {
		s = p.attributes(s, mono)
		return newStyle(s, s, s.Reverse(true))
	}
	if c != (shade{}) {
		s = s.Foreground(lipgloss.CompleteAdaptiveColor{Dark: c.dark, Light: c.light})
	}
	s = s.Bold(strong)
	row := s.Background(lipgloss.CompleteAdaptiveColor{Dark: tint.dark, Light: tint.light})
	if c == (shade{}) { // the terminal's own colour may be none that shows on the tint, when it is not known to be dark or light
		row = row.Foreground(lipgloss.CompleteAdaptiveColor{Dark: onTint.dark, Light: onTint.light})
	}
	if p.profile == termenv.ANSI {
		row = s.Bold(true)
	}
	return newStyle(s, row, row)
}

func (p painter) attributes(s lipgloss.Style, a attr) lipgloss.Style {
	return s.Bold(a == bold || a == boldReverse).Faint(a == faint).Reverse(a == reverse || a == boldReverse)
}

func (p painter) chip() Style {
	if p.plain || p.mono {
		return p.style(shade{}, true, boldReverse)
	}
	s := p.renderer.NewStyle().Bold(true).
		Foreground(lipgloss.CompleteAdaptiveColor{Dark: onChip.dark, Light: onChip.light}).
		Background(lipgloss.CompleteAdaptiveColor{Dark: accent.dark, Light: accent.light})
	return newStyle(s, s, s)
}
