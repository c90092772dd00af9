package rpcserver

import (
	"context"
	"net"
	"sync"
	"time"
)

// Why a handler's context ended, by [context.Cause], beside its deadline.
var (
	// ErrCanceledByPeer says that the caller gave the call up.
	ErrCanceledByPeer error = &cause{Canceled, "the caller gave up"}
	// ErrDraining says that the server was told to stop and could wait no longer.
	ErrDraining error = &cause{Unavailable, "the server stops"}
)

// cause is an error that says which code it has if a handler hands it on.
type cause struct {
	code Code
	text string
}

func (c *cause) Error() string { return c.text }

// errEnded is the cause when a connection ended of itself.
func errEnded(why Reason) error {
	return &cause{Canceled, "the caller's connection has ended: " + string(why)}
}

// Draining returns a channel that is closed when the server begins to stop: calls that run may finish, and one that could go on for
// ever should come to an end. ctx is a handler's; for any other the channel is nil, which never closes. The context itself ends later, with the
// cause ErrDraining, if the server's patience does.
func Draining(ctx context.Context) <-chan struct{} {
	s, _ := ctx.Value(serverKey{}).(*Server)
	if s == nil {
		return nil
	}
	return s.draining
}

// The keys under which a handler's context knows its server, its call and its connection.
type (
	serverKey struct{}
	callKey   struct{}
	connKey   struct{}
)

// Peer returns the address from which the call came whose handler got ctx, as [Call.Peer] does; nil for a context of no connection. Handlers of [Config.HTTP] find it
// in the contexts of their requests.
func Peer(ctx context.Context) net.Addr {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		return c.nc.RemoteAddr()
	}
	return nil
}

// connContext is a context that knows its connection.
type connContext struct {
	context.Context
	conn *conn
}

func (c *connContext) Value(key any) any {
	if key == (connKey{}) {
		return c.conn
	}
	return c.Context.Value(key)
}

// callContext is the context of one call. Most handlers never look at theirs, so that what costs begins when Done is first asked
// for: one allocation instead of five.
type callContext struct {
	context.Context           // the connection's
	deadline        time.Time // zero for none

	mu     sync.Mutex // protects the fields below
	err    error      // the first that Err gave, which then stays
	gaveUp bool       // the caller did, or its connection ended
	timed  context.Context
	cancel context.CancelCauseFunc
	metadata
}

func (d *callContext) Deadline() (time.Time, bool) {
	if d.deadline.IsZero() {
		return d.Context.Deadline()
	}
	return d.deadline, true
}

func (d *callContext) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timeLocked()
	if d.err != nil {
		d.cancel(nil)
	}
	return d.timed.Done()
}

// timeLocked makes a context of package context, which does the rest.
func (d *callContext) timeLocked() {
	if d.timed != nil {
		return
	}
	d.timed, d.cancel = context.WithCancelCause(d.Context)
	if !d.deadline.IsZero() {
		cancel, stop := d.cancel, context.CancelFunc(nil)
		d.timed, stop = context.WithDeadline(d.timed, d.deadline)
		d.cancel = func(cause error) {
			cancel(cause)
			stop()
		}
	}
}

func (d *callContext) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errLocked()
}

func (d *callContext) errLocked() error {
	switch {
	case d.err != nil:
	case d.timed != nil:
		d.err = d.timed.Err()
	case !d.deadline.IsZero() && !time.Now().Before(d.deadline):
		d.err = context.DeadlineExceeded
	default:
		d.err = d.Context.Err()
	}
	return d.err
}

// Value goes to the timed context once there is one, so that package context finds it and needs no goroutine to follow it.
func (d *callContext) Value(key any) any {
	if key == (callKey{}) {
		return d
	}
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}

// stop ends the context because nobody waits for the call any more.
func (d *callContext) stop(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.errLocked() != nil {
		return
	}
	d.timeLocked() // or context.Cause would not find the cause
	d.err, d.gaveUp = context.Canceled, true
	d.cancel(cause)
}

func (d *callContext) givenUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gaveUp
}

// end is called when the handler has returned.
func (d *callContext) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over, d.came = true, nil
	if d.errLocked() != nil {
		return
	}
	if d.err = context.Canceled; d.cancel != nil {
		d.cancel(nil)
	}
}
