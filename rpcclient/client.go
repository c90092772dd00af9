package rpcclient

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// maxAttempts is how often one call is handed to a connection at most: it stops
// a server that accepts and hangs up from being dialed for ever.
const maxAttempts = 3

// maxHoldOff is the longest wait that a server may ask for and get without its
// caller being told.
const maxHoldOff = 5 * time.Second

// Client calls one server. It is safe for concurrent use, and meant to be: all
// its calls share one connection. Close it when done.
type Client struct {
	cfg    Config
	target target
	types  types
	calls  sync.Pool // of *call; per client, so that a call never outlives its synctest bubble
	stats  counters
	chain  Doer // the middleware around each call; nil: none
	link   link
}

// Dial returns a client that is connected. A server that cannot be reached is an
// error now; ctx bounds the attempt and has no say afterwards. Without options
// the defaults hold; of several configs the last one counts.
func Dial(ctx context.Context, target string, config ...*Config) (*Client, error) {
	var cfg *Config
	if n := len(config); n > 0 {
		cfg = config[n-1]
	}
	c, err := New(target, cfg)
	if err != nil {
		return nil, err
	}
	k := c.begin(ctx, "", nil)
	_, err = c.link.conn(ctx)
	if err = c.end(k, err); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// New returns a client that connects when it is first used. The only possible
// error is a target that cannot be understood, of kind [ErrTarget].
func New(target string, config *Config) (*Client, error) {
	to, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: config.withDefaults(), target: to}
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	c.chain = chain(c.cfg.Use)
	c.link.init(c)
	return c, nil
}

// Close ends the client: calls in flight fail with [ErrClosed], and so does
// every later one. It returns when the last goroutine of the client has ended.
// After a cast that no later reply has shown to be read, and with no call in
// flight, it says goodbye first and reads to the server's end, at most a second,
// so that the closing does not destroy it; over version 2 the answer to a ping
// shows as much. A second Close waits as well. The error is always nil.
func (c *Client) Close() error {
	c.link.close()
	return nil
}

// exchange encodes the payload, sends the call and waits for what becomes of it;
// the reply is then in k.
func (c *Client) exchange(ctx context.Context, k *call, payload any) error {
	if err := k.encode(payload, c.cfg.MaxMessage); err != nil {
		return err
	}
	for {
		cn, err := c.route(ctx, k)
		if err != nil {
			return err
		}
		if err := k.prepare(ctx, &c.cfg); err != nil {
			return err
		}
		k.attempts++
		k.server = cn.whereabouts().remote
		k.protocol = cn.version()
		err = cn.exchange(ctx, k)
		switch {
		case err == nil:
			return k.verdict(ctx)
		case err == error(errMoved): // nobody's fault, and nothing was sent
			k.attempts--
		case !c.again(ctx, k, err):
			return err
		}
	}
}

// route returns the connection for an attempt.
func (c *Client) route(ctx context.Context, k *call) (conn, error) {
	switch {
	case k.talk != nil:
		return c.v2(ctx, "streams")
	case k.codec == wire.CodecRaw:
		return c.v2(ctx, "raw payloads")
	case strings.HasPrefix(k.typ, "!"):
		return c.link.ours(ctx)
	}
	return c.link.conn(ctx)
}

func (c *Client) v2(ctx context.Context, what string) (conn, error) {
	cn, err := c.link.v2(ctx, what)
	if err != nil {
		return nil, err // not a conn that holds nil
	}
	return cn, nil
}

// prepare sets what the request id says about this attempt, or what OPEN says.
func (k *call) prepare(ctx context.Context, cfg *Config) error {
	k.mark.Idempotent, k.mark.OneWay = k.idempotent && !k.oneWay, k.oneWay
	if deadline, ok := ctx.Deadline(); ok {
		if k.mark.Timeout = time.Until(deadline); k.mark.Timeout <= 0 {
			return fail(ErrContext, DeadlineExceeded, context.DeadlineExceeded, "the deadline passed before anything was sent")
		}
	}
	if err := ctx.Err(); err != nil {
		return ended(ctx, "before anything was sent")
	}
	if cfg.RequestID != nil && cfg.Protocol != V2 {
		return k.name(cfg.RequestID())
	}
	return nil
}

// again reports whether a call that failed with err is sent once more, and waits
// until it may be.
func (c *Client) again(ctx context.Context, k *call, err error) bool {
	f, ok := err.(*failure)
	if !ok || k.begun || k.attempts >= maxAttempts {
		return false
	}
	if f.refused && !k.oneWay {
		return c.holdOff(ctx, f.status.RetryAfter, k.attempts)
	}
	return k.mayRepeat(f)
}

// mayRepeat reports whether a call may be sent once more after a failure of its
// connection: if none of its bytes had left, or if the server has not run it, or
// if running it twice does no harm.
func (k *call) mayRepeat(f *failure) bool {
	lost := f.kind == ErrConnectionLost || f.kind == ErrProtocol && !k.mayHaveLeft
	harmless := !k.mayHaveLeft || k.idempotent && !k.oneWay
	return lost && harmless
}

// holdOff waits as long as a server that refused a call asks, and a little
// longer, by chance, so that those it refused together do not come back
// together. False: that is longer than the caller has, or than maxHoldOff, and
// it should know why.
func (c *Client) holdOff(ctx context.Context, wait time.Duration, attempts int) bool {
	wait += time.Millisecond + rand.N(10*time.Millisecond<<attempts)
	deadline, ok := ctx.Deadline()
	if wait > maxHoldOff || ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-c.link.ctx.Done():
	}
	return true // if the context or the client is at its end, the next attempt says so
}
