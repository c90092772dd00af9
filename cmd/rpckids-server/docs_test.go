package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// named returns the first group of all matches, sorted, each once.
func named(in, pattern string) []string {
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(in, -1) {
		all[m[1]] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// section returns what stands below a heading, up to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	part, _, _ := strings.Cut(rest, "\n"+heading[:strings.Index(heading, " ")+1])
	return part
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%q, want\n%q", what, got, want)
	}
}

// The tables of limits in docs/SERVER.md have all fields of the Config that are one, with the defaults of its comments and of the flags.
func TestLimitsOfTheServerPage(t *testing.T) {
	config, page := text(t, "rpcserver/config.go"), section(t, text(t, "docs/SERVER.md"), "## Limits")
	rows := map[string][2]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]\\w+)` \\| (.*?) ?\\| (.+?) \\|").FindAllStringSubmatch(page, -1) {
		rows[m[1]] = [2]string{m[2], m[3]}
	}
	for f := range reflect.TypeFor[rpcserver.Config]().Fields() {
		if k := f.Type.Kind(); k != reflect.Int && k != reflect.Int64 {
			continue
		}
		row, ok := rows[f.Name]
		comment := regexp.MustCompile(`((?:\t//.*\n)+)\t` + f.Name + ` `).FindString(config)
		comment = strings.ReplaceAll(comment, "\n\t//", "")
		if !ok || !strings.Contains(comment, "means "+row[1]) {
			t.Errorf("%s: the page has %q, the source says%s", f.Name, row, comment)
		}
	}
	flags := newCommand(nil, nil).Flags()
	for field, row := range rows {
		for _, name := range named(row[0], "`--([a-z-]+)`") {
			flag := flags.Lookup(name)
			if flag == nil {
				t.Errorf("%s: there is no flag --%s", field, name)
				continue
			}
			want := strings.ReplaceAll(row[1], " ", "")
			if d, err := time.ParseDuration(want); err == nil {
				want = d.String()
			}
			switch got := flag.DefValue; {
			case got == want, want == "off" && (got == "0" || got == "false"), field == "MaxInFlight" && got == "0" && strings.Contains(flag.Usage, "0 means "+want):
			default:
				t.Errorf("%s: --%s is %s, the page says %s", field, name, got, want)
			}
		}
	}
}

// What docs/SERVER.md and docs/PROTOCOL.md name is there, and what is there they name.
func TestNamesOfTheServerPage(t *testing.T) {
	page, protocol := text(t, "docs/SERVER.md"), text(t, "docs/PROTOCOL.md")

	elsewhere := []string{"--ca", "--cacert", "--cert", "--data-dir", "--key", "--proto", "--tls", "--token-plain"} // of the console, of curl and of etcd
	known := []string{}
	for _, name := range named(newCommand(nil, nil).UsageString(), `(?m)^ +(?:-\w, )?(--[a-z0-9-]+)`) {
		if name != "--help" {
			known = append(known, name)
		}
	}
	used := slices.DeleteFunc(named(page, `(--[a-z][a-z0-9-]+)`), func(name string) bool { return slices.Contains(elsewhere, name) || name == "--help" })
	same(t, "flags", used, slices.DeleteFunc(known, func(name string) bool { return name == "--v1-only" }))

	reasons := named(text(t, "rpcserver/refusal.go"), `(?m)^\tRefused\w+ += "(.+?)"`)
	same(t, "reasons of refusals", named(section(t, page, "## Limits"), "(?m)^\\| `([a-z][^`]*)` \\|"), reasons)
	_, inHealth, _ := strings.Cut(protocol, "The reasons in `refusals` are ")
	inHealth, _, _ = strings.Cut(inHealth, ".")
	same(t, "reasons in !health", named(strings.ReplaceAll(inHealth, "\n", " "), "`(.+?)`"), reasons)

	events := append(named(text(t, "rpcserver/log.go"), `": +"([a-z_]+)",\n`), "other", "server_started")
	slices.Sort(events)
	same(t, "events", named(section(t, page, "## The log"), "(?m)^\\| `([a-z_]+)` \\|"), events)

	metrics := named(strings.NewReplacer("network_{received,sent}_bytes_total", "network_received_bytes_total rpckids_server_network_sent_bytes_total", "seconds_bucket", "seconds").
		Replace(text(t, "rpcserver/prom/doc.go")), `(rpckids_server_[a-z_]+)`)
	same(t, "metrics", named(strings.ReplaceAll(page, "seconds_bucket", "seconds"), `(rpckids_server_[a-z_]+)`), metrics)

	ofServer, ofClient, found := strings.Cut(section(t, page, "## The figures"), "A client withstands")
	if !found {
		t.Error("the figures of the client are not found")
	}
	for pkg, figures := range map[string]string{"rpcserver": ofServer, "rpcclient": ofClient} {
		tests, err := filepath.Glob(filepath.Join("..", "..", pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		source := ""
		for _, file := range tests {
			source += text(t, pkg+"/"+filepath.Base(file))
		}
		for _, name := range named(figures, "`(Figures[0-9]\\w+)`") {
			if !strings.Contains(source, "\nfunc Test"+name+"(") {
				t.Errorf("there is no test %s of %s", name, pkg)
			}
		}
	}

	s := start(t, "--addr", "localhost:0")
	port := s.lines.await(`^server started @ localhost:(\d+)`)[1]
	var health map[string]any
	if reply, ok := strings.CutPrefix(s.call(port, "!health", "null"), "!health "); !ok || json.Unmarshal([]byte(reply), &health) != nil {
		t.Fatalf("got %q", reply)
	}
	s.stop(exitOK)
	var fields []string
	for _, row := range named(section(t, protocol, "### 3.15 Built-in methods"), "(?m)^\\| ((?:`[a-z0-9_]+`(?:, )?)+) \\|") {
		fields = append(fields, named(row, "`(.+?)`")...)
	}
	slices.Sort(fields)
	same(t, "fields of !health", fields, slices.Sorted(maps.Keys(health)))
}

// block is a fenced block of a page.
type block struct{ language, text string }

func blocks(page string) (all []block) {
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// built makes the program of a package, in a folder that has no others.
func built(t *testing.T, pkg string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	build := exec.Command("go", "build", "-o", dir, pkg)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestServerPage follows docs/SERVER.md: it starts each server of it, types each "$ command", and compares what that prints. Any time and any size of what
// came stands for any other, "..." for anything.
func TestServerPage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page's examples need curl: ", err)
	}
	elsewhere := map[string]string{
		"go run ./examples/observed":                                                    "examples/observed_test.go",
		"go test ./rpcserver -run Figures -v":                                           "they run with all tests",
		"go test -p 1 ./rpcserver ./rpcclient -run Figures -long -v":                    "the same tests in their long form",
		"etcd --data-dir /tmp/etcd":                                                     "rpcserver/etcd and rpcclient/etcd test against an etcd in the process",
		"rpckids-server --addr localhost:8881 --etcd http://127.0.0.1:2379 --name demo": "TestEtcdFlags, and rpcserver/etcd",
		"rpckids-server --addr localhost:8882 --etcd http://127.0.0.1:2379 --name demo": "the same",
		"rpckids-console connect etcd:///demo":                                          "cmd/rpckids-console tests it",
	}
	page, bin := text(t, "docs/SERVER.md"), built(t, "./cmd/rpckids-console")
	t.Chdir(t.TempDir()) // some write files
	var s *started
	port, commands := "", 0
	shell := func(line string) string {
		sh := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(line, "8888", port))
		sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "RPCKIDS_ADDR=localhost:"+port, "RPCKIDS_TOKEN=", "LANG=C.UTF-8", "LC_ALL=", "XDG_STATE_HOME="+t.TempDir(), "NO_PROXY=*")
		out, _ := sh.CombinedOutput() // some are meant to fail, and what they print tells
		return strings.ReplaceAll(string(out), port, "8888")
	}
	for _, b := range blocks(page) {
		switch {
		case b.language == "sh":
			for line := range strings.Lines(b.text) {
				line = strings.TrimSpace(line)
				switch args, isServer := strings.CutPrefix(line, "rpckids-server"); {
				case elsewhere[line] != "":
				case isServer:
					if s != nil {
						s.stop(exitOK)
					}
					s = start(t, append(strings.Fields(args), "--addr", "localhost:0")...)
					port = s.lines.await(`^server started @ localhost:(\d+)`)[1]
				case strings.HasPrefix(line, "(umask"):
					shell(line)
				default:
					t.Errorf("the page says %q, which no test runs", line)
				}
			}
		case b.language == "console":
			for _, step := range regexp.MustCompile(`(?m)^\$ `).Split(b.text, -1)[1:] {
				line, want, _ := strings.Cut(step, "\n")
				commands++
				if got := shell(line); !like(want).MatchString(got) {
					t.Errorf("$ %s\nprints\n%s\nthe page says\n%s", line, got, want)
				}
			}
		case strings.HasPrefix(b.text, "certificates were made"):
			for line := range strings.Lines(b.text) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), " at=")
				s.lines.await("^" + regexp.QuoteMeta(strings.ReplaceAll(line, "8888", port)))
			}
		}
	}
	s.stop(exitOK)
	if commands < 15 {
		t.Errorf("the page has only %d transcripts", commands)
	}
}

// like makes an expected output a regular expression.
func like(want string) *regexp.Regexp {
	p := regexp.QuoteMeta(strings.TrimSuffix(want, "\n"))
	p = regexp.MustCompile(`\d+(\\\.\d+)? (ns|µs|ms|s)\b`).ReplaceAllString(p, `[\d.]+ (ns|µs|ms|s)`)
	p = regexp.MustCompile(`> \d+ B`).ReplaceAllString(p, `> \d+ B`)
	return regexp.MustCompile("^" + strings.ReplaceAll(p, `\.\.\.`, `.*`) + "\n?$")
}

// TestServerPageProgram builds the Go program of docs/SERVER.md inside the module, without writing into it.
func TestServerPageProgram(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for _, b := range blocks(text(t, "docs/SERVER.md")) {
		if b.language != "go" {
			continue
		}
		programs++
		dir := t.TempDir()
		source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
		pkg := fmt.Sprintf("serverpage%d", programs)
		over, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, pkg, "main.go"): source}})
		if err != nil {
			t.Fatal(err)
		}
		for file, b := range map[string][]byte{source: []byte(b.text), overlay: over} {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		compile := exec.Command("go", "build", "-overlay", overlay, "-o", os.DevNull, "./"+pkg)
		compile.Dir = root
		if out, err := compile.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if programs != 1 {
		t.Errorf("the page has %d programs, want 1", programs)
	}
}
