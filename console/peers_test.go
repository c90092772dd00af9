package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeLab is a Lab of three servers that only notes what it is told.
type fakeLab struct {
	mu     sync.Mutex // protects the fields below
	peers  [3]LabPeer
	orders []string
	err    error // what every order fails of
}

func newFakeLab() *fakeLab {
	l := &fakeLab{}
	for i := range l.peers {
		l.peers[i] = LabPeer{Address: fmt.Sprintf("127.0.0.1:2400%d", i+1), PID: 100 + i, State: LabRunning}
	}
	return l
}

func (l *fakeLab) Peers() []LabPeer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]LabPeer(nil), l.peers[:]...)
}

func (l *fakeLab) do(what string, n int, f func(*LabPeer)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, fmt.Sprintf("%s %d", what, n))
	if l.err == nil {
		f(&l.peers[n-1])
	}
	return l.err
}

func (l *fakeLab) become(what string, n int, state string) error {
	return l.do(what, n, func(p *LabPeer) { p.State = state })
}

func (l *fakeLab) Kill(_ context.Context, n int) error   { return l.become("kill", n, LabKilled) }
func (l *fakeLab) Stop(_ context.Context, n int) error   { return l.become("stop", n, LabStopped) }
func (l *fakeLab) Start(_ context.Context, n int) error  { return l.become("start", n, LabRunning) }
func (l *fakeLab) Pause(_ context.Context, n int) error  { return l.become("pause", n, LabPaused) }
func (l *fakeLab) Resume(_ context.Context, n int) error { return l.become("resume", n, LabRunning) }

func (l *fakeLab) Slow(_ context.Context, n int, d time.Duration) error {
	return l.do("slow "+d.String(), n, func(p *LabPeer) { p.Slow = d })
}

func (l *fakeLab) Fail(_ context.Context, n int, code string) error {
	return l.do("fail "+code, n, func(p *LabPeer) { p.Fail = code })
}

// crowded is a session with several servers, two of which are the lab's, in another order.
func crowded(t *testing.T, lab Lab) (*Session, *fake) {
	t.Helper()
	f := &fake{target: "10.0.0.9:8888,127.0.0.1:24002,127.0.0.1:24001", state: Connected, peers: []Peer{
		{Address: "10.0.0.9:8888", State: PeerEjected, Ejections: 2, Failures: 31, Calls: 400, Back: 1500 * time.Millisecond, LastError: "evil\x1b[2J\nerror"},
		{Address: "127.0.0.1:24002", State: PeerDown, Calls: 1187, Back: 900 * time.Millisecond, LastError: "connection refused"},
		{Address: "127.0.0.1:24001", State: PeerUp, Protocol: "v2", Conns: 2, Pending: 3, Calls: 124113, Latency: 212 * time.Microsecond, Share: 0.998},
	}}
	s := NewSession(Config{Lab: lab, Dial: func(context.Context, string, DialOptions) (Backend, error) { return f, nil }})
	t.Cleanup(func() { s.Close() })
	mustExec(t, s, "connect "+f.target)
	return s, f
}

func TestPeersTable(t *testing.T) {
	lab := newFakeLab()
	lab.peers[1].State = LabKilled
	s, f := crowded(t, lab)
	for _, tt := range []struct{ box, want string }{
		{"unicode", `
   address          state      share  latency  pending    calls  failed  wire
1  127.0.0.1:24001  ● up       100 %   212 µs        3  124 113       0  v2
2  127.0.0.1:24002  ○ down       0 %        -        0    1 187       0  -
   killed, tried again in 900 ms, connection refused
4  10.0.0.9:8888    ! ejected    0 %        -        0      400      31  -
   ejected 2 times, tried again in 1.50 s, evil\x1b[2J\nerror

discovery: etcd is away, keeping the last list of 3`},
		{"ascii", `
   address          state      share  latency  pending    calls  failed  wire
1  127.0.0.1:24001  * up       100 %   212 us        3  124 113       0  v2
2  127.0.0.1:24002  o down       0 %        -        0    1 187       0  -
   killed, tried again in 900 ms, connection refused
4  10.0.0.9:8888    ! ejected    0 %        -        0      400      31  -
   ejected 2 times, tried again in 1.50 s, evil\x1b[2J\nerror

discovery: etcd is away, keeping the last list of 3`},
	} {
		f.discovery = "etcd is away, keeping the last list of 3"
		mustExec(t, s, "set box "+tt.box)
		r, err := s.Exec(t.Context(), "peers")
		if err != nil || "\n"+r.Text != tt.want {
			t.Errorf("%s: error %v, got\n%s", tt.box, err, r.Text)
		}
	}
}

// Numbers, marks and words of a label, for every kind of target.
func TestLabel(t *testing.T) {
	long := strings.Repeat("10.0.0.1:8888,", 30) + "10.0.0.2:8888"
	for _, tt := range []struct {
		st    Stats
		label string
		count string
	}{
		{Stats{Target: "localhost:8888"}, "localhost:8888", ""},
		{Stats{Target: "localhost:8888", Servers: 1, Up: 0}, "localhost:8888", ""},
		{Stats{Target: "a:1,b:2,c:3", Servers: 3, Up: 3}, "3 servers", "3 servers"},
		{Stats{Target: "a:1,b:2,c:3", Servers: 3, Up: 2}, "2 of 3 up", "2 of 3 up"},
		{Stats{Target: "a:1,b:2"}, "a:1,b:2", ""},
		{Stats{Target: "etcd:///demo", Servers: 3, Up: 3}, "etcd:///demo", "3 servers"},
		{Stats{Target: "etcd:///demo", Servers: 3, Up: 0}, "etcd:///demo (0 of 3 up)", "0 of 3 up"},
		{Stats{Target: long}, "10.0.0.1:8888 and 30 more", ""},
		{Stats{Target: "evil\x1b[2J:1"}, `evil\x1b[2J:1`, ""},
		{Stats{Target: strings.Repeat("x", 300) + ":1"}, strings.Repeat("x", 37) + "...", ""},
		{Stats{Target: strings.Repeat("x", 300) + ":1,b:2"}, strings.Repeat("x", 26) + "... and 1 more", ""},
	} {
		if got := tt.st.Label(); got != tt.label || tt.st.Count() != tt.count {
			t.Errorf("%.60s: got %q and %q, want %q and %q", tt.st.Target, got, tt.st.Count(), tt.label, tt.count)
		}
	}
}

// Prompt, status and the line after connect say how many servers are up.
func TestManyServers(t *testing.T) {
	s, f := crowded(t, nil)
	if got := s.Prompt(); got != "1 of 3 up" {
		t.Errorf("prompt %q", got)
	}
	f.discovery = "no answer\x1b"
	r, err := s.Exec(t.Context(), "status")
	if err != nil || !strings.Contains(r.Text, "servers     1 of 3 up, peers tells more\ndiscovery   no answer\\x1b\n") {
		t.Errorf("error %v, got\n%s", err, r.Text)
	}
	if r, err = s.Exec(t.Context(), "connect 1,2,3"); err != nil || r.Text != "connected to localhost:1,localhost:2,localhost:3 (1 of 3 up)" {
		t.Errorf("got %q, error %v", r.Text, err)
	}
	f.state = Reconnecting
	if got := s.Prompt(); got != "1 of 3 up (reconnecting 2)" {
		t.Errorf("prompt %q", got)
	}
}

func TestPeerOrders(t *testing.T) {
	lab := newFakeLab()
	s, _ := crowded(t, lab)
	for _, tt := range []struct{ line, order, text string }{
		{"peer kill 2", "kill 2", "server 2 (127.0.0.1:24002) killed"},
		{"peer start 2", "start 2", "server 2 (127.0.0.1:24002) started"},
		{"peer pause 1", "pause 1", "server 1 (127.0.0.1:24001) paused"},
		{"peer resume 1", "resume 1", "server 1 (127.0.0.1:24001) runs on"},
		{"peer slow 3 200ms", "slow 200ms 3", "server 3 (127.0.0.1:24003) is slow 200 ms"},
		{"peer fail 3 unavailable", "fail unavailable 3", "server 3 (127.0.0.1:24003) is failing: unavailable"},
		{"peer fail 3 off", "fail  3", "server 3 (127.0.0.1:24003) is slow 200 ms"},
		{"peer slow 3 0", "slow 0s 3", "server 3 (127.0.0.1:24003) answers as usual"},
		{"peer stop 1", "stop 1", "server 1 (127.0.0.1:24001) stopped in order in "},
	} {
		lab.orders = nil
		r, err := s.Exec(t.Context(), tt.line)
		if err != nil || !r.Notice || !strings.HasPrefix(r.Text, tt.text) || len(lab.orders) != 1 || lab.orders[0] != tt.order {
			t.Errorf("%s: orders %q, got %q, error %v", tt.line, lab.orders, r.Text, err)
		}
	}
	lab.err = &Error{Exit: ExitUsage, Message: "server 2 does not run", Hint: "peer start 2 starts it"}
	_, err := s.Exec(t.Context(), "peer kill 2")
	if e, _ := errors.AsType[*Error](err); e == nil || e.Message != "server 2 does not run" || e.Hint != "peer start 2 starts it" || e.Line != "" {
		t.Errorf("got %v", err)
	}
}

// A line that is wrong says where and how to mend it, and nothing is done.
func TestPeerRefused(t *testing.T) {
	lab := newFakeLab()
	s, _ := crowded(t, lab)
	for _, tt := range []struct {
		line, cause, hint string
		at                int
	}{
		{"peer kil 2", `peer cannot "kil"`, "nearest is kill", 5},
		{"peer dance 2", `peer cannot "dance"`, "it is one of kill, stop, start, pause, resume, slow, fail", 5},
		{"peer kill two", `there is no server "two"`, "from 1 to 3", 10},
		{"peer kill 0", `there is no server "0"`, "from 1 to 3", 10},
		{"peer kill 4", `there is no server "4"`, "peers lists them", 10},
		{"peer kill 2 hard", "kill takes only a number", "peer kill 2", 12},
		{"peer slow 2", "slow needs D", "peer slow 2 200ms", 11},
		{"peer fail 2", "fail needs CODE", "peer fail 2 unavailable", 11},
		{"peer slow 2 soon", `"soon" is not a time`, "50ms", 12},
		{"peer slow 2 -1s", `"-1s" is not a time`, "0 ends it", 12},
		{"peer fail 2 unavailabel", `no code "unavailabel"`, "nearest is unavailable", 12},
		{"peer fail 2 zzz", `no code "zzz"`, "off ends it", 12},
		{"peer fail 2 ok", `no code "ok"`, "", 12},
		{"peer", "peer needs ACTION", "peer kill 2", 4},
		{"peer kill", "peer needs N", "peer kill 2", 9},
	} {
		_, err := s.Exec(t.Context(), tt.line)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Exit != ExitUsage || e.Message != tt.cause || !strings.Contains(e.Hint, tt.hint) || e.Line != tt.line || e.At != tt.at {
			t.Errorf("%s: got %+v", tt.line, e)
		}
	}
	if lab.orders != nil {
		t.Errorf("got orders %q", lab.orders)
	}
	for _, line := range []string{"peer kill 2", "peer dance 1", "peer slow 2 x"} {
		_, err := connected(t).Exec(t.Context(), line)
		if e, ok := errors.AsType[*Error](err); !ok || e.Message != errNoLab.Message || !strings.Contains(e.Hint, "demo --servers 3") {
			t.Errorf("without a lab %s: got %v", line, err)
		}
	}
}

func TestPeerHintsAndOffers(t *testing.T) {
	lab := newFakeLab()
	lab.peers[2].Slow = 200 * time.Millisecond
	s, _ := crowded(t, lab)
	for line, want := range map[string]string{
		"peer ":             "kill,stop,start,pause,resume,slow,fail",
		"peer s":            "stop,start,slow",
		"peer kill ":        "1,2,3",
		"peer slow 2 ":      "50ms,200ms,1s,0",
		"peer kill 2 ":      "",
		"peer fail 2 unava": "unavailable",
	} {
		var got []string
		for _, o := range s.Complete(line, len(line)).Offers {
			got = append(got, strings.TrimSpace(o.Text))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%q: offers %q, want %s", line, got, want)
		}
	}
	for _, tt := range []struct {
		line, text string
		state      HintState
	}{
		{"peer ", "peer ACTION N [VALUE]", HintNone},
		{"peer kill 2", "kill server 2 (127.0.0.1:24002), which is running", HintGood},
		{"peer kill 3", "kill server 3 (127.0.0.1:24003), which is slow 200 ms", HintGood},
		{"peer slow 2", "slow 2 D: every call waits so long before it runs; 0 ends that", HintNone},
		{"peer slow 2 200ms", "slow server 2 (127.0.0.1:24002), which is running", HintGood},
	} {
		if h := s.Check(tt.line); h.State != tt.state || h.Text != tt.text {
			t.Errorf("%s: got %+v", tt.line, h)
		}
	}
	if h := connected(t).Check("peer kill 2"); h.State != HintBad || !strings.Contains(h.Text, "not under") {
		t.Errorf("without a lab: %+v", h)
	}
}

// -o json has every figure, and leaves out what is not known.
func TestPeersJSON(t *testing.T) {
	s, _ := crowded(t, newFakeLab())
	var out bytes.Buffer
	r, err := s.Exec(t.Context(), "peers | map({number, state, latency_ns, back_ns, ejections, share})")
	if err := (&Printer{Out: &out, Err: &out, Format: FormatRaw}).Print(r, err); err != nil {
		t.Fatal(err)
	}
	const want = `[{"back_ns":null,"ejections":0,"latency_ns":212000,"number":1,"share":0.998,"state":"up"},` +
		`{"back_ns":900000000,"ejections":0,"latency_ns":null,"number":2,"share":0,"state":"down"},{"back_ns":1500000000,"ejections":2,"latency_ns":null,"number":4,"share":0,"state":"ejected"}]` + "\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
	if r, err := NewSession(Config{}).Exec(t.Context(), "peers"); err == nil {
		t.Errorf("without a connection: got %q", r.Text)
	}
}
