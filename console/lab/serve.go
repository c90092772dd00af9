package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcserver"
)

// What the two sides say to each other, a line each. The child begins with "address HOST:PORT"; then it answers every order with "ok" or "error TEXT". Orders are
// "slow D", where 0s is as usual, and "fail CODE", where the code ok is.
const (
	sayAddress = "address "
	sayOK      = "ok"
	sayError   = "error "

	orderSlow = "slow "
	orderFail = "fail "
)

const (
	drainTime = 5 * time.Second // how long calls may take to finish when the server stops in order
	slowCalls = 1024            // how many calls may be held up at once before others wait behind them
	bindTime  = 3 * time.Second // how long another one may hold the address: what was killed a moment ago, or a connection of somebody's that got the same port
)

// Serve is the child: it serves the demo services at addr, says so on out, and takes orders from in. It returns when ctx ends, after the calls it has are answered,
// or at once when in does: then nobody holds it any more.
func Serve(ctx context.Context, addr string, in io.Reader, out io.Writer) error {
	ln, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	m := &mischief{}
	s := rpcserver.New(&rpcserver.Config{Workers: slowCalls})
	demo.RegisterPatient(s)
	s.Use(m.middleware)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends when the server is closed below
	if _, err := fmt.Fprintln(out, sayAddress+ln.Addr().String()); err != nil {
		_ = s.Close()
		<-served
		return err
	}
	alone := make(chan struct{})
	go func() { // ends with in, or with the process: a read from a pipe cannot be given up
		m.obey(in, out)
		close(alone)
	}()
	select {
	case <-alone:
	case err := <-served:
		return err
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		_ = s.Shutdown(drain) // cuts what does not finish
	}
	_ = s.Close()
	if err := <-served; !errors.Is(err, rpcserver.ErrServerClosed) {
		return err
	}
	return nil
}

// listen opens the address, also a little after somebody else let go of it.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	for deadline := time.Now().Add(bindTime); ; {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return ln, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond): // between two tries, not a wait for anything of ours
		}
	}
}
