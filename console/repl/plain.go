package repl

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// plainReader asks for lines on a terminal that understands no escapes: the terminal edits the line. There is no other face on such
// a terminal, so its goroutine may read all the time; it holds one line until the next is asked for.
type plainReader struct {
	repl  *REPL
	in    io.Reader
	lines chan plainLine // nil before the first line; closed when the goroutine has ended
	stop  chan struct{}
}

type plainLine struct {
	text string
	err  error
}

func newPlainReader(r *REPL, in io.Reader) *plainReader {
	return &plainReader{repl: r, in: in, stop: make(chan struct{})}
}

func (p *plainReader) Line(ctx context.Context, a ask) (string, bool, error) {
	p.repl.forget()
	if p.lines == nil {
		p.lines = make(chan plainLine)
		go p.read() // ends when the input is canceled; Close waits for it
	}
	_, _ = io.WriteString(p.repl.out, a.prompt+visible(a.text))
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", false, io.EOF
		}
		if line.err == io.EOF {
			_, _ = io.WriteString(p.repl.out, "\n")
		}
		return a.text + line.text, false, line.err
	case <-p.repl.interrupts: // the terminal has thrown away what was typed
		_, _ = io.WriteString(p.repl.out, "\n")
		return "", false, errInterrupt
	case <-ctx.Done():
		_, _ = io.WriteString(p.repl.out, "\n")
		return "", false, ctx.Err()
	}
}

// Write prints lines where the cursor is: nothing can be taken back on this terminal.
func (p *plainReader) Write(lines []byte) (int, error) { return p.repl.out.Write(lines) }

func (p *plainReader) read() {
	defer close(p.lines)
	buf := bufio.NewReader(p.in)
	for {
		text, err := buf.ReadString('\n')
		if err == io.EOF && text != "" { // ctrl+d after text: the terminal hands over what there is
			err = nil
		}
		select {
		case p.lines <- plainLine{strings.TrimRight(text, "\r\n"), err}:
		case <-p.stop:
			return
		}
		if err != nil && err != io.EOF { // after ctrl+d a terminal can be read on
			return
		}
	}
}

func (p *plainReader) Close() error {
	close(p.stop)
	if p.lines != nil {
		for range p.lines { // until the goroutine has ended
		}
	}
	return nil
}
