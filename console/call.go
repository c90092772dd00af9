package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// order is a call, a cast or a stream about to be made: its payload is complete and was checked.
type order struct {
	kind   Kind
	req    Request
	values *values // the items that an upload or a chat gives
	talk   Talk
	place  func(at int) (line string, in int) // finds a byte of the payload in the line that was typed; nil where it was not typed
	terms
}

// limit is ctx with the time limit of the order.
func (o *order) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.timeout > 0 {
		return context.WithTimeout(ctx, o.timeout)
	}
	return ctx, func() {}
}

// terms are what a call has to keep to.
type terms struct {
	timeout   time.Duration // 0: for ever
	own       bool          // timeout was given with the call, not by the setting
	replyType string        // what must answer; "" lets anything answer
	noCheck   bool          // the reply's shape is not checked either
}

// perform carries out an order and enters it in the journal. One that failed is returned with its entry and its error.
func (s *Session) perform(ctx context.Context, o order) (Result, error) {
	if o.values != nil && o.values.close != nil {
		defer o.values.close()
	}
	backend, err := s.needOver(ctx, s.protocolFor(o.kind))
	if err != nil {
		return s.refused(o.kind, o.req.Type, err)
	}
	start := Entry{Kind: o.kind, Type: o.req.Type, Payload: o.req.Payload, Idempotent: o.req.Idempotent, Timeout: o.timeout, terms: o.terms, Started: time.Now()}
	if o.kind.Streams() || o.kind.gives() {
		start.flow = &flow{}
	}
	e := s.journal.Start(start)
	e.State, e.Err = Failed, &Error{Exit: ExitInternal, Message: "the console failed in the middle of this call"} // what a panic leaves behind
	ended := false
	defer func() {
		if !ended {
			s.journal.Finish(e)
		}
	}()
	backend = s.exchange(ctx, backend, &o, &e)
	if e.flow != nil {
		e.flow.tell(&e)
	}
	s.suggest(backend, &e)
	s.learn(e)
	ended = true
	done := s.journal.Finish(e)
	s.recognize(backend)
	r := Result{Entry: &done, Value: newCallJSON(&done)}
	if e.Err != nil {
		return r, e.Err
	}
	return r, nil
}

// exchange sends the order and fills the entry with what came of it. A call that the server refuses because its service is a stream becomes that stream.
// It returns the connection, which may be another one then.
func (s *Session) exchange(ctx context.Context, backend Backend, o *order, e *Entry) Backend {
	limited, cancel := o.limit(ctx)
	ours := backend.Stats().Ours // asked now: of a connection that is lost it is not known any more
	reply, err := s.dispatch(limited, backend, o, e)
	if k, ok := patternIn(err); ok && k != o.kind {
		if o.kind == KindCall && s.turn(o, e, k) {
			cancel()
			limited, cancel = o.limit(ctx)
			if backend, err = s.widen(limited, backend); err == nil {
				reply, err = s.dispatch(limited, backend, o, e)
			}
		} else if wrong, _ := errors.AsType[*Error](err); wrong != nil {
			told := *wrong
			told.Hint, err = turnHint(o, k), &told
		}
	}
	defer cancel()
	reply.Trace.clip()
	e.Trace, e.ReplyType = reply.Trace, reply.Type
	if !e.Trace.Start.IsZero() {
		e.Started = e.Trace.Start // one zero point for the round trip and for its items
	}
	switch {
	case err != nil:
		e.Err = failure(limited, err, e, backend.Stats())
		if e.Err.Exit == ExitDeadline && o.kind == KindCall && s.alone() && !backend.Stats().Ours {
			backend = s.glance(ctx, backend)
		}
		e.Err.Likely = s.likely(e, ours || backend.Stats().Ours)
		o.point(e.Err)
		return backend
	case o.kind == KindCast:
		e.State, e.Err, e.Hint = Sent, nil, s.castHint(o.req.Type)
		return backend
	}
	var wrong *Error
	if o.kind.Streams() {
		wrong = closeStream(o, e)
	} else {
		e.Result = reply.Payload
		wrong = s.judge(o, e)
	}
	if wrong != nil {
		e.Err = explain(wrong)
	} else {
		e.State, e.Err = OK, nil
	}
	return backend
}

// dispatch hands the order to the backend.
func (s *Session) dispatch(ctx context.Context, backend Backend, o *order, e *Entry) (Reply, error) {
	switch o.kind {
	case KindCall:
		return backend.Call(ctx, o.req)
	case KindCast:
		return backend.Cast(ctx, o.req)
	}
	return s.stream(ctx, backend, o, e)
}

// failure is the error of a call that got no good reply. Where the backend knows no more than that the context ended, it says why.
func failure(ctx context.Context, err error, e *Entry, st Stats) *Error {
	shown := explain(err)
	_, told := errors.AsType[*Error](err)
	over := (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)) && (shown.Exit == ExitInterrupted || shown.Exit == ExitDeadline)
	switch {
	case shown.Exit == ExitInterrupted && errors.Is(context.Cause(ctx), errClosing):
		shown.Message = errClosing.Error()
	case over && e.flow != nil:
		stopped(e, shown)
	case over && shown.Exit == ExitDeadline && e.Timeout > 0: // whoever noticed first, we or the server
		shown.Message = fmt.Sprintf("no reply within %s", e.Timeout)
		switch {
		case len(e.Trace.Out) == 0:
			shown.Message = fmt.Sprintf("not sent within %s", e.Timeout)
		case st.State == Connected:
			shown.Message += "; the connection is still up"
		}
		shown.Hint = "wait longer with --timeout 30s, or set timeout 30s"
	case shown.Exit == ExitInternal && !told:
		shown.Exit = ExitConnection
	case shown.RetryAfter > 0 && shown.Hint == "":
		shown.Hint = "the server asks to wait " + shown.RetryAfter.String()
	}
	return shown
}

// longRun is how long a call runs whose server is there, knows it and works on it.
const longRun = time.Second

// likely says what silence may mean. Version 1 has no errors: a plain server that fails sends nothing, or closes. Our own server always answers, unless it is stopped.
func (s *Session) likely(e *Entry, ours bool) string {
	ours = ours || e.Trace.Protocol == "v2"
	closed := errors.Is(e.Err, io.EOF) || errors.Is(e.Err, syscall.ECONNRESET) // without a word; what is no rpckids at all says something else
	silent := ""
	switch {
	case e.Err.Exit == ExitDeadline:
		silent = "a plain v1 server that fails sends no reply"
	case closed && e.Trace.RTT >= longRun && ours:
		return "the server was stopped, or cut the connection, while this ran"
	case closed && e.Trace.RTT >= longRun:
		silent = "the server was stopped while this ran, or is a plain v1 server and failed"
	case closed:
		silent = "a plain v1 server that fails may close the connection"
	}
	if silent == "" || ours || e.Kind != KindCall || len(e.Trace.Out) == 0 || len(e.Trace.In) > 0 {
		return e.Err.Likely
	}
	if t, ok := s.requestType(e.Type); ok && e.Payload != nil {
		if m := t.shape.Check(e.Payload); m != nil {
			return shorten(Printable(e.Type+" "+m.Text), maxMessage/2) + "; " + silent
		}
	}
	name := shorten(Printable(e.Type), 40)
	switch {
	case closed && e.Trace.RTT >= longRun:
		return silent
	case s.seenType(e.Type).ok > 0:
		return e.Err.Likely // it knows this type and this kind of payload: it is slow, or gone
	case e.Err.Likely != "":
		return fmt.Sprintf("%s, or not know %q", e.Err.Likely, name)
	}
	return fmt.Sprintf("it may not know %q; %s", name, silent)
}

// judge looks at a reply: whether it is JSON, of the type that was wanted, and of the shape that its type has. It also finds the server's own time.
func (s *Session) judge(o *order, e *Entry) *Error {
	name := shorten(Printable(e.ReplyType), 60)
	if m := shape.Syntax(e.Result); m != nil {
		return wrongReply(e, m, "")
	}
	if o.replyType != "" && o.replyType != e.ReplyType {
		return &Error{Exit: ExitType, Message: fmt.Sprintf("%s answered %s, not %s", e.Type, name, o.replyType), Hint: "leave out --reply to take any answer"}
	}
	t, ok := s.answerType(e.ReplyType)
	if !ok {
		if s.Setting("strict") == "on" {
			return &Error{Exit: ExitType, Message: "unrecognized rpc response type=" + name, Hint: registration(e.ReplyType, e.Result)}
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
	return &Error{Exit: ExitType, Message: fmt.Sprintf("the reply %s %s (byte %d)", shorten(Printable(e.ReplyType), 60), m.Text, m.At),
		Hint: "the server sent " + glimpse(e.Result, 60) + more}
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

// maxType is how long a reply type may be, in bytes, to be remembered and to be offered for registration. Names are short; one that is not was never
// meant to be typed.
const maxType = 200

// suggest tells, once, how to register the type of a good reply that nobody knows. A server of ours lists its types: where that was not asked yet, it needs no help.
func (s *Session) suggest(b Backend, e *Entry) {
	if e.State != OK || e.Result == nil || e.ReplyType == "" || len(e.ReplyType) > maxType || b.Stats().Ours {
		return
	}
	if _, known := s.answerType(e.ReplyType); !known && s.firstSight(e.ReplyType) {
		e.Hint = registration(e.ReplyType, e.Result)
	}
}

// registration is the line that registers the type of a reply, safe to show; "" when it would be no help.
func registration(typ string, reply []byte) string {
	expr := shape.Infer(reply).String()
	if len(typ) > maxType {
		return ""
	}
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
