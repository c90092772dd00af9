// Package socket reads and writes sockets as both libraries need it: a read that holds no buffer while it waits, so that an idle connection costs
// little, and a write that takes what fits now and never waits. Where a system or a connection has no such way, there is none here either, and
// its owner reads and writes in the ordinary one.
package socket

import "net"

// Buffer is where a Reader puts bytes; the decoders of internal/wire are such.
type Buffer interface {
	Space() []byte // where the next bytes go, never empty
	Fed(n int)     // so many were put there
	Release()      // nothing will come for a while
}

// Writer writes what fits at once: 0 bytes and no error mean that there is no room. It is for one goroutine at a time.
type Writer interface {
	TryWrite(p []byte) (n int, err error)
}

// Waiter waits until there is something to read, or the read deadline has passed, and reads nothing. It is for the goroutine that reads, and only
// right after a read that came to its deadline: TLS has then given all that it can make of what it has read.
type Waiter interface{ Wait() }

// NewWaiter returns a way to wait for the plain socket that is below a Secure, or nil.
func NewWaiter(nc net.Conn) Waiter {
	if s, ok := nc.(*Secure); ok {
		return newWaiter(s.below.Conn)
	}
	return nil
}

// NewWriter returns a way to write to nc without waiting: nc's own, or for a plain socket the system's. nil means that every write may wait.
// What wraps a socket has its reasons, and is not written past.
func NewWriter(nc net.Conn) Writer {
	if w, ok := nc.(Writer); ok {
		return w
	}
	return newWriter(nc)
}
