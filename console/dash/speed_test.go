//go:build unix

package dash

import (
	"context"
	"flag"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// speedShort is long enough to lose a result, and too short for figures.
const speedShort = 300 * time.Millisecond

var (
	speed     = flag.Duration("speed", speedShort, "measure the whole program under load for so long, and at rest; 10s gives the figures of docs/BENCHMARKS.md")
	speedRate = flag.Int("speed-rate", 50_000, "results a second of -speed")
	speedSize = flag.String("speed-size", "120x40", "terminal of -speed: 80x24, 120x40 or 200x60")
)

// glass is the output of a program whose frames are looked at.
type glass struct {
	mu     sync.Mutex // protects the fields below
	bytes  int
	frames int
	tail   string // the text of the latest frames
	want   string
	seen   chan time.Time
}

func (g *glass) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes += len(b)
	g.frames++
	if g.seen != nil {
		g.tail += ansi.Strip(string(b))
		if strings.Contains(g.tail, g.want) {
			g.seen <- time.Now()
			g.seen = nil
		}
		g.tail = g.tail[max(len(g.tail)-4096, 0):]
	}
	return len(b), nil
}

func (g *glass) expect(text string) <-chan time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want, g.tail, g.seen = text, "", make(chan time.Time, 1)
	return g.seen
}

func (g *glass) counts() (frames, bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.frames, g.bytes
}

// used is the time that the process had a processor.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load is what producers did: how many results, how long the slowest one took to hand over, and how far they were behind in the end.
type load struct {
	results int
	slowest time.Duration
	behind  time.Duration
}

// produce hands results to the journal at a rate, in steps of a millisecond, and tells how that went.
func produce(j *console.Journal, rate int, long time.Duration) load {
	var l load
	begun := time.Now()
	step := rate / 1000
	e := console.Entry{Kind: console.KindCall, Type: "exp", Payload: []byte(`{"base":2,"exp":10}`), Timeout: 5 * time.Second}
	result, out, in := []byte(`{"value":1024,"costInNanos":28113}`), make([]byte, 70), make([]byte, 89)
	for time.Since(begun) < long {
		for i := range step {
			now := time.Now()
			e.Started = now
			x := j.Start(e)
			x.State, x.ReplyType, x.Result = console.OK, "exp_res", result
			x.Trace = console.Trace{RTT: time.Duration(300+(i*7919)%400) * micro, Client: 21 * micro, Wait: 279 * micro, Out: out, In: in}
			x.Server, x.HasServer = 28*micro, true
			j.Finish(x)
			l.slowest = max(l.slowest, time.Since(now))
			l.results++
		}
		due := begun.Add(time.Duration(l.results) * time.Second / time.Duration(rate))
		l.behind = max(time.Since(due), 0)
		time.Sleep(time.Until(due))
	}
	return l
}

// TestSpeed measures and prints; only what must not depend on the machine can fail: no result may be missing, and a program at rest writes nothing.
func TestSpeed(t *testing.T) {
	w, h := 120, 40
	switch *speedSize {
	case "80x24":
		w, h = 80, 24
	case "200x60":
		w, h = 200, 60
	}
	alone := console.NewJournal()
	cpu := used(t)
	l := produce(alone, *speedRate, *speed)
	base := used(t) - cpu
	t.Logf("producers alone: %d results, %.1f %% of a core, slowest %v, behind %v", l.results, percent(base, *speed), l.slowest, l.behind)

	s := newSession(t)
	m := newModel(t.Context(), s, Config{Theme: looks("dark", false)})
	m.Update(tea.WindowSizeMsg{Width: w, Height: h})
	r, keys := io.Pipe()
	g := &glass{}
	ctx, cancel := context.WithCancel(t.Context())
	m.ctx = ctx
	done := make(chan error)
	go func() { // ends with ctx
		_, err := m.run(tea.WithInput(r), tea.WithOutput(g), tea.WithoutSignalHandler())
		done <- err
	}()
	rest(t, g, "at rest, nothing called yet", true)

	var waits []time.Duration
	var typing sync.WaitGroup
	stop := make(chan struct{})
	typing.Go(func() { waits = typeAll(keys, g, stop) })
	cpu = used(t)
	frames, bytes := g.counts()
	begun := time.Now()
	l = produce(s.Journal(), *speedRate, *speed)
	took := time.Since(begun)
	all := used(t) - cpu
	nowFrames, nowBytes := g.counts()
	close(stop)
	typing.Wait()
	t.Logf("%dx%d: %d results in %v; slowest hand-over %v, behind %v", w, h, l.results, took.Round(time.Millisecond), l.slowest, l.behind)
	t.Logf("processor: %.1f %% of a core in all, %.1f %% without the producers", percent(all, took), percent(all-base, took))
	t.Logf("screen: %.1f writes and %.0f KiB a second", float64(nowFrames-frames)/took.Seconds(), float64(nowBytes-bytes)/1024/took.Seconds())
	if n := len(waits); n > 0 {
		slices.Sort(waits)
		t.Logf("key to screen: %d keys, p50 %v, p95 %v, max %v", n, waits[n/2].Round(time.Millisecond/10), waits[n*95/100].Round(time.Millisecond/10), waits[n-1].Round(time.Millisecond/10))
	}
	sum := 0
	for _, b := range s.Journal().Spectrum("exp") {
		sum += b.Count
	}
	if got := s.Journal().Totals().OK; got != l.results || sum != l.results {
		t.Errorf("%d results, %d in the totals, %d in the histogram", l.results, got, sum)
	}
	rest(t, g, "after the load, while the chart of a minute moves on", false)
	cancel()
	<-done
	_ = keys.Close()
}

func percent(d, of time.Duration) float64 { return 100 * d.Seconds() / of.Seconds() }

// rest measures the program while nothing happens.
func rest(t *testing.T, g *glass, when string, still bool) {
	t.Helper()
	time.Sleep(min(*speed, time.Second)) // what it shows at first is not rest
	frames, _ := g.counts()
	cpu, begun := used(t), time.Now()
	time.Sleep(min(*speed, 5*time.Second))
	took := time.Since(begun)
	now, _ := g.counts()
	t.Logf("%s: %.2f %% of a core, %d writes in %v", when, percent(used(t)-cpu, took), now-frames, took.Round(time.Second))
	if still && *speed > speedShort && now != frames { // on a busy machine the first frames may take longer than the short form waits
		t.Errorf("%s: %d writes", when, now-frames)
	}
}

// typeAll types a letter ten times a second and returns how long each took to be on the screen.
func typeAll(keys io.Writer, g *glass, stop <-chan struct{}) []time.Duration {
	const letters = "qwertzuiopasdfghjklyxcvbnm"
	var waits []time.Duration
	typed := ""
	for i := 0; ; i++ {
		if len(typed) == 30 {
			_, _ = io.WriteString(keys, "\x15")
			typed = ""
		}
		typed += string(letters[i*7%len(letters)])
		seen := g.expect("> " + typed)
		begun := time.Now()
		_, _ = io.WriteString(keys, typed[len(typed)-1:])
		select {
		case at := <-seen:
			waits = append(waits, at.Sub(begun))
		case <-time.After(5 * time.Second):
			return append(waits, 5*time.Second)
		}
		select {
		case <-stop:
			return waits
		case <-time.After(100*time.Millisecond + time.Duration(i%13)*3*time.Millisecond):
		}
	}
}
