package etcd_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/rpcclient/etcd"
)

// output is what a process has printed so far.
type output struct {
	mu sync.Mutex // protects the field below
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) says(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	within(t, pattern, func() bool { return re.MatchString(o.String()) })
}

// The commands as people use them: a server that registers, a console that finds it, goes on without etcd and says so, and a server that withdraws before it
// drains. Nothing of etcd's own logs is seen.
func TestCommands(t *testing.T) {
	c := start(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "github.com/rpckids/rpckids/cmd/rpckids-server", "github.com/rpckids/rpckids/cmd/rpckids-console")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(stdin io.Reader, name string, args ...string) (*exec.Cmd, *output) {
		t.Helper()
		cmd, out := exec.Command(filepath.Join(bin, name), args...), new(output)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, out
		cmd.Env = append(os.Environ(), "RPCKIDS_ETCD="+c.client.String(), "XDG_STATE_HOME="+bin, "LANG=C.UTF-8")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd, out
	}
	p := watch(t, etcd.New(nil), "//"+c.client.Host+"/demo")
	server, log := run(nil, "rpckids-server", "--addr", "127.0.0.1:0", "--etcd", c.client.String(), "--name", "demo")
	log.says(t, `(?m)^registered in etcd name=demo address=127\.0\.0\.1:\d+ `)
	within(t, "the server is known", func() bool { return strings.HasPrefix(p.String(), "127.0.0.1:") })

	once, out := run(nil, "rpckids-console", "-a", "etcd:///demo", "call", "fib", "10")
	if err := once.Wait(); err != nil || !strings.HasPrefix(out.String(), "89\n") {
		t.Errorf("call fib 10 gave %v, %q", err, out)
	}
	lines, stdin := io.Pipe()
	console, out := run(lines, "rpckids-console", "connect", c.target("demo"))
	io.WriteString(stdin, "call fib 11\n")
	out.says(t, `(?m)^144$`)
	c.down()
	away := regexp.MustCompile(`discovery +etcd cannot be reached for \d+s: dial tcp .*, keeping the last list of 1\n`)
	within(t, "status says that etcd is away", func() bool {
		answered := strings.Count(out.String(), "reconnects")
		io.WriteString(stdin, "status\n")
		within(t, "status", func() bool { return strings.Count(out.String(), "reconnects") > answered })
		time.Sleep(200 * time.Millisecond) // a person would not ask more often
		return away.MatchString(out.String())
	})
	io.WriteString(stdin, "call fib 12\n")
	out.says(t, `(?m)^233$`)
	stdin.Close()
	if err := console.Wait(); err != nil {
		t.Errorf("the console ended with %v: %q", err, out)
	}
	c.up()
	server.Process.Signal(syscall.SIGTERM)
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	log.says(t, `(?s)server stops .*withdrawn from etcd name=demo`)
	within(t, "the server has left", func() bool { return strings.HasSuffix(p.String(), "nobody is registered in etcd under /rpckids/demo/") })
	for _, text := range []string{out.String(), log.String()} {
		if strings.Contains(text, `{"level"`) || strings.Contains(text, "grpc") {
			t.Errorf("etcd's own log is seen: %q", text)
		}
	}
}
