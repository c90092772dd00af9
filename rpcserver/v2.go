package rpcserver

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
)

// v2 joins a connection of version 2 to the calls of the server: package mux knows frames, streams and credit, and this is who it tells.
type v2 struct {
	conn *conn
	mux  *mux.Conn

	batch    calls        // of this read, for the workers; the reader's own
	now      time.Time    // of this read, once it has brought a call; the reader's own
	timing   atomic.Bool  // the peer wants to know the server's own times
	metadata atomic.Int64 // the longest block that it takes

	mu     sync.Mutex // protects the fields below
	parked calls      // taken off the queue because the peer does not read its replies
	dead   bool       // the connection has ended
}

// newV2 is apart from its caller, whose frame is on every stack that an idle connection keeps.
//
//go:noinline
func newV2(c *conn) *v2 {
	v := &v2{conn: c}
	set := wire.DefaultSettings()
	v.metadata.Store(int64(set.MaxMetadata))
	cfg := &c.s.config
	set.MaxMessage, set.Window, set.MaxStreams, set.MaxMetadata = cfg.MaxMessage, cfg.Window, cfg.MaxStreams, cfg.MaxMetadata
	set.Codecs, set.Algorithms = []wire.CodecID{JSON, Raw}, []wire.AlgorithmID{wire.Deflate}
	set.Name = serverName
	m := mux.Config{
		Role: mux.Server, Settings: set,
		WriteStall: cfg.WriteStall, HalfMessage: cfg.HalfMessage, Idle: max(cfg.Idle, 0),
		MaxConnMemory: cfg.MaxConnMemory, MaxOutbox: maxOutbox,
		MaxUnsent: cfg.maxUnsent(),
		Traffic:   &c.s.count.traffic,
		Compress:  true, // for a peer that says that it wants it
		Lookup:    c.s.method, Opened: v.opened, Batch: v.submit, Drained: v.unpark, Ready: v.ready,
		Refused: v.notTaken,
		Log:     c.logRefused,
	}
	if c.trier != nil {
		m.TryWrite = c.trier.TryWrite
	}
	if c.rests() {
		m.Rest = restAfter
	}
	v.mux = mux.New(c.nc, &m)
	return v
}

// serve reads until the connection rests or ends, and says why it did. Handlers may still run at the end.
func (v *v2) serve(first []byte) Reason {
	ended := true
	defer func() {
		if ended { // by a handler that ended this goroutine
			v.over(nil)
		}
	}()
	err := v.mux.Serve(first)
	ended = false
	if err == mux.ErrResting {
		return resting
	}
	return v.over(err)
}

// over sees to what is left when the connection has ended, and translates why.
func (v *v2) over(err error) Reason {
	v.mu.Lock()
	v.dead = true
	v.mu.Unlock()
	v.unpark() // to be counted; they will not run
	c := v.conn
	if c.plain() {
		return PlainRefused
	}
	if b, ok := errors.AsType[*wire.Breach](err); ok {
		c.detail = b.Detail
		return Reason(b.Reason)
	}
	e, ok := errors.AsType[*mux.End](err)
	if !ok {
		return Cut
	}
	if e.Err != nil {
		c.detail = e.Err.Error()
	}
	if e.Reason == mux.Retired {
		return Stopping
	}
	return Reason(e.Reason) // of the rest, those that version 1 has too have the same name
}

// stop lets the peer finish what runs, and open nothing more.
func (v *v2) stop(left time.Duration) {
	v.mux.Leave(wire.Farewell{Left: left, Text: "the server stops"})
}

// ready takes note of the peer's SETTINGS.
func (v *v2) ready() {
	set := v.mux.Peer()
	v.timing.Store(set.WantTiming)
	v.metadata.Store(int64(set.MaxMetadata))
	v.conn.meet(protocolV2, set.Authorization)
}

// opened takes a stream that the peer has opened: refuses it, runs it, or puts it into the batch. It is the reader's.
func (v *v2) opened(s *mux.Stream) {
	call := v.newCall(s)
	c := v.conn
	c.s.count.calls.Add(1)
	denied, wait, ok := c.enters(call)
	if !ok {
		call.size = len(s.Meta())
		c.turnDown(call, tooFast, c.tooFastError(wait))
		return
	}
	var m mux.Message
	var err error
	if call.service == nil || !call.service.pattern.takes() { // else it is the first item
		m, err = s.First()
	}
	call.payload, call.size = m.Payload, len(m.Payload)+len(s.Meta())
	if c.s.logs(slog.LevelInfo) {
		c.logRead(call, []byte(s.MethodName()))
	}
	if denied != nil {
		c.deny(call, denied)
		return
	}
	if e := v.misfit(call, m, err); e != nil {
		if f, ok := err.(*mux.Failure); ok && f.Refused {
			c.s.refused(tooMuchHeld, c.nc.RemoteAddr())
		}
		c.refuse(call, e)
		return
	}
	switch p := call.service.pattern; {
	case p.streams():
		if why := c.s.pool.host(call); why != admitted {
			c.overload(call, why)
		}
	case call.service.quick && (call.silent || !v.mux.Crowded()):
		c.run(call)
	default:
		v.batch.push(call)
	}
}

func (v *v2) newCall(s *mux.Stream) *Call {
	call := spareCalls.Get().(*Call)
	head := s.Head()
	if v.now.IsZero() {
		v.now = time.Now()
	}
	call.conn, call.stream, call.marked, call.silent, call.arrived = v.conn, s, true, head.OneWay, v.now
	call.codec, call.mark.Timeout, call.mark.Idempotent = head.Codec, head.Timeout, head.Idempotent
	call.service, _ = s.Method().(*service)
	return call
}

// misfit says why a call does not run, or nil. err is that of its first message.
func (v *v2) misfit(call *Call, first mux.Message, err error) *Error {
	failed, isFailure := errors.AsType[*mux.Failure](err)
	switch {
	case call.service == nil && call.stream.MethodName() == "" && call.stream.Head().Number > 0:
		return Errorf(NotFound, "no service has the number %d here", call.stream.Head().Number)
	case call.service == nil:
		return v.conn.s.unknown([]byte(call.stream.MethodName()))
	case call.codec != JSON && call.codec != Raw:
		return Errorf(Unimplemented, "no codec has the number %d", call.codec)
	case isFailure:
		return failed.Status
	}
	switch p := call.service.pattern; {
	case p == PatternCast && !call.silent:
		return call.service.misused("%s is one way and has no answer: cast it")
	case p.streams() && call.silent:
		return call.service.misused("%s is a %s and cannot be cast")
	case !p.takes() && (err != nil || first.None):
		return call.service.misused("%s is a %s, whose request comes with the opening")
	}
	return nil
}

// submit hands the batch to the workers. What the queue does not take is refused.
func (v *v2) submit() {
	v.now = time.Time{}
	if v.batch.n == 0 {
		return
	}
	why := v.conn.s.pool.put(&v.batch)
	for v.batch.n > 0 {
		v.conn.overload(v.batch.pop(), why)
	}
}

// notTaken counts streams that package mux did not take, and answered itself.
func (v *v2) notTaken(why mux.Refusal, streams int) {
	ours, code := tooManyOnConn, ResourceExhausted
	switch why {
	case mux.RefusedMemory:
		ours = tooMuchHeld
	case mux.RefusedDraining:
		ours, code = whileDraining, Unavailable
	}
	s, peer := v.conn.s, v.conn.nc.RemoteAddr()
	s.count.calls.Add(uint64(streams))
	s.count.failed.Add(uint64(streams))
	o := s.config.Observer
	for range streams {
		s.refused(ours, peer)
		if o != nil && o.CallDone != nil {
			o.CallDone(CallInfo{Protocol: protocolV2, Peer: peer, Code: code})
		}
	}
}

// park keeps a call whose reply would wait too: let the worker serve others until the peer reads. false: run it.
func (v *v2) park(call *Call) bool {
	if !v.mux.Crowded() {
		return false
	}
	v.mu.Lock()
	if v.dead {
		v.mu.Unlock()
		return false
	}
	v.parked.push(call)
	v.mu.Unlock()
	if !v.mux.Crowded() { // since then; whoever made room may have looked before there was a call
		v.unpark()
	}
	return true
}

func (v *v2) unpark() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parked.n > 0 {
		v.conn.s.pool.back(&v.parked)
	}
}

// answer sends what a call came to and gives its place free.
func (v *v2) answer(call *Call, e *Error) {
	s := call.stream
	switch {
	case call.silent:
	case e != nil:
		s.Fail(e, call.refused)
	case call.service.pattern.gives():
		v.sent(call, s.Finish(nil, call.lastMetadata(v.timing.Load()), true))
	default:
		payload := call.reply
		if len(payload) == 0 && call.codec == JSON {
			payload = jsonNull
		}
		v.sent(call, s.Finish(payload, call.lastMetadata(v.timing.Load()), false))
	}
	s.Done()
}

// sent looks at how a reply was taken: one that is more than the peer takes, or than may be held for it, has become an error.
func (v *v2) sent(call *Call, err error) {
	if f, ok := errors.AsType[*mux.Failure](err); ok && f.Local {
		v.conn.countFailure(call, f.Status)
	}
}

var jsonNull = []byte("null")
