package main

import "testing"

func TestLuminance(t *testing.T) {
	for answer, want := range map[string]bool{
		"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c": true,
		"\x1b]11;rgb:0000/0000/0000\x07":               false,
		"\x1b]11;rgb:fd/f6/e3\x07":                     true,  // Solarized light
		"\x1b]11;rgb:002b/2b2b/3636\x1b\\":             false, // Solarized dark, one share short
		"\x1b]11;rgba:f/f/f/f\x07":                     true,
	} {
		rgb := colour.FindStringSubmatch(answer)
		if rgb == nil {
			t.Fatalf("%q is no answer", answer)
		}
		if got := luminance(rgb[1:]) > 0.5; got != want {
			t.Errorf("%q: light is %v, want %v", answer, got, want)
		}
	}
	for value, want := range map[string]bool{"": false, "15;0": false, "0;15": true, "0;default;7": true, "0;8": false, "x": false} {
		if got := lightByEnvironment(value); got != want {
			t.Errorf("COLORFGBG=%q: light is %v, want %v", value, got, want)
		}
	}
}
