package mux

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// What is taken out of the outbox again moves the end of a long cast, which began before and whose last fragment stands behind it, whether or not what
// stands between them is taken out, too.
func TestUnsendBeforeTheEndOfALongCast(t *testing.T) {
	for name, more := range map[string]bool{"one after the other": false, "one more": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				c := New(a, role(a, nil, Client))
				c.Start(true)
				served := make(chan error, 1)
				go func() { served <- c.Serve(nil) }() // received below
				open := func(method string, size int, oneWay bool) *Stream {
					t.Helper()
					s, err := c.Open(t.Context(), &Request{Method: method, OneWay: oneWay, End: true, Payload: make([]byte, size)})
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				open("m", 1, false) // names the method
				synctest.Wait()     // it is being written, and nobody reads
				open("m", 1, false)
				given := []*Stream{open("m", 16_300, false), open("m", 16_300, false), open("m", 16_300, false)}
				long := open("cast", 46<<10, true)
				between := open("m", 10<<10, false)
				for _, s := range given {
					s.Release()
				}
				open("m", 18<<10, false) // lets the cast's last fragment enter
				if long.left != nil || long.lastByte == 0 {
					t.Fatalf("the cast is not all in the outbox, %d bytes are left", len(long.left))
				}
				if more {
					between.Release()
				}
				go io.Copy(io.Discard, b) // ends with b
				synctest.Wait()
				c.mu.Lock()
				ended, end, taken := long.ended, long.lastByte, c.taken
				c.mu.Unlock()
				if !ended || end > taken {
					t.Errorf("the cast has ended: %v; its last byte is %d, and all %d were written", ended, end, taken)
				}
				if err := long.Written(t.Context()); err != nil {
					t.Error(err)
				}
				c.Close(errOver)
				b.Close()
				<-served
			})
		})
	}
}
