package rpcserver

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"sync"

	"github.com/rpckids/rpckids/internal/shape"
)

// serverName is what the server calls itself.
const serverName = "rpckids"

// The built-in services, for our own clients: ordinary calls on both versions of the wire.
const (
	listName   = "!services"
	healthName = "!health"
)

func (s *Server) addBuiltIn() {
	s.catalogue = &listing{server: s}
	s.add(newService(listName, listName, Func(s.catalogue.serve), []Option{Idempotent(), Quick(), Doc("the services of this server")}))
	s.add(newService(healthName, healthName, Func(s.health), []Option{Idempotent(), Quick(), Doc("how the server is")}))
}

// listed is a service as !services shows it.
type listed struct {
	Name       string          `json:"name"`
	ReplyType  string          `json:"reply_type"` // "" for a cast
	Pattern    Pattern         `json:"pattern"`
	Request    json.RawMessage `json:"request"` // a JSON Schema; of an item, where items are sent
	Reply      json.RawMessage `json:"reply"`   // the same; null for a cast
	Doc        string          `json:"doc"`
	Example    json.RawMessage `json:"example"` // a request, or null
	Idempotent bool            `json:"idempotent"`
}

// listing answers !services. It is written once for each set of services.
type listing struct {
	server *Server

	mu    sync.Mutex // protects the fields below
	of    *map[string]*service
	bytes json.RawMessage
}

func (l *listing) serve(context.Context, struct{}) (json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.server.services.Load()
	if l.of == now {
		return l.bytes, nil
	}
	all := []listed{}
	for _, v := range *now {
		if v.name[0] != '!' {
			all = append(all, v.listed())
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.Marshal(all)
	if err != nil {
		return nil, Errorf(Internal, "the services cannot be listed: %v", err)
	}
	l.of, l.bytes = now, b
	return b, nil
}

func (v *service) listed() listed {
	s := listed{
		Name: v.name, ReplyType: v.reply, Pattern: v.pattern, Doc: v.doc, Idempotent: v.idempotent,
		Request: schema(v.takes, shape.OfRequest), Reply: schema(v.repays, shape.OfReply),
	}
	if v.pattern == PatternCast {
		s.ReplyType, s.Reply = "", nil
	}
	if example, err := appendJSON(nil, v.example); err == nil {
		s.Example = example
	}
	return s
}

// schema returns the JSON Schema of a Go type as it is read or written here: fields that nobody knows are passed over.
func schema(t reflect.Type, of func(reflect.Type) *shape.Shape) json.RawMessage {
	if t == nil || t == reflect.TypeFor[none]() {
		return json.RawMessage("{}")
	}
	b, err := json.Marshal(of(t).OpenSchema())
	if err != nil || string(b) == "true" { // the short form of {}, which not every reader of schemas knows
		return json.RawMessage("{}")
	}
	return b
}
