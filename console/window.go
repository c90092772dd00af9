package console

import (
	"math/bits"
	"time"
)

// A chart over real time is drawn from slots: of each type and of each span a ring of them, so that a second of 50 000 results costs no more room than
// one of two. A bucket of a chart is a whole number of slots and begins at a multiple of its length, so a column stays what it is while newer ones come.

// Spans are the lengths of time that Journal.Window is made for, shortest first.
var Spans = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour}

const (
	windowSlots = 600              // of a span
	windowRing  = 832              // kept: buckets need not divide the span
	windowTypes = 32               // types that have windows at once, 450 KiB each: those that finished last
	windowIdle  = 10 * time.Second // after which a type gives its windows to a new one, so that many busy types do not take them from each other in turn
	mostBuckets = 400              // of a window

	octaves   = 28 // of durations: 1 µs to about 4 minutes; what lies outside counts as the ends
	firstBits = 10 // a duration of so many bits is in the first octave
)

// Bucket is one column of a chart over time: the calls of one type that ended in it.
type Bucket struct {
	Start  time.Time
	Span   time.Duration // its length; Count / Span is the rate
	Count  int           // all, the failed ones included
	Failed int
	P50    time.Duration // of the good ones, within a tenth; zero without one
	Max    time.Duration // of the good ones, exact
	Shares []int         // the good ones by duration: see Shares
}

// ShareLimit returns the upper limit of element i of Bucket.Shares; the elements go up in steps of about 1.4.
func ShareLimit(i int) time.Duration {
	low := time.Duration(1) << (i/2 + firstBits - 1)
	if i%2 == 0 {
		return low + low/2
	}
	return 2 * low
}

// slot counts what ended in one short stretch of time.
type slot struct {
	number int64 // which stretch: the time since the journal's beginning in slots
	count  uint32
	failed uint32
	max    time.Duration
	low    uint8               // the first of shares that is not zero
	high   uint8               // the last
	halved uint8               // how often shares were halved, together, because one of them was full
	shares [2 * octaves]uint16 // of the good ones
}

// share is the element of shares that a duration belongs to.
func share(d time.Duration) int {
	n := bits.Len64(uint64(max(d, 1)))
	if n < firstBits {
		return 0
	}
	i := 2*(n-firstBits) + int(d>>(n-2))&1
	return min(i, 2*octaves-1)
}

func (s *slot) add(d time.Duration, failed bool) {
	s.count++
	if failed {
		s.failed++
		return
	}
	i := share(d)
	if s.count-s.failed == 1 {
		s.low, s.high = uint8(i), uint8(i)
	}
	s.max, s.low, s.high = max(s.max, d), min(s.low, uint8(i)), max(s.high, uint8(i))
	if s.halved > 0 && s.count&(1<<s.halved-1) != 0 {
		return // one of so many stands for all of them
	}
	if s.shares[i]++; s.shares[i] == 1<<16-1 {
		for n := range s.shares {
			s.shares[n] /= 2
		}
		s.halved++
	}
}

// window is a ring of slots of one length.
type window struct {
	length time.Duration
	ring   []slot
}

// slotAt returns the number of the slot that a time since the beginning lies in.
func (w *window) slotAt(since time.Duration) int64 {
	n := int64(since / w.length)
	if since < 0 && since%w.length != 0 {
		n--
	}
	return n
}

func (w *window) place(n int64) *slot {
	return &w.ring[((n%windowRing)+windowRing)%windowRing]
}

func (w *window) add(since, d time.Duration, failed bool) {
	n := w.slotAt(since)
	s := w.place(n)
	switch {
	case s.count == 0, s.number < n:
		*s = slot{number: n}
	case s.number > n:
		return // too old to be shown
	}
	s.add(d, failed)
}

// windows are those of one type.
type windows struct {
	spans [4]window
	last  time.Time // when something was added, by the clock of the calls
}

func newWindows() *windows {
	w := &windows{}
	for i, span := range Spans {
		w.spans[i] = window{length: span / windowSlots, ring: make([]slot, windowRing)}
	}
	return w
}

// windowLocked notes a call in the windows of its type.
func (j *Journal) windowLocked(typ string, p Point) {
	w := j.windows[typ]
	if w == nil {
		if w = j.newWindowsLocked(p.At); w == nil {
			return
		}
		j.windows[typ] = w
	}
	since := p.At.Sub(j.began)
	w.last = p.At
	for i := range w.spans {
		w.spans[i].add(since, p.RTT, p.Failed)
	}
}

// newWindowsLocked returns windows for one more type. Where there are enough of them the type that finished longest ago loses its own; while all are busy it is nil.
func (j *Journal) newWindowsLocked(now time.Time) *windows {
	if j.windows == nil {
		j.windows = map[string]*windows{}
	}
	if len(j.windows) < windowTypes {
		return newWindows()
	}
	oldest := ""
	for typ, w := range j.windows {
		if oldest == "" || w.last.Before(j.windows[oldest].last) {
			oldest = typ
		}
	}
	w := j.windows[oldest]
	if now.Sub(w.last) < windowIdle {
		return nil
	}
	delete(j.windows, oldest)
	for i := range w.spans {
		clear(w.spans[i].ring)
	}
	return w
}

// Window returns how the calls of a type went in the time up to now, oldest first: one bucket for each column of a chart; "" means the type that finished last.
// span is one of Spans. The buckets together are about as long as the span, since each is a whole number of its slots; they say when they begin. The newest has not ended.
// It is nil for a type without calls, and for one that got no room beside 32 others.
func (j *Journal) Window(typ string, span time.Duration, buckets int, now time.Time) []Bucket {
	buckets = min(buckets, mostBuckets)
	j.mu.Lock()
	defer j.mu.Unlock()
	if typ == "" {
		typ = j.newest
	}
	w := j.windows[typ]
	if w == nil || buckets < 1 {
		return nil
	}
	i := 0
	for i < len(Spans)-1 && Spans[i] < span {
		i++
	}
	return w.spans[i].buckets(buckets, now, j.began)
}

func (w *window) buckets(count int, now, began time.Time) []Bucket {
	each := int64(max((windowSlots+count/2)/count, 1))
	newest := w.slotAt(now.Sub(began))
	first := newest - ((newest%each)+each)%each - int64(count-1)*each
	all := make([]Bucket, count)
	shares := make([]int, count*2*octaves)
	for i := range all {
		b := &all[i]
		n := first + int64(i)*each
		b.Start, b.Span = began.Add(time.Duration(n)*w.length), time.Duration(each)*w.length
		b.Shares, shares = shares[:2*octaves:2*octaves], shares[2*octaves:]
		for k := n; k < n+each; k++ {
			if s := w.place(k); s.number == k && s.count > 0 {
				b.add(s)
			}
		}
		b.P50 = b.median()
	}
	return all
}

func (b *Bucket) add(s *slot) {
	b.Count += int(s.count)
	b.Failed += int(s.failed)
	b.Max = max(b.Max, s.max)
	if s.count == s.failed {
		return
	}
	for i := int(s.low); i <= int(s.high); i++ {
		b.Shares[i] += int(s.shares[i]) << s.halved
	}
}

// median is the middle of the good calls: exact for one, else as the shares have it, half way into the one where the middle lies.
func (b *Bucket) median() time.Duration {
	total := 0
	for _, n := range b.Shares {
		total += n
	}
	switch total {
	case 0:
		return 0
	case 1:
		return b.Max
	}
	before := 0
	for i, n := range b.Shares {
		if 2*(before+n) < total {
			before += n
			continue
		}
		low := time.Duration(0)
		if i > 0 {
			low = ShareLimit(i - 1)
		}
		part := float64(total-2*before) / float64(2*n)
		return min(low+time.Duration(part*float64(ShareLimit(i)-low)), b.Max)
	}
	return b.Max
}
