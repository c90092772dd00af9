package theme

import "github.com/charmbracelet/lipgloss"

// tone is one colour as each kind of terminal can show it: any colour, the fixed 256 (16 to 255), the user's own 16.
type tone struct{ rgb, fixed, own string }

func (t tone) color() lipgloss.CompleteColor {
	return lipgloss.CompleteColor{TrueColor: t.rgb, ANSI256: t.fixed, ANSI: t.own}
}

// palette gives the roles their colours on one kind of background. Border, fill and client carry no words, except the letters of a bar.
// A palette without colours of the user's own 16 is drawn with attributes where there are no others.
type palette struct {
	muted, border, accent, fill           tone
	ok, fail, warn, second, queue, client tone
	tint, onTint, onChip                  tone // the background of a chosen row, plain text on it, text on accent
}

// The palettes of dark and light. Words keep a contrast of 5.2:1 on the background and 4.5:1 on the tint; with the fixed 256 colours 4.5:1
// and 4:1. No words are drawn in ANSI 8 on dark, since some palettes make it the background.
var (
	dark = palette{
		muted:  tone{"#96a0ad", "247", "7"},
		border: tone{"#454e5a", "239", "8"},
		accent: tone{"#4fc3e3", "80", "14"},
		fill:   tone{"#2b7a90", "30", "6"},
		ok:     tone{"#7cc47f", "114", "10"},
		fail:   tone{"#ff7b72", "210", "9"},
		warn:   tone{"#e3b455", "179", "11"},
		second: tone{"#b99bf2", "141", "13"},
		queue:  tone{"#e3b455", "179", "11"},
		client: tone{"#7f8a98", "244", "8"},
		tint:   tone{"#232c36", "236", ""},
		onTint: tone{"#e6edf3", "255", ""},
		onChip: tone{"#08161c", "16", "0"},
	}
	light = palette{
		muted:  tone{"#59636e", "241", "8"},
		border: tone{"#bcc4cc", "250", "7"},
		accent: tone{"#00718f", "24", "6"},
		fill:   tone{"#7db8c9", "110", "14"},
		ok:     tone{"#1f7a36", "28", "2"},
		fail:   tone{"#c02535", "160", "1"},
		warn:   tone{"#8a5a00", "94", "3"},
		second: tone{"#7040b8", "61", "5"},
		queue:  tone{"#8a5a00", "94", "3"},
		client: tone{"#8a949e", "246", "8"},
		tint:   tone{"#e2eef3", "255", ""},
		onTint: tone{"#1f2328", "235", ""},
		onChip: tone{"#ffffff", "231", "15"},
	}
)

// The palettes of high-contrast: words keep 7:1 on black or white, on backgrounds near to them and on the tint; lines and charts keep 4.5:1 on black or white.
// What the user's own 16 colours look like nobody knows, but their text shows on their background: there, text and its attributes are all.
var (
	highDark = palette{
		muted:  tone{"#d0d7de", "252", ""},
		border: tone{"#a3adb8", "248", ""},
		accent: tone{"#7de3ff", "123", ""},
		fill:   tone{"#4fb3cc", "74", ""},
		ok:     tone{"#8cf08c", "120", ""},
		fail:   tone{"#ffb3ac", "217", ""},
		warn:   tone{"#ffd75f", "221", ""},
		second: tone{"#dcc2ff", "183", ""},
		queue:  tone{"#ffd75f", "221", ""},
		client: tone{"#a8b3bf", "249", ""},
		tint:   tone{"#00305a", "17", ""},
		onTint: tone{"#ffffff", "231", ""},
		onChip: tone{"#000000", "16", ""},
	}
	highLight = palette{
		muted:  tone{"#3a4149", "238", ""},
		border: tone{"#59636e", "241", ""},
		accent: tone{"#004d66", "23", ""},
		fill:   tone{"#2f7d95", "24", ""},
		ok:     tone{"#0b4f1c", "22", ""},
		fail:   tone{"#8f0c1c", "124", ""},
		warn:   tone{"#5c3b00", "52", ""},
		second: tone{"#4b1f8a", "54", ""},
		queue:  tone{"#5c3b00", "52", ""},
		client: tone{"#6b7681", "243", ""},
		tint:   tone{"#cfe6f5", "230", ""},
		onTint: tone{"#000000", "16", ""},
		onChip: tone{"#ffffff", "231", ""},
	}
)

// The palettes of colour-blind take the hues of Okabe and Ito (2008, also in Wong, Nature Methods 8, 441), moved in lightness until every two of
// ok, fail, warn, network (accent), client, queue and handler (second) stay apart for deuteranopes, protanopes and tritanopes, each at
// 4.5:1 on black or white. Of 16 colours they take those of dark and light, which the user may have chosen to suit.
var (
	blindDark = palette{
		muted:  dark.muted,
		border: dark.border,
		accent: tone{"#5ad2ff", "153", "14"},
		fill:   tone{"#2a7aa8", "31", "6"},
		ok:     tone{"#48c294", "43", "10"},
		fail:   tone{"#e06714", "167", "9"},
		warn:   tone{"#f0e442", "220", "11"},
		second: tone{"#c4729f", "139", "13"},
		queue:  tone{"#e59f0c", "178", "3"},
		client: tone{"#3993d7", "33", "12"},
		tint:   tone{"#1c2430", "234", ""},
		onTint: dark.onTint,
		onChip: dark.onChip,
	}
	blindLight = palette{
		muted:  light.muted,
		border: light.border,
		accent: tone{"#01548b", "19", "6"},
		fill:   tone{"#7db4d8", "110", "14"},
		ok:     tone{"#054a3f", "23", "2"},
		fail:   tone{"#bd4d00", "88", "1"},
		warn:   tone{"#333700", "94", "3"},
		second: tone{"#a45680", "126", "5"},
		queue:  tone{"#714800", "131", "11"},
		client: tone{"#0372b2", "27", "12"},
		tint:   tone{"#f0f6fa", "255", ""},
		onTint: light.onTint,
		onChip: light.onChip,
	}
)
