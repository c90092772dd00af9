package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// TestMain makes the test binary a server of a lab, or a whole console that holds one, when its first argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Serve(ctx, os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "broken":
			fmt.Fprintln(os.Stderr, "no \x1b[2Jluck\nmore")
			os.Exit(3)
		case "console":
			holdLab()
		}
	}
	os.Exit(m.Run())
}

// holdLab starts three servers, pauses the second, says where they are and waits to be killed. It closes nothing. Who started the tests may ignore signals, as
// nohup does, and their programs with them: so it asks for those that end it.
func holdLab() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGHUP)
	exe, _ := os.Executable()
	l, err := Start(context.Background(), 3, exe, "child")
	if err == nil {
		err = l.Pause(context.Background(), 2)
	}
	fmt.Println(strings.Join(l.Addresses(), " "), err)
	<-end
	os.Exit(1)
}

const patience = 20 * time.Second

// start makes a lab of children that are this test binary.
func start(t *testing.T, n int) *Lab {
	t.Helper()
	rpctest.Leaks(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Start(t.Context(), n, exe, "child")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		for _, at := range l.Addresses() {
			gone(t, at)
		}
	})
	return l
}

// gone waits until nobody listens at an address: a process that stands still would go on to.
func gone(t *testing.T, at string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		nc, err := net.DialTimeout("tcp", at, time.Second)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			nc.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there: %v", at, err)
		}
	}
}

// ask calls fib(10) at an address, on a connection of its own.
func ask(t *testing.T, at string, limit time.Duration) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := rpcclient.Dial(ctx, at, nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	begun := time.Now()
	v, err := c.Invoke(ctx, "fib", json.RawMessage("10"))
	if err == nil && string(v) != "89" {
		t.Fatalf("got %s", v)
	}
	return time.Since(begun), err
}

func answers(t *testing.T, at string) {
	t.Helper()
	if _, err := ask(t, at, patience); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
}

func state(t *testing.T, l *Lab, n int, want string) {
	t.Helper()
	if got := l.Peers()[n-1]; got.State != want || (got.PID != 0) != got.Runs() {
		t.Fatalf("server %d is %+v, want %s", n, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused is the *console.Error that an order must end with.
func refused(t *testing.T, err error, cause string) {
	t.Helper()
	e, ok := errors.AsType[*console.Error](err)
	if !ok || !strings.Contains(e.Message, cause) {
		t.Fatalf("got %v, want %q", err, cause)
	}
}

func TestKillAndStart(t *testing.T) {
	l := start(t, 3)
	ctx := t.Context()
	seen := map[string]bool{}
	for n, at := range l.Addresses() {
		answers(t, at)
		state(t, l, n+1, console.LabRunning)
		seen[at] = true
	}
	if len(seen) != 3 {
		t.Fatalf("got addresses %v", l.Addresses())
	}
	at := l.Addresses()[1]
	refused(t, l.Start(ctx, 2), "runs already")
	must(t, l.Kill(ctx, 2))
	state(t, l, 2, console.LabKilled)
	gone(t, at)
	answers(t, l.Addresses()[0])
	for _, order := range []error{l.Kill(ctx, 2), l.Stop(ctx, 2), l.Pause(ctx, 2), l.Resume(ctx, 2), l.Slow(ctx, 2, time.Second), l.Fail(ctx, 2, "internal")} {
		refused(t, order, "does not run")
	}
	must(t, l.Start(ctx, 2))
	state(t, l, 2, console.LabRunning)
	answers(t, at)
	if got := l.Addresses()[1]; got != at {
		t.Errorf("it moved from %s to %s", at, got)
	}
	refused(t, l.Kill(ctx, 0), "no server 0")
	refused(t, l.Kill(ctx, 4), "no server 4")
}

// A server that dies by itself is seen to have, and can be started again.
func TestEndedByItself(t *testing.T) {
	l := start(t, 1)
	p, err := os.FindProcess(l.Peers()[0].PID)
	must(t, err)
	must(t, p.Kill())
	for deadline := time.Now().Add(patience); l.Peers()[0].State != console.LabEnded; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", l.Peers()[0])
		}
	}
	must(t, l.Start(t.Context(), 1))
	answers(t, l.Addresses()[0])
}

func TestSlowAndFail(t *testing.T) {
	l := start(t, 1)
	ctx, at := t.Context(), l.Addresses()[0]
	must(t, l.Slow(ctx, 1, 150*time.Millisecond))
	if took, err := ask(t, at, patience); err != nil || took < 150*time.Millisecond {
		t.Errorf("slow: took %v, error %v", took, err)
	}
	must(t, l.Fail(ctx, 1, "resource_exhausted"))
	_, err := ask(t, at, patience)
	if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Code != rpcclient.ResourceExhausted {
		t.Errorf("fail: got %v", err)
	}
	if got := l.Peers()[0]; got.Slow != 150*time.Millisecond || got.Fail != "resource_exhausted" {
		t.Errorf("got %+v", got)
	}
	must(t, l.Fail(ctx, 1, ""))
	must(t, l.Slow(ctx, 1, time.Hour))
	if _, err := ask(t, at, 50*time.Millisecond); err == nil {
		t.Error("an hour passed in 50 ms")
	}
	must(t, l.Slow(ctx, 1, 0))
	answers(t, at)
	refused(t, l.Fail(ctx, 1, "nonsense"), `no code "nonsense"`)
	must(t, l.Slow(ctx, 1, time.Hour))
	must(t, l.Kill(ctx, 1))
	must(t, l.Start(ctx, 1)) // as good as new
	answers(t, at)
	if got := l.Peers()[0]; got.Slow != 0 || got.Fail != "" {
		t.Errorf("got %+v", got)
	}
}

// A server that stops in order answers what it has and takes nothing new.
func TestStopDrains(t *testing.T) {
	l := start(t, 1)
	ctx, at := t.Context(), l.Addresses()[0]
	c, err := rpcclient.Dial(ctx, at, nil)
	must(t, err)
	defer c.Close()
	must(t, l.Slow(ctx, 1, 300*time.Millisecond))
	answer := make(chan error, 1)
	go func() {
		_, err := c.Invoke(ctx, "fib", json.RawMessage("10"))
		answer <- err
	}()
	for c.Stats().Sent == 0 { // it is on its way
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // and has been read: a moment later would do as well
	must(t, l.Stop(ctx, 1))
	if err := <-answer; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	state(t, l, 1, console.LabStopped)
	gone(t, at)
	must(t, l.Start(ctx, 1))
	answers(t, at)
}

func TestPauseAndResume(t *testing.T) {
	if runtime.GOOS == "windows" {
		l := start(t, 1)
		refused(t, l.Pause(t.Context(), 1), "cannot pause")
		return
	}
	l := start(t, 2)
	ctx, at := t.Context(), l.Addresses()[0]
	refused(t, l.Resume(ctx, 1), "is not paused")
	must(t, l.Pause(ctx, 1))
	state(t, l, 1, console.LabPaused)
	refused(t, l.Pause(ctx, 1), "is paused already")
	refused(t, l.Slow(ctx, 1, time.Second), "is paused")
	if _, err := ask(t, at, 200*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused, yet %v", err)
	}
	must(t, l.Resume(ctx, 1))
	answers(t, at)
	must(t, l.Pause(ctx, 1))
	must(t, l.Kill(ctx, 1)) // which ends one that stands still, too
	must(t, l.Start(ctx, 1))
	must(t, l.Pause(ctx, 1))
	must(t, l.Stop(ctx, 1))
	state(t, l, 1, console.LabStopped)
	must(t, l.Pause(ctx, 2)) // Close has one that stands still and one that is not there
}

// However a console ends, its servers do: also the one that stands still.
func TestConsoleDeath(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // nothing can be paused there, and the rest is TestServe's
	}
	rpctest.Leaks(t)
	exe, err := os.Executable()
	must(t, err)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGHUP} {
		c := exec.Command(exe, "console")
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		words := strings.Fields(line)
		if err != nil || len(words) != 4 || words[3] != "<nil>" {
			c.Process.Kill()
			t.Fatalf("got %q, error %v", line, err)
		}
		must(t, c.Process.Signal(signal))
		_ = c.Wait() // it was killed
		for _, at := range words[:3] {
			gone(t, at)
		}
	}
}

// Close ends an order that is under way, and none follows.
func TestCloseDuringOrders(t *testing.T) {
	l := start(t, 2)
	ctx := t.Context()
	c, err := rpcclient.Dial(ctx, l.Addresses()[0], nil)
	must(t, err)
	defer c.Close()
	must(t, l.Slow(ctx, 1, time.Hour))
	go c.Invoke(ctx, "fib", json.RawMessage("10")) // ends with the connection
	for c.Stats().Sent == 0 {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- l.Stop(ctx, 1) }() // takes as long as draining may
	for l.Peers()[0].State == console.LabRunning {
		time.Sleep(time.Millisecond)
	}
	must(t, l.Close())
	<-stopped // whichever came first
	for _, order := range []error{l.Start(ctx, 1), l.Kill(ctx, 2), l.Slow(ctx, 2, 0)} {
		refused(t, order, "closed")
	}
	must(t, l.Close())
}

func TestStartFails(t *testing.T) {
	rpctest.Leaks(t)
	exe, err := os.Executable()
	must(t, err)
	_, err = Start(t.Context(), 2, exe+"-missing")
	refused(t, err, "cannot be started")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	_, err = launchAt(t, exe, "broken")
	refused(t, err, `did not start: no \x1b[2Jluck`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(ctx, 1, exe, "child")
	refused(t, err, "did not start in time")
}

// launchAt starts a program as a server would be that takes no address.
func launchAt(t *testing.T, exe, mode string) (*child, error) {
	t.Helper()
	c := &child{number: 1, exe: exe, addr: mode}
	return c, c.start(t.Context())
}

// Serve ends when its input does, and an order that makes no sense is answered.
func TestServe(t *testing.T) {
	rpctest.Leaks(t)
	in, orders := io.Pipe()
	said, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), "127.0.0.1:0", in, out) }()
	lines := bufio.NewScanner(said)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("it says no more")
		}
		return lines.Text()
	}
	at, ok := strings.CutPrefix(next(), sayAddress)
	if !ok {
		t.Fatalf("got %q", lines.Text())
	}
	answers(t, at)
	for order, want := range map[string]string{"slow 1ms": "ok", "slow soon": `error time: invalid duration "soon"`, "fail ok": "ok", "fail x": `error no code "x"`, "dance": `error no order "dance"`} {
		fmt.Fprintln(orders, order)
		if got := next(); got != want {
			t.Errorf("%s: got %q, want %q", order, got, want)
		}
	}
	orders.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	gone(t, at)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, busy.Addr().String(), in, out); err == nil {
		t.Error("two servers at one address")
	}
}

// What a server says of itself stays true while its calls fail.
func TestMischiefLeavesTheServerAlone(t *testing.T) {
	l := start(t, 1)
	must(t, l.Fail(t.Context(), 1, rpcserver.Internal.String()))
	c, err := rpcclient.Dial(t.Context(), l.Addresses()[0], nil)
	must(t, err)
	defer c.Close()
	if list, err := c.Services(t.Context()); err != nil || len(list) == 0 {
		t.Errorf("got %d services, error %v", len(list), err)
	}
}
