package peer

import (
	"errors"
	"io"
)

// Magic is what a server of version 1 does on the four bytes that open version 2.
type Magic uint8

const (
	Complain    Magic = iota // fails the test: this client has no reason to ask
	Stay                     // stays open, reads on and says nothing
	CloseAtOnce              // closes, as the original article's server
	StayInStep               // drops the four bytes and goes on, as the original's later server
)

const magicBytes = "\xffRK2"

var errMagic = errors.New("the magic of version 2")

// meet does what m says; true means that the conversation goes on.
func (m Magic) meet(c *Conn) bool {
	if m == Stay {
		_, _ = io.Copy(recorder{c}, c.Conn) // until the client hangs up
	}
	return m == StayInStep
}

// met reports whether the bytes that c has sent so far are the magic and no
// more, and notes that. Only a server that does not complain lets it pass.
func (c *Conn) met() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.magic = c.magicOK && len(c.bytes) == len(magicBytes)
	return c.magic
}

// Magic reports whether this connection began with the magic of version 2.
func (c *Conn) Magic() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.magic
}

// recorder keeps what a silent server reads.
type recorder struct{ c *Conn }

func (r recorder) Write(p []byte) (int, error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.bytes = append(r.c.bytes, p...)
	return len(p), nil
}
