//go:build unix

package screen

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/term"
)

// TestMain is also the program that the tests run: PROGRAM says which.
func TestMain(m *testing.M) {
	switch os.Getenv("PROGRAM") {
	case "cat":
		cat()
	case "raw":
		raw(true)
	case "rude":
		raw(false)
	case "size":
		size()
	case "race":
		fmt.Println("WARNING: DATA RACE")
	default:
		goleak.VerifyTestMain(m)
	}
}

func cat() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Printf("[%s]\n", in.Text())
	}
	os.Exit(7)
}

// raw shows the keys that come until a q, and puts the terminal back if it is polite.
func raw(polite bool) {
	old, err := term.MakeRaw(0)
	if err != nil {
		panic(err)
	}
	if polite {
		defer func() { _ = term.Restore(0, old) }()
	}
	fmt.Print("\x1b[?1049h\x1b[?25lready\r\n\x1b[6n")
	buf := make([]byte, 100)
	for {
		n, _ := os.Stdin.Read(buf)
		fmt.Printf("%q\r\n", buf[:n])
		if n == 0 || buf[n-1] == 'q' {
			break
		}
	}
	if polite {
		fmt.Print("\x1b[?25h\x1b[?1049l")
	}
}

func size() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	for {
		w, h, _ := term.GetSize(0)
		fmt.Printf("%dx%d\r\n", w, h)
		<-c
	}
}

// self is this test binary as one of its programs.
func self(t *testing.T, program string, size Size) *Screen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Start(t, size, []string{"PROGRAM=" + program}, exe)
}

func TestLines(t *testing.T) {
	s := self(t, "cat", Size{})
	s.Type("hello 二的十<enter>")
	s.Wait("[hello 二的十]")
	if got, want := s.Row(1), "[hello 二的十]"; got != want {
		t.Errorf("row 1 is %q, want %q", got, want)
	}
	s.WaitCursor(0, 2)
	s.Paste("a\nb\n")
	s.Wait("[b]")
	if !s.Cooked() {
		t.Error("the terminal is raw")
	}
	s.Type("<ctrl+d>")
	if got := s.Exit(); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	s.CheckStty()
}

func TestRaw(t *testing.T) {
	s := self(t, "raw", Size{Cols: 40, Rows: 5})
	s.Wait("ready")
	s.Wait(`"\x1b[2;1R"`) // the emulator's answer to ESC[6n
	if s.CursorVisible() || !s.AltScreen() || s.Cooked() {
		t.Errorf("cursor visible %t, alternate screen %t, cooked %t; want false, true, false", s.CursorVisible(), s.AltScreen(), s.Cooked())
	}
	s.Type("<f1><ctrl+x><up>")
	s.Wait(`"\x1bOP\x18\x1b[A"`)
	s.Type("<alt+1><lt>q")
	if got := s.Exit(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
	s.CheckStty()
}

func TestCheckSttySeesARudeProgram(t *testing.T) {
	probe := &recorder{TB: t}
	s := self(t, "rude", Size{})
	s.Wait(`"\x1b[2;1R"`)
	s.Type("q")
	s.Exit()
	s.t = probe
	s.CheckStty()
	s.t = t
	for _, want := range []string{"left changed", "left hidden", "alternate screen"} {
		if !strings.Contains(probe.text, want) {
			t.Errorf("CheckStty says nothing of %q:\n%s", want, probe.text)
		}
	}
}

func TestResize(t *testing.T) {
	s := self(t, "size", Size{Cols: 100, Rows: 30})
	s.Wait("100x30")
	s.Resize(Size{Cols: 60, Rows: 10})
	s.Wait("60x10")
	s.Signal(syscall.SIGTERM)
	if got := s.Exit(); got != 128+15 {
		t.Errorf("exit code %d, want 143", got)
	}
}

func TestRaceIsReported(t *testing.T) {
	probe := &recorder{TB: t}
	t.Run("program", func(t *testing.T) {
		s := self(t, "race", Size{})
		s.Exit()
		s.t = probe
	})
	if !strings.Contains(probe.text, "1 data races") {
		t.Errorf("a data race in the program goes unseen: %q", probe.text)
	}
}

func TestUntilFailsWhenTheProgramEnds(t *testing.T) {
	s := self(t, "race", Size{})
	s.Exit()
	probe := &recorder{TB: t}
	s.t = probe
	func() {
		defer func() { _ = recover() }()
		s.Wait("never shown")
	}()
	if !strings.Contains(probe.text, `want "never shown" on the screen, but the program ended with code 0`) {
		t.Errorf("got %q", probe.text)
	}
}

// recorder is a testing.TB that keeps failures instead of failing; a fatal one panics.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) + "\n" }
func (r *recorder) Error(args ...any)                 { r.text += fmt.Sprintln(args...) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic("fatal")
}
