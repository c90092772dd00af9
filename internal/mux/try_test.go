package mux

import (
	"net"
	"syscall"
)

// tryTCP writes to a socket without waiting for it.
func tryTCP(nc net.Conn) func(p []byte) (int, error) {
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		panic(err)
	}
	var n int
	var failed error
	var out []byte
	step := func(fd uintptr) bool {
		if n, failed = syscall.Write(int(fd), out); failed == syscall.EAGAIN {
			failed = nil
		}
		n = max(n, 0)
		return true
	}
	return func(p []byte) (int, error) {
		out, n = p, 0
		if err := raw.Write(step); err != nil {
			return 0, err
		}
		return n, failed
	}
}
