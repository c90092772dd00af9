package rpcclient

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Protocol says which version of the wire a client speaks.
type Protocol uint8

// The protocols of a client.
const (
	// Auto speaks version 1 until the server has shown, in a reply, that it
	// speaks version 2; then it moves there in the background, and no call waits
	// for that. A server of version 1 sees nothing else, and no extra connection,
	// unless a stream or [Client.Probe] asks whether there is a version 2. What was
	// learned about an address holds for ten minutes.
	Auto Protocol = iota

	// V1 never speaks version 2: no streams, no cancellation on the server.
	V1

	// V2 speaks version 2 from the first byte; a server without it fails all calls.
	V2
)

// String returns the name as users write it: auto, v1 or v2.
func (p Protocol) String() string { return [...]string{"auto", protocolV1, protocolV2}[min(p, V2)] }

// Config changes how a [Client] behaves. A nil *Config and the zero value both
// mean the defaults. The client takes a copy.
type Config struct {
	// Protocol is the version of the wire; the zero value is Auto.
	Protocol Protocol

	// DialTimeout bounds one attempt to connect; 0 means 5 s. It is also how long
	// V2 waits for the server's first words.
	DialTimeout time.Duration

	// MaxMessage is the largest type name or payload, in bytes, that is sent or
	// accepted; 0 means 1 MiB. A larger payload fails its call alone, a larger
	// reply closes the connection.
	MaxMessage int

	// MaxInFlight is how many calls may be unanswered at once; 0 means 512.
	// Callers above it wait for a place, bounded by their contexts.
	MaxInFlight int

	// HalfMessage is how long a reply may take from its first byte to its last;
	// 0 means 10 s. Then the connection is closed.
	HalfMessage time.Duration

	// WriteStall is how long the server may take nothing of what we send; 0
	// means 10 s. Then the connection is closed.
	WriteStall time.Duration

	// Window is how many bytes of items a server may send ahead of the consumer of
	// a stream; 0 means 64 KiB, which is also the least. Version 2 only.
	Window int

	// Compress deflates messages of 1 KiB and more where the server can inflate
	// them, and lets the server do the same. Version 2 only.
	Compress bool

	// ServerTiming asks the server to say how long each call waited for a worker
	// and how long its handler ran: [Trace] shows it. Version 2 only.
	ServerTiming bool

	// Use wraps every call and stream; the first Middleware is the outermost.
	Use []Middleware

	// RequestID, if set, makes the request ids instead of the client. They go
	// out exactly as given, so they carry neither deadline nor marks, and Auto
	// behaves as V1; V2 has no such ids and ignores it. An id has
	// at most 1024 bytes of UTF-8 and must differ from all that are in flight. It may be
	// called from several goroutines at once.
	RequestID func() string

	// Dialer, if set, opens connections instead of net.Dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger gets a line for each connection that comes or goes and for replies
	// that had to be dropped; nil is silent.
	Logger *slog.Logger
}

// withDefaults returns a copy in which every field is set, except RequestID.
func (c *Config) withDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	d.DialTimeout = orElse(d.DialTimeout, 5*time.Second)
	d.HalfMessage = orElse(d.HalfMessage, 10*time.Second)
	d.WriteStall = orElse(d.WriteStall, 10*time.Second)
	d.MaxMessage = orElse(d.MaxMessage, wire.MaxString)
	d.MaxInFlight = orElse(d.MaxInFlight, 512)
	d.Window = max(d.Window, wire.MinWindow)
	d.Use = slices.Clone(d.Use)
	if d.Dialer == nil {
		d.Dialer = new(net.Dialer).DialContext
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// mayClimb reports whether the client moves to version 2 where that is spoken.
func (c *Config) mayClimb() bool { return c.Protocol == Auto && c.RequestID == nil }

func orElse[T int | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
