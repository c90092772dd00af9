package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rpckids/rpckids/internal/early"
)

// binaries is the folder of the programs under test, built once: tests run whole programs as a user does.
var binaries string

func TestMain(m *testing.M) {
	if at := os.Getenv(plantedAt); at != "" {
		early.Restore()
		os.Exit(int(planted(at)))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rpckids-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		args := []string{"build", "-o", dir}
		if raceEnabled {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "../rpckids-server", ".")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		binaries = dir
		return m.Run()
	}())
}

func onUnix(t testing.TB) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell and a pseudo terminal")
	}
}

// TestScripts runs testdata/*.txtar. Besides testscript's own commands they have
//
//	serve [flags]   starts rpckids-server on a free port and sets $ADDR; it is stopped, and must end well, with the script
//	unserve         stops it now
//	connect COMMAND types what the server said to connect with, and gives it COMMAND as its input
//	code N command  runs a command that must end with exit code N
func TestScripts(t *testing.T) {
	onUnix(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("LANG", "C.UTF-8")
			examples, err := filepath.Abs("../../examples")
			if err != nil {
				return err
			}
			e.Setenv("EXAMPLES", examples)
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":   serve,
			"unserve": unserve,
			"connect": connect,
			"code":    code,
		},
	})
}

type served struct {
	cmd *exec.Cmd
	log strings.Builder
	how chan string // what it says to connect with
	eof chan struct{}
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	s := &served{eof: make(chan struct{}), how: make(chan string, 1)}
	s.cmd = exec.Command(filepath.Join(binaries, "rpckids-server"), append([]string{"--addr", "localhost:0"}, args...)...)
	s.cmd.Dir = ts.Getenv("WORK")
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	s.cmd.Stderr = s.cmd.Stdout
	ts.Check(s.cmd.Start())
	started := make(chan string, 1)
	go func() { // ends with the server's output
		defer close(s.eof)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&s.log, lines.Text())
			if _, addr, ok := strings.Cut(lines.Text(), "server started @ "); ok {
				started <- strings.Fields(addr)[0]
			}
			if how, ok := strings.CutPrefix(lines.Text(), "connect with: "); ok {
				s.how <- how
			}
		}
	}()
	select {
	case addr := <-started:
		ts.Setenv("ADDR", addr)
	case <-s.eof:
		ts.Fatalf("rpckids-server ended:\n%s", s.log.String())
	case <-time.After(30 * time.Second):
		ts.Fatalf("rpckids-server did not start")
	}
	running.Store(ts, s)
	ts.Defer(func() { unserve(ts, false, nil) })
}

// running has the *served of each *testscript.TestScript; scripts run side by side.
var running sync.Map

func unserve(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.LoadAndDelete(ts)
	if !ok {
		return
	}
	s := v.(*served)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.eof
	err := s.cmd.Wait()
	ts.Logf("rpckids-server:\n%s", s.log.String())
	if err != nil {
		ts.Fatalf("rpckids-server: %v", err)
	}
	if strings.Contains(s.log.String(), "DATA RACE") {
		ts.Fatalf("rpckids-server has a data race")
	}
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(s.log.String()), 0o600))
}

// connect needs a server that prints a command.
func connect(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.Load(ts)
	if !ok {
		ts.Fatalf("connect needs serve before")
	}
	select {
	case how := <-v.(*served).how:
		ts.Check(ts.Exec("bash", "-c", "echo '"+strings.Join(args, " ")+"' | "+how))
	case <-time.After(30 * time.Second):
		ts.Fatalf("rpckids-server says nothing to connect with")
	}
}

// code is exec for a command whose exit code matters.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: code N command ...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
