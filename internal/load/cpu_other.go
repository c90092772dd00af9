//go:build !unix && !windows

package load

import "time"

// cpuTime is not told by this system.
func cpuTime() (d time.Duration, ok bool) { return 0, false }
