package mux

import (
	"errors"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Serve reads until the connection ends and says why: a *wire.Breach, an *End, or what Close was given. Its caller is the reader.
// first is what has been read of the socket already: a server's magic may be there, in whole or in part. When Serve returns the
// socket is closed, the writer has ended and all streams have; but see ErrResting.
func (c *Conn) Serve(first []byte) error {
	err := c.read(first)
	if err == ErrResting {
		return err
	}
	c.over(err)
	return c.err
}

// over ends the connection, for the reason that the reader has found unless there was one before.
func (c *Conn) over(err error) {
	patience := farewell
	c.mu.Lock()
	if err = c.departedLocked(err); c.err == nil {
		c.err = err
		if b, ok := errors.AsType[*wire.Breach](err); ok && c.server && c.greeted {
			c.parting = true
			if b.Reason == wire.SlowMessage { // it has been waited for
				patience /= 2
			}
			c.bye = wire.Farewell{Last: c.lastID, Code: breachCode(b), Text: b.Error()}
			c.sendGoAwayLocked()
		}
	}
	tell := c.endAllLocked()
	parting := c.parting && !c.mute
	c.unlock()
	for _, s := range tell {
		s.tell()
	}
	if parting {
		c.part(patience)
	}
	c.Close(err)
	c.writers.Wait()
	c.in.dec.Release()
}

func breachCode(b *wire.Breach) wire.Code {
	if b.Reason == wire.PingFlood || b.Reason == wire.RapidReset {
		return wire.ResourceExhausted
	}
	return wire.InvalidArgument
}

// part writes what waits and lets the peer close first: closing with bytes unread sends a reset, and that can destroy what the peer
// has not read yet. All of it together takes no longer than patience.
func (c *Conn) part(patience time.Duration) {
	over := time.NewTimer(patience)
	defer over.Stop()
	until := time.Now().Add(patience)
	flushed := make(chan struct{}, 1)
	c.mu.Lock()
	c.flushed = flushed
	for (c.flushing || c.outLocked()) && !c.mute {
		c.unlockAndFlush(false)
		select {
		case <-flushed:
		case <-over.C:
			return
		}
		c.mu.Lock()
	}
	c.mu.Unlock()
	if w, ok := c.nc.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(until)
	b := make([]byte, 4<<10)
	for dropped := 0; dropped < dropMost; {
		n, err := c.nc.Read(b)
		if dropped += n; err != nil {
			return
		}
	}
}

// dropMost is how much a connection that has ended still reads: who sends more than that does not listen either.
const dropMost = 1 << 20
