package load

import "time"

// Report is what came of a run.
type Report struct {
	Calls     int                // that ended, good and failed
	Failed    int                // of them
	Failures  map[string]Failure // by code; never nil
	Elapsed   time.Duration      // from the first call's beginning to the last one's end
	Latency   Latencies          // of good calls, from their beginning
	Corrected Latencies          // of good calls, from when they were due; none without a rate
	Unmade    int                // with a rate: calls that were due and not made, because all workers were busy until the time was over
	Abandoned int                // calls that were cancelled by the interruption; they count nowhere else

	CPU    time.Duration // what this process used of processors meanwhile, in user code and in the kernel
	HasCPU bool          // the system tells

	Interrupted bool
}

// Failure is how often calls failed in one way.
type Failure struct {
	Count int
	First error // one of the first of them
}

// Rate is how many calls ended in a second.
func (r *Report) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Calls) / r.Elapsed.Seconds()
}

// Kept says whether a share of all calls, in a hundred, took no longer than limit: counted from when they were due if there was a rate. A call that failed or was due and not made took longer.
func (r *Report) Kept(percent float64, limit time.Duration) bool {
	l := &r.Latency
	if r.Corrected.Count() > 0 {
		l = &r.Corrected
	}
	good, all := l.Count(), r.Calls+r.Unmade
	if good == 0 {
		return false
	}
	needed := percent * float64(all) / float64(good) // the same rank among the good ones
	return needed <= 100 && l.At(needed) <= limit
}

// Progress is how far a run is.
type Progress struct {
	Warmup  bool // nothing counts yet
	Elapsed time.Duration
	Calls   int     // that ended
	Failed  int     // of them
	Share   float64 // of what is asked, from 0 to 1
}

// Progress looks at a run that may be going on; the zero value before it begins. It is cheap enough for ten times a second and more.
func (l *Load) Progress() Progress {
	p := l.now.Load()
	if p == nil {
		return Progress{}
	}
	at := Progress{Warmup: p.warmup, Elapsed: time.Since(p.start)}
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		at.Calls += s.latency.Count() + s.fails
		at.Failed += s.fails
		s.mu.Unlock()
	}
	if p.cfg.Calls > 0 {
		at.Share = float64(at.Calls) / float64(p.cfg.Calls)
	}
	if p.cfg.Duration > 0 {
		at.Share = max(at.Share, at.Elapsed.Seconds()/p.cfg.Duration.Seconds())
	}
	at.Share = min(at.Share, 1)
	return at
}

// Latency is how long the good calls of a run took that may be going on: from when they were due if there is a rate. It takes about a millisecond, in which some workers wait.
func (l *Load) Latency() Latencies {
	all := newLatencies()
	p := l.now.Load()
	if p == nil {
		return all
	}
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		from := &s.latency
		if s.paced {
			from = &s.corrected
		}
		all.merge(from)
		s.mu.Unlock()
	}
	return all
}

// Failures are those of a run that may be going on, by code; never nil.
func (l *Load) Failures() map[string]Failure {
	all := map[string]Failure{}
	p := l.now.Load()
	if p == nil {
		return all
	}
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		s.sumInto(all)
		s.mu.Unlock()
	}
	return all
}

// report is called when the workers have ended.
func (p *pass) report() Report {
	r := Report{Failures: map[string]Failure{}, Elapsed: p.elapsed, Latency: newLatencies(), Unmade: p.unmade, Abandoned: int(p.abandoned.Load())}
	if p.cfg.Rate > 0 {
		r.Corrected = newLatencies()
	}
	for i := range p.shards {
		s := &p.shards[i]
		r.Latency.merge(&s.latency)
		if s.paced {
			r.Corrected.merge(&s.corrected)
		}
		r.Failed += s.fails
		s.sumInto(r.Failures)
	}
	r.Calls = r.Latency.Count() + r.Failed
	return r
}
