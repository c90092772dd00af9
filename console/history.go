package console

import (
	"slices"
	"strings"
	"sync"
)

const historyKeep = 10_000 // lines; older ones are forgotten

// History holds the lines a person typed, for all faces. A face adds each line it runs; scripts add nothing. Safe for concurrent use.
type History struct {
	appendLine func(string) error // keeps a line for the next session; nil: memory only

	mu    sync.Mutex // protects the fields below
	lines []string
	err   error
}

// NewHistory returns a history that starts with lines, oldest first. appendLine, if not nil, is called with each new line, one at a time;
// after its first error it is not called again and [History.Err] tells.
func NewHistory(lines []string, appendLine func(string) error) *History {
	return &History{appendLine: appendLine, lines: slices.Clone(lines)}
}

// Lines returns all lines, oldest first. The slice is the caller's.
func (h *History) Lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// Add appends a line that was typed. Lines of JSON become one line; an empty line or a repetition of the last one is not kept. Of a token only its
// length is kept.
func (h *History) Add(line string) {
	line = Hushed(OneLine(line))
	if line == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) >= 2*historyKeep {
		h.lines = slices.Clone(h.lines[len(h.lines)-historyKeep:])
	}
	if h.appendLine != nil && h.err == nil {
		h.err = h.appendLine(line)
	}
}

// Err returns the error that stopped lines from being kept for the next session, or nil.
func (h *History) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// OneLine writes a command that was typed over several lines on one. A JSON string holds no raw newline, and no raw tab, so nothing changes its meaning.
func OneLine(command string) string {
	var parts []string
	for _, line := range strings.FieldsFunc(command, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " ")
}
