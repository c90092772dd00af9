package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what load is made. Calls or Duration must be set; with both, what comes first ends it.
type Config struct {
	Calls    int           // so many calls; 0: as many as there is time for
	Duration time.Duration // calls are begun for so long; 0: until Calls are made
	Workers  int           // calls in flight at most; 0 means 1
	Rate     float64       // calls that are due in a second, at an even pace; 0: the next one when one was answered
	Warmup   time.Duration // the same load goes before for so long and is not counted
	Timeout  time.Duration // each call's context has a deadline after so long, or up to 1 % later; 0: none

	// Code names a failure, so that failures can be counted by their names; nil: all are called "failed". It is called at once by several workers.
	Code func(error) string

	Begin func() // called before the first call that counts, when those of the warm-up have ended; nil: nobody wants to know
}

// The limits of a Config.
const (
	MaxWorkers = 100_000
	MaxRate    = 10_000_000
)

// Check says what is wrong with a Config.
func (c *Config) Check() error {
	switch {
	case c.Calls < 0, c.Duration < 0, c.Warmup < 0, c.Timeout < 0, c.Workers < 0, c.Rate < 0:
		return errors.New("a number is negative")
	case c.Calls == 0 && c.Duration == 0:
		return errors.New("neither a number of calls nor a duration")
	case c.Workers > MaxWorkers:
		return fmt.Errorf("%d workers, the limit is %d", c.Workers, MaxWorkers)
	case !(c.Rate <= MaxRate): // not a number is neither
		return fmt.Errorf("a rate of %g, the limit is %d", c.Rate, MaxRate)
	}
	return nil
}

// Load is one run of calls. It is made by New, Run is called once, Progress and Latency at any time from any goroutine.
type Load struct {
	cfg    Config
	call   func(context.Context) error
	sleep  sleeper
	passes [2]pass // the warm-up and what counts
	now    atomic.Pointer[pass]
}

// New returns a Load that has not begun. call is what it does again and again, in Workers goroutines at once; its context ends when the run is interrupted, and must
// not be used after call has returned. Its error says that it failed.
func New(cfg Config, call func(context.Context) error) (*Load, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg.Workers = max(cfg.Workers, 1)
	if cfg.Code == nil {
		cfg.Code = func(error) string { return "failed" }
	}
	return &Load{cfg: cfg, call: call, sleep: precise}, nil
}

// Run makes the calls and returns when the last one has ended. Calls in flight when the time is over are waited for, bounded by what bounds them, and counted. When
// ctx ends the run is interrupted: calls in flight are cancelled, and those that fail of it count nowhere but in Abandoned.
func (l *Load) Run(ctx context.Context) Report {
	if l.cfg.Warmup > 0 {
		warm := l.cfg
		warm.Calls, warm.Duration = 0, l.cfg.Warmup
		l.begin(0, warm).run(ctx, l.sleep)
	}
	if l.cfg.Begin != nil {
		l.cfg.Begin()
	}
	p := l.begin(1, l.cfg)
	before, _ := cpuTime()
	p.run(ctx, l.sleep)
	after, ok := cpuTime()
	r := p.report()
	r.Interrupted = ctx.Err() != nil && (l.cfg.Calls == 0 || r.Calls < l.cfg.Calls)
	if ok {
		r.CPU, r.HasCPU = after-before, true
	}
	return r
}

func (l *Load) begin(n int, cfg Config) *pass {
	p := &l.passes[n]
	p.cfg, p.call, p.warmup, p.shards = cfg, l.call, n == 0, newShards(cfg)
	p.start = time.Now()
	l.now.Store(p)
	return p
}

// pass is one stretch of load: the warm-up, or what counts.
type pass struct {
	cfg    Config
	call   func(context.Context) error
	warmup bool
	start  time.Time
	shards []shard

	made      atomic.Int64 // calls begun, in the closed model perhaps some more
	abandoned atomic.Int64
	unmade    int           // calls that were due and not made; meaningful after run
	elapsed   time.Duration // of all; meaningful after run
}

// run is over when all calls have ended.
func (p *pass) run(ctx context.Context, s sleeper) {
	var workers sync.WaitGroup // they end when calls or time are at their end, or ctx is
	if p.cfg.Rate > 0 {
		slots := make(chan int) // no room: a slot waits with the pacer until a worker is free
		for i := range p.cfg.Workers {
			workers.Go(func() { p.worker(ctx, i).follow(slots) })
		}
		p.unmade = p.pace(ctx, slots, s)
		close(slots)
	} else {
		for i := range p.cfg.Workers {
			workers.Go(func() { p.worker(ctx, i).repeat() })
		}
	}
	workers.Wait()
	p.elapsed = time.Since(p.start)
}

// due is when call i of the open model is to begin.
func (p *pass) due(i int) time.Duration {
	return time.Duration(float64(i) / p.cfg.Rate * float64(time.Second))
}

// scheduled is how many calls of the open model are due in all.
func (p *pass) scheduled() int {
	n := math.MaxInt
	if p.cfg.Calls > 0 {
		n = p.cfg.Calls
	}
	if p.cfg.Duration > 0 {
		n = min(n, int(math.Ceil(p.cfg.Duration.Seconds()*p.cfg.Rate)))
	}
	return n
}
