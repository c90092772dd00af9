package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// twin is a server of both versions: connections that begin with the magic go to
// a mux, the others to a script as in peer.Serve.
type twin struct {
	ln     *memnet.Listener
	v1     *peer.Server
	handle func(*twin, *mux.Stream)
	config mux.Config

	wg sync.WaitGroup

	mu     sync.Mutex // protects the fields below
	conns  []*mux.Conn
	dials  int
	opened []string // "fib 10": method and first message of each stream
	ended  []error  // what cancelled them
}

// serveTwin starts a twin that ends with the test.
func serveTwin(t testing.TB, v1 peer.Script, change ...func(*twin)) *twin {
	t.Helper()
	s := &twin{ln: memnet.Listen(), handle: standard}
	s.config = mux.Config{Role: mux.Server, Settings: wire.DefaultSettings()}
	s.config.Settings.Codecs = []wire.CodecID{wire.CodecJSON, wire.CodecRaw}
	s.config.Settings.Algorithms = []wire.AlgorithmID{wire.Deflate}
	for _, f := range change {
		f(s)
	}
	plain := &queue{Listener: s.ln, socks: make(chan net.Conn), closed: make(chan struct{})}
	s.v1 = peer.Serve(t, plain, v1)
	s.wg.Go(func() { s.accept(plain) }) // ends when the listener is closed; Close waits for it
	t.Cleanup(s.Close)
	return s
}

// queue is a listener for the connections that somebody else has accepted.
type queue struct {
	net.Listener
	socks  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case sock := <-q.socks:
		return sock, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// begun is a socket whose first bytes have been read.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

func (b *begun) CloseWrite() error { return b.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func (s *twin) accept(plain *queue) {
	for {
		sock, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { // ends with the connection; Close waits for it
			first := make([]byte, 1)
			if _, err := sock.Read(first); err != nil {
				sock.Close()
				return
			}
			if first[0] == wire.Magic[0] {
				s.serve(sock, first)
				return
			}
			select {
			case plain.socks <- &begun{sock, first}:
			case <-plain.closed:
				sock.Close()
			}
		})
	}
}

func (s *twin) serve(sock net.Conn, first []byte) {
	var handlers sync.WaitGroup
	cfg := s.config
	cfg.Lookup = func(name []byte) any {
		if string(name) == "nope" {
			return nil
		}
		return string(name)
	}
	cfg.Opened = func(st *mux.Stream) {
		handlers.Go(func() { // ends with its stream; serve waits for it
			s.handle(s, st)
			st.Done()
		})
	}
	c := mux.New(sock, &cfg)
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	_ = c.Serve(first) // how it ends is for the client's side to judge
	handlers.Wait()
}

// Close hangs up on everybody and waits for all goroutines.
func (s *twin) Close() {
	s.ln.Close()
	s.v1.Close()
	s.hangUp()
	s.wg.Wait()
}

// hangUp closes every version 2 connection.
func (s *twin) hangUp() {
	s.mu.Lock()
	conns := append([]*mux.Conn(nil), s.conns...)
	s.mu.Unlock()
	for _, c := range conns {
		c.Close(errors.New("the test hangs up"))
	}
}

// dial is a Config.Dialer that counts.
func (s *twin) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	s.dials++
	s.mu.Unlock()
	return s.ln.Dial(ctx, network, address)
}

func (s *twin) dialed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

func (s *twin) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.opened...)
}

func (s *twin) cancels() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.ended...)
}

func (s *twin) last() *mux.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[len(s.conns)-1]
}

// client returns a client of s that ends with the test.
func (s *twin) client(t testing.TB, protocol rpcclient.Protocol, change ...func(*rpcclient.Config)) *rpcclient.Client {
	t.Helper()
	cfg := &rpcclient.Config{Dialer: s.dial, Protocol: protocol}
	for _, f := range change {
		f(cfg)
	}
	c, err := rpcclient.New("memory:1", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// marked answers as a server of ours that speaks version 2 does over version 1.
func marked(c *peer.Conn, m peer.Message) {
	if _, mark, ok := wire.ParseMark([]byte(m.ID)); ok && !mark.OneWay {
		c.Reply(m.ID[:wire.PrefixLen]+"!2", m.Type+"_res", m.Payload)
	}
}

// fails is a stream's answer that is an error.
func fails(code wire.Code, message string) *wire.Error {
	return &wire.Error{Code: code, Message: message}
}

// first returns the message of OPEN.
func (s *twin) first(st *mux.Stream) []byte {
	m, err := st.First()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, st.MethodName()+" "+string(m.Payload))
	if err != nil {
		return nil
	}
	return m.Payload
}

// standard is the usual set of services.
func standard(s *twin, st *mux.Stream) {
	payload := s.first(st)
	switch st.MethodName() {
	case "echo", "log":
		_ = st.Finish(payload, nil, false)
	case "meta":
		_ = st.Finish([]byte(`"ok"`), st.Meta(), false)
	case "hang":
		s.hang(st)
	case "items": // n items, the last with trailers
		s.items(st, payload)
	case "endless":
		ctx, cancel := context.WithCancelCause(context.Background())
		st.OnEnd(func(err error) { s.note(err); cancel(err) })
		for n := 0; st.Send(ctx, strconv.AppendInt(nil, int64(n), 10), nil, false) == nil; n++ {
		}
		cancel(nil)
	case "sum":
		s.sum(st)
	case "chat":
		s.chat(st)
	default:
		st.Fail(fails(wire.NotFound, "no service "+st.MethodName()), false)
	}
}

func (s *twin) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, err)
}

func (s *twin) hang(st *mux.Stream) {
	over := make(chan error, 1)
	st.OnEnd(func(err error) { over <- err })
	s.note(<-over)
}

func (s *twin) items(st *mux.Stream, payload []byte) {
	n, _ := strconv.Atoi(string(payload))
	for i := range n {
		if err := st.Send(context.Background(), strconv.AppendInt(nil, int64(i), 10), nil, false); err != nil {
			s.note(err)
			return
		}
	}
	meta, _ := wire.AppendField(nil, "count", strconv.Itoa(n))
	_ = st.Finish(nil, meta, true)
}

func (s *twin) sum(st *mux.Stream) {
	total := 0
	for {
		m, err := st.Recv(context.Background())
		if err == io.EOF {
			_ = st.Finish(strconv.AppendInt(nil, int64(total), 10), nil, false)
			return
		}
		if err != nil {
			s.note(err)
			return
		}
		var n int
		if err := json.Unmarshal(m.Payload, &n); err != nil {
			st.Fail(fails(wire.InvalidArgument, "not a number"), false)
			return
		}
		if total += n; total > 1000 {
			_ = st.Finish([]byte("-1"), nil, false)
			return
		}
	}
}

// chat greets, says every item again, and leaves on "bye".
func (s *twin) chat(st *mux.Stream) {
	_ = st.Send(context.Background(), []byte(`"hello"`), nil, false)
	for {
		m, err := st.Recv(context.Background())
		if err == io.EOF {
			_ = st.Finish([]byte(`"goodbye"`), nil, false)
			return
		}
		if err != nil {
			s.note(err)
			return
		}
		if string(m.Payload) == `"bye"` {
			_ = st.Finish([]byte(`"goodbye"`), nil, false)
			return
		}
		if err := st.Send(context.Background(), append([]byte(nil), m.Payload...), nil, false); err != nil {
			s.note(err)
			return
		}
	}
}

// kind fails the test unless err is an Error of that kind and code, and returns it.
func kind(t *testing.T, err, want error, code rpcclient.Code) *rpcclient.Error {
	t.Helper()
	e, ok := errors.AsType[*rpcclient.Error](err)
	if !ok || e.Kind != want || e.Code != code {
		t.Fatalf("got %v (%#v), want %v with the code %v", err, e, want, code)
	}
	return e
}

// within returns a context that ends with the test, or after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
