package console

import (
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// registered is what `rpc` or the server told of a type. It is never changed, only replaced.
type registered struct {
	shape      *shape.Shape
	served     bool       // the server told it
	of         string     // the request it answers, "" if unknown
	serverTime shape.Path // where a reply holds the server's own nanoseconds, nil if nowhere
}

// seen is what the session learned of a request type by using it.
type seen struct {
	reply            string // the type that answered last
	ok, failed, sent int
	kind             Kind // what it turned out to be
}

// registered returns what the user registered under a name, else what the server told of it as a request or as a reply.
func (s *Session) registered(typ string) (registered, bool) {
	if t, ok := s.requestType(typ); ok {
		return t, true
	}
	return s.answerType(typ)
}

// requestType returns what a request type takes.
func (s *Session) requestType(typ string) (registered, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.types[typ]; ok {
		return t, true
	}
	t, ok := s.catalogue.requests[typ]
	return t, ok
}

// answerType returns what a reply type looks like.
func (s *Session) answerType(typ string) (registered, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.types[typ]; ok {
		return t, true
	}
	t, ok := s.catalogue.replies[typ]
	return t, ok
}

func (s *Session) seenType(typ string) seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[typ]
}

// replyOf returns the type that answers a request type, "" when nobody knows: what answered last, else what was registered as its answer, else what the server says,
// else by the habit of naming it with _res.
func (s *Session) replyOf(typ string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.seen[typ].reply; r != "" {
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(s.types)) {
		if s.types[name].of == typ {
			return name
		}
	}
	if v, ok := s.catalogue.services[typ]; ok {
		return v.ReplyType
	}
	if _, ok := s.types[typ+"_res"]; ok {
		return typ + "_res"
	}
	return ""
}

// isReply says whether a registered type answers another one.
func (t registered) isReply(name string) bool {
	return t.of != "" || t.serverTime != nil || strings.HasSuffix(name, "_res")
}

// requests returns the request types the session knows, sorted.
func (s *Session) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]bool{}
	for name, t := range s.types {
		if !t.isReply(name) {
			known[name] = true
		}
		if t.of != "" {
			known[t.of] = true
		}
		if req, ok := strings.CutSuffix(name, "_res"); ok && t.of == "" {
			known[req] = true
		}
	}
	for name := range s.catalogue.services {
		known[name] = true
	}
	for name, t := range s.seen {
		if t.ok > 0 || t.sent > 0 {
			known[name] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// callable says whether a word can be a command by itself: a request type with a registered shape, or a service that the server lists.
func (s *Session) callable(typ string) bool {
	t, ok := s.requestType(typ)
	return ok && (t.served || !t.isReply(typ))
}

// signature says what a request type takes and what answers it: "exp {base:int, exp:int} → exp_res {value, costInNanos}".
func (s *Session) signature(typ string) string {
	text := typ
	kind := s.kindOf(typ)
	if t, ok := s.requestType(typ); ok {
		text += " " + several(kind.gives()) + t.shape.String()
	}
	if reply := s.replyOf(typ); reply != "" {
		text += s.arrow() + reply
		if t, ok := s.answerType(reply); ok {
			text += " " + several(kind.Streams()) + t.shape.Brief()
		}
	}
	return shorten(Printable(text), maxSignature)
}

// several marks a shape that comes item by item.
func several(many bool) string {
	if many {
		return "stream of "
	}
	return ""
}

// arrow stands between what a service takes and what it answers.
func (s *Session) arrow() string {
	if s.ascii() {
		return " -> "
	}
	return " → "
}

// learn counts a finished entry for `services`.
func (s *Session) learn(e Entry) {
	s.pins.entry(&e)
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.seen[e.Type]
	if !known && len(s.seen) == typesKeep {
		return
	}
	if e.State == OK || e.Items > 0 {
		t.kind = e.Kind
	}
	switch e.State {
	case OK:
		t.ok++
		if e.ReplyType != "" && len(e.ReplyType) <= maxType {
			t.reply = e.ReplyType
		}
	case Sent:
		t.sent++
	default:
		if !e.Stopped() {
			t.failed++
		}
	}
	s.seen[e.Type] = t
}

// firstSight says whether the hint of a reply type was not shown yet, and notes that it is now.
func (s *Session) firstSight(typ string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hinted[typ] || len(s.hinted) > journalKeep { // a server that invents types must not fill our memory
		return false
	}
	s.hinted[typ] = true
	return true
}
