package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/internal/load"
)

func fired(s *Session) int64 {
	b, _ := s.link()
	return b.(*fake).fired.Load()
}

// A filter takes what -o json prints, and a limit that was missed is told all the same.
func TestBenchFilter(t *testing.T) {
	s := connected(t)
	r, err := s.Exec(t.Context(), "bench fib 10 -n 20 -c 4 | .calls, (.latency_ns.p99 > 0)")
	if err != nil || r.Text != "20\ntrue" || r.Bench != nil {
		t.Errorf("got %q, %v", r.Text, err)
	}
	if r, err = s.Exec(t.Context(), "bench fib 10 -n 20 --max-p99 1ns | .calls"); err == nil || r.Bench == nil {
		t.Errorf("got %+v, %v", r, err)
	}
	if e := fails(t, s, "bench fib 10 -n 20 | .calls("); e.Line == "" || fired(s) != 40 {
		t.Errorf("got %v, %d calls", e, fired(s))
	}
}

// A bench makes exactly as many calls as were asked for, tells how it goes, and leaves no trace but a line of the log.
func TestBench(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		var seen []Bench
		r, err := s.ExecTalk(t.Context(), "bench fib 10 -n 2000 -c 4", Talk{Bench: func(b Bench) { seen = append(seen, b) }})
		if err != nil {
			t.Fatal(err)
		}
		b := r.Bench
		if b.Calls != 2000 || b.Failed != 0 || fired(s) != 2000 || b.Elapsed != 500*time.Millisecond || b.Rate() != 4000 || b.Running || b.Share != 1 {
			t.Errorf("got %+v", b)
		}
		for i, d := range b.Latency.List() {
			if d < 999*time.Microsecond || d > 1001*time.Microsecond {
				t.Errorf("%s: got %v, want 1 ms", BenchHeads[i], d)
			}
		}
		if n := len(seen); n < 5 || !seen[0].Running || !seen[n-2].Running || seen[n-1].Running {
			t.Errorf("shown %d times: %+v", len(seen), seen)
		} else if mid := seen[3]; math.Abs(mid.Share-0.6) > 0.01 || math.Abs(mid.Now-4000) > 50 || mid.Left() < 190*time.Millisecond || mid.Left() > 210*time.Millisecond {
			t.Errorf("after 300 ms: share %v, %v/s, %v left", mid.Share, mid.Now, mid.Left())
		}
		if last, ok := s.Bench(); !ok || last.Calls != 2000 || last.Running {
			t.Errorf("afterwards %+v", last)
		}
		if n := s.Journal().Totals(); n != (Totals{}) || s.Journal().Last() != 0 || len(s.Journal().Timed()) != 0 {
			t.Errorf("it is in the journal: %+v", n)
		}
		log := s.Log().Tail(1, 0)
		if len(log) != 1 || log[0].Text != "bench fib 10: 2 000 calls, 4 000/s, p50 1.00 ms, p99 1.00 ms" {
			t.Errorf("got log %+v", log)
		}
		for _, want := range []string{"fib 10\n  with 2 000 calls, 4 at a time\n", "calls              2 000  4 000/s for 500 ms\n", "latency      1.00 ms  1.00 ms"} {
			if !strings.Contains(r.Text, want) {
				t.Errorf("%q is not in\n%s", want, r.Text)
			}
		}
	})
}

// What cannot be measured is refused before anything is sent, with a caret where it is wrong.
func TestBenchMisuse(t *testing.T) {
	s := NewSession(Config{Dial: fakeDial})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect modern:1", "services", "rpc fib int")
	for _, c := range []struct {
		line, at string // at: what the caret stands under
		text     string
	}{
		{"bench", "", "bench needs TYPE"},
		{"bench 10", "10", "needs the name of a type"},
		{"bench fib 10 -c 0", "0", "-c is a number from 1 to 100 000"},
		{"bench fib 10 -c", "", "-c needs a value"},
		{"bench fib 10 -n -5", "-5", "-n is a number from 1 to"},
		{"bench fib 10 -n many", "many", `"many" is not a whole number`},
		{"bench fib 10 -n 99999999999999999999", "99999999999999999999", "is not a whole number"},
		{"bench fib 10 --rate 0", "0", "--rate is calls in a second"},
		{"bench fib 10 --rate NaN", "NaN", "--rate is calls in a second"},
		{"bench fib 10 --rate 1e9", "1e9", "--rate is calls in a second"},
		{"bench fib 10 -d soon", "soon", `"soon" is not a time`},
		{"bench fib 10 -d off", "off", "-d needs a time above zero"},
		{"bench fib 10 --max-p99 0", "0", "--max-p99 needs a time above zero"},
		{"bench fib 10 --warmup -1s", "-1s", "is not a time"},
		{"bench fib 10 --nonsense", "--nonsense", "bench has no flag"},
		{"bench fib", "", "fib needs a payload"},
		{`bench fib "x"`, `"x"`, "fib"},
		{"bench fob 10", "fob", "the server has no service \"fob\""},
		{"bench fibs 10", "fibs", "fibs is a stream; bench measures calls alone as yet"},
		{"bench sum 1", "sum", "sum is an upload"},
		{"bench log {}", "log", "log is a cast"},
	} {
		r, err := s.Exec(t.Context(), c.line)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Exit != ExitUsage && e.Exit != ExitType {
			t.Errorf("%s: got %v", c.line, err)
			continue
		}
		want := len(c.line)
		if c.at != "" {
			want = strings.LastIndex(c.line, c.at)
		}
		if !strings.Contains(e.Message, c.text) || e.Line != c.line || e.At != want {
			t.Errorf("%s: got %q at %d of %q, want %q at %d", c.line, e.Message, e.At, e.Line, c.text, want)
		}
		if h := s.Check(c.line + " "); h.State == HintGood {
			t.Errorf("%s: the hint is %q", c.line, h.Text)
		}
		if r.Bench != nil || r.Text != "" || fired(s) != 0 {
			t.Errorf("%s: something was measured: %+v", c.line, r)
		}
	}
	for line, want := range map[string]string{
		"bench fib 20": "measure fib for 10s, 50 at a time", "bench fib 20 -n 1000 -c 1": "measure fib with 1 000 calls, 1 at a time",
		"bench fib 20 -d 2m --rate 0.5": "measure fib for 2m, 0.5/s, at most 50 at a time", "bench fib 20 -n 5 -d 90s": "measure fib with 5 calls or for 1m30s, 50 at a time",
	} {
		if h := s.Check(line); h.State != HintGood || h.Text != want {
			t.Errorf("%s: got %+v, want %q", line, h, want)
		}
	}
	if h := s.Check("bench fib 20 -c "); h.State == HintBad {
		t.Errorf("still typing: %+v", h)
	}
	for line, want := range map[string]string{"bench ": "fib ", "bench fib 20 -": "--rate ", "bench fib 20 -d ": "10s ", "ben": "bench "} {
		offers := fmt.Sprint(s.Complete(line, len(line)).Offers)
		if !strings.Contains(offers, "{"+want) || strings.Contains(offers, "ticks") {
			t.Errorf("%q: got offers %s, want %q", line, offers, want)
		}
	}
}

// How it ends, and what -o json prints then: always one object, in the order that is promised.
func TestBenchEnds(t *testing.T) {
	for _, c := range []struct {
		line   string
		exit   Exit
		calls  int // -1: some
		json   string
		absent string
	}{
		{"bench fib 10 -n 40 -c 3", ExitOK, 40, `"errors":{},"rate":`, "corrected_ns"},
		{"bench fib 10 -n 40 --rate 2000", ExitOK, 40, `"corrected_ns":{"min":`, "not_made"},
		{"bench fib 10 -n 40 -d 1h --warmup 5ms --idempotent", ExitOK, 40, `"interrupted":false,"status":"ok"}`, "error\":"},
		{"bench flaky 1 -n 40 -c 2", ExitOK, 40, `"errors":{"resource_exhausted":10}`, "\x1b"},
		{"bench busy 1 -n 40 -c 2", ExitServer, 40, `"errors":{"resource_exhausted":40}`, "latency_ns"},
		{"bench hang 1 -n 4 -c 4 --timeout 20ms", ExitDeadline, 4, `"errors":{"deadline_exceeded":4}`, "latency_ns"},
		{"bench lost 1 -n 4 -c 4", ExitConnection, 4, `"errors":{"connection_lost":4}`, "latency_ns"},
		{"bench panic 1 -n 4 -c 4", ExitInternal, 4, `"errors":{"internal":4}`, "latency_ns"},
		{"bench nope 1 -n 100000 -c 2", ExitServer, -1, `"status":"not_found"`, "latency_ns"},
		{"bench fibs 1 -n 100000 -c 2", ExitServer, -1, `"message":"fibs is a stream; bench`, `\"interrupted\":true`},
		{"bench fib 10 -n 40 --max-p99 1h", ExitOK, 40, `"status":"ok"`, "limit"},
		{"bench fib 10 -n 40 --max-p99 1us", ExitBench, 40, `"status":"limit_missed","error":{"code":"limit_missed","message":"p99 is `, "corrected"},
		{"bench flaky 1 -n 40 --max-p99 1h", ExitBench, 40, `more than 1 % of the calls failed`, "corrected"},
		{"bench fib 10 -n 40 --rate 4000 --max-p99 1us", ExitBench, 40, `"corrected p99 is `, "}{"},
		{"bench fib 10 -c 0", ExitUsage, 0, `"calls":0,"errors":{},"rate":0,"duration_ns":0,"interrupted":false,"status":"usage"`, "latency_ns"},
	} {
		s := connected(t)
		r, err := s.Exec(t.Context(), c.line)
		if e, _ := errors.AsType[*Error](err); (e == nil) != (c.exit == ExitOK) || e != nil && e.Exit != c.exit {
			t.Errorf("%s: got %v, want exit %d", c.line, err, c.exit)
		}
		var out bytes.Buffer
		if err := (&Printer{Out: &out, Err: &out, Format: FormatJSON}).Print(r, err); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if m := mustShape(benchShape).Check(out.Bytes()); m != nil || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %+v in\n%s", c.line, m, text)
		}
		var v struct {
			Type  string
			Calls int
		}
		if err := json.Unmarshal(out.Bytes(), &v); err != nil || c.calls >= 0 && v.Calls != c.calls || v.Type != strings.Fields(c.line)[1] {
			t.Errorf("%s: %v, %+v, want %d calls", c.line, err, v, c.calls)
		}
		if !strings.Contains(text, c.json) || strings.Contains(text, c.absent) {
			t.Errorf("%s: want %s and no %s in\n%s", c.line, c.json, c.absent, text)
		}
		last := 0
		for _, key := range []string{`"type":`, `"calls":`, `"errors":`, `"rate":`, `"duration_ns":`, `"latency_ns":`, `"corrected_ns":`, `"client_cpu_ns":`, `"interrupted":`} {
			if at := strings.Index(text, key); at >= 0 {
				if at < last {
					t.Errorf("%s: %s is not in its place of\n%s", c.line, key, text)
				}
				last = at
			}
		}
		checkReport(t, c.line, r.Text)
	}
}

func checkReport(t *testing.T, line, text string) {
	t.Helper()
	for row := range strings.SplitSeq(text, "\n") {
		if ansi.StringWidth(row) > 80 || strings.TrimRight(row, " ") != row || !clean(row) {
			t.Errorf("%s: %q is %d cells wide", line, row, ansi.StringWidth(row))
		}
	}
}

// ctrl+c gives the report of what there is, and says that it is not all.
func TestBenchInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		r, err := s.Exec(ctx, "bench fib 10 -d 1h -c 2")
		e, _ := errors.AsType[*Error](err)
		if e == nil || e.Exit != ExitInterrupted || r.Bench == nil || !r.Bench.Interrupted || r.Bench.Calls < 4990 || r.Bench.Calls > 5002 || r.Bench.Failed != 0 {
			t.Fatalf("got %v and %+v", err, r.Bench)
		}
		if !strings.Contains(r.Text, "for 1h, 2 at a time; interrupted\n") {
			t.Error(r.Text)
		}
		var out bytes.Buffer
		_ = (&Printer{Out: &out, Err: &out, Format: FormatJSONL}).Print(r, err)
		if !strings.Contains(out.String(), `"interrupted":true,"status":"canceled","error":{`) {
			t.Error(out.String())
		}
		mustExec(t, s, "bench fib 10 -n 5") // nothing of it is left
	})
}

// Two at a time would measure each other.
func TestOneBench(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Exec(ctx, "bench fib 10 -d 1h") })
		time.Sleep(time.Second)
		if _, err := s.Exec(t.Context(), "bench fib 10 -n 1"); err == nil || !strings.Contains(err.Error(), "a bench is running already") {
			t.Errorf("got %v", err)
		}
		cancel()
		wg.Wait()
		mustExec(t, s, "bench fib 10 -n 1")
	})
}

// What a peer says in its errors never reaches the terminal as it is.
func TestBenchHostile(t *testing.T) {
	s := connected(t)
	r, err := s.Exec(t.Context(), "bench flaky \"\x1b\u202e\" -n 8 -c 2")
	if err == nil {
		t.Fatal("a control character in a payload is no JSON")
	}
	r, err = s.Exec(t.Context(), "bench flaky \"\u009b\u202e\" -n 8 -c 2 --no-check")
	if err != nil || !strings.Contains(r.Text, `resource exhausted: too many calls\x1b[2J`) {
		t.Errorf("got %v\n%s", err, r.Text)
	}
	checkReport(t, "hostile", r.Text)
}

// The report fits 80 columns whatever the figures are, and does without Unicode where there is none.
func TestBenchText(t *testing.T) {
	for _, scale := range []time.Duration{1, time.Microsecond, time.Millisecond, time.Second, 20 * time.Minute} {
		for _, rate := range []float64{0, 123_456} {
			n := 0
			l, err := load.New(load.Config{Calls: 3000, Workers: 1}, func(context.Context) error {
				if n++; n%7 == 0 {
					return errors.New("no")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			report := l.Run(t.Context())
			b := Bench{Type: strings.Repeat("t", 100), Payload: json.RawMessage(`{"text":"` + strings.Repeat("二的十次方", 50) + `"}`),
				Limits: BenchLimits{Calls: 1 << 40, Duration: 1000 * time.Hour, Workers: load.MaxWorkers, Rate: rate}}
			b.take(&report)
			b.Calls, b.Failed, b.Elapsed, b.Unmade, b.Abandoned, b.CPU, b.Interrupted = 1<<40, 1<<39, 3000*scale, 1<<40, 100_000, 3000*scale, true
			b.Latency = BenchFigures{scale, 5 * scale, 50 * scale, 55 * scale, 555 * scale, 5555 * scale, 9999 * scale}
			b.Failures = append(b.Failures, BenchFailure{strings.Repeat("code", 30), 1 << 40, strings.Repeat("二", 100)})
			checkReport(t, scale.String(), b.Text(false))
			b.Payload, b.Failures = nil, nil
			for _, text := range []string{b.Text(true), b.Line(79, true), b.summary(true)} {
				for _, c := range text {
					if c > 126 || c < 32 && c != '\n' {
						t.Fatalf("%q in\n%s", c, text)
					}
				}
			}
			b.Running = true
			for cells := 10; cells < 200; cells++ {
				for _, line := range []string{b.Line(cells, false), b.Line(cells, true)} {
					if w := ansi.StringWidth(line); w > cells || !strings.HasPrefix(line, "100 %") {
						t.Errorf("%d cells for %d: %q", w, cells, line)
					}
				}
			}
		}
	}
}

// A live line is written over itself on a terminal, taken away at the end, and is nowhere else.
func TestBenchLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connected(t)
		for _, live := range []bool{false, true} {
			var out, aside bytes.Buffer
			p := &Printer{Out: &out, Err: &aside}
			if live {
				p.Live = func() (int, int) { return 80, 24 }
			}
			r, err := s.ExecTalk(t.Context(), "bench fib 10 -d 1s -c 5", p.Talk())
			if err := p.Print(r, err); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(aside.String(), "\r\x1b[K")
			if !live {
				if aside.Len() > 0 {
					t.Errorf("no terminal, and yet %q", aside.String())
				}
				continue
			}
			if n := len(lines); n < 10 || n > 14 || lines[n-1] != "" {
				t.Fatalf("%d lines: %q", n, lines)
			}
			if got := lines[6]; !strings.HasPrefix(got, " 50 %  ━━━") || !strings.HasSuffix(got, " calls  p50 1.00 ms  p99 1.00 ms  0.5 s left") || ansi.StringWidth(got) > 77 {
				t.Errorf("half way: %q", got)
			}
			if !strings.HasPrefix(out.String(), "fib 10\n") {
				t.Errorf("got %q", out.String())
			}
		}
	})
}

// Paces are made coarser and lose no call.
func TestGauge(t *testing.T) {
	g := gauge{base: Bench{Limits: BenchLimits{Duration: time.Hour}}}
	var b Bench
	calls := 0
	for i := 1; i <= 5000; i++ {
		calls += i % 100
		b = g.next(load.Progress{Elapsed: time.Duration(i) * benchTick, Calls: calls + 3*i, Failed: 3 * i}, func() load.Latencies { return load.Latencies{} })
		if n := len(b.Paces); n == 0 || n > pacesKeep {
			t.Fatalf("after %d ticks: %d steps", i, n)
		}
	}
	sum := 0
	for _, n := range g.sums {
		sum += n
	}
	if sum != calls || len(b.Paces) < pacesKeep/2 {
		t.Errorf("%d steps with %d calls, want %d", len(b.Paces), sum, calls)
	}
	if b.Now != 91+92+93+94+95+96+97+98+99 {
		t.Errorf("lately %v/s, want the good calls of the last second", b.Now)
	}
	if b.ending != b.Now+30 {
		t.Errorf("lately %v/s ended, want those that failed too", b.ending)
	}
}

// A tick that comes right after one that was late holds calls of no time, and is no pace of its own.
func TestGaugeAfterALateTick(t *testing.T) {
	g := gauge{base: Bench{Limits: BenchLimits{Duration: time.Hour}}}
	for i, at := range []time.Duration{0, 10, 20, 45, 46, 50, 60, 70} { // in tenths of a tick
		b := g.next(load.Progress{Elapsed: at * benchTick / 10, Calls: []int{0, 10, 20, 22, 46, 50, 60, 70}[i]}, func() load.Latencies { return load.Latencies{} })
		for _, pace := range b.Paces {
			if pace > 6*10/benchTick.Seconds() { // what was made up for in half a tick is one
				t.Errorf("reading %d: a pace of %v/s, where the calls are %v/s", i, pace, 10/benchTick.Seconds())
			}
		}
	}
}

// The help fits a terminal, and no flag is broken in two.
func TestBenchHelp(t *testing.T) {
	s := NewSession(Config{})
	defer s.Close()
	for line := range strings.SplitSeq(s.Help("bench"), "\n") {
		if ansi.StringWidth(line) > 80 && !strings.HasPrefix(line, "bench TYPE") || strings.HasSuffix(line, "-") {
			t.Errorf("%q", line)
		}
	}
}
