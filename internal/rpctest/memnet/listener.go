package memnet

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// backlog is how many dialed connections may wait for Accept; a dial beyond it
// waits for room.
const backlog = 128

// Listener is a net.Listener nobody outside the process can reach. Dial and
// Accept may be called from any goroutine.
type Listener struct {
	addr   Addr
	buffer int
	queue  chan *Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener that is open until Close. Connections dialed to it
// hold 64 KiB in each direction.
func Listen() *Listener { return ListenBuffer(0) }

// ListenBuffer is Listen with connections that hold buffer bytes in each
// direction: a small one makes a slow reader felt at once.
func ListenBuffer(buffer int) *Listener {
	return &Listener{
		addr:   Addr{ports.Add(1)},
		buffer: buffer,
		queue:  make(chan *Conn, backlog),
		closed: make(chan struct{}),
	}
}

// Dial connects to the listener and returns the client's end. It ignores the
// network and the address, so it serves wherever a dial function is wanted.
// After Close it fails with syscall.ECONNREFUSED.
func (l *Listener) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isClosed() {
		return nil, l.refused()
	}
	client, server := pipe(l.buffer, Addr{ports.Add(1)}, l.addr)
	select {
	case l.queue <- server:
		if l.isClosed() {
			l.drain()
		}
		return client, nil
	case <-l.closed:
		return nil, l.refused()
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: l.addr.Network(), Addr: l.addr, Err: ctx.Err()}
	}
}

// Accept waits for the next dialed connection; after Close it fails with
// net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	if !l.isClosed() {
		select {
		case c := <-l.queue:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
}

// Close refuses further dials and drops the connections nobody has accepted;
// accepted ones live on. A second Close does nothing.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.drain()
	return nil
}

// Addr returns the address to dial, "memory:<port>".
func (l *Listener) Addr() net.Addr { return l.addr }

func (l *Listener) drain() {
	for {
		select {
		case c := <-l.queue:
			c.Close()
		default:
			return
		}
	}
}

func (l *Listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *Listener) refused() error {
	return &net.OpError{Op: "dial", Net: l.addr.Network(), Addr: l.addr, Err: syscall.ECONNREFUSED}
}
