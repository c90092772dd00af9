//go:build !linux

package load

import "time"

// precise is what the runtime's timers can do.
var precise = sleeper{nap: time.Sleep}
