//go:build !unix

package rpcclient

import "syscall"

// newRawWriter returns nil: here every write goes through the writer goroutine.
func newRawWriter(syscall.Conn) tryWriter { return nil }
