package rpcclient

import (
	"context"
	"sync"
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
