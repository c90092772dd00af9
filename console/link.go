package console

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const dialTimeout = 5 * time.Second

// connect makes the connection to a target; the one before is closed when it is up.
func (s *Session) connect(ctx context.Context, target string, o DialOptions, limit time.Duration) (Result, error) {
	if s.cfg.Dial == nil {
		return Result{}, &Error{Exit: ExitConnect, Message: "this console cannot connect"}
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	b, err := s.cfg.Dial(ctx, target, o)
	if err != nil {
		return Result{}, dialError(err, target, limit)
	}
	if old := s.swap(b, target, o); old != nil {
		_ = old.Close() // it is replaced: what it says no longer matters
	}
	if !s.alone() {
		s.inquire(b)
	}
	st := b.Stats()
	text := "connected to " + ShortTarget(target, 40)
	switch count := st.Count(); {
	case count != "":
		text += " (" + count + ")"
	case st.Server != "" && st.Server != target:
		text += " (" + st.Server + ")"
	}
	if how := st.Protection(); how != "" {
		text += ", " + how
	}
	return Result{Text: Printable(text), Notice: true}, nil
}

// need returns the connection. A session that may make one does so when there was none yet.
func (s *Session) need(ctx context.Context) (Backend, error) { return s.needOver(ctx, s.cfg.Protocol) }

// needOver is need, with what a connection speaks that is made now.
func (s *Session) needOver(ctx context.Context, protocol string) (Backend, error) {
	b, target := s.link()
	if b != nil {
		return b, nil
	}
	if s.cfg.Connect && target == "" {
		target, err := parseTarget(s.home())
		if err != nil {
			return nil, err
		}
		sec, err := s.cfg.Security.Complete()
		if err != nil {
			return nil, err
		}
		if _, err := s.connect(ctx, target, DialOptions{Protocol: protocol, Security: sec}, dialTimeout); err != nil {
			return nil, err
		}
		if b, _ = s.link(); b != nil {
			return b, nil
		}
	}
	hint := "connect " + s.home()
	if target != "" { // there was a connection, to wherever that is
		hint = "reconnect, or connect ADDR"
	}
	return nil, &Error{Exit: ExitConnect, Message: "not connected", Hint: hint}
}

// protocolFor is what a connection speaks that is made for one call of that kind: v1 is enough for most, and a second connection, for v2, would come up while the first one ends.
func (s *Session) protocolFor(k Kind) string {
	if auto := s.cfg.Protocol == "" || s.cfg.Protocol == "auto"; auto && s.cfg.Security.Token == "" && !k.Streams() && !k.gives() {
		return "v1"
	}
	return s.cfg.Protocol
}

// widen makes the connection speak all that it may, where one was made that does not.
func (s *Session) widen(ctx context.Context, b Backend) (Backend, error) {
	o := s.optionsNow()
	if !s.cfg.Connect || o.Protocol == s.cfg.Protocol {
		return b, nil
	}
	o.Protocol = s.cfg.Protocol
	_, target := s.link()
	if _, err := s.connect(ctx, target, o, dialTimeout); err != nil {
		return b, err
	}
	b, _ = s.link()
	return b, nil
}

func dialError(err error, target string, limit time.Duration) error {
	if _, told := errors.AsType[*Error](err); told {
		return err
	}
	e := &Error{Exit: ExitConnect, Message: fmt.Sprintf("cannot connect to %s: %v", target, err), Hint: "is a server running there? rpckids-server starts one on localhost:8888", Cause: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Exit, e.Message, e.Hint = ExitInterrupted, "canceled", ""
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("cannot connect to %s: no answer within %s", target, limit)
	}
	return e
}
