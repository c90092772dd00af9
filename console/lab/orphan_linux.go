package lab

import "syscall"

// orphaned has the system end a child when its console is gone, even one that stands still: where init, or whoever else inherits it, is of its session, as in a container,
// nothing would wake it.
func orphaned(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Pdeathsig = syscall.SIGKILL
	return a
}
