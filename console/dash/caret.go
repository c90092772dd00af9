package dash

import (
	"bytes"
	"os"
	"strconv"
	"sync"
)

// caret keeps the terminal's own cursor on the cell being typed at, where an input method opens its window. Bubble Tea leaves the cursor on
// the last line, so each frame it writes gets the right place appended. The embedded file keeps it a terminal in the eyes of Bubble Tea.
type caret struct {
	*os.File // nil when the output is no file: then nothing is written

	mu   sync.Mutex // protects the fields below, and keeps frames whole
	x, y int        // the cell; x < 0 hides the cursor
	on   bool       // a frame was written: we are on the alternate screen
}

var (
	frameStart = []byte("\x1b[H") // every frame begins at the upper left corner
	hideCursor = []byte("\x1b[?25l")
)

// place says where the cursor belongs. now tells that no frame will follow because nothing else changed.
func (c *caret) place(x, y int, now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved := x != c.x || y != c.y
	c.x, c.y = x, y
	if now && moved && c.on && c.File != nil {
		_, _ = c.File.Write(c.appendPlace(nil)) // an error shows again with the next frame
	}
}

// Write passes a frame on with the cursor hidden while it is drawn. Everything else, as leaving the alternate screen, passes unchanged.
func (c *caret) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = bytes.HasPrefix(b, frameStart) && !bytes.Equal(b, frameStart)
	if !c.on {
		return c.File.Write(b)
	}
	out := make([]byte, 0, len(b)+32)
	out = append(append(out, hideCursor...), b...)
	if _, err := c.File.Write(c.appendPlace(out)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *caret) appendPlace(b []byte) []byte {
	if c.x < 0 {
		return append(b, hideCursor...)
	}
	b = append(b, "\x1b["...)
	b = strconv.AppendInt(b, int64(c.y+1), 10)
	b = append(b, ';')
	b = strconv.AppendInt(b, int64(c.x+1), 10)
	return append(b, "H\x1b[?25h"...)
}
