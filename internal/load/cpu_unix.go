//go:build unix

package load

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used of processors, in user code and in the kernel; ok is false where the system does not tell.
func cpuTime() (d time.Duration, ok bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
