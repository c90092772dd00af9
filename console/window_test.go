package console

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func ended(j *Journal, typ string, at time.Time, rtt time.Duration, failed bool) {
	e := j.Start(Entry{Type: typ, Started: at.Add(-rtt)})
	if e.State, e.Trace.RTT = OK, rtt; failed {
		e.State, e.Err = Failed, &Error{}
	}
	j.Finish(e)
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := NewJournal()
		began := time.Now()
		if got := j.Window("fib", time.Minute, 60, began); got != nil {
			t.Errorf("without a call: %v", got)
		}
		for i := range 120 { // two minutes, a call each second, of i+1 ms
			ended(j, "fib", began.Add(time.Duration(i)*time.Second+500*time.Millisecond), time.Duration(i+1)*time.Millisecond, i%10 == 9)
		}
		now := began.Add(119*time.Second + 600*time.Millisecond)
		got := j.Window("", time.Minute, 60, now)
		if len(got) != 60 || got[0].Span != time.Second || !got[59].Start.Equal(began.Add(119*time.Second)) || !got[0].Start.Equal(began.Add(60*time.Second)) {
			t.Fatalf("%d buckets of %v from %v", len(got), got[0].Span, got[0].Start.Sub(began))
		}
		for i, b := range got {
			want := fmt.Sprint(1, 0, time.Duration(61+i)*time.Millisecond, time.Duration(61+i)*time.Millisecond)
			if (60+i)%10 == 9 {
				want = fmt.Sprint(1, 1, time.Duration(0), time.Duration(0))
			}
			if have := fmt.Sprint(b.Count, b.Failed, b.P50, b.Max); have != want {
				t.Errorf("bucket %d: %s, want %s", i, have, want)
			}
		}
		for span, want := range map[time.Duration]int{10 * time.Second: 10, time.Minute: 60, 5 * time.Minute: 120, time.Hour: 120} {
			for _, width := range []int{1, 7, 20, 60, 66, 131, 150, 220} {
				all := 0
				buckets := j.Window("fib", span, width, now)
				for i, b := range buckets {
					all += b.Count
					if i > 0 && !b.Start.Equal(buckets[i-1].Start.Add(b.Span)) {
						t.Fatalf("%v in %d: a gap before bucket %d", span, width, i)
					}
				}
				if last := buckets[len(buckets)-1]; len(buckets) != width || now.Before(last.Start) || !now.Before(last.Start.Add(last.Span)) {
					t.Errorf("%v in %d: %d buckets, the last from %v", span, width, len(buckets), last.Start.Sub(began))
				}
				covered := buckets[0].Span * time.Duration(width)
				if ratio := float64(covered) / float64(span); ratio < 0.8 || ratio > 1.25 || float64(all) < 0.75*float64(want) || float64(all) > 1.3*float64(want)+1 {
					t.Errorf("%v in %d: %v with %d calls, want %d", span, width, covered, all, want)
				}
			}
		}
		if got := j.Window("fib", time.Minute, 60, now.Add(10*time.Minute)); slices.ContainsFunc(got, func(b Bucket) bool { return b.Count > 0 }) {
			t.Error("what is long past is still shown")
		}
		if got := len(j.Window("fib", time.Minute, 10_000, now)); got != mostBuckets {
			t.Errorf("%d buckets", got)
		}
	})
}

// A bucket keeps what it has while time goes on: nothing moves between two columns.
func TestWindowStands(t *testing.T) {
	j := NewJournal()
	began := j.began
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		ended(j, "fib", began.Add(time.Duration(r.Int64N(int64(50*time.Second)))), time.Duration(1+r.Int64N(1e7)), false)
	}
	seen := map[time.Time]Bucket{}
	for now := began.Add(50 * time.Second); now.Before(began.Add(65 * time.Second)); now = now.Add(137 * time.Millisecond) {
		for _, b := range j.Window("fib", time.Minute, 66, now) {
			if old, ok := seen[b.Start]; ok && (old.Count != b.Count || old.P50 != b.P50 || old.Max != b.Max) {
				t.Fatalf("the bucket of %v was %d %v, is %d %v", b.Start.Sub(began), old.Count, old.P50, b.Count, b.P50)
			}
			seen[b.Start] = b
		}
	}
}

// The median is near the true one for any spread, and counts are exact, also where a share overflows.
func TestBucketMedian(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 10, 1000, 200_000} {
		for range 2 {
			j := NewJournal()
			var all []time.Duration
			scale := time.Duration(1) << (10 + r.IntN(24))
			w := newWindows()
			for range n {
				d := scale + time.Duration(r.Int64N(int64(scale)*3))
				all = append(all, d)
				w.spans[0].add(time.Second, d, false)
			}
			slices.Sort(all)
			b := w.spans[0].buckets(1, j.began.Add(time.Second), j.began)[0]
			exact := all[(n-1)/2]
			if off := float64(b.P50)/float64(exact) - 1; b.Count != n || b.Max != all[n-1] || off > 0.25 && n > 2 || off < -0.25 && n > 2 {
				t.Errorf("%d calls: %d, p50 %v, really %v, max %v", n, b.Count, b.P50, exact, b.Max)
			}
		}
	}
	for d, want := range map[time.Duration]int{0: 0, 1: 0, 511: 0, 512: 0, 767: 0, 768: 1, 1023: 1, 1024: 2, 1535: 2, 1536: 3, time.Hour: 2*octaves - 1} {
		if got := share(d); got != want {
			t.Errorf("share(%d) = %d, want %d", d, got, want)
		}
		if i := share(d); i < 2*octaves-1 && d >= ShareLimit(i) {
			t.Errorf("%d is not below %d", d, ShareLimit(i))
		}
	}
}

// Types that come and go take no more room than those that have windows; busy ones keep theirs.
func TestWindowTypes(t *testing.T) {
	j := NewJournal()
	for i := range 3 * windowTypes {
		ended(j, fmt.Sprint(i), j.began.Add(time.Duration(i)*time.Second), time.Millisecond, false)
		ended(j, "fib", j.began.Add(time.Duration(i)*time.Second), time.Millisecond, false)
	}
	now := j.began.Add(time.Minute)
	if len(j.windows) != windowTypes || j.Window("0", time.Hour, 10, now) != nil || j.Window("fib", time.Hour, 10, now) == nil || j.Window(fmt.Sprint(3*windowTypes-1), time.Hour, 10, now) == nil {
		t.Errorf("%d types", len(j.windows))
	}
	busy := NewJournal()
	for i := range 3 * windowTypes {
		ended(busy, fmt.Sprint(i), busy.began, time.Millisecond, false)
	}
	if busy.Window("0", time.Hour, 10, now) == nil || busy.Window(fmt.Sprint(windowTypes), time.Hour, 10, now) != nil {
		t.Error("a busy type lost its windows")
	}
}

// At 50 000 results a second this is what one costs: start, finish, totals, histogram and four windows.
func BenchmarkJournalResult(b *testing.B) {
	j := NewJournal()
	at := time.Now()
	e := Entry{Type: "fib", Started: at, Trace: Trace{RTT: 398 * time.Microsecond}}
	b.ReportAllocs()
	for i := range b.N {
		e.Started = at.Add(time.Duration(i) * 20 * time.Microsecond)
		n := j.Start(e)
		n.State = OK
		j.Finish(n)
	}
}

func BenchmarkWindow(b *testing.B) {
	j := NewJournal()
	for i := range 100_000 {
		ended(j, "fib", j.began.Add(time.Duration(i)*600*time.Microsecond), time.Duration(i)*time.Microsecond, false)
	}
	now := j.began.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		j.Window("fib", time.Minute, 66, now)
	}
}
