package repl

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/rpckids/rpckids/console/theme"
)

// Role says what a text is; a [Style] says how it looks.
type Role int

const (
	Prompt Role = iota
	Muted       // what stands beside a value: timings, hints, keys of JSON
	Fail        // the word that says that something went wrong, and its place
)

// Style dresses a text for the terminal, and must not change its width. The nil Style leaves it plain.
type Style func(role Role, text string) string

func (s Style) as(role Role, text string) string {
	if s == nil || text == "" {
		return text
	}
	return s(role, text)
}

// DefaultStyle is a style that suits dark and light terminals alike, or nil where the environment wants no escapes.
func DefaultStyle() Style {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func(role Role, text string) string {
		return [...]string{Prompt: "\x1b[1;36m", Muted: "\x1b[2m", Fail: "\x1b[1;31m"}[role] + text + "\x1b[0m"
	}
}

// dresser is a writer that puts styles on what a console.Printer writes, line by line.
type dresser struct {
	out  io.Writer
	line func(string) string
}

func (d dresser) Write(b []byte) (int, error) {
	var dressed bytes.Buffer
	for line := range strings.Lines(string(b)) {
		text, ended := strings.CutSuffix(line, "\n")
		dressed.WriteString(d.line(text))
		if ended {
			dressed.WriteByte('\n')
		}
	}
	_, err := d.out.Write(dressed.Bytes())
	return len(b), err
}

// aside dresses what accompanies a value.
func (s Style) aside(line string) string {
	switch rest, isError := strings.CutPrefix(line, "error:"); {
	case isError:
		return s.as(Fail, "error:") + rest
	case strings.Trim(line, " ^") == "": // the caret below a wrong byte
		return s.as(Fail, line)
	}
	return s.as(Muted, line)
}

// name is a field's name in compact JSON, or in indented JSON.
var name = regexp.MustCompile(`"(?:[^"\\]|\\.)*" ?:|"(?:[^"\\]|\\.)*"`)

// value dresses a line of JSON: names are muted, so that values stand out.
func (s Style) value(line string) string {
	if s == nil || !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "[") {
		return line
	}
	return name.ReplaceAllStringFunc(line, func(match string) string {
		if !strings.HasSuffix(match, ":") {
			return match
		}
		return s.as(Muted, match)
	})
}

// The lines of a bench's report: a row of its histogram, the heads of its table, a label.
var (
	bars  = regexp.MustCompile(`^([ \d.]+(?:ns|µs|us|ms|s|min|h) *\+? +)([▆#|▏]+)(.*)$`)
	heads = regexp.MustCompile(`^ +min +p50 `)
	label = regexp.MustCompile(`^(?:calls|failed|not made|cut off|client CPU|latency|corrected)(?: |$)`)
)

// report dresses a line of a bench's report: figures stand out, and of the histogram the row of the median.
func (s Style) report(line string) string {
	if m := bars.FindStringSubmatch(line); m != nil {
		role := Muted
		if strings.Contains(m[3], "p50") {
			role = Prompt
		}
		return m[1] + s.as(role, m[2]) + m[3]
	}
	if heads.MatchString(line) {
		return s.as(Muted, line)
	}
	if l := label.FindString(line); l != "" {
		return s.as(Muted, l) + line[len(l):]
	}
	return line
}

// Themed is the style of a theme, so that the prompt looks like the other faces.
func Themed(t *theme.Theme) Style {
	return func(role Role, text string) string {
		return [...]*theme.Style{Prompt: &t.Focus, Muted: &t.Muted, Fail: &t.Alarm}[role].Render(text)
	}
}
