package rpcclient

import (
	"math"
	"testing"
)

// Casts that are written at the same time may be noted in any order; the newest is the one that counts, and a long one until a ping.
func TestNewestCastCounts(t *testing.T) {
	for _, test := range []struct {
		casts []call
		want  uint32
	}{
		{[]call{{stream: 5}, {stream: 7}}, 7},
		{[]call{{stream: 7}, {stream: 5}}, 7},
		{[]call{{stream: 7, payload: make([]byte, 16<<10)}, {stream: 9}}, math.MaxUint32},
	} {
		c := new(v2Conn)
		for i := range test.casts {
			c.noteCast(&test.casts[i])
		}
		if got := c.casts.Load(); got != test.want {
			t.Errorf("noted %d, want %d", got, test.want)
		}
	}
}
