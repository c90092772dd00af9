package rpcclient

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// courtesy is how long Close hears out a server that is just about to introduce itself.
const courtesy = 100 * time.Millisecond

// v2Conn is one socket that speaks version 2. The mux knows frames, credit and
// who writes; what is left here are calls and their failures.
type v2Conn struct {
	endpoint
	cfg   *Config
	stats *counters
	mux   *mux.Conn

	peer atomic.Pointer[wire.Settings] // what the server has said about itself; before that, the defaults, and as many streams as it took last

	met     atomic.Bool   // that has come
	over    chan struct{} // closed when the reader has ended
	failed  *failure      // why it did; to be read after over
	spoken  atomic.Bool   // the magic was said
	retired atomic.Bool   // it takes no more streams
	leaving atomic.Bool   // of our own accord: the server has not ended anything
	useful  atomic.Bool   // something was answered
	streams atomic.Int64  // that run; of the calls that the load counts
	casts   atomic.Uint32 // stream id of the newest cast that no reply to a later call has shown to be read; 0: none
}

func newV2Conn(s *server, sock net.Conn) *v2Conn {
	cfg := &s.client.cfg
	c := &v2Conn{endpoint: s.endpoint(sock), cfg: cfg, stats: &s.client.stats, over: make(chan struct{})}
	set := wire.DefaultSettings()
	set.MaxMessage, set.MaxStreams, set.Window, set.WantTiming = cfg.MaxMessage, cfg.MaxInFlight, cfg.Window, cfg.ServerTiming
	set.Authorization = cfg.Token
	if cfg.Compress {
		set.Algorithms = []wire.AlgorithmID{wire.Deflate}
	}
	m := &mux.Config{
		Role:          mux.Client,
		Settings:      set,
		WriteStall:    cfg.WriteStall,
		HalfMessage:   cfg.HalfMessage,
		MaxConnMemory: 2 * cfg.MaxInFlight * (cfg.Window + cfg.MaxMessage), // what its streams may bring, and all of them were asked for
		Compress:      cfg.Compress,
		Ready:         c.meet,
		Retired:       c.retire,
		Log:           func(text string) { cfg.Logger.Warn(text, "server", c.remote) },
	}
	if try := socket.NewWriter(sock); try != nil {
		m.TryWrite = try.TryWrite
	}
	usual := wire.DefaultSettings()
	if most := s.streams.Load(); most > 0 {
		usual.MaxStreams = int(most)
	}
	c.peer.Store(&usual)
	c.mux = mux.New(sock, m)
	return c
}

// meet takes over the server's SETTINGS, so that calls can look without a lock.
func (c *v2Conn) meet() {
	peer := c.mux.Peer()
	c.peer.Store(&peer)
	c.server.streams.Store(int64(peer.MaxStreams))
	c.met.Store(true)
	if s := c.server; c.load.running() > peer.MaxStreams { // they came before it was known
		s.mu.Lock()
		s.growLocked()
		s.mu.Unlock()
	}
}

// read runs the mux to its end.
func (c *v2Conn) read() {
	c.failed = c.why(c.mux.Serve(nil))
	if !c.spent() { // it took new calls until this moment
		c.harmed.Store(true)
	}
	c.takeLeave()
	close(c.over)
	c.cfg.Logger.Info("disconnected", "server", c.remote, "reason", printable(c.failed.Error(), 200))
	c.server.ended(c, c.useful.Load(), c.failed)
}

// answered reports whether the server's SETTINGS have come.
func (c *v2Conn) answered() bool {
	select {
	case <-c.mux.Ready():
		return true
	default:
		return false
	}
}

// open is for a server that is known to speak version 2: calls follow at once,
// in the same flight. Its first words may take as long as a dial.
func (c *v2Conn) open() error {
	c.speak(true)
	c.server.client.fleet.wg.Go(func() { // ends with the server's first words, with the conn, or when the time is over; Close waits for it
		if err := c.await(c.cfg.DialTimeout); err != nil {
			c.mux.Close(fail(ErrProtocol, Unavailable, err, "the server does not say that it speaks v2: no SETTINGS within %v", c.cfg.DialTimeout))
		}
	})
	return nil
}

// greet is for a server that should speak version 2, and may not: it says who
// we are, and calls wait for the answer.
func (c *v2Conn) greet() error {
	c.speak(true)
	return c.introduced(errSilent)
}

// rouse is for a server that was lost in silence.
func (c *v2Conn) rouse() error {
	c.speak(true)
	return c.introduced(errMute)
}

// probe is for a server about which nothing is known: nothing but the magic.
func (c *v2Conn) probe() error {
	c.speak(false)
	return c.introduced(errSilent)
}

func (c *v2Conn) speak(settings bool) {
	c.spoken.Store(true)
	c.mux.Start(settings)
}

// introduced waits for the server's SETTINGS, and closes the conn if they do not
// come: that is silence.
func (c *v2Conn) introduced(silence *failure) error {
	if c.await(greeting) == nil {
		return nil
	}
	c.mux.Close(silence)
	<-c.over
	if c.server.ctx.Err() != nil {
		return c.server.over()
	}
	return silence
}

var errSilent = errNoStreams("streams")

func (c *v2Conn) await(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.mux.Ready():
		return nil
	case <-c.over:
	case <-timer.C:
	}
	if c.answered() { // and ended since, which is another story
		return nil
	}
	return errSilent
}

// confirm waits until the server has shown that it speaks version 2.
func (c *v2Conn) confirm(ctx context.Context) error {
	select {
	case <-c.mux.Ready():
		return nil
	case <-c.over:
		return c.failed
	case <-ctx.Done():
		return ended(ctx, "before anything was sent")
	}
}

// why is the failure of a connection that ended.
func (c *v2Conn) why(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if b, ok := errors.AsType[*wire.Breach](err); ok {
		if b.Reason == wire.SlowMessage {
			return fail(ErrProtocol, Unavailable, b, "half a reply, and no more of it for %v", c.cfg.HalfMessage)
		}
		what, cause := "", error(b)
		switch {
		case c.answered():
		case beganTLS(b):
			what, cause = "the server speaks TLS: ", &TLSError{NeedsTLS, b}
		default:
			what = "this is no rpckids server that speaks v2: "
		}
		return fail(ErrProtocol, Unavailable, cause, "%s%v", what, b)
	}
	e, ok := errors.AsType[*mux.End](err)
	switch {
	case !ok && err == nil:
		return errRetired
	case !ok:
		return lost(err)
	case e.Reason == mux.Retired && wantsTLS(e.Err):
		return needsTLS()
	case e.Reason == mux.Retired:
		return errRetired
	case !c.answered():
		return fail(ErrConnectionLost, Unavailable, e, "connection lost: the server ended it without a word, it may not speak v2")
	case e.Reason == mux.PeerClosed:
		return lost(io.EOF)
	case e.Reason == mux.Stalled:
		return fail(ErrConnectionLost, Unavailable, e, "connection lost: the server took nothing for %v", c.cfg.WriteStall)
	case e.Err != nil:
		return lost(e.Err)
	}
	return fail(ErrConnectionLost, Unavailable, e, "connection lost: %s", e.Reason)
}

// retire is told by the mux that no new stream can be opened.
func (c *v2Conn) retire(f wire.Farewell) {
	c.takeLeave()
	if f.Text != "" {
		c.cfg.Logger.Info("the server takes no more calls here", "server", c.remote, "reason", printable(f.Text, 200))
	}
}

// takeLeave makes new calls go elsewhere.
func (c *v2Conn) takeLeave() {
	c.retired.Store(true)
	c.server.retired(c)
}

func (c *v2Conn) leave() {
	c.leaving.Store(true)
	c.takeLeave()
	c.mux.CloseWhenIdle()
}

// goodbye ends the conn for Close. After a cast that the server may not have
// read, and with nothing in flight, it waits up to a second for the answer to a
// ping, which comes after all that was sent before it. A conn that is just coming
// up hears the server out: to close under its first words would be a reset.
func (c *v2Conn) goodbye() {
	c.takeLeave()
	switch idle := c.load.running() == 0; {
	case idle && c.casts.Load() != 0:
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = c.mux.Ping(ctx) // an answer or none: the conn ends
		cancel()
	case idle && c.spoken.Load():
		_ = c.await(courtesy) // the same
	}
	c.mux.Close(errClosed)
}

func (c *v2Conn) abort(why *failure) {
	c.takeLeave()
	c.mux.Close(why)
}

func (c *v2Conn) bytesIn() uint64 { return c.mux.Stats().BytesIn }

func (c *v2Conn) most() int { return min(c.cfg.MaxInFlight, c.peer.Load().MaxStreams) }

func (c *v2Conn) enough() int { return min(c.cfg.Pool.PerConn, c.peer.Load().MaxStreams) }

func (c *v2Conn) version() string { return protocolV2 }

func (c *v2Conn) spent() bool { return c.retired.Load() }

func (c *v2Conn) isOurs() bool { return c.answered() }

// describe adds this conn to the picture.
func (c *v2Conn) describe(s *Stats, live bool) {
	m := c.mux.Stats()
	s.BytesIn += m.BytesIn
	s.BytesOut += m.BytesOut
	s.Dropped.Late += m.Late
	streams := int(c.streams.Load())
	s.Pending += max(0, c.load.running()-streams)
	s.Streams += streams
	if live {
		s.TLS = c.tls
		s.Remote, s.Protocol, s.Since, s.Ours = c.remote, protocolV2, c.since, c.isOurs()
	}
}

// total hands over what describe has shown so far.
func (c *v2Conn) total(n *counters) {
	m := c.mux.Stats()
	n.bytesIn.Add(m.BytesIn)
	n.bytesOut.Add(m.BytesOut)
	n.dropped[abandoned].Add(m.Late)
}
