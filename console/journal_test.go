package console

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// finish makes an entry and ends it at once.
func finish(j *Journal, typ string, state State, rtt time.Duration) Entry {
	e := j.Start(Entry{Type: typ, Started: time.Unix(0, 0)})
	e.State, e.Trace.RTT = state, rtt
	if state == Sent {
		e.Kind = KindCast
	}
	j.Finish(e)
	return e
}

func TestJournalRing(t *testing.T) {
	j := NewJournal()
	if _, ok := j.Entry(0); ok || len(j.Tail(5, 0)) != 0 || j.Last() != 0 {
		t.Error("an empty journal has entries")
	}
	const n = 2*journalKeep + 7
	for range n {
		finish(j, "fib", OK, time.Millisecond)
	}
	for number, want := range map[int]bool{-1: false, 0: false, 1: false, n - journalKeep: false, n - journalKeep + 1: true, n: true, n + 1: false} {
		e, ok := j.Entry(number)
		if ok != want || ok && e.Number != number {
			t.Errorf("Entry(%d) = %d, %v; want %v", number, e.Number, ok, want)
		}
	}
	for _, c := range []struct{ n, end, first, count int }{{3, 0, n - 2, 3}, {3, n - 10, n - 12, 3}, {9999, 0, n - journalKeep + 1, journalKeep}, {5, n - journalKeep + 2, n - journalKeep + 1, 2}, {5, 3, 0, 0}, {0, 0, 0, 0}} {
		tail := j.Tail(c.n, c.end)
		if len(tail) != c.count || c.count > 0 && tail[0].Number != c.first {
			t.Errorf("Tail(%d, %d): %d entries, want %d from %d", c.n, c.end, len(tail), c.count, c.first)
		}
	}
}

// An entry that ends after its place in the ring was taken is counted all the same and harms nobody's row.
func TestJournalLateFinish(t *testing.T) {
	j := NewJournal()
	late := j.Start(Entry{Type: "slow"})
	for range journalKeep {
		finish(j, "fib", OK, time.Millisecond)
	}
	late.State = OK
	j.Finish(late)
	if e, _ := j.Entry(journalKeep + 1); e.Type != "fib" {
		t.Errorf("row %d is %q", journalKeep+1, e.Type)
	}
	if got, want := j.Totals(), (Totals{OK: journalKeep + 1}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

func TestJournalConcurrent(t *testing.T) {
	j := NewJournal()
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-j.Bell():
				n := j.Totals()
				if n.Running < 0 || len(j.Tail(50, 0)) > 50 || len(j.Timing("", 10).Points) > 10 {
					t.Errorf("totals %+v", n)
				}
			case <-stop:
				return
			}
		}
	})
	for i := range 8 {
		writers.Go(func() {
			for range 1000 {
				finish(j, []string{"fib", "exp"}[i%2], []State{OK, Failed, Sent, OK}[i%4], time.Millisecond)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if got, want := j.Totals(), (Totals{OK: 4000, Failed: 2000, Sent: 2000}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
	if got := j.Version(); got != 16000 {
		t.Errorf("version %d, want 16000", got)
	}
	if fib, exp := j.Timing("fib", 5), j.Timing("exp", 5); fib.Calls != 2000 || exp.Calls != 4000 || exp.Failed != 2000 || len(exp.Points) != 5 {
		t.Errorf("fib %+v, exp %+v", fib, exp)
	}
}

// Percentiles are within the histogram's 1 % of exact ones, failures are not in them.
func TestJournalTiming(t *testing.T) {
	j := NewJournal()
	r := rand.New(rand.NewPCG(1, 2))
	var exact []time.Duration
	for i := range 5000 {
		d := time.Duration(r.ExpFloat64()*float64(time.Millisecond)) + 100*time.Microsecond
		exact = append(exact, d)
		e := j.Start(Entry{Type: "exp", Started: time.Unix(int64(i), 0)})
		e.State, e.Trace.RTT, e.Server, e.HasServer = OK, d, d/10, true
		j.Finish(e)
	}
	finish(j, "exp", Failed, time.Minute)
	slices.Sort(exact)
	got := j.Timing("exp", 1000)
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"min", got.Min, exact[0]}, {"p50", got.P50, exact[2499]}, {"p90", got.P90, exact[4499]}, {"p95", got.P95, exact[4749]},
		{"p99", got.P99, exact[4949]}, {"max", got.Max, exact[4999]}, {"server p50", got.ServerP50, exact[2499] / 10}, {"server max", got.ServerMax, exact[4999] / 10},
	} {
		if off := c.got - c.want; max(off, -off) > c.want/100+1 {
			t.Errorf("%s = %v, want %v within 1 %%", c.name, c.got, c.want)
		}
	}
	if got.Calls != 5001 || got.Failed != 1 || !got.HasServer || len(got.Points) < seriesKeep || !got.Points[len(got.Points)-1].Failed {
		t.Errorf("%d calls, %d failed, server %v, %d points", got.Calls, got.Failed, got.HasServer, len(got.Points))
	}
	if empty := j.Timing("nothing", 5); empty.Calls != 0 || empty.P99 != 0 {
		t.Errorf("of nothing: %+v", empty)
	}
}

// Old payloads make room for new ones; what a call was and how long it took stays.
func TestJournalBytes(t *testing.T) {
	j := NewJournal()
	big := json.RawMessage(make([]byte, 1<<20))
	for range 3 * bytesKeep >> 20 {
		e := j.Start(Entry{Type: "echo"})
		e.State, e.Result, e.Trace.RTT = OK, big, time.Millisecond
		j.Finish(e)
	}
	held, dropped := 0, 0
	for _, e := range j.Tail(journalKeep, 0) {
		held += e.size()
		if e.Dropped {
			dropped++
			if e.Type != "echo" || e.Trace.RTT != time.Millisecond || e.Result != nil {
				t.Fatalf("#%d: %+v", e.Number, e)
			}
		}
	}
	if held > bytesKeep || held < bytesKeep-2<<20 || dropped != 2*bytesKeep>>20 {
		t.Errorf("%d bytes held, %d dropped", held, dropped)
	}
	if e, _ := j.Entry(j.Last()); e.Dropped {
		t.Error("the newest was dropped")
	}
	for range 2 * journalKeep { // the ring lets go of the rest: the count of bytes must follow
		finish(j, "fib", OK, time.Millisecond)
	}
	if j.held != 0 {
		t.Errorf("%d bytes are counted that nobody holds", j.held)
	}
}

// Types without end, as a script may make them up, take neither a histogram for each failure nor any memory beyond a bound.
func TestJournalTypes(t *testing.T) {
	j := NewJournal()
	for i := range 2 * typesKeep {
		finish(j, strconv.Itoa(i), Failed, time.Millisecond)
	}
	if got := j.Timing("7", 5); got.Calls != 1 || got.Failed != 1 || got.P50 != 0 || j.types["7"].rtt != nil {
		t.Errorf("a type that only failed: %+v", got)
	}
	if got := len(j.types); got != typesKeep {
		t.Errorf("%d types are timed, want %d", got, typesKeep)
	}
	if got := j.Totals().Failed; got != 2*typesKeep {
		t.Errorf("%d failed, want %d", got, 2*typesKeep)
	}
}

// What a server says besides its payload counts and goes as well; what a face holds does not change.
func TestJournalBytesOfErrors(t *testing.T) {
	j := NewJournal()
	details := json.RawMessage(make([]byte, 1<<20))
	name := strings.Repeat("x", 1<<20)
	var held []Entry
	for range bytesKeep >> 20 {
		e := j.Start(Entry{Type: "fail"})
		e.State, e.ReplyType, e.Err = Failed, name, &Error{Message: "no", Details: details}
		j.Finish(e)
		held = append(held, e)
	}
	got, _ := j.Entry(1)
	if !got.Dropped || got.Err.Details != nil || got.Err.Message != "no" || len(got.ReplyType) > maxType {
		t.Errorf("#1 keeps %d bytes of details and %d of a name", len(got.Err.Details), len(got.ReplyType))
	}
	if held[0].Err.Details == nil {
		t.Error("an entry changed in the hands of a face")
	}
}

func TestJournalAllocates(t *testing.T) {
	j := NewJournal()
	for range 3 * journalKeep {
		finish(j, "fib", OK, time.Millisecond)
	}
	if n := testing.AllocsPerRun(1000, func() { finish(j, "fib", OK, time.Millisecond) }); n > 0 {
		t.Errorf("%v allocations per call, want 0", n)
	}
}

func BenchmarkJournal(b *testing.B) {
	j := NewJournal()
	for b.Loop() {
		finish(j, "fib", OK, time.Millisecond)
	}
}
