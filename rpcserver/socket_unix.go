//go:build unix

package rpcserver

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/rpckids/rpckids/internal/wire"
)

// socket tries a socket without waiting: a write takes what the peer takes now, and a read holds no buffer while it waits,
// so that an idle connection costs little. Reads and writes are each for one goroutine at a time.
type socket struct {
	raw syscall.RawConn
	dec *wire.Decoder

	reader  func(fd uintptr) bool // made once: a call must not allocate
	got     []byte
	readErr error

	writer   func(fd uintptr) bool
	out      []byte
	wrote    int
	writeErr error
}

// newSocket returns nil for anything but a plain socket, whose bytes may be somebody else's to read.
func newSocket(nc net.Conn, dec *wire.Decoder) *socket {
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
	s.reader, s.writer = s.readNow, s.writeNow
	return s
}

// read waits for bytes, puts them into the decoder and returns them where they stand.
func (s *socket) read() (came []byte, err error) {
	if err := s.raw.Read(s.reader); err != nil {
		return nil, err
	}
	came, s.got = s.got, nil // or an idle connection would hold the buffer
	if len(came) == 0 && s.readErr == nil {
		return nil, io.EOF
	}
	return came, s.readErr
}

func (s *socket) readNow(fd uintptr) (done bool) {
	b := s.dec.Space()
	n, err := syscall.Read(int(fd), b)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), b)
	}
	s.got, s.readErr = b[:max(n, 0)], err
	if err == syscall.EAGAIN {
		s.got = nil
		s.dec.Release()
		return false
	}
	s.dec.Fed(len(s.got))
	return true
}

// TryWrite writes what fits now.
func (s *socket) TryWrite(b []byte) (n int, err error) {
	s.out = b
	err = s.raw.Write(s.writer)
	s.out = nil
	if err != nil {
		return 0, err
	}
	return s.wrote, s.writeErr
}

func (s *socket) writeNow(fd uintptr) (done bool) {
	s.wrote, s.writeErr = syscall.Write(int(fd), s.out)
	for s.writeErr == syscall.EINTR {
		s.wrote, s.writeErr = syscall.Write(int(fd), s.out)
	}
	s.wrote = max(s.wrote, 0)
	if s.writeErr == syscall.EAGAIN {
		s.writeErr = nil
	}
	return true
}
