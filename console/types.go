package console

import (
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// registered is what `rpc` told of a type. It is never changed, only replaced.
type registered struct {
	shape      *shape.Shape
	of         string     // the request it answers, "" if unknown
	serverTime shape.Path // where a reply holds the server's own nanoseconds, nil if nowhere
}

// seen is what the session learned of a request type by using it.
type seen struct {
	reply            string // the type that answered last
	ok, failed, sent int
}

func (s *Session) registered(typ string) (registered, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.types[typ]
	return t, ok
}

func (s *Session) seenType(typ string) seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[typ]
}

// replyOf returns the type that answers a request type, "" when nobody knows: what answered last, else what was registered as its answer, else by the
// habit of naming it with _res.
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
	for name, t := range s.seen {
		if t.ok > 0 || t.sent > 0 {
			known[name] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// callable says whether a word can be a command by itself: a request type with a registered shape.
func (s *Session) callable(typ string) bool {
	t, ok := s.registered(typ)
	return ok && !t.isReply(typ)
}

// signature says what a request type takes and what answers it: "exp {base:int, exp:int} → exp_res {value, costInNanos}".
func (s *Session) signature(typ string) string {
	text := typ
	if t, ok := s.registered(typ); ok {
		text += " " + t.shape.String()
	}
	if reply := s.replyOf(typ); reply != "" {
		arrow := " → "
		if s.ascii() {
			arrow = " -> "
		}
		text += arrow + reply
		if t, ok := s.registered(reply); ok {
			text += " " + t.shape.Brief()
		}
	}
	return Printable(text)
}

// learn counts a finished entry for `services`.
func (s *Session) learn(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.seen[e.Type]
	if !known && len(s.seen) == typesKeep {
		return
	}
	switch e.State {
	case OK:
		t.ok++
		if len(e.ReplyType) <= maxType {
			t.reply = e.ReplyType
		}
	case Sent:
		t.sent++
	default:
		t.failed++
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
