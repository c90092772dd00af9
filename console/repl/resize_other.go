//go:build !unix

package repl

import "os"

// notifyResize does nothing: the next key draws for the new size.
func notifyResize(chan<- os.Signal) {}
