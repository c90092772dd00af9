package dash

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
)

// BenchmarkFrame is what a frame costs while calls arrive: reading the session, loading the panes and drawing the whole screen.
// Its parts are told apart: update-ns is the reading, view-ns the drawing.
func BenchmarkFrame(b *testing.B) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {120, 40}, {160, 48}, {200, 60}} {
		for _, look := range []string{"mono", "dark"} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], look), func(b *testing.B) { frame(b, look, size[0], size[1], nil) })
		}
	}
}

// BenchmarkCharts is the same for the page of charts.
func BenchmarkCharts(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) { frame(b, "dark", size[0], size[1], []string{"alt+2", "g"}) })
	}
}

func frame(b *testing.B, look string, w, h int, keys []string) {
	s := newSession(b)
	m := open(b, s, w, h, Config{Theme: looks(look, false)})
	now := noon
	m.clock = func() time.Time { return now }
	busy(s.Journal(), 2000)
	if _, err := s.Exec(b.Context(), "watch exp_res.costInNanos"); err != nil {
		b.Fatal(err)
	}
	press(m, keys...)
	var updating, drawing time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(frameTime)
		ends(s.Journal(), "exp", now, time.Duration(300+i%100)*micro, false)
		begun := time.Now()
		m.Update(tickMsg{})
		middle := time.Now()
		_ = m.View()
		updating, drawing = updating+middle.Sub(begun), drawing+time.Since(middle)
	}
	b.ReportMetric(float64(updating.Nanoseconds())/float64(b.N), "update-ns/op")
	b.ReportMetric(float64(drawing.Nanoseconds())/float64(b.N), "view-ns/op")
}

// BenchmarkKey is what a letter at the prompt costs in the model.
func BenchmarkKey(b *testing.B) {
	s := newSession(b)
	busy(s.Journal(), 2000)
	m := open(b, s, 120, 40, Config{Theme: looks("dark", false)})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%40 == 39 {
			press(m, "ctrl+u")
		} else {
			press(m, "x")
		}
		_ = m.View()
	}
}

var results = flag.Int("results", 150_000, "how many results TestMemoryStaysFlat lets through")

// TestMemoryStaysFlat lets results pass with a frame now and then: what is held afterwards does not grow with their number, and none is missing.
func TestMemoryStaysFlat(t *testing.T) {
	s := newSession(t)
	j := s.Journal()
	m := open(t, s, 120, 40, Config{Theme: looks("dark", false)})
	now := noon
	m.clock = func() time.Time { return now }
	e := console.Entry{Kind: console.KindCall, Type: "fib", Payload: []byte("10")}
	pour := func(n int) {
		for i := range n {
			now = now.Add(20 * micro)
			e.Started, e.ReplyType, e.Result = now, "fib_res", []byte("89")
			e.Trace = console.Trace{RTT: time.Duration(300+i%4000) * micro, Client: 20 * micro, Wait: 280 * micro, In: make([]byte, 53)}
			x := j.Start(e)
			x.State = console.OK
			j.Finish(x)
			if i%20_000 == 0 {
				m.Update(tickMsg{})
				_ = m.View()
			}
		}
	}
	const warm = 50_000
	pour(warm)
	before := held()
	pour(*results)
	after := held()
	if grown := int64(after) - int64(before); grown > 1<<20 {
		t.Errorf("%d results hold %d bytes more", *results, grown)
	}
	t.Logf("%d results: %d KiB before, %d KiB after", *results, before>>10, after>>10)
	sum := 0
	for _, b := range j.Spectrum("fib") {
		sum += b.Count
	}
	if want := warm + *results; sum != want || j.Totals().OK != want || j.Timing("fib", 0).Calls != want {
		t.Errorf("got %d in the histogram, %d in the totals, want %d", sum, j.Totals().OK, want)
	}
	m.now = now
	if m.Update(tickMsg{}); !strings.Contains(text(m), console.Count(warm+*results)) {
		t.Errorf("the count is not on the screen:\n%s", text(m))
	}
}

// held is how many bytes of the heap are in use.
func held() uint64 {
	runtime.GC()
	runtime.GC() // what the first one only freed for finalizers and pools
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc
}
