package console

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// busy answers every fourth call after a millisecond, refuses the others, and has sent each of those twice before.
type busy struct {
	fake
}

func (b *busy) Fire(context.Context, Request) error {
	time.Sleep(time.Millisecond)
	if b.fired.Add(1)%4 == 0 {
		return nil
	}
	return &Error{Exit: ExitServer, Code: "resource_exhausted", Message: "8 calls are in flight (3 attempts)"}
}

func (b *busy) Stats() Stats {
	return Stats{State: Connected, Retries: 1_000_000 + uint64(b.fired.Load()/4*3*2)}
}

// What got done comes first. What failed stands beside it with its share and its reason, also while it runs, and what was sent again is told.
func TestBenchOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return &busy{}, nil }})
		defer s.Close()
		mustExec(t, s, "connect")
		var seen []Bench
		r, err := s.ExecTalk(t.Context(), "bench slow 50 -n 4000 -c 4 --warmup 100ms", Talk{Bench: func(b Bench) { seen = append(seen, b) }})
		if err != nil {
			t.Fatal(err)
		}
		b := r.Bench
		if b.Good() != 1000 || b.Failed != 3000 || b.Rate() != 1000 || b.FailedShare() != 0.75 || b.Retries != 6000 || b.Attempts() != 10_000 {
			t.Errorf("got %+v: %v/s, %d attempts", b, b.Rate(), b.Attempts())
		}
		for _, want := range []string{"ok                 1 000  1 000/s for 1.00 s\n", "failed             3 000  75 % of 4 000 calls\n",
			"                   3 000  resource exhausted: 8 calls are in flight (3 attempts)\n", "attempts          10 000  with those sent again; top counts each at the server\n"} {
			if !strings.Contains(r.Text, want) {
				t.Errorf("%q is not in\n%s", want, r.Text)
			}
		}
		checkReport(t, "busy", r.Text)
		mid := seen[len(seen)/2]
		if f := mid.Failures; math.Abs(mid.Now-1000) > 50 || len(f) != 1 || f[0].Code != "resource_exhausted" || f[0].First != "8 calls are in flight (3 attempts)" || f[0].Count == 0 {
			t.Errorf("while it runs: %v/s, %+v", mid.Now, f)
		}
		if left := mid.Left(); math.Abs(left.Seconds()-(1-mid.Elapsed.Seconds())) > 0.1 {
			t.Errorf("%v left after %v, want what all calls take", left, mid.Elapsed)
		}
		for cells, want := range map[int]string{77: "  1 000/s ok  75 % failed: resource exhausted  p50 1.00 ms", 100: " ok  75 % failed: resource exhausted: 8 calls are in flight (3 attempts)", 87: " ok  75 % failed: 8 calls are in flight (3 attempts)"} {
			mid.Now = 1000
			if line := mid.Line(cells, false); !strings.Contains(line, want) {
				t.Errorf("in %d cells: %q, want %q", cells, line, want)
			}
		}
		if log := s.Log().Tail(1, 0); len(log) != 1 || log[0].Text != "bench slow 50: 1 000 of 4 000 calls ok, 1 000/s, p50 1.00 ms, p99 1.00 ms, 75 % failed: resource exhausted: 8 calls are in flight (3 attempts)" {
			t.Errorf("got log %+v", log)
		}
		v, err := json.Marshal(r.Value)
		for _, want := range []string{`"ok":1000,"ok_rate":1000,"attempts":10000,"calls":4000,"errors":{"resource_exhausted":3000},"rate":4000,`, `"status":"ok"`} {
			if err != nil || !strings.Contains(string(v), want) {
				t.Errorf("%s is not in %s", want, v)
			}
		}
	})
}

// A cause that begins with its code is not told twice.
func TestBenchTellsOnce(t *testing.T) {
	s := connected(t)
	r, err := s.Exec(t.Context(), "bench lost 1 -n 4 -c 4")
	if err == nil || r.Bench.Failures[0].First != "" || !strings.Contains(r.Text, "  connection lost\n") {
		t.Errorf("got %v\n%s", err, r.Text)
	}
}

// Only all is 100 %, and only nothing is 0 %.
func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 1e-9: "under 0.01 %", 0.0004: "0.04 %", 0.012: "1.2 %", 0.62: "62 %", 0.994: "99 %", 53_552.0 / 53_755: "99.6 %", 0.9994: "99.9 %", 0.9998: "99.98 %",
		0.99999: "over 99.99 %", 1: "100 %", 1.7: "170 %"} {
		if got := percent(share); got != want {
			t.Errorf("%v: got %q, want %q", share, got, want)
		}
	}
}

// A cause that does not fit into its line goes on in the next one.
func TestBenchCauseIsWhole(t *testing.T) {
	const why = "localhost:18101: cannot connect: connection refused, nothing listens there; the last of three attempts"
	b := Bench{Type: "fib", Calls: 3, Failed: 3, Elapsed: time.Second, Failures: []BenchFailure{{Code: "unavailable", Count: 3, First: why}}}
	text := b.Text(false)
	checkReport(t, "whole", text)
	if got := strings.Join(strings.Fields(text), " "); !strings.Contains(got, "3 unavailable: "+why) {
		t.Errorf("got\n%s", text)
	}
}
