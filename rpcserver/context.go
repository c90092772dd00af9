package rpcserver

import (
	"context"
	"sync"
	"time"
)

// deadlineContext is the context of a call that came with a deadline. Most handlers never look at theirs, so the timer
// starts when Done is first asked for: one allocation instead of five.
type deadlineContext struct {
	context.Context // the connection's
	deadline        time.Time

	mu     sync.Mutex // protects the fields below
	err    error      // the first that Err gave, which then stays
	timed  context.Context
	cancel context.CancelFunc
}

func (d *deadlineContext) Deadline() (time.Time, bool) { return d.deadline, true }

func (d *deadlineContext) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.deadline)
		if d.err != nil {
			d.cancel()
		}
	}
	return d.timed.Done()
}

func (d *deadlineContext) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.err != nil:
	case d.timed != nil:
		d.err = d.timed.Err()
	case !time.Now().Before(d.deadline):
		d.err = context.DeadlineExceeded
	default:
		d.err = d.Context.Err()
	}
	return d.err
}

// Value goes to the timed context once there is one, so that package context finds it and needs no goroutine to follow it.
func (d *deadlineContext) Value(key any) any {
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}

// end is called when the handler has returned.
func (d *deadlineContext) end() {
	if d.Err() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err = context.Canceled; d.cancel != nil {
		d.cancel()
	}
}
