package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/remote"
)

// plantedAt is the environment variable that makes the test binary the console on its demo server, with a panic planted: in the code that it names, where the
// program comes by after SIGUSR1, or in the backend of the first call for "call".
const plantedAt = "RPCKIDS_TEST_PLANTED"

// planted is run for such a program.
func planted(at string) console.Exit {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv, theme: "dark"}
	return p.end(ctx, p.plant(ctx, at))
}

func (p *program) plant(ctx context.Context, at string) error {
	addr, end, err := startDemo()
	if err != nil {
		return err
	}
	defer end()
	m := &mine{at: at}
	m.armed.Store(at == "call")
	s := console.NewSession(console.Config{Dial: m.dial})
	defer s.Close()
	if err := demoSession(ctx, s, addr); err != nil {
		return err
	}
	armed := make(chan os.Signal, 1)
	signal.Notify(armed, syscall.SIGUSR1)
	done := make(chan struct{})
	defer close(done)
	go func() { // ends with the session
		for {
			select {
			case <-done:
				return
			case <-armed:
				m.armed.Store(true)
				s.Journal().Note()
			}
		}
	}()
	return p.talk(ctx, s, nil, os.Getenv("RPCKIDS_TEST_REPL") != "", false)
}

// mine is what panics.
type mine struct {
	at    string
	armed atomic.Bool
}

func (m *mine) dial(ctx context.Context, target string, o console.DialOptions) (console.Backend, error) {
	b, err := remote.Dial(ctx, target, o)
	if err != nil {
		return nil, err
	}
	return &mined{b, m}, nil
}

// mined is a backend that panics where the mine lies.
type mined struct {
	console.Backend
	mine *mine
}

func (b *mined) Call(ctx context.Context, r console.Request) (console.Reply, error) {
	if b.mine.at == "call" && b.mine.armed.CompareAndSwap(true, false) {
		panic("planted in a call")
	}
	return b.Backend.Call(ctx, r)
}

// Stats is what every frame asks for, and the goroutine that waits for changes.
func (b *mined) Stats() console.Stats {
	if b.mine.armed.Load() && passes(b.mine.at) && b.mine.armed.CompareAndSwap(true, false) {
		panic("planted\x1b[2J in " + b.mine.at)
	}
	return b.Backend.Stats()
}

// passes says whether a function whose name ends so is under way.
func passes(name string) bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}
