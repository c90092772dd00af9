package rpcclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
	"github.com/rpckids/rpckids/internal/wire"
)

// Protocol says which version of the wire a client speaks.
type Protocol uint8

// The protocols of a client.
const (
	// Auto speaks version 1 until the server has shown, in a reply, that it
	// speaks version 2; then it moves there in the background, and no call waits
	// for that. A server of version 1 sees nothing else, and no extra connection,
	// unless a stream, a call with metadata or [Client.Probe] asks whether there is a
	// version 2. What was learned about an address holds for ten minutes.
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
	// accepted; 0 means 1 MiB, more than 1 GiB means 1 GiB. A larger payload fails its
	// call alone. So does a larger reply over version 2, whose servers are told the
	// limit; over version 1 it fails its call with [ErrTooLarge] and closes the
	// connection.
	MaxMessage int

	// MaxInFlight is how many calls may be unanswered at once on one connection; 0
	// means 512, more than a million means a million. Callers above it wait for a place, bounded by their contexts.
	MaxInFlight int

	// Pool says how many connections each server gets.
	Pool Pool

	// Balance says which server gets a call, where there are several.
	Balance Balance

	// Ejection leaves servers that fail alone for a while.
	Ejection Ejection

	// Retry says which calls are sent once more.
	Retry Retry

	// Hedge sends calls that take long to a second server; the zero value is off.
	Hedge Hedge

	// Keepalive finds connections that died without a word.
	Keepalive Keepalive

	// HalfMessage is how long a reply may take from its first byte to its last;
	// 0 means 10 s. Then the connection is closed.
	HalfMessage time.Duration

	// WriteStall is how long the server may take nothing of what we send; 0
	// means 10 s. Then the connection is closed.
	WriteStall time.Duration

	// Window is how many bytes of items a server may send ahead of the consumer of
	// a stream; 0 means 64 KiB, which is also the least, and 1 GiB is the most.
	// Version 2 only.
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

	// Resolvers find the servers of targets, by scheme: "etcd" for etcd:///NAME, as
	// package rpcclient/etcd makes one. The one for dns is built in.
	Resolvers map[string]Resolver

	// Dialer, if set, opens connections instead of net.Dialer.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)

	// TLS makes all connections TLS ones; nil: none is. Versions below 1.2 are not
	// taken. Without a ServerName the host in the target is what the server's
	// certificate has to be for, and localhost for a unix socket. What goes wrong is
	// a [TLSError].
	TLS *tls.Config

	// Token says who is calling. It goes with version 2 alone, so Auto begins with
	// that at once, and a server without it fails all calls. It is not logged, and
	// no error and no trace shows it. New refuses a Token without TLS.
	Token string

	// TokenPlain lets the Token, and one that a call has in its metadata, go out
	// without TLS, where everybody on the way can read it.
	TokenPlain bool

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
	d.MaxMessage = min(orElse(d.MaxMessage, wire.MaxString), 1<<30)
	d.Window = min(max(d.Window, wire.MinWindow), 1<<30)
	wide := d.Pool.Max > 0
	d.Pool.Max = orElse(d.Pool.Max, max(4, d.Pool.Min))
	d.Pool.PerConn = orElse(d.Pool.PerConn, 256)
	most := max(1000, d.MaxInFlight)
	if wide { // who says how many connections there may be wants what they carry
		most = max(most, min(d.Pool.Max, 1<<10)*min(d.Pool.PerConn, 1<<20))
	}
	d.Pool.MaxInFlight = orElse(d.Pool.MaxInFlight, most)
	d.MaxInFlight = min(orElse(d.MaxInFlight, 512), 1_000_000)
	d.Pool.MaxIdle = orElse(d.Pool.MaxIdle, 5*time.Minute)
	d.Retry.Attempts = orElse(d.Retry.Attempts, 3)
	d.Retry.MinBackoff = orElse(d.Retry.MinBackoff, 10*time.Millisecond)
	d.Retry.MaxBackoff = orElse(d.Retry.MaxBackoff, max(time.Second, d.Retry.MinBackoff))
	d.Retry.Budget = orElse(d.Retry.Budget, 0.1)
	d.Retry.PerSecond = orElse(d.Retry.PerSecond, 10)
	d.Keepalive.Silence = orElse(d.Keepalive.Silence, 15*time.Second)
	d.Keepalive.Timeout = orElse(d.Keepalive.Timeout, 5*time.Second)
	d.TLS = clientTLS(d.TLS)
	if d.Token != "" {
		d.Protocol = V2
	}
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

// check says what makes no sense, and what would.
func (c *Config) check() error {
	if err := c.checkSecurity(); err != nil || c == nil {
		return err
	}
	p, r, k := &c.Pool, &c.Retry, &c.Keepalive
	d := c.withDefaults()
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{c.Protocol > V2, fmt.Sprintf("Protocol is %d: use Auto, V1 or V2", c.Protocol)},
		{c.Balance > RoundRobin, fmt.Sprintf("Balance is %d: use P2C, LeastPending or RoundRobin", c.Balance)},
		{p.Min < 0 || p.Max < 0 || p.PerConn < 0 || p.MaxInFlight < 0, "Pool has a number below 0: 0 means the default"},
		{p.Max > 0 && p.Min > p.Max, fmt.Sprintf("Pool.Min is %d and Pool.Max %d: Max has to be at least Min", p.Min, p.Max)},
		{p.MaxAge < 0 || p.MaxIdle < 0, "Pool has a time below 0: 0 means the default"},
		{p.MaxAge > 0 && p.MaxAge < time.Second, fmt.Sprintf("Pool.MaxAge is %v: it has to be 1s or more, or 0 for never", p.MaxAge)},
		{r.Attempts < 0, fmt.Sprintf("Retry.Attempts is %d: 1 means never again, 0 means 3", r.Attempts)},
		{r.MinBackoff < 0 || r.MaxBackoff < 0, "Retry has a time below 0: 0 means the default"},
		{d.Retry.MinBackoff > d.Retry.MaxBackoff, fmt.Sprintf("Retry.MinBackoff is %v and MaxBackoff %v: MaxBackoff has to be at least MinBackoff", d.Retry.MinBackoff, d.Retry.MaxBackoff)},
		{!(r.Budget >= 0 && r.Budget <= 1), fmt.Sprintf("Retry.Budget is %v: it is a share of the calls, 0 to 1", r.Budget)},
		{!(r.PerSecond >= 0 && r.PerSecond <= 1e6), fmt.Sprintf("Retry.PerSecond is %v: it has to be 0 to 1000000", r.PerSecond)},
		{slices.ContainsFunc(c.Use, func(m Middleware) bool { return m == nil }), "Use has a Middleware that is nil: leave it out"},
		{c.Hedge.After < 0, fmt.Sprintf("Hedge.After is %v: 0 means off", c.Hedge.After)},
		{!(c.Hedge.Percentile >= 0 && c.Hedge.Percentile < 1), fmt.Sprintf("Hedge.Percentile is %v: it has to be below 1, as in 0.95", c.Hedge.Percentile)},
		{k.Idle < 0 || k.Silence < 0 || k.Timeout < 0, "Keepalive has a time below 0: 0 means the default, Off switches it off"},
	} {
		if rule.broken {
			return badConfig(rule.text)
		}
	}
	if err := balance.Ejection(c.Ejection).Check(); err != nil {
		return badConfig(err.Error())
	}
	return nil
}

func orElse[T int | float64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
