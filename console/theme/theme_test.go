package theme

import (
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/rpckids/rpckids/console"
)

func renderer(p termenv.Profile) *lipgloss.Renderer {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(p)
	return r
}

func TestAccent(t *testing.T) {
	for _, tc := range []struct {
		name    string
		profile termenv.Profile
		dark    bool
		want    string
	}{
		{"auto", termenv.TrueColor, true, "\x1b[38;2;79;195;227mx\x1b[0m"},
		{"", termenv.TrueColor, false, "\x1b[38;2;0;113;143mx\x1b[0m"},
		{"light", termenv.TrueColor, true, "\x1b[38;2;0;113;143mx\x1b[0m"},
		{"dark", termenv.ANSI256, false, "\x1b[38;5;80mx\x1b[0m"},
		{"dark", termenv.ANSI, true, "\x1b[96mx\x1b[0m"},
		{"mono", termenv.TrueColor, true, "\x1b[1mx\x1b[0m"},
		{"auto", termenv.Ascii, true, "x"},
		{"nothing", termenv.TrueColor, true, "\x1b[38;2;79;195;227mx\x1b[0m"},
		{"high-contrast", termenv.TrueColor, true, "\x1b[38;2;125;227;255mx\x1b[0m"},
		{"high-contrast", termenv.ANSI256, false, "\x1b[38;5;23mx\x1b[0m"},
		{"high-contrast", termenv.ANSI, false, "\x1b[1mx\x1b[0m"},
		{"high-contrast", termenv.Ascii, true, "x"},
		{"colour-blind", termenv.TrueColor, false, "\x1b[38;2;1;84;139mx\x1b[0m"},
		{"colour-blind", termenv.ANSI, true, "\x1b[96mx\x1b[0m"},
	} {
		th := New(Options{Name: tc.name, Light: !tc.dark, Renderer: renderer(tc.profile)})
		if got := th.Accent.Render("x"); got != tc.want {
			t.Errorf("%s, profile %v, dark %v: got %q, want %q", tc.name, tc.profile, tc.dark, got, tc.want)
		}
	}
}

// TestNames sees that the names a person can choose are the themes there are, in the same order.
func TestNames(t *testing.T) {
	var got []string
	for _, l := range looks {
		got = append(got, l.name)
	}
	if !slices.Equal(got, console.Themes) {
		t.Errorf("got %v, want %v", got, console.Themes)
	}
}

func TestAdapts(t *testing.T) {
	for name, want := range map[string]bool{"auto": true, "": true, "dark": false, "light": false, "mono": false, "high-contrast": true, "colour-blind": true} {
		if got := Adapts(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// TestLetters sees where letters and marks stand in for colours or beside them.
func TestLetters(t *testing.T) {
	for _, tc := range []struct {
		name    string
		profile termenv.Profile
		letters bool
		row     string
	}{
		{"dark", termenv.TrueColor, false, "▌"},
		{"mono", termenv.TrueColor, true, ">"},
		{"high-contrast", termenv.ANSI256, false, "▌"},
		{"high-contrast", termenv.ANSI, true, ">"},
		{"colour-blind", termenv.TrueColor, true, "▌"},
		{"colour-blind", termenv.ANSI, true, "▌"},
	} {
		th := New(Options{Name: tc.name, Renderer: renderer(tc.profile)})
		if th.Letters != tc.letters || th.Mark.Row != tc.row {
			t.Errorf("%s, profile %v: got letters %v, row %q; want %v, %q", tc.name, tc.profile, th.Letters, th.Mark.Row, tc.letters, tc.row)
		}
	}
}

// TestSixteenColours sees that the parts of a bar have colours of their own among the user's 16, and that high-contrast takes none of them.
func TestSixteenColours(t *testing.T) {
	for _, lit := range []bool{false, true} {
		th := New(Options{Name: "colour-blind", Light: lit, Renderer: renderer(termenv.ANSI)})
		used := map[string]string{}
		for name, s := range map[string]*Style{"ok": &th.OK, "fail": &th.Fail, "warn": &th.Warn, "network": &th.Accent, "client": &th.Client, "queue": &th.Queue, "handler": &th.Second} {
			code := s.Render("x")
			if other, ok := used[code]; ok {
				t.Errorf("light %v: %s and %s are both %q", lit, name, other, code)
			}
			used[code] = name
		}
		th = New(Options{Name: "high-contrast", Light: lit, Renderer: renderer(termenv.ANSI)})
		for name, s := range styles(th) {
			for row := Ground; row < rows; row++ {
				if got := string(s.Append(nil, "x", row)); colours.MatchString(got) {
					t.Errorf("light %v: %s on %v has a colour: %q", lit, name, row, got)
				}
			}
		}
	}
}

// colours are SGR sequences that set one.
var colours = regexp.MustCompile(`\x1b\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]`)

// TestNoColor sees that no escape sequence of any role comes out, on any ground, and that letters and brackets take over.
func TestNoColor(t *testing.T) {
	for _, theme := range console.Themes {
		th := New(Options{Name: theme, NoColor: true, Renderer: renderer(termenv.TrueColor)})
		for name, s := range styles(th) {
			for row := Ground; row < rows; row++ {
				if got := string(s.Append(nil, "x", row)); got != "x" {
					t.Errorf("%s: %s on %v: got %q", theme, name, row, got)
				}
			}
		}
		if !th.Letters || !th.Plain || th.Mark.Row != ">" {
			t.Errorf("%s: letters %v, plain %v, row %q", theme, th.Letters, th.Plain, th.Mark.Row)
		}
	}
}

// TestChosenRowShows sees that every role looks different in a chosen row, whatever the terminal can do.
func TestChosenRowShows(t *testing.T) {
	for _, p := range []termenv.Profile{termenv.TrueColor, termenv.ANSI256, termenv.ANSI} {
		for _, name := range console.Themes {
			th := New(Options{Name: name, Renderer: renderer(p)})
			if plain, row := th.Text.Render("x"), string(th.Text.Append(nil, "x", Chosen)); plain == row {
				t.Errorf("%s, profile %v: a chosen row looks like any other: %q", name, p, row)
			}
		}
	}
}

func TestASCII(t *testing.T) {
	th := New(Options{Name: "dark", ASCII: true, Renderer: renderer(termenv.TrueColor)})
	var all []string
	all = append(all, th.Box[:]...)
	v := reflect.ValueOf(th.Mark)
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			all = append(all, f.String())
		case reflect.Slice:
			for j := range f.Len() {
				all = append(all, f.Index(j).String())
			}
		}
	}
	for _, s := range all {
		if strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) || s == "" {
			t.Errorf("%q is not ASCII", s)
		}
	}
}

// TestMarksAreOneCell sees that no mark moves the columns beside it.
func TestMarksAreOneCell(t *testing.T) {
	m := unicodeMarks
	cells := append(append([]string{m.OK, m.Fail, m.Sent, m.Late, m.Connected, m.Between, m.Closed, m.Row, m.Now, m.Todo, m.Caret, m.Cut, m.To,
		m.Range, m.Full, m.Gap, m.Empty, m.Part, m.Bar, m.Sliver}, m.Spinner...), m.Levels...)
	for _, s := range append(cells, unicodeBox[:]...) {
		if w := ansi.StringWidth(s); w != 1 {
			t.Errorf("%q takes %d cells", s, w)
		}
	}
}

// styles are the roles of a theme by name.
func styles(t *Theme) map[string]*Style {
	out := map[string]*Style{}
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		if s, ok := v.Field(i).Addr().Interface().(*Style); ok {
			out[v.Type().Field(i).Name] = s
		}
	}
	return out
}

func BenchmarkAppend(b *testing.B) {
	th := New(Options{Name: "dark", Renderer: renderer(termenv.TrueColor)})
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = th.Muted.Append(buf[:0], "398 µs", Quiet)
	}
}
