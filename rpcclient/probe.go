package rpcclient

import (
	"context"
	"slices"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// probe finds out whether an ejected server may come back. A bad probe ejects it
// for longer.
func (f *fleet) probe(m *balance.Member) {
	var s *server
	if r := f.roster.Load(); r != nil {
		s = r.of[m]
	}
	if s == nil {
		m.Probed(true, f.client.now()) // it has left the list, or is the only one
		return
	}
	f.spawn(func() { // ends within the time of a dial and of a ping
		m.Probed(s.answers() == nil, f.client.now())
	})
}

// answers asks the server for a sign of life: over version 2 a ping; over version
// 1 its health, if it is one of ours, and else no more than a dial.
func (s *server) answers() error {
	cn := s.live()
	if cn == nil {
		s.mu.Lock()
		a, err := s.joinLocked()
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if cn, err = a.wait(s.ctx); err != nil {
			return err
		}
	}
	switch cn := cn.(type) {
	case *v2Conn:
		return cn.ping()
	case *v1Conn:
		if cn.isOurs() {
			return s.hear(cn)
		}
	}
	sock, err := s.dial(0)
	if err == nil {
		err = sock.Close()
	}
	return err
}

// hear asks a server of ours for its health over version 1. Another one is not
// asked: it would not know what that is.
func (s *server) hear(cn *v1Conn) error {
	if !cn.isOurs() && !s.wasOurs() {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.client.cfg.Keepalive.Timeout)
	defer cancel()
	h, err := s.client.healthOver(ctx, cn)
	switch {
	case isKind(err, ErrContext) && s.ctx.Err() == nil:
		s.lose(cn, fail(ErrConnectionLost, Unavailable, err, "connection lost: the server gave no sign of life within %v", s.client.cfg.Keepalive.Timeout))
		return errMute
	case err == nil && h.Status == "draining":
		return fail(ErrConnect, Unavailable, nil, "the server is draining")
	}
	return err
}

func (s *server) wasOurs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oursOnce
}

// healthOver asks for the health over one connection, beside all that is counted.
func (c *Client) healthOver(ctx context.Context, cn conn) (h Health, err error) {
	k := c.begin(ctx, "!health", nil)
	defer func() { c.calls.Put(k.reset()) }()
	if err = k.encode(nil, &c.cfg); err == nil {
		err = k.prepare(ctx, &c.cfg)
	}
	if err == nil {
		err = cn.exchange(ctx, k)
	}
	if err == nil {
		err = k.verdict(ctx)
	}
	if err == nil {
		h, err = decode[Health](k.reply)
	}
	return h, err
}

// recent remembers how many calls a server had had at the ends of the last
// seconds. The server's mutex protects it.
type recent struct {
	marks []mark // a ring
	n     int    // marks ever made
}

type mark struct {
	at    time.Time
	calls uint64
}

// shareTime is the time that Peer.Share looks back.
const shareTime = 10 * time.Second

func (r *recent) note(now time.Time, calls uint64) {
	if r.marks == nil {
		r.marks = make([]mark, 12)
	}
	if r.n == 0 || now.Sub(r.marks[(r.n-1)%len(r.marks)].at) >= time.Second {
		r.marks[r.n%len(r.marks)] = mark{now, calls}
		r.n++
	}
}

func (r *recent) clone() recent { return recent{slices.Clone(r.marks), r.n} }

// since returns how many of calls came lately.
func (r *recent) since(now time.Time, calls uint64) uint64 {
	for i := max(0, r.n-len(r.marks)); i < r.n; i++ {
		if m := &r.marks[i%len(r.marks)]; i == r.n-1 || now.Sub(m.at) <= shareTime {
			return calls - m.calls
		}
	}
	return calls
}
