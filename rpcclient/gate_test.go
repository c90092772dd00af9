package rpcclient

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Many callers, some of whom lose patience: never more than the limit are on the
// server, who waits gets its turn, and nothing is left behind.
func TestGateHolds(t *testing.T) {
	const most = 3
	g := gate{most: most}
	var on, highest, ran, gone atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.N(4) == 0 {
					go cancel() // ends at once
				}
				if !g.enter() && g.wait(ctx) != nil {
					cancel()
					gone.Add(1)
					continue
				}
				for n := on.Add(1); ; {
					h := highest.Load()
					if n <= h || highest.CompareAndSwap(h, n) {
						break
					}
				}
				on.Add(-1)
				ran.Add(1)
				g.leave()
				cancel()
			}
		})
	}
	wg.Wait()
	if highest.Load() > most || ran.Load()+gone.Load() != 64*500 || g.n.Load() != 0 || g.waiting() != 0 {
		t.Errorf("%d at once, %d ran and %d left; then n is %d and %d wait", highest.Load(), ran.Load(), gone.Load(), g.n.Load(), g.waiting())
	}
}

// Those in line have their turns in order, and nobody who comes later overtakes them.
func TestGateKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{most: 1}
		if !g.enter() {
			t.Fatal("no place at an empty server")
		}
		order := make(chan int, 3)
		for i := range 3 {
			go func() { // ends with its turn
				if err := g.wait(t.Context()); err != nil {
					t.Error(err)
				}
				order <- i
				g.leave()
			}()
			synctest.Wait()
		}
		if g.waiting() != 3 || g.enter() {
			t.Errorf("%d wait, and somebody may overtake them", g.waiting())
		}
		g.leave()
		for i := range 3 {
			if got := <-order; got != i {
				t.Errorf("turn %d was caller %d's", i, got)
			}
		}
		synctest.Wait()
		if !g.enter() || g.enter() {
			t.Error("afterwards there is not one place")
		}
	})
}

// A line that is dismissed is on the server all at once, and the limit holds again
// when they have left.
func TestGateDismisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{most: 1}
		g.enter()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := g.wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		g.dismiss()
		wg.Wait()
		for range 6 {
			if g.enter() {
				t.Error("a place on a server that has more than it may")
			}
			g.leave()
		}
		if !g.enter() || g.enter() {
			t.Error("afterwards there is not one place")
		}
	})
}

// A caller that comes to the line of a server that has just left the list does not
// wait for that server's last calls.
func TestGateAfterDismissal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{most: 1}
		g.enter() // a call that lasts
		g.dismiss()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := g.wait(ctx); err != nil || time.Since(start) != 0 {
			t.Errorf("it waited %v, %v", time.Since(start), err)
		}
	})
}
