package rpcclient

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Config changes how a [Client] behaves. A nil *Config and the zero value both
// mean the defaults. The client takes a copy.
type Config struct {
	// DialTimeout bounds one attempt to connect; 0 means 5 s.
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

	// RequestID, if set, makes the request ids instead of the client. They go
	// out exactly as given, so they carry neither deadline nor marks. An id has
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
	if d.Dialer == nil {
		d.Dialer = new(net.Dialer).DialContext
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

func orElse[T int | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
