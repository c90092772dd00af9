package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/console"
)

func open(t *testing.T, file string) *console.History {
	t.Helper()
	h, notice := OpenFile(file)
	if notice != "" {
		t.Fatalf("OpenFile: notice %q", notice)
	}
	return h
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "b", "history")
	h := open(t, file)
	for _, l := range []string{"call fib 10", "call fib 10", "", "  ", "call exp {\n  \"base\": 2,\n  \"exp\": 10\n}", "connect x --token secret", "status"} {
		h.Add(l)
	}
	if err := h.Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, file), "call fib 10\ncall exp { \"base\": 2, \"exp\": 10 }\nconnect x --token ******\nstatus\n"; got != want {
		t.Errorf("on disk:\n%s\nwant\n%s", got, want)
	}
	if got := h.Lines(); !slices.Contains(got, "connect x --token ******") {
		t.Errorf("a line with a token is to be kept without the token, got %q", got)
	}
	if got, want := open(t, file).Lines(), []string{"call fib 10", `call exp { "base": 2, "exp": 10 }`, "connect x --token ******", "status"}; !slices.Equal(got, want) {
		t.Errorf("read back %q, want %q", got, want)
	}
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestTrimmed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	var b strings.Builder
	for i := range trimAt + 10 {
		fmt.Fprintf(&b, "call fib %d\n", i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := open(t, file).Lines()
	if len(lines) != keep || lines[keep-1] != fmt.Sprintf("call fib %d", trimAt+9) {
		t.Errorf("got %d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
	if got := strings.Count(read(t, file), "\n"); got != keep {
		t.Errorf("the file has %d lines, want %d", got, keep)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".history-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Lines hold payloads: a file that others may read is closed to them.
func TestClosedToOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(file, []byte("status\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode().Perm(), err)
	}
}

// A history that is a link, as in a folder under version control, is trimmed where it lies.
func TestTrimmedBehindALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte(strings.Repeat("status\nhelp\n", trimAt)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Skip(err)
	}
	open(t, link)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if got := strings.Count(read(t, file), "\n"); got != keep {
		t.Errorf("the file has %d lines, want %d", got, keep)
	}
}

// A file far beyond any use, and one without any line end, cost a bounded amount.
func TestHuge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxFile * 2); err != nil { // a hole: no disk is used
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("\nstatus\n"), maxFile*2)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if got := open(t, file).Lines(); !slices.Equal(got, []string{"status"}) {
		t.Errorf("got %d lines", len(got))
	}
	if info, _ := os.Stat(file); info.Size() > 100 {
		t.Errorf("the file still has %d bytes", info.Size())
	}
}

func TestForeignLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(file, []byte("status\r\n\x1b[2Jhelp\n\xff\nhelp"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := open(t, file).Lines(), []string{"status", "help"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What cannot be kept is one notice, and the console goes on in memory.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"folder": dir, "below a file": filepath.Join(plain, "x", "history")} {
		h, notice := OpenFile(file)
		if !strings.HasPrefix(notice, "history is not kept: ") {
			t.Errorf("%s: notice %q", name, notice)
		}
		h.Add("status")
		if got := h.Lines(); len(got) != 1 || h.Err() != nil {
			t.Errorf("%s: %q, %v", name, got, h.Err())
		}
	}
}

// The folder goes away while the console runs: the lines stay in memory and Err tells once.
func TestLostWhileRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	h := open(t, filepath.Join(dir, "history"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	h.Add("status")
	h.Add("help")
	if h.Err() == nil || len(h.Lines()) != 2 {
		t.Errorf("error %v, lines %q", h.Err(), h.Lines())
	}
}

func TestWhere(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("RPCKIDS_HISTORY", "")
	h, notice := Open()
	h.Add("status")
	if got := read(t, filepath.Join(dir, "rpckids", "history")); got != "status\n" || notice != "" {
		t.Errorf("XDG_STATE_HOME: %q, %q", got, notice)
	}
	other := filepath.Join(dir, "other")
	t.Setenv("RPCKIDS_HISTORY", other)
	h, _ = Open()
	h.Add("help")
	if got := read(t, other); got != "help\n" {
		t.Errorf("RPCKIDS_HISTORY: %q", got)
	}
	t.Setenv("RPCKIDS_HISTORY", "off")
	h, notice = Open()
	h.Add("quit")
	if got := len(h.Lines()); got != 1 || notice != "" || read(t, other) != "help\n" {
		t.Errorf("off: %d lines, %q", got, notice)
	}
}

func TestSideBySide(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	var wg sync.WaitGroup
	for i := range 4 {
		h := open(t, file)
		wg.Go(func() {
			for n := range 100 {
				h.Add(fmt.Sprintf("call fib %d%03d %s", i, n, strings.Repeat("x", 200)))
			}
		})
	}
	wg.Wait()
	lines := open(t, file).Lines()
	if len(lines) != 400 {
		t.Errorf("got %d lines, want 400", len(lines))
	}
	for _, l := range lines {
		if len(l) != len("call fib 0000 ")+200 {
			t.Fatalf("a mixed line: %q", l)
		}
	}
}
