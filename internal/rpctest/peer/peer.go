package peer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"unicode/utf8"
)

// Message is one message as it came.
type Message struct {
	ID, Type, Payload string
}

// Script decides what becomes of a message. It runs on the connection's own
// goroutine, one message after the other.
type Script func(c *Conn, m Message)

// Server accepts connections and runs a script for every message. It ends with
// its test.
type Server struct {
	t      testing.TB
	ln     net.Listener
	script Script
	magic  Magic
	wg     sync.WaitGroup

	mu    sync.Mutex // protects the fields below
	conns []*Conn
	all   []Message
}

// Conn is one connection of a Server. Its methods may be called from any
// goroutine, as long as the test runs.
type Conn struct {
	net.Conn
	Number int // 1 for the first connection of its server

	magicOK bool // the magic of version 2 may stand at the beginning

	sending sync.Mutex // keeps frames whole

	mu    sync.Mutex // protects the fields below
	bytes []byte
	magic bool
}

// Serve starts a server on ln. A byte that is not valid version 1 fails the
// test. When the test ends, so do the listener and the connections.
func Serve(t testing.TB, ln net.Listener, script Script) *Server {
	t.Helper()
	return ServeMagic(t, ln, script, Complain)
}

// ServeMagic is Serve with a server that a client may ask for version 2, at the
// beginning of a connection: it has none, and magic says how it shows that.
func ServeMagic(t testing.TB, ln net.Listener, script Script, magic Magic) *Server {
	t.Helper()
	s := &Server{t: t, ln: ln, script: script, magic: magic}
	s.wg.Add(1)
	go s.accept() // ends when the listener is closed; Close waits for it
	t.Cleanup(s.Close)
	return s
}

// Close hangs up on everybody and waits for all goroutines.
func (s *Server) Close() {
	s.ln.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Messages returns all messages so far, in the order of their arrival.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.all...)
}

// Conns returns all connections so far, closed ones included.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Conn(nil), s.conns...)
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		sock, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		c := &Conn{Conn: sock, Number: len(s.conns) + 1, magicOK: s.magic != Complain}
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Add(1)
		go s.converse(c) // ends when the socket does; Close waits for it
	}
}

func (s *Server) converse(c *Conn) {
	defer s.wg.Done()
	defer c.Close()
	for {
		m, err := c.receive()
		if err == errMagic {
			if s.magic.meet(c) {
				continue
			}
			return
		}
		if err == io.EOF || err != nil && !isInvalid(err) {
			return
		}
		if err != nil {
			s.t.Errorf("connection %d sent what is not version 1: %v", c.Number, err)
			return
		}
		s.mu.Lock()
		s.all = append(s.all, m)
		s.mu.Unlock()
		s.script(c, m)
	}
}

// invalid is what a peer must never send.
type invalid string

func (e invalid) Error() string { return string(e) }

func isInvalid(err error) bool {
	_, ok := err.(invalid)
	return ok
}

func (c *Conn) receive() (m Message, err error) {
	if m.ID, err = c.text("id", 1<<10); err != nil {
		return m, err
	}
	if m.Type, err = c.text("type", 1<<20); err != nil {
		return m, err
	}
	if m.Payload, err = c.text("payload", 1<<20); err != nil {
		return m, err
	}
	if !json.Valid([]byte(m.Payload)) {
		return m, invalid(fmt.Sprintf("payload %q is not JSON", m.Payload))
	}
	return m, nil
}

// text reads one string.
func (c *Conn) text(what string, limit int32) (string, error) {
	head, err := c.record(4)
	if err != nil {
		return "", err
	}
	n := int32(binary.BigEndian.Uint32(head))
	if string(head) == magicBytes && c.met() {
		return "", errMagic
	}
	if n < 0 || n > limit {
		return "", invalid(fmt.Sprintf("%s length %d", what, n))
	}
	b, err := c.record(int(n))
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", invalid(fmt.Sprintf("%s %q is not UTF-8", what, b))
	}
	return string(b), nil
}

// record reads n bytes and remembers them.
func (c *Conn) record(n int) ([]byte, error) {
	b := make([]byte, n)
	n, err := io.ReadFull(c.Conn, b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(c.bytes, b[:n]...)
	return b, err
}

// Bytes returns everything the client has sent on this connection.
func (c *Conn) Bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]byte(nil), c.bytes...)
}

// Reply sends one message. It may fail, when the client has hung up: that is
// for the client's side of the test to judge.
func (c *Conn) Reply(id, typ, payload string) {
	c.Send(Frame(id, typ, payload))
}

// Send sends raw bytes in one piece.
func (c *Conn) Send(b []byte) {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.Write(b)
}

// Frame returns the bytes of one message.
func Frame(id, typ, payload string) []byte {
	var b []byte
	for _, s := range []string{id, typ, payload} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// CloseWrite ends this side's stream and goes on reading, where the socket can.
func (c *Conn) CloseWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
