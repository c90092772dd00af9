//go:build unix

package rpcclient

import "syscall"

// rawWriter writes to a socket without waiting for it. It is for one goroutine
// at a time.
type rawWriter struct {
	raw  syscall.RawConn
	step func(fd uintptr) bool // made once: a closure per write would be an allocation
	p    []byte
	n    int
	err  error
}

func newRawWriter(sock syscall.Conn) tryWriter {
	raw, err := sock.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{raw: raw}
	w.step = w.once
	return w
}

// TryWrite makes one system call.
func (w *rawWriter) TryWrite(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.step)
	w.p = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// once returns true always: true means done, and done is what we are, written or not.
func (w *rawWriter) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.p)
		switch err {
		case nil:
			w.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			w.err = err
		}
		return true
	}
}
