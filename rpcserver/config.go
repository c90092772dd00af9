package rpcserver

import (
	"log/slog"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Config sets up a Server. A nil *Config and the zero value mean the safe defaults; a field out of its range is brought
// into it, as said beside it, so that New cannot fail. New copies the Config.
type Config struct {
	// Workers is how many handlers run at once. 0 or less means 16.
	Workers int
	// Queue is how many calls wait for a worker. 0 means 1000, less means none. When it is full the reader of the
	// connection runs the call itself, so its peer feels it; a peer of ours gets resource_exhausted at once instead.
	Queue int
	// Idle closes a connection after this long without a byte and without a running call. 0 means 60 s, less means never.
	Idle time.Duration
	// HalfMessage closes a connection whose message is not complete this long after its first byte. 0 or less means 10 s.
	HalfMessage time.Duration
	// WriteStall closes a connection that takes no byte of what waits for it for this long. 0 or less means 10 s.
	WriteStall time.Duration
	// MaxMessage is the largest type name or payload in bytes, in both directions. 0 or less means 1 MiB, which is all that the
	// original's programs take; more than 1 GiB means 1 GiB.
	MaxMessage int
	// MaxConnMemory is how many bytes of requests and items are held for one connection before its reader pauses; on version 2, before the
	// stream that would bring more fails. As much may wait to be sent, or what all workers can answer if that is more. 0 or less means 16 MiB;
	// less than MaxMessage means MaxMessage.
	MaxConnMemory int
	// MaxStreams is how many calls and streams a peer of version 2 may have open at once on a connection. 0 or less means 512; more
	// than a million means a million.
	MaxStreams int
	// Window is how many bytes of items a stream's caller may send before they are taken, on version 2. 0 means 64 KiB, which is also the
	// least; more than 1 GiB means 1 GiB.
	Window int
	// V1Only switches version 2 of the wire off.
	V1Only bool
	// Logger gets a line per connection and per message. nil is silent and costs nothing.
	Logger *slog.Logger
	// Observer is told what happens. nil costs nothing.
	Observer *Observer
}

const (
	// lastCalls is how long a connection that is about to close after an error waits for its other calls.
	lastCalls = 5 * time.Second
	// lastBytes is how long it then reads and drops what still comes, so that its last answer is not lost to a reset.
	lastBytes = time.Second
	// retryAfter is what a peer of ours is told when the queue is full.
	retryAfter = 100 * time.Millisecond
	// maxOutbox is how many bytes of replies may wait for a peer before its calls wait too.
	maxOutbox = 1 << 20
)

func (c *Config) withDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	d.Workers = positive(d.Workers, 16)
	if d.Queue == 0 {
		d.Queue = 1000
	}
	d.Queue = max(d.Queue, 0)
	if d.Idle == 0 {
		d.Idle = 60 * time.Second
	}
	d.HalfMessage = positive(d.HalfMessage, 10*time.Second)
	d.WriteStall = positive(d.WriteStall, 10*time.Second)
	d.MaxMessage = min(positive(d.MaxMessage, wire.MaxString), 1<<30)
	d.MaxStreams = min(positive(d.MaxStreams, 512), 1_000_000)
	d.Window = min(max(d.Window, wire.MinWindow), 1<<30)
	d.MaxConnMemory = max(positive(d.MaxConnMemory, 16<<20), d.MaxMessage)
	return d
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
