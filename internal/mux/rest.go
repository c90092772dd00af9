package mux

import (
	"errors"
	"time"
)

// ErrResting is what Serve returns when nothing has come for a while, see Config.Rest. The connection is as it was, and nobody reads: its owner calls
// Rest, from a goroutine of its own that has little on its stack, and then Serve again.
var ErrResting = errors.New("resting")

// Rest waits until something comes, or the connection is to end. What it was Serve tells.
func (c *Conn) Rest() {
	if c.in.sock == nil {
		c.in.dec.Release()
		c.in.waiter.Wait()
	} else {
		came, err := c.in.sock.Read()
		c.in.woken = &woken{len(came), err}
	}
	c.in.armed = time.Time{} // a nearer one is due
}

// rests reports whether a server's reader that has found nothing for so long may rest.
func (c *Conn) rests(idle bool, quiet time.Duration) bool {
	return c.mayRest() && idle && quiet >= c.cfg.Rest && (c.cfg.Idle <= 0 || quiet < c.cfg.Idle)
}

func (c *Conn) mayRest() bool {
	return c.server && c.cfg.Rest > 0 && (c.in.sock != nil || c.in.waiter != nil)
}

// beginRest sets the deadline of the rest. The error says what Serve does.
func (c *Conn) beginRest(idleAt time.Time) error {
	due := time.Time{}
	if c.cfg.Idle > 0 {
		due = idleAt.Add(c.cfg.Idle)
	}
	if err := c.armAt(due); err != nil {
		return err
	}
	return ErrResting
}

// quietAt is when a server whose client is silent from now on looks at it again; zero means never.
func (c *Conn) quietAt(now time.Time) (due time.Time) {
	if c.cfg.Idle > 0 {
		due = now.Add(c.cfg.Idle)
	}
	if c.mayRest() {
		due = earlier(due, now.Add(c.cfg.Rest))
	}
	return due
}

// earlier returns the earlier one, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
