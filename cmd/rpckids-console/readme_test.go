package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// block is a fenced block of README.md.
type block struct{ language, text string }

func readme(t *testing.T) []block {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(b), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return blocks
}

// freePort returns a port of the loopback interface that nobody listens on. README.md says 8888; a test takes one that is free.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// TestReadmeTranscripts types every "$ command" of README.md and compares what it prints. Figures differ from run to run: any time, rate or size of
// what came stands for any other, "..." for anything.
func TestReadmeTranscripts(t *testing.T) {
	onUnix(t)
	port := freePort(t)
	background(t, filepath.Join(binaries, "rpckids-server"), port)
	commands := 0
	for _, b := range readme(t) {
		if b.language != "console" {
			continue
		}
		for _, step := range regexp.MustCompile(`(?m)^\$ `).Split(b.text, -1)[1:] {
			line, want, _ := strings.Cut(step, "\n")
			commands++
			sh := exec.Command("bash", "-c", strings.ReplaceAll(line, "8888", port))
			sh.Dir = t.TempDir() // some write files
			sh.Env = append(os.Environ(), "PATH="+binaries+":"+os.Getenv("PATH"), "RPCKIDS_ADDR=localhost:"+port, "LANG=C.UTF-8", "LC_ALL=", "XDG_STATE_HOME="+t.TempDir())
			out, _ := sh.CombinedOutput() // some are meant to fail, and what they print tells
			if got := strings.ReplaceAll(string(out), port, "8888"); !pattern(want).MatchString(got) {
				t.Errorf("$ %s\nprints\n%s\nREADME.md says\n%s", line, got, want)
			}
		}
	}
	if commands < 4 {
		t.Errorf("README.md has only %d transcripts", commands)
	}
}

// pattern makes an expected output a regular expression.
func pattern(want string) *regexp.Regexp {
	p := regexp.QuoteMeta(want)
	p = regexp.MustCompile(`\d+(\\\.\d+)? (ns|µs|ms|s)\b`).ReplaceAllString(p, `[\d.]+ (ns|µs|ms|s)`)
	p = regexp.MustCompile(`[\d ]+/s\b`).ReplaceAllString(p, ` +[\d. ]+/s`)
	p = regexp.MustCompile(`\d+ KiB|> \d+ B`).ReplaceAllStringFunc(p, func(size string) string {
		return regexp.MustCompile(`\d+`).ReplaceAllString(size, `\d+`)
	})
	p = regexp.MustCompile(`"costInNanos":\d+`).ReplaceAllString(p, `"costInNanos":\d+`)
	p = regexp.MustCompile(`(?m)^\\.\\.\\.$`).ReplaceAllString(p, `(?s:.*)`) // a line of its own stands for any lines
	p = strings.ReplaceAll(p, `\.\.\.`, `.*`)
	return regexp.MustCompile("^" + p + "$")
}

// TestReadmePrograms builds every Go program of README.md inside the module, without writing into it, and runs them: the first is a server,
// the second its client.
func TestReadmePrograms(t *testing.T) {
	onUnix(t)
	port := freePort(t)
	var programs []string
	for _, b := range readme(t) {
		if b.language == "go" {
			programs = append(programs, compile(t, len(programs), strings.ReplaceAll(b.text, "8888", port)))
		}
	}
	if len(programs) != 2 {
		t.Fatalf("README.md has %d programs, want a server and a client", len(programs))
	}
	background(t, programs[0], port)
	out, err := exec.Command(programs[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := string(out), "42 <nil>\ninvalid_argument 2000000 is too large\n1\n2\n3\n"; got != want {
		t.Errorf("the client prints\n%s, want\n%s", got, want)
	}
}

func compile(t *testing.T, n int, text string) (program string) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pkg := fmt.Sprintf("readme%d", n)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, pkg, "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-overlay", file, "-o", program, "./"+pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("program %d of README.md: %v\n%s", n+1, err, out)
	}
	return program
}

// TestReadmeShell looks after the lines of README.md that are no transcripts: each is run here or, as named, by another test.
func TestReadmeShell(t *testing.T) {
	elsewhere := map[string]string{
		"go install ./cmd/rpckids-server ./cmd/rpckids-console": "TestMain builds both",
		"rpckids-server":                                "TestReadmeTranscripts starts it",
		"rpckids-console connect localhost:8888":        "TestDashboardOfAServer",
		"go run ./cmd/rpckids-console demo":             "TestDemo",
		"go run ./cmd/rpckids-console demo --servers 3": "TestSeveralServers",
		"rpckids-server --dev-tls ./tls":                "testdata/tls.txtar",
		"etcd --data-dir /tmp/etcd":                     "an etcd in the process of rpcclient/etcd's TestCommands",
		"rpckids-server --addr localhost:8881 --etcd http://127.0.0.1:2379 --name demo": "the same",
		"rpckids-console connect etcd:///demo":                                          "the same",
		"go test ./...":                                                                 "this is it",
	}
	for _, b := range readme(t) {
		if b.language != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); elsewhere[line] == "" {
				t.Errorf("README.md says %q, which no test runs", line)
			}
		}
	}
}

// background runs a server until the test ends. A program of README.md has its port in its text.
func background(t *testing.T, program, port string) {
	t.Helper()
	command := []string{program}
	if filepath.Base(program) == "rpckids-server" {
		command = append(command, "--addr", "localhost:"+port)
	}
	screen.Start(t, screen.Size{Cols: 120, Rows: 40}, nil, command...).Wait("server started")
}
