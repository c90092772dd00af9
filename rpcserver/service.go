package rpcserver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/wire"
)

// service is a name and what answers under it.
type service struct {
	name          string
	reply         string // the type of its replies
	replyType     []byte // the pair of metadata that says so on version 2, where it is not the one to expect
	handler       Handler
	chain         Handler // the same in all its middleware
	pattern       Pattern
	quick         bool
	idempotent    bool
	doc           string
	example       any
	takes, repays reflect.Type // Go types of request and reply; nil if the handler has not said
	panics        hush         // those that were logged
	usual         usual        // how long it takes; protected by pool.mu
}

// builtIn reports whether a service is one of the server's own.
func (v *service) builtIn() bool { return v.name[0] == '!' }

// describer is a Handler that knows what it is made of.
type describer interface {
	describe() (p Pattern, request, reply reflect.Type)
	empty() bool // it has no function
}

// Option says more about a service.
type Option func(*service)

// Reply sets the type name of the replies. The default is the service's name and "_res". A one-way service has none.
func Reply(name string) Option { return func(s *service) { s.reply = name } }

// Doc sets the line that says what the service is for.
func Doc(text string) Option { return func(s *service) { s.doc = text } }

// Example sets a request to show; it is written as JSON. One that the service could not read is a set-up bug: adding the service panics.
func Example(v any) Option { return func(s *service) { s.example = v } }

// Idempotent says that running a call twice does no harm. !services tells it, to people and to programs that choose by it; what a client sends again is for each
// call to say, and ours does not ask the server.
func Idempotent() Option { return func(s *service) { s.idempotent = true } }

// Quick says that the handler returns within microseconds, always: it never waits and never works long. Its calls are then
// run where they are read, without a worker and without the queue's limits, which is faster. While a handler that was called
// quick and is not runs, nothing else is read from its connection. A service with items is never run there.
func Quick() Option { return func(s *service) { s.quick = true } }

// As says which pattern a Handler of your own serves; the default is a call. The Handlers that this package makes know theirs.
func As(p Pattern) Option { return func(s *service) { s.pattern = p } }

// Handle adds a service: fn answers calls of type name. It runs in many goroutines at once.
//
// The request is read strictly: JSON that does not fit Req, null or nothing where Req has no null, or text that is not UTF-8
// is answered invalid_argument with the field and the byte (counted from 0), and fn does not run. Fields that Req does not have are passed over. An integer is exact to int64; a
// number in an any is a json.Number. If Req or *Req has Validate() error it is asked before fn; [Invalid] makes an error that names fields. A raw
// call is read and answered as it is where both types are []byte or json.RawMessage.
//
// An [*Error] that fn returns, wrapped or not, reaches the caller; context.DeadlineExceeded and context.Canceled as those codes; any
// other error as unknown with its text; a panic as internal without its text. The context ends at the call's deadline, when the caller gives
// up, which version 1 cannot tell, or its connection is lost, and when the server is closed; context.Cause says which. It ends when fn has returned, too, but not
// for every call of version 1, where it may be its connection's: what is to end with fn wants a context that fn makes and cancels.
//
// Handle panics if name is empty, taken, longer than 1 KiB, not UTF-8, has control characters or begins with "!"; if fn or an option is nil; and if Req
// or Res is a channel, a function or a complex number, which JSON has not: set-up bugs all.
func Handle[Req, Res any](s *Server, name string, fn func(ctx context.Context, req Req) (Res, error), opts ...Option) {
	s.Service(name, Func(fn), opts...)
}

// HandleCast adds a one-way service: nobody waits for fn. Its errors are counted and logged; only a peer of ours that forgot to
// cast gets an answer, the error unimplemented, and then fn did not run. Requests are read as [Handle] says. The context lasts when the caller
// leaves: it ends at the cast's deadline and when the server is closed.
func HandleCast[Req any](s *Server, name string, fn func(ctx context.Context, req Req) error, opts ...Option) {
	s.Service(name, CastFunc(fn), opts...)
}

// HandleStream adds a service that answers with items: what fn's sequence yields goes out as it comes, at the caller's pace. The sequence
// ends the stream, an error that it yields fails it, and what comes after an error is not sent. When the caller is gone yield returns false, and
// the context ends. Each stream has a goroutine of its own and takes no worker. Requests and errors are as [Handle] says; a caller on version 1 gets
// unimplemented.
func HandleStream[Req, Res any](s *Server, name string, fn func(ctx context.Context, req Req) iter.Seq2[Res, error], opts ...Option) {
	s.Service(name, StreamFunc(fn), opts...)
}

// HandleUpload adds a service that takes items and answers once. fn ranges over items at its own pace, as far as it likes; a second
// range goes on where the first left. An error among the items is the last: the item did not fit Req (return the error, and the caller learns it),
// or nobody sends any more. Otherwise it is as [HandleStream] says.
func HandleUpload[Req, Res any](s *Server, name string, fn func(ctx context.Context, items iter.Seq2[Req, error]) (Res, error), opts ...Option) {
	s.Service(name, UploadFunc(fn), opts...)
}

// HandleBidi adds a service with items both ways: fn ranges over items, as [HandleUpload] says, and yields others, as [HandleStream] says, in
// any order. It may range over items in a goroutine of its own, which ends with the context at the latest.
func HandleBidi[Req, Res any](s *Server, name string, fn func(ctx context.Context, items iter.Seq2[Req, error]) iter.Seq2[Res, error], opts ...Option) {
	s.Service(name, BidiFunc(fn), opts...)
}

// Service adds a service and returns the server, so that services can be chained. It panics where [Handle] does.
// Services may be added while the server runs.
func (s *Server) Service(name string, h Handler, opts ...Option) *Server {
	v := newService(name, name+"_res", h, opts)
	for _, n := range []string{v.name, v.reply} {
		if n == "" || len(n) > wire.MaxID || !utf8.ValidString(n) || strings.HasPrefix(n, "!") || strings.ContainsFunc(n, unicode.IsControl) {
			panic(fmt.Sprintf("rpcserver: %q cannot name a service or its reply", n))
		}
	}
	if v.reply != name+"_res" {
		v.replyType, _ = wire.AppendField(nil, wire.FieldReplyType, v.reply) // the name is a good one
	}
	s.add(v)
	return s
}

func newService(name, reply string, h Handler, opts []Option) *service {
	v := &service{name: name, reply: reply, handler: h, pattern: PatternCall}
	for _, o := range opts {
		if o == nil {
			panic(fmt.Sprintf("rpcserver: service %q has a nil Option", name))
		}
		o(v)
	}
	if d, ok := h.(describer); ok {
		v.pattern, v.takes, v.repays = d.describe()
	}
	if flaw := v.flaw(); flaw != "" {
		panic(fmt.Sprintf("rpcserver: service %q %s", name, flaw))
	}
	return v
}

func (s *Server) add(v *service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.lookup(v.name); taken {
		panic(fmt.Sprintf("rpcserver: service %q was added twice", v.name))
	}
	s.wrapLocked(v)
	next := maps.Clone(*s.services.Load())
	next[v.name] = v
	s.services.Store(&next)
}

// misused is the answer to a call of another pattern than the service's. The format names the service and may name the pattern.
func (v *service) misused(format string) *Error {
	if v.pattern == PatternUpload {
		format = strings.Replace(format, " a %s", " an %s", 1)
	}
	words := []any{v.name, v.pattern}
	e := Errorf(Unimplemented, format, words[:strings.Count(format, "%")]...)
	e.Details = json.RawMessage(`{"pattern":"` + string(v.pattern) + `"}`)
	return e
}

func (s *Server) lookup(name string) (*service, bool) {
	v, ok := (*s.services.Load())[name]
	return v, ok
}

// method is lookup for package mux, which keeps what it finds.
func (s *Server) method(name []byte) any {
	if v, ok := s.lookup(string(name)); ok {
		return v
	}
	return nil
}

// mostCompared bounds what a peer that makes up names can make us compare.
const mostCompared = 1000

// unknown is the answer to a call of a service that is not there. It names the nearest one if it is near.
func (s *Server) unknown(name []byte) *Error {
	const far = 3
	best, least, compared := "", far, 0
	if len(name) <= 64 && !strings.HasPrefix(string(name), "!") {
		for known := range *s.services.Load() {
			if known[0] == '!' {
				continue
			}
			if compared++; compared > mostCompared {
				break
			}
			d := distance(string(name), known, far)
			if d < least && d < len(known) || d == least && d < far && known < best {
				best, least = known, d
			}
		}
	}
	if best == "" {
		return Errorf(NotFound, "no service %s", quote(name))
	}
	return Errorf(NotFound, "no service %s, did you mean %s?", quote(name), quote([]byte(best)))
}

// distance counts the letters to add, drop or replace between two names; limit or more means limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return min(row[len(b)], limit)
}
