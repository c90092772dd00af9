package console

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

// catalogue is what a server tells of its services, read once and never changed. The zero value is that of a server that has told nothing.
type catalogue struct {
	services map[string]Service
	requests map[string]registered // what the services take
	replies  map[string]registered // what they answer, by reply type
}

// inquiryLimit is how long a server may take to list its services when nobody waits for it.
const inquiryLimit = 10 * time.Second

// glanceLimit is how long it may take when somebody waits who has waited already.
const glanceLimit = 250 * time.Millisecond

// newCatalogue reads what a server told. A service whose name nobody could type is left out, and so is a schema that is none.
func newCatalogue(list []Service) catalogue {
	c := catalogue{map[string]Service{}, map[string]registered{}, map[string]registered{}}
	for _, v := range list {
		if len(c.services) == typesKeep || !typable(v.Name) || v.ReplyType != "" && !typable(v.ReplyType) {
			continue
		}
		if _, known := kindOf(v.Pattern); !known {
			v.Pattern = ""
		}
		if v.Pattern == KindCast.String() {
			v.ReplyType, v.Reply = "", nil
		}
		if v.Example != nil && shape.Syntax(v.Example) != nil {
			v.Example = nil
		}
		c.services[v.Name] = v
		c.requests[v.Name] = registered{shape: schemaShape(v.Request), served: true}
		if v.ReplyType != "" {
			c.replies[v.ReplyType] = registered{shape: schemaShape(v.Reply), of: v.Name, served: true}
		}
	}
	return c
}

// maxSchemaDepth is how deep the brackets of a server's schema may be nested. Reading one takes time by the square of its depth, and a server may send hundreds.
const maxSchemaDepth = 32

// schemaShape is the shape of a schema; any where it is none that can be read.
func schemaShape(schema []byte) *shape.Shape {
	if len(schema) > 0 && depth(schema) <= maxSchemaDepth {
		if s, err := shape.FromSchema(schema); err == nil {
			return s
		}
	}
	return &shape.Shape{}
}

// typable says whether a name can be typed as one word, and shown.
func typable(name string) bool {
	return name != "" && len(name) <= maxType && clean(name) && !strings.ContainsAny(name, " \t\r\n{}[]\"") && !strings.ContainsAny(name[:1], "!$@-#0123456789")
}

// alone says whether nobody watches.
func (s *Session) alone() bool { return s.cfg.Connect || s.cfg.Script }

// acquaint asks the server what it offers before its items are read, where that is not known yet: it tells which of them are text. What was asked
// in the background may still be on its way.
func (s *Session) acquaint(ctx context.Context) error {
	if s.servicesNow() != nil {
		return nil
	}
	b, err := s.need(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, inquiryLimit)
	defer cancel()
	_ = s.ask(ctx, b) // a server that does not tell will refuse the items, or take them as they are
	return nil
}

// greet is acquaint for who wants to know what a server makes of it. Nil is also one that tells nothing because it is no server of ours.
func (s *Session) greet(ctx context.Context, b Backend) error {
	ctx, cancel := context.WithTimeout(ctx, inquiryLimit)
	defer cancel()
	err := s.ask(ctx, b)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == "unimplemented" || e.Code == "not_found") {
		return nil
	}
	return err
}

// inquire asks a new connection's server what it offers, while the user goes on. What it tells is there from then on; of one that tells nothing, nothing is said.
func (s *Session) inquire(b Backend) {
	ctx, quiet := context.WithTimeout(s.ctx, inquiryLimit)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.backend != b {
		quiet()
		return
	}
	if earlier := s.quiet; earlier != nil { // the first question may still wait for a server that has shown what it is since
		s.quiet = func() { earlier(); quiet() }
	} else {
		s.quiet = quiet
	}
	s.running.Go(func() { // ends with its context: when the list is there, the connection is replaced or the session closes
		defer quiet()
		_ = s.ask(ctx, b)
	})
}

// recognize asks again, once, when a reply has shown that the server is one of ours: before that nobody could know.
func (s *Session) recognize(b Backend) {
	if s.alone() || s.servicesNow() != nil || !b.Stats().Ours {
		return
	}
	s.mu.Lock()
	first := !s.recognized
	s.recognized = true
	s.mu.Unlock()
	if first {
		s.inquire(b)
	}
}

// glance asks a server that has kept silent what it is, where nobody has asked yet. One of ours is slow, and that is all that its silence means. It returns
// the connection, as widen does.
func (s *Session) glance(ctx context.Context, b Backend) Backend {
	ctx, cancel := context.WithTimeout(ctx, glanceLimit)
	defer cancel()
	b, err := s.widen(ctx, b)
	if err == nil {
		_ = s.ask(ctx, b) // another one may go on keeping silent
	}
	return b
}

// ask makes what the server of b tells the catalogue, if b is still the connection.
func (s *Session) ask(ctx context.Context, b Backend) error {
	list, err := b.Services(ctx)
	if err != nil {
		return err
	}
	c := newCatalogue(list)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.backend == b {
		s.catalogue = c
	}
	s.journal.Note() // a face that draws what is known draws again
	return nil
}

// refresh asks once more, since services may have changed, and says whether the server tells what it offers at all.
func (s *Session) refresh(ctx context.Context) error {
	b, err := s.need(ctx)
	if err != nil {
		if s.cfg.Connect {
			return err
		}
		return nil // what was registered and seen is known without a connection
	}
	ctx, cancel := context.WithTimeout(ctx, inquiryLimit)
	defer cancel()
	err = s.ask(ctx, b)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "unimplemented" || len(s.servicesNow()) > 0 && ctx.Err() == nil {
		return nil
	}
	return err
}

// servicesNow returns what the server told, by name.
func (s *Session) servicesNow() map[string]Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.catalogue.services // never changed, only replaced
}

// kindOf returns what a request type is: what the server says, else what it turned out to be; a call where nobody knows.
func (s *Session) kindOf(typ string) Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.catalogue.services[typ]; ok {
		k, _ := kindOf(v.Pattern)
		return k
	}
	return s.seen[typ].kind
}

// templates are payloads to begin with: the server's example, then one made of the shape. item asks for one item where the example is a list of them.
func (s *Session) templates(typ string, item bool) []Offer {
	var items []Offer
	t, known := s.requestType(typ)
	if v, ok := s.servicesNow()[typ]; ok && v.Example != nil {
		one := v.Example
		if each := examplesOf(v, t.shape); item && len(each) > 0 {
			one = each[0]
		}
		items = append(items, Offer{PrintableJSON(one), "the server's example"})
	}
	if known && t.shape.Kind() != shape.Any {
		items = append(items, Offer{PrintableJSON(t.shape.Sample()), Printable(t.shape.String())})
	}
	return items
}

// fieldNames are the names of fields that could stand at the end of a payload being typed, and where the name begins.
func (s *Session) fieldNames(typ, text string) (from int, items []Offer) {
	t, ok := s.requestType(typ)
	if !ok {
		return 0, nil
	}
	path, used, from, ok := openField(text)
	if !ok {
		return 0, nil
	}
	p, err := shape.ParsePath(path)
	if err != nil {
		return 0, nil
	}
	at, ok := t.shape.At(p)
	if !ok {
		return 0, nil
	}
	for _, f := range at.Fields() {
		if slices.Contains(used, f.Name) {
			continue
		}
		item := Offer{Text: Printable(quoted(f.Name)) + ":", Help: Printable(f.Shape.String())}
		if strings.HasPrefix(item.Text, text[from:]) {
			items = append(items, item)
		}
	}
	return from, items
}
