package rpcclient

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxAttempts is how often one call is handed to a connection at most: it stops
// a server that accepts and hangs up from being dialed for ever.
const maxAttempts = 3

// Client calls one server. It is safe for concurrent use, and meant to be: all
// its calls share one connection. Close it when done.
type Client struct {
	cfg    Config
	target target
	types  types
	calls  sync.Pool // of *call; per client, so that a call never outlives its synctest bubble
	stats  counters
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
	c.link.init(c)
	return c, nil
}

// Close ends the client: calls in flight fail with [ErrClosed], and so does
// every later one. It returns when the last goroutine of the client has ended.
// After a cast that no later reply has shown to be read, and with no call in
// flight, it says goodbye first and reads to the server's end, at most a second,
// so that the closing does not destroy it.
// A second Close waits as well. The error is always nil.
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
		cn, err := c.link.conn(ctx)
		if err != nil {
			return err
		}
		if err := k.prepare(ctx, &c.cfg); err != nil {
			return err
		}
		k.attempts++
		k.server = cn.remote
		err = cn.exchange(ctx, k)
		if err == nil {
			return k.verdict(ctx)
		}
		if !k.again(err) {
			return err
		}
	}
}

// prepare sets what the request id says about this attempt.
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
	if cfg.RequestID != nil {
		return k.name(cfg.RequestID())
	}
	return nil
}

// again reports whether a call that failed with err may be sent once more: only
// if the connection failed it, and either none of its bytes had left or running
// it twice does no harm.
func (k *call) again(err error) bool {
	f, ok := errors.AsType[*failure](err)
	lost := ok && (f.kind == ErrConnectionLost || f.kind == ErrProtocol && !k.mayHaveLeft)
	harmless := !k.mayHaveLeft || k.idempotent && !k.oneWay
	return lost && harmless && k.attempts < maxAttempts
}
