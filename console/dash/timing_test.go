package dash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// busy fills a journal with calls of the last minute and a little more, a few of them slow or failed.
func busy(j *console.Journal, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		rtt := time.Duration(300+r.ExpFloat64()*120) * micro
		if r.IntN(60) == 0 {
			rtt *= 4
		}
		ends(j, "exp", noon.Add(-time.Duration(n-i)*65*time.Second/time.Duration(n)), rtt, r.IntN(90) == 0)
	}
}

// ends puts a call into the journal that ended at that time.
func ends(j *console.Journal, typ string, at time.Time, rtt time.Duration, failed bool) {
	e := j.Start(console.Entry{Kind: console.KindCall, Type: typ, Payload: json.RawMessage(`{"base":2,"exp":10}`), Timeout: 5 * time.Second, Started: at.Add(-rtt)})
	e.Trace = console.Trace{RequestID: "77", Attempts: 1, RTT: rtt, Client: 20 * micro, Wait: rtt - 20*micro, Out: make([]byte, 70)}
	if failed {
		e.State, e.Err = console.Failed, &console.Error{Exit: console.ExitDeadline, Message: "no reply"}
	} else {
		e.State, e.ReplyType, e.Result = console.OK, typ+"_res", json.RawMessage(fmt.Sprintf(`{"value":1024,"costInNanos":%d}`, 20_000+rtt/micro))
		e.Server, e.HasServer, e.Trace.In = 20*micro+rtt/1000, true, make([]byte, 89)
	}
	j.Finish(e)
}

func TestGoldenCharts(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {60, 20}, {80, 24}, {120, 40}, {160, 48}} {
		for _, box := range []string{"", "-ascii"} {
			if box != "" && size[0] != 80 {
				continue
			}
			s := newSession(t)
			busy(s.Journal(), 900)
			m := open(t, s, size[0], size[1], Config{Theme: looks("mono", box != "")})
			press(m, "alt+2", "g")
			golden(t, fmt.Sprintf("charts-%dx%d%s", size[0], size[1], box), text(m))
		}
	}
}

func TestGoldenTiming(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 48}} {
		s := newSession(t)
		busy(s.Journal(), 900)
		if _, err := s.Exec(t.Context(), "watch exp_res.costInNanos"); err != nil {
			t.Fatal(err)
		}
		m := open(t, s, size[0], size[1], Config{})
		press(m, "alt+2", "f")
		golden(t, fmt.Sprintf("timing-%dx%d", size[0], size[1]), text(m))
	}
}

// TestChartsFit draws both panes at every size, in each state that changes what they draw.
func TestChartsFit(t *testing.T) {
	s := newSession(t)
	busy(s.Journal(), 300)
	for _, line := range []string{"watch exp_res.costInNanos", "watch exp_res.value", "watch exp_res.nothing"} {
		_, _ = s.Exec(t.Context(), line)
	}
	few := newSession(t)
	call(few.Journal(), 34, "fib", "1", "2", 3*time.Second, 0)
	for name, tc := range map[string]struct {
		s         *console.Session
		histogram bool
		ascii     bool
	}{"none": {s: newSession(t)}, "one": {s: few}, "many": {s: s}, "histogram": {s: s, histogram: true, ascii: true}} {
		t.Run(name, func(t *testing.T) {
			m := open(t, tc.s, 80, 24, Config{Theme: looks("dark", tc.ascii)})
			m.timings.histogram = tc.histogram
			for w := 1; w <= 220; w += 1 + w/5 {
				for h := 1; h <= 70; h += 1 + h/6 {
					in := rect{0, 0, w + 2, h + 2}
					m.timings.load(in.inside(), 0, h%2 == 0)
					m.charts.load(in.inside())
					for _, p := range []pane{&m.timings, &m.charts} {
						rows := p.View(w, h)
						if len(rows) != h {
							t.Fatalf("%T %dx%d: %d rows", p, w, h, len(rows))
						}
						for y, row := range rows {
							if got := ansi.StringWidth(row); got != w {
								t.Fatalf("%T %dx%d: row %d has %d cells: %q", p, w, h, y, got, ansi.Strip(row))
							}
							if plain := ansi.Strip(row); tc.ascii && !plainASCII(plain) {
								t.Fatalf("%T %dx%d: %q is not ASCII", p, w, h, plain)
							}
						}
					}
				}
			}
		})
	}
}

// The pane keeps its type while calls of several types pour in, and takes another one only when its own have ceased.
func TestSubjectStays(t *testing.T) {
	s := newSession(t)
	m := open(t, s, 80, 24, Config{})
	for i := range 300 {
		ends(s.Journal(), []string{"exp", "fib", "log"}[i%3], noon.Add(time.Duration(i)*10*time.Millisecond), micro, false)
		m.Update(tickMsg{})
		if m.timings.typ != "exp" {
			t.Fatalf("after %d calls it is about %q", i+1, m.timings.typ)
		}
	}
	for _, tc := range []struct {
		after time.Duration
		want  string
	}{{time.Second, "exp"}, {calmTime + 100*time.Millisecond, "fib"}} {
		ends(s.Journal(), "fib", noon.Add(3*time.Second+tc.after), micro, false)
		if m.Update(tickMsg{}); m.timings.typ != tc.want {
			t.Errorf("%v after the last one of its own it is about %q, want %q", tc.after, m.timings.typ, tc.want)
		}
	}
}

// What the person did last decides: a type chosen here, a call chosen in Calls, a call made from here.
func TestSubjectIsChosen(t *testing.T) {
	m := filled(t)
	heading := func() string { return m.timings.Heading(30, 10).subject }
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() { press(m, "alt+2") }, "exp"},
		{func() { press(m, "right") }, "fib"},
		{func() { press(m, "right") }, "exp"}, // from the last to the first
		{func() { press(m, "left") }, "fib"},
		{func() { ends(m.session.Journal(), "exp", noon.Add(time.Minute), micro, false); m.Update(tickMsg{}) }, "fib"},
		{func() { press(m, "esc") }, "fib"},
		{func() { press(m, "alt+1", "up") }, "exp"},
		{func() { press(m, "home") }, "fib"},
		{func() { press(m, "esc"); enter(t, m, `call exp {"base":2,"exp":10}`) }, "exp"},
		{func() { enter(t, m, "call fib 10") }, "fib"},
		{func() { enter(t, m, `cast log "hi"`) }, "fib"}, // casts have no timing
	} {
		if step.do(); heading() != step.want {
			t.Fatalf("step %d: got %q, want %q", i, heading(), step.want)
		}
	}
}

func TestSpanKeys(t *testing.T) {
	m := filled(t)
	press(m, "alt+2")
	for i, step := range []struct{ key, want string }{
		{"+", "5 min"}, {"=", "1 h"}, {"+", "1 h"}, {"-", "5 min"}, {"-", "60 s"}, {"-", "10 s"}, {"-", "10 s"},
	} {
		if press(m, step.key); !strings.Contains(text(m), " "+step.want+" ─") {
			t.Errorf("step %d, %s: %s is not in\n%s", i, step.key, step.want, text(m))
		}
	}
}

func TestHistogramKey(t *testing.T) {
	m := filled(t)
	if press(m, "alt+2", "h"); !strings.Contains(text(m), "good calls") || !strings.Contains(text(m), "p50 p95") {
		t.Errorf("no histogram:\n%s", text(m))
	}
	if press(m, "h"); strings.Contains(text(m), "good calls") {
		t.Errorf("the histogram is still there:\n%s", text(m))
	}
}

func TestChartsPage(t *testing.T) {
	m := filled(t)
	press(m, "alt+2", "g")
	for _, want := range []string{"Charts exp", "rtt over time", "calls a second", "percentiles", "p90", "60 s ago"} {
		if !strings.Contains(text(m), want) {
			t.Errorf("%q is not in\n%s", want, text(m))
		}
	}
	if press(m, "+", "right"); !strings.Contains(text(m), "Charts fib") || !strings.Contains(text(m), "last 5 min") {
		t.Errorf("keys of Timing do nothing:\n%s", text(m))
	}
	if press(m, "g"); m.focus != atTiming || strings.Contains(text(m), "rtt over time") {
		t.Errorf("g leads to %d:\n%s", m.focus, text(m))
	}
	if press(m, "g", "esc"); m.focus == atCharts || strings.Contains(text(m), "rtt over time") {
		t.Errorf("esc leads to %d:\n%s", m.focus, text(m))
	}
	m.Update(tea.WindowSizeMsg{Width: 40, Height: 10})
	press(m, "alt+2", "g")
	for _, step := range []struct{ key, want string }{{"up", "rtt over time"}, {"down", "calls a second"}, {"j", "percentiles"}, {"down", "percentiles"}, {"k", "calls a second"}} {
		if press(m, step.key); !strings.Contains(text(m), step.want) {
			t.Errorf("after %s %q is not in\n%s", step.key, step.want, text(m))
		}
	}
}

func TestWatches(t *testing.T) {
	m := filled(t)
	enter(t, m, "watch exp_res.costInNanos")
	if !strings.Contains(text(m), "28 113") || !strings.Contains(text(m), "costInNanos  28 113") {
		t.Errorf("not at 80x24:\n%s", text(m))
	}
	m.Update(tea.WindowSizeMsg{Width: 160, Height: 48})
	for _, want := range []string{"exp_res.costInNanos", "min 25 113", "median 25 113", "max 31 000"} {
		if !strings.Contains(text(m), want) {
			t.Errorf("%q is not in\n%s", want, text(m))
		}
	}
	before := m.timings.watches[0].Count
	if enter(t, m, `call exp {"base":2,"exp":10}`); m.timings.watches[0].Count != before+1 {
		t.Errorf("%d values after another call, %d before", m.timings.watches[0].Count, before)
	}
	if enter(t, m, "watch rm all"); strings.Contains(text(m), "median") {
		t.Errorf("it is still there:\n%s", text(m))
	}
}

func TestLevels(t *testing.T) {
	w := console.NewSession(console.Config{})
	t.Cleanup(func() { _ = w.Close() })
	if _, err := w.Exec(t.Context(), "watch n_res.n"); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"-1.7e308", "1.7e308", "0", "9007199254740993", "0.1234567891"} {
		call(w.Journal(), i, "n", "1", `{"n":`+text+`}`, micro, 0)
	}
	x := openWatch(t, w)
	for i, p := range levels(x.Values) {
		if !(p.high >= 0 && p.high <= 1) {
			t.Errorf("%v: height %v", x.Values[i].Value, p.high)
		}
	}
	for i, want := range []string{"-1.7e308", "1.7e308", "0", "9 007 199 254 740 993", "0.123457"} {
		if got := digitsOf(x.Values[i].Value); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// openWatch pins n_res.n anew, so that it is filled with what the journal has.
func openWatch(t *testing.T, s *console.Session) console.Watch {
	t.Helper()
	for _, line := range []string{"watch rm all", "watch n_res.n"} {
		if _, err := s.Exec(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	return s.Watches()[0]
}

// The percentiles of the page are those of the figures.
func TestPercentilesAgree(t *testing.T) {
	s := newSession(t)
	busy(s.Journal(), 900)
	bands, tm := s.Journal().Spectrum("exp"), s.Journal().Timing("exp", 0)
	good := tm.Calls - tm.Failed
	for q, want := range map[float64]time.Duration{0.5: tm.P50, 0.9: tm.P90, 0.95: tm.P95, 0.99: tm.P99, 0.999: tm.P999, 1: tm.Max} {
		if got := console.BandAt(bands, good, q); got != want {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
}

// A chart moves on by a column at a time after the last call, and no longer when nothing is left in it, or without motion.
func TestChartsMoveOn(t *testing.T) {
	s := newSession(t)
	m := open(t, s, 80, 24, Config{})
	ends(s.Journal(), "fib", noon, micro, false)
	now := noon
	m.clock = func() time.Time { return now }
	steps := 0
	for m.Update(tickMsg{}); m.timings.moves.Load() > 0 && steps < 100; m.Update(tickMsg{}) {
		next := time.Unix(0, m.timings.moves.Load())
		if !next.After(now) {
			t.Fatalf("step %d: at %v it moves at %v", steps, now, next)
		}
		now = next
		steps++
	}
	if took := now.Sub(noon); steps < 20 || steps > 30 || took < 50*time.Second || took > 75*time.Second {
		t.Errorf("%d steps in %v", steps, took)
	}
	now = noon
	enter(t, m, "set motion off")
	if m.Update(tickMsg{}); m.timings.moves.Load() != 0 {
		t.Error("without motion it moves")
	}
}

// The feed wakes the screen when a chart moves on, once.
func TestFeedMovesCharts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := console.NewSession(console.Config{})
		var moves atomic.Int64
		began := time.Now()
		moves.Store(began.Add(3 * time.Second).UnixNano())
		sent, done := make(chan time.Duration, 100), make(chan struct{})
		go func() { // ends with the context of the test
			defer close(done)
			feed(t.Context(), s, watching{nil, &moves, new(atomic.Bool), new(atomic.Int64)}, func(tea.Msg) {
				moves.Store(0)
				sent <- time.Since(began)
			})
		}()
		t.Cleanup(func() { <-done; _ = s.Close() })
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(sent) != 1 || <-sent != 3*time.Second {
			t.Errorf("%d messages", len(sent)+1)
		}
	})
}

func TestShades(t *testing.T) {
	for _, tc := range []struct{ n, most, want int }{
		{0, 9, 0}, {1, 1, 4}, {1, 2, 3}, {2, 2, 4}, {1, 4, 1}, {4, 4, 4}, {1, 10_000, 1}, {9, 10_000, 1}, {11, 10_000, 2}, {101, 10_000, 3}, {9999, 10_000, 4}, {10_000, 10_000, 4},
	} {
		if got := shadeOf(tc.n, tc.most, 4); got != tc.want {
			t.Errorf("%d of %d: got %d, want %d", tc.n, tc.most, got, tc.want)
		}
	}
}
