package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
	"github.com/rpckids/rpckids/internal/wire"
)

// stream runs an order whose items come, go or both, and notes each of them in the journal.
func (s *Session) stream(ctx context.Context, backend Backend, o *order, e *Entry) (Reply, error) {
	if o.kind == KindStream {
		return backend.Stream(ctx, o.req, s.receiver(o, e))
	}
	asking, ended := context.WithCancel(ctx)
	defer ended()
	req := o.req
	req.Payload, req.Ended = nil, ended
	given := o.values.given(asking, func(item json.RawMessage) {
		e.flow.add(item, true, time.Now())
		s.journal.Note()
	})
	if o.kind == KindUpload {
		return backend.Upload(ctx, req, given)
	}
	return backend.Bidi(ctx, req, given, s.receiver(o, e))
}

// receiver takes the items that come: each is judged, noted and shown. Its error ends the stream.
func (s *Session) receiver(o *order, e *Entry) func(json.RawMessage) error {
	running := *e
	running.State, running.Err = Running, nil
	t, known := s.answerType(or(o.replyType, s.replyOf(o.req.Type)))
	strict := s.Setting("strict") == "on"
	replyType := or(or(o.replyType, s.replyOf(o.req.Type)), o.req.Type+"_res") // the habit of all servers
	return func(payload json.RawMessage) error {
		m := shape.Syntax(payload)
		switch {
		case m != nil:
		case known && !o.noCheck:
			m = t.shape.CheckOpen(payload)
		case strict && !known:
			return &Error{Exit: ExitType, Message: "unrecognized type of the items of " + shorten(Printable(o.req.Type), 60), Hint: "set strict off, or register the type of its reply"}
		}
		it := e.flow.add(payload, false, time.Now())
		s.pins.feed(replyType, payload, it.At)
		s.journal.Note()
		if m != nil {
			return &Error{Exit: ExitType, Message: fmt.Sprintf("item %d of %s %s (byte %d)", it.Index, shorten(Printable(o.req.Type), 60), m.Text, m.At), Hint: "the server sent " + glimpse(payload, 60)}
		}
		if o.talk.Item != nil {
			return o.talk.Item(running, it)
		}
		return nil
	}
}

// patternIn reads the pattern that a server names when it refuses a call because its service has another one.
func patternIn(err error) (k Kind, ok bool) {
	e, told := errors.AsType[*Error](err)
	if !told || e.Code != "unimplemented" {
		return 0, false
	}
	var details struct {
		Pattern string `json:"pattern"`
	}
	if json.Unmarshal(e.Details, &details) != nil {
		return 0, false
	}
	return kindOf(details.Pattern)
}

// turn makes an order for a call one for what the server says its service is, and says whether it can be carried out.
func (s *Session) turn(o *order, e *Entry, k Kind) bool {
	if !k.Streams() && !k.gives() {
		return false
	}
	if k.gives() {
		switch {
		case o.req.Payload != nil:
			o.values = listed(o.req.Payload)
		case o.talk.Line != nil:
			o.values = s.asked(o.talk, o.req.Type, o.noCheck)
		default:
			return false
		}
	}
	o.kind = k
	if !o.own {
		o.timeout = 0
	}
	e.Kind, e.Timeout, e.flow, e.Started = k, o.timeout, &flow{}, time.Now() // the refusal is not its time
	s.journal.Become(*e)
	return true
}

// turnHint says what to type where a service has another pattern than the command that was used.
func turnHint(o *order, k Kind) string {
	line := k.String() + " " + Printable(o.req.Type)
	switch {
	case o.req.Payload != nil && !o.kind.gives():
		line += " " + glimpse(o.req.Payload, 60)
	case k.gives():
		line += " VALUES"
	case o.kind.gives():
		line += " PAYLOAD"
	}
	return "as in: " + line
}

// closeStream judges a stream that came to its end.
func closeStream(o *order, e *Entry) *Error {
	if o.replyType != "" && e.ReplyType != "" && o.replyType != e.ReplyType {
		return &Error{Exit: ExitType, Message: fmt.Sprintf("%s answered %s, not %s", e.Type, shorten(Printable(e.ReplyType), 60), o.replyType), Hint: "leave out --reply to take any answer"}
	}
	return nil
}

// stopped says how far a stream came before its context ended.
func stopped(e *Entry, shown *Error) {
	n := Entry{}
	e.flow.tell(&n)
	far := countOf(n.Items, "item")
	switch {
	case e.Kind == KindUpload, n.Items == 0 && n.Given > 0:
		far = countOf(n.Given, "item") + " sent"
	case n.Given > 0:
		far = countOf(n.Given, "item") + " sent, " + Count(n.Items) + " received"
	}
	switch shown.Exit {
	case ExitInterrupted:
		shown.Message = "stopped after " + far
	case ExitDeadline:
		shown.Message = fmt.Sprintf("not at its end within %s, after %s", e.Timeout, far)
		shown.Hint = "give it longer with --timeout 30s, or leave --timeout out"
	}
}

func countOf(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return Count(n) + " " + word
}

// point turns the first thing that the server found wrong in a payload into a place of the line that was typed.
func (o *order) point(e *Error) {
	wrong := wire.Violations(e.Details)
	if len(wrong) == 0 || o.place == nil {
		return
	}
	at := wrong[0].At
	if path, err := shape.ParsePath(wrong[0].Field); err == nil && at <= 0 && wrong[0].Field != "" {
		if value, ok := path.Lookup(o.req.Payload); ok {
			at = cap(o.req.Payload) - cap(value) // value is a piece of the payload
		}
	}
	e.Line, e.At = o.place(min(max(at, 0), len(o.req.Payload)))
}
