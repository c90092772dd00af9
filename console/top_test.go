package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// healthy is a server at its question n: each second brings 100 calls, of which 10 fail and 8 are refused.
func healthy(n int) Health {
	k := uint64(n)
	return Health{Server: "127.0.0.1:8888", Status: "serving", Name: "rpckids", Go: "go1.26.0", Protocols: []string{"v1", "v2"}, Uptime: time.Duration(n) * time.Second,
		Connections: 5, V1: 1, V2: 3, Running: 16, Workers: 16, Queued: 20, Streams: 2, InFlight: 38, Limit: 1024, Calls: 124000 + 100*k, Failed: 10 * k, Canceled: 1, Refused: 8 * k,
		Refusals: map[string]uint64{"queue full": 5 * k, "rate": 3 * k, "not TLS": 1}, Accepted: 9, BytesIn: 2048 * k, BytesOut: 4096 * k, Heap: 3 << 20, Goroutines: 24}
}

// ailing is a session whose server says how it is, and the server.
func ailing(t *testing.T, health func(n int) (Health, error)) (*Session, *fake) {
	t.Helper()
	f := &fake{target: "ours:8888", state: Connected, health: health}
	s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return f, nil }})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect ours:8888")
	return s, f
}

func always(n int) (Health, error) { return healthy(n), nil }

const topTable = `● serving  127.0.0.1:8888
  up 2.00 s  rpckids  v1 v2  go1.26.0  3.0 MiB in use  24 goroutines

connections            5  1 v1, 3 v2, 1 silent so far
in flight             38  of 1 024     ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
workers               16  of 16        ━━━━━━━━━━━━━━━━━━━━
queued                20
streams                2

              per second         in all
calls                100        124 200
canceled               0              1
panics                 0              0
bytes in         2.0 KiB        4.0 KiB
bytes out        4.0 KiB        8.0 KiB
failed              10.0             20
of them refused     8.00             16
                    5.00             10  queue full: every worker is busy
                    3.00              6  rate: somebody called too often
                       0              1  not TLS: it takes only TLS`

func TestTopText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := ailing(t, always)
		r, err := s.Exec(t.Context(), "top -n 2")
		if err != nil || r.Text != topTable {
			t.Errorf("error %v, got\n%s", err, r.Text)
		}
		if r.Top == nil || r.Top.Rates.Calls != 100 || len(r.Top.Paces) != 1 {
			t.Errorf("got %+v", r.Top)
		}
		r, _ = s.Exec(t.Context(), "top")
		if !strings.Contains(r.Text, "calls                  -        124 300\n") {
			t.Errorf("a first answer has rates:\n%s", r.Text)
		}
		mustExec(t, s, "set box ascii")
		r, _ = s.Exec(t.Context(), "top -n 3")
		if r.Text != strings.ToValidUTF8(r.Text, "") || strings.IndexFunc(r.Text, func(r rune) bool { return r > 126 }) >= 0 || !strings.Contains(r.Text, "0 - 200/s  ==\n") {
			t.Errorf("got\n%s", r.Text)
		}
		s.Close()
	})
}

// However small the terminal is, the table fits it, and what it leaves out is the least.
func TestTopFits(t *testing.T) {
	h := healthy(2)
	for i := range 20 {
		h.Refusals[fmt.Sprintf("reason %d 二的十六次方", i)] = uint64(i)
	}
	first := healthy(1).next(&Top{})
	top := h.next(&first)
	top.Every, top.Err = time.Second, &Error{Message: strings.Repeat("away ", 40)}
	for rows := 1; rows < 50; rows++ {
		for _, cells := range []int{1, 20, 40, 79, 80, 160} {
			lines := top.Lines(cells, rows, false)
			if len(lines) > rows {
				t.Fatalf("%d lines in %d rows", len(lines), rows)
			}
			for _, l := range lines {
				if w := len([]rune(l)); w > cells {
					t.Fatalf("%d cells of %d: %q", w, cells, l)
				}
			}
		}
	}
	small := strings.Join(top.Lines(80, 16, false), "\n")
	if !strings.Contains(small, "of them refused") || !strings.Contains(small, "✗ away") || strings.Contains(small, "\n\n") {
		t.Errorf("in 16 rows:\n%s", small)
	}
}

// Rates are only made of what can be compared, by the clock of the server where it can be believed.
func TestTopRates(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	old, now := healthy(10), healthy(12)
	old.At, now.At = at, at.Add(2*time.Second+100*time.Millisecond)
	for _, tt := range []struct {
		name string
		edit func(old, now *Health)
		want float64
	}{
		{"by its clock", func(_, _ *Health) {}, 100},
		{"its clock stands", func(old, now *Health) { now.Uptime = old.Uptime }, 200 / 2.1},
		{"its clock runs", func(_, now *Health) { now.Uptime += time.Hour }, 200 / 2.1},
		{"started anew", func(_, now *Health) { now.Uptime = time.Second }, 0},
		{"counts anew", func(_, now *Health) { now.Calls = 3 }, 0},
		{"another server", func(_, now *Health) { now.Server = "127.0.0.1:9999" }, 0},
		{"nothing before", func(old, _ *Health) { *old = Health{} }, 0},
		{"at once", func(old, now *Health) { now.At, now.Uptime = old.At, old.Uptime }, 0},
	} {
		o, n := old, now
		tt.edit(&o, &n)
		before := Top{Health: o}
		got := n.next(&before)
		if diff := got.Rates.Calls - tt.want; diff > 1e-9 || diff < -1e-9 || (got.Over == 0) != (tt.want == 0) {
			t.Errorf("%s: %v calls/s over %v, want %v", tt.name, got.Rates.Calls, got.Over, tt.want)
		}
	}
	old.Failed = 1 << 40 // more than later: no negative rate
	before := Top{Health: old}
	if got := now.next(&before); got.Rates.Failed != 0 {
		t.Errorf("got %v", got.Rates.Failed)
	}
}

func TestTopErrors(t *testing.T) {
	s := connected(t)
	for _, tt := range []struct{ line, message, hint string }{
		{"top", "this server does not tell how it is: only rpckids servers do", "status, peers and timeouts tell what is seen from here"},
		{"top --every 1ms", "--every is a time from 100ms to 1h", "as in: top --every 500ms"},
		{"top --every x", `"x"`, ""},
		{"top -n 0", "-n is a number from 1 to 1 000 000", "as in: top -n 10"},
		{"top -n 2 | .calls", "a filter is for one answer", "without it: top -n 2"},
		{"top 7", `"7" is none of the servers of this connection`, "peers lists them, with their numbers"},
		{"top a b", "top takes", ""},
	} {
		r, err := s.Exec(t.Context(), tt.line)
		e, _ := errors.AsType[*Error](err)
		if e == nil || !strings.Contains(e.Message, tt.message) || tt.hint != "" && e.Hint != tt.hint || r.Text != "" {
			t.Errorf("%s: got %+v", tt.line, e)
		}
	}
	s = NewSession(Config{Dial: fakeDial})
	defer s.Close()
	if _, err := s.Exec(t.Context(), "top"); explain(err).Exit != ExitConnect {
		t.Errorf("not connected: %v", err)
	}
}

// One object for each answer, each as the manual says; one answer where nobody says how many.
func TestTopJSON(t *testing.T) {
	for _, format := range []Format{FormatJSON, FormatJSONL} {
		synctest.Test(t, func(t *testing.T) {
			s, f := ailing(t, always)
			var out bytes.Buffer
			p := &Printer{Out: &out, Err: &out, Format: format, Terminal: true, Live: func() (int, int) { return 80, 24 }}
			typed(s, p, &out, "top -n 3")
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != 3 {
				t.Fatalf("got %d lines:\n%s", len(lines), out.String())
			}
			for i, line := range lines {
				sh, _ := shape.Parse(topShape)
				if m := sh.Check([]byte(line)); m != nil {
					t.Errorf("%s at %d of %s", m.Text, m.At, line)
				}
				var v topJSON
				if err := json.Unmarshal([]byte(line), &v); err != nil || v.Kind != "top" || (v.Rates != nil) != (i > 0) {
					t.Errorf("line %d: %v: %s", i, err, line)
				}
				if i > 0 && (v.Rates.Calls != 100 || !reflect.DeepEqual(v.Rates.Refusals, map[string]float64{"queue full": 5, "rate": 3, "not TLS": 0})) {
					t.Errorf("rates are %+v", v.Rates)
				}
			}
			out.Reset()
			f.asks.Store(0)
			typed(s, p, &out, "top")
			if got := f.asks.Load(); got != 1 || strings.Count(out.String(), "\n") != 1 {
				t.Errorf("asked %d times:\n%s", got, out.String())
			}
			out.Reset()
			typed(s, p, &out, "top | .refusals.rate")
			if got := out.String(); got != "6\n" && got != "[6]\n" {
				t.Errorf("a filter gives %q", got)
			}
			s.Close()
		})
	}
}

// On a terminal the table is written over itself until ctrl+c, also while the server is away; then it stands once, and that is no failure.
func TestTopLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := ailing(t, func(n int) (Health, error) {
			if n == 3 {
				return Health{}, &Error{Exit: ExitConnection, Message: "connection lost"}
			}
			return healthy(n), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3500*time.Millisecond, cancel)
		var out bytes.Buffer
		p := &Printer{Out: &out, Err: &out, Terminal: true, Live: func() (int, int) { return 80, 30 }}
		r, err := s.ExecTalk(ctx, "top", p.Talk())
		if err != nil || r.Top == nil || r.Top.Calls != 124400 || !r.Top.Done || f.asks.Load() != 4 {
			t.Fatalf("error %v, %d questions, got %+v", err, f.asks.Load(), r.Top)
		}
		tables := strings.Split(out.String(), "\x1b[J")
		if len(tables) != 6 || tables[5] != "" {
			t.Fatalf("got %d tables: %q", len(tables), out.String())
		}
		rows := strings.Count(tables[0], "\n")
		for i, table := range tables[1:5] {
			if up := fmt.Sprintf("\x1b[%dA\r", rows); !strings.HasPrefix(table, up) {
				t.Errorf("table %d does not begin where the one before did: %.20q, want %q", i+1, table, up)
			}
			rows = strings.Count(table, "\n")
		}
		if !strings.Contains(tables[2], "✗ connection lost; asked every 1s") || !strings.Contains(tables[2], "124 200") || strings.Contains(tables[3], "✗") || rows != 0 {
			t.Errorf("an answer that did not come, and the one after it:\n%s\n%s", tables[2], tables[3])
		}
		out.Reset()
		if err := p.Print(r, err); err != nil || strings.Count(out.String(), "serving") != 1 || strings.Contains(out.String(), "ctrl+c") {
			t.Errorf("%v: it ends with\n%s", err, out.String())
		}
		s.Close()
	})
}

// In a script, or into a file, there is no end by ctrl+c: it asks once.
func TestTopAsksOnce(t *testing.T) {
	s, f := ailing(t, always)
	var out bytes.Buffer
	for _, p := range []*Printer{{Out: &out, Err: &out}, {Out: &out, Err: &out, Live: func() (int, int) { return 80, 24 }}} {
		out.Reset()
		f.asks.Store(0)
		typed(s, p, &out, "top")
		if f.asks.Load() != 1 || strings.Count(out.String(), "serving") != 1 || strings.Contains(out.String(), "\x1b") {
			t.Errorf("asked %d times:\n%s", f.asks.Load(), out.String())
		}
	}
	s.cfg.Script = true
	f.asks.Store(0)
	typed(s, &Printer{Out: &out, Err: &out, Terminal: true, Live: func() (int, int) { return 80, 24 }}, &out, "top")
	if f.asks.Load() != 1 {
		t.Errorf("a script asked %d times", f.asks.Load())
	}
}

// fleet is a connection to several servers, and those that are dialed one by one.
type fleet struct {
	fake
	mu    sync.Mutex // protects the field below
	alone []*fake
}

func (f *fleet) dial(_ context.Context, target string, _ DialOptions) (Backend, error) {
	if strings.Contains(target, ",") {
		return f, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasSuffix(target, "2") {
		return nil, errors.New("connection refused")
	}
	one := &fake{target: target, state: Connected, health: func(n int) (Health, error) {
		h := healthy(n)
		h.Server = target
		if strings.HasSuffix(target, "3") && n > 1 {
			return h, &Error{Exit: ExitConnection, Message: "connection lost"}
		}
		return h, nil
	}}
	f.alone = append(f.alone, one)
	return one, nil
}

func newFleet(t *testing.T, states ...string) (*Session, *fleet) {
	t.Helper()
	f := &fleet{fake: fake{target: "a:1,b:2,c:3", state: Connected}}
	for i, state := range states {
		f.peers = append(f.peers, Peer{Address: fmt.Sprintf("%c:%d", 'a'+i, i+1), State: state})
	}
	s := NewSession(Config{Dial: f.dial})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect "+f.target)
	return s, f
}

// Of several servers one is asked, over a connection of its own, which lasts as long as the command does.
func TestTopOfSeveral(t *testing.T) {
	s, f := newFleet(t, PeerDown, PeerUp, PeerUp)
	for line, want := range map[string]string{"top 1": "a:1, server 1 of 3", "top c:3": "c:3, server 3 of 3", "top :3": "c:3, server 3 of 3"} {
		r, err := s.Exec(t.Context(), line)
		if err != nil || !strings.HasPrefix(r.Text, "● serving  "+want+"\n") {
			t.Errorf("%s: error %v, got\n%s", line, err, r.Text)
		}
	}
	for _, line := range []string{"top", "top 2"} { // the first that is up does not let itself be dialed
		if _, err := s.Exec(t.Context(), line); explain(err).Exit != ExitConnect || !strings.Contains(err.Error(), "b:2") {
			t.Errorf("%s: got %v", line, err)
		}
	}
	if _, err := s.Exec(t.Context(), "top evil:8888"); explain(err).Exit != ExitUsage {
		t.Errorf("a stranger: %v", err)
	}
	if f.asks.Load() != 0 || len(f.alone) != 3 {
		t.Errorf("the connection was asked %d times, %d others were made", f.asks.Load(), len(f.alone))
	}
	for _, one := range f.alone {
		if !one.closed.Load() {
			t.Errorf("the connection to %s is left", one.target)
		}
	}
	if items := s.Complete("top ", 4).Offers; len(items) != 3 || items[1].Text != "2" || items[1].Help != "b:2 up" {
		t.Errorf("offers %+v", items)
	}
}

// A monitor that nobody told which server goes on to another one when it must; what it has of its own is closed with it, and with the session.
func TestMonitor(t *testing.T) {
	s, f := newFleet(t, PeerUp, PeerUp, PeerUp)
	f.peers[0].State = PeerDown
	m := s.Monitor("")
	var got []string
	for range 5 {
		top := m.Next(t.Context())
		text := fmt.Sprintf("%d %s", top.Number, top.Server)
		if top.Err != nil {
			text = top.Err.Message
		}
		got = append(got, text)
	}
	want := []string{"cannot connect to b:2: connection refused", "3 c:3", "connection lost", "cannot connect to b:2: connection refused", "3 c:3"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(f.alone) != 2 || !f.alone[0].closed.Load() || f.alone[1].closed.Load() {
		t.Errorf("%d connections", len(f.alone))
	}
	m.Rest()
	if !f.alone[1].closed.Load() {
		t.Error("it rests with its connection open")
	}
	if top := m.Next(t.Context()); top.Err != nil || len(f.alone) != 3 {
		t.Errorf("after a rest: %v, %d connections", top.Err, len(f.alone))
	}
	m.Close()
	m.Close()
	if top := m.Next(t.Context()); top.Err == nil || !f.alone[2].closed.Load() {
		t.Errorf("after its end: %+v", top.Err)
	}
	left := s.Monitor("1")
	left.Next(t.Context())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i, one := range f.alone {
		if !one.closed.Load() {
			t.Errorf("connection %d is left", i)
		}
	}
	if top := left.Next(t.Context()); top.Err == nil || top.Err.Exit != ExitInterrupted {
		t.Errorf("after the session: %+v", top.Err)
	}
}

// A server that keeps silent is an error after a while, and Close does not wait that long.
func TestMonitorOfSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &silent{fake{target: "ours:8888", state: Connected}}
		s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return f, nil }})
		mustExec(t, s, "connect ours:8888")
		begun := time.Now()
		_, err := s.Exec(t.Context(), "top")
		if e := explain(err); e.Exit != ExitDeadline || time.Since(begun) != topLimit {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		m := s.Monitor("")
		time.AfterFunc(time.Second, m.Close)
		begun = time.Now()
		if top := m.Next(t.Context()); top.Err == nil || time.Since(begun) != time.Second {
			t.Errorf("after %v: %v", time.Since(begun), top.Err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// silent never says how it is.
type silent struct{ fake }

func (*silent) Health(ctx context.Context) (Health, error) {
	<-ctx.Done()
	return Health{}, ctx.Err()
}
