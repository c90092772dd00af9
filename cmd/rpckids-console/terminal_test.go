//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// start runs the console in a terminal.
func start(t *testing.T, size screen.Size, args ...string) *screen.Screen {
	t.Helper()
	env := []string{"XDG_STATE_HOME=" + t.TempDir()}
	return screen.Start(t, size, env, append([]string{filepath.Join(binaries, "rpckids-console")}, args...)...)
}

// leave ends the console with a key and checks how it leaves the terminal.
func leave(t *testing.T, s *screen.Screen, keys string) {
	t.Helper()
	s.Type(keys)
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, s.Picture())
	}
	s.CheckStty()
	if s.AltScreen() || !s.CursorVisible() {
		t.Errorf("left with alternate screen %v, cursor %v", s.AltScreen(), s.CursorVisible())
	}
}

// shows waits until a row of the screen matches.
func shows(s *screen.Screen, pattern string) {
	re := regexp.MustCompile(pattern)
	s.Until("a row like "+pattern, func() bool {
		for row := range strings.Lines(s.Text()) {
			if re.MatchString(strings.TrimSpace(row)) {
				return true
			}
		}
		return false
	})
}

// TestDemo is a stranger's first minute: the tour, its four calls, a typo, the prompt and back, all of it kept.
func TestDemo(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 24}, "demo")
	s.Wait("step 1 of 4")
	s.Wait("connected 127.0.0.1:")
	shows(s, `connected 127.0.0.1:\d+ +v2`) // the console found out by itself, and nobody waited

	s.Type(" ") // the tour types its line and leaves running it to the user
	s.Wait("> call fib 10")
	s.Type("<enter>")
	shows(s, `✓ ok +fib_res +89 .*\d+ B → \d+ B`)
	s.Wait("step 2 of 4")

	s.Type(`call exp {"base":2,"exp":10}<enter>`)
	shows(s, `✓ ok +exp_res +{"value":1024,"costInNanos":\d+}`)
	shows(s, `■ client .*■ network .*■ queue .*■ handler`)
	shows(s, `costInNanos +[\d ]+ ns`)
	s.Wait("step 3 of 4")

	s.Type(`cast log "hi"<enter>`)
	shows(s, `→ sent +log`)
	shows(s, `\d+ B.*no reply expected`)
	s.Wait("step 4 of 4")

	s.Type(" <enter>")
	shows(s, `✓ ok +fibs +10 items +55`)
	shows(s, `first item .*items `)
	shows(s, `fibs 10 items`)
	s.Gone("step 4 of 4")

	s.Type(`call exp {"base":2}`) // a typo never leaves the house
	s.Wait(`needs "exp" (int), missing`)
	s.Type("<enter>")
	s.Wait("not sent")
	s.Wait("4 of 4") // still four calls
	s.Type("<ctrl+c>")

	s.Type("<f1>")
	s.Wait("esc closes")
	s.Type("<esc>")
	s.Gone("esc closes")

	s.Type("repl<enter>")
	s.Until("the prompt's own screen", func() bool { return !s.AltScreen() })
	shows(s, `^127.0.0.1:\d+>$`)
	s.Type("history<enter>")
	shows(s, `2 .*exp .*{"base":2,"exp":10}`)
	s.Type("call fib 11<enter>")
	shows(s, `^144`)
	shows(s, `#5 fib_res ok`)
	s.Type("dashboard<enter>")
	s.Until("the dashboard", s.AltScreen)
	s.Wait("5 of 5")
	shows(s, `✓ ok +fib_res +144`)

	s.Resize(screen.Size{Cols: 160, Rows: 48})
	s.Wait("newest last")
	s.Resize(screen.Size{Cols: 30, Rows: 6})
	shows(s, `\d+x\d+`)
	s.Resize(screen.Size{Cols: 80, Rows: 24})
	s.Wait("5 of 5")
	leave(t, s, "<ctrl+d>")
}

// TestDashboardOfAServer opens the dashboard on a server of its own and pulls the plug: the call fails with its reason, and the session lives.
func TestDashboardOfAServer(t *testing.T) {
	port := freePort(t)
	server := screen.Start(t, screen.Size{}, nil, filepath.Join(binaries, "rpckids-server"), "--addr", "localhost:"+port)
	server.Wait("server started @ localhost:" + port)

	s := start(t, screen.Size{Cols: 80, Rows: 24}, "connect", "localhost:"+port)
	s.Wait("connected localhost:" + port)
	s.Type("call fib 10<enter>")
	shows(s, `✓ ok +fib_res +89`)
	server.Wait("read a message")

	s.Type("set timeout 60s<enter>")
	s.Type("call slow 30000<enter>")
	s.Wait("1 running")
	server.Signal(syscall.SIGKILL)
	shows(s, `✗ closed +slow`)
	s.Wait("0 running")

	again := screen.Start(t, screen.Size{}, nil, filepath.Join(binaries, "rpckids-server"), "--addr", "localhost:"+port)
	again.Wait("server started")
	s.Type("call fib 20<enter>")
	shows(s, `✓ ok +fib_res +10946`)
	leave(t, s, "quit<enter>")
}

func TestPrompt(t *testing.T) {
	port := freePort(t)
	screen.Start(t, screen.Size{}, nil, filepath.Join(binaries, "rpckids-server"), "--addr", "localhost:"+port).Wait("server started")
	s := start(t, screen.Size{Cols: 100, Rows: 30}, "connect", "localhost:"+port, "--repl")
	s.Wait("localhost:" + port + ">")
	s.Type("rpc exp_res {value:int64, costInNanos:int64} --of exp --server-time .costInNanos<enter>")
	s.Type(`call exp {"base":2,"exp":10}<enter>`)
	shows(s, `^{"value":1024,"costInNanos":\d+}`)
	shows(s, `#1 exp_res ok .* (server|handler) `)
	shows(s, `^localhost:\d+>$`) // between two prompts the terminal is its own: keys that edit would be lost
	s.Type("call slow 20000<enter>")
	s.Until("the call running", s.Cooked)
	s.Type("<ctrl+c>")
	s.Wait("cancel")
	s.Type("call echo \"二的十次方\"<enter>")
	shows(s, `^"二的十次方"`)
	shows(s, `^localhost:\d+>$`)
	leave(t, s, "<ctrl+d>")
}

// Whatever ends the program, the terminal is as it was.
func TestSignals(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		signal syscall.Signal
		code   int
	}{
		{"dashboard terminated", []string{"demo"}, syscall.SIGTERM, 143},
		{"dashboard interrupted", []string{"demo"}, syscall.SIGINT, 130},
		{"dashboard hung up", []string{"demo"}, syscall.SIGHUP, 143},
		{"prompt terminated", []string{"demo", "--repl"}, syscall.SIGTERM, 143},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, screen.Size{Cols: 80, Rows: 24}, tt.args...)
			shows(s, `127.0.0.1:\d+>`)
			s.Type("call slow 20000<enter>")
			s.Wait("slow")
			s.Signal(tt.signal)
			if code := s.Exit(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			s.CheckStty()
		})
	}
}

// A command that opens no face asks the terminal nothing: not its colours, and nothing else either.
func TestAsksNothing(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help", "call"}, {"rpc", "fib", "int"}} {
		s := start(t, screen.Size{Cols: 80, Rows: 24}, args...)
		if code := s.Exit(); code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
		if raw := string(s.Raw()); strings.Contains(raw, "\x1b") || raw == "" {
			t.Errorf("%v: got %q", args, raw)
		}
	}
}

// A terminal that understands no escapes gets the prompt, and none.
func TestDumbTerminal(t *testing.T) {
	s := screen.Start(t, screen.Size{Cols: 80, Rows: 24}, []string{"TERM=dumb", "XDG_STATE_HOME=" + t.TempDir()}, filepath.Join(binaries, "rpckids-console"), "demo")
	shows(s, `^127.0.0.1:\d+>`)
	s.Type("call fib 10<enter>")
	shows(s, `^89`)
	s.Type("dashboard<enter>")
	s.Wait("error: ")
	s.Type("quit<enter>")
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if raw := string(s.Raw()); strings.Contains(raw, "\x1b") {
		t.Errorf("escapes in %q", fmt.Sprintf("%.200s", raw[strings.Index(raw, "\x1b"):]))
	}
}

// TestStreamsInTerminals is a stream without an end, an upload and a chat, in both faces against a real server.
func TestStreamsInTerminals(t *testing.T) {
	port := freePort(t)
	server := screen.Start(t, screen.Size{}, nil, filepath.Join(binaries, "rpckids-server"), "--addr", "localhost:"+port)
	server.Wait("server started @ localhost:" + port)
	s := start(t, screen.Size{Cols: 80, Rows: 24}, "connect", "localhost:"+port)
	shows(s, `connected localhost:\d+ +v2`)
	s.Type("call ticks 20<enter>")
	shows(s, `running +ticks +\d+ items +{"n":\d`)
	shows(s, `\d/s +ctrl\+c cancels`)
	s.Type("<ctrl+c>")
	shows(s, `! stopped +ticks +stopped after \d+ items`)

	s.Type("upload sum<enter>")
	s.Wait("sum 1>")
	s.Type("1<enter>2<enter>x<enter>")
	s.Wait("is not JSON")
	s.Type("<ctrl+u>3<enter>")
	s.Wait("sum 4>")
	s.Type("<ctrl+d>")
	shows(s, `✓ ok +sum_res +6`)

	s.Type("repl<enter>")
	s.Until("the prompt's own screen", func() bool { return !s.AltScreen() })
	s.Type("chat chat<enter>")
	shows(s, `^chat 1>$`)
	s.Type("hello<enter>")
	shows(s, `^"you said: hello"$`)
	shows(s, `^chat 2>$`)
	s.Type("<ctrl+d>")
	shows(s, `^#3 chat ok .*1 item sent  2 items`)
	shows(s, `^localhost:\d+>$`)
	s.Type("services ticks<enter>")
	shows(s, `^answers +ticks_res stream of {n:int, at:string}`)
	s.Type("status<enter>")
	shows(s, `protocol v2, an rpckids server`)
	server.Signal(syscall.SIGKILL) // in the middle of a chat
	s.Type("quit<enter>")
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.CheckStty()
}
