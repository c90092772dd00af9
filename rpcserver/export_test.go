package rpcserver

import "time"

// RestAfter changes how long connections are quiet before they rest, for servers that have none yet. It returns what it was.
func RestAfter(d time.Duration) (was time.Duration) {
	was, restAfter = restAfter, d
	return was
}
