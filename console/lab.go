package console

import (
	"context"
	"strings"
	"time"
)

// Lab is servers under the hand of the console, for watching what a client does when they fail. console/lab makes one of child processes. Servers count from 1. It is
// safe for concurrent use; its errors are *Error, also for a number that there is not.
type Lab interface {
	// Peers says how the servers are, in the order of their numbers.
	Peers() []LabPeer
	// Kill ends a server at once, as kill -9 does, and returns when it is gone.
	Kill(ctx context.Context, n int) error
	// Stop ends it in order: it finishes the calls that it has. It returns when it is gone.
	Stop(ctx context.Context, n int) error
	// Start starts one that has ended, at the address that it had, and returns when it serves.
	Start(ctx context.Context, n int) error
	// Pause stands a server still, with its connections open; Resume lets it run on.
	Pause(ctx context.Context, n int) error
	Resume(ctx context.Context, n int) error
	// Slow has every call of a server wait for d before it runs; 0 ends that.
	Slow(ctx context.Context, n int, d time.Duration) error
	// Fail has every call of a server fail with a code at once; "" ends that.
	Fail(ctx context.Context, n int, code string) error
}

// LabPeer is a server of a [Lab].
type LabPeer struct {
	Address string
	PID     int           // 0 while it does not run
	State   string        // "running", "paused", "killed", "stopping", "stopped"; "ended" when it ended by itself
	Slow    time.Duration // what each call waits for
	Fail    string        // the code that each call fails with
}

// The states of a LabPeer.
const (
	LabRunning  = "running"
	LabPaused   = "paused"
	LabKilled   = "killed"
	LabStopping = "stopping"
	LabStopped  = "stopped"
	LabEnded    = "ended"
)

// text is what the lab does to the server, "" for nothing.
func (l *LabPeer) text(ascii bool) string {
	switch {
	case l.State != LabRunning:
		return l.State
	case l.Fail != "":
		return "fails: " + l.Fail
	case l.Slow > 0:
		return "slow " + strings.Replace(strings.Replace(Duration(l.Slow, ascii), ".00 ", " ", 1), ".0 ", " ", 1)
	}
	return ""
}

// Runs says whether there is a process, even one that stands still.
func (l *LabPeer) Runs() bool {
	return l.State == LabRunning || l.State == LabPaused || l.State == LabStopping
}
