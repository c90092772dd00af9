//go:build unix

package screen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// limit is how long a wait lasts before it fails. Only a program that hangs gets there, so it is long enough for a
// loaded machine under the race detector.
const limit = 20 * time.Second

// Size is the size of a terminal in cells. The zero value means 80x24.
type Size struct{ Cols, Rows int }

func (s Size) orDefault() Size {
	if s == (Size{}) {
		return Size{Cols: 80, Rows: 24}
	}
	return s
}

// Screen is a program that runs in a terminal of its own. Its methods may be called from several goroutines, but those
// that can fail the test belong to the test's own goroutine.
type Screen struct {
	t      testing.TB
	cmd    *exec.Cmd
	master *os.File    // our end of the terminal, in non-blocking mode so that Close wakes its reader
	tty    *os.File    // the program's end, held open to ask for its state; closed when the program has ended
	before *term.State // of the terminal, before the program started
	ended  chan struct{}
	read   chan struct{} // closed when all output has been read
	after  *term.State   // of the terminal, when the program had ended; valid once ended is closed

	mu      sync.Mutex // protects the fields below
	em      *vt.Emulator
	raw     bytes.Buffer
	changed chan struct{} // closed and replaced with each output
	visible bool          // the cursor
	closed  bool          // tty is closed
}

// Start runs a command in a new terminal of the given size and ends both with the test. The command's environment is made
// here, so that a test does not depend on where it runs: PATH, an empty HOME, TERM=xterm-256color in a UTF-8 locale; env,
// in the form NAME=value, adds to it and wins.
func Start(t testing.TB, size Size, env []string, command ...string) *Screen {
	t.Helper()
	size = size.orDefault()
	master, tty, err := open(size)
	if err != nil {
		t.Fatalf("open a pseudo terminal: %v", err)
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatalf("read the state of the terminal: %v", err)
	}
	s := &Screen{
		t: t, master: master, tty: tty, before: before, em: vt.NewEmulator(size.Cols, size.Rows), visible: true,
		changed: make(chan struct{}), ended: make(chan struct{}), read: make(chan struct{}),
	}
	s.em.SetCallbacks(vt.Callbacks{ // called while the emulator is written to, so mu is held
		CursorVisibility: func(v bool) { s.visible = v },
	})
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.Env = append(base(t), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		_ = master.Close()
		_ = tty.Close()
		t.Fatalf("start %s: %v", command[0], err)
	}
	// Three goroutines, all waited for by stop: wait ends with the process, show when the terminal has no writer left
	// or is closed, answer when show ends.
	answered := make(chan struct{})
	go s.wait()
	go s.show()
	go s.answer(answered)
	t.Cleanup(func() { s.stop(answered) })
	return s
}

// open makes a terminal of that size.
func open(size Size) (master, tty *os.File, err error) {
	opened, tty, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer opened.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(size.Cols), Rows: uint16(size.Rows)}); err != nil {
		_ = tty.Close()
		return nil, nil, err
	}
	// pty.Open leaves its file in blocking mode, where Close does not wake a reader.
	fd, err := unix.FcntlInt(opened.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = tty.Close()
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), opened.Name()), tty, nil
}

// base is the environment that every program gets. CI is empty because programs take it as "no person is here".
func base(t testing.TB) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + os.TempDir(), "TZ=UTC", "LANG=C.UTF-8",
		"TERM=xterm-256color", "COLORTERM=truecolor", "CI=",
		"GORACE=atexit_sleep_ms=0", // else each program built with the race detector takes a second to end
	}
	if v, ok := os.LookupEnv("GOCOVERDIR"); ok {
		env = append(env, "GOCOVERDIR="+v)
	}
	return env
}

// wait notes how the terminal was left, then lets show see the end of the output.
func (s *Screen) wait() {
	defer close(s.ended)
	_ = s.cmd.Wait() // Exit reads the state
	s.after, _ = term.GetState(int(s.tty.Fd()))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	_ = s.tty.Close()
}

// show draws what the program writes.
func (s *Screen) show() {
	defer close(s.read)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.raw.Write(buf[:n])
		_, _ = s.em.Write(buf[:n])
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil { // EIO when nobody can write any more
			_ = s.em.InputPipe().(interface{ Close() error }).Close()
			return
		}
	}
}

// answer carries what the emulator answers to questions, as where the cursor is, back to the program. It takes no lock:
// the emulator hands over an answer while it is written to.
func (s *Screen) answer(done chan<- struct{}) {
	defer close(done)
	buf := make([]byte, 4096)
	for {
		n, err := s.em.Read(buf)
		if err != nil {
			return
		}
		_, _ = s.master.Write(buf[:n]) // fails when the program is gone: then nobody misses it
	}
}

// stop ends the program, waits for the goroutines and looks for reports of the race detector.
func (s *Screen) stop(answered <-chan struct{}) {
	select {
	case <-s.ended:
	default:
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	select {
	case <-s.read:
	case <-time.After(2 * time.Second): // a child of the program keeps the terminal open
	}
	_ = s.master.Close()
	<-s.read
	<-answered
	if n := bytes.Count(s.Raw(), []byte("DATA RACE")); n > 0 {
		s.t.Errorf("%d data races in %s:\n%s", n, s.cmd.Path, s.Raw())
	}
}

// Exit waits for the program to end and returns its exit code; a program that a signal ended has 128 and the signal's number.
func (s *Screen) Exit() int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, c := range []<-chan struct{}{s.ended, s.read} {
		select {
		case <-c:
		case <-ctx.Done():
			s.t.Fatalf("the program does not end; the screen is\n%s", s.Picture())
		}
	}
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.cmd.ProcessState.ExitCode()
}

// Ended reports whether the program has ended, or does so within a time.
func (s *Screen) Ended(within time.Duration) bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// Signal sends the program a signal.
func (s *Screen) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("send %v: %v", sig, err)
	}
}

// Resize gives the terminal another size and tells the program.
func (s *Screen) Resize(size Size) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.em.Resize(size.Cols, size.Rows)
	if s.closed {
		return
	}
	if err := pty.Setsize(s.tty, &pty.Winsize{Cols: uint16(size.Cols), Rows: uint16(size.Rows)}); err != nil {
		s.t.Errorf("resize: %v", err)
	}
}

// Cooked reports whether the terminal is now as it was before the program started: line editing and echo are on.
func (s *Screen) Cooked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return reflect.DeepEqual(s.after, s.before)
	}
	now, err := term.GetState(int(s.tty.Fd()))
	return err == nil && reflect.DeepEqual(now, s.before)
}

// CheckStty waits for the end of the program and fails the test when it left the terminal otherwise than it found it:
// in another line mode, with a hidden cursor, on the alternate screen or with bracketed paste on.
func (s *Screen) CheckStty() {
	s.t.Helper()
	s.Exit()
	if !reflect.DeepEqual(s.after, s.before) {
		s.t.Errorf("the terminal was left changed\n got %s\nwant %s", describe(s.after), describe(s.before))
	}
	if !s.CursorVisible() {
		s.t.Error("the cursor was left hidden")
	}
	if s.AltScreen() {
		s.t.Error("the alternate screen was left on")
	}
	raw := string(s.Raw())
	if strings.LastIndex(raw, "\x1b[?2004h") > strings.LastIndex(raw, "\x1b[?2004l") {
		s.t.Error("bracketed paste was left on")
	}
}

// describe prints a state for a failure message; its fields are the system's own.
func describe(state *term.State) string {
	if state == nil {
		return "unknown"
	}
	return fmt.Sprintf("%+v", *state)
}
