package rpcclient

import (
	"net"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

// Who would wait in line goes on at once where another connection has room, stays
// as long as one may come, and for good where none can.
func TestLine(t *testing.T) {
	for _, test := range []struct {
		name        string
		max         int
		first, next int // calls that run on two connections, this one included
		moves       int
		unmet       bool
		ends        bool // at once
		kept        bool // to be relieved later
	}{
		{"there is room", 4, 2, 2, 0, false, false, false},
		{"there may be room", 4, 1, 1, 0, true, false, true},
		{"another has room", 4, 3, 1, 0, false, true, false},
		{"another has room, and the pool is full", 2, 3, 1, 0, false, true, false},
		{"another may come", 4, 3, 2, 0, false, false, true},
		{"the pool is full", 2, 3, 2, 0, false, false, false},
		{"it was sent on often", 4, 3, 1, maxMoves, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New("a:1", &Config{Protocol: V2, Pool: Pool{Max: test.max}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			s := c.fleet.list[0]
			s.attempt = new(attempt) // nothing is dialed
			var conns []conn
			for _, n := range []int{test.first, test.next} {
				here, there := net.Pipe()
				defer here.Close()
				defer there.Close()
				cn := newV2Conn(s, here)
				cn.met.Store(!test.unmet)
				cn.peer.Store(&wire.Settings{MaxStreams: 2})
				for range n {
					cn.load.begin()
				}
				conns = append(conns, cn)
			}
			s.open.Store(&conns)
			l := &line{Context: t.Context(), conn: conns[0].(*v2Conn), moves: test.moves}
			l.Done()
			if ends, kept := l.Err() != nil, len(s.lines) == 1; ends != test.ends || kept != test.kept {
				t.Errorf("goes on at once: %v, want %v; waits to be relieved: %v, want %v", ends, test.ends, kept, test.kept)
			}
			s.mu.Lock()
			s.relieveLocked()
			s.mu.Unlock()
			if relieved := l.over(t.Context()); relieved != (test.ends || test.kept) || len(s.lines) != 0 {
				t.Errorf("relieved: %v, %d are left", relieved, len(s.lines))
			}
		})
	}
}
