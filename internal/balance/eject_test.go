package balance

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestEjectionCheck(t *testing.T) {
	for _, c := range []struct {
		e    Ejection
		want string // part of the error; "" for none
	}{
		{Ejection{}, ""},
		{Ejection{Consecutive: 1, Rate: 1, MinCalls: 1, Interval: 1, Base: 1, Max: 1}, ""},
		{Ejection{Consecutive: -1}, "calls"},
		{Ejection{MinCalls: -1}, "calls"},
		{Ejection{Rate: 1.1}, "rate"},
		{Ejection{Rate: -0.1}, "rate"},
		{Ejection{Rate: math.NaN()}, "rate"},
		{Ejection{Interval: -1}, "time"},
		{Ejection{Base: -1}, "time"},
		{Ejection{Base: 2, Max: 1}, "base"},
		{Ejection{Base: 2 * time.Minute}, "base"},
		{Ejection{Max: time.Millisecond}, "base"},
	} {
		err := c.e.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.e, err, c.want)
		}
	}
}

// TestGuilt: what ejects, and what does not.
func TestGuilt(t *testing.T) {
	play := func(m *Member, script string, gap int64) int64 {
		now := int64(0)
		for _, c := range script {
			now += gap
			m.Begin()
			m.End(now, 0, map[rune]Outcome{'g': Good, 'b': Bad, 'v': Void}[c])
		}
		return now
	}
	for _, c := range []struct {
		name, script string
		gap          int64
		e            Ejection
		want         State
	}{
		{"four in a row", "bbbb", ms, Ejection{}, Up},
		{"five in a row", "bbbbb", ms, Ejection{}, Ejected},
		{"five, one answer between", "bbbbgb", ms, Ejection{}, Up},
		{"what says nothing does not break the row", "bbvbvvbb", ms, Ejection{}, Ejected},
		{"half of twenty", strings.Repeat("bg", 10), ms, Ejection{}, Up}, // it ends with an answer: judged when a call fails
		{"half of more than twenty", strings.Repeat("bg", 10) + "b", ms, Ejection{}, Ejected},
		{"a third of sixty", strings.Repeat("bgg", 20) + "b", ms, Ejection{}, Up},
		{"half, too slowly for the interval", strings.Repeat("bg", 40), 600 * ms, Ejection{}, Up},
		{"half, but voids do not count as calls", strings.Repeat("bgvv", 9) + "b", ms, Ejection{}, Up},
		{"old answers do not hide new failures", strings.Repeat("g", 5000) + strings.Repeat("bbg", 9), ms, Ejection{}, Ejected},
		{"off", strings.Repeat("b", 100), ms, Ejection{Off: true}, Up},
		{"two in a row as configured", "bb", ms, Ejection{Consecutive: 2}, Ejected},
		{"a tenth as configured", "bggggggggb", ms, Ejection{Rate: 0.1, MinCalls: 10}, Ejected},
	} {
		_, m := newSet(Config{Ejection: c.e}, 3)
		now := play(m[0], c.script, c.gap)
		if got := m[0].Picture(now).State; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestHalf: at most half of the members are out, and when more should be, all are used.
func TestHalf(t *testing.T) {
	for n := 1; n <= 9; n++ {
		s, m := newSet(Config{}, n)
		for i := range m {
			failures(m[i], 5, ms)
		}
		out := 0
		for i := range m {
			if m[i].Picture(ms).State == Ejected {
				out++
			}
		}
		if out != n/2 {
			t.Errorf("of %d that all fail %d are ejected, want %d", n, out, n/2)
		}
		if got := len(picked(s, ms)); got != n {
			t.Errorf("of %d that all fail %d are picked, want all", n, got)
		}
		s.Due(2 * int64(time.Second)) // nobody failed for a while
		if got := len(picked(s, 2*int64(time.Second))); got != n-n/2 {
			t.Errorf("when the panic of %d is over %d are picked, want %d", n, got, n-n/2)
		}
	}
}

// TestHalfCountsDown: those that are down cannot carry load either, so they count.
func TestHalfCountsDown(t *testing.T) {
	s, m := newSet(Config{}, 3)
	m[0].SetUp(false, 0)
	failures(m[1], 5, ms)
	wantState(t, m[1], ms, Up)
	wantPicked(t, s, ms, "1", "2")
	m[0].SetUp(true, ms)
	failures(m[1], 1, 600*ms) // and now there is room
	wantState(t, m[1], 600*ms, Ejected)
	m[0].SetUp(false, 600*ms)
	wantPicked(t, s, 600*ms, "1", "2") // two of three out: panic
	m[0].Retire(true)
	wantPicked(t, s, 600*ms, "2") // one of the two that stay
}

// TestTerms: each ejection in a row lasts twice as long, up to the longest, and time in service is forgiveness.
func TestTerms(t *testing.T) {
	s, m := newSet(Config{Ejection: Ejection{Base: time.Second, Max: 5 * time.Second, Interval: 10 * time.Second}}, 3)
	now := int64(0)
	wantBack := func(want time.Duration) {
		t.Helper()
		if got := m[0].Picture(now).Back; got < want || got > want+want/8 {
			t.Fatalf("out for %v, want %v and at most an eighth more", got, want)
		}
	}
	failures(m[0], 5, now)
	wantBack(time.Second)
	for _, want := range []time.Duration{2, 4, 5, 5} {
		now += int64(m[0].Picture(now).Back)
		if due := s.Due(now - 1); due != nil {
			t.Fatal("due before its time")
		}
		if due := s.Due(now); len(due) != 1 || due[0] != m[0] {
			t.Fatalf("due are %v, want the ejected one", due)
		}
		if due := s.Due(now); due != nil {
			t.Fatal("due twice")
		}
		wantState(t, m[0], now, Probing)
		m[0].Probed(false, now)
		wantState(t, m[0], now, Ejected)
		wantBack(want * time.Second)
	}
	m[0].Probed(true, now)
	wantState(t, m[0], now, Up)
	now += int64(25 * time.Second) // forgives two of the five
	failures(m[0], 5, now)
	wantBack(5 * time.Second) // the fourth: 8 s, cut
	m[0].Probed(true, now)
	now += int64(30 * time.Second)
	failures(m[0], 5, now)
	wantBack(2 * time.Second) // one left of four
	m[0].Probed(true, now)
	now += int64(time.Hour)
	failures(m[0], 5, now)
	wantBack(time.Second)
	if got := m[0].Picture(now).Ejections; got != 8 {
		t.Errorf("%d ejections counted, want 8", got)
	}
}

// TestUnheardProbe: a probe whose owner never reports does not keep a member out for ever.
func TestUnheardProbe(t *testing.T) {
	s, m := newSet(Config{}, 2)
	failures(m[0], 5, 0)
	now := 2 * int64(time.Second)
	if len(s.Due(now)) != 1 || len(s.Due(now+9*int64(time.Second))) != 0 {
		t.Fatal("want it due once, and not again while its probe may run")
	}
	if len(s.Due(now+10*int64(time.Second))) != 1 {
		t.Error("want it due again after 10 s without word of the probe")
	}
}

// TestUpIsDue: a new connection makes an ejected member due at once, but does not bring it back by itself.
func TestUpIsDue(t *testing.T) {
	s, m := newSet(Config{}, 3)
	failures(m[0], 5, 0)
	m[0].SetUp(false, ms)
	if s.Due(int64(time.Minute)) != nil {
		t.Error("a member that is down is due: nothing can reach it")
	}
	m[0].SetUp(true, 2*ms)
	wantState(t, m[0], 2*ms, Ejected)
	wantPicked(t, s, 2*ms, "1", "2")
	if due := s.Due(2 * ms); len(due) != 1 {
		t.Fatalf("%d due, want the one that came up", len(due))
	}
	m[0].Probed(true, 3*ms)
	wantPicked(t, s, 3*ms, "0", "1", "2")
}

// TestOldCalls: calls from before a member's return say nothing about it after that.
func TestOldCalls(t *testing.T) {
	_, m := newSet(Config{}, 3)
	failures(m[0], 5, 0)
	for range 20 {
		m[0].Begin()
	}
	m[0].Probed(true, 5000*ms)
	for range 10 {
		m[0].End(5001*ms, 2*time.Second, Bad)
		m[0].End(5001*ms, 2*time.Second, Good)
	}
	p := m[0].Picture(5001 * ms)
	if p.State != Up || p.Latency != 0 || p.Failures != 15 || p.Pending != 0 {
		t.Errorf("%+v, want it up, with no latency yet, all failures counted", p)
	}
}

// TestNewLife: a member that comes up is new: what it did before neither slows it down nor brings it nearer to an ejection.
func TestNewLife(t *testing.T) {
	_, m := newSet(Config{}, 3)
	failures(m[0], 4, 0)
	m[0].SetUp(false, ms)
	m[0].SetUp(true, 5000*ms)
	if p := m[0].Picture(5000 * ms); p.Latency != 0 || p.State != Up {
		t.Errorf("%+v, want it up and with no latency yet", p)
	}
	failures(m[0], 4, 5001*ms)
	wantState(t, m[0], 5001*ms, Up)
	m[0].SetUp(true, 5002*ms) // it is up already: nothing new
	failures(m[0], 1, 5003*ms)
	wantState(t, m[0], 5003*ms, Ejected)
}
