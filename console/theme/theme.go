package theme

import (
	"io"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// Names are the themes that [Options.Name] may ask for.
var Names = []string{"auto", "dark", "light", "mono"}

// Options choose a theme. The zero value is for a dark terminal with as many colours as its environment says. A theme asks the terminal nothing.
type Options struct {
	Name     string             // one of Names; "" and unknown names mean auto
	Light    bool               // what auto means: the terminal's background is light
	ASCII    bool               // boxes, bars and marks of ASCII characters only
	NoColor  bool               // no attribute at all, not even bold
	Renderer *lipgloss.Renderer // knows the terminal; nil means lipgloss's default one. It is only asked for its number of colours
}

// Theme is a set of styles, each named after the role it plays. It never changes once made, so it may be shared between goroutines.
type Theme struct {
	Text   Style // values and words: the terminal's own colour
	Strong Style // the one number of a pane, JSON values
	Muted  Style // labels, units, heads, payloads, JSON keys
	Border Style // lines, a dimmed background, an empty track
	Accent Style // keys, what runs, network time
	Focus  Style // the place that has the keyboard: accent and bold
	Title  Style // the title of the pane that has the keyboard
	Fill   Style // charts at rest; carries no words
	OK     Style
	Fail   Style // the mark, word and number of a failure
	Alarm  Style // the headline of a failure: fail and bold
	Warn   Style
	Second Style // server time
	Client Style // client time; carries no words
	Chip   Style // the program's name

	Box  Box
	Mark Marks

	ASCII   bool
	Letters bool // parts of a bar are told apart by letters, failed columns of a chart by a mark
	Plain   bool // no attribute comes out at all: brackets show the focus
}

// New makes a theme.
func New(o Options) *Theme {
	r := o.Renderer
	if r == nil {
		r = lipgloss.DefaultRenderer()
	}
	profile := r.ColorProfile()
	plain := o.NoColor || profile == termenv.Ascii && o.Name != "mono"
	dark := o.Name == "dark" || o.Name != "light" && o.Name != "mono" && !o.Light
	p := painter{plain: plain, mono: o.Name == "mono" || plain, profile: profile}
	p.renderer = lipgloss.NewRenderer(io.Discard)
	p.renderer.SetHasDarkBackground(dark)
	p.renderer.SetColorProfile(profile)
	if p.mono {
		p.renderer.SetColorProfile(termenv.ANSI) // the colourless profile would strip bold as well
	}
	t := p.theme()
	t.ASCII, t.Plain, t.Letters = o.ASCII, plain, p.mono || o.ASCII
	t.Box, t.Mark = unicodeBox, unicodeMarks
	if o.ASCII {
		t.Box, t.Mark = asciiBox, asciiMarks
	} else if t.Letters {
		t.Mark.Row = ">"
	}
	return t
}
