package rpcserver

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/wire"
)

// service is a name and what answers under it.
type service struct {
	name       string
	reply      string // the type of its replies
	handler    Handler
	oneWay     bool
	quick      bool
	idempotent bool
	doc        string
	example    any
}

// Option says more about a service.
type Option func(*service)

// Reply sets the type name of the replies. The default is the service's name and "_res". A one-way service has none.
func Reply(name string) Option { return func(s *service) { s.reply = name } }

// Doc sets the line that says what the service is for.
func Doc(text string) Option { return func(s *service) { s.doc = text } }

// Example sets a request to show; it is written as JSON.
func Example(v any) Option { return func(s *service) { s.example = v } }

// Idempotent says that running a call twice does no harm, so that a client may send it again.
func Idempotent() Option { return func(s *service) { s.idempotent = true } }

// Quick says that the handler returns within microseconds, always: it never waits and never works long. Its calls are then
// run where they are read, without a worker and without the queue's limits, which is faster. While a handler that was called
// quick and is not runs, nothing else is read from its connection.
func Quick() Option { return func(s *service) { s.quick = true } }

// Handle adds a service: fn answers calls of type name. It runs in many goroutines at once.
//
// The request is read strictly: JSON that does not fit Req, null or nothing where Req has no null, or text that is not UTF-8
// is answered invalid_argument with the field and the byte (counted from 0), and fn does not run. Fields that Req does not have are passed over. An integer is exact to int64; a
// number in an any is a json.Number. If Req or *Req has Validate() error it is asked before fn.
//
// An [*Error] that fn returns, wrapped or not, reaches the caller; context.DeadlineExceeded and context.Canceled as those codes; any
// other error as unknown with its text; a panic as internal without its text. The context ends at the call's deadline, when the
// connection is lost, and when the server is closed.
//
// Handle panics if name is empty, taken, longer than 1 KiB, not UTF-8 or begins with "!", and if fn is nil: set-up bugs all.
func Handle[Req, Res any](s *Server, name string, fn func(ctx context.Context, req Req) (Res, error), opts ...Option) {
	s.Service(name, Func(fn), opts...)
}

// HandleCast adds a one-way service: nobody waits for fn. Its errors are counted and logged; only a peer of ours that forgot to
// cast gets an answer, the error unimplemented, and then fn did not run. Requests are read as [Handle] says.
func HandleCast[Req any](s *Server, name string, fn func(ctx context.Context, req Req) error, opts ...Option) {
	s.Service(name, CastFunc(fn), opts...)
}

// Service adds a service and returns the server, so that services can be chained. It panics where [Handle] does.
// Services may be added while the server runs.
func (s *Server) Service(name string, h Handler, opts ...Option) *Server {
	v := &service{name: name, reply: name + "_res", handler: h}
	_, v.oneWay = h.(oneWay)
	for _, o := range opts {
		o(v)
	}
	for _, n := range []string{v.name, v.reply} {
		if n == "" || len(n) > wire.MaxID || !utf8.ValidString(n) || strings.HasPrefix(n, "!") {
			panic(fmt.Sprintf("rpcserver: %q cannot name a service or its reply", n))
		}
	}
	if h == nil {
		panic(fmt.Sprintf("rpcserver: service %q has no handler", name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.lookup(name); taken {
		panic(fmt.Sprintf("rpcserver: service %q was added twice", name))
	}
	next := maps.Clone(*s.services.Load())
	next[name] = v
	s.services.Store(&next)
	return s
}

func (s *Server) lookup(name string) (*service, bool) {
	v, ok := (*s.services.Load())[name]
	return v, ok
}

// mostCompared bounds what a peer that makes up names can make us compare.
const mostCompared = 1000

// unknown is the answer to a call of a service that is not there. It names the nearest one if it is near.
func (s *Server) unknown(name []byte) *Error {
	const far = 3
	best, least, compared := "", far, 0
	if len(name) <= 64 && !strings.HasPrefix(string(name), "!") {
		for known := range *s.services.Load() {
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
