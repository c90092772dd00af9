package repl

import (
	"errors"
	"os"
	"sync"

	"github.com/muesli/cancelreader"
)

// input is what the terminal sends. Waiting for it can be ended for good, by Cancel, or for one line, by Wake. It is read by one goroutine;
// the other methods are safe for concurrent use.
type input struct {
	file *os.File

	mu       sync.Mutex // protects the fields below
	reader   cancelreader.CancelReader
	woken    bool // the reader was canceled to end a line, and is not replaced yet
	canceled bool
}

func newInput(file *os.File) (*input, error) {
	r, err := cancelreader.NewReader(file)
	if err != nil {
		return nil, err
	}
	return &input{file: file, reader: r}, nil
}

// Read returns what the terminal sends. When the wait was ended by Wake it returns an enter, which ends the line that is being read.
func (i *input) Read(p []byte) (int, error) {
	i.mu.Lock()
	r := i.reader
	i.mu.Unlock()
	n, err := r.Read(p)
	if !errors.Is(err, cancelreader.ErrCanceled) {
		return n, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.woken || i.canceled {
		return n, err
	}
	if err := i.renewLocked(); err != nil {
		return 0, err
	}
	return copy(p, "\r"), nil
}

// Wake ends the wait of a Read that runs. Settle must follow when the line is over.
func (i *input) Wake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.canceled && !i.woken {
		i.woken = true
		i.reader.Cancel()
	}
}

// Settle makes the input ready for another line after a Wake that came too late for its own. No Read may run.
func (i *input) Settle() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.woken || i.canceled {
		return nil
	}
	return i.renewLocked()
}

// renewLocked replaces the canceled reader.
func (i *input) renewLocked() error {
	r, err := cancelreader.NewReader(i.file)
	if err != nil {
		return err
	}
	_ = i.reader.Close() // it holds nothing but the means to wake it
	i.reader, i.woken = r, false
	return nil
}

// Cancel ends all reading.
func (i *input) Cancel() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.canceled = true
	return i.reader.Cancel()
}

// Close frees what reading took; the terminal stays open.
func (i *input) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.reader.Close()
}
