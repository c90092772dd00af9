//go:build unix && !linux

package lab

import "syscall"

// orphaned leaves it to the end of standard input, and to what [apart] says.
func orphaned(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }
