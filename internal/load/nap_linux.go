package load

import (
	"syscall"
	"time"
)

// precise naps in the kernel. A timer of the runtime waits in whole milliseconds when nothing else runs, which at 2000 calls a second is two of them.
var precise = sleeper{nap: nap, slack: 50 * time.Microsecond} // the kernel's timer slack, see prctl(2)

func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // a signal may end it early: the pacer looks at the clock again
}
