package rpcserver

import (
	"time"

	"github.com/rpckids/rpckids/internal/socket"
)

// A connection that has been quiet for a while rests: its goroutine ends, and another one waits for the next byte and then goes on in its place. What
// handles messages has made the stack of the first one grow, and stacks as small as the new one's do not come back otherwise: for a server whose
// connections are idle that is a third of their memory.

// restAfter is how long nothing has come, and nothing been in flight, before a connection rests. Tests shorten it.
var restAfter = time.Second

// resting is no reason to end.
const resting Reason = "resting"

// woken is what ended a rest.
type woken struct {
	came []byte
	err  error
}

// rest waits for a byte, with as little as can be on the stack. It ends as live does.
func (c *conn) rest() {
	switch w := c.waiter(); {
	case c.v2 != nil:
		c.v2.mux.Rest()
	case w != nil:
		c.came = nil // it would hold the buffer
		c.dec.Release()
		w.Wait()
		c.armed = time.Time{} // a nearer one is due
	default:
		came, err := c.reader.Read()
		c.woken = &woken{came, err}
		c.armed = time.Time{}
	}
	c.live()
}

// rests reports whether the connection can: where it cannot be waited for without a read, there is no small stack either.
func (c *conn) rests() bool { return c.reader != nil || c.waiter() != nil }

// waiter is there inside TLS.
func (c *conn) waiter() socket.Waiter {
	if c.pass == nil {
		return nil
	}
	return c.pass.waiter
}

// quietLocked is when a connection on which nothing comes is to be looked at again; zero means never.
func (c *conn) quietLocked(now time.Time) (due time.Time) {
	if c.s.config.Idle > 0 {
		due = c.idle.Add(c.s.config.Idle)
		if c.inFlight > 0 {
			due = now.Add(c.s.config.Idle)
		}
	}
	if look := now.Add(restAfter); c.rests() && (due.IsZero() || look.Before(due)) {
		due = look
	}
	return due
}

// idled judges a connection that has brought nothing up to its deadline; "" means read on.
func (c *conn) idled(now time.Time) Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	quiet := now.Sub(c.idle)
	switch idle := c.s.config.Idle; {
	case c.why != "" || c.inFlight > 0:
		return ""
	case idle > 0 && quiet >= idle:
		return IdleTooLong
	case !c.rests() || quiet < restAfter || c.flushing:
		return ""
	case idle > 0:
		c.armed = c.idle.Add(idle)
		fallthrough
	default:
		c.nc.SetReadDeadline(c.armed)
		return resting
	}
}
