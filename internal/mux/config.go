package mux

import (
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Role is the end of the connection that we are.
type Role uint8

// The roles.
const (
	Client Role = iota // opens streams
	Server             // serves them
)

// Config tells a Conn what it may use and whom to tell. New copies it. Functions that are nil are not called; the others are called
// with no lock held, most of them by the reader, and must not block.
type Config struct {
	Role Role
	// Settings are what we announce, and what we hold the peer to. No MaxMessage means wire.DefaultSettings.
	Settings wire.Settings
	// WriteStall closes a connection that takes no byte of what waits for it for this long. 0 means 10 s.
	WriteStall time.Duration
	// HalfMessage closes a connection whose frame is not complete, or whose message in fragments has not brought 16 KiB more or
	// its end, for this long. 0 means 10 s.
	HalfMessage time.Duration
	// Idle, of a server: after this long without a stream and without a byte the client is told to go. 0 means never.
	Idle time.Duration
	// Rest, of a server, is after how long without a stream and without a byte Serve returns ErrResting. It has an effect only on sockets,
	// plain or below TLS. 0 means never.
	Rest time.Duration
	// MaxConnMemory is how many bytes are held of what came from this peer: messages that their consumers have not done with, whole
	// or in part. The message that would cross it fails its stream. 0 means 16 MiB. A peer for which more than 15/16 of that
	// waits to be written, and that takes nothing of it for a second, is cut as after WriteStall.
	MaxConnMemory int
	// MaxUnsent is how many bytes may wait to be written. The last message of a stream that would cross it fails the stream; all else
	// waits long before. 0 means MaxConnMemory.
	MaxUnsent int
	// MaxOutbox is how many bytes may wait to be written before Crowded is true, and Open and Send wait. 0 means 1 MiB.
	MaxOutbox int
	// Traffic counts the bytes of all connections that share it. nil counts for this one alone.
	Traffic *Traffic
	// Compress sends messages from 1 KiB compressed where the peer announced that it inflates them.
	Compress bool
	// TryWrite writes what fits at once and never waits: 0 bytes and no error mean that the socket is full. It is called by one
	// goroutine at a time. nil: every write may wait, and is left to a goroutine.
	TryWrite func(p []byte) (n int, err error)

	// Lookup, of a server, returns what serves a method, for Stream.Method; nil for nothing. It is called with the Conn's lock held.
	Lookup func(name []byte) any
	// Opened, of a server, gets every new stream, from the reader, when its first message is complete or there is none. It must not
	// block. Whoever it gives the stream to owes it a Done.
	Opened func(*Stream)
	// Refused is told how many streams were not taken, or failed before they ran, and why. For a server; from any goroutine.
	Refused func(why Refusal, streams int)
	// Batch, of a server, is called by the reader when all frames of one read have been handled, before it flushes.
	Batch func()
	// Drained is called when Crowded has become false.
	Drained func()
	// Ready is called by the reader when the peer's SETTINGS have come.
	Ready func()
	// Retired, of a client, is called once, when the connection takes no new streams any more: GOAWAY came, or the ids are used up.
	// Streams that run go on, and the connection closes with the last of them. It is not called for what the owner itself began.
	Retired func(wire.Farewell)
	// Log gets at most a line a second about streams that this end had to refuse or fail. The text is safe to print.
	Log func(text string)
}

const (
	lowOutbox  = 64 << 10 // fragments of long messages enter while less than this waits
	maxFirst   = 14 << 20 // of first messages that a client has open: with one more, no more than a server holds by default
	zipFrom    = 1 << 10  // messages from here are worth compressing
	farewell   = time.Second
	pingBurst  = 10
	resetLimit = 1000 // cancels a second that a server takes, if they are over half of the OPENs
)

func (c *Config) withDefaults() Config {
	d := *c
	if d.Settings.MaxMessage == 0 {
		d.Settings = wire.DefaultSettings()
	}
	d.Settings.Window = max(d.Settings.Window, wire.MinWindow)
	if d.Settings.MinPing <= 0 {
		d.Settings.MinPing = wire.DefaultSettings().MinPing
	}
	d.WriteStall = positive(d.WriteStall, 10*time.Second)
	d.HalfMessage = positive(d.HalfMessage, 10*time.Second)
	d.MaxConnMemory = positive(d.MaxConnMemory, 16<<20)
	d.MaxUnsent = positive(d.MaxUnsent, d.MaxConnMemory)
	d.MaxOutbox = positive(d.MaxOutbox, 1<<20)
	return d
}

// mostNeeded is what a message may need that comes: with its metadata, and with the algorithm's byte.
func (c *Config) mostNeeded() int { return c.Settings.MaxMessage + c.Settings.MaxMetadata + 1 }

// ample is how much may wait for a peer that takes nothing for a second: what makes streams wait and one message, if nothing else. The rest of its memory is
// for the streams themselves.
func (c *Config) ample() int {
	return max(c.MaxConnMemory-c.MaxConnMemory/16, c.MaxOutbox+c.Settings.MaxMessage)
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
