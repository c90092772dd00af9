package repl

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/rpckids/rpckids/console"
)

const pastesKept = 16 // of those that are not on a line that ran; older ones are forgotten

// token is how a paste stands on the line, as "[paste-1 200 lines]" or "[paste-2 20 KiB]".
var token = regexp.MustCompile(`\[paste-\d+ [\d.]+ (?:lines|B|[KMGT]iB)\]`)

// broken is a token that has just lost its last character.
var broken = regexp.MustCompile(`\[paste-\d+ [\d.]+ (?:lines|B|[KMGT]iB)$`)

// pastes holds the texts that tokens stand for. Safe for concurrent use.
type pastes struct {
	mu    sync.Mutex // protects the fields below
	last  int
	names []string // oldest first
	texts map[string]string
}

func newPastes() *pastes { return &pastes{texts: map[string]string{}} }

// add keeps a text and returns its token.
func (p *pastes) add(text string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	size := console.Bytes(len(text))
	if n := strings.Count(text, "\n"); n > 0 {
		size = fmt.Sprintf("%d lines", n+1)
	}
	name := fmt.Sprintf("[paste-%d %s]", p.last, size)
	p.names = append(p.names, name)
	p.texts[name] = text
	if len(p.names) > pastesKept {
		delete(p.texts, p.names[0])
		p.names = p.names[1:]
	}
	return name
}

// expand puts the texts in the place of their tokens.
func (p *pastes) expand(line string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return token.ReplaceAllStringFunc(line, func(name string) string {
		if text, ok := p.texts[name]; ok {
			return text
		}
		return name
	})
}

// mend returns a line without the token that a backspace has just broken at pos, and the new pos.
func mend(line []rune, pos int) ([]rune, int, bool) {
	at := broken.FindStringIndex(string(line[:pos]))
	if at == nil {
		return line, pos, false
	}
	from := len([]rune(string(line[:pos])[:at[0]]))
	return append(line[:from:from], line[pos:]...), from, true
}
