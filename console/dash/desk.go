package dash

import (
	"context"
	"io"
	"sync"

	"github.com/rpckids/rpckids/console"
)

// desk takes the lines of the person to a command that asks for items. What is typed ahead of a question waits for it. Safe for concurrent use.
type desk struct {
	ring  func()        // wakes the screen
	ready chan struct{} // one slot: a line came, or the end

	mu       sync.Mutex // protects the fields below
	question console.Question
	asked    int      // how many questions so far
	lines    []string // typed, not yet taken
	ended    bool
}

func newDesk(ring func()) *desk { return &desk{ring: ring, ready: make(chan struct{}, 1)} }

// Line is a console.Talk's Line.
func (d *desk) Line(ctx context.Context, q console.Question) (string, error) {
	d.mu.Lock()
	d.question = q
	d.asked++
	if q.Refused != nil {
		d.lines = nil // what follows a line that is wrong may be wrong, too
	}
	d.mu.Unlock()
	d.ring()
	for {
		if line, err, ok := d.take(); ok {
			return line, err
		}
		select {
		case <-d.ready:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (d *desk) take() (line string, err error, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.lines) > 0:
		line, d.lines = d.lines[0], d.lines[1:]
		return line, nil, true
	case d.ended:
		return "", io.EOF, true
	}
	return "", nil, false
}

// give answers a question, this one or one that will come.
func (d *desk) give(line string) {
	d.mu.Lock()
	d.lines = append(d.lines, line)
	d.mu.Unlock()
	d.wake()
}

// end says that there are no more lines.
func (d *desk) end() {
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	d.wake()
}

func (d *desk) wake() {
	select {
	case d.ready <- struct{}{}:
	default:
	}
}

// now returns the newest question and how many there were; open is false before the first one and after the end.
func (d *desk) now() (q console.Question, asked int, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.question, d.asked, d.asked > 0 && !d.ended
}
