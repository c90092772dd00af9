package dash

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/console"
)

// terminal is the output of a program under test. It tells when a text was written.
type terminal struct {
	mu   sync.Mutex // protects the fields below
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

func (o *terminal) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.buf.Write(b)
	o.check()
	return n, err
}

func (o *terminal) check() {
	if o.seen != nil && strings.Contains(o.buf.String(), o.want) {
		close(o.seen)
		o.seen = nil
		o.buf.Reset()
	}
}

// wait waits until the program wrote a text after the last one that was waited for.
func (o *terminal) wait(t *testing.T, text string) {
	t.Helper()
	o.mu.Lock()
	seen := make(chan struct{})
	o.want, o.seen = text, seen
	o.check()
	o.mu.Unlock()
	select {
	case <-seen:
	case <-time.After(10 * time.Second):
		o.mu.Lock()
		defer o.mu.Unlock()
		t.Fatalf("%q was never written; last:\n%q", text, o.buf.String())
	}
}

// program is a dashboard that runs on pipes.
type program struct {
	keys *io.PipeWriter
	out  *terminal
	end  chan struct{} // closed when it ended
	next console.Next
	err  error
}

func (p *program) typ(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(p.keys, keys); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, ctx context.Context, s *console.Session) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	p := &program{keys: w, out: &terminal{}, end: make(chan struct{})}
	m := newModel(ctx, s, Config{Theme: looks("mono", false)})
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	go func() { // ends with the program, which each test leaves
		defer close(p.end)
		p.next, p.err = m.run(tea.WithInput(r), tea.WithOutput(p.out), tea.WithoutSignalHandler())
	}()
	t.Cleanup(func() {
		cancel() // the program ends, too, when a wait failed
		_ = w.Close()
		<-p.end
		_ = s.Close()
		goleak.VerifyNone(t)
	})
	return p
}

func TestProgram(t *testing.T) {
	p := start(t, context.Background(), newSession(t))
	p.out.wait(t, "rpckids")
	p.typ(t, "call fib 10\r")
	p.out.wait(t, "89")
	p.typ(t, "call exp {\"base\":2,\"exp\":10}\r")
	p.out.wait(t, "28 113 ns")
	p.typ(t, "cast log \"hi\"\r")
	p.out.wait(t, "no reply expected")
	p.typ(t, "repl\r")
	<-p.end
	if p.err != nil || p.next != console.OpenREPL {
		t.Errorf("got %v, %v", p.next, p.err)
	}
}

// TestFeedWakesTheScreen sees a call that another face made.
func TestFeedWakesTheScreen(t *testing.T) {
	s := newSession(t)
	p := start(t, context.Background(), s)
	p.out.wait(t, "rpckids")
	if _, err := s.Exec(context.Background(), "call fib 10"); err != nil {
		t.Fatal(err)
	}
	p.out.wait(t, "89")
	p.typ(t, "\x04") // ctrl+d
	<-p.end
	if p.err != nil || p.next != console.Quit {
		t.Errorf("got %v, %v", p.next, p.err)
	}
}

// TestMouseOfTheTerminal takes the mouse, clicks, and leaves: the terminal has it back.
func TestMouseOfTheTerminal(t *testing.T) {
	p := start(t, context.Background(), newSession(t))
	p.out.wait(t, "rpckids")
	p.typ(t, "\x1b[17~") // f6
	p.out.wait(t, "\x1b[?1002h")
	p.typ(t, "\x1b[<0;10;9M") // a click in Calls
	p.out.wait(t, "esc: back to the prompt")
	p.typ(t, "\x1b[<0;10;22M") // and one at the prompt
	p.out.wait(t, "help lists the commands")
	p.typ(t, "\x04") // ctrl+d
	<-p.end
	p.out.wait(t, "\x1b[?1002l")
}

func TestContextEndsTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := start(t, ctx, newSession(t))
	p.out.wait(t, "rpckids")
	p.typ(t, "call slow 1\r")
	p.out.wait(t, "running")
	cancel()
	<-p.end
	if !errors.Is(p.err, context.Canceled) {
		t.Errorf("got %v, %v", p.next, p.err)
	}
}

// TestUnderLoad lets calls pour in while keys are pressed and the window changes: the totals are exact in the end.
func TestUnderLoad(t *testing.T) {
	s := newSession(t)
	p := start(t, context.Background(), s)
	p.out.wait(t, "rpckids")
	const n = 20_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			call(s.Journal(), i%30, "fib", "1", "2", 300*micro, 0)
		}
	})
	for range 20 {
		p.typ(t, "\x1b1k\x1b")
		p.typ(t, "\x0f")
	}
	wg.Wait()
	if got := s.Journal().Totals().OK; got != n {
		t.Errorf("got %d calls, want %d", got, n)
	}
	p.typ(t, "\x03\x03")
	<-p.end
}

// TestOfferEnds sees that the offer to leave goes away by itself.
func TestOfferEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := console.NewSession(console.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		offers, sent, done := make(chan struct{}, 1), make(chan tea.Msg), make(chan struct{})
		go func() { // ends with ctx
			defer close(done)
			feed(ctx, s, watching{offers, new(atomic.Int64), new(atomic.Bool), new(atomic.Int64)}, func(m tea.Msg) { sent <- m })
		}()
		began := time.Now()
		offers <- struct{}{}
		if m := <-sent; m != (calmMsg{}) || time.Since(began) != patience {
			t.Errorf("got %T after %v", m, time.Since(began))
		}
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFeedIsQuiet counts what the feed says in a minute: nothing while nothing happens, one message for a burst of calls, and at most
// fifteen a second while one runs.
func TestFeedIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := console.NewSession(console.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		ticks, done := 0, make(chan struct{})
		var last time.Time
		go func() { // ends with ctx
			defer close(done)
			feed(ctx, s, watching{nil, new(atomic.Int64), new(atomic.Bool), new(atomic.Int64)}, func(tea.Msg) { ticks, last = ticks+1, time.Now() })
		}()
		expect := func(what string, least, most int) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			if ticks < least || ticks > most {
				t.Errorf("%s: got %d messages, want %d to %d", what, ticks, least, most)
			}
			ticks = 0
		}
		expect("nothing happens", 0, 0)
		for i := range 1000 {
			call(s.Journal(), i, "fib", "1", "2", micro, 0)
		}
		burst := time.Now()
		expect("a thousand calls at once", 2, 3)
		if rest := last.Sub(burst); rest < figureRest || rest > beatTime {
			t.Errorf("figures settle %v after the last call", rest)
		}
		begin(s.Journal(), 1)
		expect("a call runs", 60*14, 60*15+1)
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunNeedsATerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Run(t.Context(), newSession(t), Config{Out: f}); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("got %v, want %v", err, ErrNoTerminal)
	}
}

// TestCaretWritesFrames sees the cursor put on its cell after a frame, and nothing added to what is no frame.
func TestCaretWritesFrames(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &caret{File: f}
	c.place(4, 2, false)
	for _, b := range []string{"\x1b[?1049h", "\x1b[Hframe", "\x1b[?1049l"} {
		if n, err := c.Write([]byte(b)); n != len(b) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
		if b == "\x1b[Hframe" {
			c.place(5, 2, true)
		}
	}
	c.place(6, 2, true) // after the alternate screen was left
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	const want = "\x1b[?1049h\x1b[?25l\x1b[Hframe\x1b[3;5H\x1b[?25h\x1b[3;6H\x1b[?25h\x1b[?1049l"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
