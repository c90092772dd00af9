package rpcclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// echoOver calls "echo" and returns the version that it went over.
func echoOver(t *testing.T, c *rpcclient.Client, want int) string {
	t.Helper()
	var trace rpcclient.Trace
	got, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &trace), c, "echo", want)
	if got != want || err != nil || trace.Attempts != 1 || trace.ReplyType != "echo_res" {
		t.Errorf("echo %d gave %d, %v over %q after %d attempts as %q", want, got, err, trace.Protocol, trace.Attempts, trace.ReplyType)
	}
	return trace.Protocol
}

// Auto begins in version 1, moves when a reply says that it may, and leaves the
// first connection without harm to what is on it.
func TestAutoMovesToVersion2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "slow" {
				time.AfterFunc(time.Minute, func() { marked(c, m) })
				return
			}
			marked(c, m)
		})
		c := s.client(t, rpcclient.Auto)
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := rpcclient.Call[int](t.Context(), c, "slow", 5); got != 5 || err != nil {
				t.Errorf("the call that stayed behind gave %d, %v", got, err)
			}
		})
		synctest.Wait()
		if got := echoOver(t, c, 1); got != "v1" {
			t.Errorf("the first call went over %s, want v1", got)
		}
		synctest.Wait()
		if got := echoOver(t, c, 2); got != "v2" {
			t.Errorf("the second call went over %s, want v2", got)
		}
		if got := c.Stats(); got.Protocol != "v2" || !got.Ours || got.Reconnects != 0 || got.Pending != 1 {
			t.Errorf("stats %+v, want v2, ours, no reconnect, one call pending on v1", got)
		}
		if err := rpcclient.Cast(t.Context(), c, "log", "x"); err != nil {
			t.Error(err)
		}
		wg.Wait()
		synctest.Wait()
		conn := s.v1.Conns()[0]
		if _, err := conn.Write([]byte{0}); err == nil {
			t.Error("the version 1 connection is still open, want it gone after its last reply")
		}
		if got := len(s.v1.Messages()); got != 2 || s.dialed() != 2 {
			t.Errorf("%d messages over v1, %d connections; want 2 and 2", got, s.dialed())
		}
		if got := c.Stats(); got.Sent != 4 || got.Received != 3 || got.Pending != 0 || got.Dropped.Total() != 0 {
			t.Errorf("stats %+v, want 4 sent, 3 received, nothing dropped", got)
		}
	})
}

// A connection that is lost is made again in version 2 at once, and the memory
// of that ends after ten minutes.
func TestAutoRemembersVersion2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.Auto)
		echoOver(t, c, 1)
		synctest.Wait()
		s.hangUp()
		synctest.Wait()
		if got := echoOver(t, c, 2); got != "v2" || s.dialed() != 3 {
			t.Errorf("after a loss: over %s, %d connections; want v2 and 3", got, s.dialed())
		}
		s.hangUp()
		synctest.Wait()
		time.Sleep(11 * time.Minute)
		if got := echoOver(t, c, 3); got != "v1" {
			t.Errorf("after eleven minutes: over %s, want v1", got)
		}
		synctest.Wait()
		if got := echoOver(t, c, 4); got != "v2" || c.Stats().Reconnects != 2 {
			t.Errorf("and again: over %s, %d reconnects; want v2 and 2", got, c.Stats().Reconnects)
		}
	})
}

// Auto costs an old server nothing: one connection, valid version 1, and one
// failed call per error. The peers check every byte.
func TestAutoAndOldServers(t *testing.T) {
	for _, test := range []struct {
		name   string
		script peer.Script
		magic  peer.Magic
		kind   error // of an unknown type
	}{
		{"closes on an unknown type", peer.Later, peer.Complain, rpcclient.ErrConnectionLost},
		{"silent on an unknown type", peer.Article, peer.Complain, rpcclient.ErrContext},
		{"closes on it, silent on the magic", peer.Later, peer.Stay, rpcclient.ErrConnectionLost},
		{"silent on it, closes on the magic", peer.Article, peer.CloseAtOnce, rpcclient.ErrContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := memnet.Listen()
				s := peer.ServeMagic(t, ln, test.script, test.magic)
				c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				want := 1
				for i := range 5 {
					if got := echoOver(t, c, i); got != "v1" {
						t.Errorf("over %s, want v1", got)
					}
					_, err := rpcclient.Call[int](within(t, time.Second), c, "nope", 1)
					if !errors.Is(err, test.kind) {
						t.Errorf("an unknown type gave %v, want %v", err, test.kind)
					}
					if test.kind == rpcclient.ErrConnectionLost {
						want++
					}
					if got, err := rpcclient.Call[int](t.Context(), c, "fib", 10); got != 89 || err != nil {
						t.Errorf("the call after it gave %d, %v", got, err)
					}
					time.Sleep(3 * time.Minute)
				}
				if err := rpcclient.Cast(t.Context(), c, "echo", 1); err != nil {
					t.Error(err)
				}
				c.Close()
				synctest.Wait()
				if got := len(s.Conns()); got != want {
					t.Errorf("%d connections, want %d", got, want)
				}
				for _, conn := range s.Conns() {
					if conn.Magic() {
						t.Error("a client that only calls and casts has asked for version 2")
					}
				}
			})
		})
	}
}

// An address that spoke version 2 and is now an old server: no call is lost, and
// one connection more is the price.
func TestRememberedVersion2IsGone(t *testing.T) {
	for name, magic := range map[string]peer.Magic{"silent on the magic": peer.Stay, "closes on it": peer.CloseAtOnce, "stays in step": peer.StayInStep} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				twin := serveTwin(t, marked)
				old := memnet.Listen()
				s := peer.ServeMagic(t, old, peer.Echo, magic)
				dial := twin.ln.Dial
				c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
					return dial(ctx, network, address)
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				echoOver(t, c, 1)
				synctest.Wait()
				if got := echoOver(t, c, 2); got != "v2" {
					t.Fatalf("over %s, want v2", got)
				}
				dial = old.Dial
				twin.Close()
				synctest.Wait()
				start := time.Now()
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						if got := echoOver(t, c, i); got != "v1" {
							t.Errorf("over %s, want v1", got)
						}
					})
				}
				wg.Wait()
				if got := time.Since(start); got > time.Second+100*time.Millisecond {
					t.Errorf("it took %v, want at most a second", got)
				}
				if got := len(s.Conns()); got != 2 {
					t.Errorf("%d connections, want 2: the one that was asked and the one that is used", got)
				}
				if got := string(s.Conns()[0].Bytes()); got != wire.Magic+"\x00\x00\x00" && !(got == wire.Magic && magic == peer.CloseAtOnce) && magic != peer.StayInStep {
					t.Errorf("the first one got % x, want magic and SETTINGS and nothing else", got)
				}
				for _, err := range rpcclient.Stream[int](t.Context(), c, "items", 3) {
					kind(t, err, rpcclient.ErrNoStreams, rpcclient.Unimplemented)
				}
				if got := len(s.Conns()); got != 2 {
					t.Errorf("a stream has asked again: %d connections", got)
				}
			})
		})
	}
}

// record is a server that says it speaks version 2, and then does not answer as
// one: it keeps what comes.
func record(t *testing.T, then func(sock net.Conn)) (*rpcclient.Client, func() []string) {
	t.Helper()
	ln := memnet.Listen()
	plain := &queue{Listener: ln, socks: make(chan net.Conn), closed: make(chan struct{})}
	peer.Serve(t, plain, marked)
	var mu sync.Mutex
	var seen []string
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the listener is closed; the cleanup waits for it
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 1)
			if _, err := sock.Read(first); err != nil || first[0] == 0 {
				plain.socks <- &begun{sock, first}
				continue
			}
			wg.Go(func() {
				if then != nil {
					then(sock)
				}
				rest, _ := io.ReadAll(sock)
				sock.Close()
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, string(first)+string(rest))
			})
		}
	})
	c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); ln.Close(); wg.Wait() })
	return c, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

// No OPEN goes out before the server's SETTINGS, calls go on over version 1
// meanwhile, and who does not answer is asked again ten minutes later.
func TestVersion2ThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, seen := record(t, nil)
		for i := range 100 {
			if got := echoOver(t, c, i); got != "v1" {
				t.Errorf("call %d went over %s, want v1", i, got)
			}
			time.Sleep(time.Second)
		}
		for i := range 4 {
			for _, err := range rpcclient.Stream[int](t.Context(), c, "items", i) {
				e := kind(t, err, rpcclient.ErrNoStreams, rpcclient.Unimplemented)
				if e.Message != "peer speaks v1, which has no streams" {
					t.Errorf("message %q", e.Message)
				}
			}
		}
		if got := seen(); len(got) != 1 || got[0] != wire.Magic+"\x00\x00\x00" {
			t.Errorf("the server saw %q, want magic and SETTINGS once", got)
		}
		time.Sleep(9 * time.Minute)
		echoOver(t, c, 1)
		time.Sleep(2 * time.Second)
		if got := seen(); len(got) != 2 || got[1] != wire.Magic+"\x00\x00\x00" {
			t.Errorf("ten minutes later the server saw %q, want it asked a second time", got)
		}
	})
}

// A first stream asks an unknown server with four bytes.
func TestFirstUseIsAStream(t *testing.T) {
	for name, magic := range map[string]peer.Magic{"silent": peer.Stay, "closes": peer.CloseAtOnce} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := memnet.Listen()
				s := peer.ServeMagic(t, ln, peer.Later, magic)
				c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				start, n := time.Now(), 0
				for range 3 { // asked once
					for _, err := range rpcclient.Stream[int](t.Context(), c, "fibs", 3) {
						e := kind(t, err, rpcclient.ErrNoStreams, rpcclient.Unimplemented)
						if got := e.Error(); got != "memory:1: unimplemented: peer speaks v1, which has no streams" {
							t.Errorf("it reads %q", got)
						}
						n++
					}
				}
				if got := time.Since(start); n != 3 || got > time.Second || magic == peer.CloseAtOnce && got != 0 {
					t.Errorf("%d errors after %v, want 3, and the second of silence once", n, got)
				}
				synctest.Wait()
				if conns := s.Conns(); len(conns) != 1 || string(conns[0].Bytes()) != wire.Magic {
					t.Errorf("%d connections, the first one saw %q; want one, and the magic alone", len(conns), conns[0].Bytes())
				}
				if got, err := rpcclient.Call[int](t.Context(), c, "fib", 10); got != 89 || err != nil {
					t.Errorf("a call after that gave %d, %v", got, err)
				}
				if _, err := c.Services(t.Context()); !errors.Is(err, rpcclient.ErrNoStreams) {
					t.Errorf("a listing gave %v", err)
				}
				if version, err := c.Probe(t.Context()); version != "v1" || err != nil {
					t.Errorf("probe gave %q, %v", version, err)
				}
				if got := len(s.Conns()); got != 2 {
					t.Errorf("%d connections, want 2", got)
				}
			})
		})
	}
	t.Run("speaks version 2", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := serveTwin(t, marked)
			c := s.client(t, rpcclient.Auto)
			got := collect(t, rpcclient.Stream[int](t.Context(), c, "items", 3))
			if len(got) != 3 || s.dialed() != 1 || c.Stats().Protocol != "v2" || c.Stats().Reconnects != 0 {
				t.Errorf("%v over %d connections, stats %+v; want 3 items over one, which is v2", got, s.dialed(), c.Stats())
			}
			if got := echoOver(t, c, 1); got != "v2" || s.dialed() != 1 {
				t.Errorf("a call after it went over %s, %d connections; want v2 and the same", got, s.dialed())
			}
		})
	})
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		for _, test := range []struct {
			protocol rpcclient.Protocol
			want     string
			dials    int
		}{{rpcclient.Auto, "v2", 1}, {rpcclient.V2, "v2", 1}, {rpcclient.V1, "v1", 0}} {
			c := s.client(t, test.protocol)
			before := s.dialed()
			for range 3 {
				if got, err := c.Probe(t.Context()); got != test.want || err != nil || s.dialed()-before != test.dials {
					t.Errorf("%v: %q, %v after %d dials; want %s after %d", test.protocol, got, err, s.dialed()-before, test.want, test.dials)
				}
			}
		}
		s.Close()
		c := s.client(t, rpcclient.Auto)
		if got, err := c.Probe(t.Context()); got != "" || !errors.Is(err, rpcclient.ErrConnect) {
			t.Errorf("nobody there: %q, %v; want cannot connect", got, err)
		}
	})
}

// V1 and ids of the user's own making never speak version 2, whatever is said there.
func TestVersion1Stays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, func(c *peer.Conn, m peer.Message) {
			if strings.Contains(m.ID, ";rk2") {
				marked(c, m)
				return
			}
			peer.Echo(c, m)
		})
		id := 0
		for _, c := range []*rpcclient.Client{
			s.client(t, rpcclient.V1),
			s.client(t, rpcclient.Auto, func(c *rpcclient.Config) {
				c.RequestID = func() string { id++; return strings.Repeat("x", id) }
			}),
		} {
			for i := range 3 {
				if got := echoOver(t, c, i); got != "v1" {
					t.Errorf("over %s, want v1", got)
				}
				synctest.Wait()
			}
			for _, err := range rpcclient.Stream[int](t.Context(), c, "items", 1) {
				kind(t, err, rpcclient.ErrNoStreams, rpcclient.Unimplemented)
			}
			if _, err := rpcclient.Call[[]byte](t.Context(), c, "echo", []byte("x"), rpcclient.Raw()); !errors.Is(err, rpcclient.ErrNoStreams) || !strings.Contains(err.Error(), "raw") {
				t.Errorf("raw bytes gave %v", err)
			}
		}
		if got := s.dialed(); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
	})
}

// Prior knowledge: magic, SETTINGS and OPEN leave in one flight, in the bytes of
// docs/PROTOCOL.md.
func TestPriorKnowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memnet.Pipe(0)
		c, err := rpcclient.New("memory:1", &rpcclient.Config{Protocol: rpcclient.V2, Dialer: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		defer theirs.Close()
		result := make(chan error, 1)
		var trace rpcclient.Trace
		go func() {
			got, err := rpcclient.Call[int](rpcclient.WithTrace(within(t, 5*time.Second), &trace), c, "fib", 10)
			if err == nil && got != 89 {
				err = errors.New("not 89")
			}
			result <- err
		}()
		synctest.Wait()
		first := "\x11\x01\x0b\x00\x88\x27\x00\x01\x03fib10"
		buf := make([]byte, 64)
		n, _ := theirs.Read(buf)
		if got, want := string(buf[:n]), wire.Magic+"\x00\x00\x00"+first; got != want {
			t.Fatalf("first flight % x, want % x", got, want)
		}
		theirs.Write([]byte(wire.Magic + "\x00\x00\x00" + "\x21\x01\x0289"))
		if err := <-result; err != nil {
			t.Error(err)
		}
		if string(trace.Out) != first || string(trace.In) != "\x21\x01\x0289" || trace.RequestID != "1" || trace.Protocol != "v2" || trace.BytesOut != 14 || trace.BytesIn != 5 {
			t.Errorf("trace %+v", trace)
		}
		if trace.Queued.IsZero() || trace.Written.IsZero() || trace.Sent.IsZero() || trace.Received.IsZero() {
			t.Errorf("an instant is missing: %+v", trace)
		}
	})
}

// Prior knowledge that is wrong fails calls with the reason.
func TestPriorKnowledgeIsWrong(t *testing.T) {
	for name, magic := range map[string]peer.Magic{"silent": peer.Stay, "closes": peer.CloseAtOnce} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := memnet.Listen()
				peer.ServeMagic(t, ln, peer.Echo, magic)
				c, err := rpcclient.New("memory:1", &rpcclient.Config{Dialer: ln.Dial, Protocol: rpcclient.V2})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				start := time.Now()
				_, err = rpcclient.Call[int](t.Context(), c, "echo", 1)
				want := rpcclient.ErrProtocol
				if magic == peer.CloseAtOnce {
					want = rpcclient.ErrConnectionLost
				}
				e := kind(t, err, want, rpcclient.Unavailable)
				if !strings.Contains(e.Message, "v2") || time.Since(start) > 5*time.Second {
					t.Errorf("%q after %v, want it to speak of v2 within 5s", e.Message, time.Since(start))
				}
			})
		})
	}
}

// Casts that were written just before the move arrive, and callers in line move.
func TestMoveLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, func(c *peer.Conn, m peer.Message) {
			if m.Type == "wait" {
				time.AfterFunc(30*time.Second, func() { c.Reply(m.ID, "wait_res", "1") })
				return
			}
			if m.Type == "echo" {
				time.Sleep(time.Millisecond)
			}
			marked(c, m)
		})
		c := s.client(t, rpcclient.Auto, func(c *rpcclient.Config) { c.MaxInFlight = 10 })
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				typ := "wait"
				if i == 9 {
					typ = "echo"
				}
				if _, err := rpcclient.Call[int](t.Context(), c, typ, 1); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		for i := range 20 { // 19 in line, since one gets the free place
			wg.Go(func() {
				var trace rpcclient.Trace
				got, err := rpcclient.Call[int](rpcclient.WithTrace(t.Context(), &trace), c, "echo", i)
				if got != i || err != nil || trace.Attempts != 1 {
					t.Errorf("call %d in line gave %d, %v after %d attempts", i, got, err, trace.Attempts)
				}
			})
		}
		wg.Wait()
		if n := len(s.calls()); n < 18 {
			t.Errorf("%d calls moved, want those in line", n)
		}
	})
}

// A cast is safe from the close that follows the move.
func TestMoveAndCasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.Auto)
		echoOver(t, c, 1)
		for range 10 {
			if err := rpcclient.Cast(t.Context(), c, "log", "x"); err != nil {
				t.Error(err)
			}
		}
		c.Close()
		synctest.Wait()
		n := len(s.v1.Messages()) - 1
		for _, call := range s.calls() {
			if strings.HasPrefix(call, "log") {
				n++
			}
		}
		if n != 10 {
			t.Errorf("%d casts arrived, want 10", n)
		}
	})
}

// A program that makes one call and ends leaves the server with two clean ends of
// connections, also when the second one is just coming up.
func TestCloseResetsNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the listener
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // ends with the client
				defer sock.Close()
				buf := make([]byte, 4<<10)
				for {
					n, err := sock.Read(buf)
					if err != nil {
						if err != io.EOF {
							t.Errorf("a connection ended with %v", err)
						}
						return
					}
					if buf[0] == wire.Magic[0] {
						seen <- struct{}{} // and now the client closes
						runtime.Gosched()
						_, _ = sock.Write([]byte(wire.Magic + "\x00\x00\x00"))
					} else if n > 24 {
						_, _ = sock.Write(peer.Frame(string(buf[4:20])+"!2", "echo_res", "1"))
					}
				}
			})
		}
	})
	for range 20 {
		c, err := rpcclient.Dial(t.Context(), ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rpcclient.Call[int](t.Context(), c, "echo", 1); err != nil {
			t.Error(err)
		}
		<-seen
		c.Close()
	}
	ln.Close()
	wg.Wait()
}
