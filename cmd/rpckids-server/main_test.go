package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/wire"
)

// asCommand makes the test binary the command.
const asCommand = "RPCKIDS_SERVER_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// started is a running command.
type started struct {
	t       *testing.T
	signals chan os.Signal
	lines   *output
	code    chan int
}

// output is what a command printed, and tells whoever waits that there is more.
type output struct {
	mu   sync.Mutex // protects the fields below
	b    bytes.Buffer
	more sync.Cond
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.more.Broadcast()
	return o.b.Write(p)
}

// patience ends a test that would hang otherwise; it decides nothing.
const patience = time.Minute

// await waits until a line matches and returns its groups.
func (o *output) await(pattern string) []string {
	re := regexp.MustCompile("(?m)" + pattern)
	late := time.AfterFunc(patience, func() { panic("no line " + pattern) })
	defer late.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if m := re.FindStringSubmatch(o.b.String()); m != nil {
			return m
		}
		o.more.Wait()
	}
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{t, make(chan os.Signal, 2), new(output), make(chan int, 1)}
	s.lines.more.L = &s.lines.mu
	go func() { s.code <- run(args, s.lines, s.lines, s.signals) }() // ends with a signal; received in stop
	return s
}

// stopped are the signals for a command that has to refuse to start: one that starts all the same stops at once.
func stopped() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signals <- os.Interrupt
	return signals
}

func (s *started) stop(want int) {
	s.t.Helper()
	s.signals <- syscall.SIGTERM
	if got := <-s.code; got != want {
		s.t.Errorf("exit code: got %d, want %d", got, want)
	}
}

func (s *started) call(port, service, payload string) string {
	s.t.Helper()
	nc, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	nc.Write(wire.AppendMessage(nil, "1", service, payload))
	var d wire.Decoder
	for {
		if m, ok, err := d.Next(); ok || err != nil {
			return string(m.Type) + " " + string(m.Payload)
		}
		n, err := nc.Read(d.Space())
		if d.Fed(n); err != nil {
			return err.Error()
		}
	}
}

// The original's lines are there, in its words, with what there is to say behind them.
func TestTextLog(t *testing.T) {
	s := start(t, "--addr", "localhost:0", "--workers", "2", "--queue", "0", "--idle", "0")
	port := s.lines.await(`^server started @ localhost:(\d+) at=\d\d:\d\d:\d\d\.\d\d\d$`)[1]
	if got, want := s.call(port, "fib", "10"), "fib_res 89"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.lines.await(`^connection comes peer=127\.0\.0\.1:\d+ at=`)
	s.lines.await(`^read a message peer=127\.0\.0\.1:\d+ request_id=1 service=fib bytes=18 at=`)
	s.lines.await(`^connection leaves peer=127\.0\.0\.1:\d+ reason="peer closed" at=`)
	nc, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	nc.Write(wire.AppendMessage(nil, "1", "log", `"hi \u001b[2J\u202e`+strings.Repeat("x", 1000)+`"`))
	s.lines.await(`^a line was cast line="hi \\x1b\[2J\\u202ex{190}\.\.\." at=`)
	nc.Close()
	s.call(port, "\x1b[2J", "10")
	s.lines.await(`^a call failed peer=\S+ request_id=1 code=not_found error="no service \\"\\x1b\[2J\\"" protocol=v1 took=\S+ at=`)
	s.stop(exitOK)
	s.lines.await(`^server stops signal=terminated drain=10s at=(?s:.*)\nserver stopped at=`)
}

func TestJSONLog(t *testing.T) {
	s := start(t, "--addr", "localhost:0", "--log-format", "json", "--log-level", "INFO")
	s.lines.await(`server started @ localhost:\d+`)
	s.stop(exitOK)
	for line := range strings.Lines(s.lines.b.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || v["msg"] == "" {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSecondSignalCuts(t *testing.T) {
	s := start(t, "--addr", "localhost:0")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	nc, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.Write(wire.AppendMessage(nil, "1", "slow", "60000"))
	s.lines.await("service=slow")
	began := time.Now()
	s.signals <- os.Interrupt
	s.lines.await("server stops")
	s.stop(exitOK)
	s.lines.await(`^warn: running calls were cut calls=1 at=(?s:.*)\nserver stopped at=`)
	if waited := time.Since(began); waited >= drainTime {
		t.Errorf("cut after %v, want at once", waited)
	}
	if b, err := io.ReadAll(nc); len(b) > 0 {
		t.Errorf("got %q, %v, want no answer", b, err)
	}
}

// After a first signal balancers see that the server is not ready, and calls still come through. A second one ends that.
func TestLameDuck(t *testing.T) {
	s := start(t, "--addr", "localhost:0", "--http", "--lame-duck", "1h")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	ready := func() int {
		r, err := http.Get("http://localhost:" + port + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		return r.StatusCode
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("before: got %d, want 200", got)
	}
	s.signals <- syscall.SIGTERM
	s.lines.await(`^server stops signal=terminated lame_duck=1h0m0s drain=10s at=`)
	for deadline := time.Now().Add(10 * time.Second); ready() != http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("the server is still ready")
		}
	}
	if got := s.call(port, "fib", "10"); got != "fib_res 89" {
		t.Errorf("got %q, want 89", got)
	}
	s.stop(exitOK)
	if m := regexp.MustCompile("warn: .*").FindString(s.lines.b.String()); m != "" {
		t.Errorf("nothing was cut, and the log says %q", m)
	}
	s.lines.await(`^server stopped at=`)
}

// The limits of the command line are the server's, and --drain bounds the wait for running calls.
func TestLimits(t *testing.T) {
	s := start(t, "--addr", "localhost:0", "--max-conns", "2", "--max-in-flight", "1", "--rate", "1", "--burst", "2", "--adaptive", "--drain", "10ms")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	nc, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.Write(wire.AppendMessage(nil, "1", "slow", "60000"))
	s.lines.await("service=slow")
	const ours = "0123456789abcdef;rk2"
	for range 2 {
		nc.Write(wire.AppendMessage(nil, ours, "slow", "1"))
	}
	for got, b := "", make([]byte, 1000); !strings.Contains(got, `"1 call is in flight"`) || !strings.Contains(got, `"more than 1 call a second"`); {
		n, err := nc.Read(b)
		if got += string(b[:n]); err != nil {
			t.Fatalf("got %q, %v; want a refusal for each limit", got, err)
		}
	}
	other, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.lines.await("connection comes(?s:.*)connection comes")
	if got := s.call(port, "fib", "1"); got != "EOF" && !strings.Contains(got, "reset") {
		t.Errorf("a third connection: got %s, want it closed", got)
	}
	s.lines.await("warn: connection refused peer=\\S+ reason=connections")
	s.stop(exitOK)
	s.lines.await("warn: running calls were cut calls=1 ")
}

func TestBadCommandLines(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		args  string
		code  int
		error string
	}{
		{"--nope", exitUsage, "error: unknown flag: --nope\nhint: rpckids-server --help lists the flags\n"},
		{"extra", exitUsage, "error: unexpected argument \"extra\"\nhint: rpckids-server --help lists the flags\n"},
		{"--workers 0", exitUsage, "error: --workers is 0, want 1 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--queue -1", exitUsage, "error: --queue is -1, want 0 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--idle -1s", exitUsage, "error: --idle is -1s, want 0 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--max-conns 0", exitUsage, "error: --max-conns is 0, want 1 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--max-in-flight -1", exitUsage, "error: --max-in-flight is -1, want 0 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--rate -1", exitUsage, "error: --rate is -1, want 0 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--burst 5", exitUsage, "error: --burst is 5, and there is no --rate that it belongs to\nhint: rpckids-server --help lists the flags\n"},
		{"--drain -1s", exitUsage, "error: --drain is -1s, want 0 or more\nhint: rpckids-server --help lists the flags\n"},
		{"--log-format xml", exitUsage, "error: --log-format is \"xml\", want text or json\nhint: rpckids-server --help lists the flags\n"},
		{"--log-level loud", exitUsage, "error: --log-level is \"loud\", want debug, info, warn or error\nhint: rpckids-server --help lists the flags\n"},
		{"--addr " + taken.Addr().String(), exitError, "error: " + taken.Addr().String() + " is in use by another program\nhint: stop that program, or take a free port with --addr localhost:0\n"},
		{"--addr 8888", exitUsage, "error: --addr is \"8888\", want HOST:PORT\nhint: --addr names the host and port to listen on, as in localhost:8888; :8888 is every address of this machine\n"},
		{"--addr ::1:8888", exitUsage, "error: --addr is \"::1:8888\", want HOST:PORT\nhint: --addr names the host and port to listen on, as in localhost:8888; :8888 is every address of this machine\n"},
		{"--addr localhost:99999", exitUsage, "error: --addr is \"localhost:99999\", and a port is a number up to 65535\nhint: --addr names the host and port to listen on, as in localhost:8888; :8888 is every address of this machine\n"},
		{"--workers x", exitUsage, "error: --workers is \"x\", want a whole number\nhint: rpckids-server --help lists the flags\n"},
		{"--max-conns 99999999999999999999", exitUsage, "error: --max-conns is \"99999999999999999999\", which is out of range\nhint: rpckids-server --help lists the flags\n"},
		{"--rate x", exitUsage, "error: --rate is \"x\", want a number\nhint: rpckids-server --help lists the flags\n"},
		{"--rate Inf", exitUsage, "error: --rate is +Inf, want a number of calls a second; without --rate there is no limit\nhint: rpckids-server --help lists the flags\n"},
		{"--rate NaN", exitUsage, "error: --rate is NaN, want a number of calls a second; without --rate there is no limit\nhint: rpckids-server --help lists the flags\n"},
		{"--http=perhaps", exitUsage, "error: --http is \"perhaps\", want true or false\nhint: rpckids-server --help lists the flags\n"},
		{"--drain 10", exitUsage, "error: --drain is \"10\", want a time\nhint: times have a unit, as in 10s, 500ms or 1m30s\n"},
		{"--etcd \"", exitUsage, "error: --etcd is \"\\\"\": parse error on line 1, column 2: extraneous or missing \" in quoted-field\nhint: rpckids-server --help lists the flags\n"},
	} {
		var out, problems bytes.Buffer
		signals := stopped()
		if test.code == exitError { // which may be told only after a signal
			signals = nil
		}
		if got := run(strings.Fields(test.args), &out, &problems, signals); got != test.code {
			t.Errorf("%s: exit code %d, want %d", test.args, got, test.code)
		}
		if got := problems.String(); got != test.error {
			t.Errorf("%s: got  %s\nwant %s", test.args, got, test.error)
		}
		if out.Len() > 0 {
			t.Errorf("%s: printed %q", test.args, out.String())
		}
	}
}

func TestHelp(t *testing.T) {
	var out, problems bytes.Buffer
	if got := run([]string{"--help"}, &out, &problems, nil); got != exitOK {
		t.Errorf("exit code %d, want %d", got, exitOK)
	}
	for _, flag := range []string{"--addr", "--workers", "--queue", "--idle", "--v1-only", "--log-format", "--log-level"} {
		if !strings.Contains(out.String(), flag+" ") {
			t.Errorf("%s is not in the help:\n%s", flag, out.String())
		}
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	logger, err := newLogger(&out, "text", "info")
	if err != nil {
		t.Fatal(err)
	}
	record := slog.NewRecord(time.Time{}, slog.LevelWarn, "it rains", 0)
	record.AddAttrs(slog.String("a", "b c"), slog.String("q", `"x"`), slog.String("e", ""), slog.String("esc", "\x1b"), slog.String("own", `\x1b`),
		slog.Int("n", 1), slog.Group("g", slog.Bool("t", true)), slog.Attr{}, slog.Any("err", errors.New("x=y")))
	h := logger.Handler().WithAttrs([]slog.Attr{slog.Int("first", 1)}).WithGroup("in").WithAttrs([]slog.Attr{slog.Int("k", 2)}).WithGroup("")
	if err := h.Handle(context.Background(), record); err != nil {
		t.Fatal(err)
	}
	want := `warn: it rains first=1 in.k=2 in.a="b c" in.q="\"x\"" in.e="" in.esc="\x1b" in.own=\x1b in.n=1 in.g.t=true in.err="x=y"` + "\n"
	if got := out.String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if logger.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("debug is on, want off")
	}
}
