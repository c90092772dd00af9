package console

import (
	"slices"
	"sync"
	"time"
)

const (
	journalKeep = 1000     // entries that can still be shown; totals and histograms keep everything
	bytesKeep   = 64 << 20 // of their payloads and frames; beyond it the oldest entries lose theirs
	typesKeep   = 1000     // types that are timed, and that services counts; further ones are only in the totals
	seriesKeep  = 256      // latest points per type, for charts
)

// Journal holds what the session did: the last calls as entries, everything as totals and one histogram per type. Whoever runs a call
// appends to it and rings a bell of one slot; a face reads what is new when it next draws. So a slow screen never slows a call, and a
// thousand calls cost the screen no more than one. Safe for concurrent use.
type Journal struct {
	bell chan struct{}

	mu      sync.Mutex // protects the fields below
	entries []Entry    // a ring: number n stands at (n-1) % journalKeep
	last    int        // the newest number
	replied int        // the number of the call whose good reply came last; 0: none
	held    int        // bytes of payloads and frames in finished entries
	version uint64
	totals  Totals
	types   map[string]*series
	newest  string              // the type that finished last
	began   time.Time           // 1970, by the clock that no one sets: slots begin at round times of day
	windows map[string]*windows // by type, of the windowTypes that finished last
}

// Totals counts the entries of the session, but for those that the user stopped.
type Totals struct{ Running, OK, Sent, Failed int }

// series is the timing of one type.
type series struct {
	rtt    *spread // of good calls; nil until there is one
	server *spread // nil until a reply tells
	points []Point // the latest seriesKeep
	calls  int
	failed int
}

// Point is one finished call in a chart.
type Point struct {
	At     time.Time // when it ended
	RTT    time.Duration
	Failed bool
}

// Timing sums up the calls of one type. Percentiles are of good calls; durations are zero when there are none.
type Timing struct {
	Type                            string
	Calls, Failed                   int
	Min, P50, P90, P95, P99, Max    time.Duration
	P999                            time.Duration // 99.9 of a hundred
	HasServer                       bool
	ServerMin, ServerP50, ServerMax time.Duration
	Points                          []Point // oldest first
}

// NewJournal returns an empty journal.
func NewJournal() *Journal {
	now := time.Now()
	return &Journal{bell: make(chan struct{}, 1), types: map[string]*series{}, began: now.Add(-time.Duration(now.UnixNano()))}
}

// Bell is rung after each change; rings that nobody heard become one.
func (j *Journal) Bell() <-chan struct{} { return j.bell }

// Version changes with each change of the journal, so a face can tell that there is nothing to draw.
func (j *Journal) Version() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.version
}

// Start appends a running entry and returns it with its number.
func (j *Journal) Start(e Entry) Entry {
	j.mu.Lock()
	j.last++
	e.Number, e.State = j.last, Running
	if len(j.entries) < journalKeep {
		j.entries = append(j.entries, e)
	} else {
		old := &j.entries[(e.Number-1)%journalKeep]
		if old.State != Running {
			j.held -= old.size()
		}
		*old = e
	}
	j.totals.Running++
	j.unlockAndRing()
	return e
}

// Become replaces the running entry of the same number: what began as a call has turned out to be a stream.
func (j *Journal) Become(e Entry) {
	j.mu.Lock()
	if e.Number > j.last-journalKeep {
		e.State = Running
		j.entries[(e.Number-1)%journalKeep] = e
	}
	j.unlockAndRing()
}

// Note rings the bell: an item was added to an entry.
func (j *Journal) Note() {
	j.mu.Lock()
	j.unlockAndRing()
}

// Items returns the newest n items of an entry, oldest first, and how many older ones there were, which may be kept no longer.
func (j *Journal) Items(number, n int) (items []Item, older int) {
	if e, ok := j.Entry(number); ok && e.flow != nil {
		return e.flow.tail(n)
	}
	return nil, 0
}

// Finish replaces the running entry of the same number with its outcome, counts it, and returns it with the counts of its items.
func (j *Journal) Finish(e Entry) Entry {
	if e.flow != nil {
		e.flow.tell(&e)
	}
	j.mu.Lock()
	if e.Number > j.last-journalKeep {
		j.entries[(e.Number-1)%journalKeep] = e
		j.held += e.size()
		j.dropLocked(e.Number)
	}
	j.totals.Running--
	switch e.State {
	case OK:
		j.totals.OK++
		if e.Result != nil { // a stream may end without an item
			j.replied = e.Number
		}
	case Sent:
		j.totals.Sent++
	default:
		if !e.Stopped() {
			j.totals.Failed++
		}
	}
	if e.Kind != KindCast && !e.Stopped() {
		j.recordLocked(e)
	}
	j.unlockAndRing()
	return e
}

// dropLocked takes the bytes of the oldest finished entries until the rest is within bytesKeep. The entry just finished keeps its own.
func (j *Journal) dropLocked(finished int) {
	for n := max(j.last-journalKeep+1, 1); j.held > bytesKeep && n <= j.last; n++ {
		e := &j.entries[(n-1)%journalKeep]
		if n == finished || e.State == Running || e.Dropped {
			continue
		}
		j.held -= e.size()
		e.drop()
		j.held += e.size()
	}
}

func (j *Journal) recordLocked(e Entry) {
	s := j.types[e.Type]
	if s == nil {
		if len(j.types) == typesKeep {
			return
		}
		s = &series{}
		j.types[e.Type] = s
	}
	s.calls++
	if e.State == OK {
		s.rtt = s.rtt.with(e.Trace.RTT)
		if d, known := e.ServerTime(); known {
			s.server = s.server.with(d)
		}
	} else {
		s.failed++
	}
	if len(s.points) >= 2*seriesKeep {
		s.points = append(s.points[:0], s.points[len(s.points)-seriesKeep:]...)
	}
	s.points = append(s.points, Point{At: e.Started.Add(e.Trace.RTT), RTT: e.Trace.RTT, Failed: e.State == Failed})
	j.windowLocked(e.Type, s.points[len(s.points)-1])
	j.newest = e.Type
}

// unlockAndRing ends a change: it counts it, unlocks the journal and rings the bell.
func (j *Journal) unlockAndRing() {
	j.version++
	j.mu.Unlock()
	select {
	case j.bell <- struct{}{}:
	default:
	}
}

// Entry returns the entry of that number; ok is false when there is none or it is too old to be kept.
func (j *Journal) Entry(number int) (e Entry, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number < 1 || number > j.last || number <= j.last-journalKeep {
		return Entry{}, false
	}
	return j.entryLocked(number), true
}

// entryLocked returns a kept entry as it stands now.
func (j *Journal) entryLocked(number int) Entry {
	e := j.entries[(number-1)%journalKeep]
	if e.State == Running && e.flow != nil {
		e.flow.tell(&e)
	}
	return e
}

// Tail returns up to n entries that end at number end, oldest first; end 0 means the newest.
func (j *Journal) Tail(n, end int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if end <= 0 || end > j.last {
		end = j.last
	}
	first := max(end-n+1, j.last-journalKeep+1, 1)
	tail := make([]Entry, 0, max(end-first+1, 0))
	for i := first; i <= end; i++ {
		tail = append(tail, j.entryLocked(i))
	}
	return tail
}

// Last returns the number of the newest entry, 0 when there is none.
func (j *Journal) Last() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// LastReply returns the call whose good reply came last; ok is false when there is none or it is too old to be kept.
func (j *Journal) LastReply() (e Entry, ok bool) {
	j.mu.Lock()
	n := j.replied
	j.mu.Unlock()
	return j.Entry(n)
}

// Totals returns the counts of the whole session.
func (j *Journal) Totals() Totals {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.totals
}

// Timing returns the timing of one type with at most points of its latest calls; "" means the type that finished last.
func (j *Journal) Timing(typ string, points int) Timing {
	j.mu.Lock()
	defer j.mu.Unlock()
	if typ == "" {
		typ = j.newest
	}
	t := Timing{Type: typ}
	s := j.types[typ]
	if s == nil {
		return t
	}
	t.Calls, t.Failed = s.calls, s.failed
	t.Points = slices.Clone(s.points[max(len(s.points)-points, 0):])
	if s.rtt != nil {
		q := s.rtt.percentile
		t.Min, t.P50, t.P90, t.P95, t.P99, t.Max = s.rtt.min, q(50), q(90), q(95), q(99), s.rtt.max
		t.P999 = q(99.9)
	}
	if s.server != nil {
		t.HasServer = true
		t.ServerMin, t.ServerP50, t.ServerMax = s.server.min, s.server.percentile(50), s.server.max
	}
	return t
}
