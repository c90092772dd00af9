package load

import (
	"runtime"
	"sync"
	"time"
)

// shard is what some of the workers measured. One for each worker would take half a MiB each; a few for each processor meet as rarely.
type shard struct {
	mu        sync.Mutex // protects the fields below
	latency   Latencies
	corrected Latencies // with a rate
	paced     bool
	failures  map[string]*Failure
	fails     int

	_ [64]byte // the next one lies in another cache line
}

func newShards(cfg Config) []shard {
	shards := make([]shard, min(cfg.Workers, 2*runtime.GOMAXPROCS(0)))
	for i := range shards {
		s := &shards[i]
		s.latency, s.failures = newLatencies(), map[string]*Failure{}
		if s.paced = cfg.Rate > 0; s.paced {
			s.corrected = newLatencies()
		}
	}
	return shards
}

func (s *shard) good(took, corrected time.Duration) {
	s.mu.Lock()
	s.latency.add(took)
	if s.paced {
		s.corrected.add(corrected)
	}
	s.mu.Unlock()
}

func (s *shard) failed(code string, err error) {
	s.mu.Lock()
	s.fails++
	f := s.failures[code]
	if f == nil {
		f = &Failure{First: err}
		s.failures[code] = f
	}
	f.Count++
	s.mu.Unlock()
}

// sumInto adds the failures, by code, to those of other shards. Whoever calls it holds the lock, or is alone.
func (s *shard) sumInto(all map[string]Failure) {
	for code, f := range s.failures {
		so, ok := all[code]
		if !ok {
			so.First = f.First
		}
		so.Count += f.Count
		all[code] = so
	}
}
