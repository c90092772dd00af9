package rpcclient

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

// faultySock fails its first write in passing, as a system short of memory does, and takes what comes after.
type faultySock struct {
	net.Conn
	err    error
	failed bool
	behind int // bytes written after it
}

func (f *faultySock) TryWrite(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, f.err
	}
	f.behind += len(p)
	return len(p), nil
}

// inPassing is a write's error. What happens before anything is done about it, happens when it is first looked at.
type inPassing struct {
	once *sync.Once
	then func()
}

func (inPassing) Error() string { return "no buffer space available" }

func (e inPassing) Is(error) bool {
	e.once.Do(e.then)
	return false
}

// Bytes that follow a failed write would stand where others are missing, and the call they belong to, whose place in the stream is
// off, might be sent twice: nothing is written behind the gap.
func TestNothingIsWrittenBehindAGap(t *testing.T) {
	client, err := New("memory:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	sock, peer := memnet.Pipe(0)
	defer peer.Close()
	first, second := client.begin(t.Context(), "a", nil), client.begin(t.Context(), "b", nil)
	f := &faultySock{Conn: sock}
	c := newV1Conn(client.fleet.only.Load(), f)
	f.err = inPassing{new(sync.Once), func() { c.submit(second) }}
	if err := c.submit(first); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*call{first, second} {
		if len(k.done) != 1 || k.mayHaveLeft {
			t.Errorf("call %s: done %v, may have left %v, %v; want it lost and free to go elsewhere", k.typ, len(k.done) == 1, k.mayHaveLeft, k.err)
		}
	}
	if f.behind != 0 {
		t.Errorf("%d bytes were written behind the gap, want none", f.behind)
	}
	c.close(errClosed)
}

// A call that is given up while its frame waits to be written is taken out of the outbox, and nobody else's frame with it.
func TestAbandonedCallIsNotSent(t *testing.T) {
	client, err := New("memory:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := memnet.Pipe(0)
	defer ours.Close()
	defer theirs.Close()
	c := newV1Conn(client.fleet.only.Load(), ours)
	calls := make([]*call, 4)
	c.flushing = true // somebody else's write takes its time
	for i := range calls {
		calls[i] = client.begin(WithTrace(t.Context(), new(Trace)), string(rune('a'+i)), nil)
		if err := c.submit(calls[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !c.abandon(calls[1]) || calls[1].mayHaveLeft || calls[1].frame != nil {
		t.Errorf("given up while its frame waited: may have left %v, frame %q; want neither", calls[1].mayHaveLeft, calls[1].frame)
	}
	if got := client.stats.sent.Load(); got != 3 {
		t.Errorf("%d messages counted as sent, want 3", got)
	}
	c.flush()
	if !c.abandon(calls[3]) || !calls[3].mayHaveLeft {
		t.Errorf("given up when its frame was written: may have left %v, want true", calls[3].mayHaveLeft)
	}
	var d wire.Decoder
	n, err := theirs.Read(d.Space())
	if err != nil {
		t.Fatal(err)
	}
	d.Fed(n)
	got := ""
	for {
		m, ok, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got += string(m.Type)
	}
	if got != "acd" || d.Buffered() != 0 {
		t.Errorf("sent %q and %d bytes more, want acd", got, d.Buffered())
	}
	for _, k := range []*call{calls[0], calls[2]} {
		if k.sent.IsZero() || k.last > c.taken {
			t.Errorf("call %s: sent at %v, last byte %d of %d; want it gone", k.typ, k.sent, k.last, c.taken)
		}
	}
	c.close(errClosed)
}

// A conn that takes no more calls ends when the last thing that it waited for was a cast's write.
func TestRetiringEndsWithACast(t *testing.T) {
	client, err := New("memory:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := memnet.Pipe(0)
	defer ours.Close()
	defer theirs.Close()
	c := newV1Conn(client.fleet.only.Load(), ours)
	cast := client.begin(t.Context(), "log", nil)
	cast.oneWay = true

	c.mu.Lock()
	c.admitLocked(cast)
	c.flushing = true
	c.rest = c.grabLocked()
	c.tookLocked(5)
	c.rest = c.rest[5:]
	rest := c.rest
	c.retireLocked(errRetired)
	c.rest = rest // the writer has it in its hands
	c.mu.Unlock()
	c.writers.Add(1)
	c.write()
	if len(cast.done) != 1 || cast.err != nil || c.err == nil {
		t.Errorf("the cast is done %v (%v), the conn ended %v; want all", len(cast.done) == 1, cast.err, c.err)
	}
}

// statsOnEveryLine is a log handler that looks at the client whose lines it gets.
type statsOnEveryLine struct {
	slog.Handler
	client *atomic.Pointer[Client]
	lines  *atomic.Int32
}

func (h statsOnEveryLine) Enabled(context.Context, slog.Level) bool { return true }

func (h statsOnEveryLine) Handle(context.Context, slog.Record) error {
	h.lines.Add(1)
	if c := h.client.Load(); c != nil {
		c.Stats()
	}
	return nil
}

// No line is logged with a lock held: a Logger may ask for Stats.
func TestLoggerMayAskForStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := statsOnEveryLine{slog.DiscardHandler, new(atomic.Pointer[Client]), new(atomic.Int32)}
		ln := memnet.Listen()
		defer ln.Close()
		var wg sync.WaitGroup
		wg.Go(func() { // a server that sends a reply nobody asked for, and one whose length counts UTF-16 units
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			defer sock.Close()
			var d wire.Decoder
			n, _ := sock.Read(d.Space())
			d.Fed(n)
			m, _, _ := d.Next()
			reply := wire.AppendMessage(wire.AppendMessage(nil, "x", "r", "1"), m.ID, "r", `"é"`)
			reply[len(reply)-5]--
			sock.Write(reply)
		})
		c, err := New("memory:1", &Config{Dialer: ln.Dial, Logger: slog.New(h)})
		if err != nil {
			t.Fatal(err)
		}
		h.client.Store(c)
		if got, err := Call[string](t.Context(), c, "a", nil); got != "é" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		wg.Wait()
		c.Close()
		if got := h.lines.Load(); got != 4 { // connected, dropped, repaired, disconnected
			t.Errorf("%d lines, want 4", got)
		}
	})
}
