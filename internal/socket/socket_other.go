//go:build !unix

package socket

import "net"

// Reader is not for this system: NewReader returns nil.
type Reader struct{}

// NewReader returns nil.
func NewReader(net.Conn, Buffer) *Reader { return nil }

// Read is never called.
func (*Reader) Read() (came []byte, err error) { panic("no socket") }

func newWriter(net.Conn) Writer { return nil }
func newWaiter(net.Conn) Waiter { return nil }
