package theme

import (
	"io"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// look is what a theme's name stands for: a palette for each kind of background, none for a theme without colours.
type look struct {
	name        string
	dark, light *palette
	letters     bool // parts and failures are told apart by letters and marks as well
}

// looks are the themes there are; the first is what unknown names mean.
var looks = []look{
	{name: "auto", dark: &dark, light: &light},
	{name: "dark", dark: &dark, light: &dark},
	{name: "light", dark: &light, light: &light},
	{name: "mono", letters: true},
	{name: "high-contrast", dark: &highDark, light: &highLight},
	{name: "colour-blind", dark: &blindDark, light: &blindLight, letters: true},
}

func lookNamed(name string) look {
	for _, l := range looks {
		if l.name == name {
			return l
		}
	}
	return looks[0]
}

// Adapts reports whether the theme of that name looks different on a dark and on a light background, so that it is worth knowing which
// one the terminal has.
func Adapts(name string) bool { l := lookNamed(name); return l.dark != l.light }

// Options choose a theme. The zero value is for a dark terminal with as many colours as its environment says. A theme asks the terminal nothing.
type Options struct {
	Name     string             // auto, dark, light, mono, high-contrast or colour-blind; "" and unknown names mean auto
	Light    bool               // the terminal's background is light: counts where [Adapts] says so
	ASCII    bool               // boxes, bars and marks of ASCII characters only
	NoColor  bool               // no attribute at all, not even bold
	Renderer *lipgloss.Renderer // knows the terminal; nil means lipgloss's default one. It is only asked for its number of colours
}

// palette is nil where the theme has no colours, or none that this terminal can show as they are meant.
func (o Options) palette(profile termenv.Profile) *palette {
	l := lookNamed(o.Name)
	p := l.dark
	if o.Light {
		p = l.light
	}
	if p != nil && profile == termenv.ANSI && p.accent.own == "" {
		return nil
	}
	return p
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
	Warn   Style // late, reconnecting
	Second Style // the server's or the handler's time
	Queue  Style // time in the server's queue: as Warn, except where Warn is too near to a neighbour in the bar
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
	p := painter{profile: profile, palette: o.palette(profile)}
	p.plain = o.NoColor || profile == termenv.Ascii && p.palette != nil
	if p.plain {
		p.palette = nil
	}
	p.renderer = lipgloss.NewRenderer(io.Discard)
	p.renderer.SetColorProfile(profile)
	if p.palette == nil {
		p.renderer.SetColorProfile(termenv.ANSI) // the colourless profile would strip bold as well
	}
	t := p.theme()
	t.ASCII, t.Plain, t.Letters = o.ASCII, p.plain, p.palette == nil || o.ASCII || lookNamed(o.Name).letters
	t.Box, t.Mark = unicodeBox, unicodeMarks
	if o.ASCII {
		t.Box, t.Mark = asciiBox, asciiMarks
	} else if p.palette == nil {
		t.Mark.Row = ">"
	}
	return t
}
