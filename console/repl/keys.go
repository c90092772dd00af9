package repl

import (
	"bytes"
	"io"
	"strings"
	"unicode"
)

// Keys that readline has no character for. They are private characters that no keyboard sends; the editor acts on them.
const (
	keyHelp   = '\U0010fff0' + iota
	keyDelete // readline's own would quit on an empty line
	keyEdit   // sent before an enter: the line goes to an editor, not to the session
)

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	ctrlX      = 0x18
	ctrlE      = 0x05

	inlinePaste = 200 // bytes; a longer paste, or one of several lines, stands on the line as a token
	longestAsk  = 256 // bytes of an escape sequence after which it is taken for noise
)

// sequences are the keys of the terminals in use that readline would misread, and what it gets instead.
var sequences = map[string]string{
	"\x1bOP": string(keyHelp), "\x1b[11~": string(keyHelp), "\x1b[[A": string(keyHelp),
	"\x1b[3~": string(keyDelete), "\x1bOM": "\r",
	"\x1b[1~": "\x01", "\x1b[7~": "\x01", "\x1b[4~": "\x05", "\x1b[8~": "\x05",
	"\x1b[1;5D": "\x1bb", "\x1b[1;3D": "\x1bb", "\x1bOd": "\x1bb", "\x1b[1;5C": "\x1bf", "\x1b[1;3C": "\x1bf", "\x1bOc": "\x1bf",
	"\x1b[3;5~": "\x1bd",
	"\x1b[A":    "\x1b[A", "\x1b[B": "\x1b[B", "\x1b[C": "\x1b[C", "\x1b[D": "\x1b[D", "\x1b[H": "\x1b[H", "\x1b[F": "\x1b[F",
	"\x1bOA": "\x1b[A", "\x1bOB": "\x1b[B", "\x1bOC": "\x1b[C", "\x1bOD": "\x1b[D", "\x1bOH": "\x1b[H", "\x1bOF": "\x1b[F",
	"\x1bb": "\x1bb", "\x1bf": "\x1bf", "\x1bd": "\x1bd", "\x1b\x7f": "\x1b\x7f",
}

// keys turns what a terminal sends into what readline understands: it takes pastes whole, translates the keys that
// readline would misread, and drops those that would put rubbish on the line, as answers of the terminal that came late.
// It is read by one goroutine.
type keys struct {
	r       io.Reader
	pastes  *pastes
	held    []byte // the beginning of an escape sequence, or a paste that has not ended
	ready   []byte // translated, not yet read
	pasting bool   // held is a paste
	afterX  bool   // ctrl+x came; with ctrl+e it means the editor
	chunk   [4096]byte
}

func newKeys(r io.Reader, p *pastes) *keys { return &keys{r: r, pastes: p} }

// Read returns translated keys. It reads from the terminal only when none are left, and never waits for more than one.
func (k *keys) Read(p []byte) (int, error) {
	for len(k.ready) == 0 {
		n, err := k.r.Read(k.chunk[:])
		k.take(k.chunk[:n])
		if err != nil && len(k.ready) == 0 {
			return 0, err
		}
	}
	n := copy(p, k.ready)
	k.ready = k.ready[:copy(k.ready, k.ready[n:])]
	return n, nil
}

// Close does nothing: who made the reader below closes it. readline wants the method.
func (k *keys) Close() error { return nil }

// take translates a chunk of input; a sequence that it ends within is held until the rest comes.
func (k *keys) take(chunk []byte) {
	old := len(k.held)
	k.held = append(k.held, chunk...)
	if k.pasting && !bytes.Contains(k.held[max(old-len(pasteEnd), 0):], []byte(pasteEnd)) {
		return // a long paste is not searched from its start with each chunk
	}
	in := k.held
	for len(in) > 0 {
		n := k.step(in)
		if n == 0 {
			break
		}
		in = in[n:]
	}
	k.held = append(k.held[:0], in...)
}

// step translates the key or paste at the start of in and returns its length, 0 when more is needed to know it.
func (k *keys) step(in []byte) int {
	if k.pasting {
		text, _, ended := bytes.Cut(in, []byte(pasteEnd))
		if !ended {
			return 0
		}
		k.pasting = false
		k.paste(string(text))
		return len(text) + len(pasteEnd)
	}
	afterX := k.afterX
	k.afterX = false
	switch c := in[0]; {
	case c == 0x1b:
		n := sequence(in)
		switch seq := string(in[:n]); {
		case n == 0 && len(in) > longestAsk:
			return len(in)
		case seq == pasteStart:
			k.pasting = true
		default:
			k.ready = append(k.ready, sequences[seq]...)
		}
		return n
	case c == ctrlX:
		k.afterX = true
	case c == ctrlE && afterX:
		k.ready = append(append(k.ready, string(keyEdit)...), '\r')
	case c == 0: // readline takes it for the end of the input
	default:
		k.ready = append(k.ready, c)
	}
	return 1
}

// sequence returns the length of the escape sequence that in starts with, 0 when in ends within it.
func sequence(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	switch in[1] {
	case '[': // CSI: parameters and intermediates, then one final byte
		if len(in) > 2 && in[2] == '[' { // function keys of the Linux console
			return min(len(in), 4) / 4 * 4
		}
		for i := 2; i < len(in); i++ {
			if in[i] >= 0x40 && in[i] <= 0x7e {
				return i + 1
			}
			if in[i] < 0x20 || in[i] > 0x7e {
				return i // no sequence at all
			}
		}
		return 0
	case 'O': // SS3: one byte
		return min(len(in), 3) / 3 * 3
	case ']', 'P', '_', '^': // OSC, DCS, APC, PM: text, then BEL or ESC \
		for i := 2; i < len(in); i++ {
			if in[i] == 7 {
				return i + 1
			}
			if in[i] == '\\' && in[i-1] == 0x1b {
				return i + 1
			}
		}
		return 0
	}
	if in[1] < 0x20 {
		return 1 // esc, then another key
	}
	return 2
}

// paste puts a pasted text on the line: a short one as it is, else a token that stands for it. Nothing pasted runs by itself.
func (k *keys) paste(text string) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	text = strings.TrimRight(text, "\n")
	if len(text) > inlinePaste || strings.Contains(text, "\n") {
		text = k.pastes.add(text)
	}
	k.ready = append(k.ready, strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r >= keyHelp && r <= keyEdit:
			return -1
		}
		return r
	}, text)...)
}
