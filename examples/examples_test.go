// Package examples_test runs every example as its first line says.
package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// build compiles an example and returns the program.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// start runs a server until the test ends and returns the address it says it has.
func start(t *testing.T, program string, args ...string) (addr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait() // ended by the signal
	})
	for {
		line, err := lines.ReadString('\n')
		if _, addr, ok := strings.Cut(line, "server started @ "); ok {
			return strings.Trim(strings.Fields(addr)[0], `"`)
		}
		if err != nil {
			t.Fatalf("the server ended: %v", err)
		}
	}
}

func TestFibexp(t *testing.T) {
	addr := start(t, build(t, "fibexp/server"), "localhost:0")
	out, err := exec.Command(build(t, "fibexp/client"), addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var want strings.Builder
	for i, a, b := 0, 1, 1; i < 20; i, a, b = i+1, b, a+b {
		fmt.Fprintf(&want, "fib(%d) = %d\n", i, a)
	}
	for i := range 20 {
		fmt.Fprintf(&want, "exp2(%d) = %d cost=#ns\n", i, 1<<i)
	}
	got := regexp.MustCompile(`cost=\d+ns`).ReplaceAllString(string(out), "cost=#ns")
	if got != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got, want.String())
	}
}

func TestCustom(t *testing.T) {
	out, err := exec.Command(build(t, "custom")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "hello Ada\ninvalid_argument after 1 attempt: name is empty\n"
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
