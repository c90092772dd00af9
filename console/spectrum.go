package console

import (
	"maps"
	"slices"
	"time"
)

// Band is so many good calls that took about the same time.
type Band struct {
	Upto  time.Duration // the longest of them, within 1 %
	Count int
}

// Spectrum returns how long the good calls of a type took in the whole session, shortest first. It is made of the histogram that the percentiles
// come from, so no call is missing. It is nil without a good call; "" means the type that finished last.
func (j *Journal) Spectrum(typ string) []Band {
	j.mu.Lock()
	defer j.mu.Unlock()
	if typ == "" {
		typ = j.newest
	}
	s := j.types[typ]
	if s == nil || s.rtt == nil {
		return nil
	}
	return s.rtt.bands()
}

func (s *spread) bands() []Band {
	var all []Band
	for _, b := range s.histogram.Distribution() {
		if b.Count > 0 {
			all = append(all, Band{Upto: min(max(time.Duration(b.To), s.min), s.max), Count: int(b.Count)})
		}
	}
	return all
}

// Timed returns the types that have a timing, in the order of their names.
func (j *Journal) Timed() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.types))
}
