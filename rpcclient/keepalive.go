package rpcclient

import (
	"context"
	"time"
)

// Keepalive finds out about connections whose other end is gone without a word:
// a machine that lost its power, a process that hangs. It needs version 2. The
// zero value means the defaults.
//
// A server that owes answers and sends nothing for Silence is asked for a sign of
// life, also when the calls have been given up meanwhile; without one within Timeout the connection is lost, and so are its calls,
// which may go elsewhere. A server is never asked more often than it says in its
// SETTINGS that it likes.
//
// A connection that carries nothing is left alone, so that a server gets rid of
// clients that have nothing to say: ours closes them after a minute, and the next
// call connects again. If connections have to stay, or something on the way
// forgets quiet ones, set Idle: then the server is asked that often, and does not
// find the connection idle.
type Keepalive struct {
	Idle    time.Duration // 0 means never
	Silence time.Duration // 0 means 15 s
	Timeout time.Duration // 0 means 5 s
	Off     bool
}

// keepAlive asks for a sign of life if it is time. Rounds come at intervals, so it
// asks rather one too early than too late.
func (c *v2Conn) keepAlive(now time.Time) {
	k, p := &c.cfg.Keepalive, c.pulse
	step := c.server.client.fleet.pace()
	due := p.owed && now.Sub(p.quiet) > k.Silence-step
	if !p.owed && k.Idle > 0 {
		due = now.Sub(p.quiet) > k.Idle-step
	}
	if !due || !c.answered() || now.Sub(p.pinged) < max(k.Timeout, c.mux.Peer().MinPing) {
		return
	}
	p.pinged = now
	c.server.client.fleet.spawn(func() { _ = c.ping() }) // ends with the answer or after Timeout
}

// ping asks for a sign of life, and loses the connection if there is none.
func (c *v2Conn) ping() error {
	limit := c.cfg.Keepalive.Timeout
	before := c.bytesIn()
	ctx, cancel := context.WithTimeout(c.server.ctx, limit)
	defer cancel()
	_, err := c.mux.Ping(ctx)
	if err == nil || c.server.ctx.Err() != nil || ctx.Err() == nil || c.bytesIn() != before {
		return err
	}
	why := fail(ErrConnectionLost, Unavailable, err, "connection lost: the server gave no sign of life within %v", limit)
	c.server.lose(c, why)
	return why
}
