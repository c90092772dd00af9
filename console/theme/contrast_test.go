package theme

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"testing"
)

// light3 are linear shares of red, green and blue, from 0 to 1.
type light3 [3]float64

// decode is the transfer function of sRGB (IEC 61966-2-1), as WCAG 2.2 takes it.
func decode(c color.RGBA) light3 {
	var l light3
	for i, v := range []uint8{c.R, c.G, c.B} {
		if s := float64(v) / 255; s <= 0.04045 {
			l[i] = s / 12.92
		} else {
			l[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return l
}

func hex(t testing.TB, s string) light3 {
	t.Helper()
	c := color.RGBA{A: 255}
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &c.R, &c.G, &c.B); n != 3 || err != nil || len(s) != 7 {
		t.Fatalf("%q is no colour", s)
	}
	return decode(c)
}

// fixed is a colour of the cube and the ramp that all terminals with 256 colours have.
func fixed(t testing.TB, s string) light3 {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil || n < 16 || n > 255 {
		t.Fatalf("%q is none of the fixed 256 colours", s)
	}
	if n >= 232 {
		v := uint8(8 + 10*(n-232))
		return decode(color.RGBA{v, v, v, 255})
	}
	steps := [6]uint8{0, 95, 135, 175, 215, 255}
	return decode(color.RGBA{steps[(n-16)/36], steps[(n-16)/6%6], steps[(n-16)%6], 255})
}

// contrast is the ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b light3) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(l light3) float64 { return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2] }

// TestContrastFormula compares with values that are known: the ends of the scale, and the grey that just passes 4.5:1 on white.
func TestContrastFormula(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#777777", "#777777", 1},
		{"#767676", "#ffffff", 4.54},
		{"#ff0000", "#ffffff", 4.00},
	} {
		if got := contrast(hex(t, tc.a), hex(t, tc.b)); math.Abs(got-tc.want) > 0.005 {
			t.Errorf("%s on %s: got %.3f, want %.2f", tc.a, tc.b, got, tc.want)
		}
	}
}

// shades are the two kinds of terminal whose colours are known.
var shades = []struct {
	name string
	of   func(tone) string
	read func(testing.TB, string) light3
}{
	{"truecolor", func(t tone) string { return t.rgb }, hex},
	{"256", func(t tone) string { return t.fixed }, fixed},
}

// words are the roles that carry words, drawings the others.
func (p *palette) words() map[string]tone {
	return map[string]tone{"muted": p.muted, "accent": p.accent, "ok": p.ok, "fail": p.fail, "warn": p.warn, "second": p.second}
}

func (p *palette) drawings() map[string]tone {
	return map[string]tone{"border": p.border, "fill": p.fill, "queue": p.queue, "client": p.client}
}

// TestContrast holds every palette of every theme to its promise, on black or white, on backgrounds that terminals really have, and on its own tint.
func TestContrast(t *testing.T) {
	darks, lights := []string{"#000000", "#15181d", "#1e1e1e"}, []string{"#ffffff", "#fbfbfa"}
	floors := map[*palette]struct {
		grounds               []string
		words, tint           float64
		fixedWords, fixedTint float64 // the same with the fixed 256 colours
		chip, lines, parts    float64 // lines: border and fill; parts: queue and client
	}{
		&dark:       {darks, 5.2, 4.5, 4.5, 4, 8.5, 1.7, 3},
		&light:      {lights, 5.2, 4.5, 4.5, 4, 5.5, 1.7, 3},
		&highDark:   {darks, 7, 7, 7, 7, 7, 4.5, 4.5},
		&highLight:  {lights, 7, 7, 7, 7, 7, 4.5, 4.5},
		&blindDark:  {darks, 4.5, 4.5, 4.5, 4, 4.5, 1.7, 4.5},
		&blindLight: {lights, 4.5, 4.5, 4.5, 4, 4.5, 1.7, 4.5},
	}
	for _, l := range looks {
		for name, p := range map[string]*palette{l.name + ", dark": l.dark, l.name + ", light": l.light} {
			if p == nil {
				continue
			}
			f, ok := floors[p]
			if !ok {
				t.Errorf("%s: nothing is said of its contrast", name)
				continue
			}
			for _, s := range shades {
				atLeast := func(what string, a, b light3, want float64) {
					if got := contrast(a, b); got < want {
						t.Errorf("%s, %s, %s: got %.2f:1, want %v:1", name, s.name, what, got, want)
					}
				}
				read := func(c tone) light3 { return s.read(t, s.of(c)) }
				words, onTint := f.words, f.tint
				if s.name == "256" {
					words, onTint = f.fixedWords, f.fixedTint
				}
				for role, c := range p.words() {
					atLeast(role+" on the tint", read(c), read(p.tint), onTint)
					for _, g := range f.grounds {
						atLeast(role+" on "+g, read(c), hex(t, g), words)
					}
				}
				for role, c := range p.drawings() {
					want := f.lines
					if role == "queue" || role == "client" {
						want = f.parts
					}
					atLeast(role, read(c), hex(t, f.grounds[0]), want)
				}
				atLeast("text on the tint", read(p.onTint), read(p.tint), 7)
				atLeast("chip", read(p.onChip), read(p.accent), f.chip)
			}
		}
	}
}

// visions are full colour vision and its three kinds of loss at full severity, as matrices over linear light: Machado, Oliveira and Fernandes,
// "A physiologically-based model for simulation of color vision deficiency" (2009), table of severity 1.0.
var visions = map[string][3]light3{
	"full":         {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func seen(l light3, by [3]light3) light3 {
	var out light3
	for i, row := range by {
		out[i] = min(max(row[0]*l[0]+row[1]*l[1]+row[2]*l[2], 0), 1)
	}
	return out
}

// distance is the Euclidean one in Oklab (Ottosson 2020), where about 0.02 is just noticeable.
func distance(a, b light3) float64 {
	x, y := oklab(a), oklab(b)
	return math.Hypot(math.Hypot(x[0]-y[0], x[1]-y[1]), x[2]-y[2])
}

func oklab(c light3) [3]float64 {
	l := math.Cbrt(0.4122214708*c[0] + 0.5363325363*c[1] + 0.0514459929*c[2])
	m := math.Cbrt(0.2119034982*c[0] + 0.6806995451*c[1] + 0.1073969566*c[2])
	s := math.Cbrt(0.0883024619*c[0] + 0.2817188376*c[1] + 0.6299787005*c[2])
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// apart is how far two roles of colour-blind are from each other at least: three and a half just noticeable steps.
const apart = 0.07

// TestColourBlind sees that any two roles that stand beside each other in a bar, a list or a legend are told apart with each vision.
func TestColourBlind(t *testing.T) {
	for ground, p := range map[string]*palette{"dark": &blindDark, "light": &blindLight} {
		for _, s := range shades {
			for vision, matrix := range visions {
				if a, b, d := nearest(t, p, s.of, s.read, matrix); d < apart {
					t.Errorf("%s, %s, %s: %s and %s are only %.3f apart, want %v", ground, s.name, vision, a, b, d, apart)
				}
			}
		}
	}
}

// TestColourBlindTestCanFail sees that the simulation finds the fault of red and green: the palettes of full vision do not pass.
func TestColourBlindTestCanFail(t *testing.T) {
	for ground, p := range map[string]*palette{"dark": &dark, "light": &light} {
		q := *p
		q.queue = tone{"#ffffff", "231", ""} // as warn it would be found at once
		if ground == "light" {
			q.queue = tone{"#000000", "16", ""}
		}
		_, _, full := nearest(t, &q, shades[0].of, shades[0].read, visions["full"])
		_, _, less := nearest(t, &q, shades[0].of, shades[0].read, visions["deuteranopia"])
		if less >= full || less >= apart {
			t.Errorf("%s: nearest roles %.3f apart with full vision, %.3f with deuteranopia: want less, and under %v", ground, full, less, apart)
		}
	}
}

// nearest finds the two roles that are hardest to tell apart.
func nearest(t testing.TB, p *palette, of func(tone) string, read func(testing.TB, string) light3, vision [3]light3) (a, b string, d float64) {
	t.Helper()
	roles := map[string]tone{"ok": p.ok, "fail": p.fail, "warn": p.warn, "network": p.accent, "client": p.client, "queue": p.queue, "handler": p.second}
	d = math.Inf(1)
	for x, cx := range roles {
		for y, cy := range roles {
			if x >= y {
				continue
			}
			if got := distance(seen(read(t, of(cx)), vision), seen(read(t, of(cy)), vision)); got < d {
				a, b, d = x, y, got
			}
		}
	}
	return a, b, d
}
