//go:build unix

package socket

import (
	"io"
	"net"
	"syscall"
)

// plain returns the raw form of a bare socket, nil of anything else.
func plain(nc net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch c := nc.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	}
	if err != nil {
		return nil
	}
	return raw
}

// Reader reads a plain socket into a Buffer. It is for one goroutine.
type Reader struct {
	raw  syscall.RawConn
	into Buffer
	step func(fd uintptr) (done bool) // made once: a read must not allocate
	came []byte
	err  error
}

// NewReader returns nil for anything but a plain socket, whose bytes may be somebody else's to read.
func NewReader(nc net.Conn, into Buffer) *Reader {
	raw := plain(nc)
	if raw == nil {
		return nil
	}
	r := &Reader{raw: raw, into: into}
	r.step = r.once
	return r
}

// Read waits for bytes, puts them into the buffer, and returns them where they stand.
func (r *Reader) Read() (came []byte, err error) {
	if err := r.raw.Read(r.step); err != nil {
		return nil, err
	}
	came, r.came = r.came, nil // or an idle connection would hold the buffer
	if len(came) == 0 && r.err == nil {
		return nil, io.EOF
	}
	return came, r.err
}

// once returns false when there is nothing to read yet, and is called again when there is.
func (r *Reader) once(fd uintptr) (done bool) {
	b := r.into.Space()
	n, err := syscall.Read(int(fd), b)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), b)
	}
	if err == syscall.EAGAIN {
		r.into.Release()
		return false
	}
	r.came, r.err = b[:max(n, 0)], err
	r.into.Fed(len(r.came))
	return true
}

type writer struct {
	raw  syscall.RawConn
	step func(fd uintptr) (done bool) // made once: a write must not allocate
	p    []byte
	n    int
	err  error
}

func newWriter(nc net.Conn) Writer {
	raw := plain(nc)
	if raw == nil {
		return nil
	}
	w := &writer{raw: raw}
	w.step = w.once
	return w
}

// TryWrite makes one system call.
func (w *writer) TryWrite(p []byte) (n int, err error) {
	w.p = p
	err = w.raw.Write(w.step)
	w.p = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// once returns true always: written or not, that was it.
func (w *writer) once(fd uintptr) (done bool) {
	w.n, w.err = syscall.Write(int(fd), w.p)
	for w.err == syscall.EINTR {
		w.n, w.err = syscall.Write(int(fd), w.p)
	}
	w.n = max(w.n, 0)
	if w.err == syscall.EAGAIN {
		w.err = nil
	}
	return true
}

type waiter struct{ raw syscall.RawConn }

func newWaiter(nc net.Conn) Waiter {
	raw := plain(nc)
	if raw == nil {
		return nil
	}
	return &waiter{raw}
}

// Wait looks first: what came before would not be told of again. Errors are for the read that comes next.
func (w *waiter) Wait() { _ = w.raw.Read(isReadable) }

func isReadable(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	for err == syscall.EINTR {
		_, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	}
	return err != syscall.EAGAIN
}
