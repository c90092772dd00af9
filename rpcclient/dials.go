package rpcclient

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// dialsAtOnce is how many servers of one client are dialed at the same time.
const dialsAtOnce = 64

// dials says who may dial: one at a time for each server, and few in all. The zero
// value is ready.
type dials struct {
	mu    sync.Mutex // protects the fields below
	at    map[*server]bool
	queue []turn // in order
}

type turn struct {
	server *server
	come   chan struct{}
}

// take waits until s may dial. It has to be given back, unless ctx ended first.
func (d *dials) take(ctx context.Context, s *server) error {
	d.mu.Lock()
	if d.freeLocked(s) {
		d.beginLocked(s)
		d.mu.Unlock()
		return nil
	}
	t := turn{s, make(chan struct{})}
	d.queue = append(d.queue, t)
	d.mu.Unlock()
	select {
	case <-t.come:
		return nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, other := range d.queue {
		if other == t {
			d.queue = append(d.queue[:i], d.queue[i+1:]...)
			return ctx.Err()
		}
	}
	return nil // its turn has come at the same moment
}

func (d *dials) freeLocked(s *server) bool { return len(d.at) < dialsAtOnce && !d.at[s] }

func (d *dials) beginLocked(s *server) {
	if d.at == nil {
		d.at = make(map[*server]bool)
	}
	d.at[s] = true
}

// give ends s's turn and lets others have theirs.
func (d *dials) give(s *server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.at, s)
	keep := d.queue[:0]
	for _, t := range d.queue {
		if d.freeLocked(t.server) {
			d.beginLocked(t.server)
			close(t.come)
		} else {
			keep = append(keep, t)
		}
	}
	clear(d.queue[len(keep):])
	if d.queue = keep; len(d.at) == 0 && len(keep) == 0 {
		d.at, d.queue = nil, nil
	}
}

// maxRedial is how long a call that has no deadline waits for a server at whose
// address nothing listens. One that has waits until then, or for maxHoldOff.
const maxRedial = time.Second

// redial is how one call bears with servers that are not there: they may be about
// to start again, and nothing of it was sent. The zero value has borne nothing.
type redial struct {
	until time.Time
	why   error // what it has borne last
	met   bool  // a connection nevertheless
}

// again returns nil if the call is to wait for the next dial, as others do that share
// it, or else the error that it fails with.
func (r *redial) again(ctx context.Context, c *Client, err error) error {
	f, ok := err.(*failure)
	switch {
	case !ok:
		return err
	case r.why != nil && f.kind == ErrContext && f.status.Code == DeadlineExceeded:
		return r.why
	case c.cfg.Retry.Attempts == 1 || !f.nobodyThere():
		return err
	case r.why == nil:
		r.begin(ctx)
	}
	in, up := c.fleet.redialIn()
	switch {
	case up && r.met, !up && time.Now().Add(in).After(r.until):
		return err
	}
	r.why, r.met = err, up // if the next try fails as well, it is another connection that cannot be had
	return nil
}

func (r *redial) begin(ctx context.Context) {
	deadline, ok := ctx.Deadline()
	if r.until = time.Now().Add(maxHoldOff); !ok {
		r.until = time.Now().Add(maxRedial)
	} else if deadline.Before(r.until) {
		r.until = deadline
	}
}

// nobodyThere reports whether nothing listens at the address, for now.
func (f *failure) nobodyThere() bool {
	return f.kind == ErrConnect && (errors.Is(f.cause, syscall.ECONNREFUSED) || errors.Is(f.cause, os.ErrNotExist))
}

// redialIn is how long it is until the first of the servers is dialed again; up says
// that one is connected.
func (f *fleet) redialIn() (in time.Duration, up bool) {
	list, _ := f.servers()
	in = backoffMax
	for _, s := range list {
		s.mu.Lock()
		in = min(in, time.Until(s.retryAt))
		s.mu.Unlock()
		up = up || s.open.Load() != nil
	}
	return in, up
}
