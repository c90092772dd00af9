//go:build unix

package main

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A bench over three servers sees nothing of it when one of them is killed and comes back, and another ends in order.
func TestBenchOverThreeServers(t *testing.T) {
	onUnix(t)
	var addrs []string
	var servers []*exec.Cmd
	for range 3 {
		addr := unusedAddr(t)
		addrs, servers = append(addrs, addr), append(servers, listening(t, addr))
	}
	bench := exec.Command(filepath.Join(binaries, "rpckids-console"), "-a", strings.Join(addrs, ","), "-o", "json",
		"bench", "fib", "20", "-d", "12s", "-c", "8", "--rate", "2000", "--idempotent")
	bench.Env = []string{"HOME=" + t.TempDir(), "LANG=C.UTF-8"}
	var out, problems strings.Builder
	bench.Stdout, bench.Stderr = &out, &problems
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // the load runs meanwhile: nothing is awaited
	end(t, servers[1], syscall.SIGKILL)
	time.Sleep(2 * time.Second)
	servers[1] = listening(t, addrs[1])
	time.Sleep(2 * time.Second)
	if code := end(t, servers[2], syscall.SIGTERM); code != 0 {
		t.Errorf("a server under load ended in order with exit code %d", code)
	}
	if err := bench.Wait(); err != nil {
		t.Errorf("bench: %v\n%s", err, problems.String())
	}
	var report struct {
		Type   string
		Calls  int
		Errors map[string]int
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), problems.String())
	}
	failed := 0
	for code, n := range report.Errors {
		failed += n
		t.Logf("%s: %d", code, n)
	}
	verdict := "PASS"
	if failed > 0 {
		verdict = "FAIL"
		t.Fail()
	}
	t.Logf("bench.failed_calls %d 0 %s", failed, verdict)
	if report.Type != "fib" || report.Errors == nil || report.Calls < 2000 {
		t.Errorf("got %s", out.String())
	}
}

// listening starts rpckids-server; it ends with the test.
func listening(t *testing.T, addr string) *exec.Cmd {
	t.Helper()
	s := exec.Command(filepath.Join(binaries, "rpckids-server"), "--addr", addr, "--log-level", "warn")
	if raceEnabled {
		s.Env = append(s.Environ(), "GORACE=halt_on_error=1")
	}
	var problems strings.Builder
	s.Stderr = &problems
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(t, s, syscall.SIGKILL)
		if problems.Len() > 0 {
			t.Errorf("the server at %s said: %s", addr, problems.String())
		}
	})
	for range 3000 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", addr)
	return nil
}

// end ends a server, if it runs, and returns its exit code.
func end(t *testing.T, s *exec.Cmd, sig syscall.Signal) int {
	t.Helper()
	if s.ProcessState == nil {
		_ = s.Process.Signal(sig) // an error says that it has ended
		_ = s.Wait()              // its exit code tells
	}
	return s.ProcessState.ExitCode()
}

// unusedAddr is outside of the ports that outgoing connections take: nobody else has it while its server is down.
func unusedAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := "127.0.0.1:" + strconv.Itoa(20000+rand.N(12000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
