package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/rpckids/rpckids/console"
)

// Lab is the demo servers under the console's hand. It is a [console.Lab]. Whoever started it closes it.
type Lab struct {
	children []*child
	ctx      context.Context // ends when the lab is closed
	stop     context.CancelCauseFunc
}

// errClosed is what an order fails of that comes after Close.
var errClosed = &console.Error{Exit: console.ExitUsage, Message: "the servers of the demo are closed"}

var _ console.Lab = (*Lab)(nil)

// Start starts n servers, each as the program exe with these arguments and the address to serve behind them; that program calls [Serve]. It returns when all of
// them serve; ctx bounds only the start. Its errors are *console.Error.
func Start(ctx context.Context, n int, exe string, args ...string) (*Lab, error) {
	l := &Lab{}
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	for i, at := range neighbours(n) {
		l.children = append(l.children, &child{number: i + 1, exe: exe, args: args, addr: at, how: console.LabStopped})
	}
	failed := make([]error, n)
	var all sync.WaitGroup
	for i, c := range l.children {
		all.Go(func() { failed[i] = c.start(ctx) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			_ = l.Close()
			return nil, err
		}
	}
	return l, nil
}

// The ports of the servers. Systems take those of outgoing connections from others: a port of theirs could be in use when a server comes back to it.
const firstPort, lastPort = 20_000, 32_000

// neighbours are n loopback addresses that are free, one beside the other and, while they are few, each with its number as the last digit. Where none are found the
// servers choose.
func neighbours(n int) []string {
	at := make([]string, n)
	for range 50 {
		base := firstPort + rand.IntN((lastPort-firstPort)/10)*10
		free := true
		for i := range at {
			at[i] = fmt.Sprintf("127.0.0.1:%d", base+i+1)
			ln, err := net.Listen("tcp", at[i])
			if err == nil {
				err = ln.Close()
			}
			free = free && err == nil
		}
		if free {
			return at
		}
	}
	for i := range at {
		at[i] = "127.0.0.1:0"
	}
	return at
}

// Addresses are those of the servers, in order. They stay the same for the life of the lab.
func (l *Lab) Addresses() []string {
	list := make([]string, len(l.children))
	for i, c := range l.children {
		list[i] = c.look().Address
	}
	return list
}

// Close ends orders under way and the servers, and waits for them. Further calls return nil.
func (l *Lab) Close() error {
	l.stop(errClosed)
	var all sync.WaitGroup
	for _, c := range l.children {
		all.Go(c.close)
	}
	all.Wait()
	return nil
}

// Peers says how the servers are.
func (l *Lab) Peers() []console.LabPeer {
	list := make([]console.LabPeer, len(l.children))
	for i, c := range l.children {
		list[i] = c.look()
	}
	return list
}

// on carries out an order at server n, one at a time for each.
func (l *Lab) on(ctx context.Context, n int, f func(ctx context.Context, c *child) error) error {
	if n < 1 || n > len(l.children) {
		return &console.Error{Exit: console.ExitUsage, Message: fmt.Sprintf("there is no server %d", n), Hint: fmt.Sprintf("they count from 1 to %d", len(l.children))}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(errClosed) })()
	c := l.children[n-1]
	c.order.Lock()
	defer c.order.Unlock()
	if l.ctx.Err() != nil {
		return errClosed
	}
	return f(ctx, c)
}

// Kill ends server n at once.
func (l *Lab) Kill(ctx context.Context, n int) error {
	return l.on(ctx, n, func(ctx context.Context, c *child) error { return c.kill(ctx) })
}

// Stop ends server n in order.
func (l *Lab) Stop(ctx context.Context, n int) error {
	return l.on(ctx, n, func(ctx context.Context, c *child) error { return c.stop(ctx) })
}

// Start starts server n again.
func (l *Lab) Start(ctx context.Context, n int) error {
	return l.on(ctx, n, func(ctx context.Context, c *child) error {
		if now := c.look(); now.Runs() {
			return c.refuse("runs already", "peers says how the servers are")
		}
		return c.start(ctx)
	})
}

// Pause stands server n still.
func (l *Lab) Pause(ctx context.Context, n int) error {
	return l.on(ctx, n, func(_ context.Context, c *child) error { return c.hold(true) })
}

// Resume lets server n run on.
func (l *Lab) Resume(ctx context.Context, n int) error {
	return l.on(ctx, n, func(_ context.Context, c *child) error { return c.hold(false) })
}

// Slow has every call of server n wait for d before it runs.
func (l *Lab) Slow(ctx context.Context, n int, d time.Duration) error {
	return l.on(ctx, n, func(ctx context.Context, c *child) error {
		return c.tell(ctx, orderSlow+d.String(), func(now *console.LabPeer) { now.Slow = d })
	})
}

// Fail has every call of server n fail.
func (l *Lab) Fail(ctx context.Context, n int, code string) error {
	said := code
	if code == "" {
		said = "ok"
	}
	return l.on(ctx, n, func(ctx context.Context, c *child) error {
		return c.tell(ctx, orderFail+said, func(now *console.LabPeer) { now.Fail = code })
	})
}

// gaveUp is the error of an order whose context ended before it was carried out.
func gaveUp(ctx context.Context, number int, what string) error {
	e := &console.Error{Exit: console.ExitDeadline, Message: fmt.Sprintf("server %d did not %s in time", number, what), Cause: context.Cause(ctx)}
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Exit = console.ExitInterrupted
	}
	return e
}
