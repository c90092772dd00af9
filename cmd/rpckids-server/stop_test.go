//go:build unix

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

// launch runs the command as a process of its own; before is a line of the shell that starts it. Its log goes into s.lines until the test closes log.
func launch(t *testing.T, before string, args ...string) (s *started, cmd *exec.Cmd, log io.Closer) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("sh", append([]string{"-c", before + `exec "$0" "$@"`, os.Args[0], "--addr", "localhost:0"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asCommand+"=1"), w, new(bytes.Buffer)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	s = &started{t: t, lines: new(output)}
	s.lines.more.L = &s.lines.mu
	read := make(chan struct{})
	go func() { // ends when the process has, or the test has closed the log
		defer close(read)
		io.Copy(s.lines, r)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() // where the test has failed
		cmd.Wait()
		r.Close()
		<-read
	})
	return s, cmd, r
}

// ends waits for the end of a process and compares how it ended.
func ends(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v: %s", err, cmd.Stderr)
	}
}

// A terminal that goes stops the server as SIGTERM does, with its calls, however often it says so. Under nohup it does nothing.
func TestHangup(t *testing.T) {
	t.Run("heard", func(t *testing.T) {
		ours := make(chan os.Signal, 1)
		signal.Notify(ours, syscall.SIGHUP) // else a test under nohup hands down that it is ignored
		defer signal.Stop(ours)
		s, cmd, _ := launch(t, "")
		port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
		nc, err := net.Dial("tcp", "localhost:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.Write(wire.AppendMessage(nil, "1", "slow", "300"))
		s.lines.await("service=slow")
		cmd.Process.Signal(syscall.SIGHUP)
		s.lines.await(`^server stops signal=hangup drain=10s at=`)
		cmd.Process.Signal(syscall.SIGHUP)
		b, err := io.ReadAll(nc)
		nc.Close()
		if !strings.Contains(string(b), "slow_res") {
			t.Errorf("got %q, %v, want the answer", b, err)
		}
		ends(t, cmd)
		s.lines.await(`^server stopped at=`)
	})
	t.Run("ignored", func(t *testing.T) {
		s, cmd, _ := launch(t, `trap "" HUP; `)
		port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
		cmd.Process.Signal(syscall.SIGHUP)
		for range 10 {
			if got := s.call(port, "fib", "10"); got != "fib_res 89" {
				t.Errorf("got %q, want 89", got)
			}
		}
		cmd.Process.Signal(syscall.SIGTERM)
		s.lines.await(`^server stops signal=terminated drain=10s at=`)
		ends(t, cmd)
	})
}

// Whoever read the log has gone, as | head does: lines are lost, and nothing else.
func TestLogReaderGone(t *testing.T) {
	s, cmd, log := launch(t, "")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	log.Close()
	for range 3 { // a line for each at least
		if got := s.call(port, "fib", "10"); got != "fib_res 89" {
			t.Errorf("got %q, want 89", got)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	ends(t, cmd)
}
