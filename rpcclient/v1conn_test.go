package rpcclient

import (
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
)

// A conn that retires between a write that was cut short and the writer's turn:
// the call of which a part has left stays, the one behind it goes elsewhere, and
// nothing more of either is written here.
func TestRetireBetweenTwoWrites(t *testing.T) {
	client, err := New("memory:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := memnet.Pipe(1 << 10)
	defer ours.Close()
	defer theirs.Close()
	c := newV1Conn(client.fleet.only.Load(), ours)
	first, second := client.begin(t.Context(), "a", nil), client.begin(t.Context(), "b", nil)

	c.mu.Lock()
	c.admitLocked(first)
	c.admitLocked(second)
	c.flushing = true
	buf := c.grabLocked()
	c.tookLocked(5)
	c.rest = buf[5:]
	c.retireLocked(errRetired)
	c.mu.Unlock()

	if second.place != withCaller || second.mayHaveLeft || len(second.done) != 1 {
		t.Errorf("the call behind: place %d, may have left %v; want it back, not left", second.place, second.mayHaveLeft)
	}
	if first.place != inFlight || len(first.done) != 0 {
		t.Errorf("the call in front: place %d, want it to wait for its reply", first.place)
	}
	c.writers.Add(1)
	c.write()
	if c.taken != 5 || c.flushing {
		t.Errorf("%d bytes taken, flushing %v; want 5 and the mark given back", c.taken, c.flushing)
	}
	c.close(errClosed)
	if !first.mayHaveLeft || first.err != error(errClosed) {
		t.Errorf("the call in front ends with %v, may have left %v", first.err, first.mayHaveLeft)
	}
}
