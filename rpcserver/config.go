package rpcserver

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// Config sets up a Server. A nil *Config and the zero value mean the safe defaults; a field out of its range is brought
// into it, as said beside it, so that New cannot fail: no time is more than a year, no number more than 1<<30 where nothing less is said, and no number of bytes
// more than 1 TiB. New copies the Config.
type Config struct {
	// Workers is how many handlers run at once. 0 or less means 16; more than a million means a million. Where they compute, more than there are processors make nothing faster, and
	// everything else, refusals among it, waits longer for a processor. Where they wait, for a disk or for other servers, there should be as many as are to wait at
	// once. One that calls its own server takes a second worker: when all of them do, none is left for what they wait for.
	Workers int
	// Queue is how many calls wait for a worker. 0 means 1000, less means none. When it is full the reader of the
	// connection runs the call itself, so its peer feels it; a peer of ours gets resource_exhausted at once instead.
	Queue int
	// Idle closes a connection after this long without a byte and without a running call. 0 means 60 s, less means never.
	Idle time.Duration
	// HalfMessage closes a connection whose message is not complete this long after its first byte. 0 or less means 10 s.
	HalfMessage time.Duration
	// WriteStall closes a connection that takes no byte of what waits for it for this long. 0 or less means 10 s. Where nearly MaxConnMemory
	// waits, a second is enough.
	WriteStall time.Duration
	// MaxMessage is the largest type name or payload in bytes, in both directions. 0 or less means 1 MiB, which is all that the
	// original's programs take; more than 1 GiB means 1 GiB.
	MaxMessage int
	// MaxConnMemory is how many bytes of requests and items are held for one connection before its reader pauses; on version 2, before the
	// stream that would bring more fails. As much may wait to be sent: calls wait for their workers from 1 MiB on, but those that run may all answer,
	// and a peer for which more than 15/16 of MaxConnMemory waits then, and that takes nothing of it for a second, is cut. One that takes something
	// each second gets it all. 0 or less means 16 MiB; less than MaxMessage means MaxMessage.
	MaxConnMemory int
	// MaxStreams is how many calls and streams a peer of version 2 may have open at once on a connection. 0 or less means 512; more
	// than a million means a million.
	MaxStreams int
	// Window is how many bytes of items a stream's caller may send before they are taken, on version 2. 0 means 64 KiB, which is also the
	// least; more than 1 GiB means 1 GiB.
	Window int
	// MaxMetadata is the largest block of metadata in bytes that comes with a call or a message, on version 2. 0 or less means 8 KiB; more
	// than 32 KiB means 32 KiB, since it has to fit into a frame beside what it belongs to.
	MaxMetadata int
	// MaxConns is how many connections there may be; one more is closed at once. 0 or less means 10 000.
	MaxConns int
	// MaxConnsPerAddr is how many of these one address may have, where an address of IPv6 is its /64; loopback and sockets that are not of
	// IP have no limit of their own. 0 or less means 256.
	MaxConnsPerAddr int
	// MaxInFlight is how many calls and streams there may be at once: all whose handlers run, also if nobody waits for them any more, and all
	// that wait for a worker. Quick services do not count, handlers of HTTP do. One more is refused; a peer of the original is read no further instead.
	// 0 or less means 1024, or Workers and Queue together if that is more. What they are beyond it has no effect, and calls alone, of peers of ours, come no
	// further than the two together.
	MaxInFlight int
	// MaxConnInFlight is the same for one connection, but for casts on version 2, which count in all alone. It also bounds MaxStreams.
	// 0 or less means 512, or MaxStreams if that is more.
	MaxConnInFlight int
	// Rate is how many calls each client may make, and HTTP requests but for /healthz and /readyz. The zero value is no limit.
	Rate Rate
	// Adaptive lowers MaxInFlight, for calls, to what does not make them slow, and follows that as it changes; at least 4.
	Adaptive bool
	// CrashOnPanic lets a handler's panic end the program, once it is logged. Otherwise its caller gets internal, and the server goes on.
	CrashOnPanic bool
	// TLS lets peers speak TLS on the same port as everything else; inside it all is as outside. nil: there is none. Versions below 1.2 are not taken. With
	// ClientCAs and ClientAuth it is mutual TLS, whose names [Identity] tells. [NewCertFiles] reads a certificate again when it changes on disk,
	// and [NewCAFile] the authorities of clients.
	TLS *tls.Config
	// RefusePlain turns away whoever does not speak TLS, with an answer that says so. /healthz stays open. Without TLS it has no effect.
	RefusePlain bool
	// Auth finds out who is calling, and nobody else gets beyond an error. Over version 1 only a client certificate can tell; version 2
	// and HTTP carry tokens. nil: everybody may call.
	Auth Authenticator
	// Authorize is asked before each handler runs whether its caller may call that service; ctx is the handler's, so [Identity] knows the caller. An error is
	// permission_denied with its text, or the [*Error] that it is. The services whose names begin with "!" are for all who may call at all.
	Authorize func(ctx context.Context, service string) error
	// HTTP answers HTTP on the same port, beyond /healthz, /readyz and /services. With an Auth its requests have been authenticated; Authorize is not asked.
	HTTP http.Handler
	// HTTPPlain opens all of HTTP without TLS. Otherwise that is /healthz alone.
	HTTPPlain bool
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
	// maxOutbox is how many bytes of replies may wait for a peer before its calls wait too.
	maxOutbox = 1 << 20
)

// The most that a Config's numbers are brought down to. With more, sums of them would not fit.
const (
	mostOf      = 1 << 30
	mostWorkers = 1_000_000
	mostBytes   = min(1<<40, math.MaxInt/2)
	mostTime    = 365 * 24 * time.Hour
)

func (c *Config) withDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	d.Workers = min(positive(d.Workers, 16), mostWorkers)
	if d.Queue == 0 {
		d.Queue = 1000
	}
	d.Queue = min(max(d.Queue, 0), mostOf)
	if d.Idle == 0 {
		d.Idle = 60 * time.Second
	}
	d.Idle = min(d.Idle, mostTime)
	d.HalfMessage = min(positive(d.HalfMessage, 10*time.Second), mostTime)
	d.WriteStall = min(positive(d.WriteStall, 10*time.Second), mostTime)
	d.MaxMessage = min(positive(d.MaxMessage, wire.MaxString), 1<<30)
	d.MaxStreams = min(positive(d.MaxStreams, 512), 1_000_000)
	d.MaxConnInFlight = min(positive(d.MaxConnInFlight, max(512, d.MaxStreams)), mostOf)
	d.MaxStreams = min(d.MaxStreams, d.MaxConnInFlight)
	d.MaxMetadata = min(positive(d.MaxMetadata, wire.DefaultSettings().MaxMetadata), 32<<10)
	d.MaxConns = min(positive(d.MaxConns, 10_000), mostOf)
	d.MaxConnsPerAddr = min(positive(d.MaxConnsPerAddr, 256), mostOf)
	d.MaxInFlight = min(positive(d.MaxInFlight, max(1024, d.Workers+d.Queue)), mostOf)
	d.Rate = d.Rate.withDefaults()
	d.Window = min(max(d.Window, wire.MinWindow), 1<<30)
	d.TLS = safeTLS(d.TLS)
	d.RefusePlain = d.RefusePlain && d.TLS != nil
	d.MaxConnMemory = min(max(positive(d.MaxConnMemory, 16<<20), d.MaxMessage), mostBytes)
	return d
}

// maxUnsent is how much may wait for a peer of version 2: calls wait for their workers from maxOutbox on, but those that run then may answer.
func (c *Config) maxUnsent() int {
	return max(c.MaxConnMemory, int(min(maxOutbox+int64(c.Workers+2)*int64(c.MaxMessage), mostBytes)))
}

// ample is how much may wait for a peer that takes nothing for a second: what makes calls wait and one reply, if nothing else. The rest of its memory is for
// the calls themselves.
func (c *Config) ample() int {
	return max(c.MaxConnMemory-c.MaxConnMemory/16, maxOutbox+c.MaxMessage)
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
