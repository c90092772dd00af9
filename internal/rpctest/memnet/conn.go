package memnet

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// defaultBuffer is what one direction holds when the caller names no size;
// close to what a kernel gives a fresh socket.
const defaultBuffer = 64 << 10

// ports numbers the ends, so that no two look alike in an error message.
var ports atomic.Int64

// Conn is one end of an in-memory connection. It behaves as a TCP connection
// does: a write returns once the bytes are in the peer's buffer and waits while
// that buffer is full; after Close the peer reads what was already written and
// then io.EOF. Its methods may be called from any goroutine.
type Conn struct {
	in, out       *lane
	local, remote Addr
}

// Addr names one end. All ends share the host "memory", as clients on one
// machine do, and differ in the port.
type Addr struct{ Port int64 }

// Network returns "memory".
func (a Addr) Network() string { return "memory" }

// String returns "memory:<port>", which net.SplitHostPort accepts.
func (a Addr) String() string { return fmt.Sprintf("memory:%d", a.Port) }

// Pipe returns the two ends of a new connection. Each direction holds buffer
// bytes (zero or less: 64 KiB); a writer that finds it full waits. Both ends
// have to be closed by whoever asked for them.
func Pipe(buffer int) (a, b *Conn) {
	return pipe(buffer, Addr{ports.Add(1)}, Addr{ports.Add(1)})
}

func pipe(buffer int, left, right Addr) (a, b *Conn) {
	if buffer <= 0 {
		buffer = defaultBuffer
	}
	there, back := newLane(buffer), newLane(buffer)
	return &Conn{in: back, out: there, local: left, remote: right},
		&Conn{in: there, out: back, local: right, remote: left}
}

// Read waits for bytes, the peer's end of writing (io.EOF), the read deadline
// (os.ErrDeadlineExceeded) or Close (net.ErrClosed).
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.explain("read", err)
}

// Write waits until all of p is in the peer's buffer. Cut short by the write
// deadline or by Close it says how much of p went out; a peer that has closed
// makes it fail with syscall.EPIPE.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.explain("write", err)
}

// TryWrite puts into the peer's buffer what fits right now and never waits; a
// full buffer gives 0 and no error.
func (c *Conn) TryWrite(p []byte) (int, error) {
	n, err := c.out.put(p)
	return n, c.explain("write", err)
}

// Close ends both directions and wakes everybody waiting on either end. A
// second Close does nothing.
func (c *Conn) Close() error {
	c.out.endWriting()
	c.in.endReading()
	return nil
}

// CloseWrite tells the peer that nothing more will come; reading goes on.
func (c *Conn) CloseWrite() error {
	c.out.endWriting()
	return nil
}

// LocalAddr returns the Addr of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the Addr of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines; the zero time removes them.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

// SetReadDeadline also ends a Read that is already waiting once t has come.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

// SetWriteDeadline also ends a Write that is already waiting once t has come.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// explain wraps a failure as package net does, so that code under test sees
// the same shape it will see from a socket. io.EOF stays bare.
func (c *Conn) explain(op string, err error) error {
	switch err {
	case net.ErrClosed, syscall.EPIPE, os.ErrDeadlineExceeded:
		return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
	}
	return err
}
