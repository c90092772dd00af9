package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rpckids/rpckids/console"
)

const (
	startTime = 15 * time.Second // for a process to begin to serve, on a machine that is busy
	orderTime = 5 * time.Second  // for a process to do as it is told
	closeTime = 2 * time.Second  // for it to end by itself when the console does
)

// child is one server: a process, or what is known of it until it is started again.
type child struct {
	number int
	exe    string
	args   []string

	order sync.Mutex // held while an order is carried out, and for nothing else

	mu   sync.Mutex // protects the fields below
	addr string     // until the first start the port may be 0
	run  *process   // nil while none runs
	how  string     // the state of a server that does not run, or what is being done to it
	slow time.Duration
	fail string
}

// process is a child process. Its fields do not change after it was started.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	said  chan string   // its lines; closed when it has said its last
	ended chan struct{} // closed when it was waited for
	last  *tail         // what it wrote as errors
}

// start starts the process and waits until it serves. It forgets what the one before did to its calls.
func (c *child) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c.mu.Lock()
	addr := c.addr
	c.mu.Unlock()
	p, err := launch(c.exe, append(slices.Clone(c.args), addr))
	if err != nil {
		return c.fault("cannot be started: "+err.Error(), err)
	}
	select {
	case line, ok := <-p.said:
		at, told := strings.CutPrefix(line, sayAddress)
		if !ok || !told {
			p.kill()
			return c.fault("did not start"+p.last.because(line), nil)
		}
		addr = at
	case <-ctx.Done():
		p.kill()
		return gaveUp(ctx, c.number, "start")
	}
	c.mu.Lock()
	c.addr, c.run, c.how, c.slow, c.fail = addr, p, console.LabRunning, 0, ""
	c.mu.Unlock()
	return nil
}

// launch starts a process. A goroutine reads what it says and waits for it; it ends with the process, and keeps the thread that the process was started from: on Linux the
// process is ended with that thread, which must not go before the console does.
func launch(exe string, args []string) (*process, error) {
	p := &process{cmd: exec.Command(exe, args...), said: make(chan string, 1), ended: make(chan struct{}), last: &tail{}}
	p.cmd.Stderr = p.last
	apart(p.cmd)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.attend(out)
		}
	}()
	return p, <-started
}

// attend hands on what the process says until it has ended.
func (p *process) attend(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		select {
		case p.said <- lines.Text():
		default: // nobody asked
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line that is too long
	_ = p.cmd.Wait()                // how it ended is known, or of no interest
	close(p.said)
	close(p.ended)
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it has ended already, which is as good
	<-p.ended
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// look says how the server is, and notices when it ended by itself.
func (c *child) look() console.LabPeer {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := console.LabPeer{Address: c.addr, State: c.how, Slow: c.slow, Fail: c.fail}
	switch {
	case c.run == nil:
	case c.run.over() && c.how == console.LabStopping:
		l.State = console.LabStopped
	case c.run.over():
		l.State = console.LabEnded
	default:
		l.PID = c.run.cmd.Process.Pid
	}
	return l
}

// live is the process of a server that runs, whether or not it stands still.
func (c *child) live() (*process, error) {
	l := c.look()
	if l.PID == 0 {
		return nil, c.refuse("does not run", fmt.Sprintf("peer start %d starts it", c.number))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run, nil
}

// become notes how the server is now.
func (c *child) become(how string) {
	c.mu.Lock()
	c.how = how
	if how == console.LabKilled || how == console.LabStopped {
		c.run, c.slow, c.fail = nil, 0, ""
	}
	c.mu.Unlock()
}

func (c *child) kill(ctx context.Context) error {
	p, err := c.live()
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil && !p.over() {
		return c.fault("cannot be killed: "+err.Error(), err)
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return gaveUp(ctx, c.number, "end")
	}
	c.become(console.LabKilled)
	return nil
}

// stop has the process end in order. One that stands still is woken for it. When ctx ends first the process goes on ending; a later order finds it where it is.
func (c *child) stop(ctx context.Context) error {
	p, err := c.live()
	if err != nil {
		return err
	}
	if err := terminate(p.cmd.Process); err != nil && !p.over() {
		return c.signalled("stopped", err)
	}
	if c.look().State == console.LabPaused {
		_ = resume(p.cmd.Process) // its end is what tells
	}
	c.become(console.LabStopping)
	select {
	case <-p.ended:
	case <-ctx.Done():
		return gaveUp(ctx, c.number, "end")
	}
	c.become(console.LabStopped)
	return nil
}

// hold pauses the process, or lets it run on.
func (c *child) hold(still bool) error {
	p, err := c.live()
	if err != nil {
		return err
	}
	state := c.look().State
	switch {
	case still && state == console.LabPaused:
		return c.refuse("is paused already", fmt.Sprintf("peer resume %d lets it run on", c.number))
	case !still && state != console.LabPaused:
		return c.refuse("is not paused", "peers says how the servers are")
	case still:
		if err := pause(p.cmd.Process); err != nil {
			return c.signalled("paused", err)
		}
		c.become(console.LabPaused)
		return nil
	}
	if err := resume(p.cmd.Process); err != nil {
		return c.signalled("resumed", err)
	}
	c.become(console.LabRunning)
	return nil
}

// tell gives the process an order and waits until it is in force; note writes down what that is.
func (c *child) tell(ctx context.Context, order string, note func(*console.LabPeer)) error {
	p, err := c.live()
	if err != nil {
		return err
	}
	now := c.look()
	if now.State != console.LabRunning {
		return c.refuse("is "+now.State, fmt.Sprintf("peer resume %d lets it run on", c.number))
	}
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	select { // an answer that came too late for an order before
	case <-p.said:
	default:
	}
	if _, err := io.WriteString(p.in, order+"\n"); err != nil {
		return c.fault("cannot be told: "+err.Error(), err)
	}
	select {
	case line, ok := <-p.said:
		if !ok || line != sayOK {
			return c.fault("does not do as it is told"+p.last.because(strings.TrimPrefix(line, sayError)), nil)
		}
	case <-ctx.Done():
		return gaveUp(ctx, c.number, "answer")
	}
	note(&now)
	c.mu.Lock()
	c.slow, c.fail = now.Slow, now.Fail
	c.mu.Unlock()
	return nil
}

// close ends the process, in whatever state it is, and waits for it. An order under way ends first.
func (c *child) close() {
	c.order.Lock()
	defer c.order.Unlock()
	c.mu.Lock()
	p, paused := c.run, c.how == console.LabPaused
	c.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.in.Close() // which ends it; it may have ended
	if paused {
		p.kill()
	}
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		p.kill()
	}
}

func (c *child) refuse(what, hint string) error {
	return &console.Error{Exit: console.ExitUsage, Message: fmt.Sprintf("server %d %s", c.number, what), Hint: hint}
}

func (c *child) fault(what string, cause error) error {
	return &console.Error{Exit: console.ExitInternal, Message: fmt.Sprintf("server %d %s", c.number, what), Cause: cause}
}

// signalled is the error of a signal that could not be sent.
func (c *child) signalled(what string, err error) error {
	if _, told := err.(*console.Error); told {
		return err
	}
	return c.fault(fmt.Sprintf("cannot be %s: %v", what, err), err)
}

// tail keeps the last of what a process writes.
type tail struct {
	mu sync.Mutex // protects the field below
	b  []byte
}

const tailKeep = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = append([]byte(nil), t.b[max(len(t.b)-tailKeep, 0):]...)
	return len(p), nil
}

// because is the reason that a process gave: what it said, or the first line of what it wrote as errors.
func (t *tail) because(said string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if said == "" {
		said, _, _ = strings.Cut(strings.TrimSpace(string(t.b)), "\n")
	}
	if said == "" {
		return ""
	}
	return ": " + console.Printable(said)
}
