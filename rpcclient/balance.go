package rpcclient

import (
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// Balance says how a client with several servers chooses the one for a call.
type Balance uint8

// The ways to choose.
const (
	// P2C draws two servers at random and takes the one whose recent latency times
	// its running calls is lower; a failure counts as slow. A server that is ten
	// times slower gets about a tenth of the calls, without anybody having said so.
	P2C Balance = Balance(balance.P2C)

	// LeastPending takes the server with the fewest running calls.
	LeastPending Balance = Balance(balance.LeastPending)

	// RoundRobin takes one after the other, however they do.
	RoundRobin Balance = Balance(balance.RoundRobin)
)

// String returns the name as users write it: p2c, least-pending or round-robin.
func (b Balance) String() string { return balance.Policy(b).String() }

// Ejection takes a server that fails out of rotation for a while, at most half
// of them at once. It comes back when the time is over and a probe succeeds. The
// zero value means the defaults. A failure is what the server or the way to it is
// to blame for: a lost connection, the codes unavailable, internal and data_loss, a
// call refused because there is too much to do, and a deadline that passed,
// whoever's clock was first: from here a server that hangs looks no different. A
// service that answers resource_exhausted itself has done its work.
type Ejection struct {
	Consecutive int           // failures in a row that eject; 0 means 5
	Rate        float64       // or this share of failures, 0 to 1; 0 means 0.5
	MinCalls    int           // of at least this many calls; 0 means 20
	Interval    time.Duration // within this time; 0 means 10 s
	Base        time.Duration // the first ejection lasts this long, each that follows twice as long; 0 means 1 s
	Max         time.Duration // but no longer than this; 0 means 60 s
	Off         bool          // nobody is ever ejected
}

func (c *Config) balance() balance.Config {
	return balance.Config{Policy: balance.Policy(c.Balance), Ejection: balance.Ejection(c.Ejection)}
}

// outcome is what the end of an attempt says about its server.
func (k *call) outcome(err error) balance.Outcome {
	if err == nil {
		return balance.Good
	}
	f, ok := err.(*failure)
	if !ok {
		return balance.Void
	}
	switch f.kind {
	case ErrServer:
		return k.blame(f)
	case ErrReply:
		return balance.Good
	case ErrConnectionLost, ErrProtocol, ErrContext:
		if k.mayHaveLeft && f.status.Code != Canceled {
			return balance.Bad
		}
	}
	return balance.Void
}

// blame says whether a server's answer counts as its failure or as its work. That
// there is too much to do the server says itself when it refuses a call, and over
// version 1 is told from a service by the time that it names.
func (k *call) blame(f *failure) balance.Outcome {
	switch f.status.Code {
	case Unavailable:
		if f.refused { // it drains
			return balance.Void
		}
		return balance.Bad
	case ResourceExhausted:
		if f.refused || k.protocol == protocolV1 && f.status.RetryAfter > 0 {
			return balance.Bad
		}
	case Internal, DataLoss, DeadlineExceeded:
		return balance.Bad
	}
	return balance.Good
}

// took is how long the server took, as far as that is its affair: of a call that
// was given up the time in vain.
func (k *call) took(now int64, o balance.Outcome) time.Duration {
	if o == balance.Void && (k.talk != nil || !k.mayHaveLeft) {
		return 0
	}
	return time.Duration(now - k.began)
}

// settle tells the balancer that from now on the call takes as long as its owner
// likes: a stream has its first item, or the items of an upload have the word.
func (k *call) settle(now int64) {
	k.settled = true
	k.member.Settle(now, time.Duration(now-k.began))
}
