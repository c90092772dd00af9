package rpcclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
	"github.com/rpckids/rpckids/internal/wire"
)

// Hedge sends a call that takes long to a second server as well, and takes the
// answer that comes first; the other one is cancelled on its server. It is for
// unary calls that are [Idempotent], needs several servers, and shares the budget
// of [Retry]. The zero value is off.
type Hedge struct {
	// After is how long a call may take before it is hedged.
	After time.Duration

	// Percentile, above 0 and below 1, takes that share of the recent latencies of
	// the same service for After: with 0.95 one call in twenty is hedged. While
	// fewer than 20 calls are known After holds, and if that is 0 nothing is hedged.
	Percentile float64
}

func (h *Hedge) on() bool { return h.After > 0 || h.Percentile > 0 }

// errOutrun is why an attempt is given up whose rival was quicker.
var errOutrun = errors.New("another server was quicker")

// mayHedge reports whether a call is worth a race.
func (c *Client) mayHedge(k *call) bool {
	return k.idempotent && !k.oneWay && k.talk == nil && k.hedges == 0 && k.attempts < c.cfg.Retry.Attempts && c.fleet.several()
}

// race is an attempt that another one, on another server, joins if it takes too
// long. The first answer counts; without one the call fails when both have. When
// race returns both have ended.
func (c *Client) race(ctx context.Context, k *call, s *server, cn conn) error {
	after, known := c.patience(k.typ)
	if !known {
		return c.attempt(ctx, k, s, cn)
	}
	k.patience = after
	own, outrun := context.WithCancelCause(ctx)
	defer outrun(nil)
	r := newRival(ctx, c, k, s)
	defer r.cancel(nil)
	timer := time.AfterFunc(after, func() { r.run(outrun) }) // ends before race does
	err := c.attempt(own, k, s, cn)
	if timer.Stop() { // it never came to that
		return err
	}
	if k.isAnswered(err) {
		r.cancel(errOutrun)
	}
	<-r.over
	return r.settle(k, err)
}

// rival is the second attempt of a race. Its call is its own, with nothing in it
// that the first attempt writes to.
type rival struct {
	client *Client
	of     *call // the first: what is read of it does not change during an attempt
	first  *server
	nth    int
	ctx    context.Context
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when it has ended, or will not begin

	call   *call   // nil: it has not begun
	server *server // of it
	err    error
}

func newRival(ctx context.Context, c *Client, k *call, first *server) *rival {
	r := &rival{client: c, of: k, first: first, nth: k.attempts + 1, over: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	return r
}

// run is the attempt, if there is a server for it and the budget allows it. It
// outruns the first one if it is answered.
func (r *rival) run(outrun context.CancelCauseFunc) {
	defer close(r.over)
	c, k := r.client, r.of
	h := c.calls.Get().(*call)
	h.tried = append(append(h.tried, k.tried...), r.first.member)
	s := c.fleet.pick(h)
	var cn conn
	if s != nil && !slices.Contains(h.tried, s.member) && r.ctx.Err() == nil {
		cn = s.suited(k)
	}
	if cn == nil || s.gate.full() || !c.budget.Withdraw(c.now()) {
		c.calls.Put(h.reset())
		return
	}
	h.typ, h.codec, h.idempotent, h.trace, h.start = k.typ, k.codec, true, k.trace, k.start
	h.payload, h.attempts, h.patience = append(h.payload, k.payload...), r.nth, k.patience
	h.cargo = k.cargo.ownIn()
	r.call, r.server = h, s
	c.stats.hedges.Add(1)
	if r.err = h.pack(); r.err == nil {
		r.err = h.prepare(r.ctx, &c.cfg)
	}
	if r.err == nil {
		r.err = c.attempt(r.ctx, h, s, cn)
	}
	if h.isAnswered(r.err) {
		outrun(errOutrun)
	}
}

// isAnswered reports whether an attempt that ended with err has brought an answer:
// an error of the service's own is one, and another server has no better one.
func (k *call) isAnswered(err error) bool { return k.outcome(err) == balance.Good }

// settle is the end of a race, of which the first attempt ended with err.
func (r *rival) settle(k *call, err error) error {
	if r.call == nil {
		return err
	}
	k.attempts++
	k.hedges++
	k.tried = append(k.tried, r.server.member)
	if !k.isAnswered(err) && r.call.isAnswered(r.err) {
		k.adopt(r.call)
		err = r.err
	}
	r.client.calls.Put(r.call.reset())
	return err
}

// suited returns a connection that is ready for k, or nil: a rival waits for none.
func (s *server) suited(k *call) conn {
	switch cn := s.ready(); {
	case cn == nil,
		(k.codec == wire.CodecRaw || k.wantsV2(s)) && cn.version() != protocolV2,
		strings.HasPrefix(k.typ, "!") && !cn.isOurs():
		return nil
	default:
		return cn
	}
}

// adopt takes over all that the attempt of another call has brought.
func (k *call) adopt(h *call) {
	k.server, k.protocol, k.mark, k.mayHaveLeft = h.server, h.protocol, h.mark, h.mayHaveLeft
	k.queued, k.written, k.sent, k.received, k.frame = h.queued, h.written, h.sent, h.received, h.frame
	k.frames, k.stream, k.queue, k.handler, k.timed = h.frames, h.stream, h.queue, h.handler, h.timed
	k.answer, k.raw = h.answer, h.raw
	k.id, h.id = h.id, k.id
	k.replyType, h.replyType = h.replyType, k.replyType
	k.reply, h.reply = h.reply, k.reply
	if h.came != nil {
		k.came = h.came
		k.cargo.in.put(h.came)
	}
}

// latencies are those of the services of late, for Hedge.Percentile.
type latencies struct {
	of    sync.Map // string: *balance.Quantile
	known atomic.Int32
}

// mostServices is how many services have a latency of their own.
const mostServices = 1000

// learn takes the time that a call took to be answered.
func (l *latencies) learn(typ string, took time.Duration) {
	q, ok := l.of.Load(typ)
	if !ok {
		if l.known.Load() >= mostServices {
			return
		}
		if q, ok = l.of.LoadOrStore(strings.Clone(typ), new(balance.Quantile)); !ok {
			l.known.Add(1)
		}
	}
	q.(*balance.Quantile).Add(took)
}

// patience is how long a call waits before it is hedged; false: it is not.
func (c *Client) patience(typ string) (time.Duration, bool) {
	h := &c.cfg.Hedge
	if h.Percentile > 0 {
		if q, ok := c.latencies.of.Load(typ); ok {
			if d, ok := q.(*balance.Quantile).At(h.Percentile); ok {
				return d + d/16, true // it is known to within 4 %, and half of all calls may take as long
			}
		}
	}
	return h.After, h.After > 0
}

// judge looks closer at the end of an attempt where there are races: one that was
// outrun is held against its server if that has answered nobody meanwhile. A
// server that hangs would else never be found out, because others save its calls.
func (c *Client) judge(k *call, s *server, now int64, o balance.Outcome, err error) balance.Outcome {
	f, failed := err.(*failure)
	switch {
	case o == balance.Good:
		s.heardAt.Store(now)
		if err == nil && k.talk == nil && c.cfg.Hedge.Percentile > 0 {
			c.latencies.learn(k.typ, time.Duration(now-k.began))
		}
	case failed && f.kind == ErrContext && errors.Is(f.cause, errOutrun):
		if k.mayHaveLeft && s.heardAt.Load() < k.began && now-k.began >= int64(k.patience) {
			return balance.Bad
		}
	}
	return o
}
