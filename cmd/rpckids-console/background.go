package main

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/muesli/cancelreader"
	"golang.org/x/term"
)

// askLimit is how long the terminal has to say what its background is. One that answers does so within a round trip.
const askLimit = 200 * time.Millisecond

// question asks for the background, and then for what every terminal answers: when that comes, the other answer came or never will.
const question = "\x1b]11;?\x1b\\\x1b[c"

var (
	colour = regexp.MustCompile(`\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})`)
	device = regexp.MustCompile(`\x1b\[\?[0-9;]*c`)
)

// light reports whether the terminal's background is light. It asks only where the answer matters, and takes dark for the answer of a terminal
// that gives none.
func (p *program) light(ctx context.Context) bool {
	if p.theme != "auto" || p.env("NO_COLOR") != "" || p.dumb() {
		return false
	}
	if rgb := colour.FindStringSubmatch(p.ask(ctx)); rgb != nil {
		return luminance(rgb[1:]) > 0.5
	}
	return lightByEnvironment(p.env("COLORFGBG"))
}

// ask puts the question and returns what came in answer.
func (p *program) ask(ctx context.Context) string {
	before, err := term.MakeRaw(int(p.in.Fd()))
	if err != nil {
		return ""
	}
	defer term.Restore(int(p.in.Fd()), before)
	r, err := cancelreader.NewReader(p.in)
	if err != nil {
		return ""
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.Cancel() })()
	if _, err := p.out.WriteString(question); err != nil {
		return ""
	}
	var answer []byte
	for buf := make([]byte, 256); len(answer) < 4096 && !device.Match(answer); {
		n, err := r.Read(buf)
		answer = append(answer, buf[:n]...)
		if err != nil {
			break
		}
	}
	return string(answer)
}

// luminance is how bright three hexadecimal shares of red, green and blue look, from 0 to 1 (ITU-R BT.601).
func luminance(rgb []string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.299, 0.587, 0.114} {
		v, _ := strconv.ParseUint(rgb[i], 16, 16) // one to four hexadecimal digits: cannot fail
		sum += weight * float64(v) / float64(uint64(1)<<(4*len(rgb[i]))-1)
	}
	return sum
}

// lightByEnvironment reads COLORFGBG, which some terminals set, as in "0;15": the last number is the background among the 16 colours.
func lightByEnvironment(value string) bool {
	n, err := strconv.Atoi(value[strings.LastIndexByte(value, ';')+1:])
	return err == nil && (n == 7 || n > 8)
}
