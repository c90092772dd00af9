package mux

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// pings are those of one connection: ours under way, and how fast either side may send them.
type pings struct {
	sent []*ping
	last uint64
	ours pace // what the peer allows, less one: on the way two pings may come closer
	its  pace // what we allow
}

func (c *Conn) pingsLocked() *pings {
	if c.pings == nil {
		c.pings = new(pings)
	}
	return c.pings
}

// ping is one of ours. end gets its time, or is closed with the connection.
type ping struct {
	number uint64
	at     time.Time
	end    chan time.Duration
}

// pace is a bucket that fills by one per interval: full is when it will have filled again.
type pace struct{ full time.Time }

// take reports whether there is one to take, and if not when there will be.
func (p *pace) take(now time.Time, interval time.Duration, burst int) (ok bool, at time.Time) {
	full := p.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(interval)
	if at = full.Add(-time.Duration(burst) * interval); at.After(now) {
		return false, at
	}
	p.full = full
	return true, now
}

// Ping asks the peer for a sign of life and returns how long that took. It waits while the peer would find another one too many.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	p := &ping{end: make(chan time.Duration, 1)}
	for {
		wait, err := c.sendPing(p)
		if err != nil {
			return 0, err
		}
		if wait == 0 {
			break
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return 0, ctx.Err()
		}
	}
	select {
	case d, ok := <-p.end:
		if !ok {
			return 0, &Lost{Cause: c.reason()}
		}
		return d, nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pings.forget(p)
		return 0, ctx.Err()
	}
}

// sendPing sends p, or says how long that has to wait.
func (c *Conn) sendPing(p *ping) (wait time.Duration, err error) {
	c.mu.Lock()
	if c.err != nil || c.broke != nil || !c.greeted {
		if err = c.shutLocked(); err == nil {
			err = failLocal(wire.Unavailable, "the connection is not ready")
		}
		c.mu.Unlock()
		return 0, err
	}
	now := time.Now()
	if ok, at := c.pingsLocked().ours.take(now, c.peer.Load().MinPing, pingBurst-1); !ok {
		c.mu.Unlock()
		return at.Sub(now), nil
	}
	c.pings.last++
	p.number, p.at = c.pings.last, now
	c.pings.sent = append(c.pings.sent, p)
	var b [wire.MaxPing]byte
	binary.BigEndian.PutUint64(b[:], p.number)
	c.controlLocked(wire.KindPing, 0, 0, b[:])
	c.unlockAndFlush(false)
	return 0, nil
}

// pingLocked answers a ping, or takes the answer to one of ours.
func (c *Conn) pingLocked(f *wire.Frame) error {
	if f.Flags&wire.FlagEnd == 0 {
		c.stats.Pings++
		if ok, _ := c.pingsLocked().its.take(c.in.now, c.cfg.Settings.MinPing, pingBurst); !ok {
			return breach(wire.PingFlood, "more than %d at once and one per %v", pingBurst, c.cfg.Settings.MinPing)
		}
		c.controlLocked(wire.KindPing, wire.FlagEnd, 0, f.Payload)
		return nil
	}
	if len(f.Payload) < wire.MaxPing {
		return nil // none of ours
	}
	number := binary.BigEndian.Uint64(f.Payload)
	if c.leaving != nil && c.leaving.ping == number {
		c.leftLocked()
		return nil
	}
	for _, p := range c.pingsLocked().sent {
		if p.number == number {
			c.pings.forget(p)
			p.end <- c.in.now.Sub(p.at)
			break
		}
	}
	return nil
}

func (p *pings) forget(one *ping) {
	for i, other := range p.sent {
		if other == one {
			p.sent = append(p.sent[:i], p.sent[i+1:]...)
			return
		}
	}
}

// fail ends those under way, with the connection.
func (p *pings) fail() {
	if p == nil {
		return
	}
	for _, one := range p.sent {
		close(one.end)
	}
	p.sent = nil
}
