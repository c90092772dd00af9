package rpcclient

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
)

// gate lets so many calls onto a server at once; others wait in line, in order. Who
// finds a place takes no lock.
type gate struct {
	most int64

	_ [64]byte     // every call writes to what is between
	n atomic.Int64 // of calls that are on the server, and somebodyWaits while that is so
	_ [56]byte

	mu        sync.Mutex // protects the fields below
	line      list.List  // of chan struct{}, closed when it is their owner's turn
	dismissed bool       // nobody waits any more
}

const somebodyWaits = 1 << 40

// enter takes a place, if there is one that nobody waits for.
func (g *gate) enter() bool {
	for {
		n := g.n.Load()
		if n >= g.most {
			return false
		}
		if g.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// full reports whether there is no place now.
func (g *gate) full() bool { return g.n.Load() >= g.most }

// wait takes a place as soon as there is one, or returns the context's error.
func (g *gate) wait(ctx context.Context) error {
	turn := make(chan struct{})
	g.mu.Lock()
	if g.dismissed {
		g.n.Add(1)
		g.mu.Unlock()
		return nil
	}
	g.n.Or(somebodyWaits) // from here on who leaves looks at the line
	at := g.line.PushBack(turn)
	g.admitLocked()
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // at the same moment
		g.n.Add(-1)
	default:
		g.line.Remove(at)
	}
	g.admitLocked()
	return ctx.Err()
}

// leave gives a place back.
func (g *gate) leave() {
	if g.n.Add(-1) >= somebodyWaits {
		g.mu.Lock()
		g.admitLocked()
		g.mu.Unlock()
	}
}

// admitLocked lets those in line have the places that are free.
func (g *gate) admitLocked() {
	for g.line.Len() > 0 && g.n.Load()&(somebodyWaits-1) < g.most {
		g.nextLocked()
	}
	if g.line.Len() == 0 {
		g.n.And(^somebodyWaits)
	}
}

func (g *gate) nextLocked() {
	g.n.Add(1)
	close(g.line.Remove(g.line.Front()).(chan struct{}))
}

// dismiss ends the line of a server that has left the list: those in it find that
// there is no connection, and go elsewhere.
func (g *gate) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dismissed = true
	for g.line.Len() > 0 {
		g.nextLocked()
	}
	g.admitLocked()
}

func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.line.Len()
}
