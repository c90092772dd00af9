//go:build unix

package proof

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/rpcserver"
)

// child is the environment variable that makes this program a server: its name, its address, the file of what it has run, and how wide it is.
const child = "RPCKIDS_PROOF_SERVER"

// TestMain is also the servers' program.
func TestMain(m *testing.M) {
	if what := os.Getenv(child); what != "" {
		if err := serve(strings.Split(what, "|")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// items is how many a call of "count" gets.
const items = 20

// narrow is a server with so few places that it refuses many calls.
const narrow = "narrow"

// workTime is what a call of "who" takes on a healthy server.
const workTime = 2 * time.Millisecond

// serve is a server's whole life. It ends by SIGTERM, in order, or with its standard input, so that it never outlives the test.
func serve(what []string) error {
	name, addr, file := what[0], what[1], what[2]
	ran, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cfg := &rpcserver.Config{Workers: 64}
	if what[3] == narrow {
		cfg.Workers, cfg.Queue = 1, 1
	}
	s := rpcserver.New(cfg)
	var delay atomic.Int64
	var broken atomic.Bool
	rpcserver.Handle(s, "who", func(ctx context.Context, _ int) (string, error) {
		if broken.Load() {
			return "", rpcserver.Errorf(rpcserver.Unavailable, "broken on purpose")
		}
		time.Sleep(workTime + time.Duration(delay.Load()))
		return name, nil
	}, rpcserver.Idempotent())
	rpcserver.Handle(s, "add", func(_ context.Context, id string) (string, error) { // each id may be added once: a line of the file is one run
		_, err := ran.WriteString(id + "\n")
		time.Sleep(workTime)
		return name, err
	})
	rpcserver.HandleCast(s, "note", func(_ context.Context, id string) error {
		_, err := ran.WriteString(id + "\n")
		return err
	})
	rpcserver.HandleUpload(s, "total", func(_ context.Context, numbers iter.Seq2[int, error]) (int, error) {
		sum := 0
		for n, err := range numbers {
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	rpcserver.HandleStream(s, "count", func(_ context.Context, id string) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			if _, err := ran.WriteString(id + "\n"); err != nil {
				yield(0, err)
				return
			}
			for i := range items {
				time.Sleep(workTime)
				if !yield(i, nil) {
					return
				}
			}
		}
	})
	served := make(chan error, 1)
	go func() { served <- s.ListenAndServe(addr) }() // ends with Shutdown; received below
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	lines := make(chan string)
	go func() { // ends with the program
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			lines <- in.Text()
		}
		close(lines)
	}()
	for s.Addr() == nil {
		select {
		case err := <-served:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	fmt.Println("ready")
	for {
		select {
		case line, more := <-lines:
			if !more {
				return nil
			}
			word, value, _ := strings.Cut(line, " ")
			n, _ := strconv.Atoi(value)
			switch word {
			case "slow":
				delay.Store(int64(n) * int64(time.Millisecond))
			case "broken":
				broken.Store(true)
			}
			fmt.Println("done")
		case <-term:
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				return err
			}
			<-served
			return ran.Close()
		}
	}
}

// server is one of the servers under test.
type server struct {
	t          testing.TB
	name, addr string
	file       string // of what it has run, over all its lives
	width      string // narrow, or ""

	mu  sync.Mutex // protects the fields below
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// servers starts n of them; they end with the test.
func servers(t testing.TB, n int, width string) []*server {
	t.Helper()
	all := make([]*server, n)
	for i := range all {
		all[i] = &server{t: t, name: string(rune('a' + i)), file: filepath.Join(t.TempDir(), "ran"), width: width}
		all[i].addr = freeAddr(t)
		all[i].start()
		t.Cleanup(all[i].kill)
	}
	return all
}

// freeAddr is a port that no outgoing connection of this machine takes while the server is down.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := "127.0.0.1:" + strconv.Itoa(20000+rand.N(12000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

func addrs(all []*server) string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = s.addr
	}
	return strings.Join(list, ",")
}

func (s *server) start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(exe, "-test.run=^$")
	s.cmd.Env = append(os.Environ(), child+"="+s.name+"|"+s.addr+"|"+s.file+"|"+s.width)
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.heardLocked("ready")
}

func (s *server) heardLocked(want string) {
	if line, err := s.out.ReadString('\n'); strings.TrimSpace(line) != want {
		s.t.Errorf("server %s said %q (%v), want %q", s.name, line, err, want)
	}
}

// tell changes how it works.
func (s *server) tell(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.in, line)
	s.heardLocked("done")
}

func (s *server) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("server %s: %v", s.name, err)
	}
}

// kill ends it at once, as kill -9 does.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // an error says that it has ended
	_ = s.cmd.Wait()         // always an error: killed
	s.cmd = nil
}

// stop ends it in order, and waits.
func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("server %s: %v", s.name, err)
	}
	s.cmd = nil
}

// runs returns how often each id was added there.
func (s *server) runs(into map[string]int) {
	b, err := os.ReadFile(s.file)
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for id := range strings.FieldsSeq(string(b)) {
		into[id]++
	}
}
