//go:build unix

package mux

import (
	"io"
	"net"
	"syscall"

	"github.com/rpckids/rpckids/internal/wire"
)

// socket reads a plain socket into a decoder and holds no buffer while it waits, so that an idle connection costs little. It is for
// one goroutine.
type socket struct {
	raw  syscall.RawConn
	dec  *wire.FrameDecoder
	step func(fd uintptr) bool // made once: a read must not allocate
	n    int
	err  error
}

// newSocket returns nil for anything but a plain socket: what wraps one has its reasons.
func newSocket(nc net.Conn, dec *wire.FrameDecoder) *socket {
	var raw syscall.RawConn
	var err error
	switch c := nc.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	s := &socket{raw: raw, dec: dec}
	s.step = s.once
	return s
}

// read waits for bytes and puts them into the decoder.
func (s *socket) read() (n int, err error) {
	if err := s.raw.Read(s.step); err != nil {
		return 0, err
	}
	if s.n == 0 && s.err == nil {
		return 0, io.EOF
	}
	return s.n, s.err
}

// once returns false when there is nothing to read yet, and is called again when there is.
func (s *socket) once(fd uintptr) bool {
	b := s.dec.Space()
	s.n, s.err = syscall.Read(int(fd), b)
	for s.err == syscall.EINTR {
		s.n, s.err = syscall.Read(int(fd), b)
	}
	s.n = max(s.n, 0)
	if s.err == syscall.EAGAIN {
		s.dec.Release()
		return false
	}
	s.dec.Fed(s.n)
	return true
}
