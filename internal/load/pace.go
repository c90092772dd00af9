package load

import (
	"context"
	"runtime"
	"time"
)

// sleeper is how the pacer waits for the next call.
type sleeper struct {
	nap   func(time.Duration) // for a short time; it may take a little longer
	slack time.Duration       // how much longer it takes at least, so it is asked for less
}

const (
	coarse   = 2 * time.Millisecond  // what is longer away is waited for with a timer, which can be off by a millisecond
	shortest = 50 * time.Microsecond // of a nap: calls that are due within it are handed out together
)

// pace hands out the numbers of calls when they are due, to whichever worker is free. Where none is it waits, and hands out all that have become due meanwhile at once.
// It returns how many calls were due and not made, because the time was over while all workers were busy.
func (p *pass) pace(ctx context.Context, slots chan<- int, s sleeper) (unmade int) {
	over := make(<-chan time.Time)
	if p.cfg.Duration > 0 {
		t := time.NewTimer(p.cfg.Duration)
		defer t.Stop()
		over = t.C
	}
	n := p.scheduled()
	for i := range n {
		if !p.await(ctx, p.due(i), s) {
			return 0
		}
		select {
		case slots <- i:
			continue
		default:
		}
		select {
		case slots <- i:
		case <-over:
			return n - i
		case <-ctx.Done():
			return 0
		}
	}
	return 0
}

// await returns true when it is time, false when ctx has ended.
func (p *pass) await(ctx context.Context, at time.Duration, s sleeper) bool {
	for first := true; ; first = false {
		left := at - time.Since(p.start) - s.slack
		switch {
		case left <= 0:
			return ctx.Err() == nil
		case left > coarse:
			t := time.NewTimer(left - coarse)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return false
			}
		default:
			if first {
				runtime.Gosched() // the workers that got a call go before: a nap keeps their processor for a while
			}
			s.nap(max(left, shortest-s.slack))
		}
	}
}
