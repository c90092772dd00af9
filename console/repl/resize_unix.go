//go:build unix

package repl

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyResize sends to c when the terminal gets another size.
func notifyResize(c chan<- os.Signal) { signal.Notify(c, syscall.SIGWINCH) }
