package rpcclient

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
	"github.com/rpckids/rpckids/internal/wire"
)

// maxMoves is how often one call changes its connection at most before it is
// handed to one.
const maxMoves = 16

// Client calls a server, or several that offer the same: each call goes to one of
// them. It is safe for concurrent use, and meant to be: all its calls share a few
// connections. [New] or [Dial] makes one, the zero value is of no use. Close it when
// done.
type Client struct {
	cfg    Config
	target target
	types  types
	calls  sync.Pool // of *call; per client, so that a call never outlives its synctest bubble
	stats  counters
	chain  Doer // the middleware around each call; nil: none
	fleet  fleet

	epoch     time.Time // the zero of now
	budget    *balance.Budget
	latencies latencies // for hedging by percentile
}

// now is the balancer's clock.
func (c *Client) now() int64 { return int64(time.Since(c.epoch)) }

// Dial returns a client that is connected, to one server at least. If none can be
// reached that is an error now; ctx bounds the attempt and has no say afterwards.
// Without a config, or with a nil one, the defaults hold; of several the last one
// counts alone, and nothing of those before it.
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
	_, _, err = c.fleet.reach(ctx)
	if err = c.end(k, err); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// New returns a client that connects when it is first used, or at once if there is a
// Pool.Min. The only possible errors are a target that cannot be understood, of kind
// [ErrTarget], and a Config that makes no sense, of kind [ErrConfig].
func New(target string, config *Config) (*Client, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	to, err := parseTarget(target, config)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: config.withDefaults(), target: to, epoch: time.Now()}
	c.budget = balance.NewBudget(c.cfg.Retry.Budget, c.cfg.Retry.PerSecond)
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	c.chain = chain(c.cfg.Use)
	c.fleet.init(c)
	return c, nil
}

// Close ends the client: calls in flight fail with [ErrClosed], and so does
// every later one. It returns when the last goroutine of the client has ended.
// After a cast that no later reply has shown to be read, and with no call in
// flight, it says goodbye first and reads to the server's end, at most a second,
// so that the closing does not destroy it; over version 2 the answer to a ping
// shows as much. A second Close waits as well. The error is always nil.
func (c *Client) Close() error {
	c.fleet.close()
	return nil
}

// exchange encodes the payload, sends the call and waits for what becomes of it;
// the reply is then in k.
func (c *Client) exchange(ctx context.Context, k *call, payload any) error {
	if err := k.encode(payload, &c.cfg); err != nil {
		return err
	}
	c.budget.Deposit(0) // no clock needed: it began with the client
	var gone redial
	for moves := 0; ; {
		s, cn, err := c.route(ctx, k)
		if err != nil {
			if err = gone.again(ctx, c, err); err != nil {
				return err
			}
			continue
		}
		if err := k.prepare(ctx, &c.cfg); err != nil {
			return err
		}
		k.attempts++
		if c.cfg.Hedge.on() && c.mayHedge(k) {
			err = c.race(ctx, k, s, cn)
		} else {
			err = c.attempt(ctx, k, s, cn)
		}
		switch {
		case err == nil:
			return nil
		case err == error(errMoved) && !k.mayHaveLeft && moves < maxMoves: // nobody's fault
			k.attempts--
			moves++
		case !c.again(ctx, k, s, err):
			return err
		}
	}
}

// attempt hands k to a connection, and tells the balancer how that went. Where
// there is nothing to balance it looks at the clock for few calls only: for the
// others that would be the most expensive part.
func (c *Client) attempt(ctx context.Context, k *call, s *server, cn conn) (err error) {
	if k.talk == nil {
		if !s.gate.enter() {
			s.member.Begin() // who is in line is pending, too
			cn, err = s.inTurn(ctx, k)
			s.member.End(c.now(), 0, balance.Void)
			if err != nil {
				return err
			}
		}
		defer s.gate.leave()
	}
	e := cn.whereabouts()
	k.server, k.protocol = e.remote, cn.version()
	k.inLine, k.member, k.settled = false, nil, false
	if n := e.load.begin(); n > sampled && n%sampled != 0 && c.fleet.only.Load() == s {
		defer e.load.end() // also when the items of a stream panic
		if err = c.hand(ctx, k, s, cn); err != nil && k.outcome(err) == balance.Bad {
			s.failed.Add(1)
		}
		return err
	}
	outcome := balance.Void
	k.began, k.member = c.now(), s.member
	s.member.Begin()
	if k.pattern.uploads() {
		k.settle(k.began)
	}
	defer func() {
		e.load.end()
		now := c.now()
		if c.cfg.Hedge.on() {
			outcome = c.judge(k, s, now, outcome, err)
		}
		if outcome == balance.Bad {
			s.failed.Add(1)
		}
		if k.settled {
			s.member.EndSettled(now, outcome)
		} else {
			s.member.End(now, k.took(now, outcome), outcome)
		}
	}()
	err = c.hand(ctx, k, s, cn)
	outcome = k.outcome(err)
	return err
}

// inTurn waits for a call's turn on a server that has as many as it may, and
// returns the connection for it then.
func (s *server) inTurn(ctx context.Context, k *call) (conn, error) {
	k.mayHaveLeft = false
	if s.gate.wait(ctx) != nil {
		return nil, s.full(ctx)
	}
	if cn := s.suited(k); cn != nil {
		k.waited()
		return cn, nil
	}
	s.gate.leave()
	k.moves++
	return nil, errMoved
}

// sampled is how many calls to a lone server one latency is taken of.
const sampled = 16

// hand hands k to a connection and returns what became of it.
func (c *Client) hand(ctx context.Context, k *call, s *server, cn conn) error {
	err := cn.exchange(ctx, k)
	if err == nil {
		err = k.verdict(ctx)
	} else if k.inLine && isKind(err, ErrContext) {
		err = s.full(ctx)
	}
	if err == error(errMoved) {
		cn.whereabouts().load.forget()
		k.moves++
	}
	return err
}

// route returns the server and the connection for an attempt.
func (c *Client) route(ctx context.Context, k *call) (s *server, cn conn, err error) {
	k.bare = nil
	if s = c.fleet.only.Load(); s != nil {
		if cn = s.ready(); cn != nil && (!k.isSpecial(s) || cn.version() == protocolV2) {
			return s, cn, nil
		}
	}
	for range maxMoves {
		s = c.fleet.pick(k)
		special := k.isSpecial(s)
		if s == nil || s.open.Load() == nil && (c.fleet.several() || !special) {
			if s, cn, err = c.fleet.reach(ctx); err == error(errMoved) {
				k.moves++
				continue
			}
			if err != nil || !special {
				return s, cn, err
			}
		}
		cn, err = s.conn(ctx, k)
		switch {
		case err == nil:
			return s, cn, nil
		case err == error(errMoved):
			k.moves++
		case !c.fleet.several() || isKind(err, ErrContext) || isKind(err, ErrClosed):
			return nil, nil, err
		default: // this one cannot: another may
			k.tried = append(k.tried, s.member)
			if !c.fleet.elsewhere(k) {
				return nil, nil, err
			}
		}
	}
	return nil, nil, err
}

// isSpecial reports whether not every connection to s will do for k.
func (k *call) isSpecial(s *server) bool {
	return k.talk != nil || k.codec == wire.CodecRaw || strings.HasPrefix(k.typ, "!") || k.wantsV2(s)
}

// wantsV2 reports whether k has metadata that is to go to s.
func (k *call) wantsV2(s *server) bool { return k.laden() && (s == nil || k.bare != s) }

// conn returns the connection for an attempt.
func (s *server) conn(ctx context.Context, k *call) (conn, error) {
	switch {
	case k.talk != nil:
		return notNil(s.v2(ctx, "streams"))
	case k.codec == wire.CodecRaw:
		return notNil(s.v2(ctx, "raw payloads"))
	case k.wantsV2(s):
		if s.isPlain() && !k.guarded() {
			k.bare = s
			break
		}
		cn, err := s.v2(ctx, "metadata")
		if err != nil && !k.guarded() && (isKind(err, ErrNoStreams) || isKind(err, ErrConnect) && s.live() != nil) {
			k.bare = s // then without: the next try looks for any connection
			return nil, errMoved
		}
		return notNil(cn, err)
	case strings.HasPrefix(k.typ, "!"):
		return s.ours(ctx)
	}
	if cn := s.ready(); cn != nil {
		return cn, nil
	}
	return nil, errMoved // it has ended since
}

// isPlain reports whether the replies on the connection that is there have shown that
// the server knows nothing but version 1. Nobody needs to ask it then.
func (s *server) isPlain() bool {
	cn, ok := s.live().(*v1Conn)
	return ok && cn.tellsOf() == 1
}

// notNil makes sure that with an error there is no conn that holds nil.
func notNil(cn *v2Conn, err error) (conn, error) {
	if err != nil {
		return nil, err
	}
	return cn, nil
}

// waited brings what the server is told of the time that is left up to date, where
// k had to wait for its turn.
func (k *call) waited() {
	if !k.deadline.IsZero() {
		k.mark.Timeout = max(time.Until(k.deadline), 1)
	}
}

// prepare sets what the request id says about this attempt, or what OPEN says.
func (k *call) prepare(ctx context.Context, cfg *Config) error {
	k.mark.Idempotent, k.mark.OneWay = k.idempotent && !k.oneWay, k.oneWay
	deadline, ok := ctx.Deadline()
	if k.deadline = deadline; ok {
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
