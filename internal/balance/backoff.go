package balance

import (
	"math/rand/v2"
	"time"
)

// Backoff returns how long to wait after this many failures in a row: base after the first, doubled with each, at most max, and of that
// a random part between a half and the whole, so that many clients do not return together. rnd gives a number of 0 to n-1; nil:
// math/rand/v2. No failures, or no base: no wait.
func Backoff(failures int, base, max time.Duration, rnd func(n int) int) time.Duration {
	if failures <= 0 || base <= 0 {
		return 0
	}
	if rnd == nil {
		rnd = rand.IntN
	}
	wait := base
	for i := 1; i < failures && wait < max; i++ {
		wait += min(wait, max-wait)
	}
	wait = min(wait, max)
	return wait - time.Duration(float64(wait)/2*float64(rnd(1<<16))/(1<<16))
}
