package rpcclient

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// maxHoldOff is the longest wait that a server may ask for and get without its
// caller being told.
const maxHoldOff = 5 * time.Second

// Retry says when a call is sent once more. Only three kinds of failure allow it:
// (a) no byte of the call had left, also because nothing listens at the address: then
// the call waits for the dials that follow, which come with a back-off of their own
// and are no attempts, until its deadline but at most 5 s, and without one for 1 s;
// (b) the server refused it, so that it never
// ran; (c) the call is [Idempotent], and the connection was lost or the answer
// was unavailable or resource_exhausted. A cast is sent again for (a) alone, a
// stream only before its first item. For (c) the budget is asked as well: all
// retries together stay below a share of the calls, so that servers in trouble
// are not buried under them. Another server is tried first, and at once; where
// there is none the client waits, as long as the server asks or with a back-off.
//
// The zero value means the defaults.
type Retry struct {
	// Attempts is how often one call is sent in all, hedges included; 0 means 3, 1
	// means once, and that no call waits for a server that is not there.
	Attempts int

	// MinBackoff is the wait before the first retry on the same server, 0 means 10
	// ms; it doubles with each, up to MaxBackoff, 0 means 1 s. Each is shorter by
	// up to half at random.
	MinBackoff, MaxBackoff time.Duration

	// Budget is the share of calls that may be retried, 0 to 1; 0 means 0.1. A
	// second brings PerSecond retries in addition; 0 means 10.
	Budget    float64
	PerSecond float64

	// Off leaves (a) and (b) alone: no call that may have run is sent again.
	Off bool
}

// rule says why a call may be sent once more.
type rule uint8

const (
	never    rule = iota
	unsent        // none of its bytes had left
	refused       // the server has not run it, and says so
	harmless      // running it twice does no harm
)

// rule returns which rule, if any, lets the call be sent once more after f.
func (k *call) rule(f *failure, choice bool) rule {
	isLost := f.kind == ErrConnectionLost || f.kind == ErrProtocol && (choice || !k.mayHaveLeft)
	tired := f.status.Code == Unavailable || f.status.Code == ResourceExhausted
	switch {
	case k.begun:
		return never
	case isLost && !k.mayHaveLeft:
		return unsent
	case k.oneWay:
		return never
	case f.refused:
		return refused
	case k.idempotent && (isLost || f.kind == ErrServer && tired):
		return harmless
	}
	return never
}

// again reports whether a call that failed on s with err is sent once more, and
// waits until it may be. With another server at hand that is at once.
func (c *Client) again(ctx context.Context, k *call, s *server, err error) bool {
	f, ok := err.(*failure)
	if !ok || k.attempts >= c.cfg.Retry.Attempts {
		return false
	}
	r := k.rule(f, c.fleet.several())
	if r == never || !c.affords(k, r, f) {
		return false
	}
	k.tried = append(k.tried, s.member)
	wait := time.Duration(0)
	if !c.fleet.elsewhere(k) {
		wait = c.holdOff(k, r, f)
	}
	if !c.pause(ctx, wait) {
		return false
	}
	c.stats.retries.Add(1)
	return true
}

// affords reports whether one more attempt is within the budget. What never ran is
// free, but for refusals of servers that have too much to do: from the second on
// they count as well.
func (c *Client) affords(k *call, r rule, f *failure) bool {
	switch {
	case r == unsent, r == refused && (f.status.Code != ResourceExhausted || k.attempts == 1):
		return true
	case r == harmless && c.cfg.Retry.Off:
		return false
	}
	return c.budget.Withdraw(c.now())
}

// holdOff returns how long to wait before the same server gets the call again: as
// long as it asks and a little longer, by chance, so that those it refused
// together do not come back together; and with each attempt longer. After a lost
// connection it is the dial that takes its time.
func (c *Client) holdOff(k *call, r rule, f *failure) time.Duration {
	cfg := &c.cfg.Retry
	switch {
	case r == refused:
		return f.status.RetryAfter + time.Millisecond + rand.N(balance.Backoff(k.attempts+1, cfg.MinBackoff, cfg.MaxBackoff, nil))
	case r == harmless && f.kind == ErrServer:
		return f.status.RetryAfter + balance.Backoff(k.attempts, cfg.MinBackoff, cfg.MaxBackoff, nil)
	}
	return 0
}

// pause waits. False: that is longer than the caller has, or than maxHoldOff, and
// it should know why.
func (c *Client) pause(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	if wait > maxHoldOff || ok && time.Until(deadline) < wait {
		return false
	}
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-c.fleet.ctx.Done():
	}
	return true // if the context or the client is at its end, the next attempt says so
}
