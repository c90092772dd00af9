package rpcserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how many calls and HTTP requests a client may make: a bucket of Burst calls that fills with PerSecond. Who a client is says its certificate, or its
// token, that of the call if it brings one, or else its address without the port, of IPv6 its /64, so that many connections are one client. So the Authenticator
// is asked about a call's own token also where the call is refused then. The zero value is no limit; 200 and 400 are good for
// people and small programs. A Burst of 0 is twice PerSecond, at least 1; more than 1<<30 means 1<<30, of either.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (r Rate) withDefaults() Rate {
	if !(r.PerSecond > 0) {
		return Rate{}
	}
	r.PerSecond = min(r.PerSecond, mostOf)
	if r.Burst <= 0 {
		r.Burst = max(int(min(2*r.PerSecond, mostOf)), 1)
	}
	r.Burst = min(r.Burst, mostOf)
	return r
}

// pacer keeps a bucket for each client that has called.
type pacer struct {
	rate Rate

	mu      sync.Mutex // protects the field below
	buckets map[string]*bucket
	sweepAt int // how many make it worth to look for those that can be forgotten
}

// bucket is a client's. It is kept while the client has connections, and after that until it is full again: then it is as a new one.
type bucket struct {
	*rate.Limiter
	conns int // protected by pacer.mu
}

// mostBuckets is how many are kept before the full ones without connections are looked for; those that are left then are bounded by the
// connections, and by the clients that were busy within the time that a bucket takes to fill.
const mostBuckets = 1 << 10

func newPacer(r Rate) *pacer {
	return &pacer{rate: r, buckets: map[string]*bucket{}, sweepAt: mostBuckets}
}

// join returns the bucket of a client, for one more connection.
func (p *pacer) join(who string, now time.Time) *bucket {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[who]
	if b == nil {
		if len(p.buckets) >= p.sweepAt {
			p.sweepLocked(now)
		}
		b = &bucket{Limiter: rate.NewLimiter(rate.Limit(p.rate.PerSecond), p.rate.Burst)}
		p.buckets[who] = b
	}
	b.conns++
	return b
}

// sweepLocked forgets whom nobody would miss. Twice as many as are left are then let come before the next time.
func (p *pacer) sweepLocked(now time.Time) {
	for who, b := range p.buckets {
		if b.conns == 0 && b.TokensAt(now) >= float64(p.rate.Burst) {
			delete(p.buckets, who)
		}
	}
	p.sweepAt = max(2*len(p.buckets), mostBuckets)
}

func (p *pacer) part(b *bucket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.conns--
}

// take takes a call out of the bucket of a client that has shown itself with this one alone.
func (p *pacer) take(who string, now time.Time) (wait time.Duration, ok bool) {
	b := p.join(who, now)
	defer p.part(b)
	return b.take(now)
}

// triesOf names the bucket of the tokens that a client tries.
func triesOf(who string) string { return "\x00" + who }

// look says whether a client has a call in its bucket, and when it will if not, and takes none.
func (p *pacer) look(who string, now time.Time) (wait time.Duration, ok bool) {
	b := p.join(who, now)
	defer p.part(b)
	return b.look(now)
}

// take takes a call out of the bucket. If there is none it says when there will be.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	if b.AllowN(now, 1) {
		return 0, true
	}
	return b.due(now), false
}

// look says whether there is a call in the bucket, and when there will be if not, and takes none.
func (b *bucket) look(now time.Time) (wait time.Duration, ok bool) {
	if b.TokensAt(now) >= 1 {
		return 0, true
	}
	return b.due(now), false
}

// due is when there will be a call in the bucket.
func (b *bucket) due(now time.Time) time.Duration {
	seconds := min((1-b.TokensAt(now))/float64(b.Limit()), mostTime.Seconds())
	return max(time.Duration(seconds*float64(time.Second)), time.Millisecond)
}
