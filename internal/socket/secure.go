package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// Patient is a socket whose writes go on for as long as the peer takes something now and then: a write that has brought nothing on its way for
// Stall fails with a deadline, and write deadlines from outside have no say.
type Patient struct {
	net.Conn
	Stall time.Duration

	taken atomic.Uint64
}

// Taken returns how many bytes the socket below a Secure has taken, which a write to it that waits cannot tell; 0 for every other socket.
func Taken(nc net.Conn) uint64 {
	if s, ok := nc.(*Secure); ok {
		return s.below.taken.Load()
	}
	return 0
}

// glance is how long a write waits at most before it is made again: a system may tell only late that there is room.
const glance = 250 * time.Millisecond

// Write writes all of p, or fails.
func (c *Patient) Write(p []byte) (n int, err error) {
	for left := c.Stall; n < len(p); {
		c.Conn.SetWriteDeadline(time.Now().Add(min(left, glance)))
		k, err := c.Conn.Write(p[n:])
		if n += k; k > 0 {
			c.taken.Add(uint64(k))
			left = c.Stall
		} else {
			left -= glance
		}
		if err != nil && (left <= 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return n, err
		}
	}
	return n, nil
}

// SetWriteDeadline does nothing.
func (c *Patient) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets that of reading.
func (c *Patient) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// CloseWrite tells the peer that nothing more comes, where the socket can.
func (c *Patient) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Secure is TLS on a socket. A write waits as that of a Patient does: TLS cannot go on behind one that was broken off. Close says goodbye
// only if that takes no time.
type Secure struct {
	*tls.Conn
	below *below
}

// ServeTLS makes the server's end of TLS; came is what has been read of the socket already. The handshake is its caller's, or the first read's.
func ServeTLS(nc net.Conn, came []byte, cfg *tls.Config, stall time.Duration) *Secure {
	b := &below{Patient: Patient{Conn: nc, Stall: stall}, came: came}
	return &Secure{tls.Server(b, cfg), b}
}

// DialTLS makes the client's end of TLS.
func DialTLS(nc net.Conn, cfg *tls.Config, stall time.Duration) *Secure {
	b := &below{Patient: Patient{Conn: nc, Stall: stall}, keep: keepFirst}
	return &Secure{tls.Client(b, cfg), b}
}

// Close closes the socket. It may be called at any time, and waits for nothing.
func (s *Secure) Close() error {
	s.below.leaving.Store(true)
	return s.Conn.Close()
}

// First returns the first bytes that a client got from the socket, as they were before TLS. For the goroutine that reads.
func (s *Secure) First() []byte { return s.below.first }

// Verdict waits, after the handshake of a client, until the server has said something more, and returns what TLS makes of that: a server tells a client
// whose certificate it does not take only then. ctx bounds the wait; its end is no error. It is for servers that do not speak first.
func (s *Secure) Verdict(ctx context.Context) error {
	if err := s.below.await(ctx); err != nil {
		return err
	}
	var b [1]byte
	s.below.dry = true
	n, err := s.Conn.Read(b[:])
	s.below.dry = false
	switch {
	case n > 0:
		return errors.New("the server speaks first")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}

// keepFirst is how many bytes are kept to tell what a server speaks that does not speak TLS.
const keepFirst = 128

// below is what TLS reads from and writes to.
type below struct {
	Patient
	came    []byte // was read already
	dry     bool   // there is nothing but that
	first   []byte // the first that came
	keep    int    // so much of it is still to be kept
	leaving atomic.Bool
}

func (b *below) Read(p []byte) (n int, err error) {
	if len(b.came) > 0 {
		n = copy(p, b.came)
		if b.came = b.came[n:]; len(b.came) == 0 {
			b.came = nil // it is a whole buffer
		}
		return n, nil
	}
	if b.dry {
		return 0, os.ErrDeadlineExceeded
	}
	n, err = b.Conn.Read(p)
	if k := min(n, b.keep); k > 0 {
		b.first, b.keep = append(b.first, p[:k]...), b.keep-k
	}
	return n, err
}

// await reads once, for later.
func (b *below) await(ctx context.Context) error {
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		b.SetReadDeadline(time.Unix(1, 0))
		close(told)
	})
	room := make([]byte, 4<<10)
	n, err := b.Conn.Read(room)
	b.came = room[:n]
	if !stop() {
		<-told
	}
	b.SetReadDeadline(time.Time{})
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// Write of the last words takes what fits now.
func (b *below) Write(p []byte) (n int, err error) {
	if !b.leaving.Load() {
		return b.Patient.Write(p)
	}
	w := NewWriter(b.Conn)
	if w == nil {
		return 0, os.ErrDeadlineExceeded
	}
	b.Conn.SetWriteDeadline(time.Time{}) // an old one would be heeded
	return w.TryWrite(p)
}
