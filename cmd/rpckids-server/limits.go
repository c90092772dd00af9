package main

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/rpcserver"
)

// drainTime is how long running calls may take after the first signal, unless --drain says otherwise.
const drainTime = 10 * time.Second

// limits is what the command line says about how much clients may ask for.
type limits struct {
	lameDuck, drain time.Duration
}

func (l *limits) flags(f *pflag.FlagSet, c *rpcserver.Config) {
	f.IntVar(&c.MaxConns, "max-conns", 10_000, "connections at once; one more is closed")
	f.IntVar(&c.MaxConnsPerAddr, "max-conns-per-addr", 256, "of these, from one address; loopback has no limit")
	f.IntVar(&c.MaxInFlight, "max-in-flight", 0, "calls and streams at once, waiting ones included; 0 means 1024, or workers and queue if that is more")
	f.Float64Var(&c.Rate.PerSecond, "rate", 0, "calls a second that each client may make, as in 200; 0 means no limit")
	f.IntVar(&c.Rate.Burst, "burst", 0, "calls that a client may make at once within --rate; 0 means twice the rate")
	f.BoolVar(&c.Adaptive, "adaptive", false, "let in only as many calls as do not make each other slow, and refuse the others at once")
	f.DurationVar(&l.lameDuck, "lame-duck", 0, "after a signal, go on for this long with /readyz saying no, so that nobody sends calls here any more")
	f.DurationVar(&l.drain, "drain", drainTime, "after a signal, let running calls take this long; a second signal cuts them")
}

func (l *limits) check(c *rpcserver.Config) error {
	for _, n := range []struct {
		flag         string
		value, least int
	}{
		{"max-conns", c.MaxConns, 1}, {"max-conns-per-addr", c.MaxConnsPerAddr, 1}, {"max-in-flight", c.MaxInFlight, 0}, {"burst", c.Rate.Burst, 0},
	} {
		if n.value < n.least {
			return fmt.Errorf("--%s is %d, want %d or more", n.flag, n.value, n.least)
		}
	}
	switch {
	case math.IsNaN(c.Rate.PerSecond) || math.IsInf(c.Rate.PerSecond, 0):
		return fmt.Errorf("--rate is %v, want a number of calls a second; without --rate there is no limit", c.Rate.PerSecond)
	case c.Rate.PerSecond < 0:
		return fmt.Errorf("--rate is %v, want 0 or more", c.Rate.PerSecond)
	case c.Rate.Burst > 0 && c.Rate.PerSecond == 0:
		return fmt.Errorf("--burst is %d, and there is no --rate that it belongs to", c.Rate.Burst)
	case l.lameDuck < 0:
		return fmt.Errorf("--lame-duck is %s, want 0 or more", l.lameDuck)
	case l.drain < 0:
		return fmt.Errorf("--drain is %s, want 0 or more", l.drain)
	}
	return nil
}
