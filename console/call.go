package console

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// order is a call or cast about to be made: its payload is complete and was checked.
type order struct {
	kind      Kind
	req       Request
	timeout   time.Duration // 0: for ever
	replyType string        // what must answer; "" lets anything answer
	noCheck   bool          // the reply's shape is not checked either
}

// perform makes a call or cast and enters it in the journal. A failed one is returned with its entry and its error.
func (s *Session) perform(ctx context.Context, o order) (Result, error) {
	backend, err := s.need(ctx)
	if err != nil {
		return s.refused(o.kind, o.req.Type, err)
	}
	e := s.journal.Start(Entry{Kind: o.kind, Type: o.req.Type, Payload: o.req.Payload, Idempotent: o.req.Idempotent, Timeout: o.timeout, Started: time.Now()})
	e.State, e.Err = Failed, &Error{Exit: ExitInternal, Message: "the console failed in the middle of this call"} // what a panic leaves behind
	defer func() {
		s.learn(e)
		s.journal.Finish(e)
	}()
	s.exchange(ctx, backend, o, &e)
	done := e // the entry as it goes into the journal; Finish above gets the same
	r := Result{Entry: &done, Value: newCallJSON(&done)}
	if e.Err != nil {
		return r, e.Err
	}
	return r, nil
}

// exchange sends the order and fills the entry with what came of it.
func (s *Session) exchange(ctx context.Context, backend Backend, o order, e *Entry) {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	if o.kind == KindCast {
		reply, err := backend.Cast(ctx, o.req)
		e.Trace = reply.Trace
		if err != nil {
			e.Err = failure(ctx, err, o.timeout)
			return
		}
		e.State, e.Err = Sent, nil
		e.Hint = s.castHint(o.req.Type)
		return
	}
	reply, err := backend.Call(ctx, o.req)
	e.Trace, e.ReplyType = reply.Trace, reply.Type
	if err != nil {
		e.Err = failure(ctx, err, o.timeout)
		return
	}
	e.Result = reply.Payload
	if e.Err = s.judge(o, e); e.Err == nil {
		e.State = OK
	}
}

// failure is the error of a call that got no reply. Where the backend says no more than that its context ended, it says why.
func failure(ctx context.Context, err error, timeout time.Duration) *Error {
	shown := explain(err)
	if _, told := errors.AsType[*Error](err); told {
		if shown.RetryAfter > 0 && shown.Hint == "" {
			shown.Hint = "the server asks to wait " + shown.RetryAfter.String()
		}
		return shown
	}
	switch {
	case errors.Is(context.Cause(ctx), errClosing):
		shown.Exit, shown.Message = ExitInterrupted, errClosing.Error()
	case shown.Exit == ExitDeadline && timeout > 0:
		shown.Message = fmt.Sprintf("no reply within %s", timeout)
		shown.Hint = "wait longer with --timeout 30s, or set timeout 30s"
	case shown.Exit == ExitInternal:
		shown.Exit = ExitConnection
	}
	return shown
}

// judge looks at a reply: whether it is JSON, of the type that was wanted, and of the shape that its type has. It also finds the server's own time.
func (s *Session) judge(o order, e *Entry) *Error {
	name := Printable(e.ReplyType)
	if m := shape.Syntax(e.Result); m != nil {
		return wrongReply(e, m, "")
	}
	if o.replyType != "" && o.replyType != e.ReplyType {
		return &Error{Exit: ExitType, Message: fmt.Sprintf("%s answered %s, not %s", e.Type, name, o.replyType), Hint: "leave out --reply to take any answer"}
	}
	t, ok := s.registered(e.ReplyType)
	if !ok {
		line := registration(e.ReplyType, shape.Infer(e.Result))
		if s.Setting("strict") == "on" {
			return &Error{Exit: ExitType, Message: "unrecognized rpc response type=" + name, Hint: line}
		}
		if s.firstSight(e.ReplyType) {
			e.Hint = line
		}
		return nil
	}
	if m := t.shape.CheckOpen(e.Result); m != nil && !o.noCheck {
		return wrongReply(e, m, "; `rpc show "+name+"` is what was expected")
	}
	if t.serverTime != nil {
		e.Server, e.HasServer = serverTime(t.serverTime, e.Result)
	}
	return nil
}

// wrongReply is the error of a reply that is wrong at a known byte.
func wrongReply(e *Entry, m *shape.Mismatch, more string) *Error {
	return explain(&Error{Exit: ExitType, Message: fmt.Sprintf("the reply %s %s (byte %d)", e.ReplyType, m.Text, m.At),
		Hint: "the server sent " + shorten(PrintableJSON(e.Result), 60) + more})
}

// serverTime reads the nanoseconds at a path of a reply; ok is false for what is no count of nanoseconds.
func serverTime(p shape.Path, payload []byte) (d time.Duration, ok bool) {
	raw, found := p.Lookup(payload)
	if !found {
		return 0, false
	}
	ns, err := strconv.ParseInt(string(raw), 10, 64)
	return time.Duration(ns), err == nil && ns >= 0
}

// registration is the line that registers a reply type, safe to show; "" when it would be no help.
func registration(typ string, sh *shape.Shape) string {
	expr := sh.String()
	if len(expr) > 120 {
		expr = "any"
	}
	if line := "rpc " + typ + " " + expr; clean(line) && len(scan(line).words) > 2 && scan(line).words[1].text == typ {
		return line
	}
	return ""
}

// castHint warns of a cast whose type usually answers.
func (s *Session) castHint(typ string) string {
	if reply := s.replyOf(typ); reply != "" && s.firstSight("cast "+typ) {
		return fmt.Sprintf("%s usually answers with %s; `call %s` waits for it", Printable(typ), Printable(reply), Printable(typ))
	}
	return ""
}

// refused is the outcome of a call that was never made.
func (s *Session) refused(kind Kind, typ string, err error) (Result, error) {
	return Result{Value: &callJSON{Kind: kind.String(), Type: typ}}, err
}

// home is where a bare connect goes.
func (s *Session) home() string {
	if s.cfg.Addr != "" {
		return s.cfg.Addr
	}
	return DefaultAddr
}
