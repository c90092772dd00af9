//go:build unix

package main

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// several opens the demo of three servers and returns where they are. However it ends, they have to.
func several(t *testing.T, size screen.Size, args ...string) (s *screen.Screen, ports []string) {
	t.Helper()
	t.Cleanup(func() { // after the console has ended, whatever the test found
		for _, port := range ports {
			unheard(t, port)
		}
	})
	s = start(t, size, append([]string{"demo", "--servers", "3"}, args...)...)
	s.Wait("3 servers")
	found := map[string]bool{}
	s.Until("three ports", func() bool {
		for _, m := range regexp.MustCompile(`:(\d{5})\b`).FindAllStringSubmatch(s.Text(), -1) {
			if !found[m[1]] {
				found[m[1]] = true
				ports = append(ports, m[1])
			}
		}
		return len(ports) >= 3
	})
	return s, ports
}

// unheard waits until nobody listens at a port.
func unheard(t *testing.T, port string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		nc, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err != nil {
			return
		}
		nc.Close()
		if time.Now().After(deadline) {
			t.Fatalf("a server still listens at %s", port)
		}
	}
}

// TestSeveralServers walks through the tour of three servers as a class does: calls run, the second dies, calls go on without it, it is started and has its share
// again, and a slow one loses it.
func TestSeveralServers(t *testing.T) {
	s, ports := several(t, screen.Size{Cols: 80, Rows: 24})
	row := func(state string) string { return fmt.Sprintf(`2 :%s +%s`, ports[1], state) }
	shows(s, `3 +Result|6 Peers`)
	shows(s, `step 1 of 4`)
	s.Type(" <enter>")
	shows(s, `step 2 of 4`)
	shows(s, row(`● up +▆+ +\d+ %`))
	s.Type(" <enter>")
	shows(s, row(`○ down`))
	shows(s, `◐ connected 2 of 3 up`)
	shows(s, `2 of 3 up>`)
	shows(s, row(`○ down +0 %`)) // its calls of the last seconds are forgotten
	shows(s, `2  killed`)
	shows(s, `step 3 of 4`)
	s.Type(" <enter>")
	shows(s, `● connected 3 servers`)
	shows(s, row(`● up +▆+ +\d+ %`))
	shows(s, `step 4 of 4`)
	s.Type(" <enter>")
	shows(s, `2  slow 200 ms`)
	s.Wait("That was the tour")
	s.Type("<ctrl+c>")
	shows(s, `\d calls +0 failed`) // none of them all
	shows(s, `! stopped +fib 20`)
	leave(t, s, "<ctrl+d>")
}

// Servers end with the console, however that ends and whatever they are doing.
func TestSeveralServersEnd(t *testing.T) {
	for name, end := range map[string]func(s *screen.Screen) int{
		"quit":    func(s *screen.Screen) int { s.Type("<ctrl+d>"); return 0 },
		"SIGTERM": func(s *screen.Screen) int { s.Signal(syscall.SIGTERM); return 143 },
		"SIGINT":  func(s *screen.Screen) int { s.Signal(syscall.SIGINT); return 130 },
		"SIGHUP":  func(s *screen.Screen) int { s.Signal(syscall.SIGHUP); return 143 },
		"SIGKILL": func(s *screen.Screen) int { s.Signal(syscall.SIGKILL); return 137 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := several(t, screen.Size{Cols: 100, Rows: 30})
			s.Type("peer pause 1<enter>")
			s.Wait("1  paused")
			s.Type("peer slow 3 10s<enter>")
			s.Wait("3  slow 10 s")
			s.Type("call fib 10<enter>")
			want := end(s)
			if code := s.Exit(); code != want {
				t.Errorf("exit code %d, want %d\n%s", code, want, s.Picture())
			}
		})
	}
}

// A script has the servers of the demo as well, and a bad number of them is refused before anything is started.
func TestSeveralServersRefused(t *testing.T) {
	for _, n := range []string{"0", "-1", "10", "x"} {
		s := start(t, screen.Size{Cols: 80, Rows: 24}, "demo", "--servers", n)
		if code := s.Exit(); code != 2 {
			t.Errorf("--servers %s: exit code %d", n, code)
		}
		if got := s.Text(); !strings.Contains(got, "error: ") || !strings.Contains(got, "hint: ") {
			t.Errorf("--servers %s: got %s", n, got)
		}
	}
}
